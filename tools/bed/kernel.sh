#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh - Debian's kernels as targets to build for and to boot, beside the machine's own packages
#
#   kernel.sh list                 names, and which are fetched
#   kernel.sh fetch NAME...        download, verify, unpack; nothing when it is there already
#   kernel.sh release NAME         print its release, as uname does
#   kernel.sh image NAME           print the path of its boot image
#   kernel.sh kdir NAME            print what `make KDIR=` wants (kernels that the host's compiler builds)
#   kernel.sh build NAME [ARG...]  build this tree's modules in build/NAME, ARG to make; print the .ko
#                                (VTAP_CHAIN=n and the like: in build/NAME-noCHAIN)
#   kernel.sh source               unpack Debian's linux-source-6.12, print the directory
#   kernel.sh clean NAME           forget it, so that the next fetch takes today's
#
# Everything lies in $VTAP_CACHE. A kernel is a directory NAME there, with root/ (lib/modules, headers) and
# env (KREL, IMAGE, KDIR below root, MODE host or chroot); one built by hand fits in the same way.
# shellcheck disable=SC2153 # KREL, IMAGE, KDIR, MODE
set -euo pipefail
cache=${VTAP_CACHE:-/var/cache/vtap}
tree=$(readlink -f "$(dirname "$0")/../..")
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
names="5.10 6.1 6.12 sid rt"

die() { echo "kernel.sh: $*" >&2; exit 1; }

# NAME -> suite, sources, image and headers (meta packages), mode
target() {
	local deb sec
	deb=$("$tree/tools/bed/setup.sh" mirror)
	sec=$("$tree/tools/bed/setup.sh" mirror -security)
	image=linux-image-amd64 headers=linux-headers-amd64 mode=host
	case $1 in
	5.10) suite=bullseye ;;
	6.1) suite=bookworm ;;
	6.12) suite=bookworm image=linux-image-6.12-amd64 headers=linux-headers-6.12-amd64 ;;
	# 6.1 with PREEMPT_RT
	rt) suite=bookworm image=linux-image-rt-amd64 headers=linux-headers-rt-amd64 ;;
	# its compiler and build tools need a newer libc than the host's
	sid) suite=sid mode=chroot ;;
	*) die "unknown kernel '$1' (there are: $names)" ;;
	esac
	sources="deb [signed-by=$keyring] $deb $suite main"
	[ $suite = sid ] || [ -z "$sec" ] || sources+=$'\n'"deb [signed-by=$keyring] $sec $suite-security main"
}

# a private apt for NAME: own sources, lists and status, so the machine's stay as they are
private_apt() {
	local d=$cache/apt/$1
	mkdir -p "$d/lists/partial" "$d/cache/archives/partial"
	: > "$d/status"
	echo "$sources" > "$d/sources.list"
	cat > "$d/apt.conf" <<-E
	Dir::State "$d"; Dir::State::Lists "$d/lists"; Dir::State::status "$d/status"; Dir::Cache "$d/cache";
	Dir::Etc::SourceList "$d/sources.list"; Dir::Etc::SourceParts "/dev/null"; Dir::Etc::Parts "/dev/null";
	Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";
	APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Sandbox::User "root";
	Acquire::Languages "none"; Acquire::Check-Valid-Until "false"; Acquire::Retries "3"; Acquire::http::Timeout "30";
	E
	export APT_CONFIG=$d/apt.conf
	apt-get -qq update
}

# the versioned packages behind the two meta packages
resolve() {
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances "$image" "$headers" |
	grep -E '^linux-(image|headers|kbuild|modules|binary|base-[0-9]|compiler)' |
	grep -vE -- '-unsigned$|^linux-(image|headers|base)(-[0-9.]+)?(-rt)?-amd64$' | sort -u
}

