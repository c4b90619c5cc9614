#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# test.sh [VTAP]: what the tool refuses by itself. Needs neither the module nor root; TAP output.
# WRAP=valgrind etc. runs the tool under another program.
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 1

vtap=${1:-./vtap}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0

run() {
	# shellcheck disable=SC2086 # WRAP has words
	out=$(${WRAP:-} "$vtap" "$@" 2>"$tmp/err" </dev/null)
	rc=$?
	msg=$(<"$tmp/err")
}

result() { # RESULT DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=$((failed + 1))
		echo "not ok $n - $2"
		echo "# exit code $rc, output: $out, message: $msg"
	fi
}

# bad TEXT WORD...: refused as wrong usage with a one-line message that has TEXT in it
bad() {
	local text=$1 r=1
	shift
	run "$@"
	[ $rc = 2 ] && [ -z "$out" ] && [[ $msg == "vtap: "*"$text"* && $msg != *$'\n'* ]] && r=0
	result $r "refuses: ${*:-nothing}"
}

bad_json() { # TEXT WORD...: the same in JSON
	local text=$1 r=1
	shift
	run "$@"
	[ $rc = 2 ] && [ -z "$out" ] && [[ $msg == '{"error":"'"$text"*'"}' && $msg != *$'\n'* ]] && r=0
	result $r "refuses: $*"
}

# parsed WORD...: the words are right, whether or not there is a kernel module to take them
parsed() {
	# an unknown namespace: the words are read, nothing is ever sent
	run -n vtap-test-none "$@"
	[ $rc = 1 ] && [[ $msg == *'network namespace "vtap-test-none"'* ]]
	result $? "parses: $*"
}

good() { # TEXT WORD...
	local text=$1 r=1
	shift
	run "$@"
	[ $rc = 0 ] && [[ $out == *"$text"* ]] && [ -z "$msg" ] && r=0
	result $r "prints: $*"
}

# bad_file TEXT LINES: apply and batch refuse the lines and say which one
bad_file() {
	printf '%s\n' "$2" >"$tmp/conf"
	bad "$tmp/conf:$1" apply "$tmp/conf"
	[ "${3:-}" = apply ] || bad "$tmp/conf:$1" -b "$tmp/conf"
}

S="session add s type gre remote 192.0.2.9"
L="session add s type gre remote"
R="rule add pref 1 mac 02:00:00:00:00:01 action skip"
long15=abcdefghijklmno
long31=abcdefghijklmnopqrstuvwxyz01234
text1023=$(printf 'udp%1020s' '')

good "vtap 0." -V
good "vtap 0." --version
good "Usage: vtap" help
good "Usage: vtap" -h
good "erspan2" session help
good "tcp_flags" rule help
good "port" port help
good "[ tap NAME ]" session help
good "rule flush [ tap VALUE ]" rule help
good "vtap tap [ show [ NAME ] ]" tap help

# options and objects
run
[ $rc = 2 ] && [[ $msg == Usage:* ]]
result $? "no object: usage"
bad '"-x"' -x session
bad '"-jp"' -jp session
bad '"-n"' -n
bad '"-b"' -b
bad '"session"' -b "$tmp/conf" session
bad '-force' -force session
bad '"s" is ambiguous: session, save' s
bad '"s" is ambiguous: show, set' session s
bad '"sesion" is not an object: did you mean "session"?' sesion show
bad '"shwo" is not a command of "session": did you mean "show"?' session shwo
bad '"foobar" is not an object, see "vtap help"' foobar
bad '"foobar" is not a command of "rule", see "vtap rule help"' rule foobar
bad '"" is not an object' ''
bad '"fl" is not a command of "rule"' rule fl
bad '"delete" is not a command of "port"' port delete eth0
bad '"foo" is not an object' help foo
good "erspan2" help ses
good "tcp_flags" rule -h
for c in sh sho list ls; do
	parsed ses $c s
	parsed rule $c
done
for c in d de delete rm; do
	parsed session $c s
	parsed ru $c 7
done
parsed rule a pref 1 port x action skip
parsed mon
printf 'ses a x type gre remote ::1\nrule rm 7\n' >"$tmp/conf"
parsed -b "$tmp/conf"
rm "$tmp/conf"
bad '"add"' port add eth0
bad '"flush"' port flush
bad '"x" has no events: session, rule or port' monitor x
bad '"tap" has no events' monitor session tap
bad '"y"' save x y
bad '"y"' metrics x y
bad '"x" is not a valid value for "by": it is session, port, rule or tap' top by x
bad '"x" is unknown to "top"' top x
bad '"0" is not a number of refreshes: it is 1 to 4294967295' top -n 0
bad '"0" is not a number of seconds: it is 0.1 to 3600' top -d 0
bad '"-x" is unknown to "capture", which has -w, -c, -G and -W' capture eth0 -x
bad '"-w" requires a value' capture -w
bad '"x" is not a valid value for "-c": it is 1 to 4294967295' capture -c x
bad '"-W" requires "-G"' capture -W 2
bad '"-G" requires "-w" with a file whose name has the time in it' capture -G 60 -w x.pcapng
bad '"action" is unknown to "capture", which has a tap and rules of its own' capture eth0 action skip
bad '"--capture" requires "--fifo"' extcap --capture --extcap-interface vtap
bad '"eth0" is not one of the interfaces' extcap --capture --extcap-interface eth0 --fifo x
good 'interface {value=vtap-lo}' extcap --extcap-interfaces --extcap-version=4.0
good '{name=EN10MB}' extcap --extcap-dlts --extcap-interface vtap-lo
good '{call=--words}' extcap --extcap-config --extcap-interface vtap-lo
bad '-check' -c session
bad '-check' -c save
bad '-check' -c -b "$tmp/conf"
bad '"apply"' apply
bad '"y"' apply x y
bad '"add"' tap add sec
bad '"flush"' tap flush
bad '"x"' save sec x
bad '"tap" requires' save tap
bad '"y"' save tap sec x y
bad '"tap" requires' apply tap
bad '"apply" requires a file' apply tap sec
bad '"y"' apply tap sec x y
bad '"" is not the name of a tap, which has 1 to 31 characters' save tap ''
bad "\"${long31}x\" is not the name of a tap" apply tap "${long31}x" x

