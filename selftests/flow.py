#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The hash of `sample flow`, VXLAN source ports and transmit queues: it spreads flows that look
alike, is the same for both directions and for all fragments of a datagram, and is a secret, or a
function of the session's seed."""
import ipaddress
import os
import re
import struct

from lib import (Collector, Sender, Sniffer, Topology, busywait, checksum, ether, ksft_eq,
                 ksft_exit, ksft_run, ksft_skip, ksft_true, mac, modprobe, one_cpu, sh, vtap,
                 vtap_batch, vtap_json)
from lib.traffic import finish, session_stats

M64, ODD = (1 << 64) - 1, 0x9e3779b97f4a7c15
KO = os.environ.get("VTAP_KO")
A, B = Topology.MAC["a"], Topology.MAC["b"]


def siphash(value, k0, k1):
    """Return: SipHash-2-4 of a number of 64 bits, with the key (K0, K1)."""
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
         k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rotate(i, n):
        v[i] = (v[i] << n | v[i] >> (64 - n)) & M64

    def sipround():
        v[0] = (v[0] + v[1]) & M64
        rotate(1, 13)
        v[1] ^= v[0]
        rotate(0, 32)
        v[2] = (v[2] + v[3]) & M64
        rotate(3, 16)
        v[3] ^= v[2]
        v[0] = (v[0] + v[3]) & M64
        rotate(3, 21)
        v[3] ^= v[0]
        v[2] = (v[2] + v[1]) & M64
        rotate(1, 17)
        v[1] ^= v[2]
        rotate(2, 32)

    for word in (value, 8 << 56):
        v[3] ^= word
        sipround()
        sipround()
        v[0] ^= word
    v[2] ^= 0xff
    for _ in range(4):
        sipround()
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def fold(a, b):
    return (a * b >> 64) ^ (a * b & M64)


def flow_hash(seed, src, dst, kind=0, ports=(0, 0)):
    """Return: the hash of a flow for `seed SEED`; SRC and DST are addresses of IP or Ethernet."""
    s = siphash(seed, ODD, 1)
    t = s * ODD & M64

    def end(address, port):
        if isinstance(address, str) and address.count(":") == 5:
            return int.from_bytes(mac(address), "big")
        address = ipaddress.ip_address(address).packed
        port = int.from_bytes(port.to_bytes(2, "big"), "little")
        number = int.from_bytes(address, "little")
        if len(address) == 4:
            return number << 16 | port
        return (fold(number & M64 ^ s, number >> 64 ^ t) + port) & M64

    low, high = sorted((end(src, ports[0]), end(dst, ports[1])))
    product = (low ^ s) * (high ^ t)
    return fold((product & M64) ^ t ^ kind, (product >> 64) ^ s) >> 32 or 1


