#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""slice and mask: whatever is in front of it, no byte of payload leaves, and no header byte is
missing.

Each frame says where its headers end; the copies must be the frame up to there, byte for byte.
"""
import fcntl
import os
import socket
import struct
import subprocess
import tempfile

from lib import (Collector, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_run,
                 ksft_skip, ksft_true, modprobe, one_cpu, raise_backlog, vtap, vtap_batch,
                 vtap_json)
from lib.cli import Monitor
from lib.layers import TCP, UDP, frame, geneve, tcp, v4, v6, vxlan
from lib.slices import LOAD, OPTS, SECRET, Case, case, known, six_tags, unknown
from lib.traffic import SOL_UDP, UDP_SEGMENT, dropped, finish, mirror, transfer, transfer_sctp

# session: layer, bytes that are kept behind it, is it mask
WAYS = {"whole": (None, 0, False), "l2": ("l2", 0, False), "l3": ("l3", 0, False),
        "l4": ("l4", 0, False), "l2.5": ("l2", 5, False), "l3.8": ("l3", 8, False),
        "l4.13": ("l4", 13, False), "most": ("l4", 65535, False), "m2": ("l2", 0, True),
        "m3": ("l3", 0, True), "m4": ("l4", 0, True), "strip": ("l4", 0, False)}
# those of a rule, which has at most 8 sessions
GROUPS = (("whole", "l2", "l3", "l4", "l2.5", "l3.8", "l4.13", "most"),
          ("whole", "m2", "m3", "m4", "strip"))


def words(name):
    """Return: the words of session NAME."""
    layer, more, mask = WAYS[name]
    if not layer:
        return ""
    return f"{'mask' if mask else 'slice'} {layer}" + f" +{more}" * bool(more) + \
        " vlan strip" * (name == "strip")


def add(t, ways, kind="erspan2 id {}", first=1, more=""):
    """Add a session for each of WAYS."""
    vtap_batch(t.host, *[f"session add {name} type {kind.format(i)} remote {t.IP4['col']} "
                         f"{words(name)} {more}" for i, name in enumerate(ways, first)])


def untagged(f):
    """Return: F without its outermost tag."""
    return f[:12] + f[16:] if f[12:14] in (b"\x81\0", b"\x88\xa8") else f


def wanted(name, cases):
    """Return: the copies that session NAME makes of CASES."""
    out = [c.copy(*WAYS[name]) for c in cases]
    return [untagged(f) for f in out] if name == "strip" else out


def check(what, cases, by, counters):
    """The copies BY session of CASES are what they must be, and counted."""
    for name in counters:
        got, want = [c.frame for c in by[name]], wanted(name, cases)
        wrong = [(c.name, len(w), len(g), g[:90].hex())
                 for c, w, g in zip(cases, want, got) if w != g]
        ksft_true(len(got) == len(want) and not wrong,
                  f"{what}: {name}: {len(want)} copies, byte for byte",
                  f"{len(got)} copies, {len(wrong)} are wrong: {wrong[:3]}")
        whole = [len(untagged(c.bytes) if name == "strip" else c.bytes) for c in cases]
        cut = [len(w) < n for w, n in zip(want, whole)]
        ksft_eq([c.truncated for c in by[name]], cut, f"{what}: {name}: T bit")
        layer, _, mask = WAYS[name]
        hidden = sum(c.end(layer, 0) < n for c, n in zip(cases, whole)) if mask else 0
        ksft_eq([counters[name][k] for k in ("sent", "bytes", "truncated", "masked")],
                [len(want), sum(map(len, want)), sum(cut), hidden], f"{what}: {name}: counters")
    for name in {"l4", "m4", "strip"} & set(counters):
        ksft_true(not any(SECRET[:4] in c.frame for c in by[name]), f"{what}: {name}: no payload",
                  lambda name=name: [c.frame.hex() for c in by[name] if SECRET[:4] in c.frame][:2])
    seen = sum(SECRET[:4] in c.frame for c in by["whole"])
    ksft_true(seen > len(cases) - 8, f"{what}: without slice, the payload is there", seen)


def finish_all(t, rx):
    """As finish(), and delete the sessions."""
    rx.taken = 0
    out = finish(t, rx)
    vtap("session flush", t.host)
    return out


def equal(what, cases, want, got):
    """The copies GOT of CASES are those that we WANT."""
    ksft_true(got == want and len(got) > 30, what, lambda: [
        (c.name, len(w), len(g)) for c, w, g in zip(cases, want, got) if w != g][:4])


def headers():
    """Every header behind every other one, and every frame without one, in all ways; what the VM's
    peer gets is not changed."""
    with Topology(up_mtu=1700) as t, Collector(t.col, mtu=1700) as rx, Sender(t.a, "eth0") as tx, \
            Sniffer(t.b, "eth0", match=lambda f: f[:6] == frame(b"")[:6]) as far:
        t.b.ip("link set eth0 promisc on")
        t.host.ip("link set vnet0 mtu 1700")
        for what, cases, ways in [(what, cases, ways) for ways in GROUPS for what, cases in (
                # without one of them, it has no more than are looked behind
                ("known", known()),
                ("unknown", unknown() + [six_tags()] * ("strip" not in ways)))]:
            add(t, ways)
            mirror(t, "vnet0", ways, "dir ingress")
            tx.send(*[c.bytes for c in cases])
            ksft_eq([bytes(f) for f in far.frames(len(cases))], [c.bytes for c in cases],
                    f"{what}: the frames themselves arrive as they were sent")
            counters, by = finish_all(t, rx)
            check(what, cases, by, counters)
            ksft_eq((rx.bad[:3], [n for n, s in counters.items() if dropped(s)]), ([], []),
                    f"{what}: all copies decode, and none is dropped")


TYPES = {"gre": "gre key 1", "greseq": "gre key 2 seq on csum on", "one": "erspan1",
         "three": "erspan3 id 4", "sub": "erspan3 id 5 subheader on", "vx": "vxlan key 6"}


def types():
    """The same copies in all types, over IPv4 and IPv6, and raw; snaplen goes with it."""
    cases = [c for c in known() if "UDP, " in c.name or "TCP, " in c.name]
    with Topology(up_mtu=1700) as t, Collector(t.col, mtu=1700) as rx, Sender(t.a, "eth0") as tx:
        t.host.ip("link add raw0 type dummy", "link set raw0 addrgenmode none up")
        for how in ("slice l4 +4", "mask l4"):
            to = [t.IP4["col"], t.IP6["col"]] * 3
            vtap_batch(t.host, *[f"session add {name} type {kind} remote {remote} {how}"
                                 for remote, (name, kind) in zip(to, TYPES.items())],
                       f"session add raw type port dev raw0 {how}",
                       f"session add short type erspan2 id 9 remote {to[0]} {how} snaplen 60")
            want = [c.copy("l4", 4 if "slice" in how else 0, "mask" in how) for c in cases]
            with Sniffer(t.host, "raw0", "out") as raw:
                mirror(t, "vnet0", [*TYPES, "raw", "short"], "dir ingress")
                tx.send(*[c.bytes for c in cases])
                ksft_eq([bytes(f) for f in raw.frames(len(cases))], want, f"{how}: raw copies")
            vtap("rule flush", t.host)
            shown = vtap_json("-s session show", t.host)
            by = {}
            for c in rx.copies(len(cases) * (1 + len(TYPES))):
                by.setdefault(c.session, []).append(c)
            ksft_eq(sorted(len(copies) for copies in by.values()), [len(cases)] * (1 + len(TYPES)),
                    f"{how}: every type has its copies")
            for key, copies in by.items():
                limit = 60 if key[2] == 9 else 9000
                ksft_eq([c.frame for c in copies], [w[:limit] for w in want],
                        f"{how}: type {key[0]}, number {key[2]}")
                # type I has no header with a bit
                if key[0] in ("erspan2", "erspan3"):
                    cut = [len(w[:limit]) < len(c.bytes) for c, w in zip(cases, want)]
                    ksft_eq([c.truncated for c in copies], cut, f"{how}: {key[0]}, {key[2]}: T bit")
            masked = {s["name"]: s["stats"]["masked"] for s in shown}
            all_of_them = len(cases) if "mask" in how else 0
            short = sum(c.end("l4", 0) < 60 for c in cases) if "mask" in how else 0
            ksft_eq(masked, {**dict.fromkeys(masked, all_of_them), "short": short},
                    f"{how}: counted where bytes that leave were overwritten")
            vtap("session flush", t.host)
        ksft_eq(rx.bad[:3], [], "all copies decode")


def lengths():
    """What is too long for the path when whole is cut first, and then sent; a masked copy is as
    long as the frame, and goes by mtu."""
    big = case("", v4(TCP, tcp() + SECRET * 180), 20, 20)
    masked = big.copy("l4", 0, True)
    table = {
        "plain": ("mtu drop", None), "cut": ("mtu drop slice l4 +2", big.bytes[:56]),
        "frag": ("slice l4 +1240", None), "long": ("slice l4 +1240 mtu truncate", None),
        "none": ("mask l4 mtu drop", None), "trunc": ("mask l4 mtu truncate", masked[:1000 - 36]),
        "parts": ("mask l4", masked)}
    want = {"frag": big.bytes[:54 + 1240], "long": big.bytes[:964],
            **{n: w for n, (_, w) in table.items() if w}}
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
        t.host.ip("route add 192.0.2.77/32 dev up0 mtu lock 1000",
                  f"neigh add 192.0.2.77 lladdr {t.MAC['col']} dev up0 nud permanent")
        vtap_batch(t.host, *[f"session add {name} type erspan2 id {i} remote 192.0.2.77 {how}"
                             for i, (name, (how, _)) in enumerate(table.items(), 1)])
        mirror(t, "vnet0", table, "dir ingress")
        tx.send(big.bytes)
        counters, by = finish(t, rx)
        for name in table:
            ksft_eq([c.frame for c in by[name]], [want[name]] if name in want else [],
                    f"{name}: the copy")
            s = counters[name]
            ksft_eq((s["sent"], s["drop_mtu"], s["truncated"], s["fragmented"]),
                    (name in want, name not in want,
                     len(want.get(name, big.bytes)) < len(big.bytes), name in ("frag", "parts")),
                    f"{name}: counters")
        ksft_eq(rx.bad, [], "all copies decode")


def sums():
    """A checksum that is left to the device is that of the whole packet in every copy."""
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0", vnet=True) as tx:
        ways = ("whole", "l4", "l4.13", "m4", "strip")
        add(t, ways)
        mirror(t, "vnet0", ways, "dir ingress")
        frames = []
        for version, l3 in ((4, 20), (6, 40)):
            for tci in (None, 5):
                for make, proto, head, at in ((t.tcp, 6, 20, 16), (t.udp, 17, 8, 6)):
                    start = 14 + 4 * (tci is not None) + l3
                    tx.send(make(version=version, vlan=tci, payload=LOAD, partial=True),
                            csum=(start, at))
                    frames.append(Case("", make(version=version, vlan=tci, payload=LOAD),
                                       [start - l3, start, start + head], start + head + len(LOAD)))
        _, by = finish(t, rx)
        for name in ways:
            ksft_eq([c.frame for c in by[name]], wanted(name, frames),
                    f"{name}: the sum of the whole")


def end_of(f):
    """Return: where the transport header of the TCP, UDP or SCTP frame F ends."""
    at = 14
    while f[at - 2:at] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    proto, l4 = (f[at + 9], at + (f[at] & 15) * 4) if f[at] >> 4 == 4 else (f[at + 6], at + 40)
    return l4 + {6: (f[l4 + 12] >> 4) * 4, 17: 8, 132: 12, 1: 8, 58: 8}[proto]


def same(what, by, least):
    """The copies of l4, l4.13 and m4 are those of `whole`, cut or masked."""
    whole = [c.frame for c in by["whole"]]
    long = sum(end_of(f) < len(f) for f in whole)
    ksft_true(long >= least and sum(SECRET in f for f in whole) >= least,
              f"{what}: without slice the payload is there, in {len(whole)} copies", long)
    for name, want in (("l4", [f[:end_of(f)] for f in whole]),
                       ("l4.13", [f[:end_of(f) + 13] for f in whole]),
                       ("m4", [f[:end_of(f)] + bytes(len(f) - end_of(f)) for f in whole])):
        got = [c.frame for c in by[name]]
        wrong = [(w[:80].hex(), g[:80].hex()) for w, g in zip(want, got) if w != g]
        ksft_true(len(got) == len(want) and not wrong,
                  f"{what}: {name}: as without, but for payload",
                  f"{len(got)} of {len(want)}, {len(wrong)} wrong: {wrong[:1]}")
        ksft_eq([c.truncated for c in by[name]], [len(w) < len(f) for w, f in zip(want, whole)],
                f"{what}: {name}: T bit")
        if name != "l4.13":
            ksft_true(not any(SECRET[:3] in f for f in got), f"{what}: {name}: no payload")


SAME = ("whole", "l4", "l4.13", "m4")


def streams():
    """Super-frames that real TCP and UDP make, with what they carry known."""
    data = SECRET * 30000
    with one_cpu(), Topology(up_mtu=1700) as t, Collector(t.col, mtu=1700) as rx:
        add(t, SAME)
        for version in (4, 6):
            mirror(t, "vnet0", SAME, "dir ingress ip_proto tcp")
            transfer(t, data, version=version)
            seen = vtap_json("-s port show vnet0", t.host)[0]["ingress"]["seen"]
            counters, by = finish(t, rx)
            same(f"TCP, IPv{version}", by, 100)
            ksft_true(seen < len(by["whole"]) / 2, f"IPv{version}: they came as super-frames", seen)
        ksft_eq((counters["m4"]["masked"], counters["l4"]["masked"]),
                (counters["l4"]["truncated"], 0), "what was masked is counted as what was cut")
        if not t.udp_gso():
            ksft_skip("this kernel's veth devices take no super-frames of it", "UDP")
            return
        mirror(t, "vnet0", SAME, "dir ingress ip_proto udp")
        for to in (t.IP4["b"], t.IP6["b"]):
            with t.a.enter(), socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET,
                                            socket.SOCK_DGRAM) as s:
                s.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
                s.sendto(SECRET * 3000, (to, 4000))
        same("UDP", finish(t, rx)[1], 42)


def sctp():
    """Super-frames that the kernel cuts for us; the CRC is that of the whole packet."""
    if not modprobe("sctp"):
        ksft_skip("the kernel has none", "SCTP")
        return
    with one_cpu(), Topology(up_mtu=1700) as t, Collector(t.col, mtu=1700) as rx:
        add(t, SAME)
        mirror(t, "vnet0", SAME, "dir ingress ip_proto sctp")
        transfer_sctp(t, SECRET * 4000)
        same("SCTP", finish(t, rx)[1], 15)


def decap():
    """With decap, the headers are those of the frame inside, of single frames and of super-frames
    in a tunnel; without it those of the tunnel's packet, and nothing of what is inside leaves."""
    inside = [c for c in known() if "two tags" not in c.name and "padding" not in c.name]
    with one_cpu(), Topology(up_mtu=1700) as t, Collector(t.col, mtu=1700) as rx, \
            Sender(t.a, "eth0") as tx:
        add(t, SAME, more="decap on")
        vtap(f"session add outer type erspan2 id 99 slice l4 remote {t.IP4['col']}", t.host)
        for wrap in (lambda f: v4(UDP, vxlan(f), opts=OPTS),
                     lambda f: v6(UDP, geneve(f, opts=bytes(8)))):
            packets = [frame(wrap(c.bytes)) for c in inside]
            mirror(t, "vnet0", [*SAME, "outer"], "dir ingress ip_proto udp")
            tx.send(*packets)
            _, by = finish(t, rx)
            for name in SAME:
                equal(f"decap: {name}: the frame inside", inside, wanted(name, inside),
                      [c.frame for c in by[name]])
            l4 = 14 + (28 if packets[0][12:14] == b"\x08\0" else 40) + 8
            ksft_eq([c.frame for c in by["outer"]], [f[:l4] for f in packets],
                    "without decap, nothing of what is inside")
        for ns, key, peer in ((t.a, "a", "b"), (t.b, "b", "a")):
            ns.ip(f"link add vx0 type vxlan id 7 dstport 4789 local {t.IP4[key]} "
                  f"remote {t.IP4[peer]}",
                  "link set vx0 addrgenmode none", "link set vx0 up",
                  f"address add 10.7.0.{1 + (key == 'b')}/24 dev vx0")
        mirror(t, "vnet0", SAME,
               "dir ingress ip_proto udp dst_port 4789 tunnel vxlan inner ip_proto tcp")
        transfer(t, SECRET * 30000, addresses={"a": "10.7.0.1", "b": "10.7.0.2"})
        counters, by = finish(t, rx)
        same("TCP in VXLAN", by, 100)
        ksft_eq(rx.bad[:3], [], "decap: all copies decode")


