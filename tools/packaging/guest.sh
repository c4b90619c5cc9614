#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# guest.sh [files] - the checks that reboot.sh has made in its VM, by a service, over two boots
# With "files", it prints the names of the files there, to be compared with those that are left.
# shellcheck disable=SC2317 # functions are called by check()
# shellcheck disable=SC2094 # what a program writes is read when it has ended, or as it grows
set -uo pipefail
export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive
cd /root || exit

# Two VMs on a bridge, and a collector behind an uplink: made anew at each boot, after vtap.service.
bed() {
	local ns dev
	for ns in a b col; do ip netns add $ns; done
	ip link add br0 type bridge
	ip link set br0 up
	while read -r dev ns; do
		ip link add "$dev" type veth peer name eth0 netns "$ns"
		ip link set "$dev" up
		ip -n "$ns" link set lo up
		ip -n "$ns" link set eth0 up
	done <<< "vnet0 a
vnet1 b
up0 col"
	ip link set vnet0 master br0
	ip link set vnet1 master br0
	ip -n a addr add 10.0.0.1/24 dev eth0
	ip -n b addr add 10.0.0.2/24 dev eth0
	ip addr add 192.0.2.1/24 dev up0
	ip -n col addr add 192.0.2.9/24 dev eth0
	ip -n col link add ids0 type gretap local 192.0.2.9
	ip -n col link set ids0 up
	# the first ones wait for addresses and for the bridge
	until ip netns exec a ping -q -c 1 -W 1 10.0.0.2 && ping -q -c 1 -W 1 192.0.2.9; do :; done > /dev/null 2>&1
}

# What the collector's tcpdump decodes, until it sees a packet that comes after all copies
watch() {
	rm -f seen
	ip netns exec col tcpdump -l -n -i eth0 'proto gre or icmp' > seen 2> tcpdump &
	tcpdump=$!
	until grep -q '^listening' tcpdump; do kill -0 $tcpdump && sleep 0.1 || return; done
}
copies() {	# prints how many copies of pings from a to b there were
	ping -q -c 1 192.0.2.9 > /dev/null
	until grep -q 'IP 192.0.2.1 > 192.0.2.9: ICMP echo request' seen; do sleep 0.1; done
	kill $tcpdump
	wait $tcpdump 2> /dev/null
	grep -c 'IP 192.0.2.1 > 192.0.2.9: GREv0.* IP 10.0.0.1 > 10.0.0.2: ICMP echo request' seen
}
pings() {	# three of them: prints how many were copied
	watch || return
	ip netns exec a ping -q -c 3 -i 0.2 10.0.0.2 > ping && grep -q ' 3 received' ping || return
	copies
}
upgrade() {	# while a pings b: prints how many copies are missing
	local pid sent
	watch || return
	ip netns exec a ping -q -i 0.2 10.0.0.2 > ping &
	pid=$!
	dpkg -i /root/deb/new/vtap_*.deb >&2
	kill -INT $pid
	wait $pid
	sent=$(sed -n 's/ packets transmitted.*//p' ping)
	[ "$sent" -ge 3 ] && echo $((sent - $(copies)))
}

check() {	# DESCRIPTION COMMAND...
	local name=$1
	shift
	if "$@" > log 2>&1; then echo "ok - $name"; else
		echo "not ok - $name"
		tail -30 log | sed 's/^/# /'
	fi > /dev/ttyS1
}
same() { [ "$1" = "$2" ] || { printf 'is:    %s\nis to: %s\n' "$1" "$2"; false; }; }	# VALUE EXPECTED
not() { ! "$@"; }	# COMMAND...
tap() { same "$(vtap save -)" "$(< saved)"; }
service() { same "$(systemctl is-active vtap.service)" "$1"; }	# STATE
module() { grep '^vtap ' /proc/modules; }
complaints() { dmesg | grep -E 'BUG|WARNING|Oops|general protection|Call Trace'; }
first_tap() {	# as the README has it
	vtap session add ids type gre remote 192.0.2.9 &&
		vtap rule add pref 20 port 'vnet*' dir ingress action mirror ids && module
}
nothing_to_apply() { service inactive && same "$(systemctl is-enabled vtap.service)" enabled; }
rebooted() { not same "$(< /proc/sys/kernel/random/boot_id)" "$(< boot)" && same "$(uname -r)" "$(< krel)"; }
before_ports() { service active && tap && not ip link show vnet0; }
version() { dpkg-query -f '${Version}' -W "$1"; }	# PACKAGE
as_it_was() { service active && tap; }
stop() { systemctl stop vtap && same "$(pings)" 0; }
start() { systemctl start vtap && tap && same "$(pings)" 3; }
removed() { apt-get -y -q remove vtap vtap-dkms && same "$(pings)" 0; }
unloaded() { rmmod vtap && not modprobe vtap; }
files() {	# outside of what is the machine's own, or the package manager's
	find /etc /usr /opt /srv /var /run/vtap \( -path /var/log -o -path /var/cache -o -path /var/tmp -o -path /var/lib/apt \
		-o -path /var/lib/dpkg -o -path /var/lib/systemd \) -prune -o -print 2> /dev/null | sort
}
purged() { apt-get -y -q purge vtap vtap-dkms && same "$(comm -13 before <(files))" ""; }

first_boot() {
	uname -r > krel
	cat /proc/sys/kernel/random/boot_id > boot
	check "systemd has come up, and nothing failed" same "$(systemctl --failed --no-legend --plain)" ""
	check "the service is enabled, and has nothing to apply" nothing_to_apply
	check "no module is loaded" not module
	bed
	check "pings are not copied before there is a tap" same "$(pings)" 0
	check "the first tap: vtap loads the module" first_tap
	check "each ping is copied" same "$(pings)" 3
	check "vtap check finds nothing wrong" vtap check
	check "the tap is saved" vtap save /etc/vtap/vtap.conf
	vtap save - > saved
	sync
	systemctl reboot
}
second_boot() {
	check "the machine has booted again, the same kernel" rebooted
	check "the tap is there again, before its ports" before_ports
	bed
	check "each ping is copied again" same "$(pings)" 3
	check "an upgrade of the tool leaves the tap running: no copy is missing" same "$(upgrade)" 0
	check "the tool is the new one, the module is the old one" same "$(vtap -V)" "vtap $(version vtap), module $(version vtap-dkms)"
	check "and the tap is as it was" as_it_was
	check "systemctl stop takes it away" stop
	check "systemctl start brings it back" start
	check "apt removes the packages, the tap goes" removed
	check "rmmod: the module is not found any more" unloaded
	check "apt purges them: nothing is left" purged
	check "no complaint in the kernel log" not complaints
	echo end > /dev/ttyS1
	systemctl poweroff
}
if [ "${1:-}" = files ]; then
	files
	exit
fi
stty -F /dev/ttyS1 -opost
if [ -e boot ]; then second_boot; else first_boot; fi