def datagram(src, dst, proto, payload, frag=0):
    """Return: an IPv4 packet in a frame from A to B; FRAG: its flags and fragment offset."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 7, frag, 64, proto, 0)
    head += ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ether(B, A, 0x800, head + payload)


def datagram6(src, dst, proto, payload, frag=None):
    """Return: the same of IPv6; FRAG: offset and flag of a fragment header, which names PROTO."""
    if frag is not None:
        payload, proto = struct.pack("!BBHI", proto, 0, frag, 7) + payload, 44
    head = struct.pack("!IHBB", 6 << 28, len(payload), proto, 64)
    head += ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    return ether(B, A, 0x86dd, head + payload)


def fragments(src, dst):
    """Return: three fragments of a datagram, the first one with ports."""
    if ":" not in src:
        return [datagram(src, dst, 17, ports(1000, 53) + b"f", 0x2000),
                datagram(src, dst, 17, b"x" * 32, 0x2002), datagram(src, dst, 17, b"y" * 9, 6)]
    # the first one has options behind its fragment header, and the others may name anything
    options = struct.pack("!BBHI", 17, 0, 0x0104, 0)
    return [datagram6(src, dst, 60, options + ports(1000, 53), 1),
            datagram6(src, dst, 60, b"x" * 32, 24 | 1), datagram6(src, dst, 59, b"y" * 9, 56)]


def ports(src, dst):
    """Return: the beginning of a UDP or TCP header, as much as anything looks at."""
    return struct.pack("!HHHH", src, dst, 28, 0) + bytes(20)


def pairs(version=4, n=50):
    """Return: N pairs of addresses that differ in a few bits; several have the same xor."""
    if version == 4:
        return [(f"10.1.0.{i + 1}", f"10.2.0.{(i * 2 + 1) ^ 1}") for i in range(n)]
    return [(f"2001:db8:1::{i + 1:x}", f"2001:db8:2::{(i * 2 + 1) ^ 1:x}") for i in range(n)]


def both(make, src, dst):
    """Return: the frames of both directions."""
    return [make(src, dst), make(dst, src)]


KINDS = {
    # flows in which both ends are alike, but for the addresses: (frame, protocol, ports)
    "NTP": (4, lambda s, d: datagram(s, d, 17, ports(123, 123)), 17, (123, 123)),
    "IKE over IPv6": (6, lambda s, d: datagram6(s, d, 17, ports(500, 500)), 17, (500, 500)),
    "ping": (4, lambda s, d: datagram(s, d, 1, bytes([8]) + bytes(40)), 1, (0, 0)),
    "GRE": (4, lambda s, d: datagram(s, d, 47, b"\0\0\x65\x58" + bytes(40)), 47, (0, 0)),
    "ESP over IPv6": (6, lambda s, d: datagram6(s, d, 50, bytes(40)), 50, (0, 0)),
}


def flows():
    """Return: [(what, frames of one flow, arguments of flow_hash())]."""
    out = []
    for kind, (version, make, proto, at) in KINDS.items():
        out += [(kind, both(make, *pair), (*pair, proto, at)) for pair in pairs(version)]
    for pair in pairs(4, 20) + pairs(6, 20):
        out.append(("fragments", sum(both(fragments, *pair), []), pair))
    for n in range(40):
        a, b, at = "10.1.0.1", "10.2.0.1", (40000 + n, 443)
        out.append(("web", [datagram(a, b, 6, ports(*at)), datagram(b, a, 6, ports(*at[::-1]))],
                    (a, b, 6, at)))
    for n in range(20):
        other = f"02:00:00:00:01:{n:02x}"
        frames = [ether(B, other, 0x88b5, bytes(50)), ether(other, B, 0x88b5, b"r" * 50)]
        out.append(("Ethernet", frames, (other, B, 0x88b5)))
        frames = [ether(dst, src, length, b"\x42\x42\3" + bytes(40))
                  for dst, src, length in ((B, other, 20), (other, B, 40))]
        out.append(("LLC", frames, (other, B, 0)))
    return out


def chosen(t, rx, tx, words, everything):
    """Send EVERYTHING with rule words WORDS. Return: {frame: UDP source port of its copy}."""
    vtap_batch(t.host, f"rule add pref 10 port vnet0 dir ingress action mirror s {words}")
    tx.send(*[f for _, frames, _ in everything for f in frames])
    _, by = finish(t, rx)
    return {bytes(c.frame): c.sport for c in by["s"]}


def seeded():
    """With `seed N`, sampling and source port are the function that is written above."""
    everything = flows()
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
        vtap_batch(t.host, f"session add s type vxlan key 5 remote {t.IP4['col']}")
        sampled = {}
        for seed in (1, 7, 2 ** 64 - 1):
            vtap(f"session set s seed {seed}", t.host)
            got = chosen(t, rx, tx, "sample flow 3", everything)
            want = {f: 0xc000 | h & 0x3fff for _, frames, args in everything for f in frames
                    if not (h := flow_hash(seed, *args)) * 3 >> 32}
            for kind in dict.fromkeys(what for what, *_ in everything):
                of = {f for what, frames, _ in everything if what == kind for f in frames}
                ksft_eq(sorted(of & got.keys()), sorted(of & want.keys()),
                        f"seed {seed}: {kind}: the flows sampled")
            wrong = [(f[:40].hex(), got[f], want[f]) for f in want
                     if got.get(f, want[f]) != want[f]]
            ksft_eq(wrong, [], f"seed {seed}: source ports")
            sampled[seed] = frozenset(got)
        ksft_eq(len(set(sampled.values())), 3, "each seed has other flows")
        vtap("session set s seed 7", t.host)
        again = frozenset(chosen(t, rx, tx, "sample flow 3", everything))
        ksft_eq(again, sampled[7], "and always the same ones")
        whole = chosen(t, rx, tx, "", everything)
        wrong = [what for what, frames, _ in everything if len({whole[f] for f in frames}) != 1]
        ksft_eq(wrong, [], "the directions and fragments of each flow have one source port")


def secret():
    """Without a seed, flows that look alike are spread evenly, and each flow is whole."""
    everything = flows()
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
        vtap_batch(t.host, f"session add s type vxlan key 5 remote {t.IP4['col']}")
        got = chosen(t, rx, tx, "sample flow 2", everything)
        split = [(what, args) for what, frames, args in everything
                 if len({f in got for f in frames}) != 1]
        ksft_eq(split, [], "all of a flow is sampled, or nothing")
        for kind in KINDS:
            n = sum(frames[0] in got for what, frames, _ in everything if what == kind)
            ksft_true(10 <= n <= 40, f"{kind}: of 50 flows, about a half is sampled", n)
        whole = chosen(t, rx, tx, "", everything)
        for kind in KINDS:
            n = len({whole[frames[0]] for what, frames, _ in everything if what == kind})
            ksft_true(n >= 45, f"{kind}: 50 flows have many source ports", n)
        shown = vtap_json("-d session show", t.host)
        ksft_eq([s["seed"] for s in shown], [0], "session show says nothing of the secret")


def namespaces():
    """Two namespaces with the same seed choose the same flows; with different seeds, others."""
    everything = [f for f in flows() if f[0] in KINDS]
    sent = [f for _, frames, _ in everything for f in frames]
    with Topology() as t, Sender(t.a, "eth0") as tx:
        t.host.ip("link add d0 type dummy", "link set d0 addrgenmode none", "link set d0 up")
        t.b.ip("link add d0 type dummy", "link set d0 addrgenmode none", "link set d0 up")
        for ns, port in ((t.host, "vnet0"), (t.b, "eth0")):
            vtap_batch(ns, "session add s type port dev d0 seed 99",
                       "session add other type port dev d0 seed 5",
                       f"rule add pref 10 port {port} dir ingress action mirror s sample flow 4")

        def run():
            end = datagram("192.0.2.200", "192.0.2.201", 17, ports(9, 9))
            mine = set(sent)
            got = []
            with Sniffer(t.host, "d0", "out", mine.__contains__) as one, \
                    Sniffer(t.b, "d0", "out", mine.__contains__) as two, \
                    Sniffer(t.b, "eth0", match=lambda f: f == end) as last:
                tx.send(*sent, end)
                last.frames(1)
                busywait(lambda: matched(t.host) == matched(t.b) == len(sent) + 1)
                got = [set(s.frames(1)) for s in (one, two)]
            return got

        def matched(ns):
            return vtap_json("-s rule show", ns)[0]["packets"]

        one, two = run()
        ksft_true(one == two and 10 < len(one) < len(sent),
                  "the same seed in two namespaces: the same flows", (len(one), len(two)))
        for ns in (t.host, t.b):
            vtap("rule flush", ns)
        vtap_batch(t.host, "rule add pref 10 port vnet0 dir ingress action mirror s sample flow 4")
        vtap_batch(t.b, "rule add pref 10 port eth0 dir ingress action mirror other sample flow 4")
        one, two = run()
        ksft_true(one != two and len(one) > 10 < len(two), "different seeds: different flows",
                  (len(one), len(two)))
        vtap("rule flush", t.host)
        # a rule goes by the first of its sessions that has a seed, for all of them
        vtap_batch(t.host, "session add plain type port dev d0",
                   "session add hole type port dev none seed 99",
                   "rule add pref 10 port vnet0 dir ingress action mirror plain,hole,other "
                   "sample flow 4")
        vtap("rule flush", t.b)
        vtap_batch(t.b, "rule add pref 10 port eth0 dir ingress action mirror s sample flow 4")
        one, two = run()
        ksft_true(one == two and len(one) > 10,
                  "the rule's first seed counts, its session active or not", (len(one), len(two)))


def queues():
    """Copies take a transmit queue by their flow."""
    with Topology() as t, Sender(t.a, "eth0") as tx:
        t.host.ip("link add q0 numtxqueues 4 type dummy", "link set q0 addrgenmode none",
                  "link set q0 up", "address add 198.51.100.1/24 dev q0",
                  "neigh add 198.51.100.9 lladdr 02:00:00:00:00:99 dev q0 nud permanent")
        t.host.sh("tc qdisc replace dev q0 root mq")
        vtap_batch(t.host, "session add s type gre remote 198.51.100.9",
                   "rule add pref 10 port vnet0 dir ingress action mirror s")
        frames = [datagram(*pair, 17, ports(123, 123)) for pair in pairs()]
        tx.send(*frames)
        ksft_true(busywait(lambda: session_stats(t)["s"]["sent"] == len(frames)), "all are sent")
        shown = t.host.sh("tc -s class show dev q0").stdout
        used = [int(n) for n in re.findall(r" Sent \d+ bytes (\d+) pkt", shown)]
        ksft_true(len(used) == 4 and min(used) >= 2 and sum(used) == len(frames),
                  "50 NTP flows use all four queues", used)


def loads():
    """The module has another secret each time that it is loaded; a seed means the same."""
    if not KO:
        ksft_skip("VTAP_KO does not name the module", "another secret for each load")
        return
    everything = [f for f in flows() if f[0] == "NTP"]
    got = []
    for _ in range(2):
        with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
            vtap_batch(t.host, f"session add s type vxlan key 5 remote {t.IP4['col']}")
            boot = frozenset(chosen(t, rx, tx, "sample flow 2", everything))
            vtap("session set s seed 3", t.host)
            got.append((boot, frozenset(chosen(t, rx, tx, "sample flow 2", everything))))
        sh("rmmod vtap")
        sh(["insmod", KO])
    ksft_true(got[0][0] != got[1][0], "another secret for each load", len(got[0][0]))
    ksft_eq(got[0][1], got[1][1], "the same seed means the same flows after another load")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    with one_cpu():
        ksft_run([seeded, secret, namespaces, queues, loads])
        ksft_exit()
