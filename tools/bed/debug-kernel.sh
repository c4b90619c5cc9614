#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# debug-kernel.sh [check|cached] - Debian's 6.12 with KASAN, lockdep, kmemleak and the rest of debug.config, as kernel "debug" of kernel.sh
#
# Built once for a source version, configuration and compiler: 12 minutes of two processors. "check" only configures it and
# says which lines of debug.config the kernel does not honour; "cached" only says by its status whether it is there.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cache=${VTAP_CACHE:-/var/cache/vtap}
src=$("$here/kernel.sh" source)
key=$({ echo "$src"; gcc --version | head -1; cat "$here/debug.config" "$0"; } | sha256sum | cut -c1-16)
dir=$cache/debug
# kept: what another configuration changes is all that is built anew
obj=$cache/obj/debug
if [ "${1:-}" != check ] && [ "$(cat "$dir/key" 2> /dev/null)" = "$key" ]; then
	exit 0
fi
[ "${1:-}" != cached ] || exit 1
"$here/setup.sh" debug >&2
mkdir -p "$obj"
exec 9> "$cache/.lock-debug"
flock 9
args=(-C "$src" "O=$obj" KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=vtap KBUILD_BUILD_HOST=vtap "CC=ccache gcc")

# allnoconfig drops without a word what depends on something that is missing
make -s "${args[@]}" KCONFIG_ALLCONFIG="$here/debug.config" allnoconfig >&2
bad=0
while IFS= read -r line; do
	case $line in
	*=n) ! grep -q "^${line%=n}=" "$obj/.config" || { echo "not honoured: $line" >&2; bad=1; } ;;
	*) grep -qxF "$line" "$obj/.config" || { echo "not honoured: $line" >&2; bad=1; } ;;
	esac
done < <(grep '^CONFIG_' "$here/debug.config")
[ $bad = 0 ] || exit 1
[ "${1:-}" != check ] || exit 0

echo "debug-kernel.sh: building the debug kernel, 12 minutes of two processors" >&2
make "${args[@]}" "-j$(nproc)" bzImage modules > "$obj/build.log" 2>&1 || { tail -30 "$obj/build.log" >&2; exit 1; }
release=$(cat "$obj/include/config/kernel.release")
new=$(mktemp -d "$cache/.new-debug-XXXXXX")
trap 'rm -rf "$new"' EXIT
chmod 755 "$new"
mkdir -p "$new/root/boot"
cp "$obj/arch/x86/boot/bzImage" "$new/root/boot/vmlinuz-$release"
make -s "${args[@]}" INSTALL_MOD_PATH="$new/root" INSTALL_MOD_STRIP=1 modules_install > /dev/null
rm -f "$new/root/lib/modules/$release"/{build,source}
# what a module outside the kernel's tree is built with
(
	cd "$obj"
	export srctree=$src SRCARCH=x86 KCONFIG_CONFIG=.config CC=gcc HOSTCC=gcc MAKE=make
	sh "$src/scripts/package/install-extmod-build" "$new/root/usr/src/linux-headers-$release" > /dev/null
)
cat > "$new/env" << E
KREL=$release
IMAGE=$dir/root/boot/vmlinuz-$release
KDIR=usr/src/linux-headers-$release
MODE=host
E
echo "$key" > "$new/key"
rm -rf "$dir"
mv "$new" "$dir"
