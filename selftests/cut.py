#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""TCP and UDP super-frames are segmented as the sender's device would do it: the copies equal the
segments of lib/segment.py byte for byte."""
import contextlib
import random
import socket
import struct

from lib import (Collector, Sender, Sniffer, Stream, Topology, checksum, ksft_eq, ksft_exit,
                 ksft_run, ksft_skip, ksft_true, modprobe, one_cpu, parse_inner, vtap, vtap_batch,
                 vtap_json)
from lib.segment import ACK, CWR, ECE, FIN, PSH, segments
from lib.traffic import SOL_UDP, UDP_SEGMENT, finish, mirror, stop_copying, transfer, vlan_devices

OUTER = 36  # of ERSPAN II over IPv4, with the outer IP header
LIMITS = {"whole": 9000, "snap": 70, "short": 60, "cut": 1400 - OUTER, "strip": 9000, "six": 9000,
          "none": 576 - OUTER}


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
        ksft_true(got == want, f"{what}: {name}: the segments, byte for byte",
                  f"{len(got)} of {len(want)}, {different[:1]}")
        ksft_eq([stats[name][k] for k in ("matched", "sent", "drop_mtu", "bytes", "truncated")],
                [len(shape), len(want), len(shape) - len(want), sum(map(len, want)), short],
                f"{what}: {name}: counters")
        ksft_eq(sum(c.truncated for c in by.get(name, [])), short, f"{what}: {name}: T bit")
        ksft_eq([c.seq - by[name][0].seq for c in by.get(name, [])], list(range(len(want))),
                f"{what}: {name}: numbers count one by one")


def protocol(frame):
    """Return: the protocol of an IP packet; what a host says by itself, as of multicast groups, has
    another one."""
    l3 = 18 if frame[12:14] == b"\x81\x00" else 14
    return frame[l3 + (9 if frame[l3] >> 4 == 4 else 6)]


@contextlib.contextmanager
def bed(what, sources):
    """SOURCES super-frames are sent inside; what arrives at b tells which segments the collector
    must get. Yields the topology, and a function that is told the payload of a segment of each that
    was sent: it waits until that has arrived, since the copies of many would not fit into the queue
    of a receiver that is slow."""
    wanted = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP}[what]
    with one_cpu(), Topology(1500, 9000) as t, Collector(t.col, mtu=9000) as rx, \
            Sniffer(t.b, "eth0", match=lambda f: protocol(f) == wanted) as far:
        col = t.IP4["col"]
        words = {"whole": "", "snap": "snaplen 70", "short": "snaplen 60", "cut": "mtu truncate",
                 "strip": "vlan strip",
                 "six": "", "none": "mtu drop"}
        t.host.ip("route add 192.0.2.77/32 dev up0 mtu lock 1400",
                  "route add 192.0.2.78/32 dev up0 mtu lock 576",
                  *[f"neigh add 192.0.2.{n} lladdr {t.MAC['col']} dev up0 nud permanent"
                    for n in (77, 78)])
        remote = {"cut": "192.0.2.77", "none": "192.0.2.78", "six": t.IP6["col"]}
        lines = [f"session add {name} type erspan2 id {i} remote {remote.get(name, col)} {more}"
                 for i, (name, more) in enumerate(words.items(), 1)]
        lines.append(f"rule add pref 10 port vnet0 dir ingress ip_proto {what.lower()} action "
                     f"mirror {','.join(words)}")
        vtap_batch(t.host, *lines)
        sizes, arrived = [], []

        def was_sent(size):
            sizes.append(size)
            arrived.extend(far.frames(1))

        yield t, was_sent
        arrived += far.frames(sources - len(arrived))
        frames = [s for f, mss in zip(arrived, sizes) for s in segments(f, mss)]
        vtap("rule flush", t.host)
        names, by = dict(enumerate(words, 1)), {}
        sent = sum(s["stats"]["sent"] for s in vtap_json("-s session show", t.host))
        for c in rx.copies(sent):
            by.setdefault(names.get(c.words[0] & 0x3ff), []).append(c)
        ksft_eq(rx.bad[:3], [], f"{what}: all outer packets decode")
        ksft_true(len(frames) > 3 * sources, f"{what}: super-frames came to the port",
                  f"{len(frames)} of {sources}")
        arrive(t, by, frames, what)


def tcp():
    """Flags of the first, the middle and the last segment; sequence numbers that wrap; odd lengths;
    tags."""
    sizes = ((1448, 20000), (1401, 1402), (701, 30001), (536, 537 * 4), (1200, 2400))
    with bed("TCP", 2 * 2 * len(sizes)) as (t, was_sent), Sender(t.a, "eth0", vnet=True) as tx:
        for version, kind in ((4, Sender.GSO_TCPV4), (6, Sender.GSO_TCPV6)):
            for tag in (None, 0x6005):
                for size, length in sizes:
                    frame = t.tcp(version=version, vlan=tag, payload=random.randbytes(length),
                                  partial=True, flags=CWR | ECE | ACK | PSH | FIN, seq=0xffffffff -
                                  length // 2)
                    l4 = 14 + 4 * bool(tag) + (20 if version == 4 else 40)
                    tx.send(frame, csum=(l4, 16), gso=(kind, size, l4 + 20))
                    was_sent(size)


def udp():
    """Datagrams that a program sends by the dozen, over IPv4 and IPv6, with and without a tag."""
    sizes = ((1400, 30000), (1401, 2803), (100, 6400), (48, 145))
    with Topology() as t:
        if not t.udp_gso():
            ksft_skip("this kernel's veth devices take no super-frames of it", "UDP")
            return
    with bed("UDP", 2 * 2 * len(sizes)) as (t, was_sent):
        for ns, key, peer in ((t.a, "a", "b"), (t.b, "b", "a")):
            ns.ip("link add link eth0 name v5 type vlan id 5 egress-qos-map 0:3",
                  "link set v5 addrgenmode none", "link set v5 up",
                  f"address add 10.5.0.{1 + (key == 'b')}/24 dev v5",
                  f"address add 2001:db8:5::{1 + (key == 'b')}/64 dev v5 nodad",
                  *[f"neigh add {a}{1 + (peer == 'b')} lladdr {t.MAC[peer]} dev v5 nud permanent"
                    for a in ("10.5.0.", "2001:db8:5::")])
        for to in (t.IP4["b"], t.IP6["b"], "10.5.0.2", "2001:db8:5::2"):
            with t.a.enter(), socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET,
                                            socket.SOCK_DGRAM) as s:
                for size, length in sizes:
                    s.setsockopt(SOL_UDP, UDP_SEGMENT, size)
                    s.sendto(random.randbytes(length), (to, 4000))
                    was_sent(size)


SUPER = [(version, tag, size, length) for version in (4, 6) for tag in (None, 0x6005)
         for size, length in ((1440, 30001), (1401, 1402), (1300, 13000))]
TUNNELS = {"plain": ("", 4, "gretap"), "key": ("key 7", 4, "gretap key 7"),
           "six": ("", 6, "ip6gretap")}


def tunnel_sessions(t, words):
    """Add a session of type gre with WORDS for each of TUNNELS, in place of those that are
    there."""
    remote = {4: t.IP4["col"], 6: t.IP6["col"]}
    vtap_batch(t.host, "session flush", *[f"session add {name} type gre remote {remote[v]} {more} "
                                          f"{words}" for name, (more, v, _) in TUNNELS.items()])


def supers(t, tx, far):
    """Send the super-frames SUPER. Return: them, and their segments, as they came to b."""
    for version, tag, size, length in SUPER:
        frame = t.tcp(version=version, vlan=tag, payload=random.randbytes(length), partial=True,
                      flags=CWR | ECE | ACK | PSH | FIN, seq=0xffffffff - length // 2)
        l4 = 14 + 4 * bool(tag) + (20 if version == 4 else 40)
        kind = Sender.GSO_TCPV4 if version == 4 else Sender.GSO_TCPV6
        tx.send(frame, csum=(l4, 16), gso=(kind, size, l4 + 20))
    frames = [bytes(f) for f in far.frames(len(SUPER))]
    return frames, [s for f, (_, _, size, _) in zip(frames, SUPER) for s in segments(f, size)]


def offload_case(t, rx, send, what, whole=False, limit=9000):
    """With WHOLE, super-frames are on the wire as the sender left them to a device; else their
    segments are, final, and no longer than LIMIT."""
    mirror(t, "vnet0", TUNNELS, "dir ingress ip_proto tcp")
    frames, cut = send()
    counters, by = finish(t, rx)
    ksft_eq(rx.bad[:3], [], f"{what}: all outer packets decode")
    ksft_true(len(cut) > 3 * len(frames) == 3 * len(SUPER),
              f"{what}: super-frames came to the port", f"{len(cut)} of {len(frames)}")
    for name in TUNNELS:
        want, got = frames if whole else [s[:limit] for s in cut], [c.frame for c in by[name]]
        different = [(w[:80].hex(), g[:80].hex()) for w, g in zip(want, got) if w != g]
        ksft_true(got == want,
                  f"{what}: {name}: the {'super-frames' if whole else 'segments'}, byte for byte",
                  f"{len(got)} of {len(want)}, {different[:1]}")
        ksft_eq([counters[name][k] for k in ("matched", "sent", "bytes")],
                [len(cut), len(cut), sum(len(s[:limit]) for s in cut)],
                f"{what}: {name}: counters are those of the segments")
    return by


def offload_refused(t, send):
    """A super-frame that the egress device's queue refuses counts as its segments."""
    t.host.sh("tc qdisc replace dev up0 root bfifo limit 1000")
    mirror(t, "vnet0", TUNNELS, "dir ingress ip_proto tcp")
    _, cut = send()
    counters = {s["name"]: s["stats"] for s in stop_copying(t)}
    ksft_eq({(c["matched"], c["sent"], c["drop_xmit"]) for c in counters.values()},
            {(len(cut), 0, len(cut))}, "a full queue: counters are those of the segments")
    t.host.sh("tc qdisc del dev up0 root")


