#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo.sh - a guided tour of vtap, started in a VM by `make demo`
#
# Two "VMs" (network namespaces) on a bridge talk: ARP, ping, DNS, HTTP, TLS, a download in super-frames. One of
# them is tapped for two collectors. Every command is shown before it runs; at the end the frames that crossed the
# tapped port are compared with the copies that tshark decodes at the collectors. Status 1 when anything differs.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
export PATH=$here/../vtap:$PATH
mib=4			# size of the download

die() { echo "demo: $*" >&2; exit 1; }
step() { printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; eval "$*"; }
vm1() { printf 'vm1$ %s\n' "$*"; ip netns exec vm1 "$@"; }
wait_for() {	# SECONDS WHAT COMMAND...
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -le $end ] || die "waited too long for $what"
		sleep 0.1
	done
}

grep -q vtap.job /proc/cmdline || die "changes the network of the machine: run it in a VM, with 'make demo'"
[ -n "${VTAP_KO:-}" ] || die "VTAP_KO names no module"
out=$(sed -n 's/.*vtap\.out=\([^ ]*\).*/\1/p' /proc/cmdline)
dir=$(mktemp -d)
cd "$dir"
pids=()
failed=0

# ---------------------------------------------------------------------------------------------------------------
step "Linux $(uname -r) in a VM: load the module and connect two VMs and two collectors"
cat <<'E'

    vm1 10.0.0.1        vm2 10.0.0.2 (nginx, dnsmasq)
         |                   |
       vnet0 ---- br0 ---- vnet1
         |
         | tapped           +--> up0 --- ids 192.0.2.9       ERSPAN II
         +------------------+
                            +--> up1 --- rec 198.51.100.9    GRE

E
modprobe -a bridge veth
run insmod "$VTAP_KO"

link() {	# NAMESPACE DEVICE PEER-ADDRESS INDEX: a cable from DEVICE to eth0 of the new NAMESPACE
	ip -batch - <<< "netns add $1"$'\n'"link add $2 index $4 type veth peer name eth0 netns $1"
	ip -n "$1" -batch - <<-E
	link set lo up
	link set eth0 addrgenmode none
	address add $3 dev eth0
	link set eth0 up
	E
} > /dev/null

link vm1 vnet0 10.0.0.1/24 101
link vm2 vnet1 10.0.0.2/24 102
link ids up0 192.0.2.9/24 103
link rec up1 198.51.100.9/24 104
ip -batch - <<-E
link add br0 type bridge forward_delay 0 mcast_snooping 0
link set br0 addrgenmode none
link set br0 up
link set vnet0 master br0 addrgenmode none
link set vnet1 master br0 addrgenmode none
link set vnet0 up
link set vnet1 up
link set up0 addrgenmode none
link set up1 addrgenmode none
address add 192.0.2.1/24 dev up0
address add 198.51.100.1/24 dev up1
link set up0 up
link set up1 up
E
# a burst of copies waits here for the collectors' tcpdump, which shares two emulated processors with the rest
sysctl -qw net.core.netdev_max_backlog=100000
forwarding() { [ "$(bridge -j link | jq '[.[] | select(.state == "forwarding")] | length')" = 2 ]; }
wait_for 10 "the bridge" forwarding

# ---------------------------------------------------------------------------------------------------------------
step "Servers in vm2"
head -c $((mib << 20)) /dev/urandom > "$dir/big.bin"
echo "hello from vm2" > "$dir/hello.txt"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=shop.example.com -days 2 \
	-keyout "$dir/key.pem" -out "$dir/cert.pem" 2> /dev/null
cat > "$dir/nginx.conf" <<-E
user root;
daemon off;
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { }
http {
	access_log off;
	default_type application/octet-stream;
	sendfile on;
	root $dir;
	server { listen 80; listen 8080; }
	server { listen 443 ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; }
}
E
ip netns exec vm2 nginx -c "$dir/nginx.conf" & pids+=($!)
ip netns exec vm2 dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file \
	--address=/shop.example.com/10.0.0.2 --log-facility="$dir/dnsmasq.log" & pids+=($!)
