#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# vm.sh KERNEL COMMAND... - run COMMAND as root in a VM under KERNEL (a name of kernel.sh), over the host's root
#
# The guest sees the whole file system of the host at the same paths and may write everywhere: what
# it writes stays in its memory, except below $VTAP_OUT. Output is streamed, the exit status is COMMAND's.
#   VTAP_SMP=2 VTAP_MEM=3G   processors and memory
#   VTAP_APPEND= VTAP_QEMU=  further kernel and QEMU arguments
#   VTAP_THREAD=single       "multi": each processor on a host thread of its own; QEMU then livelocks
#                            when netfilter or clsact hooks are toggled under traffic
#   VTAP_OUT=                a directory that the guest shares for writing
#   VTAP_TIMEOUT=2700        seconds until the VM is ended (status 124)
#   VTAP_VERBOSE=            not empty: the whole kernel log on stderr, not only its warnings
set -euo pipefail

# PID 1 of the guest, in place of virtme-init: that one starts udev and systemd-tmpfiles, mounts
# eight overlays and reads through 9p without a cache, which takes three times as long.
guest_init() {
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
	local n=/run/new o=version=9p2000.L,trans=virtio,access=any,msize=512000 a p cat rc job="" mods="" out=""
	declare -A port
	mount -t tmpfs run /run
	mkdir /run/{host,up,work,new}
	mount -t 9p -o "ro,cache=loose,$o" vtap.root /run/host
	mount -t overlay -o lowerdir=/run/host,upperdir=/run/up,workdir=/run/work root $n
	mkdir $n/run/old
	cd $n
	pivot_root . run/old
	cd /
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys
	mount -t devtmpfs dev /dev
	mkdir -p /dev/pts /dev/shm
	mount -t devpts devpts /dev/pts
	mount -t tmpfs shm /dev/shm
	mount -t tmpfs run /run
	mount -t debugfs debugfs /sys/kernel/debug || :
	mount -t tracefs tracefs /sys/kernel/tracing || :
	mount -t cgroup2 cgroup2 /sys/fs/cgroup || :
	ln -sf /proc/self/fd /dev/fd
	ln -sf /proc/self/fd/0 /dev/stdin
	ln -sf /proc/self/fd/1 /dev/stdout
	ln -sf /proc/self/fd/2 /dev/stderr
	for a in $(</proc/cmdline); do
		case $a in
		vtap.job=*) job=${a#*=} ;;
		vtap.out=*) out=${a#*=} ;;
		virtme_link_mods=*) mods=${a#*=} ;;
		virtme_hostname=*) hostname "${a#*=}" ;;
		esac
	done
	mkdir -p /lib/modules
	rm -rf "/lib/modules/$(uname -r)"
	[ -z "$mods" ] || ln -s "$mods" "/lib/modules/$(uname -r)"
	[ -z "$out" ] || mount -t 9p -o "$o" vtap.out "$out"
	ip link set lo up
	for p in /sys/class/virtio-ports/*; do
		read -r a < "$p/name"
		port[${a#virtme.}]=/dev/${p##*/}
	done
	# a port has one writer only, so that /dev/stdout and /dev/stderr must be a pipe
	exec 3> >(exec cat > "${port[stdout]}")
	cat=$!
	setsid bash "$job" < /dev/null >&3 2>&1 3>&-
	rc=$?
	exec 3>&-
	# a daemon left behind may hold the pipe open: what was written before is through by then
	for ((a = 0; a < 20; a++)); do
		kill -0 $cat 2> /dev/null || break
		sleep 0.1
	done
	echo $rc > "${port[ret]}"
	sync
	echo b > /proc/sysrq-trigger
	sleep 60
}

if [ $$ = 1 ]; then
	set +e
	guest_init
fi

[ $# -ge 2 ] || { sed -n '3,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(dirname "$(readlink -f "$0")")
kernel=$1
shift
"$here/setup.sh" vm
IMAGE=$("$here/kernel.sh" image "$kernel")
job=$(mktemp -t vtap-vm-XXXXXX)
trap 'rm -f "$job"' EXIT
printf 'cd %q\n%s\n' "$PWD" "$(printf '%q ' "$@")" > "$job"

share() {	# TAG DIR OPTIONS
	echo "-fsdev local,id=$1,path=$2,security_model=none,multidevs=remap$3 -device virtio-9p-pci,fsdev=$1,mount_tag=$1"
}
opts=(
	"-accel tcg,thread=${VTAP_THREAD:-single}"
	# suricata links with a library that wants SSE 4
	"-cpu qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt"
	"$(share vtap.root / ,readonly=on)"
	"${VTAP_QEMU:-}"
)
loglevel=4
[ -z "${VTAP_VERBOSE:-}" ] || loglevel=7
# on a busy host, the kernel's test of the timer may see no tick in time, and panics; under KVM it leaves the test out
append="init=$here/vm.sh vtap.job=$job loglevel=$loglevel no_timer_check ${VTAP_APPEND:-}"
if [ -n "${VTAP_OUT:-}" ]; then
	mkdir -p "$VTAP_OUT"
	out=$(readlink -f "$VTAP_OUT")
	opts+=("$(share vtap.out "$out" '')")
	append+=" vtap.out=$out"
fi
# shellcheck disable=SC2086 # words
mapfile -t kopts < <(printf -- '--kopt\n%s\n' $append)

# QEMU opens /proc/self/fd/1 anew, which would truncate a log file: give it pipes
exec 3> >(cat)
stdout=$!
if [ -n "${VTAP_VERBOSE:-}" ]; then exec 4> >(cat >&2); else
	exec 4> >(sed -u '/^\[    0\.0/d; /KASLR using/d; /sysrq: Resetting/d' >&2)
fi
stderr=$!
# shellcheck disable=SC2086,SC2048 # words
timeout -k 5 "${VTAP_TIMEOUT:-2700}" virtme-run --kimg "$IMAGE" --mods auto --disable-kvm --force-9p --force-initramfs \
	--overlay-rwdir /tmp --cpus "${VTAP_SMP:-2}" --memory "${VTAP_MEM:-3G}" --name vtap "${kopts[@]}" \
	--show-boot-console --script-sh : --qemu-opts ${opts[*]} < /dev/null >&3 2>&4 3>&- 4>&- &
vm=$!
trap 'kill $vm' INT TERM
rc=0
wait $vm || rc=$?
exec 3>&- 4>&-
wait $stdout $stderr || :
exit $rc