# words: unknown, without value, twice, missing
# shellcheck disable=SC2086 # S and R have words
{
bad '"foo"' $S foo 1
bad '"tt"' $S tt 64
bad '"name"' session add s name t
bad '"stats"' $S stats 1
bad '"state"' $S state active
bad '"foo"' $R foo 1
bad '"id"' $R id 3
bad '"packets"' $R packets 3
bad '"match"' $R match
for w in type remote local dev key id index ttl tos snaplen mtu vlan seq subheader dport \
	 rate pps burst decap offload seed csum slice mask; do
	bad "\"$w\" requires" session add s $w
done
for w in pref port master mac dir src_mac dst_mac protocol vlan_id vlan_prio src_ip dst_ip \
	 ip_proto src_port dst_port tcp_flags icmp_type icmp_code ip_flags tunnel tunnel_key \
	 inner filter bytecode \
	 action sample dup; do
	bad "\"$w\" requires" rule add $w
done
bad '"mirror" requires' rule add action mirror
bad '"flow" requires' rule add sample flow
bad 'duplicate "ttl"' $S ttl 1 ttl 1
bad 'duplicate "type"' $S type gre
bad 'duplicate "tap"' $S tap a tap a
bad '"tap" requires' $S tap
bad '"tap" requires' $R tap
bad '"tap" is unknown' rule set id 3 tap a
bad 'duplicate "src_ip"' $R src_ip 10.0.0.1 src_ip 10.0.0.2
bad 'duplicate "action"' $R action skip
bad 'duplicate "tunnel"' $R tunnel gre tunnel vxlan
bad 'duplicate "inner"' $R inner dst_port 1 dup on inner src_port 1
bad 'duplicate "dst_port"' $R inner dst_port 1 dst_port 1
bad 'duplicate "bytecode"' $R filter tcp bytecode '1,6 0 0 1'
bad 'name' session add
bad 'name' session set
bad 'name' session del
bad '"id" or other words are required' rule del
bad '"id" is required' rule set action skip
bad '"x"' rule del x
bad '"3x" is not a valid value for "id"' rule del 3x
bad '"2"' rule show 1 2
bad 'duplicate "id"' rule del 1 id 1
bad_json 'metrics has a format of its own, not JSON' -j metrics
bad_json '\"a\\b\" is unknown to' -j session add x 'a\b'
bad '"id"' rule flush id 3
bad '"remote"' session flush remote 192.0.2.9
bad '"x"' session del s x
bad '"x"' port show eth0 x
bad '"3x" is not a valid value for "rule"' port show rule 3x
bad '"foo"' session show type foo
bad '"session" is unknown to "rule add"' $R session s
bad '"rule" is unknown to "session show"' session show s rule 3
bad '"session" requires' rule show session

# numbers
for v in '' x 1x ' 1' '1 ' +1 -1 0x 0xg 1.5 256 99999999999999999999; do
	bad "\"$v\" is not a valid value for \"ttl\"" $S ttl "$v"
done
bad '"65536"' $S id 65536
bad '"4294967296"' $S key 4294967296
bad '"18446744073709551616"' rule del id 18446744073709551616
bad '"1e3"' $R sample 1e3
bad '"x"' $R sample flow x
for v in '' x 1xbit 1.bit .5mbit 1.2.3 1gbitx -1 1.0000001gbit 99999999tbit; do
	bad "\"$v\" is not a valid value for \"rate\"" $S rate "$v"
done
bad '"5g"' $S burst 5g

# a device behind the address
different='"remote" and "dev" name different devices: "up0" and "up1"'
bad "$different" $L fe80::9%up0 dev up1
bad "$different" session add s type gre dev up1 remote fe80::9%up0
bad '"up0" and ""' $L fe80::9%up0 dev ''
bad "$different" session set s remote ff02::9%up0 dev up1
for a in 2001:db8::9 ::1 fec0::9 ff05::9 ff0e::9 :: 192.0.2.9 169.254.0.9; do
	bad "\"$a%up0\": only a link-local IPv6 address takes %DEV" $L "$a%up0"
done
bad 'a device name must follow the %' $L fe80::9%
bad '"abcdefghijklmnop" is too long for a device' $L fe80::9%abcdefghijklmnop
bad '"fe80::g%up0" is not a valid value for "remote"' $L fe80::g%up0
bad '"fe80::9/64%up0" is not a valid value for "remote"' $L fe80::9/64%up0
bad '"%up0" is not a valid value for "remote"' $L %up0
bad '"fe80::1%up0" is not a valid value for "local"' $L fe80::9%up0 local fe80::1%up0
bad 'duplicate "dev"' $L fe80::9%up0 dev up0 dev up0
bad '"1kbit"' $S burst 1kbit

# names of values
bad '"foo"' session add s type foo
bad '"erspan"' session add s type erspan
bad '"fragments"' $S mtu fragments
bad '"tag"' $S vlan tag
bad '"yes"' $S seq yes
bad '"1"' $S subheader 1
bad '"1"' $S decap 1
bad '"1"' $S offload 1
bad '"1"' $S csum 1
bad '"l5" is not a valid value for "slice": off, l2, l3 or l4' $S slice l5
bad '"on"' $S slice on
bad '"+x"' $S slice l4 +x
bad '"+"' $S slice l4 +
bad '"+65536" is not + and a number from 0 to 65535' $S slice l4 +65536
bad '"+-1"' $S slice l4 +-1
bad '"64"' $S slice l4 64
bad '"+8"' $S slice +8
bad 'duplicate "slice"' $S slice l4 +8 slice l3
bad '"4"' $S mask 4
bad '"+8"' $S mask l4 +8
bad '"ipip"' $R tunnel ipip
bad '"in"' $R dir in
bad '"copy"' rule add action copy
bad '"true"' $R dup true
bad '"all"' rule set id 3 match all
bad '"foo"' session flush type foo

# addresses
for v in '' 192.0.2 192.0.2.256 192.0.2.9/24 192.0.2.9x 2001:db8::g 2001:db8::1::2; do
	bad "\"$v\" is not a valid value for \"remote\"" session add s remote "$v"
done
# no name server has this name, if there is a server at all
export RES_OPTIONS="attempts:1 timeout:1"
bad '"ids.invalid" is not a valid value for "remote": the name cannot be resolved: ' $L ids.invalid
bad '"local"' $S local 2001:db8::1
bad '"dst_ip"' $R src_ip 10.0.0.0/8 dst_ip 2001:db8::/32
for v in 10.0.0.0/33 10.0.0.0/ 10.0.0.0/-1 10.0.0.0/8x /8 2001:db8::/129; do
	bad "\"$v\" is not a valid value for \"src_ip\"" $R src_ip "$v"
done
for v in '' 02:00:00:00:00 02:00:00:00:00:00:00 2:0:0:0:0:1 02-00-00-00-00-01 \
	 02:00:00:00:00:0g 02:00:00:00:00:01/ff 02:00:00:00:00:01/; do
	bad "\"$v\" is not a valid value for \"src_mac\"" $R src_mac "$v"
done
bad '"mac"' rule add mac 02:00:00:00:00:01/ff:ff:ff:00:00:00

# other values of matches
for v in '' - 1- -1 1-x 65536 1-65536 1-2-3; do
	bad "\"$v\" is not a valid value for \"dst_port\"" $R dst_port "$v"
done
for v in '' xyz 'syn,' syn/ 0x 12345 syn,foo; do
	bad "\"$v\" is not a valid value for \"tcp_flags\"" $R tcp_flags "$v"
done
for v in '' no frags frag,nofrag 'frag,'; do
	bad "\"$v\" is not a valid value for \"ip_flags\"" $R ip_flags "$v"
done
for w in tunnel tunnel_key inner filter bytecode port master mac dir action sample foo; do
	bad "\"$w\" is not a valid value for \"inner\"" $R inner $w
done
bad '"src_port" requires' $R inner src_port
bad '"80-x"' $R inner dst_port 80-x
bad '"dst_ip"' $R inner src_ip 10.0.0.0/8 dst_ip 2001:db8::/32
bad '"4294967296"' $R tunnel_key 4294967296
bad '"ipx4"' $R protocol ipx4
bad '"tcpp"' $R ip_proto tcpp
bad '"filter"' $R filter 'udp prt 53'
bad '"filter"' $R filter 'not'
bad '"no" requires a word' session set s no
bad '"foo" is unknown to "session set ... no"' session set s no foo
bad '"name" is unknown' session set s no name
bad '"state" is unknown' session set s no state
bad '"id" is unknown' rule set id 3 no id
bad '"no" is unknown to "session add"' $S no key
bad 'duplicate "key"' session set s no key key 3
bad 'duplicate "key"' session set s key 3 no key
bad 'duplicate "bytecode"' rule set id 3 no filter bytecode '1,6 0 0 1'
bad '"no src_ip": give the match words that are to stay, or "no match"' rule set id 3 no src_ip
for v in '' x 1 '2,6 0 0 1' '1,6 0 0' '1,6 0 0 1,6 0 0 1' '1,6 256 0 1' '0,'; do
	bad "\"$v\" is not a valid value for \"bytecode\"" $R bytecode "$v"
done

# lengths
bad "too long" session add ${long31}x
bad "too long" $S dev ${long15}x
bad "too long" $R port ${long31}x
bad "too long" $R master ${long15}x
bad "too long" rule add action mirror a,${long31}x
bad "too long" port show ${long15}x
bad "too long" $S tap ${long31}x
bad "too long" rule show tap ${long31}x
bad "too long" tap show ${long31}x
bad "empty session name" rule add action mirror a,,b
bad "1023" $R filter "$text1023 "

bad '"prot" is unknown to "rule del": did you mean "port"?' rule del prot x
bad '"packets" is unknown to "rule show"' rule show packets 3
echo 'rule del pref 7' >"$tmp/conf"
bad "$tmp/conf:1: rule del in a file takes an id alone: see \"rule flush\"" -b "$tmp/conf"
rm "$tmp/conf"

# what must be given
bad 'session add: "type" is required' session add s
bad 'session add: "remote" is required' session add s type gre
bad 'rule add: "pref" is required' rule add port x action skip
bad 'rule add: "action" is required' rule add pref 1 port x
bad 'rule add: one of "port", "master" and "mac" is required' rule add pref 1 action skip dst_port 1
parsed session add s type port dev x

# what may be meant instead
bad '"show" is not an object: did you mean "session show"?' show session
bad '"rm" is not an object: did you mean "rule del"?' rm ru 7
bad '"erspan" is not a valid value for "type": gre, erspan1, erspan2, erspan3, vxlan or port' \
	session add s type erspan
bad '"1400" is not a valid value for "mtu": fragment, truncate or drop' $S mtu 1400
bad '"1g" is not a valid value for "rate": a rate is a number with a unit, such as 1gbit' $S rate 1g
bad 'such as 1gbit' $S rate 10mbit/s
bad '"x" is not a valid value for "burst": a size is a number' $S burst x
for v in 192.0.2 0x7f.1 192.0.2.9x ids/example ids.example.1; do
	bad "\"$v\" is not a valid value for \"remote\": an IPv4 or IPv6 address, or the name of a host" \
		$L "$v"
done
bad '"ids.example.com" is not a valid value for "local": an IPv4 or IPv6 address, not a name' \
	$S local ids.example.com
bad '"10/8" is not a valid value for "src_ip": an IPv4 or IPv6 address, with' $R src_ip 10/8
bad '"tcp" is not a valid value for "protocol": did you mean "ip_proto tcp"?' $R protocol tcp
bad '"arp" is not a valid value for "ip_proto": did you mean "protocol arp"?' $R ip_proto arp
bad '"htps" is not a valid value for "dst_port": did you mean "https"?' $R dst_port htps
bad '"ssh" of "dst_port" is no service of udp: give its number, 22' $R dst_port ssh ip_proto udp
bad '"ssh" of "src_port" is no service of udp' $R ip_proto udplite src_port ssh
bad '"ssh" of "dst_port" is no service of sctp' $R inner ip_proto sctp dst_port ssh
bad '"ssh" is not a valid value for "dport": it is no service of udp' $S dport ssh
bad '"ssh-https" is not a valid value for "dst_port": a port is a number' $R dst_port ssh-https
bad '"x" is not a valid value for "dst_port": a port is a number' $R dst_port x
bad '"!10.0.0.0/8" is not a valid value for "src_ip": to negate it, say "not src_ip VALUE"' \
	$R src_ip '!10.0.0.0/8'
for w in dport=dst_port sport=src_port src=src_ip dst=dst_ip vlan=vlan_id proto=ip_proto \
	 dev=port bridge=master prio=pref dst_prot=dst_port actoin=action; do
	bad "\"${w%=*}\" is unknown to \"rule add\": did you mean \"${w#*=}\"?" rule add "${w%=*}" 1
done
bad '"vni" is unknown to "session add": did you mean "key"?' $S vni 5
bad '"tll" is unknown to "session set": did you mean "ttl"?' session set s tll 5
bad '"foobar" is unknown to "rule add", see "vtap rule help"' $R foobar 1

bad '"mirorr" is not a valid value for "action": mirror SESSION[,...] or skip' \
	rule add action mirorr a
bad 'duplicate "port": the expression of "filter" must be quoted' $R port x filter tcp port 80
bad '"and" is unknown to "rule add": the expression of "filter" must be quoted' \
	$R filter tcp and udp
bad '"vnet1.cfg" is unknown to "rule add": a pattern must be quoted' \
	rule add port vnet0.cfg vnet1.cfg
bad '"not" is not a valid value for "src_ip": to negate it, say "not src_ip' $R src_ip not 10.0.0.0/8
bad '"not" is unknown to "session add"' $S not ttl 3

# lists
for v in '80,' ',80' '80,,443' ',' '{80,}' '{}' '{,}' '{ }'; do
	bad "\"$v\" is not a valid value for \"dst_port\": a value of the list is empty" $R dst_port "$v"
done
bad '"{80,443" is not a valid value for "dst_port": the list does not end with }' $R dst_port '{80,443'
bad '"{" is not a valid value for "dst_port": the list does not end with }' $R dst_port '{'
bad '"443}" is not a valid value for "dst_port": a port is a number' $R dst_port '80,443}'
bad '"80 " is not a valid value for "dst_port"' $R dst_port '80 ,443'
bad '"htps" is not a valid value for "dst_port": did you mean "https"?' $R dst_port http,htps
bad '"10/8" is not a valid value for "src_ip": an IPv4 or IPv6 address' $R src_ip 10.0.0.1,10/8
bad '"http" is twice in the list of "dst_port"' $R dst_port 80,443,http
bad '"10.0.0.1" is twice in the list of "src_ip"' $R not src_ip '{10.0.0.1, 10.0.0.1}'
bad '"443" is unknown to "rule add": a list has commas and no blanks' $R dst_port 80 443
bad 'duplicate "dst_port"' $R dst_port 80,443 dst_port 22
bad '"dst_ip" is of another address family than "src_ip"' $R src_ip 10.0.0.1,::1 dst_ip 10.0.0.2
bad '"dst_ip" is of another address family than "src_ip"' $R src_ip 10.0.0.1 dst_ip 10.0.0.2,::1
bad '"ssh" of "dst_port" is no service of udp' $R dst_port https,ssh ip_proto tcp,udp
bad '"{syn,ack}" is not a valid value for "tcp_flags": it takes no list, as its commas join flags' \
	$R tcp_flags '{syn,ack}'
bad '"{frag}" is not a valid value for "ip_flags": it takes no list' $R not ip_flags '{frag}'
bad '"1,2" is not a valid value for "pref": it takes one value, not a list' rule add pref 1,2
bad '"ingress,egress" is not a valid value for "dir": it takes one value, not a list' \
	$R dir ingress,egress
bad '"2,3" is not a valid value for "sample": it takes one value, not a list' $R sample 2,3
bad '"02:00:00:00:00:01,02:00:00:00:00:02" is not a valid value for "mac": it takes one value' \
	rule add mac 02:00:00:00:00:01,02:00:00:00:00:02
bad '"on,off" is not a valid value for "dup": it takes one value' $R dup on,off
bad '"80,443" is not a valid value for "dport": it takes one value, not a list' $S dport 80,443
bad '"192.0.2.1,192.0.2.2" is not a valid value for "remote": it takes one' $L 192.0.2.1,192.0.2.2
bad '"gre,vxlan" is not a valid value for "type": it takes one value' session show type gre,vxlan
bad '"1,2" is not a valid value for "id": it takes one value' rule del id 1,2
n17=$(seq -s, 17)
n64=$(seq -s, 64)
n256=$(seq -s, 256)
bad 'the rule would have 289 combinations of values, at most 256' $R src_port "$n17" dst_port "$n17"
bad 'the rule would have 289 combinations of values' $R src_port "$n17" inner dst_port "$n17"
bad 'the rule would have 257 combinations of values' $R src_port "$n256" or dst_port 1
bad 'the list of "dst_port" has more than 256 values' $R dst_port "$n256,257"
bad 'the rule would have 68 exceptions, at most 64' $R except src_port "$n17" dst_port 1,2,3,4
bad 'the rule would have 65 exceptions, at most 64' $R not src_port "$n64" not dst_port 1
bad 'the rule would have 18446744073709551615 combinations' $R src_port "$n256" dst_port "$n256" \
	icmp_type "$(seq -s, 0 255)" icmp_code "$(seq -s, 0 255)" tunnel_key "$n256" \
	ip_proto "$(seq -s, 0 255)" inner src_port "$n256" dst_port "$n256" vlan_id "$n256"

# negation and alternatives
bad '"not" requires a match word' $R not
bad '"src_ip" requires a value' $R not src_ip
bad '"port" is not a match word, which "not" takes, see "vtap rule help"' $R not port x
for w in pref mac dir sample filter action dup bytecode; do
	bad "\"$w\" is not a match word, which \"not\" takes" $R not $w 1
done
bad '"not" is not a match word, which "not" takes' $R not not src_ip 10.0.0.1
bad '"dst_prt" is not a match word, which "not" takes: did you mean "dst_port"?' $R not dst_prt 80
bad '"dev" is not a match word, which "not" takes, see "vtap rule help"' $R not dev x
bad '"or" without a match word: the expression of "filter" must be quoted' $R filter tcp or udp
bad '"not" without a match word: the expression of "filter" must be quoted' $R filter udp not port 53
bad '"dport" is not a match word, which "not" takes: did you mean "dst_port"?' $R not dport 80
bad '"not inner": say "inner not WORD VALUE"' $R tunnel gre not inner dst_port 80
bad '"x" is not a valid value for "dst_port": a port is a number' $R not dst_port x
bad '"not" after "inner" requires "tunnel"' $R inner not dst_port 80
bad '"not" after "inner" requires "tunnel"' $R tunnel gre or inner not dst_port 80
bad '"not" after "inner" takes a word that "inner" takes, not "tunnel"' \
	$R tunnel gre inner not tunnel gre
bad '"not" after "inner" takes a word that "inner" takes, not ""' $R tunnel gre inner not
bad '"dst_port" requires a value' $R tunnel gre inner not dst_port
bad '"not" cannot stand behind "except"' $R except tunnel gre inner not dst_port 80
bad 'duplicate "dst_port"' $R except dst_port 80 dst_port 90
bad '"except" requires a match word' $R except
bad '"dup" is not a match word, which "except" takes' $R except dup on
bad '"or" stands between match words' $R or dst_port 80
bad '"or" stands between match words' $R not src_ip 10.0.0.1 or dst_port 80
bad '"or" requires a match word' $R dst_port 80 or
bad '"or" is not a match word, which "or" takes' $R dst_port 80 or or dst_port 90
bad '"action" is not a match word, which "or" takes' rule add dst_port 80 or action skip
bad '"not" is not a match word, which "or" takes' $R dst_port 80 or not src_ip 10.0.0.1
bad '"nto" is unknown to "rule add": did you mean "not"?' $R nto dst_port 80
bad '"or" picks no rules: list the values' rule show dst_port 80 or dst_port 90
bad '"or" picks no rules' rule del dst_port 80 or dst_port 90
bad '"no or": give the match words that are to stay, or "no match"' rule set id 3 no or
bad '"no not": "no except" takes all exceptions away' rule set id 3 no not
bad 'duplicate "except"' rule set id 3 no except no except
for v in 'dst_port 80,443' 'src_ip 10.0.0.1 or dst_ip 10.0.0.1' 'not dst_port 22' \
	 'except dst_port 80 ip_proto tcp'; do
	bad 'trace: a frame has one value of each word: no list, "or", "not" or "except"' trace eth0 $v
done
for o in -j --json -s -br -t; do
	bad "\"$o\": options stand before the object" session show $o
	bad "\"$o\": options stand before the object" session show ids $o
	bad "\"$o\": options stand before the object" rule $o
done
bad '"bad.conf" is not an object: option -n took "apply" as its namespace' -n apply bad.conf

# what must be understood
parsed session
parsed session show s
parsed session add ids type erspan2 remote 192.0.2.9 id 100
parsed session add rec type gre remote 2001:db8::9 key 7 snaplen 256 mtu truncate rate 1gbit
parsed session add x type vxlan remote 192.0.2.9 key 5000 dport 4789
parsed session add $long31 type port dev $long15
parsed session add ttl type erspan3 remote ::1 local ::2 index 1 ttl 0xff tos 4 vlan strip \
	seq on subheader off rate 2.5gbit pps 1000 burst 64kib
parsed session set s rate 0
parsed session flush
parsed session flush type gre
parsed rule add pref 10 port 'vnet*' dir both ip_proto tcp dst_port 445 action skip
parsed rule add pref 20 port 'vnet*' dir both src_ip 10.0.0.0/8 action mirror ids,rec
parsed rule add pref 30 master br0 dir ingress filter 'udp port 53 or icmp' \
	action mirror ids sample 10
parsed $R sample flow 10 dup on
parsed $R src_mac 02:00:00:00:00:01/ff:ff:ff:00:00:00 dst_mac FF:FF:FF:FF:FF:FF
parsed $R protocol 0x88cc vlan_id 5 vlan_prio 7
parsed $R protocol 802.1q icmp_type 8 icmp_code 0 ip_flags nofrag,firstfrag
parsed $R src_port 1-1024 dst_port 65535 tcp_flags syn/syn,ack
parsed $R src_port domain-s dst_port https
parsed $R dst_port 80,443,8000-8100 src_ip 10.0.0.0/8,2001:db8::/32
parsed $R dst_port '{ http, https ,8000-8100 }' src_ip '{10.0.0.1}' vlan_id 1,2
parsed $R dst_ip ::1,::2 src_ip ::3 ip_proto tcp,udp protocol ip,ipv6 icmp_type 1,2 tunnel gre,vxlan
parsed $R dst_port "$n256"
parsed $R src_port "$n17" not dst_port "$n64"
parsed $R not src_ip 10.0.0.0/8 not dst_port 80,443 dst_port 22 not dst_port 23
parsed $R except ip_proto tcp dst_port 80,443 dup on except tunnel gre inner vlan_id 7
parsed $R src_ip 10.0.0.1 or dst_ip 10.0.0.1 or ip_proto tcp dst_port ssh or ip_proto udp
parsed $R tunnel vxlan tunnel_key 1,2 inner dst_port 80,443 not src_ip 10.0.0.1,::1
parsed $R tunnel gre inner not ip_proto tcp or tunnel vxlan dst_port 8472 inner vlan_id 1 not src_port 1
parsed rule set id 3 no match no except
parsed rule set id 3 not dst_port 80,443
parsed rule show not dst_port 80 dst_port 443,444
parsed rule del not dst_port 80
parsed capture eth0 dst_port 80,443 not src_ip 10.0.0.1
parsed capture not dst_port 22
parsed $R not vlan_id 1 filter tcp not vlan_id 2 src_ip ::1 or dst_ip ::1
parsed $R ip_proto udp inner ip_proto tcp dst_port ssh src_port domain
parsed $R ip_proto icmp dst_port ssh
parsed $S dport domain
parsed $R tcp_flags 0x12/17 bytecode '1,6 0 0 65535'
parsed $R filter "$text1023"
parsed $R src_ip 2001:db8::1 tunnel vxlan tunnel_key 77 inner src_ip 10.0.0.0/8 dst_port 1-2
parsed rule add port x inner vlan_id 5 protocol arp tunnel gre action mirror a dst_port 8472 pref 1
parsed $S decap on
parsed $S offload on
parsed $S csum on
parsed $S slice l4 +64
parsed $S slice l3 +0 snaplen 128 mask off
parsed $S slice off mask l4
parsed session set s slice l2 +65535 no mask
parsed session set s no slice mask l3
for a in fe80::9 febf::1 ff02::9 ff12::9; do
	parsed $L "$a%up0"
	parsed $L "$a%up0" dev up0
	parsed session add s type gre dev up0 remote "$a%up0"
	parsed session set s remote "$a%up0"
done
parsed $L fe80::9%abcdefghijklmno local fe80::1
parsed $L fe80::9 dev up0
parsed rule set id 3 match any
parsed rule set id 3 no match no port master br0 no sample no filter no dup no action no pref
parsed session set s no key no dev ttl 3 no remote no type
parsed rule set id 3 action skip
parsed rule del id 3
parsed rule del 3
parsed rule set 3 action skip
parsed rule set 3 no port master br0
parsed rule show 3
parsed rule del id 18446744073709551615
parsed rule show id 3
parsed rule flush pref 7
parsed rule del pref 7 dst_port https action skip
parsed rule del port eth0 tap sec
parsed rule show pref 7 src_ip 10.0.0.0/8 inner vlan_id 5 filter tcp
parsed session show dev up0
parsed session show s mtu drop
parsed port show eth0
parsed tap
parsed tap show sec
parsed session add ids tap sec type gre remote 192.0.2.9
parsed session set ids tap sec ttl 3
parsed session set ids tap sec no ttl
parsed session del ids tap sec
parsed session show ids tap sec
parsed session show tap
parsed session show tap sec
parsed session flush tap sec type gre
parsed rule add tap sec pref 10 port x action mirror ids
parsed rule show tap sec
parsed rule flush tap sec pref 7
parsed save tap sec
parsed port show rule
parsed port show rule 3 session s
parsed port show tap sec
parsed port show session s tap sec
parsed rule show session s port eth0
parsed rule show session s tap sec
parsed session show type
parsed session show type gre
parsed session show type gre tap sec
parsed save
parsed monitor
parsed monitor session
parsed monitor ru po
parsed -o -s session
parsed -oneline rule
parsed -br session
parsed --brief rule show pref 3
parsed -t monitor
parsed -ts monitor
}

