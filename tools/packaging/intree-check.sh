#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# intree-check.sh [build] - vtap in Debian's source of 6.12, put there by intree.sh: built as =m and =y without a warning,
# booted, and tested by the kernel's own "make -C tools/testing/selftests TARGETS=net/vtap run_tests". TAP output.
#
# Source and objects are those of the debug kernel, under layers that take what is written: so only the module is
# compiled, and its caches stay as they are. "build" builds the module, and no more.
#   TESTS="bed.py match.py"  these programs
#   VTAP_TIMEOUT=36000       seconds until a VM is ended
# shellcheck disable=SC2317,SC2154 # functions are called by check(), variables are root.sh's
# the mounts go with the namespace
[ -n "${VTAP_LAYERS:-}" ] || VTAP_LAYERS=1 exec unshare -m --propagation private "$0" "$@"
# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/root.sh"
tools/bed/setup.sh build debug || exit 1
[ "${1:-}" = build ] || tools/bed/setup.sh vm test || exit 1
tools/bed/debug-kernel.sh || exit 1
src=$(tools/bed/kernel.sh source)
obj=${VTAP_CACHE:-/var/cache/vtap}/obj/debug
kernel=$tmp/cache/intree
tests=$src/tools/testing/selftests
entries=(net/Kconfig net/Makefile Documentation/networking/index.rst tools/testing/selftests/Makefile)

build() {	# TARGET...: as debug-kernel.sh does, or all of that is built anew; fails on a warning
	make -s -C "$src" "O=$obj" KBUILD_BUILD_TIMESTAMP=2026-01-01 KBUILD_BUILD_USER=vtap KBUILD_BUILD_HOST=vtap \
		"CC=ccache gcc" "-j${JOBS:-$(nproc)}" "$@" > "$tmp/make" 2>&1
	local rc=$?
	cat "$tmp/make"
	! grep -i warning "$tmp/make" && [ "$rc" = 0 ]
}
layer() {	# DIRECTORY
	local d
	d=$(mktemp -d "$tmp/layer-XXXXXX") && mkdir "$d/up" "$d/work" &&
		mount -t overlay -o "lowerdir=$1,upperdir=$d/up,workdir=$d/work" overlay "$1"
}
layers() { layer "$src" && layer "$obj"; }
programs() { make -s -C tools/vtap && make -s -C "$tests" TARGETS=net/vtap; }
again() {	# the entries are not made twice
	local before
	before=$(cd "$src" && sha256sum "${entries[@]}")
	tools/packaging/intree.sh "$src" && same "$(cd "$src" && sha256sum "${entries[@]}")" "$before" &&
		grep -q 'net/vtap' "$src/net/Kconfig" "$src/tools/testing/selftests/Makefile"
}
refused() { ! tools/packaging/intree.sh kmod 2> "$tmp/refused" && grep 'kmod is no kernel source' "$tmp/refused"; }
config() {	# m|y TESTS: y|n
	"$src/scripts/config" --file "$obj/.config" --set-val VTAP "$1" --set-val VTAP_KUNIT_TEST "$2" &&
		build olddefconfig && grep -x "CONFIG_VTAP=$1" "$obj/.config" && grep '^CONFIG_VTAP_SIEVE=y' "$obj/.config"
}
kernel() {	# as kernel.sh knows it
	local krel
	krel=$(cat "$obj/include/config/kernel.release")
	rm -rf "$kernel"
	mkdir -p "$kernel/root/boot"
	ln -sfn "$(dirname "$src")" "$tmp/cache/src"
	cp "$obj/arch/x86/boot/bzImage" "$kernel/root/boot/vmlinuz-$krel" &&
		build "INSTALL_MOD_PATH=$kernel/root" INSTALL_MOD_STRIP=1 modules_install || return
	rm -f "$kernel/root/lib/modules/$krel"/{build,source}
	printf '%s\n' "KREL=$krel" "IMAGE=$kernel/root/boot/vmlinuz-$krel" KDIR=none MODE=host > "$kernel/env"
}
vm() {	# COMMAND WORD...: as shell words, in the guest
	VTAP_CACHE=$tmp/cache VTAP_TIMEOUT=${VTAP_TIMEOUT:-36000} tools/bed/vm.sh intree \
		env PATH="$PWD/tools/vtap:$PATH" KSFT_MACHINE_SLOW=yes kselftest_override_timeout=3600 "$@"
}
run_tests() {	# PROGRAM...: all of them when none is named; what the runner says of programs is printed
	# shellcheck disable=SC2016 # the inner shell's
	vm bash -c 'make -s -C "$0" TARGETS=net/vtap ${1:+"TEST_PROGS=$1"} run_tests
		dmesg | grep -E "BUG|WARNING|KASAN|UBSAN|Oops|suspicious|possible .*deadlock" && exit 1
		exit 0' "$tests" "$*" > "$tmp/run" 2>&1
	local rc=$?
	cp "$tmp/run" build/intree.log
	grep -E '^(ok|not ok) ' "$tmp/run" | sed 's/^/# /' >&3
	cat "$tmp/run"
	[ "$rc" = 0 ] && grep -q '^ok ' "$tmp/run" && ! grep '^not ok ' "$tmp/run" && ! grep '^ok .*# SKIP' "$tmp/run"
}
built_in() { vm bash -c '! grep "^vtap " /proc/modules && cat /sys/module/vtap/version'; }

exec 3>&1
check "layers over source and objects" layers || finish
check "what is no kernel source is refused" refused
check "intree.sh puts the files into the source" tools/packaging/intree.sh "$src" || finish
check "and replaces them" again
# alone, it finds no symbols of other modules, as KUnit's are
check "CONFIG_VTAP=m" config m n || finish
check "the module is built without a warning, W=1" build W=1 net/vtap/vtap.ko
[ "${1:-}" != build ] || finish

read -r -a programs <<< "${TESTS:-}"
check "the tool and the tests are built" programs || finish
check "CONFIG_VTAP_KUNIT_TEST=y" config m y || finish
check "the tests are built without a warning, W=1" build W=1 net/vtap/
check "the kernel and its modules" build bzImage modules || finish
check "they are installed" kernel || finish
check "run_tests in a VM with the module" run_tests "${programs[@]}"
check "CONFIG_VTAP=y" config y n || finish
check "vtap is built in without a warning, W=1" build W=1 net/vtap/
check "the kernel with it" build bzImage modules || finish
check "it is installed" kernel || finish
check "it boots, and vtap is no module" built_in
check "run_tests in a VM with vtap built in" run_tests bed.py
finish