serving() { [ "$(ip netns exec vm2 ss -Hlntu "( sport = :80 or sport = :443 or sport = :8080 or sport = :53 )" |
	grep -cE '0\.0\.0\.0:')" -ge 5 ]; }
wait_for 20 "nginx and dnsmasq" serving
echo "nginx (HTTP on ports 80 and 8080, HTTPS on 443) and dnsmasq are listening"

# ---------------------------------------------------------------------------------------------------------------
step "Two sessions: where copies go, and how they are wrapped"
run "vtap session add ids type erspan2 remote 192.0.2.9 id 100"
run "vtap session add rec type gre remote 198.51.100.9 key 7"
active() { [ "$(vtap -j session show | jq -c '[.[].state]')" = '["active","active"]' ]; }
wait_for 10 "the sessions to become active" active
run "vtap session show"

# the judges: one counts what crosses the port, the others record what the collectors get
"$here/demo.py" vnet0 8080 > "$dir/port" & counter=$!
captures=()
for c in ids rec; do
	ip netns exec $c tcpdump -i eth0 -w "$dir/$c.pcap" -B 65536 -s 0 -U 'ip proto 47' 2> "$dir/$c.log" & captures+=($!)
done
capturing() { [ "$(cat "$dir"/{ids,rec}.log "$dir/port" | grep -cE 'listening|ready')" = 3 ]; }
wait_for 30 "the captures" capturing

step "Rules: which frames; the first one that matches decides"
run "vtap rule add pref 10 port vnet0 ip_proto tcp dst_port 8080 action skip"
run "vtap rule add pref 11 port vnet0 ip_proto tcp src_port 8080 action skip"
run "vtap rule add pref 20 port 'vnet0' action mirror ids,rec"
run "vtap port show"

# ---------------------------------------------------------------------------------------------------------------
step "vm1 talks to vm2"
vm1 ping -q -c 5 -i 0.2 10.0.0.2
vm1 dig +short @10.0.0.2 shop.example.com
vm1 curl -sS http://10.0.0.2/hello.txt
vm1 curl -sSk --resolve shop.example.com:443:10.0.0.2 https://shop.example.com/hello.txt
vm1 curl -sS -o got http://10.0.0.2/big.bin
cmp "$dir/got" "$dir/big.bin" || die "the tapped traffic was damaged"
echo "($mib MiB of HTTP arrived undamaged; offloads are on, so they crossed vnet0 as super-frames)"
echo "and on port 8080, which the rules skip:"
vm1 curl -sS -o got http://10.0.0.2:8080/big.bin
cmp "$dir/got" "$dir/big.bin" || die "the skipped traffic was damaged"
# nothing crosses the port from here on, so that all counts are of the same frames
ip -n vm1 link set eth0 down

# ---------------------------------------------------------------------------------------------------------------
step "What vtap counted"
run "vtap -s session show"
run "vtap -s rule show"
run "vtap -s port show"

drained() {	# no copy is on its way to a collector any more
	local c sizes
	sizes=$(stat -c %s "$dir"/{ids,rec}.pcap)
	[ "$sizes" = "${last:-}" ] && return
	last=$sizes
	sleep 1
	return 1
}
last=
wait_for 60 "the captures to end" drained
kill -INT $counter "${captures[@]}"
wait $counter "${captures[@]}"
for c in ids rec; do
	grep -q '^0 packets dropped by kernel' "$dir/$c.log" || die "tcpdump at $c lost packets: $(cat "$dir/$c.log")"
done
[ -z "$out" ] || cp "$dir"/{ids,rec}.pcap "$out"
read -r _ mirrored skipped supers < <(tail -1 "$dir/port")

# ---------------------------------------------------------------------------------------------------------------
decode() {	# COLLECTOR: all copies, unwrapped, one a line; the files that HTTP carried in $dir/COLLECTOR
	tshark -n -r "$dir/$1.pcap" -Y 'gre && !ip.fragment.error' -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
		-o tcp.reassemble_out_of_order:TRUE \
		--export-objects "http,$dir/$1" -T fields -E occurrence=l -E 'separator=|' \
		-e _ws.col.Protocol -e ip.src -e ip.dst -e tcp.port -e tcp.checksum.status -e udp.checksum.status \
		-e tls.handshake.extensions_server_name -e _ws.col.Info 2> "$dir/$1.tshark" > "$dir/$1.txt" ||
		die "tshark: $(cat "$dir/$1.tshark")"
}
report() {	# COLLECTOR TYPE: a selection of its copies, and whether all is there
	local copies bad skip
	step "What tshark decodes at the collector $1 ($2)"
	decode "$1"
	awk -F'|' '
		$1 == "ARP" { $2 = $3 = "" }
		$1 == "ARP" || $1 == "DNS" || $1 ~ /^HTTP/ || /Client Hello/ || ($1 == "ICMP" && n++ < 2) {
			printf "%-8s %-10s %-10s %s%s\n", $1, $2, $3, $8, $7 == "" ? "" : " SNI=" $7 }' "$dir/$1.txt" |
		cut -c 1-118
	copies=$(wc -l < "$dir/$1.txt")
	bad=$(awk -F'|' '$5 == "0" || $6 == "0"' "$dir/$1.txt" | wc -l)
	skip=$(awk -F'|' '$4 == "8080"' "$dir/$1.txt" | wc -l)
	totals+=("$1 decoded $copies")
	[ "$copies" = "$mirrored" ] || { failed=1; echo "demo: $1: $copies copies of $mirrored frames" >&2; }
	[ "$bad" = 0 ] || { failed=1; echo "demo: $1: $bad copies with a wrong TCP or UDP checksum" >&2; }
	[ "$skip" = 0 ] || { failed=1; echo "demo: $1: $skip copies of what should be skipped" >&2; }
	if cmp -s "$dir/$1/big.bin" "$dir/big.bin"; then
		echo "big.bin, put together from the copies: sha256 $(sha256sum "$dir/$1/big.bin" | cut -c 1-16)..., as in vm2"
	else
		failed=1
		echo "demo: $1: big.bin cannot be put together from the copies" >&2
	fi
}
totals=()
report ids "ERSPAN II"
report rec GRE

step "Result"
for s in ids rec; do
	vtap -j -s session show $s | jq -e --argjson n "$mirrored" '.[0].stats | .matched == $n and .sent == $n' > /dev/null ||
		{ failed=1; echo "demo: session $s counts otherwise than $mirrored sent" >&2; }
done
[[ $supers -gt 0 && $skipped -gt 0 ]] || { failed=1; echo "demo: no super-frames or nothing to skip" >&2; }
echo "$((mirrored + skipped)) frames crossed vnet0 ($supers super-frames counted as the frames they become on a wire):" \
	"$skipped skipped, $mirrored to be copied; ${totals[0]}, ${totals[1]}."
kill "${pids[@]}"
wait
run "vtap rule flush; vtap session flush; rmmod vtap"
[ $failed = 0 ] || die "the copies are NOT what they should be"
echo "Each frame has its copy at both collectors, and nothing else has."
