#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every match word: a frame that just matches is copied, and one that just does not match is not.
Also: which rule decides.

All cases are loaded at once. Each has its own MAC address, which is in its frames and in the match
of its rule. """
import ipaddress
import itertools
import struct
from collections import Counter

from lib import (Sender, Sniffer, Topology, ksft_eq, ksft_exit, ksft_run, ksft_true, mac, modprobe,
                 vtap, vtap_batch, vtap_json)
from lib.layers import (AH, ARP, DCCP, DEST, FRAGMENT, GRE, HOP, ICMP, ICMP6, ROUTING, SCTP, SNAP,
                        TCP, UDP, UDPLITE, both, chain, ext, fragment, frame, geneve, gre, icmp,
                        ports, tag, tcp, udp, v4, v6, vxlan)
from lib.nl import Client

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
LAST = mac("02:ff:00:00:00:ff") + mac(A) + b"\x88\xb5last"


class Case:
    """A rule's match WORDS, frames that are to be copied and frames that are not; each is bytes
    from the EtherType on, or (MAC, bytes). APART: which of the two addresses tells the case from
    others; the other one is MAC. BARE: no further variants with VLAN tags."""
    number = 0

    def __init__(self, words, yes, no, apart="dst", bare=False):
        Case.number += 1
        self.words, self.apart = words, apart
        self.mac = f"02:cc:00:00:{Case.number >> 8:02x}:{Case.number & 255:02x}"
        self.frames = [(f, True) for x in yes for f in self._variants(x, bare)] + \
                      [(f, False) for x in no for f in self._variants(x, bare)]

    def _variants(self, what, bare):
        other, rest = what if isinstance(what, tuple) else (A, what)
        macs = (mac(self.mac) + mac(other)) if self.apart == "dst" else (mac(other) + mac(self.mac))
        tails = [rest] if bare else [rest, tag(5 << 13 | 7, rest), tag(7, tag(9, rest), 0x88a8)]
        return [macs + tail for tail in tails]

    def rule(self, where):
        return f"rule add pref 100 {where} {self.apart}_mac {self.mac} {self.words} action mirror "


def mac_cases():
    """Addresses and masks; the bits that are not asked for are others in the frame."""
    x = "02:ee:01:02:03:04"
    near = ["02:ee:01:02:03:05", "82:ee:01:02:03:04", "02:ee:01:02:83:04", "04:03:02:01:ee:02"]
    masks = (("ff:ff:ff:00:00:00", ["02:ee:01:ff:ff:ff", "02:ee:01:00:00:00"],
              ["02:ee:00:02:03:04", "02:ef:01:02:03:04"]),
             ("00:00:00:00:00:01", ["02:00:00:00:00:10"], ["02:ee:01:02:03:05"]),
             ("80:00:00:00:00:00", ["7e:ff:ff:ff:ff:ff"], ["82:ee:01:02:03:04"]),
             ("0f:0f:0f:0f:0f:0f", ["f2:1e:f1:f2:f3:f4"], ["f2:1e:f1:f2:f3:f5",
                                                           "f2:1d:f1:f2:f3:f4"]),
             ("00:00:00:00:00:00", ["02:00:00:00:00:10", "fe:ff:ff:ff:ff:ff"], []))
    for word, apart, flip in (("src_mac", "dst", 0), ("dst_mac", "src", 4)):
        def other(text, flip=flip):
            # a bridge does not send to where it has seen the address as a source
            return f"{int(text[:2], 16) ^ flip:02x}{text[2:]}"

        def put(texts, other=other):
            return [(other(t), v4(UDP, ports())) for t in texts]

        yield Case(f"{word} {other(x)}", put([x]), put(near), apart)
        for mask, yes, no in masks:
            yield Case(f"{word} {other(x)}/{mask}", put(yes + [x]), put(no), apart)
    yield Case("dst_mac 01:00:00:00:00:00/01:00:00:00:00:00", [("01:00:5e:00:00:01", ARP),
                                                               ("33:33:00:00:00:01", ARP)],
               [("06:00:5e:00:00:01", ARP)], "src")
    yield Case("dst_mac ff:ff:ff:ff:ff:ff", [("ff:ff:ff:ff:ff:ff", ARP)],
               [("ff:ff:ff:ff:ff:fd", ARP)], "src")


def protocol_cases():
    """EtherTypes behind all tags; a length is none."""
    ip, six = v4(UDP, ports()), v6(UDP, ports())
    own = b"\x88\xb5" + bytes(50)
    yield Case("", [ip, six, ARP, SNAP, own], [])
    yield Case("protocol ip", [ip, v4(0), v4(UDP, first=0x65)],
               [six, ARP, SNAP, b"\x00\x08" + bytes(46)])
    yield Case("protocol ipv6", [six, v6(59)], [ip, ARP])
    yield Case("protocol arp", [ARP], [ip, six, SNAP])
    yield Case("protocol 0x88b5", [own], [b"\x88\xb4" + bytes(50), b"\xb5\x88" + bytes(50), SNAP])
    yield Case("protocol 1536", [b"\x06\x00" + bytes(50)], [b"\x05\xff" + bytes(1400),
                                                            b"\x06\x01" + bytes(50), SNAP])
    yield Case("protocol 65535", [b"\xff\xff" + bytes(50)], [b"\xff\xfe" + bytes(50), SNAP])


def vlan_cases():
    """The outermost tag counts, wherever it is; no tag is not VLAN 0."""
    ip = v4(TCP, tcp())
    plain = [ip, ARP, SNAP]

    def tagged(*tcis):
        return [tag(t, rest, tpid) for t in tcis for rest in (ip, ARP, SNAP)
                for tpid in (0x8100, 0x88a8)]

    def double(outer, inner):
        return [tag(outer, tag(inner, ip, t2), t1)
                for t1, t2 in itertools.product((0x8100, 0x88a8), repeat=2)]

    for words, yes, no in (
        ("vlan_id 0", tagged(0, 7 << 13, 1 << 12) + double(0, 5), plain + tagged(1, 2048) +
         double(5, 0)),
        ("vlan_id 1", tagged(1, 0xf001), plain + tagged(0, 3, 257)),
        ("vlan_id 7", tagged(7) + double(7, 9) + double(0xf007, 9), plain + tagged(9, 6) +
         double(9, 7)),
        ("vlan_id 4094", tagged(4094, 0xfffe), plain + tagged(4093, 4095, 2046)),
        ("vlan_id 4095", tagged(4095), plain + tagged(4094)),
        ("vlan_prio 0", tagged(0, 5, 0x1fff), plain + tagged(1 << 13, 4 << 13 | 5)),
        ("vlan_prio 7", tagged(7 << 13, 0xffff), plain + tagged(6 << 13, 3 << 13 | 7)),
        ("vlan_prio 3", double(3 << 13 | 1, 5 << 13 | 1), double(5 << 13 | 1, 3 << 13 | 1)),
        ("vlan_id 100 vlan_prio 5", tagged(5 << 13 | 100, 0xb064),
         tagged(100, 5 << 13 | 101, 4 << 13 | 100)),
        ("vlan_id 5 protocol ip", [tag(5, ip)] + double(5, 6), [ip, tag(5, ARP), tag(6, ip),
                                                                tag(5, SNAP)]),
        ("vlan_id 5 ip_proto tcp dst_port 80", [tag(5, ip)] + double(5, 6),
         [ip, tag(5, v4(TCP, tcp(dport=81)))])):
        yield Case(words, yes, no, bare=True)


def prefix_case(word, net):
    """First and last address of NET are copied, those just outside are not."""
    n = ipaddress.ip_network(net)
    make = v4 if n.version == 4 else v6
    other = v6 if n.version == 4 else v4

    def frame(number):
        return make(UDP, ports(), **{word[:3]: str(type(n.network_address)(number))})

    lo, hi = int(n.network_address), int(n.broadcast_address)
    top = (1 << n.max_prefixlen) - 1
    yes = {lo, hi, lo + (hi - lo) // 2}
    no = {x for x in (lo - 1, hi + 1) if 0 <= x <= top} | ({lo ^ 1 << n.max_prefixlen - n.prefixlen}
                                                           if n.prefixlen else set())
    return Case(f"{word} {net}", [frame(x) for x in yes], [frame(x) for x in no] +
                [other(UDP, ports()), ARP])


def address_cases():
    """Prefixes of even and odd lengths, of either family."""
    nets = ["0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/8", "10.128.0.0/9", "172.16.0.0/12",
            "192.168.128.0/17", "192.0.2.128/25",
            "192.0.2.2/31", "10.0.0.1/32", "255.255.255.255/32", "::/0", "8000::/1", "2000::/3",
            "2001:da8::/31",
            "2001:db8::/32", "2001:db8:8000::/33", "2001:db8:0:2::/63", "2001:db8:0:2::/64",
            "2001:db8:0:2:8000::/65",
            "2001:db8::a00:0/104", "2001:db8::2/127", "2001:db8::1/128", "::/128"]
    for word, net in itertools.product(("src_ip", "dst_ip"), nets):
        yield prefix_case(word, net)
    yield Case("src_ip 10.0.0.1 dst_ip 10.0.1.0/24", [v4(GRE, dst="10.0.1.255")],
               [v4(GRE), v4(GRE, src="10.0.0.3", dst="10.0.1.1"),
                v4(GRE, src="10.0.1.2", dst="10.0.0.1")])
    yield Case("src_ip 2001:db8::/32 dst_ip 2001:db8::2", [v6(GRE)],
               [v6(GRE, src="2001:db9::"), v6(GRE, dst="2001:db8::3"),
                v6(GRE, src="2001:db8::2", dst="2001:db8::1")])
    # the same bits in the other family
    yield Case("src_ip 10.0.0.0/8", [v4(UDP)], [v6(UDP, src="a00:1::"), v6(UDP, src="::10.0.0.1"),
                                                ARP])
    yield Case("src_ip a00::/8", [v6(UDP, src="a00:1::")], [v4(UDP)])
    yield Case("src_ip 10.0.0.9/8 protocol ip", [v4(UDP, src="10.9.9.9")],
               [v4(UDP, src="11.0.0.9")])


def proto_cases():
    """Protocol numbers, and next headers behind extension headers."""
    for number in (0, TCP, UDP, 255):
        other = UDP if number != UDP else TCP
        yield Case(f"ip_proto {number}", [v4(number), v4(number, frag=0x2001)] +
                   ([v6(number)] if number else []), [v4(other), v6(other), ARP, SNAP,
                                                      v4(number, first=0x44),
                                                      v6(number, version=4)])
    for kinds in ((HOP,), (ROUTING,), (DEST,), (AH,), (FRAGMENT,), (HOP, ROUTING, DEST, AH),
                  (HOP, DEST, ROUTING, FRAGMENT, DEST),
                  (DEST,) * 8):
        yield Case("ip_proto tcp src_port 4321 dst_port 80 tcp_flags syn",
                   [chain(*kinds, l4=tcp(2, 4321))], [chain(*kinds, l4=tcp(2, 4320)),
                                                      chain(*kinds, l4=tcp(18, 4321)),
                                                      chain(*kinds, proto=UDP, l4=ports(4321))])
        yield Case("ip_proto icmpv6 icmp_type 128", [chain(*kinds, proto=ICMP6, l4=icmp(128))],
                   [chain(*kinds, proto=ICMP6, l4=icmp(129)),
                    chain(*kinds, proto=ICMP, l4=icmp(128))])
    yield Case("ip_proto ah", [v4(AH, ext(AH, TCP, tcp()))], [chain(AH, l4=tcp()), v4(TCP)])
    yield Case("ip_proto 59", [v6(59), chain(HOP, proto=59)], [v6(TCP)])
    yield Case("ip_proto esp", [v4(50, bytes(20)), v6(50, bytes(20)),
                                chain(HOP, proto=50, l4=bytes(20))], [v4(AH), chain(AH)])


def port_cases():
    """Ports and ranges at their edges, of all five protocols."""
    for proto in (TCP, UDP, UDPLITE, SCTP, DCCP):
        def to(sport, dport, proto=proto):
            return both(proto, ports(sport, dport))
        none = both(GRE, ports(1024, 80)) + [ARP]
        yield Case(f"ip_proto {proto} src_port 4660", to(0x1234, 1),
                   to(0x3412, 1) + to(0x1235, 0x1234) + to(0x1233, 1) + none)
        yield Case(f"ip_proto {proto} dst_port 100-200", to(9, 100) + to(9, 200) + to(9, 150),
                   to(100, 99) + to(100, 201) + to(100, 0) + to(100, 65535) + none)
    none = both(GRE, ports(0, 0)) + [v4(ICMP, icmp(0)), v6(ICMP6, icmp(0)), ARP, SNAP,
                                     v4(UDP, ports(0, 0), frag=1),
                                     v4(UDP, b"\0\0\0"),
                                     v6(FRAGMENT, fragment(UDP, ports(0, 0), offset=1))]

    def udp(sport, dport):
        return both(UDP, ports(sport, dport))

    yield Case("src_port 0", udp(0, 1), udp(1, 0) + none)
    yield Case("dst_port 65535", udp(0, 65535), udp(65535, 65534) + udp(1, 32767) + none)
    yield Case("src_port 0-65535", udp(0, 0) + udp(65535, 65535), none)
    yield Case("dst_port 0-65535", udp(0, 0) + udp(65535, 65535), none)
    yield Case("src_port 0-0 dst_port 1-65535", udp(0, 1) + udp(0, 65535), udp(0, 0) + udp(1, 1) +
               none)
    yield Case("src_port 65534-65535", udp(65534, 0) + udp(65535, 0), udp(65533, 65535) + none)
    yield Case("src_port 255-256 dst_port 80", udp(255, 80) + udp(256, 80),
               udp(254, 80) + udp(257, 80) + udp(255, 81))
    yield Case("src_port 80 dst_port 255-256", udp(80, 255) + udp(80, 256),
               udp(80, 254) + udp(80, 257) + udp(81, 255))
    yield Case("src_port 10-20 dst_port 30-40", udp(10, 40) + udp(20, 30),
               udp(9, 30) + udp(21, 40) + udp(10, 29) + udp(20, 41))
    yield Case("src_ip 10.0.0.1 dst_port 53", [v4(p, ports(9, 53)) for p in (TCP, UDP)],
               [v4(UDP, ports(53, 9)), v4(UDP, ports(9, 53), src="10.0.0.3"),
                v6(UDP, ports(9, 53))])


def flag_cases():
    """TCP flags and masks; no flags is not no TCP."""
    none = both(UDP, tcp(0)) + [v4(TCP, tcp(0), frag=1), ARP, v4(TCP, tcp(0)[:13])]

    def bits(*values):
        return [f for v in values for f in both(TCP, tcp(v))]

    for words, yes, no in (("syn", (2,), (0, 0x12, 0x102, 0x802, 3)),
                           ("syn,ack", (0x12,), (2, 0x10, 0x13)),
                           ("syn/0x012", (2, 3, 0xfef), (0, 0x12, 0x10, 0xfff)),
                           ("0x0", (0,), (1, 0x100, 0x800)),
                           ("0xfff", (0xfff,), (0xffe, 0x7ff, 0xeff)),
                           ("0x800/0x800", (0x800, 0xfff), (0x7ff, 0)),
                           ("0x100/0x100", (0x100,), (0xeff,)), ("0x5/0x5", (5, 0xfff), (1, 4, 0)),
                           ("0x0/0x0", (0, 0xfff), ()), ("0x0/0x004", (0, 0xffb), (4, 0xfff))):
        yield Case(f"tcp_flags {words}", bits(*yes), bits(*no) + none)


def icmp_cases():
    """Types and codes of ICMP and ICMPv6; neither counts in the other's IP."""
    none = both(UDP, icmp(0)) + [v4(ICMP6, icmp(0)), v6(ICMP, icmp(0)), v4(ICMP, icmp(0), frag=1),
                                 ARP, v4(ICMP, b"\0")]
    for words, yes, no in (
        ("icmp_type 0", both(ICMP, icmp(0, 9), ICMP6), both(ICMP, icmp(1), ICMP6) + none),
        ("icmp_type 255", both(ICMP, icmp(255), ICMP6), both(ICMP, icmp(254, 255), ICMP6)),
        ("icmp_code 0", both(ICMP, icmp(8), ICMP6), both(ICMP, icmp(0, 1), ICMP6) + none),
        ("icmp_code 255", both(ICMP, icmp(8, 255), ICMP6), both(ICMP, icmp(255, 127), ICMP6)),
        ("icmp_type 3 icmp_code 4", both(ICMP, icmp(3, 4), ICMP6),
         both(ICMP, icmp(4, 3), ICMP6) + both(ICMP, icmp(3, 5), ICMP6)),
        ("ip_proto icmp icmp_type 8", [v4(ICMP, icmp(8))], [v6(ICMP6, icmp(8)), v4(ICMP, icmp(9)),
                                                            v6(ICMP, icmp(8))]),
        ("ip_proto icmpv6 icmp_type 8", [v6(ICMP6, icmp(8))], [v4(ICMP, icmp(8)),
                                                               v4(ICMP6, icmp(8)),
                                                               v6(ICMP6, icmp(9))]),
        ("protocol ip icmp_type 8", [v4(ICMP, icmp(8))], [v6(ICMP6, icmp(8))]),
    ):
        yield Case(words, yes, no)


