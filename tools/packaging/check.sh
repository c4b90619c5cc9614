#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh - the packages in a bare Debian 12: installed, upgraded, removed and purged. TAP output.
#
# The root directory is made once, in $VTAP_CACHE/packages, where the packages that it asks for are kept as well;
# each run works in a copy. No module is loaded and no service started. VTAP_ROOT=DIR keeps the copy there.
# shellcheck disable=SC2317 # functions are called by check()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 2
tools/bed/setup.sh build package || exit 1
cache=${VTAP_CACHE:-/var/cache/vtap}/packages
old=$(sed -n 's/^#define VTAP_VERSION[^_].*"\(.*\)"/\1/p' kmod/version.h)
new=$old.1
arch=$(dpkg --print-architecture)
deb=$PWD/build/deb
tmp=$(mktemp -d)
trap 'rm -rf --one-file-system "$tmp"' EXIT
root=${VTAP_ROOT:-$tmp/root}
n=0 failed=0

check() {	# DESCRIPTION COMMAND...
	local name=$1
	shift
	n=$((n + 1))
	if "$@" > "$tmp/log" 2>&1; then
		echo "ok $n - $name"
	else
		failed=$((failed + 1))
		echo "not ok $n - $name"
		tail -30 "$tmp/log" | sed 's/^/# /'
		return 1
	fi
}

finish() {
	echo "1..$n"
	[ $failed = 0 ] || echo "# $failed of $n failed"
	exit $((failed > 0))
}

same() { [ "$1" = "$2" ] || { printf 'is:    %s\nis to: %s\n' "$1" "$2"; false; }; }	# VALUE EXPECTED
empty() { [ -z "$1" ] || { echo "$1"; false; }; }	# TEXT

make_base() {
	local sec
	[ ! -f "$cache/bookworm.tar" ] || return 0
	mkdir -p "$cache/archives/partial" "$cache/lists/partial"
	sec=$(tools/bed/setup.sh mirror -security)
	{
		echo "deb $(tools/bed/setup.sh mirror) bookworm main"
		[ -z "$sec" ] || echo "deb $sec bookworm-security main"
	} | mmdebstrap --quiet --format=tar --mode=root --variant=apt --aptopt='Acquire::Retries "3"' \
		bookworm "$cache/bookworm.tar.new" - && mv "$cache/bookworm.tar.new" "$cache/bookworm.tar"
}

# the binds go with the mount namespace
inside() {	# COMMAND...: in the root directory, which sees neither the machine's processes nor its /sys
	# shellcheck disable=SC2016 # the inner shell's
	R=$root A=$cache unshare -m -p -f --propagation private bash -euc '
		mount -t proc proc "$R/proc"
		mount -t tmpfs -o mode=755 dev "$R/dev"
		for d in null zero full random urandom tty; do touch "$R/dev/$d"; mount --bind "/dev/$d" "$R/dev/$d"; done
		ln -s /proc/self/fd "$R/dev/fd"
		mkdir "$R/dev/shm"
		mount --bind "$A/archives" "$R/var/cache/apt/archives"
		mount --bind "$A/lists" "$R/var/lib/apt/lists"
		mount --bind "$0" "$R/mnt"
		exec chroot "$R" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
		' "$deb" "$@"
}

apt() {		# ARG...
	inside apt-get -y -q -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Dpkg::Options::=--force-unsafe-io \
		-o APT::Keep-Downloaded-Packages=true -o Dpkg::Use-Pty=0 "$@"
}

