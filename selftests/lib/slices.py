# SPDX-License-Identifier: GPL-2.0
"""Frames with payload that is known, and where each of their headers ends."""
import struct
from collections import namedtuple

from .layers import (AH, ARP, DCCP, DEST, FRAGMENT, HOP, ICMP, ICMP6, ROUTING, SCTP, SNAP, TCP, UDP,
                     UDPLITE, chain, ext, fragment, frame, gre, icmp, tag, tcp, udp, v4, v6)

SECRET = b"S3cret!"
LOAD = SECRET * 9
OPTS = b"\x94\x04\0\0" + bytes(4)
LAYERS = ("l2", "l3", "l4")


class Case(namedtuple("Case", "name bytes ends packet")):
    """A frame. ENDS: where each of its headers ends, outermost first; PACKET: where the packet
    ends, behind which is padding. Behind a header that PACKET does not follow, no byte is kept."""

    def end(self, layer, more):
        """Return: where a copy ends that shows LAYER and MORE bytes."""
        level = LAYERS.index(layer)
        if level == 0:
            return min(self.ends[0] + more, len(self.bytes))
        if level >= len(self.ends) or self.packet is None:
            return self.ends[min(level, len(self.ends) - 1)]
        return min(self.ends[level] + more, self.packet)

    def copy(self, layer, more, mask):
        """Return: the copy of the frame."""
        if not layer:
            return self.bytes
        end = self.end(layer, more)
        return self.bytes[:end] + bytes(len(self.bytes) - end) * mask


def case(name, packet, *lengths, load=LOAD, pad=b"", tags=(), known=True, short=0):
    """Return: a Case of PACKET, from its EtherType on, whose headers behind Ethernet have LENGTHS.
    LOAD: what follows them is payload; SHORT: so many of its bytes are no part of it; not KNOWN:
    nothing behind the last header is ever shown."""
    for tpid, tci in reversed(tags):
        packet = tag(tci, packet, tpid)
    whole = frame(packet)
    ends = [14 + 4 * len(tags)]
    for n in lengths:
        ends.append(ends[-1] + n)
    return Case(name, whole + pad, ends, len(whole) - short if known else None)


def layer4():
    """Return: [(name, protocol in IPv4, in IPv6, header)] of all that is known."""
    options = b"\x01\x01\x08\x0a" + b"t1m3st4p" + bytes(8)
    longest = bytes(range(1, 41))
    return [("TCP", TCP, TCP, tcp()),
            ("TCP with options", TCP, TCP, tcp()[:12] + b"\xa0" + tcp()[13:] + options),
            ("TCP with 40 bytes of options", TCP, TCP, tcp()[:12] + b"\xf0" + tcp()[13:] + longest),
            ("UDP", UDP, UDP, struct.pack("!HHHH", 1024, 53, 8 + len(LOAD), 0)),
            ("UDP-Lite", UDPLITE, UDPLITE, struct.pack("!HHHH", 1024, 53, 8, 0)),
            ("SCTP", SCTP, SCTP, struct.pack("!HHII", 1024, 80, 1, 2)),
            ("DCCP", DCCP, DCCP, struct.pack("!HHBBHII", 1024, 80, 4, 0, 0, 5 << 24, 1)),
            ("ICMP", ICMP, ICMP6, icmp(8))]


def known():
    """Return: frames with each header, behind all that may be in front of it."""
    out = []
    for name, p4, p6, head in layer4():
        n = len(head)
        out += [case(f"{name}, IPv4", v4(p4, head + LOAD), 20, n),
                case(f"{name}, IPv4 with options", v4(p4, head + LOAD, opts=OPTS), 28, n),
                case(f"{name}, IPv6", v6(p6, head + LOAD), 40, n),
                case(f"{name}, tagged", v4(p4, head + LOAD), 20, n, tags=[(0x8100, 0xa005)]),
                case(f"{name}, two tags, all extensions",
                     chain(HOP, ROUTING, DEST, AH, proto=p6, l4=head + LOAD),
                     40 + 16 + 16 + 16 + 28, n, tags=[(0x88a8, 7), (0x8100, 9)])]
    head = layer4()[3][3]
    out += [case("five tags", v4(UDP, head + LOAD), 20, 8, tags=[(0x8100, i) for i in range(1, 6)]),
            case("first fragment", v4(UDP, head + LOAD, frag=0x2000), 20, 8),
            case("first fragment, IPv6", v6(FRAGMENT, fragment(UDP, head + LOAD)), 48, 8),
            case("padding", v4(UDP, udp(53, b"xy")), 20, 8, pad=LOAD),
            case("padding of TCP", v4(TCP, tcp()), 20, 20, pad=LOAD),
            case("padding of SCTP in IPv6", v6(SCTP, bytes(12)), 40, 12, pad=LOAD),
            case("padding, IPv6", v6(UDP, udp(53, b"")), 40, 8, pad=LOAD),
            case("UDP that is shorter than IP", v4(UDP, udp(53, LOAD, length=20)), 20, 8,
                 short=len(LOAD) - 12),
            case("UDP that says more than there is", v4(UDP, udp(53, LOAD, length=65535)), 20, 8),
            case("UDP of less than its header", v4(UDP, udp(53, LOAD, length=3)), 20, 8,
                 short=len(LOAD)),
            case("IPv4 that says more than there is", v4(UDP, head + LOAD, total=65535), 20, 8),
            case("IPv6 that says more than there is", v6(UDP, head + LOAD, length=65535), 40, 8),
            case("ARP", ARP, 28, pad=LOAD, known=False)]
    return out


