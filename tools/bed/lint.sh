#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# lint.sh [NAME...] - style and static checks, each a line "ok - lint: NAME" or "not ok"; the last line counts them;
# status 1 when one failed
# shellcheck disable=SC2317 # functions are called by check()
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 2
tools/bed/setup.sh build lint || exit 1
src=$(tools/bed/kernel.sh source) || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0
wanted=" $* "

mapfile -t files < <(git ls-files -co --exclude-standard 2> /dev/null || find . -type f -not -path './.git/*' -not -path './build/*')
for i in "${!files[@]}"; do [ -f "${files[i]}" ] || unset "files[i]"; done
only() { printf '%s\n' "${files[@]}" | grep -E "$1"; }
mapfile -t kernel_c < <(only '^(kmod|tools/audit/coverage)/[^/]*\.[ch]$' | grep -v _gen)
mapfile -t tool_c < <(only '^(tools/vtap|selftests/stress)/[^/]*\.[ch]$')
mapfile -t scripts < <(grep -lE '^#!/bin/(ba)?sh' "${files[@]}")
mapfile -t python < <(only '\.py$'; grep -lE '^#!/usr/bin/python3' "${files[@]}" | grep -v '\.py$')
mapfile -t yaml < <(only '\.ya?ml$'; only '^\.yamllint$')
mapfile -t rst < <(only '\.rst$')
mapfile -t man < <(only '\.[58]$')

check() {	# NAME COMMAND...: what it says is shown when it fails
	local name=$1
	shift
	[ "$wanted" = "  " ] || [[ $wanted = *" $name "* ]] || return 0
	if "$@" > "$tmp/log" 2>&1; then
		echo "ok - lint: $name"
		passed=$((passed + 1))
	else
		sed "s|$PWD/||g; s/^/# /" "$tmp/log"
		echo "not ok - lint: $name"
		failed=$((failed + 1))
	fi
}
silent() { "$@" > "$tmp/out" 2>&1; cat "$tmp/out"; [ ! -s "$tmp/out" ]; }	# COMMAND...: must print nothing