def fragment_cases():
    """Fragments of both families; an IPv6 packet with a fragment header is one even when it is
    whole."""
    u = ports(1024, 53)
    whole = [v4(UDP, u), v4(UDP, u, frag=0x4000), v4(UDP, u, frag=0x8000), v6(UDP, u),
             chain(HOP, proto=UDP, l4=u)]
    first = [v4(UDP, u, frag=0x2000), v4(UDP, u, frag=0x6000), v6(FRAGMENT, fragment(UDP, u)),
             v6(FRAGMENT, fragment(UDP, u, more=0)), chain(HOP, FRAGMENT, DEST, proto=UDP, l4=u)]
    later = [v4(UDP, u, frag=0x2001), v4(UDP, u, frag=1), v4(UDP, u, frag=0x1fff),
             v4(UDP, u, frag=0x100),
             v6(FRAGMENT, fragment(UDP, u, 1)), v6(FRAGMENT, fragment(UDP, u, 8191, 0)),
             v6(HOP, ext(HOP, FRAGMENT, fragment(UDP, u, 1, 0)))]
    none = [ARP, SNAP, v4(UDP, first=0x44), v4(UDP, first=0x65)]
    for words, yes, no in (
        ("ip_flags frag", first + later, whole + none), ("ip_flags nofrag", whole,
                                                         first + later + none),
        ("ip_flags firstfrag", first, whole + later + none), ("ip_flags nofirstfrag", whole + later,
                                                              first + none),
        ("ip_flags frag,firstfrag", first, whole + later), ("ip_flags frag,nofirstfrag", later,
                                                            whole + first),
        ("ip_flags nofrag,nofirstfrag", whole, first + later + none),
        ("dst_port 53", whole + first, later), ("dst_port 0-65535", whole + first, later),
        ("ip_proto udp", whole + first + later, none), ("ip_proto udp dst_port 53 ip_flags frag",
                                                        first, whole + later)):
        yield Case(words, yes, no)