def unknown():
    """Return: frames in which a header is not there, not known, not whole, or lies."""
    later, six = v4(TCP, LOAD, frag=3), v6(FRAGMENT, fragment(TCP, LOAD, offset=3))
    ip4 = [("ESP", 50, LOAD), ("GRE", 47, gre(frame(v4(UDP, udp(53, LOAD))))),
           ("no protocol", 253, LOAD),
           ("IPv4 in IPv4", 4, v4(UDP, udp(53, LOAD))[2:]), ("ICMPv6", ICMP6, icmp(128) + LOAD),
           ("AH", AH, bytes(24) + LOAD)]
    out = [case(f"{name} in IPv4", v4(proto, load), 20) for name, proto, load in ip4]
    out += [case("ESP in IPv6", v6(50, LOAD), 40),
            case("ICMP in IPv6", v6(ICMP, icmp(8) + LOAD), 40),
            case("no next header", v6(59, LOAD), 40), case("mobility", v6(135, LOAD), 40)]
    # found to be whole and known up to the last header named here, and nothing more is shown
    doff = struct.pack("!HHIIHHHH", 1, 2, 3, 4, 4 << 12, 5, 0, 0)
    most = struct.pack("!HHIIHHHH", 1, 2, 3, 4, 15 << 12, 5, 0, 0)
    out += [case(name, packet, n) for name, packet, n in (
        ("TCP of less than its header", v4(TCP, doff + LOAD), 20),
        ("TCP of more than its packet", v4(TCP, most + SECRET * 4), 20),
        ("DCCP of less than its header", v4(DCCP, bytes(4) + b"\2" + bytes(7) + LOAD), 20),
        ("a part of TCP", v4(TCP, tcp()[:12], frag=0x2000), 20),
        ("a part of UDP", v6(UDP, SECRET), 40), ("a part of ICMP", v4(ICMP, SECRET), 20))]
    out += [case(name, packet, *lengths, known=False) for name, packet, *lengths in (
        ("later fragment", later, 20), ("last fragment, IPv6", six, 48),
        ("later fragment with options", v4(UDP, LOAD, frag=0x2001, opts=OPTS), 28),
        ("later fragment behind extensions", v6(HOP, ext(HOP, FRAGMENT, fragment(
            UDP, LOAD, offset=1), words=1)), 40 + 16 + 8),
        ("extension of more than its packet", v6(DEST, b"\x06\xff" + LOAD), 40),
        ("a second one of that kind", v6(DEST, ext(DEST, DEST, b"\x06\xff" + LOAD)), 48),
        ("a part of an extension", v6(HOP, b"\x06"), 40),
        ("a part of AH", v6(AH, b"\x06\x20" + LOAD), 40),
        ("ten extensions", v6(DEST, b"".join(struct.pack("!BB", DEST, 0) + b"option"
                                             for _ in range(10)) + LOAD), 40 + 9 * 8),
        ("IPv6 that says less than its header has", v6(HOP, ext(HOP, TCP, tcp() + LOAD), length=4),
         40),
        ("IPv4 of less than its header", v4(UDP, udp(53, LOAD), total=19)),
        ("IPv4 of no length", v4(UDP, udp(53, LOAD), total=0)),
        ("IPv4 of 16 bytes", v4(UDP, udp(53, LOAD), first=0x44)),
        ("IPv4 of more than its packet", v4(UDP, SECRET * 2, first=0x4f)),
        ("IPv4 of version 5", v4(UDP, udp(53, LOAD), first=0x55)),
        ("IPv6 of version 4", v6(UDP, udp(53, LOAD), version=4)),
        ("a part of IPv4", v4(UDP)[:12] + SECRET), ("a part of IPv6", v6(UDP)[:20] + SECRET),
        ("LLC", SNAP[:-37] + LOAD), ("LLDP", b"\x88\xcc" + LOAD), ("PPPoE", b"\x88\x64" + LOAD),
        ("MPLS", b"\x88\x47" + bytes(3) + b"\xff" + v4(UDP, udp(53, LOAD))[2:]),
        ("EtherType", b"\x88\xb5" + LOAD), ("ARP of another kind", b"\x08\x06" + LOAD),
        ("a part of ARP", ARP[:20]))]
    out.append(case("IPv6 of no length", v6(UDP, udp(53, LOAD), length=0), 40,
                    short=8 + len(LOAD)))
    return out


def six_tags():
    """Return: a frame with more tags than are looked behind."""
    tags = b"".join(struct.pack("!HH", 0x8100, i) for i in range(1, 7))
    return Case("six tags", frame(tags + v4(UDP, udp(53, LOAD))), [14 + 5 * 4], None)