def at_once():
    """Rules that come in one commit with what hides payload never send a copy with it."""
    packet = frame(v4(UDP, struct.pack("!HHHH", 1, 4000, 8 + len(LOAD), 0) + LOAD))
    rules = [f"rule add pref {i} port vnet1 dir ingress dst_port {i} action mirror s"
             for i in range(1, 800)] + ["rule add pref 4000 port vnet1 dir ingress action mirror s"]

    def sent():
        return vtap_json("-s session show s", t.host)[0]["stats"]["sent"]

    with Topology() as t, Collector(t.col) as rx, Sender(t.b, "eth0") as tx, Monitor(t.host):
        tx.sock.setsockopt(socket.SOL_SOCKET, 32, 1 << 26)  # SO_SNDBUFFORCE
        vtap(f"session add s type erspan2 remote {t.IP4['col']}", t.host)
        for how in ("slice l4", "mask l4"):
            # they come by timer, whatever else runs
            t.b.sh("tc qdisc add dev eth0 root netem rate 2mbit limit 100000")
            tx.send(*[packet] * 12000)
            vtap_batch(t.host, *rules, f"session set s {how}")
            before = sent()
            ksft_true(busywait(lambda n=before: sent() > n, 20), f"{how}: frames go on to come")
            t.b.sh("tc qdisc del dev eth0 root")
            vtap_batch(t.host, "rule flush", "session set s no slice no mask")
            copies = rx.copies(sent() - rx.taken)
            ksft_true(copies and not any(SECRET[:4] in c.frame for c in copies),
                      f"{how}: no copy has payload", len(copies))
        vtap(rules[-1], t.host)
        before = sent()
        tx.send(packet)
        ksft_true(busywait(lambda: sent() > before, 20) and
                  SECRET[:4] in rx.copies(1)[0].frame, "without them, the payload is there")


