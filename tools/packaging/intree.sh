#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# intree.sh SOURCE - put vtap into the kernel source SOURCE, each file in its place there; again: replace them
#
# The module goes to net/vtap, with its entries in net/Kconfig and net/Makefile; the tests go to
# tools/testing/selftests/net/vtap. The tool stays outside, as iproute2 does.
set -euo pipefail
[ $# = 1 ] || { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
src=$(readlink -f "$1")
[ -f "$src/net/openvswitch/Kconfig" ] || { echo "intree.sh: $1 is no kernel source" >&2; exit 1; }
cd "$(dirname "$(readlink -f "$0")")/../.."
tests=tools/testing/selftests

entry() {	# FILE LINE BEFORE: add LINE in front of the first one that begins with BEFORE
	grep -qxF "$2" "$src/$1" && return
	awk -v line="$2" -v before="$3" 'index($0, before) == 1 && !done { print line; done = 1 } { print }
		END { exit !done }' "$src/$1" > "$src/$1.new" || { echo "intree.sh: $1 has no line '$3'" >&2; exit 1; }
	cat "$src/$1.new" > "$src/$1"
	rm "$src/$1.new"
}

rm -rf "$src/net/vtap"
mkdir -p "$src/net/vtap" "$src/Documentation/netlink/examples" "$src/$tests/net/vtap"
cp kmod/*.[ch] kmod/Kconfig "$src/net/vtap/"
cp kmod/Kbuild "$src/net/vtap/Makefile"
cp uapi/linux/vtap.h "$src/include/uapi/linux/"
cp Documentation/netlink/specs/vtap.yaml "$src/Documentation/netlink/specs/"
cp Documentation/netlink/examples/* "$src/Documentation/netlink/examples/"
cp Documentation/networking/vtap*.rst Documentation/networking/cost-*.{svg,txt} "$src/Documentation/networking/"
read -r -a left_out < <(sed -n 's/^TOOL_PROGS := //p' selftests/Makefile)
rsync -a --delete --delete-excluded --exclude=__pycache__ --exclude=/vtap-newer --exclude=/stress/collect \
	"${left_out[@]/#/--exclude=/}" selftests/ "$src/$tests/net/vtap/"

entry net/Kconfig 'source "net/vtap/Kconfig"' 'source "net/openvswitch/Kconfig"'
entry net/Makefile $'obj-$(CONFIG_VTAP)\t\t+= vtap/' $'obj-$(CONFIG_OPENVSWITCH)'
entry $tests/Makefile 'TARGETS += net/vtap' 'TARGETS += nsfs'
for page in vtap vtap-cost vtap-recipes; do entry Documentation/networking/index.rst "   $page" '   vxlan'; done
