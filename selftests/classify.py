#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The classifier against a plain reference: random rules and frames, and each rule's counter is what the reference says.

classify.py [FUNCTION] with SEED=N in the environment repeats a run. Few rules are tried one by one in the kernel, many
by tuples and a cache of verdicts: both, and the cache's hits, are meant to be met here.
"""
import ipaddress
import json
import os
import random
import struct
import time

import ksft
from ksft import Sender, Topology, eq, mac, note, vtap

SEED = int(os.environ.get("SEED") or time.time_ns() & 0xffffffff)
MACS = ["02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:01:0a", "06:00:00:00:00:0a"]
V4 = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "10.128.0.1", "192.0.2.77"]
V6 = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:8000::1"]
PORTS = [1, 53, 443, 1023, 1024, 65535]
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58


def random_frame(rnd):
    """Return: the fields of a frame."""
    f = {"src_mac": rnd.choice(MACS), "dst_mac": rnd.choice(MACS), "vlan": rnd.choice([None, None, 5, 5 | 3 << 13, 4094])}
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
        return struct.pack("!HHIIHHHH", f["src_port"], f["dst_port"], 1, 1, 5 << 12 | f["tcp_flags"], 1, 0, 0)
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
    src, dst = (ipaddress.ip_address(f[k]).packed for k in ("src_ip", "dst_ip"))
    if f["version"] == 4:
        off = {None: 0, "first": 0x2000, "later": 0x0004}[f["frag"]]
        return head + struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(l4), 7, off, 64, f["ip_proto"], 0) + src + dst + l4
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
    """Return: a rule as {word: value}, such as the kernel takes; each word is LIKELY to be in it."""
    r = {"pref": rnd.randrange(20), "dir": rnd.choice(["ingress", "ingress", "both", "egress"])}
    want = [w for w in ("src_mac", "dst_mac", "vlan_id", "vlan_prio", "ip", "ip", "l4", "l4", "frag") if rnd.random() < likely]
    for w in want:
        if w in ("src_mac", "dst_mac"):
            r[w] = (rnd.choice(MACS), rnd.choice(["ff:ff:ff:ff:ff:ff", "fb:ff:ff:ff:00:ff", "00:00:00:00:ff:00"]))
        elif w == "vlan_id":
            r[w] = rnd.choice([5, 4094, 0])
        elif w == "vlan_prio":
            r[w] = rnd.choice([0, 3])
        elif w == "ip":
            version = 4 if "version" not in r and rnd.random() < .7 else r.get("version", 6)
            r["version"] = version
            pool, lens = (V4, (0, 8, 9, 24, 31, 32, 32)) if version == 4 else (V6, (0, 32, 33, 64, 127, 128))
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
        if w in r and ipaddress.ip_address(f[w]) not in ipaddress.ip_network("%s/%d" % r[w], strict=False):
            return False
    if "ip_proto" in r and f.get("ip_proto") != r["ip_proto"]:
        return False
    for w in ("src_port", "dst_port"):
        if w in r and not (w in f and r[w][0] <= f[w] <= r[w][1]):
            return False
    if "tcp_flags" in r and not ("tcp_flags" in f and f["tcp_flags"] & r["tcp_flags"][1] == r["tcp_flags"][0]):
        return False
    if "icmp_type" in r and f.get("icmp_type") != r["icmp_type"]:
        return False
    if "ip_flags" in r:
        if not f["version"]:
            return False
        frag, first = f["frag"] is not None, f["frag"] == "first"
        return {"frag": frag, "nofrag": not frag, "firstfrag": first, "nofirstfrag": not first}[r["ip_flags"]]
    return True


def words(r):
    """Return: rule R as words of the tool."""
    out = [f"pref {r['pref']} port vnet0 dir {r['dir']}"]
    for w, sep in (("src_mac", "/"), ("dst_mac", "/"), ("src_ip", "/"), ("dst_ip", "/"), ("src_port", "-"), ("dst_port", "-")):
        if w in r:
            out.append(f"{w} {r[w][0]}{sep}{r[w][1]}")
    out += [f"{w} {r[w]}" for w in ("vlan_id", "vlan_prio", "ip_proto", "icmp_type", "ip_flags") if w in r]
    if "tcp_flags" in r:
        out.append("tcp_flags %#x/%#x" % r["tcp_flags"])
    return " ".join(out)


def compare(t, tx, rnd, n_rules, n_frames):
    """Load N_RULES random rules, send N_FRAMES random frames, compare the counters of all rules."""
    rules = [random_rule(rnd, .3 if n_rules < 9 else .55) for _ in range(n_rules)]
    batch = "rule flush\n" + "".join(f"rule add {words(r)} action skip\n" for r in rules)
    t.host.sh([ksft.VTAP, "-b", "-"], input=batch)
    before = json.loads(vtap("-s -j port show vnet0", t.host).stdout)[0]["ingress"]["seen"] if any(
        r["dir"] != "egress" for r in rules) else 0
    order = sorted(range(n_rules), key=lambda i: (rules[i]["pref"], i))
    want = [0] * n_rules
    frames = [random_frame(rnd) for _ in range(n_frames)]
    for f in frames:
        hit = next((i for i in order if matches(rules[i], f)), None)
        if hit is not None:
            want[hit] += 1
        tx.send(build(f))
    ksft.busywait(lambda: not before and not any(want) or
                  json.loads(vtap("-s -j port show vnet0", t.host).stdout)[0]["ingress"]["seen"] >= before + n_frames)
    shown = sorted(json.loads(vtap("-s -j rule show", t.host).stdout), key=lambda r: r["id"])
    got = [r["packets"] for r in shown]
    wrong = [(i, got[i], want[i], words(rules[i])) for i in range(n_rules) if got[i] != want[i]]
    eq(f"{n_rules} rules, {n_frames} frames: {sum(want)} matched, {sum(map(bool, want))} rules hit", wrong, [])


def linear():
    """Few rules."""
    rnd = random.Random(SEED)
    with Topology() as t, Sender(t.a, "eth0") as tx:
        for _ in range(20):
            compare(t, tx, rnd, rnd.randint(1, 8), 60)


def tuples():
    """Many rules, and as many different masks as come."""
    rnd = random.Random(SEED + 1)
    with Topology() as t, Sender(t.a, "eth0") as tx:
        for n in (9, 20, 60, 200, 600):
            compare(t, tx, rnd, n, 400)


if __name__ == "__main__":
    note(f"SEED={SEED}")
    ksft.run(linear, tuples)
