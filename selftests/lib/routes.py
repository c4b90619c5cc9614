# SPDX-License-Identifier: GPL-2.0
"""The way to a collector: a second uplink, outer headers, router errors, and what a session
reports."""
import struct

from .frames import checksum, ether
from .ns import ip, vtap_json
from .tap import busywait


def session(t, name):
    """Return: the session NAME as the tool shows it."""
    return next(s for s in vtap_json("-s session show", t.host) if s["name"] == name)


def plain(frame):
    """Return: an outer frame without its VLAN tag."""
    return frame[:12] + frame[16:] if frame[12:14] == b"\x81\0" else frame


def is_copy(frame):
    """Return: True if an outer frame is GRE, UDP or a fragment."""
    frame = plain(frame)
    return frame[12:14] == b"\x08\x00" and frame[23] in (47,
                                                         17) or frame[12:14] == b"\x86\xdd" \
        and frame[20] in (47, 17, 44)


def second_uplink(t):
    """Add up1 to the host and eth1, of the same prefix length, to the collector."""
    ip(f"link add up1 netns {t.host.name} address 02:00:00:00:01:01 type veth peer name eth1 netns "
       f"{t.col.name} " "address 02:00:00:00:01:09")
    t.host.ip("link set up1 addrgenmode none\nlink set up1 up", "address add 192.0.3.1/24 dev up1",
              "address add 2001:db8:a::1/64 dev up1 nodad",
              "neigh add 192.0.3.9 lladdr 02:00:00:00:01:09 dev up1 nud permanent",
              "neigh add 2001:db8:a::9 lladdr 02:00:00:00:01:09 dev up1 nud permanent")
    t.col.ip("link set eth1 addrgenmode none\nlink set eth1 up")
    busywait(lambda: t.host.running("up1"))


def icmp_error(src, dst, kind, quoted, word=0, spoil=False):
    """Return: the IP packet of an ICMP error of KIND, type and code, with WORD behind its checksum.
    SRC and DST are packed. SPOIL: the checksum is wrong."""
    v6 = len(src) == 16
    icmp = struct.pack("!BBHI", *kind, 0, word) + quoted
    pseudo = src + dst + struct.pack("!II", len(icmp), 58) if v6 else b""
    icmp = icmp[:2] + struct.pack("!H", checksum(pseudo + icmp) ^ spoil) + icmp[4:]
    if v6:
        return struct.pack("!IHBB", 6 << 28, len(icmp), 58, 64) + src + dst + icmp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0) + src + dst
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + icmp


def too_big(t, c, mtu, other=False, fragment=False):
    """Return: the ICMP error of a router on the collector's side for outer packet C, longer than
    MTU. OTHER: for a packet to another receiver; FRAGMENT: for the first fragment of C (IPv6)."""
    if other:
        c.dst, keep = c.dst[:-1] + b"\x55", c.dst
        packet = too_big(t, c, mtu)
        c.dst = keep
        return packet
    length = mtu + 100
    proto = {"vxlan": 17}.get(c.kind, 47)
    start = struct.pack("!4H", c.sport, 4789, length - 40,
                        0) if proto == 17 else b"\x10\0\x88\xbe" + struct.pack("!I", c.seq)
    if c.version == 4:
        quoted = struct.pack("!BBHHHBBH", 0x45, 0, length, c.ident, 0x4000, 63, proto,
                             0) + c.src + c.dst
        quoted = quoted[:10] + struct.pack("!H", checksum(quoted)) + quoted[12:] + start
        return ether(t.MAC["up0"], t.MAC["col"], 0x800,
                     icmp_error(c.dst, c.src, (3, 4), quoted, mtu))
    if fragment:
        proto, start = 44, struct.pack("!BBHI", proto, 0, 1, 0) + start
    quoted = struct.pack("!IHBB", 6 << 28, length - 40, proto, 63) + c.src + c.dst + start
    return ether(t.MAC["up0"], t.MAC["col"], 0x86dd,
                 icmp_error(c.dst, c.src, (2, 0), quoted, mtu))
