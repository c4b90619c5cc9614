#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# setup.sh GROUP... - install from Debian 12 what a group needs, once: build kernel vm test demo gen lint debug package, or all
#   setup.sh mirror [SUFFIX]  print the archive that this machine's apt uses (SUFFIX: -security)
#   setup.sh sources          only let apt know where virtme-ng and suricata are
# No service is started or enabled. virtme-ng comes from Debian 13, suricata from the backports to 12.
set -euo pipefail

declare -A groups=(
	# the module - the headers of 6.12 ask for pahole - and the tool
	[build]="dwarves gcc-12 gcc make rsync libc6-dev libelf1 libjson-c-dev libmnl-dev libncurses-dev libpcap-dev
		libtraceevent-dev libtracefs-dev pkg-config"
	# fetching Debian's kernels
	[kernel]="debian-archive-keyring kmod mmdebstrap xz-utils"
	[vm]="busybox-static file iproute2 kmod mount qemu-system-x86 virtme-ng"
	# the Go library for its captures
	[test]="ethtool golang-github-google-gopacket-dev iperf3 iproute2 iputils-ping jq libvirt-clients libvirt-daemon netbase
		nftables openssl openvswitch-common openvswitch-switch procps prometheus prometheus-node-exporter python3
		python3-jsonschema python3-libvirt python3-openvswitch python3-pyroute2 python3-scapy python3-yaml suricata tcpdump
		tshark util-linux wireguard-tools"
	[demo]="bind9-dnsutils curl dnsmasq-base iproute2 iputils-ping jq nginx-light openssl procps python3 tcpdump tshark"
	[gen]="python3 python3-jsonschema python3-yaml"
	[lint]="clang-14 coccinelle git groff libpython3-dev mandoc perl python3-docutils python3-flake8 python3-pygments
		shellcheck sparse yamllint"
	# Debian and RPM packages, and a root directory to install them in
	[package]="debhelper debian-archive-keyring dh-dkms dpkg-dev fakeroot gcc libc6-dev libjson-c-dev libmnl-dev libncurses-dev
		libpcap-dev libtraceevent-dev libtracefs-dev lintian make mmdebstrap pkg-config rpm rsync systemd"
	# building a kernel with KASAN and lockdep
	[debug]="bc bison ccache cpio dwarves flex gcc-12 gcc libelf-dev libssl-dev make perl xz-utils"
)
# services among them
services="nginx openvswitch-switch ovs-record-hostname prometheus prometheus-node-exporter suricata"

# what apt asks: RELEASE|CODENAME|URI of each; the codename is known after an update only
sources() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(RELEASE)|$(CODENAME)|$(REPO_URI)' "Identifier: Packages"
}

mirror() {
	local codename
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	sources | awk -F'|' -v name="$codename${1:-}" -v stable="^(old)*stable${1:-}$" \
		'$2 == name || $2 == "" && ($1 == name || $1 ~ stable) { print $3; exit }'
}

# Debian 12 has neither virtme-ng nor suricata. Nothing else may come from where these are, unless apt has it already: then
# it keeps the key and the priority that somebody gave it.
more_sources() {
	local name known rest=""
	rm -f /etc/apt/sources.list.d/vtap.sources
	known=$(sources)
	for name in trixie bookworm-backports; do
		awk -F'|' -v name="$name" '$1 == name || $2 == name { exit 1 }' <<< "$known" && rest+=" $name"
	done
	for name in $rest; do
		printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' \
			"$(mirror)" "$name" /usr/share/keyrings/debian-archive-keyring.gpg
	done > /etc/apt/sources.list.d/vtap.sources
	{
		printf 'Package: virtme-ng\nPin: release n=trixie\nPin-Priority: 100\n\n'
		printf 'Package: suricata libhtp2\nPin: release n=bookworm-backports\nPin-Priority: 500\n\n'
		for name in $rest; do printf 'Package: *\nPin: release n=%s\nPin-Priority: -1\n\n' "$name"; done
	} > /etc/apt/preferences.d/vtap
	update
}

can_install() {	# PACKAGE: trixie may be known at a priority at which what the package depends on is not
	apt-get -s -qq install --no-install-recommends "$1" > /dev/null 2>&1
}

find_sources() {	# PACKAGE...
	local p
	update
	for p; do
		case $p in virtme-ng | suricata) can_install "$p" || { more_sources; break; } ;; esac
	done
}

update() {
	apt-get -qq update || echo "setup.sh: apt-get update had errors" >&2
}

missing() {	# PACKAGE...: those that are not installed
	# shellcheck disable=SC2016 # dpkg's own variables
	comm -23 <(printf '%s\n' "$@" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "$@" 2> /dev/null | sed -n 's/^ii *//p' | sort -u)
}

[ $# -gt 0 ] || { sed -n '3,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
if [ "$1" = mirror ]; then
	mirror "${2:-}"
	exit
fi
if [ "$1" = sources ]; then
	find_sources virtme-ng suricata
	exit
fi
[ "$1" != all ] || set -- "${!groups[@]}"
packages=()
for g; do
	[ -n "${groups[$g]:-}" ] || { echo "setup.sh: no group '$g'" >&2; exit 2; }
	read -r -d '' -a more <<< "${groups[$g]}" || :
	packages+=("${more[@]}")
done
mapfile -t need < <(missing "${packages[@]}")
[ ${#need[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "setup.sh: needs root to install: ${need[*]}" >&2; exit 1; }

mkdir -p /run/lock
exec 9> /run/lock/vtap-setup
flock 9
mapfile -t need < <(missing "${packages[@]}")
[ ${#need[@]} -gt 0 ] || exit 0
echo "setup.sh: installing ${need[*]}" >&2
find_sources "${need[@]}"

# while packages are configured, no service starts; a policy that is there comes back afterwards
policy=/usr/sbin/policy-rc.d saved=$(mktemp -u /usr/sbin/policy-rc.d.XXXXXX)
[ ! -e $policy ] || mv $policy "$saved"
trap 'rm -f $policy; [ ! -e "$saved" ] || mv "$saved" $policy' EXIT
printf '#!/bin/sh\nexit 101\n' > $policy
chmod +x $policy
installed=$(cd /etc/init.d && ls)
log=$(mktemp)
if ! DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=900 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 \
	install --no-install-recommends "${need[@]}" > "$log" 2>&1; then
	cat "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
for s in $services; do
	[ ! -e "/etc/init.d/$s" ] || grep -qx "$s" <<< "$installed" || update-rc.d "$s" disable > /dev/null 2>&1 || :
done
