#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [PROGRAM...] - run the self-tests of the Makefile on this machine's kernel; what tools/bed/vm.sh starts in the guest
#
#   VTAP_KO=PATH   the module to load first and to remove at the end; without it none is
#   VTAP_YNL=PATH  tools/net/ynl of a kernel source tree, for programs that use lib/nl.py
#   VTAP_BROKEN=PATH  the module of debug/awake.py: a debug kernel then has to show that its detectors work
#   VTAP_RETRY=1   a program that fails and leaves the kernel log clean has a second try, which counts instead
#   VTAP_BULK=N    MiB of the longest stream of stress/bulk.py
#   TESTS="A B"    the programs, when none is named; stress/storm.py may be called storm.py
# Prints the programs' TAP; a program that ends without its plan kept, or leaves a complaint in the kernel
# log, is a failed test. The last line says "N passed, N failed, N skipped"; status 1 when any failed.
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 2
read -r -a programs <<< "${*:-${TESTS:-$(make -s list)}}"
for i in "${!programs[@]}"; do
	[ -e "${programs[i]}" ] || programs[i]=$(compgen -G "*/${programs[i]}" || echo "${programs[i]}")
done
timeout=$(sed -n 's/^timeout=//p' settings)
complaint='BUG|WARNING|INFO: |UBSAN|KASAN|suspicious|Oops|general protection|unregister_netdevice|leaked reference|possible .*deadlock'
leaks=/sys/kernel/debug/kmemleak
# a debug kernel: what waits may wait longer, and there is time for a storm
if [ -w $leaks ]; then
	export VTAP_SLOW=${VTAP_SLOW:-4} VTAP_STORM=${VTAP_STORM:-240}
	timeout=$((timeout * 4))
fi
export VTAP_COMPLAINT=$complaint
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0 flaky=""

result() {	# STATUS NAME: a test of our own
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
		echo "ok - $2"
	else
		failed=$((failed + 1))
		echo "not ok - $2"
	fi
}

clean() {	# NAME: nothing bad in the kernel log since the last call
	local bad
	bad=$(dmesg -c | grep -E -A 30 "$complaint")
	[ -z "$bad" ] || printf '# %s\n' "${bad//$'\n'/$'\n# '}"
	[ -z "$bad" ]
	result $? "$1: dmesg clean"
}

run() {		# PROGRAM [AGAIN]
	local pid status p f s plan bad="" start=$SECONDS
	echo "# $1"
	: > "$log"
	# a file and not a pipe, which a daemon left behind would keep open
	timeout -k 10 "$timeout" "./$1" > "$log" 2>&1 &
	pid=$!
	tail -n +1 -s 0.2 -f --pid=$pid "$log"
	wait $pid
	status=$?
	read -r p f s plan < <(awk '
		/^ok .*# SKIP/ { s++; next }
		/^ok / { p++ }
		/^not ok / { f++ }
		/^1\.\.[0-9]+/ { plan = substr($1, 4) }
		END { print p + 0, f + 0, s + 0, plan == "" ? "none" : plan }' "$log")
	echo "# $1: $((SECONDS - start)) s"
	if [ $status = 4 ] && [ "$plan" = 0 ]; then
		skipped=$((skipped + 1))
	elif [ "$plan" != $((p + f + s)) ] || { [ $status != 0 ] && [ $status != 4 ] && [ "$f" = 0 ]; }; then
		bad="exit status $status (124: not done in $timeout s), $((p + f + s)) results, plan: $plan"
		echo "# $bad"
	fi
	if [ -n "${VTAP_RETRY:-}" ] && [ $# = 1 ] && [ "$bad$f" != 0 ] && ! dmesg | grep -qE "$complaint"; then
		echo "# $1: failed: once more"
		flaky="$flaky $1"
		run "$1" again
		return
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	[ -z "$bad" ] || result 1 "$1: complete"
	clean "$1"
}

[ ! -w $leaks ] || echo clear > $leaks
dmesg -C
if [ -n "${VTAP_KO:-}" ]; then
	for m in $(modinfo -F depends "$VTAP_KO" | tr ',' ' '); do modprobe "$m"; done
	insmod "$VTAP_KO"
	result $? "insmod"
	clean "insmod"
fi
for program in "${programs[@]}"; do run "$program"; done
[ ! -w $leaks ] || run debug/leaks.py
if [ -n "${VTAP_KO:-}" ] && grep -q "^$(basename "$VTAP_KO" .ko) " /proc/modules; then
	timeout $((60 * ${VTAP_SLOW:-1})) rmmod "$VTAP_KO"
	result $? "rmmod"
	clean "rmmod"
	[ ! -w $leaks ] || run debug/leaks.py
fi
[ -z "${VTAP_BROKEN:-}" ] || run debug/awake.py
[ -z "$flaky" ] || echo "# tried twice:$flaky"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