TUNNELS = {"vxlan": (UDP, vxlan), "geneve": (UDP, geneve), "gre": (GRE, gre)}


def tunnel_cases():
    """Tunnel headers and their keys, at their ports or others."""
    t = frame(v4(TCP, tcp()))
    right = {name: [p for key in (0, 77, 0xffffff) for p in both(proto, make(t, key))]
             for name, (proto, make) in TUNNELS.items()}
    for name, (proto, make) in TUNNELS.items():
        others = [p for other, frames in right.items() if other != name for p in frames]
        later = [v4(proto, make(t), frag=1), v6(FRAGMENT, fragment(proto, make(t), 1))]
        first = [v4(proto, make(t), frag=0x2000), v6(FRAGMENT, fragment(proto, make(t)))]
        none = later + both(UDP if proto == GRE else GRE,
                            make(t)) + both(proto, make(t)[:7]) + [ARP, SNAP, v4(TCP, tcp())]
        yield Case(f"tunnel {name}", right[name] + first, others + none)
        for key, near in ((77, (76, 78, 0, 77 << 8, 76 + 65536)), (0, (1, 1 << 23)),
                          (0xffffff, (0xfffffe, 0x7fffff))):
            yield Case(f"tunnel {name} tunnel_key {key}", both(proto, make(t, key)),
                       [p for k in near for p in both(proto, make(t, k & 0xffffff))] + others)
    yield Case("tunnel vxlan tunnel_key 77", both(UDP, vxlan(t, 77, 0x88ffffff, 255)),
               [p for f in (0, 0xf7000000, 0x0c000000, 0x80000000)
                for p in both(UDP, vxlan(t, 77, f))])
    yield Case("tunnel geneve tunnel_key 77", [p for n in (1, 30, 63)
                                               for p in both(UDP, geneve(t, opts=bytes(4 * n)))] +
               both(UDP, geneve(b"", proto=0x880b)), [p for first in (0x40, 0x80, 0xff)
                                                      for p in both(UDP, geneve(t, first=first))])
    odd = [gre(t, **kw) for kw in ({"csum": True}, {"seq": True}, {"csum": True, "seq": True},
                                   {"proto": 0x880b}, {"proto": 0})]
    bad = [gre(t, flags=f) for f in (0x4000, 1, 7)] + [struct.pack(f"!HH{n}I", flags, 0x6558,
                                                                   *[77] * n)
                                                       for n, flags in ((0, 0x2000), (1, 0xa000))]
    keyless = [gre(t, None), gre(t, None, seq=True), gre(t, None, 0x88be), gre(t, None, 0x22eb)]
    yield Case("tunnel gre tunnel_key 77", [p for g in odd for p in both(GRE, g)],
               [p for g in bad + keyless for p in both(GRE, g)])
    yield Case("tunnel gre tunnel_key 0", both(GRE, gre(t, 0)),
               [p for g in keyless for p in both(GRE, g)])
    yield Case("tunnel gre tunnel_key 4294967295", both(GRE, gre(t, 0xffffffff)),
               both(GRE, gre(t, 0x7fffffff)))
    yield Case("tunnel gre", [p for g in odd + keyless for p in both(GRE, g)],
               [p for g in bad[:3] for p in both(GRE, g)])
    other = both(UDP, vxlan(t, dport=8472))
    yield Case("tunnel vxlan dst_port 8472", other, right["vxlan"] +
               both(UDP, vxlan(t, dport=8473)))
    yield Case("tunnel vxlan dst_port 4789-8472 tunnel_key 77", other + both(UDP, vxlan(t)),
               both(UDP, vxlan(t, dport=8473)))
    yield Case("tunnel geneve dst_port 4789", both(UDP, geneve(t, dport=4789)), right["geneve"])
    yield Case("tunnel vxlan src_port 9 src_ip 10.0.0.1", [v4(UDP, udp(4789, vxlan(t)[8:], 9))],
               both(UDP, vxlan(t)))