# files
bad_file "1: \"foo\"" "foo"
bad_file "3: \"ttl\"" $'# comment\n\nsession add a ttl'
bad_file "2: \"1x\"" $'\nsession add a \\\n type gre \\\n ttl 1x'
bad_file "1: no closing '" "session add 'a"
bad_file "1: no closing \"" 'session add "a'
bad_file "2: \"c d\"" $' # "\nsession add a type "c d"\n'
bad_file "1: \"a#b\"" "session add a#b a#b # c"
bad_file "1: \"c\\d'\"" "session add a type 'c\\d'\\'"
bad_file "1: \"c\\e\"\"" 'session add a type "c\e\""'
bad_file "2: session \"a\" is there twice" \
	$'session add a type port\nsession add a type port' apply
bad_file "2: session \"a\" of tap \"x\"" \
	$'session add a type port\nrule add tap x pref 1 port x action mirror a' apply
bad_file "1: session \"b\"" $'rule add pref 1 port x action mirror a,b\nsession add a type port' apply
bad_file "1: \"del\"" "session del a" apply
bad_file "1: \"session\"" "session" apply
bad_file "1: \"port\"" "port show" apply
printf 'session add a\0b\n' >"$tmp/conf"
bad "NUL" apply "$tmp/conf"
printf 'rule show \\\n' >"$tmp/conf"
parsed -b "$tmp/conf"
printf 'rule add foo\nsession add\n' >"$tmp/conf"
run -force -b "$tmp/conf"
[ $rc = 2 ] && [[ $msg == *:1:*$'\n'*:2:* ]]
result $? "-force goes on"
printf 'session add a tap sec type port\nsession add b tap x type port\n' >"$tmp/conf"
bad "$tmp/conf:2: tap \"x\" in a file that is applied to tap \"sec\"" apply tap sec "$tmp/conf"
parsed apply "$tmp/conf"
printf 'session add a tap sec type port\nsession add b type port\n' >"$tmp/conf"
parsed apply tap sec "$tmp/conf"
: >"$tmp/conf"
good "" -b "$tmp/conf"