def bare():
    """Packets of a tun device, which have no Ethernet header: that of the copy counts."""
    with Topology() as t, Collector(t.col) as rx:
        with t.host.enter():
            fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tun0", 0x1001))
        try:
            t.host.ip("link set tun0 addrgenmode none up")
            cases = [c for c in known() + unknown() if c.ends[0] == 14 and len(c.ends) > 1 and
                     c.bytes[12:14] in (b"\x08\0", b"\x86\xdd")]
            for ways in GROUPS:
                add(t, ways)
                mirror(t, "tun0", ways, "dir ingress")
                for c in cases:
                    os.write(fd, c.bytes[14:])
                counters, by = finish_all(t, rx)
                for name in ways:
                    equal(f"tun: {name}", cases, [w[14:] for w in wanted(name, cases)],
                          [c.frame[14:] for c in by[name]])
                ksft_true(not any(map(dropped, counters.values())), "tun: nothing is dropped",
                          counters)
        finally:
            os.close(fd)


FIELDS = ("ip.proto", "ipv6.nxt", "tcp.dstport", "udp.dstport", "sctp.dstport", "icmp.type",
          "icmpv6.type")


def tshark():
    """tshark reads the headers of what is left, cut or masked, as those of the whole copies."""
    names = ("whole", "l4", "m4")
    cases = [c for c in known() if any(c.name.startswith(p) for p in ("TCP,", "TCP with o", "UDP, ",
                                                                      "SCTP", "ICMP"))]
    with Topology(up_mtu=1700) as t, Sender(t.a, "eth0") as tx, \
            Sniffer(t.col, "eth0", match=lambda f: f[12:14] == b"\x08\0" and f[23] == 47) as rx:
        add(t, names)
        mirror(t, "vnet0", names, "dir ingress")
        tx.send(*[c.bytes for c in cases])
        packets = rx.frames(len(cases) * len(names))
    with tempfile.NamedTemporaryFile(suffix=".pcap") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b"".join(
            struct.pack("<IIII", 0, 0, len(p), len(p)) + p for p in packets))
        f.flush()
        p = subprocess.run(["tshark", "-n", "-r", f.name, "-T", "fields", *[
            w for name in ("erspan.spanid", *FIELDS) for w in ("-e", name)]],
            capture_output=True, text=True, check=True)
    by = {}
    for line in p.stdout.splitlines():
        number, *fields = line.split("\t")
        by.setdefault(int(number), []).append(fields)
    ksft_true(len(by[1]) == len(cases) and all(any(f[2:]) for f in by[1]),
              "tshark: the whole copies", p.stdout[:300])
    for i, name in enumerate(names[1:], 2):
        ksft_eq(by.get(i), by[1], f"tshark: {name}: the same headers")


if __name__ == "__main__":
    modprobe("veth", "bridge", "8021q", "vxlan", "tun", "dummy")
    raise_backlog()
    ksft_run([headers, types, lengths, sums, streams, sctp, decap, bare, at_once, tshark])
    ksft_exit()
