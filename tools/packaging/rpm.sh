#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# rpm.sh - build the RPM packages vtap and vtap-dkms into build/rpm, from Debian as well, where it looks up no dependencies
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
tools/bed/setup.sh package
version=$(sed -n 's/^#define VTAP_VERSION[^_].*"\(.*\)"/\1/p' kmod/version.h)
out=$PWD/build/rpm
rm -rf "$out"
mkdir -p "$out/SOURCES"
{ git ls-files -co --exclude-standard 2> /dev/null || find . -type f -not -path './.git/*' -not -path './build/*'; } |
	while IFS= read -r f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done |
	tar -cz --null -T - --transform "s,^,vtap-$version/," -f "$out/SOURCES/vtap-$version.tar.gz"
nodeps=""
[ ! -e /etc/debian_version ] || nodeps=--nodeps
if ! rpmbuild -bb ${nodeps:+"$nodeps"} --define "_topdir $out" --define "vtap_version $version" \
	tools/packaging/vtap.spec > "$out/build.log" 2>&1; then
	cat "$out/build.log" >&2
	exit 1
fi
find "$out/RPMS" -name '*.rpm' -exec mv {} "$out/" \;
rm -rf "$out"/{BUILD,BUILDROOT,RPMS,SOURCES,SPECS,SRPMS}
ls "$out"/*.rpm