def inner_cases():
    """Words of the frame inside, not of the one around it; behind tags and options, and without an
    Ethernet header."""
    def case(words, yes, no):
        for name, (proto, make) in TUNNELS.items():
            yield Case(f"tunnel {name} inner {words}",
                       [p for rest in yes for p in both(proto, make(frame(rest)))],
                       [p for rest in no for p in both(proto, make(frame(rest)))] +
                       [v4(TCP, tcp()), v4(UDP, ports())])

    web, dns = both(TCP, tcp(2, 9, 80)), both(UDP, ports(9, 53))
    yield from case("protocol ip", [web[0], tag(5, web[0])], [web[1], ARP, SNAP])
    yield from case("ip_proto tcp dst_port 80", web + [tag(5, web[0]),
                                                       tag(5, tag(6, web[1]), 0x88a8)],
                    dns + both(TCP, tcp(2, 80, 81)) + [v4(TCP, tcp(), frag=1), ARP])
    yield from case("dst_port 50-60 src_port 9", dns, web + both(UDP, ports(9, 61)) +
                    both(UDP, ports(8, 53)))
    yield from case("src_ip 10.0.0.0/31 tcp_flags syn/syn", [web[0]],
                    [web[1], v4(TCP, tcp(2), src="10.0.0.2"), v4(TCP, tcp(0x10)), v4(UDP, ports())])
    yield from case("dst_ip 2001:db8::2 ip_proto udp",
                    [dns[1], chain(HOP, DEST, proto=UDP, l4=ports())], [dns[0], web[1]])
    yield from case("vlan_id 5 vlan_prio 3", [tag(0x6005, ARP), tag(0x6005, tag(6, web[0]))],
                    [ARP, tag(5, ARP), tag(0x6006, ARP)])
    yield from case("icmp_type 8", both(ICMP, icmp(8), ICMP6), both(ICMP, icmp(0), ICMP6) + web)
    yield from case("ip_flags frag", [v4(UDP, ports(), frag=0x2000), v4(UDP, ports(), frag=9)],
                    web + [ARP])
    for name, (proto, make) in TUNNELS.items():
        at = both(proto, make(frame(ARP)))
        wrong = both(proto, make(frame(ARP, src="02:aa:00:00:00:03", dst="02:aa:00:00:00:01")))
        yield Case(f"tunnel {name} inner src_mac 02:aa:00:00:00:01", at, wrong)
        yield Case(f"tunnel {name} tunnel_key 77 inner dst_mac 02:aa:00:00:00:00/ff:ff:ff:ff:ff:fc",
                   at + wrong, both(proto, make(frame(ARP, "02:aa:00:00:00:04"))) +
                   both(proto, make(frame(ARP), 78)))
    two = [v4(GRE, gre(frame(v4(UDP, vxlan(frame(web[0]))))))]
    yield Case("tunnel gre inner ip_proto udp dst_port 4789", two, both(GRE, gre(frame(web[0]))))
    yield Case("tunnel gre inner dst_port 80", both(GRE, gre(frame(web[0]))), two)
    yield from odd_cases(web[0])


