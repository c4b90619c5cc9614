#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# coverage.sh [PROGRAM...] - which lines of the module the self-tests reach (all, or these), as a table by file
#
# A module built with -fsanitize-coverage=trace-pc calls out at the beginning of each basic block; tools/audit/coverage/
# has the other end of that, as a module of its own. So any kernel will do: KERNEL=6.1.
# Lines that were not reached are listed in build/coverage/missed.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

if [ "${1:-}" = guest ]; then
	# SOURCE-TREE-OF-YNL PROGRAM...: what has run is kept after each program, should a later one take the machine down
	ynl=$2
	shift 2
	insmod build/coverage/tracer/vtap_coverage.ko
	insmod build/coverage/vtap/kmod/vtap.ko
	(cd /sys/module/vtap/sections && grep -H . .text .text.unlikely .exit.text) > build/coverage/out/sections
	rmmod vtap
	for program; do
		VTAP_KO=$PWD/build/coverage/vtap/kmod/vtap.ko VTAP_YNL=$ynl selftests/run.sh "$program" || :
		cat /sys/kernel/debug/vtap_coverage/map > build/coverage/out/map.new
		mv build/coverage/out/map.new build/coverage/out/map
	done
	exit
fi

kernel=${KERNEL:-6.1}
read -r -a programs <<< "${*:-$(make -s -C selftests list)}"
tools/bed/setup.sh build kernel vm test
make -s -C tools/vtap
make -s -C selftests all
kdir=$(tools/bed/kernel.sh kdir "$kernel")
ynl=$(tools/bed/kernel.sh source)/tools/net/ynl
mkdir -p build/coverage/tracer build/coverage/vtap build/coverage/out
rm -f build/coverage/out/*
cp tools/audit/coverage/Kbuild tools/audit/coverage/coverage.c build/coverage/tracer/
make -s -C "$kdir" M="$PWD/build/coverage/tracer" modules
rsync -a --exclude='*.o' Kbuild kmod uapi build/coverage/vtap/
make -s -C "$kdir" M="$PWD/build/coverage/vtap" KCFLAGS=-fsanitize-coverage=trace-pc \
	KBUILD_EXTRA_SYMBOLS="$PWD/build/coverage/tracer/Module.symvers" modules
VTAP_TIMEOUT=${VTAP_TIMEOUT:-7200} VTAP_OUT=build/coverage/out \
	tools/bed/vm.sh "$kernel" tools/audit/coverage.sh guest "$ynl" "${programs[@]}"
/usr/bin/python3 tools/audit/coverage/report.py build/coverage/vtap/kmod/vtap.ko build/coverage/out build/coverage/missed
