#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Super-frames of TCP and UDP are cut as the sender's device would have done it: byte for byte what is cut here."""
import contextlib
import random
import socket
import struct

import ksft
from ksft import Sender, Sniffer, Topology, checksum, eq, ok, vtap, vtap_json
from wire import Collector

UDP_SEGMENT, SOL_UDP = 103, 17
CWR, ECE, ACK, PSH, FIN = 0x80, 0x40, 0x10, 0x08, 0x01
OUTER = 36  # of ERSPAN II over IPv4, with the outer IP header
LIMITS = {"whole": 9000, "snap": 70, "short": 60, "cut": 1400 - OUTER, "strip": 9000, "six": 9000, "none": 576 - OUTER}


def segments(frame, mss):
    """Return: the frames that a device makes of FRAME, with MSS bytes of payload each."""
    l3 = 18 if frame[12:14] == b"\x81\x00" else 14
    ipv4 = frame[l3] >> 4 == 4
    l4 = l3 + (20 if ipv4 else 40)
    tcp = frame[l3 + (9 if ipv4 else 6)] == 6
    start = l4 + ((frame[l4 + 12] >> 4) * 4 if tcp else 8)
    data = frame[start:]
    return [segment(bytearray(frame[:start]), l3, l4, at, data[at:at + mss], (at // mss, at + mss >= len(data)))
            for at in range(0, len(data), mss)]


def segment(head, l3, l4, at, data, where):
    """Return: the segment with DATA, AT bytes behind the start; WHERE: (its number, whether it is the last)."""
    number, last = where
    ipv4, length = head[l3] >> 4 == 4, len(head) - l4 + len(data)
    tcp = head[l3 + (9 if ipv4 else 6)] == 6
    if ipv4:
        ident, = struct.unpack_from("!H", head, l3 + 4)
        struct.pack_into("!HH", head, l3 + 2, 20 + length, (ident + number) & 0xffff)
        struct.pack_into("!H", head, l3 + 10, 0)
        struct.pack_into("!H", head, l3 + 10, checksum(bytes(head[l3:l4])))
    else:
        struct.pack_into("!H", head, l3 + 4, length)
    if tcp:
        seq, = struct.unpack_from("!I", head, l4 + 4)
        struct.pack_into("!I", head, l4 + 4, (seq + at) & 0xffffffff)
        head[l4 + 13] &= ~((CWR if number else 0) | (0 if last else PSH | FIN))
    else:
        struct.pack_into("!H", head, l4 + 4, length)
    field = l4 + (16 if tcp else 6)
    struct.pack_into("!H", head, field, 0)
    pseudo = bytes(head[l3 + 12:l4] if ipv4 else head[l3 + 8:l4]) + struct.pack("!II", length, 6 if tcp else 17)
    struct.pack_into("!H", head, field, checksum(pseudo + bytes(head[l4:]) + data) or 0xffff)
    return bytes(head) + data


def untagged(frame):
    """Return: FRAME without its tag."""
    return frame[:12] + frame[16:] if frame[12:14] == b"\x81\x00" else frame


def arrive(t, by, frames, what):
    """Each session of BY, {name: copies}, has what it must have of FRAMES."""
    stats = {s["name"]: s["stats"] for s in vtap_json("-s session show", t.host)}
    for name, limit in LIMITS.items():
        shape = [untagged(f) if name == "strip" else f for f in frames]
        want = [f[:limit] for f in shape if name != "none" or len(f) <= limit]
        short = sum(len(f) > limit for f in shape) if name != "none" else 0
        got = [c.frame for c in by.get(name, [])]
        different = [(w[:70].hex(), g[:70].hex()) for w, g in zip(want, got) if w != g]
        ok(f"{what}: {name}: the segments, byte for byte", got == want, f"{len(got)} of {len(want)}, {different[:1]}")
        eq(f"{what}: {name}: counters", [stats[name][k] for k in ("matched", "sent", "drop_mtu", "bytes", "truncated")],
           [len(shape), len(want), len(shape) - len(want), sum(map(len, want)), short])
        eq(f"{what}: {name}: T bit", sum(c.truncated for c in by.get(name, [])), short)
        eq(f"{what}: {name}: numbers count one by one", [c.seq - by[name][0].seq for c in by.get(name, [])],
           list(range(len(want))))


@contextlib.contextmanager
def bed(what, sources):
    """SOURCES super-frames are sent inside; what arrives at b tells which segments the collector must get. Yields the
    topology, and a list for the payload of a segment of each."""
    with ksft.one_cpu(), Topology(1500, 9000) as t, Collector(t.col, mtu=9000) as rx, Sniffer(t.b, "eth0") as far:
        col = t.IP4["col"]
        words = {"whole": "", "snap": "snaplen 70", "short": "snaplen 60", "cut": "mtu truncate", "strip": "vlan strip",
                 "six": "", "none": "mtu drop"}
        t.host.ip("route add 192.0.2.77/32 dev up0 mtu lock 1400", "route add 192.0.2.78/32 dev up0 mtu lock 576",
                  *[f"neigh add 192.0.2.{n} lladdr {t.MAC['col']} dev up0 nud permanent" for n in (77, 78)])
        remote = {"cut": "192.0.2.77", "none": "192.0.2.78", "six": t.IP6["col"]}
        lines = [f"session add {name} type erspan2 id {i} remote {remote.get(name, col)} {more}"
                 for i, (name, more) in enumerate(words.items(), 1)]
        lines.append(f"rule add pref 10 port vnet0 dir ingress ip_proto {what.lower()} action mirror {','.join(words)}")
        t.host.sh([ksft.VTAP, "-b", "-"], input="\n".join(lines) + "\n")
        sizes = []
        yield t, sizes
        frames = [s for f, mss in zip(far.frames(sources), sizes) for s in segments(f, mss)]
        vtap("rule flush", t.host)
        names, by = dict(enumerate(words, 1)), {}
        sent = sum(s["stats"]["sent"] for s in vtap_json("-s session show", t.host))
        for c in rx.copies(sent):
            by.setdefault(names.get(c.words[0] & 0x3ff), []).append(c)
        eq(f"{what}: all outer packets decode", rx.bad[:3], [])
        ok(f"{what}: super-frames came to the port", len(frames) > 3 * sources, f"{len(frames)} of {sources}")
        arrive(t, by, frames, what)


def tcp():
    """Flags of the first, the middle and the last segment; sequence numbers that wrap; odd lengths; tags."""
    sizes = ((1448, 20000), (1401, 1402), (701, 30001), (536, 537 * 4), (1200, 2400))
    with bed("TCP", 2 * 2 * len(sizes)) as (t, mss), Sender(t.a, "eth0", vnet=True) as tx:
        for version, kind in ((4, Sender.GSO_TCPV4), (6, Sender.GSO_TCPV6)):
            for tag in (None, 0x6005):
                for size, length in sizes:
                    frame = t.tcp(version=version, vlan=tag, payload=random.randbytes(length), partial=True,
                                  flags=CWR | ECE | ACK | PSH | FIN, seq=0xffffffff - length // 2)
                    l4 = 14 + 4 * bool(tag) + (20 if version == 4 else 40)
                    mss.append(size)
                    tx.send(frame, csum=(l4, 16), gso=(kind, size, l4 + 20))


def udp():
    """Datagrams that a program sends by the dozen, over IPv4 and IPv6, with and without a tag."""
    sizes = ((1400, 30000), (1401, 2803), (100, 6400), (48, 145))
    with Topology() as t:
        if "tx-udp-segmentation: off [fixed]" in t.a.sh("ethtool -k eth0").stdout:
            ksft.skip("UDP", "this kernel's veth devices take no super-frames of it")
            return
    with bed("UDP", 2 * 2 * len(sizes)) as (t, mss):
        for ns, key, peer in ((t.a, "a", "b"), (t.b, "b", "a")):
            ns.ip("link add link eth0 name v5 type vlan id 5 egress-qos-map 0:3", "link set v5 addrgenmode none",
                  "link set v5 up", f"address add 10.5.0.{1 + (key == 'b')}/24 dev v5",
                  f"address add 2001:db8:5::{1 + (key == 'b')}/64 dev v5 nodad",
                  *[f"neigh add {a}{1 + (peer == 'b')} lladdr {t.MAC[peer]} dev v5 nud permanent"
                    for a in ("10.5.0.", "2001:db8:5::")])
        for to in (t.IP4["b"], t.IP6["b"], "10.5.0.2", "2001:db8:5::2"):
            with t.a.enter(), socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM) as s:
                for size, length in sizes:
                    s.setsockopt(SOL_UDP, UDP_SEGMENT, size)
                    s.sendto(random.randbytes(length), (to, 4000))
                    mss.append(size)


if __name__ == "__main__":
    ksft.modprobe("veth", "bridge", "8021q")
    ksft.run(tcp, udp)
