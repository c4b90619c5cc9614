#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The collector receives each frame as it would appear on a wire: super-frames, checksums, MTU,
tags, receivers."""
import contextlib
import random
import socket
import struct

from lib import (KERNEL, Collector, Copy, Sender, Sniffer, Topology, busywait, checksum, ether,
                 ksft_eq, ksft_exit, ksft_run, ksft_skip, ksft_true, mac, modprobe, one_cpu,
                 parse_inner, raise_backlog, vtap, vtap_batch, vtap_json)
from lib.traffic import (SOL_UDP, TYPES, UDP_SEGMENT, add_sessions, finish, mirror, payload,
                         session_stats, transfer, transfer_sctp, vlan_devices)


def vlan():
    """Super-frames with a tag: in the frame of each copy, or in the ERSPAN header, never in
    both."""
    with Topology() as t, Collector(t.col) as rx:
        addr = vlan_devices(t)
        types = {"gre": TYPES["gre"], "two": TYPES["two"], "three": TYPES["three"] + " vlan strip"}
        names = add_sessions(t, versions=(4,), types=types)
        vtap_batch(t.host, f"session add strip type erspan2 id 99 vlan strip remote {t.IP4['col']}")
        mirror(t, "vnet0", names[4] + ["strip"])
        data, port = transfer(t, 1 << 18, addresses=addr)
        counters, by = finish(t, rx)
        ksft_eq(rx.bad[:3], [], "tagged: all outer packets decode")
        for name in counters:
            stream, wrong = payload(by[name], addr["a"], port, 1518)
            ksft_true(stream.data() == data and not wrong, f"tagged: {name}: whole payload",
                      f"{len(stream.data())} {wrong[:3]}")
        from_a = {name: [c for c in by[name] if c.frame[6:12] == mac(t.MAC["a"])] for name in by}
        tags = {name: {c.frame[12:16].hex() if c.frame[12:14] == b"\x81\0" else None for c in got}
                for name, got in from_a.items()}
        ksft_eq(tags, {"gre4": {"81006005"}, "two4": {"81006005"}, "three4": {None},
                       "strip": {None}},
                "tagged: keep leaves the tag in the frame, strip takes it out")
        words = {name: {c.words[0] & 0xfffff800 for c in from_a[name]}
                 for name in ("two4", "three4", "strip")}
        ksft_eq(words, {"two4": {0x10007800}, "three4": {0x20056000}, "strip": {0x10057000}},
                "tagged: VLAN, COS and En of the ERSPAN header")


def receivers():
    """The kernel's own tunnel devices decapsulate every copy. Those that look at sequence numbers
    drop what was overtaken."""
    devices = {"gre4": "gretap local {c4} remote {u4}", "gre6": "ip6gretap local {c6} remote {u6}",
               "greseq4": "gretap local {c4} remote {u4} ikey 7 iseq",
               "greseq6": "ip6gretap local {c6} remote {u6} ikey 7 iseq",
               "two4": "erspan local {c4} remote {u4} key 102 erspan_ver 1 seq",
               "two6": "ip6erspan local {c6} remote {u6} key 102 erspan_ver 1 seq",
               "three4": "erspan local {c4} remote {u4} key 103 erspan_ver 2 seq",
               "three6": "ip6erspan local {c6} remote {u6} key 103 erspan_ver 2 seq",
               "one4": "erspan local {c4} remote {u4} erspan_ver 0",
               "vx4": "vxlan id 104 dstport 4789 local {c4} nolearning",
               "vx6": "vxlan id 105 dstport 4789 local {c6} nolearning"}
    with Topology() as t, contextlib.ExitStack() as stack:
        where = {"c4": t.IP4["col"], "c6": t.IP6["col"], "u4": t.IP4["up0"], "u6": t.IP6["up0"]}
        t.col.ip(*[f"link add r{name} type {what.format(**where)}\nlink set r{name} addrgenmode "
                   f"none\nlink set r{name} up" for name, what in devices.items()])
        for name in devices:  # or frames are put together again before they are seen
            t.col.sh(f"ethtool -K r{name} gro off")
        sniffers = {name: stack.enter_context(Sniffer(t.col, "r" + name)) for name in devices}
        names = add_sessions(t)
        vtap_batch(t.host, f"session add one4 type erspan1 remote {t.IP4['col']}",
                   "session set vx6 key 105")
        mirror(t, "vnet0", names[4] + ["one4"])
        mirror(t, "vnet1", names[6])
        sent = []
        for version, addr in ((4, t.IP4["a"]), (6, t.IP6["a"])):
            sent.append((addr, *transfer(t, 1 << 17, version)))
        vtap("rule flush", t.host)
        for name, counters in session_stats(t).items():
            got = sniffers[name].frames(counters["sent"])
            wrong = [] if len(got) == counters["sent"] == counters["matched"] \
                else [f"{len(got)} frames, {counters}"]
            for source, data, port in sent:
                stream, bad = payload([Plain(f) for f in got], source, port, 1514)
                wrong += bad + ([] if stream.data() == data else [f"{len(stream.data())} of "
                                                                  f"{len(data)} bytes"])
            ksft_true(not wrong,
                      f"the kernel's {devices[name].split()[0]} device receives all of {name}",
                      wrong[:3])


class Plain(Copy):
    """A frame that something else has decapsulated."""

    def __init__(self, frame):
        self.frame = bytes(frame)


def random_frames(t, longest):
    """Return: frames of all shapes up to LONGEST bytes."""
    out = []
    for size in (14, 15, 18, 34, 59, 60, 61, 64, 128, 511, longest - 1, longest):
        out.append(random.randbytes(12) + b"\x88\xb5" + random.randbytes(size - 14))
        out.append(random.randbytes(12) + struct.pack("!H", random.randrange(0x600, 0x8000)) +
                   random.randbytes(size - 14))
    for size in (17, 46, 300, longest - 18):
        out.append(ether(t.MAC["b"], t.MAC["a"], 0x88b5, random.randbytes(size),
                         vlan=random.randrange(65536) & 0xefff))
        out.append(ether(t.MAC["b"], t.MAC["a"], 0x8100, random.randbytes(2) + b"\x88\xb5" +
                         random.randbytes(size - 4), vlan=9))
        out.append(out[-1][:12] + b"\x88\xa8" + out[-1][14:])
        out.append(ether(t.MAC["b"], t.MAC["a"], size, random.randbytes(size)))  # 802.3
    for kind in (0x800, 0x86dd):  # headers that make no sense
        out += [ether(t.MAC["b"], t.MAC["a"], kind, random.randbytes(n))
                for n in (1, 19, 20, 39, 40, 60, 1000)]
        version = b"\x45" if kind == 0x800 else b"\x60"
        out += [ether(t.MAC["b"], t.MAC["a"], kind, version + random.randbytes(n))
                for n in (0, 19, 39, 60, 1000) * 4]
    padded = [t.udp(payload=b"pad") + b"\0" * 15, t.tcp(payload=b"", version=6) + b"x" * 6]
    whole = t.udp(payload=random.randbytes(1400))
    pieces = [whole[:20] + struct.pack("!H", at // 8 | (at < 1000) << 13) + whole[22:34] +
              whole[34 + at:34 + at + 1000] for at in (0, 1000)]
    return out + padded + pieces


def byte_for_byte(mtu, up_mtu):
    """Frames of all shapes come out as they went in."""
    with Topology(mtu, up_mtu) as t, Collector(t.col, mtu=up_mtu) as rx, Sender(t.a, "eth0") as tx:
        types = dict(TYPES, one="type erspan1")
        add_sessions(t, types=types)
        mirror(t, "vnet0", ["gre4", "greseq4", "two4", "three4", "vx4", "one4", "gre6", "vx6"],
               "dir ingress")
        frames = random_frames(t, mtu + 14)
        tx.send(*frames)
        counters, by = finish(t, rx)
        ksft_eq(rx.bad[:3], [], f"MTU {mtu}: all outer packets decode")
        for name in ("gre4", "greseq4", "two4", "three4", "vx4", "one4", "gre6", "vx6"):
            got = [c.frame for c in by[name]]
            wrong = [(w.hex()[:80], g.hex()[:80]) for w, g in zip(frames, got) if w != g]
            ksft_true(got == frames,
                      f"MTU {mtu}: {name}: {len(frames)} random frames are copied byte for byte",
                      f"{len(got)} copies, {counters[name]}, first different: {wrong[:1]}")


def shapes():
    """Random frames on a narrow wire, and jumbo frames on a wide one."""
    byte_for_byte(1500, 1500)
    byte_for_byte(9000, 9100)


def partial():
    """Checksums that the sender left to the device are final in the copy, a cut one included; the
    frame is untouched."""
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0",
                                                         vnet=True) as tx, \
            Sniffer(t.b, "eth0", vnet=True) as far:
        vtap_batch(t.host, f"session add two4 type erspan2 id 102 remote {t.IP4['col']}",
                   f"session add cut type erspan2 id 99 snaplen 70 remote {t.IP4['col']}")
        mirror(t, "vnet0", ["two4", "cut"], "dir ingress")
        want, sent = [], []
        for version, l4 in ((4, 34), (6, 54)):
            for make, at in ((t.udp, 6), (t.tcp, 16)):
                for size in (0, 1, 101, 1000):
                    data = random.randbytes(size)
                    want.append(make(version=version, payload=data))
                    sent.append(make(version=version, payload=data, partial=True))
                    tx.send(sent[-1], csum=(l4, at))
        ksft_eq([bytes(f) for f in far.frames(len(sent))], sent,
                "unfinished checksums go on unfinished")
        _, by = finish(t, rx)
        ksft_eq([c.frame for c in by["two4"]], want, "and are final in the copies")
        cut = by["cut"]
        ksft_eq([c.frame for c in cut], [f[:70] for f in want], "also in a copy cut by snaplen")
        ksft_eq([c.truncated for c in cut], [len(f) > 70 for f in want], "which is marked as such")


def policies():
    """mtu truncate and drop, snaplen; frames and a super-frame under each of them. Every outcome is
    counted."""
    to4, to6 = (f"remote {Topology.IP4['col']}", f"remote {Topology.IP6['col']}")
    cases = {"frag": (f"type erspan2 id 1 {to4} mtu fragment", 36, None),
             "cut": (f"type erspan2 id 2 {to4} mtu truncate", 36, 1464),
             "cut6": (f"type erspan3 id 3 {to6} mtu truncate", 60, 1440),
             "cutg": (f"type gre key 8 {to4} mtu truncate", 28, 1472),
             "drop": (f"type erspan2 id 4 {to4} mtu drop", 36, 0),
             "snap": (f"type erspan2 id 5 {to4} snaplen 200", 36, 200),
             "snap6": (f"type vxlan key 6 {to6} snaplen 60", 56, 60)}
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0",
                                                         vnet=True) as tx, \
            Sniffer(t.a, "eth0") as back:
        vtap_batch(t.host, *[f"session add {name} {words}" for name, (words, *_) in cases.items()])
        mirror(t, "vnet0", cases, "dir ingress")
        data = random.randbytes(4000)
        wire_frames = [t.udp(payload=random.randbytes(n)) for n in (20, 1422, 1472)]
        tx.send(*wire_frames)
        tx.send(t.tcp(payload=data, partial=True, flags=0x18), csum=(34, 16),
                gso=(Sender.GSO_TCPV4, 1460, 54))
        parts = [(data[i:i + 1460], i) for i in range(0, 4000, 1460)]
        frames = wire_frames + [segment(t, part, at, at + len(part) == len(data))
                                for part, at in parts]
        counters, by = finish(t, rx)
        for name, (_, outer, limit) in cases.items():
            want = [f[:limit] if limit else f for f in frames if limit != 0 or len(f) + outer <=
                    1500]
            ksft_eq([c.frame for c in by[name]], want, f"{name}: what arrives")
            c, short = counters[name], [len(w) < len(f) for w, f in zip(want, frames)] if limit \
                else [False] * len(want)
            ksft_eq([c["matched"], c["sent"], c["drop_mtu"], c["truncated"], c["fragmented"],
                     c["bytes"]], [len(frames), len(want), len(frames) - len(want), sum(short),
                                   0 if limit is not None else 3, sum(map(len, want))],
                    f"{name}: counters")
            if "erspan" in cases[name][0]:
                ksft_eq([x.truncated for x in by[name]], short, f"{name}: T bit")
        ksft_eq({n: {c.fragments > 1 for c in by[n]} for n in ("frag", "cut", "drop")},
                {"frag": {True, False}, "cut": {False}, "drop": {False}},
                "DF is set unless fragments are allowed")
        ksft_eq({f[6:12] for f in back.frames()}, {mac(t.MAC["b"])},
                "errors of the receiver reach the sender, nothing of the tap does")


def segment(t, data, at, last):
    """Return: the frame that bytes AT of a super-frame of t.tcp() are sent in."""
    frame = bytearray(t.tcp(payload=data, flags=0x18 if last else 0x10, seq=1 + at))
    frame[18:20] = struct.pack("!H", 1 + at // 1460)
    frame[24:26] = b"\0\0"
    frame[24:26] = struct.pack("!H", checksum(bytes(frame[14:34])))
    return bytes(frame)


def frag_list():
    """Datagrams that the receiving side put on a list (rx-gro-list) are copied as they came, their
    IP ids included."""
    with Topology() as t, Collector(t.col) as rx, Sniffer(t.b, "eth0") as far:
        t.host.sh("ethtool -K vnet0 gro on rx-gro-list on")
        t.a.sh("ethtool -K eth0 tx-udp-segmentation off")
        vtap_batch(t.host, f"session add two4 type erspan2 id 102 remote {t.IP4['col']}",
                   f"session add vx6 type vxlan key 104 remote {t.IP6['col']}")
        mirror(t, "vnet0", ["two4", "vx6"], "dir ingress ip_proto udp")
        data, want = random.randbytes(30000), []
        for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            with t.a.enter(), socket.socket(family, socket.SOCK_DGRAM) as s:
                s.setsockopt(SOL_UDP, UDP_SEGMENT, 1300)
                s.sendto(data, ((t.IP6 if version == 6 else t.IP4)["b"], 4000))
            want += [data[i:i + 1300] for i in range(0, len(data), 1300)]
        seen = []
        busywait(lambda: seen.extend(far.frames()) or sum(map(len, seen)) >= 2 * len(data), 30)
        longest = max(map(len, seen))
        counters, by = finish(t, rx)
        ksft_eq(counters["two4"]["matched"], len(want), "all of the datagrams were there")
        if KERNEL < (5, 13):
            ksft_skip("before 5.13 a veth device receives them one by one",
                      "the port carried datagrams on a list")
        else:
            ksft_true(longest > 2000, "the port carried datagrams on a list", longest)
        for name in ("two4", "vx6"):
            got = [c.frame[i[3] + 8:i[4]] for c in by[name] if (i := parse_inner(c.frame))]
            ksft_true(got == want, f"{name}: the datagrams of the list, and no other",
                      lambda g=got: [len(x) for x in g])


def all_kinds(t):
    """Return: (frame, what Sender.send() takes with it) of each kind that a VM may send."""
    out = [(f, {}) for f in (t.udp(payload=b"plain"), t.tcp(version=6,
                                                            payload=random.randbytes(700)),
                             t.udp(payload=b"padded") + b"\0" * 12,
                             t.udp(payload=random.randbytes(1472), vlan=0x6005),
                             ether(t.MAC["b"], t.MAC["a"], 0x88b5, random.randbytes(46)),
                             ether(t.MAC["b"], t.MAC["a"], 0x88a8,
                                   b"\0\7" + ether("", "", 0x0800, random.randbytes(50), 9)))]
    for version, l4, gso in ((4, 34, Sender.GSO_TCPV4), (6, 54, Sender.GSO_TCPV6)):
        for vlan_id, more in ((None, 0), (5, 4)):
            words = {"version": version, "partial": True, "vlan": vlan_id}
            csum = {"csum": (l4 + more, 16)}
            out.append((t.udp(payload=random.randbytes(101), **words), {"csum": (l4 + more, 6)}))
            out.append((t.tcp(payload=random.randbytes(1000), **words), csum))
            for size in (1461, 30001):
                out.append((t.tcp(payload=random.randbytes(size), flags=0x98, **words),
                            {**csum, "gso": (gso, 1400, l4 + more + 20)}))
    return out


def cast(t, tx, udp):
    """Send all_kinds(), made of the same random numbers each time, and UDP super-frames. Return:
    what VM b gets, each (frame, the notes that a driver would have of it)."""
    random.seed(5)
    kinds, end = all_kinds(t), t.udp(payload=b"end")
    with Sniffer(t.b, "eth0", vnet=True) as far:
        for frame, words in kinds:
            tx.send(frame, **words)
        tx.send(end)
        got = [(bytes(f), f.vnet, f.csum_ready) for f in far.until(lambda f: f == end)]
    with Sniffer(t.b, "eth0") as far:  # a header of these is not told before Linux 6.2
        for s, addr in udp:
            s.sendto(random.randbytes(20 * 1000), (addr, 4000))
        tx.send(end)
        got += [(bytes(f), f.csum_ready) for f in far.until(lambda f: f == end)]
    return got, len(kinds) + len(udp) * (1 if t.udp_gso() else 20)


def untouched():
    """What VM b gets is the same in every bit with and without taps, for each kind of frame, notes
    to its driver included."""
    to = f"remote {Topology.IP4['col']}"
    configs = {"frag": f"type gre {to}", "strip": f"type erspan2 id 1 vlan strip {to}",
               "cut": f"type erspan3 id 2 mtu truncate {to}",
               "snap": f"type vxlan key 3 snaplen 60 {to}",
               "drop": f"type erspan2 id 4 mtu drop {to}", "slow": f"type erspan2 id 5 pps 1 {to}",
               "away": "type gre key 6 remote 203.0.113.9",
               "six": f"type vxlan key 7 remote {Topology.IP6['col']}"}
    taps = {"at ingress": ["vnet0 dir ingress"], "at egress": ["vnet1 dir egress"],
            "at both": ["vnet0 dir ingress", "vnet1 dir egress"]}
    with Topology() as t, contextlib.ExitStack() as stack:
        tx = stack.enter_context(Sender(t.a, "eth0", vnet=True))
        udp = []
        for family, addr in ((socket.AF_INET, t.IP4), (socket.AF_INET6, t.IP6)):
            with t.b.enter():
                stack.enter_context(socket.socket(family,
                                                  socket.SOCK_DGRAM)).bind((addr["b"], 4000))
            with t.a.enter():
                s = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            s.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
            if family == socket.AF_INET:
                # IP_MTU_DISCOVER, IP_PMTUDISC_DO: its packets have id 0
                s.setsockopt(socket.IPPROTO_IP, 10, 2)
            s.bind((addr["a"], 4001))
            udp.append((s, addr["b"]))
        vtap_batch(t.host, *[f"session add {name} {words}" for name, words in configs.items()])
        want, n = cast(t, tx, udp)
        sent = len(all_kinds(t)) + len(udp)
        ksft_true(len(want) == n and {w[-1] for w in want} == {True, False},
                  "all kinds of frame arrive untapped", len(want))
        for shared in (False, True):
            with Sniffer(t.host, "vnet0") if shared else contextlib.nullcontext():
                for where, ports in taps.items():
                    vtap_batch(t.host, *[f"rule add pref 10 port {port} action mirror "
                                         f"{','.join(configs)}" for port in ports])
                    before = session_stats(t)
                    got, _ = cast(t, tx, udp)
                    after = session_stats(t)
                    vtap("rule flush", t.host)
                    what = f"tapped {where}{', shared with a capture' if shared else ''}"
                    ksft_true(got == want, f"{what}: all arrive unchanged",
                              lambda g=got: [(x[0].hex()[:160], y[0].hex()[:160])
                                             for x, y in zip(g, want) if x != y][:2] or len(g))
                    copied = {name: after[name]["matched"] - before[name]["matched"]
                              for name in configs}
                    ksft_true(min(copied.values()) > 3 * sent, f"{what}: and are copied", copied)


def original():
    """The copies show the frame at their hook, however it is rewritten while they wait in a queue;
    both ends of the stream are the same."""
    with Topology() as t, Collector(t.col) as rx, Sender(t.a,
                                                         "eth0") as tx, Sniffer(t.b, "eth0") as far:
        t.host.sh("nft -f -",
                  input="table bridge t { chain c { type filter hook forward priority 0; "
                  "ip ttl set 3; ip daddr set 10.0.0.77; udp dport set 999; }; }")
        t.host.sh("tc qdisc add dev up0 root netem delay 200ms limit 100000")
        t.host.sh("tc qdisc add dev vnet1 clsact")
        t.host.sh("tc filter add dev vnet1 egress matchall action vlan push id 7 pipe action vlan "
                  "push id 8")
        vtap_batch(t.host, f"session add before type erspan2 id 1 remote {t.IP4['col']}",
                   f"session add after type erspan3 id 2 remote {t.IP4['col']}",
                   "rule add pref 10 port vnet0 dir ingress action mirror before",
                   "rule add pref 10 port vnet1 dir egress action mirror after")
        frames = [t.udp(payload=random.randbytes(n)) for n in (18, 100, 700, 1400)
                  for _ in range(50)]
        tx.send(*frames)
        arrived = [bytes(f) for f in far.frames(len(frames))]
        ksft_true(len(arrived) == len(frames) and not set(arrived) & set(frames)
                  and {f[12:20] + f[30:31] + f[44:46] for f in arrived} ==
                  {b"\x81\0\0\x08\x81\0\0\x07\x03\x03\xe7"},
                  "the forwarding path rewrote every frame", arrived[:1])
        hook = vtap_json("port show vnet1", t.host)[0]["egress_hook"]
        _, by = finish(t, rx)
        ksft_eq([c.frame for c in by["before"]], frames, "the copy at ingress is what was sent")
        # netfilter's hook comes before those of tc, which push the tags
        ksft_eq([c.frame for c in by["after"]], [f[:12] + f[20:] for f in arrived] if hook ==
                "netfilter" else arrived, "the copy at egress is what was received")


def sctp():
    """SCTP: its CRC, which the sender leaves to the device, is final in the copy; super-frames are
    cut."""
    if not modprobe("sctp"):
        ksft_skip("the kernel has none", "SCTP")
        return
    with Topology() as t, Collector(t.col) as rx:
        names = add_sessions(t, versions=(4,), types={k: TYPES[k] for k in ("two", "vx")})
        vtap_batch(t.host, f"session add snap type erspan2 id 99 snaplen 60 remote {t.IP4['col']}",
                   f"session add short type gre key 9 mtu truncate remote {t.IP4['col']}")
        mirror(t, "vnet0", [*names[4], "snap", "short"])
        data = random.randbytes(30000)
        transfer_sctp(t, data)
        _, by = finish(t, rx)
        for name in names[4]:
            packets = [c.frame[34:] for c in by[name] if c.frame[23] == 132]
            wrong = [p[:40].hex() for p in packets if struct.unpack("<I",
                                                                    p[8:12])[0] != crc32c(
                                                                        p[:8] + b"\0" * 4 + p[12:])]
            ksft_true(len(packets) > 20 and not wrong, f"SCTP: {name}: every CRC is right",
                      f"{len(packets)} {wrong[:2]}")
            chunks = sorted({c[0]: c[1] for p in packets for c in sctp_data(p) if p[2:4] ==
                             b"\x13\x8a"}.items())
            ksft_true(b"".join(c for _, c in chunks) == data, f"SCTP: {name}: the whole payload",
                      len(chunks))
        whole = [c.frame for c in by["two4"]]
        for name, limit in (("snap", 60), ("short", 1472)):
            ksft_eq([c.frame for c in by[name]], [f[:limit] for f in whole],
                    f"SCTP: {name}: what is cut keeps the CRC of the whole")
        ksft_true(max(map(len, whole)) > 1472, "SCTP: some were cut", max(map(len, whole)))


def crc32c(data):
    """Return: the CRC of SCTP over DATA."""
    crc = 0xffffffff
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def crc32c_table():
    """Return: the table that crc32c() needs."""
    table = list(range(256))
    for _ in range(8):
        table = [c >> 1 ^ (0x82f63b78 if c & 1 else 0) for c in table]
    return table


CRC32C = crc32c_table()


def sctp_data(packet):
    """Return: (TSN, payload) of each DATA chunk of an SCTP packet."""
    out, at = [], 12
    while at + 4 <= len(packet):
        kind, _, length = struct.unpack_from("!BBH", packet, at)
        if kind == 0:
            out.append((packet[at + 4:at + 8], packet[at + 16:at + length]))
        at += (length + 3) & ~3 or 4
    return out


def sample():
    """sample N copies one frame in N; sample flow N the same flows always, both directions of
    each."""
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx, \
            Sender(t.b, "eth0") as reply:
        vtap_batch(t.host, f"session add two4 type erspan2 id 102 remote {t.IP4['col']}")
        frame = t.udp(payload=b"sample")
        vtap_batch(t.host, "rule add pref 10 port vnet0 dir ingress action mirror two4 sample 4")
        tx.send(*[frame] * 2000)
        counters, by = finish(t, rx)
        n = counters["two4"]["matched"]
        ksft_true(400 < n < 600 and len(by["two4"]) == n, "one in four frames is copied", n)
        flows = [(t.udp(sport=port, payload=b"q"), t.udp("b", "a", sport=4000, dport=port,
                                                         payload=b"r"))
                 for port in range(20000, 20400)]
        seen = []
        for _ in range(2):
            # a VM tells of closed ports by ICMP, as often as it likes
            vtap_batch(t.host, "rule add pref 10 port vnet0 dir both ip_proto udp action mirror "
                       "two4 sample flow 4")
            tx.send(*[request for request, _ in flows])
            reply.send(*[answer for _, answer in flows])
            seen.append({c.frame for c in finish(t, rx)[1]["two4"]})
        whole = [f for f in flows if f[0] in seen[0]]
        ksft_true(60 < len(whole) < 140, "one in four flows is copied", len(whole))
        ksft_eq(seen, [{f for flow in whole for f in flow}] * 2,
                "with both its directions, and always the same ones")
        p = vtap("rule add pref 10 port vnet0 action skip sample 4", t.host, ok=False)
        ksft_true("sample is for action mirror" in p.stderr, "a skip rule takes no sample",
                  p.stderr)


if __name__ == "__main__":
    modprobe("veth", "bridge", "8021q", "vxlan", "ip_gre", "ip6_gre")
    raise_backlog()
    with one_cpu():
        ksft_run([vlan, receivers, shapes, partial, policies, frag_list, untouched, original, sctp,
                  sample])
        ksft_exit()
