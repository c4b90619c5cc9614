#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# deb.sh [VERSION] - build the packages vtap and vtap-dkms into build/deb, and check them with lintian
# VERSION replaces that of kmod/version.h. Packages of other versions stay where they are.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
tools/bed/setup.sh package
version=${1:-$(sed -n 's/^#define VTAP_VERSION[^_].*"\(.*\)"/\1/p' kmod/version.h)}
out=$PWD/build/deb
src=$out/src/vtap-$version
log=$out/build-$version.log
rm -rf "$src"
mkdir -p "$src"
{ git ls-files -co --exclude-standard 2> /dev/null || find . -type f -not -path './.git/*' -not -path './build/*'; } |
	while IFS= read -r f; do [ ! -f "$f" ] || printf '%s\0' "$f"; done |
	rsync -a --from0 --files-from=- ./ "$src/"
cp -r tools/packaging/debian "$src/"
sed -i "s/^#define VTAP_VERSION[^_].*/#define VTAP_VERSION\t\"$version\"/" "$src/kmod/version.h"
date=$(git log -1 --format=%cD 2> /dev/null || date -R)
printf 'vtap (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' "$version" "$version" \
	"$(sed -n 's/^Maintainer: //p' tools/packaging/debian/control)" "$date" > "$src/debian/changelog"
if ! (cd "$src" && dpkg-buildpackage -b -us -uc) > "$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
mv "$out"/src/*"_$version"_*.* "$out/"
rm -rf "$out/src"
# no bug of the distribution's asks for the package, and the project has no mail address
lintian --allow-root --fail-on error,warning \
	--suppress-tags initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog \
	"$out/vtap_${version}_$(dpkg --print-architecture).changes"
ls "$out"/vtap*"_$version"_*.deb