# files that include others
mkdir "$tmp/d" "$tmp/d/more"
echo "session add a type gre remote 192.0.2.9" >"$tmp/d/more/1.conf"
echo "rule add pref 1 port x action mirror a" >"$tmp/d/more/2.conf"
echo "include 'more/*.conf'" >"$tmp/d/conf"
parsed apply "$tmp/d/conf"
parsed -b "$tmp/d/conf"
echo "include $tmp/d/conf" >"$tmp/conf"
parsed apply "$tmp/conf"
printf 'include more/2.conf\n' >"$tmp/d/conf"
bad "$tmp/d/more/2.conf:1: session \"a\" of tap \"main\" is not in the file" apply "$tmp/d/conf"
printf '\nrule add foo\n' >"$tmp/d/more/2.conf"
bad "$tmp/d/more/2.conf:2: \"foo\"" apply "$tmp/d/conf"
bad "$tmp/d/more/2.conf:2: \"foo\"" -b "$tmp/d/conf"
printf '# one\ninclude more/1.conf\n rule add bar\n' >"$tmp/d/conf"
bad "$tmp/d/conf:3: \"bar\"" apply "$tmp/d/conf"
printf 'include more/1.conf\ninclude more/1.conf\n' >"$tmp/d/conf"
bad "$tmp/d/more/1.conf:1: session \"a\" is there twice" apply "$tmp/d/conf"
bad_file '1: "include" takes one file' "include"
bad_file '1: "include" takes one file' "include a b"
printf 'include conf\n' >"$tmp/d/conf"
bad "$tmp/d/conf:1: include: more than 16 files deep" apply "$tmp/d/conf"
printf '\ninclude none.conf\n' >"$tmp/d/conf"
run apply "$tmp/d/conf"
[ $rc = 1 ] && [[ $msg == "vtap: $tmp/d/conf:2: $tmp/d/none.conf: No such file or directory" ]]
result $? "an included file that does not exist is an error"