def odd_cases(web):
    """Options, checksums, ERSPAN, bare IP packets, and what is none of what it should be."""
    t, seven = frame(web), web[2:]
    erspan = gre(b"\x10" + bytes(7) + t, None, 0x88be, seq=True), gre(t, None, 0x88be), \
        gre(b"\x20" + bytes(11) + t, None, 0x22eb, seq=True), \
        gre(b"\x20" + bytes(10) + b"\1" + bytes(8) + t, None, 0x22eb, seq=True)
    optional = [gre(t, k, csum=c, seq=s)
                for k, c, s in itertools.product((None, 5), (False, True), (False, True))]
    bare = [gre(seven, None, 0x800), gre(seven, 5, 0x800, seq=True),
            gre(v6(TCP, tcp(2, 9, 80))[2:], None, 0x86dd)]
    none = [gre(seven, None, 0x86dd), gre(seven, None, 0x880b), gre(t, None, 0x800), gre(t[:20]),
            gre(b""), gre(b"", None, 0x800)]
    yield Case("tunnel gre inner dst_port 80", [p for g in (*erspan, *optional, *bare)
                                                for p in both(GRE, g)],
               [p for g in none for p in both(GRE, g)])
    yield Case(f"tunnel gre inner src_mac {A} protocol ip", both(GRE, bare[0]), both(GRE, bare[2]) +
               both(GRE, gre(t)))
    yield Case("tunnel geneve inner dst_port 80",
               [p for n in (0, 1, 63) for p in both(UDP, geneve(t, opts=b"\xff" * 4 * n))] +
               both(UDP, geneve(seven, proto=0x800)), both(UDP, geneve(t, first=1)) +
               both(UDP, geneve(t, first=63)) + both(UDP, geneve(t, proto=0x800)))
    # the outer packet says where it ends: what lies behind is padding
    low = len(vxlan(t))
    ends = [v4(UDP, vxlan(t), total=20 + n) for n in (low - 17, 16, 1)] + \
           [v6(UDP, vxlan(t), length=n) for n in (low - 17, 16, 1)] + \
           [v4(UDP, udp(4789, vxlan(t)[8:], length=n)) for n in (low - 17, 16, 8, 1)]
    yield Case("tunnel vxlan inner dst_port 80", both(UDP, vxlan(t)) +
               [v4(UDP, vxlan(t), total=n) for n in (0, 65535)] +
               [v4(UDP, udp(4789, vxlan(t)[8:], length=n)) for n in (0, 65535)], ends)


def cut_tunnel_cases():
    """Tunnels cut at every byte."""
    t = frame(v4(TCP, tcp(2, 1024, 80)))
    for words, packet, header in (
        ("vxlan", v4(UDP, vxlan(t)), 38), ("vxlan", v6(UDP, vxlan(t)), 58),
        ("geneve", v4(UDP, geneve(t, opts=bytes(8))), 46),
        ("gre", v4(GRE, gre(t)), 30),
        ("gre", v4(GRE, gre(b"\x20" + bytes(10) + b"\1" + bytes(8) + t, 7, 0x22eb, seq=True)), 54),
    ):
        yield cut_case(f"tunnel {words} inner protocol ip", packet, header + 14)
        yield cut_case(f"tunnel {words} inner ip_proto tcp", packet, header + 34)
        yield cut_case(f"tunnel {words} inner dst_port 0-65535", packet, header + 38)
        yield cut_case(f"tunnel {words} inner tcp_flags syn", packet, header + 48)
    yield cut_case("tunnel vxlan", v4(UDP, vxlan(t)), 38)
    yield cut_case("tunnel geneve tunnel_key 77", v6(UDP, geneve(t, opts=bytes(8))), 58)
    yield cut_case("tunnel gre", v4(GRE, gre(t)), 30)
    yield cut_case("tunnel gre", v4(GRE, gre(t, None)), 26)
    yield cut_case("tunnel gre inner dst_port 80", v4(GRE, gre(v4(TCP, tcp())[2:], None, 0x800)),
                   50)