def offload():
    """Super-frames of TCP in GRE go to a device that claims to cut them; to others, or where they
    do not fit, segments do."""
    with one_cpu(), Topology(1500, 9000) as t, Collector(t.col, mtu=65535) as rx, \
            Sniffer(t.b, "eth0") as far, Sender(t.a, "eth0", vnet=True) as tx:
        def case(what, words, **more):
            tunnel_sessions(t, words)
            rx.taken = 0
            return offload_case(t, rx, lambda: supers(t, tx, far), what, **more)

        ksft_true("tx-gre-segmentation: on" in t.host.sh("ethtool -k up0").stdout,
                  "the egress device claims to cut GRE")
        case("offload on", "offload on", whole=True)
        case("offload off", "offload off")
        case("snaplen", "offload on snaplen 1000", limit=1000)
        tunnel_sessions(t, "offload on")
        offload_refused(t, lambda: supers(t, tx, far))
        for feature in ("tx-gre-segmentation", "tso"):
            t.host.sh(f"ethtool -K up0 {feature} off")
            case(f"{feature} off", "offload on")
            t.host.sh(f"ethtool -K up0 {feature} on")
        t.host.ip("link set up0 gso_max_segs 1")
        case("gso_max_segs 1", "offload on")
        t.host.ip("link set up0 gso_max_segs 65535")
        t.host.ip("link set up0 mtu 1280")
        rx.decode.mtu = 1280
        by = case("MTU 1280", "offload on")
        ksft_true(all({c.fragments for c in by[name]} == {1, 2} for name in TUNNELS),
                  "MTU 1280: long copies come in fragments")


