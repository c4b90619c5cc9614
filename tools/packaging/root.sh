# shellcheck shell=bash disable=SC2317,SC2034 # functions are called by check(), variables used by those who source this
# SPDX-License-Identifier: GPL-2.0
# root.sh - to be sourced: checks in TAP, whose last line counts them, and a bare Debian 12 in the directory $root to make them in
#
# It is made once, in $VTAP_CACHE/packages, where the packages that it asks for are kept as well; each run works in a
# copy. VTAP_ROOT=DIR keeps the copy there.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." || exit 2
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
	echo "$((n - failed)) passed, $failed failed, 0 skipped"
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
needs() { dpkg-deb -f "$deb/vtap_${old}_$arch.deb" Depends; }	# what comes with the tool, and is not ours
install() {	# VERSION
	# shellcheck disable=SC2046 # two words
	apt install $(packages "$1")
}
trees() { inside dkms status | sort; }