# ARG...: this command in a process of its own, again after a while if it fails; what it says counts the last time
again() {
	local log pause out
	log=$(mktemp)
	for pause in 0 15 60; do
		sleep $pause
		if out=$(VTAP_ONCE=1 "$0" "$@" 2> "$log"); then
			rm -f "$log"
			[ -z "$out" ] || echo "$out"
			return
		fi
	done
	cat "$log" >&2
	rm -f "$log"
	return 1
}

fetch() (
	name=$1 d=$cache/$1
	[ ! -f "$d/env" ] || exit 0
	target "$name"
	if [ -z "${VTAP_ONCE:-}" ]; then
		again fetch "$name"
		echo "kernel.sh: fetched $name: $(sed -n 's/^KREL=//p' "$d/env")" >&2
		exit
	fi
	"$tree/tools/bed/setup.sh" kernel >&2
	mkdir -p "$cache"
	exec 9> "$cache/.lock"
	flock 9
	[ ! -f "$d/env" ] || exit 0
	private_apt "$name"
	mapfile -t pkgs < <(resolve)
	[ ${#pkgs[@]} -ge 3 ] || die "$name: cannot resolve $image and $headers"
	new=$(mktemp -d "$cache/.new-$name-XXXXXX")
	trap 'rm -rf "$new"' EXIT
	chmod 755 "$new"
	mkdir "$new/debs" "$new/root"
	(cd "$new/debs" && apt-get -qq download "${pkgs[@]}")
	if [ $mode = chroot ]; then
		gcc=$(apt-cache show "$(printf '%s\n' "${pkgs[@]}" | grep -E '^linux-headers-.*-amd64$')" |
			grep -oE 'gcc-[0-9]+' | head -1)
		rmdir "$new/root"
		# extract only: no script of the foreign suite runs
		env -u APT_CONFIG mmdebstrap --quiet --variant=extract --mode=root \
			--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
			--aptopt='Acquire::Retries "3"' \
			--include="bash,coreutils,dash,sed,grep,mawk,findutils,diffutils,$gcc,make,pahole,libelf1t64,libssl3t64,zlib1g,xz-utils,perl-base" \
			"$suite" "$new/root" - <<< "$sources"
		ln -sf mawk "$new/root/usr/bin/awk"
	fi
	for f in "$new"/debs/*.deb; do dpkg-deb -x "$f" "$new/root"; done
	[ -e "$new/root/lib" ] || ln -s usr/lib "$new/root/lib"
	kdir=$(cd "$new/root" && echo usr/src/linux-headers-*-amd64)
	krel=${kdir#usr/src/linux-headers-}
	for img in "boot/vmlinuz-$krel" "usr/lib/modules/$krel/vmlinuz"; do
		[ ! -f "$new/root/$img" ] || break
	done
	[ -f "$new/root/$img" ] || die "$name: no image"
	[ -d "$new/root/lib/modules/$krel" ] || die "$name: no modules"
	if [ $mode = host ]; then
		# the headers name /usr/src absolutely
		sed -i "s|\([ =]\)/usr/src/|\1$d/root/usr/src/|" "$new/root/$kdir/Makefile"
		# bullseye wants gcc-10, which bookworm lacks: gcc-12 builds for it
		sed -i 's/gcc-10$/gcc-12/' "$new/root/$kdir/.kernelvariables"
	fi
	depmod -b "$new/root" "$krel"
	rm -rf "$new/debs" "$cache/apt/$name"
	cat > "$new/env" <<-E
	KREL=$krel
	IMAGE=$d/root/$img
	KDIR=$kdir
	MODE=$mode
	E
	rm -rf "$d"
	mv "$new" "$d"
)

load() {	# NAME: its env
	[ -f "$cache/$1/env" ] || fetch "$1"
	# shellcheck source=/dev/null
	. "$cache/$1/env"
	root=$cache/$1/root
}

build() {
	local name=$1 m=$tree/build/$1 conf arg
	shift
	# a module that lacks parts is another one: it must not take the place of the whole one
	for arg; do
		[[ $arg != VTAP_*=n ]] || m+=-${arg%=n}
	done
	m=${m//-VTAP_/-no}
	load "$name"
	"$tree/tools/bed/setup.sh" build >&2
	mkdir -p "$m"
	exec 8> "$m/.lock"
	flock 8
	# a copy for each kernel, since objects lie beside the sources; what is built stays, what left the tree goes
	rsync -a --delete "${objects[@]/#/--exclude=}" --include='/Kbuild' --include='/kmod/***' --include='/uapi/***' \
		--exclude='*' "$tree/" "$m/"
	if [ "$MODE" = host ]; then
		conf=$root/$KDIR/include/config/auto.conf
		! grep -qs '^CONFIG_KUNIT=' "$conf" || set -- CONFIG_VTAP_KUNIT_TEST=y "$@"
		# fuzz_netlink.py says by line what it did not reach
		! grep -qs '^CONFIG_KCOV=' "$conf" || set -- VTAP_KCOV=1 KCFLAGS=-g "$@"
		make -s -C "$root/$KDIR" M="$m" "$@" modules >&2
	else
		# a mount namespace of its own: the binds vanish with it. The directory keeps its path inside.
		mkdir -p "$root$m"
		# shellcheck disable=SC2016 # the inner shell's
		R=$root M=$m unshare -m --propagation private bash -euc '
			mount --bind "$M" "$R$M"; mount -t proc proc "$R/proc"; mount --rbind /dev "$R/dev"
			exec chroot "$R" make -s -C "/lib/modules/$0/build" M="$M" "$@" modules' "$KREL" "$@" >&2
	fi
	find "$m" -name '*.ko'
}

source_tree() (
	d=$cache/src
	mkdir -p "$d"
	exec 9> "$d/.lock"
	flock 9
	f=$(find "$d" -maxdepth 2 -path '*/linux-source-6.12-*/Makefile' | sort -V | tail -1)
	[ -z "$f" ] || { dirname "$f"; exit; }
	if [ -z "${VTAP_ONCE:-}" ]; then
		exec 9>&-
		again source
		exit
	fi
	"$tree/tools/bed/setup.sh" kernel >&2
	target 6.12
	private_apt source
	new=$(mktemp -d "$d/.new-XXXXXX")
	trap 'rm -rf "$new"' EXIT
	(cd "$new" && apt-get -qq download linux-source-6.12 >&2)
	f=$(echo "$new"/*.deb)
	v=$(dpkg-deb -f "$f" Version)
	mkdir "$new/tree"
	dpkg-deb --fsys-tarfile "$f" | tar -xO ./usr/src/linux-source-6.12.tar.xz | tar -xJ -C "$new/tree" --strip-components=1
	mv "$new/tree" "$d/linux-source-6.12-${v//[^0-9A-Za-z.]/_}"
	rm -rf "$cache/apt/source"
	echo "$d/linux-source-6.12-${v//[^0-9A-Za-z.]/_}"
)

# what a build leaves: neither copied nor removed
objects=('*.o' '*.ko' '*.mod' '*.mod.c' '*.a' '.*.cmd' '*.order' 'Module.symvers' '*.gcno' '.lock')

[ $# -gt 0 ] || { sed -n '3,17s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command=$1
shift
case $command in
list)
	for n in $names; do
		printf '%-6s %s\n' "$n" "$(sed -n 's/^KREL=//p' "$cache/$n/env" 2> /dev/null || echo 'not fetched')"
	done ;;
fetch) for n; do fetch "$n"; done ;;
release) load "$1"; echo "$KREL" ;;
image) load "$1"; echo "$IMAGE" ;;
kdir)
	load "$1"
	[ "$MODE" = host ] || die "$1 needs its own compiler: use 'kernel.sh build $1'"
	echo "$root/$KDIR" ;;
build) build "$@" ;;
source) source_tree ;;
clean) target "$1"; rm -rf "${cache:?}/$1" "$cache/apt/$1" ;;
*) die "unknown command '$command'" ;;
esac
