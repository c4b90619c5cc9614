#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh count [ROW...] - boot a VM whose virtual nanoseconds are instructions, and print what taps cost per packet
# bench.sh scale          - boot a VM with two processors, and print how copies per second grow with them
#
# Without ROW, all rows, and the results in Documentation/networking: text, JSON and a plot.
#   KERNEL=6.1         a name of kernel.sh
#   N=10000 REPEAT=5   packets (scale: 50000), and how often
#   VTAP_KO=           another module than that of this tree
set -euo pipefail
[ $# -ge 1 ] || { sed -n '3,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cd "$(dirname "$(readlink -f "$0")")/../.."
kernel=${KERNEL:-6.1}
tools/bed/setup.sh build kernel vm test
make -s -C tools/vtap
ko=${VTAP_KO:-$(tools/bed/kernel.sh build "$kernel")}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# the same, but that the hooks come back before they look at the frame
hollow=build/hollow
mkdir -p $hollow/tools/bed
cp -a Kbuild kmod uapi $hollow
cp -a tools/bed/{kernel,setup}.sh $hollow/tools/bed
sed -i '/^static .* void vtap_tap_frame(/,/^}/s/if (unlikely(!table))/if (!table || true)/' $hollow/kmod/tap.h
if cmp -s kmod/tap.h $hollow/kmod/tap.h; then
	echo "bench.sh: vtap_tap_frame() is not what it was" >&2
	exit 1
fi
hollow=$($hollow/tools/bed/kernel.sh build "$kernel")

packets=10000
case $1 in
count) export VTAP_SMP=1 VTAP_QEMU="-icount shift=0,sleep=off" ;;
scale)
	packets=50000
	export VTAP_SMP=2 VTAP_THREAD=multi
	awk -v n="$(nproc)" '$1 > 0.5 || n < 2 {
		print "bench.sh: the load is " $1 " on " n " processors: ratios come out too low" }' /proc/loadavg >&2 ;;
*) exit 2 ;;
esac
# shellcheck disable=SC2016 # the guest's
VTAP_TIMEOUT=7200 tools/bed/vm.sh "$kernel" env KO="$ko" HOLLOW="$hollow" N="${N:-$packets}" REPEAT="${REPEAT:-5}" \
	sh -c 'insmod "$KO" && exec tools/bench/bench.py "$@"' sh "$@" | tee "$log" | grep --line-buffered -v '^{'
tools/bench/plot.py "Documentation/networking/cost-$kernel" "$@" < "$log"
