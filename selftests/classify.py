#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The classifier against a plain reference: random rules and frames, and each rule's counter is
what the reference says.

classify.py [FUNCTION] with SEED=N in the environment repeats a run. The kernel tries few rules one
by one. For many rules it uses tuples, sieves that select groups of 64 tuples, and a cache of
verdicts. The tests here reach all of these, including cache hits.
"""
import functools
import ipaddress
import json
import os
import random
import struct
import time

from lib import (Sender, Topology, busywait, ksft_eq, ksft_exit, ksft_pr, ksft_run, mac, vtap,
                 vtap_batch)

SEED = int(os.environ.get("SEED") or time.time_ns() & 0xffffffff)
MACS = ["02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:01:0a", "06:00:00:00:00:0a"]
V4 = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.128.0.1", "192.0.2.77"]
V6 = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:8000::1"]
PORTS = [1, 53, 443, 1023, 1024, 65535]
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58


def random_frame(rnd):
    """Return: the fields of a frame."""
    f = {"src_mac": rnd.choice(MACS), "dst_mac": rnd.choice(MACS),
         "vlan": rnd.choice([None, None, 5, 5 | 3 << 13, 4094])}
    f["version"] = rnd.choice([4, 4, 4, 6, 0])
    if not f["version"]:
        f["protocol"] = rnd.choice([0x0806, 0x88cc])
        return f
    f["protocol"] = {4: 0x0800, 6: 0x86dd}[f["version"]]
    pool = V4 if f["version"] == 4 else V6
    f["src_ip"], f["dst_ip"] = rnd.choice(pool), rnd.choice(pool)
    f["ip_proto"] = rnd.choice([TCP, TCP, UDP, ICMP if f["version"] == 4 else ICMP6, 47])
    f["frag"] = rnd.choice([None, None, None, "first", "later"])
    if f["frag"] == "later":
        return f
    if f["ip_proto"] in (TCP, UDP):
        f["src_port"], f["dst_port"] = rnd.choice(PORTS), rnd.choice(PORTS)
    if f["ip_proto"] == TCP:
        f["tcp_flags"] = rnd.choice([0x002, 0x012, 0x010, 0x011, 0x100])
    if f["ip_proto"] in (ICMP, ICMP6):
        f["icmp_type"], f["icmp_code"] = rnd.choice([0, 8, 128]), rnd.choice([0, 1])
    return f


def layer4(f):
    """Return: what follows the IP header."""
    if f["frag"] == "later":
        return bytes(range(16))
    if f["ip_proto"] == TCP:
        return struct.pack("!HHIIHHHH", f["src_port"], f["dst_port"], 1, 1,
                           5 << 12 | f["tcp_flags"], 1, 0, 0)
    if f["ip_proto"] == UDP:
        return struct.pack("!HHHH", f["src_port"], f["dst_port"], 8, 0)
    if f["ip_proto"] in (ICMP, ICMP6):
        return struct.pack("!BBHI", f["icmp_type"], f["icmp_code"], 0, 0)
    return b"\0" * 8


def build(f):
    """Return: the frame of these fields."""
    tag = b"" if f["vlan"] is None else struct.pack("!HH", 0x8100, f["vlan"])
    head = mac(f["dst_mac"]) + mac(f["src_mac"]) + tag + struct.pack("!H", f["protocol"])
    if not f["version"]:
        return (head + b"\0" * 46)[:60]
    l4 = layer4(f)
    src, dst = (host(f[k]).packed for k in ("src_ip", "dst_ip"))
    if f["version"] == 4:
        off = {None: 0, "first": 0x2000, "later": 0x0004}[f["frag"]]
        return head + struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(l4), 7, off, 64, f["ip_proto"],
                                  0) + src + dst + l4
    proto = f["ip_proto"]
    if f["frag"]:
        l4 = struct.pack("!BBHI", proto, 0, 1 if f["frag"] == "first" else 32, 9) + l4
        proto = 44
    return head + struct.pack("!IHBB", 6 << 28, len(l4), proto, 64) + src + dst + l4


def range_of(rnd):
    """Return: a port range, often of one port."""
    lo = rnd.choice(PORTS)
    return lo, rnd.choice([lo, lo, rnd.choice([p for p in PORTS if p >= lo])])


def random_rule(rnd, likely):
    """Return: a rule as {word: value}, such as the kernel takes; each word is LIKELY to be in
    it."""
    r = {"pref": rnd.randrange(20), "dir": rnd.choice(["ingress", "ingress", "both", "egress"])}
    want = [w for w in ("src_mac", "dst_mac", "vlan_id", "vlan_prio", "ip", "ip", "l4", "l4",
                        "frag") if rnd.random() < likely]
    for w in want:
        if w in ("src_mac", "dst_mac"):
            r[w] = (rnd.choice(MACS), rnd.choice(["ff:ff:ff:ff:ff:ff", "fb:ff:ff:ff:00:ff",
                                                  "00:00:00:00:ff:00"]))
        elif w == "vlan_id":
            r[w] = rnd.choice([5, 4094, 0])
        elif w == "vlan_prio":
            r[w] = rnd.choice([0, 3])
        elif w == "ip":
            version = 4 if "version" not in r and rnd.random() < .7 else r.get("version", 6)
            r["version"] = version
            pool, lens = (V4, (0, 8, 9, 24, 31, 32,
                               32)) if version == 4 else (V6, (0, 32, 33, 64, 127, 128))
            r[rnd.choice(["src_ip", "dst_ip"])] = (rnd.choice(pool), rnd.choice(lens))
        elif w == "l4" and not r.keys() & {"ip_proto", "icmp_type", "tcp_flags"}:
            kind = rnd.choice(["proto", "ports", "flags", "icmp"])
            if kind == "icmp" and not r.keys() & {"src_port", "dst_port", "tcp_flags"}:
                r["icmp_type"] = rnd.choice([0, 8, 128])
            if kind == "icmp":
                continue
            if rnd.random() < .6:
                r["ip_proto"] = TCP if kind == "flags" else rnd.choice([TCP, UDP])
            if kind == "flags":
                mask = rnd.choice([0xfff, 0x012, 0x100])
                r["tcp_flags"] = (rnd.choice([0x002, 0x012, 0x100]) & mask, mask)
            elif kind == "ports":
                r[rnd.choice(["src_port", "dst_port"])] = range_of(rnd)
        elif w == "frag":
            r["ip_flags"] = rnd.choice(["frag", "nofrag", "firstfrag", "nofirstfrag"])
    return r


@functools.cache
def network(address, length):
    """Return: a network."""
    return ipaddress.ip_network(f"{address}/{length}", strict=False)


@functools.cache
def host(address):
    """Return: an address."""
    return ipaddress.ip_address(address)


FILTERS = {"ip": lambda f: f["version"] == 4, "ip6": lambda f: f["version"] == 6,
           "arp": lambda f: f["protocol"] == 0x0806}


def under(address, mask):
    return bytes(a & m for a, m in zip(mac(address), mac(mask)))


def matches(r, f):
    """The reference: does rule R match an incoming frame of fields F?"""
    if r["dir"] == "egress":
        return False
    for w in ("src_mac", "dst_mac"):
        if w in r and under(r[w][0], r[w][1]) != under(f[w], r[w][1]):
            return False
    if "vlan_id" in r and (f["vlan"] is None or f["vlan"] & 0xfff != r["vlan_id"]):
        return False
    if "vlan_prio" in r and (f["vlan"] is None or f["vlan"] >> 13 != r["vlan_prio"]):
        return False
    if "version" in r and f["version"] != r["version"]:
        return False
    for w in ("src_ip", "dst_ip"):
        if w in r and host(f[w]) not in network(*r[w]):
            return False
    if "ip_proto" in r and f.get("ip_proto") != r["ip_proto"]:
        return False
    for w in ("src_port", "dst_port"):
        if w in r and not (w in f and r[w][0] <= f[w] <= r[w][1]):
            return False
    if "tcp_flags" in r and not ("tcp_flags" in f and f["tcp_flags"] & r["tcp_flags"][1] ==
                                 r["tcp_flags"][0]):
        return False
    if "icmp_type" in r and f.get("icmp_type") != r["icmp_type"]:
        return False
    if "filter" in r and not FILTERS[r["filter"]](f):
        return False
    if "ip_flags" in r:
        if not f["version"]:
            return False
        frag, first = f["frag"] is not None, f["frag"] == "first"
        return {"frag": frag, "nofrag": not frag, "firstfrag": first,
                "nofirstfrag": not first}[r["ip_flags"]]
    return True


def words(r):
    """Return: rule R as words of the tool."""
    out = [f"pref {r['pref']} port vnet0 dir {r['dir']}"]
    for w, sep in (("src_mac", "/"), ("dst_mac", "/"), ("src_ip", "/"), ("dst_ip", "/"),
                   ("src_port", "-"), ("dst_port", "-")):
        if w in r:
            out.append(f"{w} {r[w][0]}{sep}{r[w][1]}")
    out += [f"{w} {r[w]}" for w in ("vlan_id", "vlan_prio", "ip_proto", "icmp_type", "ip_flags",
                                    "filter") if w in r]
    if "tcp_flags" in r:
        out.append("tcp_flags %#x/%#x" % r["tcp_flags"])
    return " ".join(out)


def compare(t, tx, rules, frames, name=""):
    """Load RULES, send FRAMES, compare the counters of all rules."""
    vtap_batch(t.host, "rule flush", *[f"rule add {words(r)} action skip" for r in rules])
    tapped = any(r["dir"] != "egress" for r in rules)
    before = json.loads(vtap("-s -j port show vnet0", t.host).stdout)[0]["ingress"]["seen"] \
        if tapped else 0
    order = sorted(range(len(rules)), key=lambda i: (rules[i]["pref"], i))
    want = [0] * len(rules)
    for f in frames:
        hit = next((i for i in order if matches(rules[i], f)), None)
        if hit is not None:
            want[hit] += 1
        tx.send(build(f))

    def all_seen():
        port, = json.loads(vtap("-s -j port show vnet0", t.host).stdout)
        return port["ingress"]["seen"] >= before + len(frames)
    busywait(lambda: not before and not any(want) or all_seen())
    shown = sorted(json.loads(vtap("-s -j rule show", t.host).stdout), key=lambda r: r["id"])
    got = [r["packets"] for r in shown]
    wrong = [(i, got[i], want[i], words(rules[i])) for i in range(len(rules)) if got[i] != want[i]]
    ksft_eq(wrong, [], f"{name}{len(rules)} rules, {len(frames)} frames: {sum(want)} matched, "
            f"{sum(map(bool, want))} rules hit")


def linear():
    """Few rules."""
    rnd = random.Random(SEED)
    with Topology() as t, Sender(t.a, "eth0") as tx:
        for _ in range(20):
            compare(t, tx, [random_rule(rnd, .3) for _ in range(rnd.randint(1, 8))],
                    [random_frame(rnd) for _ in range(60)])


def tuples():
    """Many rules, and as many different masks as come."""
    rnd = random.Random(SEED + 1)
    with Topology() as t, Sender(t.a, "eth0") as tx:
        for n in (9, 20, 60, 200, 600):
            compare(t, tx, [random_rule(rnd, .55) for _ in range(n)],
                    [random_frame(rnd) for _ in range(400)])


def anywhere(rnd, version):
    """Return: an address out of many."""
    if version == 4:
        return str(ipaddress.IPv4Address(10 << 24 | rnd.getrandbits(24)))
    return str(ipaddress.IPv6Address(0x20010db8 << 96 | rnd.getrandbits(96)))


def wide_rule(rnd, pref, kinds, version=None):
    """Return: a rule of one of KINDS, which are words with prefix lengths; no two rules are meant
    to be of the same values."""
    kind = rnd.choice(kinds)
    r = {"pref": pref, "dir": rnd.choice(["ingress", "ingress", "ingress", "both", "egress"])}
    r["version"] = version or rnd.choice([4, 4, 6])
    bits = 32 if r["version"] == 4 else 128
    for w in ("src_ip", "dst_ip"):
        if w in kind:
            # half of the prefixes in the part of the address that is the same in all of them
            r[w] = (anywhere(rnd, r["version"]), min(bits, kind[w] if kind[w] < 32 or bits == 32
                                                     else kind[w] * 4))
    if not r.keys() & {"src_ip", "dst_ip"}:
        del r["version"]
    if kind.keys() & {"src_port", "dst_port"}:
        r["ip_proto"] = rnd.choice([TCP, UDP])
    for w in ("src_port", "dst_port"):
        if kind.get(w) == "range":
            lo = rnd.randrange(1, 65000)
            r[w] = (lo, lo + rnd.randrange(1, 400))
        elif w in kind:
            r[w] = (rnd.randrange(1, 65536),) * 2
    if "filter" in kind:
        r["filter"] = rnd.choice(list(FILTERS))
    if "src_mac" in kind:
        r["src_mac"] = (rnd.choice(MACS), "ff:ff:ff:ff:ff:ff")
    return r


def inside(rnd, address, length):
    """Return: an address of a network, or one just outside of it."""
    net = network(address, length)
    number = int(net.network_address) + rnd.randrange(net.num_addresses)
    if length and rnd.random() < .1:
        number ^= net.num_addresses
    return str(type(net.network_address)(number))


def frame_for(rnd, r):
    """Return: the fields of a frame that rule R wants, or nearly."""
    version = r.get("version") or (4 if r.get("filter") == "ip" else rnd.choice([4, 6]))
    f = random_frame(rnd)
    f.update(version=version, protocol={4: 0x0800, 6: 0x86dd}[version], frag=None, tcp_flags=0x010)
    f["ip_proto"] = r.get("ip_proto") or rnd.choice([TCP, UDP])
    for w in ("src_ip", "dst_ip"):
        f[w] = inside(rnd, *r[w]) if w in r else anywhere(rnd, version)
    for w in ("src_port", "dst_port"):
        f[w] = rnd.randrange(1, 65536)
        if w in r:
            lo, hi = r[w]
            f[w] = rnd.choice([lo, lo, lo, hi, hi, rnd.randint(lo, hi), max(lo - 1, 0),
                               min(hi + 1, 65535)])
    if "src_mac" in r and rnd.random() < .9:
        f["src_mac"] = r["src_mac"][0]
    if f["ip_proto"] == UDP:
        del f["tcp_flags"]
    return f


FIVE = [{"src_ip": s, "dst_ip": d, "dst_port": 1, **more} for s in (32, 28, 24, 20)
        for d in (32, 24) for more in ({}, {"src_port": 1})]
TABLES = {
    "one mask": [{"src_ip": 32, "dst_ip": 32, "src_port": 1, "dst_port": 1}],
    "16 masks": FIVE,
    "16 masks and those who look at other words": FIVE + [{"src_port": 1}, {"dst_port": "range"},
                                                          {"src_mac": 1},
                                                          {"dst_ip": 9, "filter": 1}],
    "ranges only": [{"dst_port": "range"}, {"src_port": "range"},
                    {"src_port": "range", "dst_port": "range"}],
    "filters behind ports": [{"dst_port": 1, "filter": 1}, {"src_ip": 16, "src_port": 1,
                                                            "filter": 1}],
    "prefixes": [{"src_ip": n} for n in range(2, 33)],
    "64 masks": [{"src_ip": s, "dst_ip": d} for s in range(25, 33) for d in range(25, 33)],
    "hundreds of masks": [{"src_ip": s, "dst_ip": d, **p} for s in range(8, 33, 2)
                          for d in range(8, 33, 2) for p in ({}, {"src_port": 1}, {"dst_port": 1})],
}


def sieves():
    """Tables of many kinds; of most frames a sieve is to tell which rules they may concern."""
    rnd = random.Random(SEED + 2)
    with Topology() as t, Sender(t.a, "eth0") as tx:
        for name, kinds in TABLES.items():
            n = 400 if len(kinds) > 64 else 150
            rules = [wide_rule(rnd, rnd.randrange(n), kinds) for _ in range(n - 2)]
            # a rule that looks at nothing, last or not quite
            rules += [{"pref": n - rnd.randrange(10), "dir": "ingress"}] if rnd.random() < .3 \
                else []
            frames = [frame_for(rnd, rnd.choice(rules))
                      for _ in range(200)] + [random_frame(rnd) for _ in range(50)]
            compare(t, tx, rules, frames + rnd.sample(frames, 50), name + ": ")


if __name__ == "__main__":
    ksft_pr(f"SEED={SEED}")
    ksft_run([linear, tuples, sieves])
    ksft_exit()
