#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh [KERNEL...] - all checks: lint and builds here, the self-tests in VMs under each kernel (default 6.1)
#
# A VM keeps one processor busy, so JOBS of them run at once (default: one for each processor), and all self-tests of a
# kernel are dealt out to four. They begin as soon as their module is built. Their output comes here one after the other,
# and stays in build/check.
# TESTS="a.py b.py" runs only these self-tests, and no lint. SMOKE="5.10 sid=7.2" are kernels for the most important
# self-tests alone: one that cannot be fetched, or has become another than the series behind "=", is skipped.
# Kernel "debug" is built first, once (for SMOKE it is not), and each run under it ends with proof that its detectors
# are awake. "plain" (for SMOKE) is a module under 6.1 without all parts that it can do without, "intree" its build in the
# kernel's tree, where the debug kernel is, and "reboot" a tap on a bare Debian 12 that is rebooted. RETRY=1 gives programs
# that fail a second try. What failed is named again at the end; the last line counts all tests; status 1 when any failed.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 2
passed=0 failed=0 skipped=0 failures=() parts=() names=() labels=() runner=""
[ $# -gt 0 ] || set -- 6.1

check() {	# NAME COMMAND...
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok - $name"
	else
		failed=$((failed + 1)) failures+=("$name")
		echo "not ok - $name"
		return 1
	fi
}

skip() {	# NAME REASON
	skipped=$((skipped + 1))
	echo "ok - $1 # SKIP $2"
}

debug_kernel() {	# sets broken
	tools/bed/debug-kernel.sh && mkdir -p build/broken && rsync -a selftests/debug/broken/ build/broken/ &&
		make -s -C "$(tools/bed/kernel.sh kdir debug)" M="$PWD/build/broken" modules >&2 || return
	broken=$PWD/build/broken/vtap_broken.ko
}

build() {	# KERNEL: sets ko; a warning is an error
	local rc log
	broken=""
	[ "$1" != debug ] || debug_kernel || return
	log=$(mktemp)
	ko=$(tools/bed/kernel.sh build "$1" W=1 "${parts[@]}" 2> "$log")
	rc=$?
	cat "$log" >&2
	! grep -q 'warning: ' "$log" || rc=1
	rm -f "$log"
	return "$rc"
}

tool_test() {	# prints what fails
	local log rc
	log=$(mktemp)
	tools/vtap/test.sh > "$log"
	rc=$?
	grep -A 1 '^not ok' "$log"
	rm -f "$log"
	return "$rc"
}

job() {		# NAME LABEL COMMAND...: to be run as soon as a processor is free, with its output in build/check/NUMBER
	local dir=$PWD/build/check/${#names[@]}
	mkdir -p "$dir"
	printf '%q ' "${@:3}" > "$dir/command"
	echo "${#names[@]}" >&"$queue"
	names+=("$1") labels+=("$2")
}

fleet_job() {	# all of the fleet that takes no module, with the line that job_result() counts
	# shellcheck disable=SC2016 # the inner shell's
	job "fleet: its own test.py ran to its end" fleet env VTAP_SLOW="${VTAP_SLOW:-3}" bash -c '"$0" | awk "
		{ print; fflush() }
		/^ok .*# SKIP/ { s++; next }
		/^ok / { p++ }
		/^not ok / { f++ }
		/^1\\.\\./ { plan = substr(\$1, 4) }
		END { printf \"%d passed, %d failed, %d skipped\\n\", p, f, s; exit plan == p + f + s ? f > 0 : 2 }"' \
		"$PWD/tools/fleet/test.py"
}

vm_job() {	# NAME LABEL KERNEL TESTS: with a copy of the module, which may be built anew by then
	local dir=$PWD/build/check/${#names[@]} timeout=2700
	[ "$3" != debug ] || timeout=9000
	mkdir -p "$dir"
	cp "$ko" "$dir/"
	job "$1" "$2" env VTAP_TIMEOUT="${VTAP_TIMEOUT:-$timeout}" "$PWD/tools/bed/vm.sh" "$3" env VTAP_KO="$dir/$(basename "$ko")" \
		VTAP_RETRY="${RETRY:-}" VTAP_BULK="${VTAP_BULK:-8}" VTAP_BROKEN="$broken" VTAP_YNL="$ynl" TESTS="$4" \
		"$PWD/selftests/run.sh"
}

deal_jobs() {	# KERNEL PROGRAMS...
	local kernel=$1 n=4 i j share
	shift
	[ $# -ge 8 ] || n=1
	for ((i = 1; i <= n; i++)); do
		share=()
		for ((j = i; j <= $#; j += n)); do share+=("${!j}"); done
		vm_job "self-tests under $kernel ran to their end ($i of $n)" "$kernel" "$kernel" "${share[*]}"
	done
}

start_jobs() {	# in the order in which they come; sets queue
	mkdir -p build/check
	mkfifo build/check/queue
	set -m
	xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'cd build/check/{} && echo $$ > pid && bash command > log 2> err
		echo $? > status' < build/check/queue &
	runner=$!
	set +m
	exec {queue}> build/check/queue
}

# The output of a job, as it comes; the guest's own last line is counted instead of printed.
job_result() {	# NUMBER
	local line ended="" program="" failing=() dir=build/check/$1 label=${labels[$1]}
	until [ -e "$dir/log" ] || ! kill -0 "$runner" 2> /dev/null; do sleep 0.2; done
	while IFS= read -r line; do
		case $line in
		"# "*": failed: once more") failing=() ;;
		"# "*.py) failures+=("${failing[@]}") failing=() program=${line#\# } ;;
		"not ok "*) failing+=("$label${program:+ $program}: $line") ;;
		esac
		[[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]] || { printf '%s\n' "$line"; continue; }
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
		ended=yes
		echo "# $label: $line"
	done < <(tail -n +1 -s 0.2 -f --pid="$(cat "$dir/pid")" "$dir/log")
	failures+=("${failing[@]}")
	cat "$dir/err" >&2
	[ "$(cat "$dir/status")" -le 1 ] && [ -n "$ended" ]
}

intree_job() {
	if ! tools/bed/debug-kernel.sh cached || [ ! -e "${VTAP_CACHE:-/var/cache/vtap}/obj/debug/vmlinux" ]; then
		skip "in the kernel's tree" "it takes the objects of the debug kernel: make debug-kernel"
	else
		job "in the kernel's tree: ran to its end" intree env JOBS=1 "$PWD/tools/packaging/intree-check.sh" build
	fi
}

reboot_job() {
	# shellcheck source=/dev/null
	if ! (. tools/packaging/root.sh && make_base); then
		skip "reboot of a bare Debian 12" "it cannot be fetched"
	else
		job "reboot of a bare Debian 12: ran to its end" reboot "$PWD/tools/packaging/reboot.sh"
	fi
}

groups=(build kernel vm test)
[[ " ${SMOKE:-} " != *" reboot "* ]] || groups+=(package)
[ -n "${TESTS:-}" ] || groups+=(lint)
tools/bed/setup.sh "${groups[@]}" || exit 1
rm -rf build/check
trap '[ -z "$runner" ] || kill -- "-$runner" 2> /dev/null' EXIT
trap exit INT TERM
start_jobs
[ -n "${TESTS:-}" ] || job "lint ran to its end" lint "$PWD/tools/bed/lint.sh"
check "tool" make -s -C tools/vtap
[ -n "${TESTS:-}" ] || check "tool: its own test.sh" tool_test
[ -n "${TESTS:-}" ] || fleet_job
check "programs of the self-tests" make -s -C selftests all
read -r -a programs <<< "${TESTS:-$(make -s -C selftests list)}"
ynl=$(tools/bed/kernel.sh source)/tools/net/ynl
for kernel; do
	check "build for $kernel" build "$kernel" || continue
	deal_jobs "$kernel" "${programs[@]}"
done
for smoke in ${SMOKE:-}; do
	kernel=${smoke%%=*} series=${smoke#"${smoke%%=*}"} parts=()
	case $kernel in
	intree | reboot)
		"${kernel}_job"
		continue ;;
	debug) tests="bed.py kunit.py faults.py" ;;
	plain)
		kernel=6.1 parts=(VTAP_{CHAIN,RING,DIRECT,CUT,SIEVE}"=n")
		tests="bed.py classify.py cut.py" ;;
	*) tests="bed.py classify.py" ;;
	esac
	if [ "$kernel" = debug ] && ! tools/bed/debug-kernel.sh cached; then
		skip "smoke test under $kernel" "it is not built, which takes 12 minutes of two processors: make debug-kernel"
	elif ! release=$(tools/bed/kernel.sh release "$kernel"); then
		skip "smoke test under $kernel" "the kernel cannot be fetched"
	elif [[ $release != "${series#=}"* ]]; then
		skip "smoke test under $kernel" "it is $release now, not ${series#=}"
	else
		check "build for $smoke" build "$kernel" || continue
		vm_job "smoke test under $smoke ran to its end" "$smoke" "$kernel" "$tests"
	fi
done
exec {queue}>&-
for n in "${!names[@]}"; do check "${names[n]}" job_result "$n"; done
[ $failed = 0 ] || printf '# failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