# a file without a command would delete everything
nothing="there is no command in it; -force deletes all sessions and rules"
printf '# nothing\ninclude none*.conf\n' >"$tmp/d/conf"
for f in "$tmp/d/conf" /dev/null; do
	bad "$f: $nothing" apply "$f"
	bad "$f: $nothing" -c apply "$f"
	parsed -force apply "$f"
done
bad "stdin: $nothing" apply -

# JSON, as "-j save" writes it; what is wrong is found before the network namespace is looked for
json() { printf '%s\n' "$1" >"$tmp/json"; }
G='"type":"gre","remote":"192.0.2.9"'
json '{"sessions":[{"name":"a",'"$G"',"key":7,"seq":true,"rate":1000000,"seed":18446744073709551615},
 {"name":"b","tap":"sec","type":"port","dev":"up 0"}],
 "rules":[{"pref":1,"port":"v*","action":"mirror","session":["a"],"sample":3,"sample_flow":true},
 {"tap":"sec","pref":2,"mac":"02:00:00:00:00:01","match":{"src_ip":"10.0.0.0","src_ip_len":8,
 "tcp_flags":18,"tcp_flags_mask":18,"dst_port":80,"dst_port_max":90,"ip_proto":6,
 "inner":{"vlan_id":5}},"filter_text":"tcp","action":"mirror","session":["b"]}]}'
