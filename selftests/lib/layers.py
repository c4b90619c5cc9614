# SPDX-License-Identifier: GPL-2.0
"""Packets put together layer by layer, from the EtherType on, with fields that may lie."""
import ipaddress
import struct

from .frames import mac

TCP, UDP, DCCP, SCTP, UDPLITE, ICMP, ICMP6, GRE, AH = 6, 17, 33, 132, 136, 1, 58, 47, 51
HOP, ROUTING, FRAGMENT, DEST = 0, 43, 44, 60
ARP = b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + bytes(20)
SNAP = b"\x00\x2e\xaa\xaa\x03\x00\x00\x00\x08\x00\x45" + bytes(37)


def tag(tci, rest, tpid=0x8100):
    return struct.pack("!HH", tpid, tci) + rest


def v4(proto, l4=b"", src="10.0.0.1", dst="10.0.0.2", frag=0, opts=b"", first=None, total=None):
    """Return: an IPv4 packet. FRAG: flags and offset; FIRST: version and header length, TOTAL:
    length, when they lie."""
    first = 0x45 + len(opts) // 4 if first is None else first
    total = 20 + len(opts) + len(l4) if total is None else total
    return b"\x08\x00" + struct.pack("!BBHHHBBH", first, 0, total, 1, frag, 64, proto, 0) + \
        ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed + opts + l4


def v6(proto, rest=b"", src="2001:db8::1", dst="2001:db8::2", length=None, version=6):
    """Return: an IPv6 packet with next header PROTO. LENGTH and VERSION lie."""
    return b"\x86\xdd" + struct.pack("!IHBB", version << 28, len(rest) if length is None
                                     else length, proto,
                                     64) + ipaddress.IPv6Address(src).packed + \
        ipaddress.IPv6Address(dst).packed + rest


def ext(kind, following, rest, words=0, length=None):
    """Return: the IPv6 extension header KIND with WORDS more than the least, then REST of type
    FOLLOWING."""
    if kind == FRAGMENT:
        return fragment(following, rest)
    if kind == AH:
        return struct.pack("!BB", following, 4 + words if length is None
                           else length) + bytes(22 + 4 * words) + rest
    return struct.pack("!BB", following, words if length is None
                       else length) + b"\x01\x04" + bytes(4 + 8 * words) + rest


def fragment(following, rest, offset=0, more=1):
    return struct.pack("!BBHI", following, 0, offset << 3 | more, 99) + rest


def chain(*kinds, proto=TCP, l4=b""):
    """Return: an IPv6 packet with extension headers KINDS, then L4."""
    for kind in reversed(kinds):
        l4, proto = ext(kind, proto, l4, words=1 if kind != FRAGMENT else 0), kind
    return v6(proto, l4)


def ports(sport=1024, dport=80):
    return struct.pack("!HH", sport, dport) + bytes(12)


def tcp(flags=0x10, sport=1024, dport=80):
    return struct.pack("!HHIIHHHH", sport, dport, 1, 1, 5 << 12 | flags, 1024, 0, 0)


def icmp(kind, code=0):
    return struct.pack("!BB", kind, code) + bytes(6)


def udp(dport, load, sport=1024, length=None):
    return struct.pack("!HHHH", sport, dport, 8 + len(load) if length is None else length, 0) + load


def vxlan(load, vni=77, flags=0x08000000, low=0, dport=4789):
    """Return: LOAD in VXLAN in UDP; LOW: the reserved byte behind the identifier."""
    return udp(dport, struct.pack("!II", flags, vni << 8 | low) + load)


def geneve(load, vni=77, proto=0x6558, opts=b"", first=None, dport=6081):
    first = len(opts) // 4 if first is None else first
    return udp(dport, struct.pack("!BBHI", first, 0, proto, vni << 8) + opts + load)


def gre(load, key=77, proto=0x6558, csum=False, seq=False, flags=0):
    """Return: LOAD in GRE; KEY None: without one."""
    words = [0] * csum + [key] * (key is not None) + [5] * seq
    flags |= 0x8000 * csum | 0x2000 * (key is not None) | 0x1000 * seq
    return struct.pack(f"!HH{len(words)}I", flags, proto, *words) + load


def frame(rest, dst="02:aa:00:00:00:02", src="02:aa:00:00:00:01"):
    """Return: a tenant's frame."""
    return mac(dst) + mac(src) + rest


def both(proto, l4, proto6=None, **kw):
    """Return: the same in IPv4 and IPv6."""
    return [v4(proto, l4, **kw), v6(proto6 or proto, l4, **kw)]