def csum():
    """GRE with a checksum: segments of odd and even length, whole, truncated and in fragments."""
    with one_cpu(), Topology(1500, 9000) as t, Collector(t.col, mtu=9000) as rx, \
            Sniffer(t.b, "eth0") as far, Sender(t.a, "eth0", vnet=True) as tx:
        def case(what, words, has=True, **more):
            tunnel_sessions(t, words)
            rx.taken = 0
            by = offload_case(t, rx, lambda: supers(t, tx, far), what, **more)
            ksft_eq({c.csum for name in TUNNELS for c in by[name]}, {has},
                    f"{what}: {'all' if has else 'no'} copies have a checksum")
            return by

        case("csum on", "csum on")
        case("csum off", "csum off", has=False)
        case("csum, seq", "csum on seq on")
        case("csum, decap", "csum on decap on")
        case("csum, odd snaplen", "csum on snaplen 1001", limit=1001)
        case("csum, snaplen within the inner headers", "csum on seq on snaplen 61", limit=61)
        t.host.ip("link set up0 mtu 1280")
        rx.decode.mtu = 1280
        for words in ("csum on", "csum on seq on"):
            by = case(f"{words}, MTU 1280", words)
            ksft_true(all({c.fragments for c in by[name]} == {1, 2} for name in TUNNELS),
                      f"{words}, MTU 1280: long copies come in fragments")