def lying_cases():
    """Odd header lengths are followed, lengths that lie lead nowhere."""
    decoy = ports(1, 80) * 3
    right = [v4(UDP, ports(1, 53), opts=decoy[:4 * n]) for n in range(1, 11)]
    beyond = [v4(UDP, ports(1, 53), first=0x4f), v4(UDP, ports(1, 53), first=0x49)]
    small = [v4(UDP, ports(1, 53), first=0x40 + n) for n in range(5)] + \
            [v4(UDP, ports(1, 53), first=v << 4 | 5) for v in (0, 3, 5, 6, 15)]
    yield Case("dst_port 53", right, beyond + small)
    yield Case("dst_port 80", [], right + small)
    yield Case("dst_port 0-65535", right, beyond + small)
    yield Case("src_ip 10.0.0.1 ip_proto udp", right + beyond, small)
    yield Case("ip_flags nofrag", right + beyond, small)
    yield Case("protocol ip", right + beyond + small, [])
    totals = [v4(UDP, ports(1, 53), total=n) for n in (0, 19, 20, 65535)] + \
             [v6(UDP, ports(1, 53), length=n) for n in (0, 1, 65535)]
    yield Case("dst_port 53", totals, [])
    far = [v6(k, ext(k, UDP, ports(1, 53), length=n)) for k in (HOP, ROUTING, DEST)
           for n in (3, 128, 255)] + [v6(AH, ext(AH, UDP, ports(1, 53), length=255))]
    yield Case("dst_port 53", [v6(HOP, ext(HOP, UDP, ports(1, 53)))], far)
    yield Case("dst_port 0-65535", [], far)
    yield Case("ip_proto udp", far, [v6(k, version=v) for k in (HOP, UDP) for v in (0, 4, 5, 7)])
    yield Case("dst_port 53", [], [v6(HOP, ext(HOP, HOP, b"") * 170)] +
               [v6(AH, ext(AH, UDP, ports(1, 53), length=n)) for n in (0, 3, 5)])
    # more tags than anybody has
    yield Case("vlan_id 8",
               [tag(8, tag(9, tag(9, tag(9, tag(9, tag(9, tag(9, v4(UDP, ports()))))))))], [],
               bare=True)


def cut_case(words, frame, need):
    """FRAME cut at every byte: from NEED on the words are told. (A tag wants two bytes behind the
    EtherType, or the stack drops the frame before anybody sees it.)"""
    return Case(words, [frame[:n] for n in range(max(need, 4), len(frame) + 1)],
                [frame[:n] for n in range(2, need)])


def cut_cases():
    """A frame cut anywhere matches what it still has, and nothing beyond its end."""
    yield Case("protocol ip", [b"\x08\x00", b"\x08\x00\x45"], [b"\x86\xdd"], bare=True)
    # offsets are from the EtherType on
    frame = v4(TCP, tcp(2, 1024, 80))
    for words, need in (("protocol ip", 2), ("src_ip 10.0.0.0/8", 22), ("dst_ip 10.0.0.2", 22),
                        ("ip_proto tcp", 22),
                        ("ip_flags nofrag", 22), ("src_port 1024", 26), ("dst_port 80", 26),
                        ("dst_port 0-65535", 26),
                        ("tcp_flags syn", 36), ("tcp_flags 0x0/0x0", 36)):
        yield cut_case(words, frame, need)
    frame = v6(HOP, ext(HOP, TCP, tcp(2, 1024, 80)))
    for words, need in (("src_ip 2001:db8::1", 42), ("ip_proto tcp", 44), ("dst_port 80", 54),
                        ("src_port 0-65535", 54),
                        ("tcp_flags syn", 64)):
        yield cut_case(words, frame, need)
    yield cut_case("ip_flags frag", v6(FRAGMENT, fragment(UDP, ports())), 50)
    yield cut_case("src_port 1024 dst_port 80", v4(UDP, ports()), 26)
    yield cut_case("icmp_type 8", v4(ICMP, icmp(8)), 24)
    yield cut_case("icmp_code 0", v6(ICMP6, icmp(8)), 44)
    yield cut_case("dst_port 80", v4(UDP, ports(), opts=bytes(40)), 66)
    yield cut_case("ip_proto udp", v6(AH, ext(AH, UDP, ports())), 44)


def inner(copy):
    """Return: (GRE key, inner frame) of a captured copy, (None, frame) of anything else."""
    if copy[12:14] == b"\x08\x00" and copy[23] == GRE and copy[34:38] == b"\x20\x00\x65\x58":
        return struct.unpack("!I", copy[38:42])[0], bytes(copy[42:])
    return None, bytes(copy)


def copies(rx, last, key):
    """Return: what came to RX before the copy of frame LAST with KEY, by key."""
    got = {1: [], 2: [], 3: [], None: []}
    for copy in rx.until(lambda f: inner(f) == (key, last)):
        k, frame = inner(copy)
        got[k].append(frame)
    return got


def check(cases, where, got, times=1):
    """Report whether of each case's frames, sent so many TIMES, the right ones were copied, and
    once each time."""
    got = Counter(got)
    for case in cases:
        wrong = [("not copied" if want else "copied", got[f], f.hex()) for f, want in case.frames
                 if got[f] != want * times]
        ksft_true(not wrong, f"{where}: {case.words or 'every frame'}",
                  lambda w=wrong: "\n".join(map(str, w[:6])))
        for f, _ in case.frames:
            got.pop(f, None)
    ksft_eq(list(got), [], f"{where}: nothing else is copied")


def drive(cases):
    """CASES at ingress and egress of bridge ports, then at egress with the tags still in the
    frame."""
    with Topology() as t, Sender(t.a, "eth0") as vm, Sender(t.host, "vnet1") as port, \
            Sniffer(t.col, "eth0") as rx:
        places = (("port vnet0 dir ingress", "s1"), ("port vnet1 dir egress", "s2"))
        last = "port vnet1 dir egress dst_mac 02:ff:00:00:00:ff action mirror s2"
        vtap_batch(t.host, *[f"session add s{key} type gre remote {t.IP4['col']} key {key}"
                             for key in (1, 2)],
                   *[c.rule(at) + to for at, to in places for c in cases],
                   f"rule add pref 100 {last}")
        frames = [f for c in cases for f, _ in c.frames]
        vm.send(*frames, LAST)
        got = copies(rx, LAST, 2)
        check(cases, "ingress", got[1])
        check(cases, "egress", got[2])
        # the second time, the verdict may come from a cache
        port.send(*[f for f in frames for _ in range(2)], LAST)
        got = copies(rx, LAST, 2)
        check(cases, "in-band, twice", got[2], 2)
        ksft_eq(got[1] + got[None], [], "in-band, twice: nothing passes the other port")