files() {	# what is in the root directory outside of what the package manager and its runs write
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./var/cache -o -path ./var/log \
		-o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./mnt \) -prune -o -print | sort)
}
packages() {	# VERSION: as they lie in the root directory
	echo "/mnt/vtap_$1_$arch.deb /mnt/vtap-dkms_$1_all.deb"
}
make_root() {
	mkdir -p "$root" && tar -C "$root" --exclude='./dev/*' -xf "$cache/bookworm.tar" || return
	apt update || [ -n "$(ls "$cache/lists")" ]
}
install() {	# VERSION
	# shellcheck disable=SC2046 # two words
	apt install $(packages "$1")
}
module() { inside modinfo -k "$krel" -F "$1" vtap; }	# FIELD
resolves() {
	inside modprobe -n -S "$krel" --show-depends vtap | grep "/updates/dkms/vtap\.ko" &&
		inside modprobe -n -S "$krel" --show-depends net-pf-16-proto-16-family-vtap | grep "/updates/dkms/vtap\.ko"
}
trees() { inside dkms status | sort; }
wanted_at_boot() { find "$root/etc/systemd" -name vtap.service -printf '%P\n'; }
remains() { comm -13 "$tmp/before" <(files); }
unit() {	# the machine's systemd reads it, from the root directory
	systemd-analyze verify --root="$root" --man=no --recursive-errors=no vtap.service vtap-metrics.timer vtap-metrics.service
}
bad_unit() {	# the same finds a mistake
	sed 's|ExecStart=.*|ExecStart=/none|' "$root/lib/systemd/system/vtap.service" > "$tmp/vtap-bad.service"
	! systemd-analyze verify --man=no --recursive-errors=no "$tmp/vtap-bad.service" 2> "$tmp/verify" &&
		grep '/none is not executable' "$tmp/verify"
}
examples() {
	local f
	for f in ids recorder; do inside vtap -c apply /usr/share/doc/vtap/examples/"$f.conf" || return; done
}
boot_taps() {	# a tool that only says what it is asked to do, and refuses a file with "bad" in its name
	local d=$tmp/boot
	mkdir -p "$d/vtap.d" "$d/run"
	printf '#!/bin/sh\necho "$*"\ncase $* in *bad*) exit 1 ;; esac\n' > "$d/vtap"
	chmod +x "$d/vtap"
	touch "$d/vtap.conf" "$d/vtap.d/fleet.conf" "$d/vtap.d/bad.conf"
	boot() { VTAP_MODULE=/ VTAP_ETC=$d VTAP=$d/vtap RUNTIME_DIRECTORY=$d/run sh tools/packaging/vtap-boot "$1"; }
	same "$(boot start; echo $?)" "$(printf 'apply tap %s\n' "main $d/vtap.conf" "bad $d/vtap.d/bad.conf" \
		"fleet $d/vtap.d/fleet.conf"; echo 1)" &&
		same "$(boot reload; echo $?)" "$(printf -- '-c apply tap %s\n' "main $d/vtap.conf" "bad $d/vtap.d/bad.conf" \
			"fleet $d/vtap.d/fleet.conf"; echo 1)" &&
		rm "$d"/vtap.d/* &&
		same "$(boot stop; echo $?)" "$(printf -- '-force apply tap %s /dev/null\n' main fleet; echo 0)" &&
		same "$(boot stop; echo $?)" 0
}
completes() {	# WORDS EXPECTED: bash offers EXPECTED after WORDS
	local out
	# shellcheck disable=SC2016 # the inner shell's
	out=$(inside bash -c '. /usr/share/bash-completion/completions/vtap
		read -r -a COMP_WORDS <<< "$1"; COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_vtap; echo "${COMPREPLY[*]}"' - "$1")
	same "$out" "$2"
}
# dpkg runs the old package's and the new one's scripts: neither may stop or restart the service
upgrade_leaves_taps() {
	! grep -E 'deb-systemd-invoke[^;]*(stop|restart)' "$root/var/lib/dpkg/info/vtap.postinst" || return
	grep -B 1 'deb-systemd-invoke stop' "$root/var/lib/dpkg/info/vtap.prerm" | grep '= remove'
}

check "vtap-$old and vtap-dkms-$old are built, and clean under lintian" tools/packaging/deb.sh || finish
check "so are those of $new" tools/packaging/deb.sh "$new" || finish
check "RPM packages are built" tools/packaging/rpm.sh
check "a bare Debian 12" make_base || finish
check "a copy of it" make_root || finish

# what the kernel's headers and DKMS bring is not ours
check "DKMS, a compiler and the headers of a kernel" apt install dkms linux-headers-amd64 || finish
krel=$(cd "$root/lib/modules" && echo *)
files > "$tmp/before"
check "apt installs both packages" install "$old" || finish
check "DKMS built the module" same "$(trees)" "vtap/$old, $krel, x86_64: installed"
check "modprobe finds it, by name and by its netlink family" resolves
check "its version is that of the package" same "$(module version)" "$old"
check "and so is the tool's" same "$(inside vtap -V)" "vtap $old"
check "there is a source version, which DKMS compares" test -n "$(module srcversion)"
check "the service is started at boot" same "$(wanted_at_boot)" "system/multi-user.target.wants/vtap.service"
check "systemd-analyze verify" unit
check "systemd-analyze verify finds a mistake" bad_unit
check "a file for each tap: start, reload and stop" boot_taps
check "the counters are for Prometheus when asked for only" empty "$(find "$root/etc/systemd" -name 'vtap-metrics*')"
check "alert rules, console page and dashboard are there" \
	inside ls /usr/share/doc/vtap/examples/prometheus/vtap-rules.yml /usr/share/doc/vtap/examples/prometheus/vtap.html \
	/usr/share/doc/vtap/examples/prometheus/vtap-grafana.json
check "the manuals are there" inside sh -c 'gzip -t /usr/share/man/man8/vtap.8.gz /usr/share/man/man5/vtap.conf.5.gz'
check "the examples can be applied, by their words" examples
check "completion: commands" completes "vtap session" "show add set del flush help"
check "completion: values" completes "vtap session add x mtu" "fragment truncate drop"
check "an upgrade does not stop the service" upgrade_leaves_taps

echo "# kept" > "$root/etc/vtap/vtap.conf"
first=$(module srcversion)
check "apt upgrades both" install "$new"
check "DKMS has the new version only" same "$(trees)" "vtap/$new, $krel, x86_64: installed"
check "the module on disk is the new one" same "$(module version)" "$new"
check "it is another" test "$(module srcversion)" != "$first"
check "the configuration is kept" same "$(cat "$root/etc/vtap/vtap.conf")" "# kept"
check "the service is started at boot still" same "$(wanted_at_boot)" "system/multi-user.target.wants/vtap.service"

check "apt removes both" apt remove vtap vtap-dkms
check "no module is left" empty "$(trees; find "$root/lib/modules" "$root/usr/src" "$root/var/lib/dkms" -name '*vtap*')"
check "the configuration is kept until then" test -f "$root/etc/vtap/vtap.conf"
check "apt purges both" apt purge vtap vtap-dkms
check "and what came with them" apt autoremove --purge
check "nothing is left" empty "$(remains)"
finish