def unfinished(frame):
    """Return: what wire.inner() says of FRAME, whose checksum may be left to a device that knows
    how long it is."""
    info = parse_inner(frame, cut=not frame.csum_ready)
    if info and not frame.csum_ready:
        proto, src, dst, l4, end = info
        field, = struct.unpack_from("!H", frame, l4 + 16)
        pseudo = checksum(src + dst + struct.pack("!II", end - l4, proto)) ^ 0xffff
        if (proto, end, field) != (6, len(frame), pseudo):
            raise ValueError(f"protocol {proto}, {len(frame)} bytes, IP packet to {end}, checksum "
                             f"{field:04x} not {pseudo:04x}")
    return info


def offload_streams():
    """The collector's tunnel devices get all of real connections, in fewer packets than segments;
    nothing without."""
    with Topology(1500, 9000) as t, contextlib.ExitStack() as stack:
        local, remote = {4: t.IP4["col"], 6: t.IP6["col"]}, {4: t.IP4["up0"], 6: t.IP6["up0"]}
        for name, (_, version, kind) in TUNNELS.items():
            kind, *more = kind.split(" ", 1)
            t.col.ip(f"link add r{name} type {kind} local {local[version]} remote "
                     f"{remote[version]} {' '.join(more)}", f"link set r{name} addrgenmode none",
                     f"link set r{name} up")
            t.col.sh(f"ethtool -K r{name} gro off")
        sniffers = {name: stack.enter_context(Sniffer(t.col, "r" + name)) for name in TUNNELS}
        tunnel_sessions(t, "offload on")
        mirror(t, "vnet0", TUNNELS, "dir both ip_proto tcp")
        sent = [(addr["a"], *transfer(t, 1 << 18, addresses=addr))
                for addr in (t.IP4, t.IP6, vlan_devices(t))]
        counters = {s["name"]: s["stats"] for s in stop_copying(t)}
        for name in TUNNELS:
            check_streams(name, sniffers[name], counters[name], sent)


def check_streams(name, sniffer, counters, sent):
    """The device of session NAME has had all payload of the connections SENT, as packets of which
    some are super-frames."""
    frames, streams, segs = [], [], 0
    while segs < counters["sent"] and (more := sniffer.frames(1)):
        frames += more
        segs += sum(map(count_segments, more))
    ksft_eq((segs, counters["sent"]), (counters["matched"],) * 2,
            f"{name}: segments that came, were sent, of all")
    ksft_true(len(frames) < segs, f"{name}: in fewer packets", f"{len(frames)} of {segs}")
    for source, data, port in sent:
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        streams.append(Stream(socket.inet_pton(family, source), port))
        for frame in frames:
            streams[-1].add(frame, unfinished(frame))
        ksft_eq(streams[-1].data() == data, True, f"{name}: payload from {source}")


def count_segments(frame):
    """Return: how many segments of a path of 1500 bytes the TCP packet FRAME is, with a timestamp
    in each."""
    proto, src, _, l4, end = unfinished(frame)
    assert proto == 6
    head = (frame[l4 + 12] >> 4) * 4
    return max(1, -(-(end - l4 - head) // (1500 - (20 if len(src) == 4 else 40) - head)))


if __name__ == "__main__":
    modprobe("veth", "bridge", "8021q")
    ksft_run([tcp, udp, offload, offload_streams, csum])
    ksft_exit()