def words_l2():
    """Addresses, EtherTypes, VLAN tags."""
    drive([*mac_cases(), *protocol_cases(), *vlan_cases()])


def words_ip():
    """Prefixes, protocols, fragments."""
    drive([*address_cases(), *proto_cases(), *fragment_cases()])


def words_l4():
    """Ports, TCP flags, ICMP."""
    drive([*port_cases(), *flag_cases(), *icmp_cases()])


def lengths():
    """Frames that are cut, and frames that lie about lengths."""
    drive([*lying_cases(), *cut_cases()])


def tunnels():
    """What is around a tenant's frame, and the frame."""
    drive([*tunnel_cases(), *inner_cases()])


def tunnel_lengths():
    """Tunnels that are cut."""
    drive(list(cut_tunnel_cases()))


class Bench:
    """Sessions s1, s2, s3 of these keys, and a rule before all others that copies the LAST frame to
    s3."""

    def __init__(self):
        self.t = Topology()
        self.rx = Sniffer(self.t.col, "eth0")
        self.tx = {"a": Sender(self.t.a, "eth0"), "b": Sender(self.t.b, "eth0")}
        vtap_batch(self.t.host, *([f"session add s{key} type gre remote {self.t.IP4['col']} key "
                                   f"{key}" for key in (1, 2, 3)] + ["rule add pref 0 port vnet0 "
                                                                     "dir ingress dst_mac "
                                                                     "02:ff:00:00:00:ff action "
                                                                     "mirror s3"]))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for end in (*self.tx.values(), self.rx, self.t):
            end.__exit__()

    def frame(self, src="a", dport=80):
        """Return: a frame from SRC to the other VM's side of the bridge."""
        dst = {"a": "02:00:00:00:01:0b", "b": "02:00:00:00:01:0a"}[src]
        return mac(dst) + mac(Topology.MAC[src]) + v4(UDP, ports(1, dport))

    def rules(self, *lines):
        """Put rules in the place of those there were; return their ids."""
        ids = [r["id"] for r in vtap_json("rule show", self.t.host) if r["pref"]]
        vtap_batch(self.t.host, *([f"rule del id {i}" for i in ids] +
                                  [f"rule add {line}" for line in lines]))
        return [r["id"] for r in vtap_json("rule show", self.t.host) if r["pref"]]

    def keys(self, *frames):
        """Send (VM, frame)s; return for each the keys it was copied with, in order."""
        for vm, frame in frames:
            self.tx[vm].send(frame)
        self.tx["a"].send(LAST)
        got = copies(self.rx, LAST, 3)
        return [[k for k in (1, 2, 3, None) for f in got[k] if f == frame] for _, frame in frames]

    def eq(self, name, frames, want):
        ksft_eq(self.keys(*frames), want, name)


def order():
    """Lower pref first, equal ones by creation; skip ends the search; changes take effect with the
    next frame."""
    with Bench() as b:
        web, dns = ("a", b.frame(dport=80)), ("a", b.frame(dport=53))
        new = [b.frame(dport=1000 + i) for i in range(8)]
        b.eq("no rule, no copy", [web, dns], [[], []])
        b.rules("pref 20 port vnet0 action mirror s2",
                "pref 10 port vnet0 dst_port 80 action mirror s1")
        b.eq("lower pref decides", [web, dns], [[1], [2]])
        first, second = b.rules("pref 10 port vnet0 action mirror s1",
                                "pref 10 port vnet0 action mirror s2")
        b.eq("of equal pref the older one decides", [web], [[1]])
        vtap(f"rule set id {first} pref 11", b.t.host)
        b.eq("until it is moved back", [("a", new[0])], [[2]])
        vtap(f"rule set id {first} pref 10", b.t.host)
        b.eq("and again when it comes back", [("a", new[1])], [[1]])
        vtap(f"rule set id {first} src_ip 10.9.9.9", b.t.host)
        b.eq("a rule that was changed not to match lets the next one decide", [("a", new[2])],
             [[2]])
        vtap(f"rule set id {first} match any action skip", b.t.host)
        b.eq("a rule that was changed to skip skips", [("a", new[3])], [[]])
        vtap(f"rule del id {first}", b.t.host)
        b.eq("a rule that is gone does not", [("a", new[4])], [[2]])
        vtap(f"rule set id {second} action mirror s1,s2,s3", b.t.host)
        b.eq("each session of a rule gets a copy", [("a", new[5])], [[1, 2, 3]])
        vtap(f"rule set id {second} dir egress", b.t.host)
        b.eq("direction can be changed", [("a", new[6])], [[]])
        b.rules("pref 4294967295 port vnet0 dst_port 53 action mirror s2",
                "pref 1 port vnet0 dst_port 80 action skip",
                "pref 5 port vnet0 dst_port 50-90 action mirror s1")
        b.eq("skip in front keeps a frame from the rules behind", [web, dns], [[], [1]])


