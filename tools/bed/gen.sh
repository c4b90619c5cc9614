#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# gen.sh [--check]: C from the YNL spec with the kernel's own generator; with --check only compare.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
tools/bed/setup.sh gen
src=$(tools/bed/kernel.sh source)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# the generator looks for MAINTAINERS and the schemas above the spec
mkdir -p "$tmp/Documentation/netlink/specs" "$tmp/uapi/linux" "$tmp/kmod"
touch "$tmp/MAINTAINERS"
cp "$src"/Documentation/netlink/*.yaml "$tmp/Documentation/netlink/"
cp Documentation/netlink/specs/vtap.yaml "$tmp/Documentation/netlink/specs/"

ynl() {
	(cd "$tmp" && /usr/bin/python3 "$src/tools/net/ynl/ynl-gen-c.py" \
		--spec Documentation/netlink/specs/vtap.yaml "${@:2}" -o "$1")
}
ynl uapi/linux/vtap.h --mode uapi --header
ynl kmod/netlink_gen.h --mode kernel --header
ynl kmod/netlink_gen.c --mode kernel --source --user-header linux/vtap.h
# the group table stands in netlink.c, where it has its flags
sed -i '/^static const struct genl_multicast_group/,$d' "$tmp/kmod/netlink_gen.c"
sed -i '${/^$/d}' "$tmp/kmod/netlink_gen.c"

rc=0
for f in uapi/linux/vtap.h kmod/netlink_gen.h kmod/netlink_gen.c; do
	if [ "${1:-}" = --check ]; then
		diff -u "$f" "$tmp/$f" || rc=1
	else
		cp "$tmp/$f" "$f"
	fi
done
exit $rc