# What checkpatch says of all files and what is not so here:
#   LONG_LINE_STRING      text for users stays greppable, in one line
#   UNNECESSARY_ELSE      of an IPv4 and an IPv6 half, each with its own variables
#   UNCOMMENTED_DEFINITION  locks are described in kernel-doc
#   MACRO_ARG_REUSE       macros that are loops
ignore=LONG_LINE_STRING,UNNECESSARY_ELSE,UNCOMMENTED_DEFINITION,MACRO_ARG_REUSE
#   in kmod/compat.h, the place for version checks
compat=LINUX_VERSION_CODE,CONSTANT_COMPARISON,MACRO_ARG_UNUSED
#   where struct_group() is used
groups=PARENTHESIS_ALIGNMENT
#   where TRACE_EVENT() is used
events=PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE
#   in KUnit tests, frames in hexadecimal digits
frames=STRING_FRAGMENTS,SPLIT_STRING,MISSING_SPACE
#   in user space: <inttypes.h>, no __printf(), and command words that are names of functions
user=CAMELCASE,PREFER_DEFINED_ATTRIBUTE_MACRO,EMBEDDED_FUNCTION_NAME
checkpatch() {	# FILE...; leaves files where it runs
	local f more rc=0
	for f; do
		case $f in
		kmod/compat.h) more=,$compat ;;
		kmod/frame.h) more=,$groups ;;
		kmod/*_event.h) more=,$events ;;
		kmod/*_test.c | kmod/test*.[ch]) more=,$frames ;;
		tools/* | selftests/*) more=,$user ;;
		*) more="" ;;
		esac
		(cd "$tmp" && "$src/scripts/checkpatch.pl" --root="$src" --strict --no-tree --terse --show-types \
			--no-summary --quiet --ignore "$ignore$more" -f "$OLDPWD/$f") || rc=1
	done
	return "$rc"
}

# Debian's clang, on headers that are configured for gcc: without the flags that it lacks
clang() {
	cat > "$tmp/cc" <<-'E'
	#!/bin/bash
	a=()
	for x; do
		case $x in
		-mfunction-return=* | -fconserve-stack | -mrecord-mcount | -mindirect-branch* | -mskip-rax-setup | -Wa,* |\
		-fno-allow-store-data-races | -mpreferred-stack-boundary=* | -ftrivial-auto-var-init=* | -fno-ipa-sra |\
		-fno-partial-inlining | -fmin-function-alignment=* | -falign-jumps=* | -falign-loops=* |\
		-fno-var-tracking* | -fzero-init-padding-bits=* | -fno-stack-clash-protection | -Wimplicit-fallthrough=5 |\
		-Wno-*) ;;
		*) a+=("$x") ;;
		esac
	done
	exec clang-14 "${a[@]}" -Wno-unknown-warning-option -Wno-address-of-packed-member -Wno-gnu \
		-Wno-unused-parameter -Wno-sign-compare -Wno-pointer-sign -Wno-missing-field-initializers \
		-Qunused-arguments -fintegrated-as
	E
	chmod +x "$tmp/cc"
	build clang CC="$tmp/cc"
}
# What the kernel's own semantic patches report, all but those that need OCaml. A mistake that is planted has to be found.
cocci() {
	local m=$tmp/cocci
	mkdir "$m"
	cp kmod/*.[ch] "$m/"
	printf 'void f(void *p) { if (p) kfree(p); }\n' > "$m/planted.c"
	# shellcheck disable=SC2016 # the inner shell's
	grep -rl --include='*.cocci' '^virtual report' "$src/scripts/coccinelle" | xargs grep -L '^@.*ocaml\|^@script:ocaml' |
		src=$src m=$m xargs -P 2 -I{} bash -c '
			read -r -a options < <(sed -n "s|^// Options: ||p" {} | tr "\n" " ")
			spatch --very-quiet --cocci-file {} -D report "${options[@]}" --no-show-diff --dir "$m" \
				-I "$src/include" -I "$src/arch/x86/include" 2>&1 || echo "spatch failed: {}"' |
		grep -v '^warning: line .* should .* be a metavariable' > "$tmp/found"
	! grep -v planted.c "$tmp/found" || return 1
	grep -q planted.c "$tmp/found" || { echo "the planted mistake was not found"; return 1; }
}
# warnings of the kernel's own headers are not ours
build() {	# DIRECTORY ARG...: fails when the compiler says anything of our files
	local m=$tmp/$1
	mkdir -p "$m"
	cp -r Kbuild kmod uapi "$m/"
	find "$m" \( -name '*.o' -o -name '.*.cmd' -o -name '*.mod*' -o -name '*.ko' \) -delete
	make -s -C "$kdir" M="$m" "${@:2}" modules > "$tmp/make.log" 2>&1 || { cat "$tmp/make.log"; return 1; }
	! grep -E -A 5 "(^|/)(kmod|uapi)/[^ ]*\.[ch]:[0-9:]* (warning|error)" "$tmp/make.log"
}
kdir=$(tools/bed/kernel.sh kdir 6.1) || exit 1

spdx() {
	local f rc=0
	for f in "${files[@]}"; do
		case $f in COPYING | selftests/config | selftests/settings | tools/packaging/debian/copyright | */source/format | *.ovsschema) continue ;; esac
		head -3 "$f" | grep -q 'SPDX-License-Identifier: ' || { echo "$f"; rc=1; }
	done
	return "$rc"
}
version_checks() { ! only '\.[ch]$' | grep -vx kmod/compat.h | xargs grep -n 'LINUX_VERSION\|KERNEL_VERSION'; }
rst_files() {
	local f rc=0
	for f in "${rst[@]}"; do rst2html5 --report=2 --halt=2 "$f" > /dev/null || rc=1; done
	return "$rc"
}
groff_man() { silent groff -man -Tutf8 -ww -z "${man[@]}"; }

check checkpatch checkpatch "${kernel_c[@]}" "${tool_c[@]}"
check kernel-doc "$src/scripts/kernel-doc" -none -Wall -Werror "${kernel_c[@]}"
check gcc build gcc W=1
check sparse build gcc W=1 C=2 CF=-D__CHECK_ENDIAN__
check clang clang
check cocci cocci
check generated tools/bed/gen.sh --check
check version-checks version_checks
check rooms tools/bed/rooms.py
check spdx spdx
check shellcheck shellcheck "${scripts[@]}"
check yamllint yamllint -s "${yaml[@]}"
check flake8 /usr/bin/python3 -m flake8 "${python[@]}"
check mandoc mandoc -T lint -W warning "${man[@]}"
check groff groff_man
check rst rst_files
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
