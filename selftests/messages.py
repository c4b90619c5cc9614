#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a user is told when the kernel is asked and refuses: the object, the value and what may be
given. What the tool refuses by itself is in its own test.sh."""
from lib import (VTAP, NetNS, ksft_eq, ksft_exit, ksft_run, modprobe, sh, vtap_batch, vtap_json)

SETUP = (
    "session add ids type gre remote 192.0.2.9 rate 1mbit burst 64k",
    "session add raw type port dev up0",
    "session add other tap sec type gre remote 192.0.2.9 key 2",
    "rule add pref 10 port vnet0 action mirror ids",
    "rule add pref 20 port vnet* dst_port 80 action mirror raw,ids",
    "rule add tap sec pref 3 port vnet1 action mirror other",
)
GRE = "session add new type gre remote 192.0.2.9 key 9"
RULE = "rule add pref 30 port vnet0"
# the words, and what is said
MESSAGES = (
    # the object is named
    ("session del ids", 'session "ids" is used by rule 1 (pref 10) and 1 more'),
    ("session del raw", 'session "raw" is used by rule 2 (pref 20)'),
    ("session del other tap sec", 'session "other" is used by rule 3 (pref 3)'),
    ("session flush", 'session "ids" is used by rule 1 (pref 10)'),
    ("session flush tap sec", 'session "other" is used by rule 3 (pref 3)'),
    ("session flush type gre", "the session is used by a rule"),
    (f"{RULE} action mirror ids,nosuch", 'session "nosuch": no session has this name'),
    (f"{RULE} action mirror other", 'session "other": the session is of another tap'),
    ("session del nosuch", 'session "nosuch": no session has this name'),
    ("session set nosuch ttl 3", 'session "nosuch": no session has this name'),
    ("session show nosuch", 'session "nosuch": no session has this name'),
    ("session add ids type gre remote 192.0.2.9", "a session with this name exists"),
    ("session show -1", 'session "-1": no session has this name'),
    ("rule show session nosuch", 'session "nosuch": no session has this name'),
    ("rule del 99", "no rule has this id"),
    ("rule set 99 action skip", "no rule has this id"),
    ("rule show 99", "no rule has this id"),
    ("rule show port nosuch", 'port "nosuch": there is no such device'),
    ("rule del port nosuch", 'port "nosuch": there is no such device'),
    ("rule del pref 99", 'no rule of tap "main" has these words'),
    ("rule del 1 pref 99", "the rule does not have these words"),
    ("port show nosuch", 'port "nosuch": there is no such device'),
    ("port show br0", "br0: no rule binds to this device"),
    ("tap show nosuch", 'tap "nosuch": no tap of this name'),
    # ranges
    ("session add e type erspan2 remote 192.0.2.9 id 1024",
     "id: integer out of range: it is 0 to 1023"),
    (f"{GRE} tos 253", "the ECN bits of tos must be 0"),
    (f"{GRE} ttl 0", "ttl: integer out of range: it is 1 to 255"),
    (f"{RULE} vlan_id 5000 action skip", "vlan_id: integer out of range: it is 0 to 4095"),
    (f"{RULE} sample 0 action skip", "sample: integer out of range: it is 1 to 4294967295"),
    # what does not go together
    ("session set ids rate 0", "burst needs a rate"),
    (f"{RULE} protocol arp dst_port 53 action skip",
     "ip_proto, ports, tcp_flags, icmp_type, icmp_code and ip_flags need protocol ip or ipv6"),
    ("rule add pref 30 port vnet0,vnet1 action skip",
     'port "vnet0,vnet1" is one pattern: use a rule for each device, or * ? and [ ]'),
    ("rule add pref 30 port vnet[ action skip",
     'port "vnet[": a [ in port needs its ], or a backslash before it'),
    # which of several matches, and which exception
    (f"{RULE} dst_port 80 or ip_proto icmp src_port 7 action skip",
     "match ip_proto icmp src_port 7: src_port and dst_port need ip_proto tcp, udp, udplite, sctp "
     "or dccp"),
    (f"{RULE} ip_proto tcp,icmp dst_port 80,443 action skip",
     "match ip_proto icmp dst_port 80: src_port and dst_port need ip_proto tcp, udp, udplite, sctp "
     "or dccp"),
    (f"{RULE} dst_port 80 or vlan_id 7 or dst_port 80-80 action skip",
     "match dst_port 80: the same match is given twice"),
    (f"{RULE} not src_ip 10.0.0.1/8,10.0.0.2/8 action skip",
     "except src_ip 10.0.0.0/8: the same except is given twice"),
    (f"{RULE} except protocol arp dst_port 53 action skip",
     "except protocol arp dst_port 53: ip_proto, ports, tcp_flags, icmp_type, icmp_code and "
     "ip_flags need protocol ip or ipv6"),
    (f"{RULE} except inner dst_port 80 action skip",
     "except inner dst_port 80: tunnel_key and inner need a tunnel"),
    (f"{RULE} vlan_id 7,5000 action skip", "vlan_id: integer out of range: it is 0 to 4095"),
    (f"{RULE} not vlan_id 5000 action skip", "vlan_id: integer out of range: it is 0 to 4095"),
    ("rule show 1 port vnet0", 'port "vnet0": this attribute picks objects of a dump'),
    ("rule set 1 no pref", "id, tap, pref and action cannot be unset"),
)


def messages():
    """Every refusal, word for word; nothing is changed by it."""
    with NetNS("say") as ns:
        ns.ip("link add br0 type bridge", "link add vnet0 type dummy", "link add vnet1 type dummy")
        vtap_batch(ns, *SETUP)

        def state():
            return [vtap_json(f"{name} show", ns) for name in ("session", "rule")]

        before = state()
        with ns.enter():
            for words, text in MESSAGES:
                p = sh([VTAP, *words.split()], check=False)
                ksft_eq((p.returncode, p.stdout, p.stderr), (1, "", f"vtap: {text}\n"), words)
            ksft_eq(state(), before, "nothing is changed")


if __name__ == "__main__":
    modprobe("bridge", "dummy")
    ksft_run([messages])
    ksft_exit()
