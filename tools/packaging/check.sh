#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh - the packages in a bare Debian 12: installed, upgraded, removed and purged. TAP output.
#
# No module is loaded and no service started; reboot.sh does that. VTAP_ROOT=DIR keeps the root directory there.
# shellcheck disable=SC2317,SC2154 # functions are called by check(), variables are root.sh's
# shellcheck source=/dev/null
. "$(dirname "$(readlink -f "$0")")/root.sh"
tools/bed/setup.sh build package || exit 1

module() { inside modinfo -k "$krel" -F "$1" vtap; }	# FIELD
resolves() {
	inside modprobe -n -S "$krel" --show-depends vtap | grep "/updates/dkms/vtap\.ko" &&
		inside modprobe -n -S "$krel" --show-depends net-pf-16-proto-16-family-vtap | grep "/updates/dkms/vtap\.ko"
}
wanted_at_boot() { find "$root/etc/systemd" -name vtap.service -printf '%P\n'; }
remains() { comm -13 "$tmp/before" <(files); }
unit() {	# the machine's systemd reads it, from the root directory
	systemd-analyze verify --root="$root" --man=no --recursive-errors=no vtap.service vtap-metrics.timer vtap-metrics.service
}
bad_unit() {	# the same finds a mistake
	sed 's|ExecStart=.*|ExecStart=/none|' "$root/lib/systemd/system/vtap.service" > "$tmp/vtap-bad.service"
	! systemd-analyze verify --man=no --recursive-errors=no "$tmp/vtap-bad.service" 2> "$tmp/verify" &&
		grep '/none is not executable' "$tmp/verify"
}
examples() {
	local f
	for f in ids recorder; do inside vtap -c apply /usr/share/doc/vtap/examples/"$f.conf" || return; done
}
documents() {
	local doc=$root/usr/share/doc/vtap
	grep -x libvirt "$doc/vtap-recipes.rst" && grep -x 'name: vtap' "$doc/vtap.yaml" && [ -s "$doc/vtap.rst" ] &&
		[ -x "$doc/examples/vtap_pyroute2.py" ] && same "$(sed -n 1p "$doc/examples/vtap_pyroute2.py")" "#!/usr/bin/python3"
}
extcap() {
	inside "/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH)/wireshark/extcap/vtap" --extcap-interfaces --extcap-version=4.0 |
		grep '^extcap {version='
}
boot_taps() {	# a tool that only says what it is asked to do, and refuses a file with "bad" in its name
	local d=$tmp/boot
	mkdir -p "$d/vtap.d" "$d/run"
	printf '#!/bin/sh\necho "$*"\ncase $* in *bad*) exit 1 ;; esac\n' > "$d/vtap"
	chmod +x "$d/vtap"
	touch "$d/vtap.conf" "$d/vtap.d/fleet.conf" "$d/vtap.d/bad.conf"
	boot() { VTAP_MODULE=/ VTAP_ETC=$d VTAP=$d/vtap RUNTIME_DIRECTORY=$d/run sh tools/packaging/vtap-boot "$1"; }
	same "$(boot start; echo $?)" "$(printf 'apply tap %s\n' "main $d/vtap.conf" "bad $d/vtap.d/bad.conf" \
		"fleet $d/vtap.d/fleet.conf"; echo 1)" &&
		same "$(boot reload; echo $?)" "$(printf -- '-c apply tap %s\n' "main $d/vtap.conf" "bad $d/vtap.d/bad.conf" \
			"fleet $d/vtap.d/fleet.conf"; echo 1)" &&
		rm "$d"/vtap.d/* &&
		same "$(boot stop; echo $?)" "$(printf -- '-force apply tap %s /dev/null\n' main fleet; echo 0)" &&
		same "$(boot stop; echo $?)" 0
}
completes() {	# WORDS EXPECTED: bash offers EXPECTED after WORDS
	local out
	# shellcheck disable=SC2016 # the inner shell's
	out=$(inside bash -c '. /usr/share/bash-completion/completions/vtap
		read -r -a COMP_WORDS <<< "$1"; COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_vtap; echo "${COMPREPLY[*]}"' - "$1")
	same "$out" "$2"
}
# dpkg runs the old package's and the new one's scripts: neither may stop or restart the service
upgrade_leaves_taps() {
	! grep -E 'deb-systemd-invoke[^;]*(stop|restart)' "$root/var/lib/dpkg/info/vtap.postinst" || return
	grep -B 1 'deb-systemd-invoke stop' "$root/var/lib/dpkg/info/vtap.prerm" | grep '= remove'
}

# tools/bed/setup.sh in the root directory, where apt knows trixie already, or does not
setup() {	# SOURCE PREFERENCES: lines for apt, which has virtme-ng and suricata afterwards, and all else from Debian 12
	local etc=$root/etc/apt
	rm -f "$etc/sources.list.d/"* "$etc/preferences.d/"*
	[ -z "$1" ] || echo "$1" > "$etc/sources.list.d/mine.list"
	[ -z "$2" ] || printf 'Package: *\nPin: release n=trixie\nPin-Priority: %s\n' "$2" > "$etc/preferences.d/mine"
	inside bash /tmp/setup.sh sources > "$tmp/setup" 2>&1
	cat "$tmp/setup"
	! grep -E 'error|^[EW]:' "$tmp/setup" && apt update && inside apt-get -s -q install --no-install-recommends virtme-ng suricata &&
		same "$(inside apt-get -s -q dist-upgrade | grep -c '^Inst.*trixie')" 0 &&
		inside apt-cache policy libc6 suricata virtme-ng > "$tmp/policy" && cat "$tmp/policy" &&
		same "$(grep Candidate: "$tmp/policy" | grep -c '12u\|bpo12')" 2
}
setups() {
	local line key=/usr/share/keyrings/debian-archive-keyring.gpg other=/etc/apt/keyrings/mine.gpg
	cp tools/bed/setup.sh "$root/tmp/"
	mkdir -p "$root/etc/apt/keyrings"
	cp "$root$key" "$root$other"
	printf 'APT::Get::List-Cleanup "false";\nAPT::Sandbox::User "root";\n' > "$root/etc/apt/apt.conf.d/checks"
	line="deb [signed-by=$other] $(tools/bed/setup.sh mirror) trixie main"
	check "setup.sh where apt knows Debian 12 only" setup "" ""
	check "where it knows trixie, by another key" setup "$line" 100
	check "where it knows trixie, at a priority below what is installed" setup "$line" 50
	check "where it knows trixie, and is to take nothing from it" setup "$line" -1
}

check "vtap-$old and vtap-dkms-$old are built, and clean under lintian" tools/packaging/deb.sh || finish
check "so are those of $new" tools/packaging/deb.sh "$new" || finish
check "RPM packages are built" tools/packaging/rpm.sh
check "a bare Debian 12" make_base || finish
check "a copy of it" make_root || finish

# what these bring is not ours
check "DKMS, a compiler, the headers of a kernel, and what the tool needs" \
	apt satisfy "dkms, linux-headers-amd64, netbase, $(needs)" || finish
krel=$(cd "$root/lib/modules" && echo *)
inside depmod "$krel" 2> /dev/null
files > "$tmp/before"
check "apt installs both packages" install "$old" || finish
check "DKMS built the module" same "$(trees)" "vtap/$old, $krel, x86_64: installed"
check "modprobe finds it, by name and by its netlink family" resolves
check "its version is that of the package" same "$(module version)" "$old"
check "and so is the tool's" same "$(inside vtap -V)" "vtap $old, module not loaded"
check "there is a source version, which DKMS compares" test -n "$(module srcversion)"
check "the service is started at boot" same "$(wanted_at_boot)" "system/multi-user.target.wants/vtap.service"
check "systemd-analyze verify" unit
check "systemd-analyze verify finds a mistake" bad_unit
check "a file for each tap: start, reload and stop" boot_taps
check "the counters are for Prometheus when asked for only" empty "$(find "$root/etc/systemd" -name 'vtap-metrics*')"
check "alert rules, console page and dashboard are there" \
	inside ls /usr/share/doc/vtap/examples/prometheus/vtap-rules.yml /usr/share/doc/vtap/examples/prometheus/vtap.html \
	/usr/share/doc/vtap/examples/prometheus/vtap-grafana.json
check "so are the recipes, the specification and the example in Python" documents
check "Wireshark finds the ports, by a program that runs" extcap
check "the manuals are there" inside sh -c 'gzip -t /usr/share/man/man8/vtap.8.gz /usr/share/man/man5/vtap.conf.5.gz'
check "the examples can be applied, by their words" examples
check "completion: commands" completes "vtap session" "show add set del flush help"
check "completion: values" completes "vtap session add x mtu" "fragment truncate drop"
check "an upgrade does not stop the service" upgrade_leaves_taps

echo "# kept" > "$root/etc/vtap/vtap.conf"
first=$(module srcversion)
check "apt upgrades both" install "$new"
check "DKMS has the new version only" same "$(trees)" "vtap/$new, $krel, x86_64: installed"
check "the module on disk is the new one" same "$(module version)" "$new"
check "it is another" test "$(module srcversion)" != "$first"
check "the configuration is kept" same "$(cat "$root/etc/vtap/vtap.conf")" "# kept"
check "the service is started at boot still" same "$(wanted_at_boot)" "system/multi-user.target.wants/vtap.service"

check "apt removes both" apt remove vtap vtap-dkms
check "no module is left" empty "$(trees; find "$root/lib/modules" "$root/usr/src" "$root/var/lib/dkms" -name '*vtap*')"
check "the configuration is kept until then" test -f "$root/etc/vtap/vtap.conf"
check "apt purges both" apt purge vtap vtap-dkms
check "and what came with them" apt autoremove --purge
check "nothing is left" empty "$(remains)"
setups
finish