def where():
    """Direction, port patterns and master say which frames of which ports."""
    with Bench() as b:
        there, back = ("a", b.frame("a")), ("b", b.frame("b"))
        for line, want in (
            ("port vnet0 dir ingress", [[1], []]), ("port vnet0 dir egress", [[], [1]]),
            ("port vnet0 dir both", [[1], [1]]),
            ("port vnet0", [[1], [1]]), ("port vnet1 dir ingress", [[], [1]]),
            ("port vnet1 dir egress", [[1], []]),
            ("port vnet* dir ingress", [[1], [1]]), ("port vnet? dir ingress", [[1], [1]]),
            ("port vnet[1-9] dir ingress", [[], [1]]), ("port *0 dir ingress", [[1], []]),
            ("port vnet", [[], []]),
            ("port vnet0?", [[], []]), ("port up*", [[], []]), ("port * dir ingress", [[1], [1]]),
            ("master br0 dir ingress", [[1], [1]]), ("master br0 port *1 dir ingress", [[], [1]]),
            ("master br1", [[], []]), ("master up0", [[], []]),
            (f"port vnet0 mac {A}", [[1], []]), ("port vnet0 mac 02:00:00:00:01:0a", [[], [1]]),
            ("port vnet0 mac 02:00:00:00:01:0a dir ingress", [[], []]),
            (f"port vnet0 mac {B}", [[], []]),
            (f"port vnet1 mac {B}", [[], [1]]),
        ):
            b.rules(f"pref 1 {line} action mirror s1")
            b.eq(f"{line}: the right frames, once each", [there, back], want)
        b.rules("pref 1 port vnet0 dir ingress action mirror s1",
                "pref 2 port vnet0 action mirror s2")
        b.eq("each direction has its own first match", [there, back], [[1], [2]])
        b.rules("pref 1 port vnet0 dir egress action skip", "pref 2 master br0 dir both src_mac " +
                A + " action mirror s1", "pref 3 port vnet0 action mirror s2")
        b.t.host.ip("link set vnet1 nomaster")
        b.eq("a port that left its master has its master's rules no more",
             [there, ("b", b.frame("b"))], [[1], []])


MANY = [f"pref {9000 + n} port vnet0 dir ingress src_port {7000 + n} vlan_id {1 + n} action skip"
        for n in range(12)]


def port(lo, hi=None):
    return {"dst-port": lo, "dst-port-max": hi or lo}


def ip(word, text, length):
    return {word: ipaddress.ip_address(text).packed, word + "-len": length}


def listed_cases():
    """Return: matches, exceptions, frames from the EtherType on that are copied, and those that are
    not."""
    def udp4(dport=80, **kw):
        return v4(UDP, ports(1, dport), **kw)

    def udp6(dport=80, **kw):
        return v6(UDP, ports(1, dport), **kw)

    def inside(dport, vni=7):
        return v4(UDP, vxlan(frame(v4(TCP, tcp(dport=dport))), vni))

    vx = {"tunnel": "vxlan", "tunnel-key": 7}
    return [
        ([port(80), port(443), port(8000, 8010)], [],
         [udp4(80), udp6(443), udp4(8000), udp4(8010)], [udp4(81), udp6(7999), udp4(8011), ARP]),
        ([ip("src-ip", "10.1.0.0", 16), ip("src-ip", "192.0.2.1", 32),
          ip("src-ip", "2001:db8:1::", 48)], [],
         [udp4(src="10.1.2.3"), udp4(src="192.0.2.1"), udp6(src="2001:db8:1::9")],
         [udp4(src="10.2.2.3"), udp4(src="192.0.2.2"), udp6(src="2001:db8:2::9"), ARP]),
        ([{"vlan-id": 5}, {"vlan-id": 7}], [{"vlan-prio": 3}],
         [tag(5, ARP), tag(7, udp4())], [tag(6, ARP), ARP, tag(3 << 13 | 5, ARP)]),
        ([{"dst-mac": "02000000010b", "ip-proto": 6}, {"dst-mac": "02000000010c", "ip-proto": 17},
          {"dst-mac": "02000000010b", "protocol": 0x806}], [],
         [v4(TCP, tcp()), ARP], [udp4(), udp6(), v4(ICMP)]),
        ([{}], [port(80), port(90, 99)], [udp4(81), ARP, udp6(89), udp6(100)],
         [udp4(80), udp6(90), udp4(99)]),
        ([{"ip-proto": 17}], [ip("dst-ip", "10.9.0.0", 16), {"ip-proto": 17, **port(53)}],
         [udp4(dst="10.8.0.1"), udp6(80)], [udp4(dst="10.9.0.1"), udp4(53), v4(TCP, tcp()), ARP]),
        ([{**vx, "inner": {"ip-proto": 6, **port(p)}} for p in (80, 443)], [],
         [inside(80), inside(443)], [inside(81), inside(80, 8), udp4()]),
        ([{"ip-proto": 17}], [{**vx, "inner": port(80)}],
         [inside(81), inside(80, 8), udp4()], [inside(80), ARP]),
    ]


def listed():
    """Several matches and exceptions, in a linear table and in one of tuples; the rule that decides
    counts, once for a frame."""
    with Bench() as b, Client(b.t.host) as nl:
        head = mac("02:00:00:00:01:0b") + mac(Topology.MAC["a"])
        base = {"port": "vnet0", "dir": {"ingress"}, "action": "mirror"}
        vm = {"mac": Topology.MAC["a"].replace(":", "")}
        for many, more in itertools.product(([], MANY), ({}, vm)):
            for number, (match, excepts, yes, no) in enumerate(listed_cases()):
                b.rules(*many)
                made = [nl.do("rule-new", **base, **more, pref=pref, session=[session], match=match,
                              **{"except": excepts})["id"] for pref, session in ((10, "s1"),
                                                                                 (20, "s2"))]
                what = f"case {number}{' with mac' if more else ''}, {len(many)} rules beside"
                b.eq(what, [("a", head + f) for f in yes + no], [[1]] * len(yes) + [[]] * len(no))
                ksft_eq([nl.do("rule-get", id=i)["packets"] for i in made], [len(yes), 0],
                        f"{what}: counted once each, by the first rule")
        b.rules(*MANY)
        three = ([port(80), port(81), {"ip-proto": 17, **port(443)}], [port(443), port(82)], [{}])
        for pref, match in enumerate(three, 1):
            nl.do("rule-new", **base, pref=pref, session=[f"s{pref}"], match=match)
        b.eq("of rules with several matches the first decides",
             [("a", head + v4(UDP, ports(1, p))) for p in (80, 81, 82, 443, 444)] +
             [("a", head + v4(TCP, tcp(dport=443)))], [[1], [1], [2], [1], [3], [2]])


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([words_l2, words_ip, words_l4, lengths, tunnels, tunnel_lengths, order, where, listed])
    ksft_exit()