parsed apply "$tmp/json"
json '{"rules":[{"pref":1,"port":"x","action":"skip","match":[{"dst_port":80},{"src_ip":"::1","tunnel":
 "gre","inner":{"dst_port":80}},{"tcp_flags":2}],"except":[{"src_ip":"10.0.0.0","src_ip_len":8},
 {"tunnel":"gre","inner":{"vlan_id":1}},{"ip_proto":6}]}]}'
parsed apply "$tmp/json"
json '{}'
bad "$tmp/json: there is no command in it" apply "$tmp/json"
parsed -force apply "$tmp/json"
while IFS='|' read -r text lines; do
	json "$lines"
	bad "$tmp/json$text" apply "$tmp/json"
done <<-END
	:2: no JSON: |{
	:1: no JSON: |{"sessions":[]} x
	:1: no JSON: |{"sessions":[],}
	: "sessions" is not an array|{"sessions":{}}
	: key "session" is neither "sessions" nor "rules"|{"session":[]}
	: sessions[0]: a session is an object|{"sessions":[7]}
	: sessions[0]: a session needs a "name"|{"sessions":[{$G}]}
	: sessions[1]: "ttl" is not a text or a number|{"sessions":[{"name":"a",$G},{"name":"b",$G,"ttl":null}]}
	: sessions[0]: "64k" is not a valid value for "ttl"|{"sessions":[{"name":"a",$G,"ttl":"64k"}]}
	: sessions[0]: key "state" cannot be applied|{"sessions":[{"name":"a",$G,"state":"active"}]}
	: sessions[0]: key "tll" cannot be applied: did you mean "ttl"?|{"sessions":[{"name":"a",$G,"tll":7}]}
	: sessions[0]: session add: "remote" is required|{"sessions":[{"name":"a","type":"gre"}]}
	: rules[0]: key "id" cannot be applied|{"rules":[{"id":1,"pref":1,"port":"x","action":"skip"}]}
	: rules[0]: "match" is neither an object nor an array|{"rules":[{"pref":1,"port":"x","action":"skip","match":7}]}
	: rules[0]: match[1] is not an object with match words|{"rules":[{"match":[{"dst_port":1},{}]}]}
	: rules[0]: match[0] is not an object with match words|{"rules":[{"match":[7]}]}
	: rules[0]: "except" is not an array|{"rules":[{"except":{"dst_port":1}}]}
	: rules[0]: except[0] is not an object with match words|{"rules":[{"except":[[]]}]}
	: rules[0]: key "or" cannot be applied|{"rules":[{"or":"dst_port"}]}
	: rules[0]: key "dst_prot" cannot be applied: did you mean "dst_port"?|{"rules":[{"except":[{"dst_prot":1}]}]}
	: rules[0]: key "vlan" cannot be applied: did you mean "vlan_id"?|{"rules":[{"pref":1,"match":{"vlan":7}}]}
	: rules[0]: "src_ip_len" without "src_ip"|{"rules":[{"pref":1,"port":"x","match":{"src_ip_len":7}}]}
	: rules[0]: "session" is not an array|{"rules":[{"pref":1,"port":"x","action":"mirror","session":"a"}]}
	: rules[0]: session "a" of tap "main"|{"rules":[{"pref":1,"port":"x","action":"mirror","session":["a"]}]}
END
json '{"sessions":[{}]}'
bad_json 'a session needs a \"name\"","where":"'"$tmp/json: sessions[0]" -j apply "$tmp/json"

# colors
bad '"red" is not a valid value for option -color: always, auto or never' -color=red session
bad 'option "-json=x" is unknown' -json=x session
bad 'option -check without apply; for colors, give -color' -c session
for o in -color -co -color=auto --color=never; do parsed $o session; done

# completion, in a shell
completes() { # WORDS EXPECTED: what bash offers for the last word
	# shellcheck disable=SC2016 # the inner shell's
	out=$(bash -c '. "$1/../packaging/vtap.bash"
		read -r -a COMP_WORDS <<<"$2"
		[ "${2% }" = "$2" ] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_vtap
		echo "${COMPREPLY[*]}"' - "$PWD" "$(readlink -f "$vtap") $1")
	rc=0 msg=""
	[ "$out" = "$2" ]
	result $? "completes: $1"
}
completes "s" "session save"
completes "-js" "-json"
completes "--col" "--color"
completes "-j session " "show add set del flush help"
completes "port " "show help"
completes "rule fl" "flush"
completes "session add x mtu " "fragment truncate drop"
completes "ses add x mtu t" "truncate"
completes "session add x type gre sn" "snaplen"
completes "session add x slice " "off l2 l3 l4"
completes "session add x slice l4 mas" "mask"
completes "session add x ttl 7 tt" ""
completes "session add " ""
completes "session set x n" "no"
completes "session set x no key sea" ""
completes "rule add pref 7 act" "action"
completes "rule add pref 7 action " "mirror skip"
completes "rule add ip_proto ud" "udp udplite"
completes "rule show port lo" "lo"
completes "rule add ip_proto tcp,ud" "tcp,udp tcp,udplite"
completes "rule add ip_proto tcp,udp,ic" "tcp,udp,icmp tcp,udp,icmpv6"
completes "rule add ip_proto tcp no" "not"
completes "rule add not ip_p" "ip_proto"
completes "rule add not ip_proto tcp,sc" "tcp,sctp"
completes "rule add not por" ""
completes "rule add not inn" ""
completes "rule add except inn" "inner"
completes "rule add not dst_port 80 dst_po" "dst_port"
completes "rule add dst_port 80 dst_po" ""
completes "rule add dst_port 80 or dst_po" "dst_port"
completes "rule add pref 7 dst_port 80 or src_port 7 pr" "protocol"
completes "rule add dst_port 80 o" "or"
completes "rule show dst_port 80 o" ""
completes "rule set id 3 no exc" "except"
completes "capture eth0 not dst_m" "dst_mac"
completes "rule add inner tcp_" "tcp_flags"
completes "rule flush " "tap pref"
completes "monitor p" "port"
completes "help t" "tap"
completes "top by s" "session"
completes "top -" "-b -n -d"
completes "check " "tap"
completes "capture -" "-w -c -G -W"
completes "capture ip_proto sct" "sctp"
completes "capture -w $tmp/js" "$tmp/json"
completes "trace x dir " "ingress egress"
completes "trace x he" "hex"
completes "trace x ip_proto sct" "sctp"
completes "apply $tmp/js" "$tmp/json"
completes "-b $tmp/js" "$tmp/json"
completes "frobnicate " ""

# -check: without the module, only the words
if [ ! -e /sys/module/vtap ]; then
	run -c apply "$tmp/d/more/1.conf"
	[ $rc = 0 ] && [[ $msg == *"vtap is not loaded: only the words were checked" && $msg != *$'\n'* ]]
	result $? "-check without the module: a good file"
	[ ! -e /sys/module/vtap ]
	result $? "-check does not load the module"
fi
bad "$tmp/d/more/2.conf:2: \"foo\"" -c apply "$tmp/d/more/2.conf"

# save leaves the file when it fails
run -n vtap-test-none save "$tmp/d/more/1.conf"
[ $rc = 1 ] && [ "$(<"$tmp/d/more/1.conf")" = "session add a type gre remote 192.0.2.9" ] &&
	[ "$(echo "$tmp"/d/more/*)" = "$tmp/d/more/1.conf $tmp/d/more/2.conf" ]
result $? "save: an error leaves the file as it was, and nothing beside it"

echo "1..$n"
[ $failed = 0 ] || echo "# $failed of $n failed"
[ $failed = 0 ]
