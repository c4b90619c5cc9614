#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The netlink interface, driven from its specification by the kernel's own YNL client: commands,
refusals, events, dumps. VTAP_YNL names the directory tools/net/ynl of a kernel source tree.

Every refusal of the module has to be provoked here: `complete` compares with the texts in its
source."""
import contextlib
import errno
import glob
import re
import socket
import struct

from lib import (KERNEL, KMOD, NetNS, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit,
                 ksft_run, ksft_skip, ksft_true, modprobe)
from lib.nl import (BASE, BPF, BUSY, CHANGES, EXIST, GRE, INVAL, LONG15, LONG31, MIRROR, NOENT, OPS,
                    RANGE, SKIP, STRICT, V4, V6, Client, Netlink, NlError, NlMsgs, attr,
                    attr_number, bench, fixed, provoked)

FULL = {
    "gre": {"remote": V4, "local": bytes([192, 0, 2, 1]), "dev": "up0", "key": 7, "ttl": 9,
            "tos": 4, "snaplen": 100,
            "mtu": "truncate", "seq": 1, "rate": 10 ** 9, "burst": 10 ** 6, "pps": 1000, "decap": 1,
            "seed": 2 ** 63 + 1, "slice": "l4", "slice-more": 64},
    "erspan1": {"remote": V6, "mtu": "drop", "mask": "l4"},
    "erspan2": {"remote": V4, "id": 100, "index": 5, "vlan": "strip"},
    "erspan3": {"remote": V6, "local": V6, "id": 1, "subheader": 1},
    "vxlan": {"remote": V4, "key": 5000, "dport": 8472},
    "port": {"dev": "up0"},
}
MATCH = {
    "src-mac": "020000000001", "src-mac-mask": "ffffff000000", "dst-mac": "020000000002",
    "dst-mac-mask": "ffffffffffff",
    "protocol": 0x800, "vlan-id": 5, "vlan-prio": 7, "src-ip": bytes([10, 0, 0, 0]),
    "src-ip-len": 8,
    "dst-ip": bytes([10, 0, 0, 2]), "dst-ip-len": 32, "ip-proto": 6, "src-port": 1,
    "src-port-max": 1024, "dst-port": 80,
    "dst-port-max": 80, "tcp-flags": 2, "tcp-flags-mask": 0x12, "ip-flags": set(),
    "ip-flags-mask": {"frag"},
}
INNER = {name: value for name, value in MATCH.items() if name != "vlan-id"}
TUNNEL = {"src-ip": V6, "src-ip-len": 64, "dst-port": 8472, "dst-port-max": 8473, "tunnel": "vxlan",
          "tunnel-key": 77,
          "inner": INNER}


def shown(obj, given):
    """Return: what OBJ shows of the attributes GIVEN, in the form in which they were given."""
    def back(name, value):
        if isinstance(value, dict):
            return {n: back(n, v) for n, v in value.items()}
        if name == "match" and value:
            return back(name, value[0]) if len(value) == 1 else [back("", v) for v in value]
        return value.replace(":", "") if name.endswith(("mac", "mask")) and isinstance(value, str) \
            else value
    return {name: back(name, obj.get(name)) for name in given}


@bench
def commands(b):
    """Every command and every change does what the specification says, and what was given comes
    back."""
    nl = b.nl
    for kind, given in FULL.items():
        nl.do("session-new", name=kind, type=kind, **given)
        ksft_eq(shown(nl.do("session-get", name=kind), given), given,
                f"session of type {kind} reads back")
    ksft_eq([s["name"] for s in nl.dump("session")], list(FULL),
            "sessions are dumped in order of creation")
    nl.do("session-set", name="gre", ttl=1, dev="")
    s = nl.do("session-get", name="gre")
    ksft_eq((s["ttl"], s.get("dev"), s["key"]), (1, None, 7), "session-set changes what is given")
    nl.do("session-flush", type="vxlan")
    nl.do("session-del", name="erspan1")
    ksft_eq([s["name"] for s in nl.dump("session")], ["gre", "erspan2", "erspan3", "port"],
            "session-del and session-flush by type")

    given = {"pref": 9, "port": "vnet*", "master": "br0", "dir": {"ingress"}, "action": "mirror",
             "session": ["gre", "port"], "match": MATCH, "dup": 1, "sample": 10, "sample-flow": 1,
             "filter": BPF,
             "filter-text": "ip"}
    rule = nl.do("rule-new", **given)
    ksft_eq(shown(rule, given), given, "a rule reads back")
    ksft_eq(rule["ports"], 0, "with the number of ports")
    vm = {**SKIP, "pref": 10, "mac": "02000000000a"}
    other = nl.do("rule-new", **vm)
    ksft_eq(shown(other, vm), vm, "a rule for a VM's address reads back")
    nl.do("rule-del", id=other["id"])
    icmp = {"src-ip": V6, "src-ip-len": 64, "ip-proto": 58, "icmp-type": 128, "icmp-code": 0}
    first = nl.do("rule-new", **SKIP, match=icmp)
    ksft_eq(first["match"], [icmp], "a match on ICMPv6 reads back")
    for match in (TUNNEL, {"tunnel": "gre"}, {"tunnel": "geneve", "tunnel-key": 0, "ip-proto": 17,
                                              "protocol": 0x86dd}):
        other = nl.do("rule-new", **{**SKIP, "match": match})
        ksft_eq(shown(other, {"match": match})["match"], match,
                f"a match on {match['tunnel']} reads back")
        nl.do("rule-set", id=other["id"], pref=8)
        ksft_eq(nl.do("rule-get", id=other["id"])["match"], other["match"],
                "and stays when another attribute is set")
        nl.do("rule-set", id=other["id"], match={"tunnel": "gre", "inner": {}})
        ksft_eq(nl.do("rule-get", id=other["id"])["match"], [{"tunnel": "gre"}],
                "an empty inner is none")
        nl.do("rule-del", id=other["id"])
    ksft_eq([r["id"] for r in nl.dump("rule")], [first["id"], rule["id"]],
            "rules are dumped in the order in which they are tried")
    nl.do("rule-set", id=rule["id"], pref=0, match={})
    now = nl.do("rule-get", id=rule["id"])
    ksft_eq((now["pref"], now.get("match"), now["port"]), (0, None, "vnet*"),
            "rule-set changes what is given")
    ksft_eq([r["id"] for r in nl.dump("rule")], [rule["id"], first["id"]], "and the order")
    nl.do("rule-set", id=rule["id"], master="", filter=b"")
    now = nl.do("rule-get", id=rule["id"])
    ksft_eq([name for name in ("master", "filter", "filter-text") if name in now], [],
            "what is set to nothing is gone")
    nl.do("rule-set", id=rule["id"], action="skip")
    ksft_eq(nl.do("rule-get", id=rule["id"]).get("session"), None, "action skip drops the sessions")
    nl.do("rule-flush", pref=1)
    ksft_eq([r["id"] for r in nl.dump("rule")], [rule["id"]], "rule-flush by pref")
    nl.do("rule-del", id=rule["id"])
    nl.do("session-flush")
    ksft_eq(nl.state(), [[], [], []], "all is gone")


# session types with all that they can have, and what they cannot do without
UNSET = {**{kind: (given, {"remote", *({"key"} if kind == "vxlan" else {"dev"} if kind == "port"
                                       else ())}) for kind, given in FULL.items()},
         "csum": ({"type": "gre", "remote": V4, "csum": 1}, {"remote"}),
         "offload": ({"type": "gre", "remote": V4, "offload": 1}, {"remote"})}
NEEDED_BY = {"rate": "burst", "slice": "slice-more"}
RULE_GIVEN = {"port": "vnet*", "master": "br0", "mac": "02000000000c", "dir": {"egress"},
              "match": {"ip-proto": 17}, "except": {"dst-port": 53}, "dup": 1,
              "sample": 10, "sample-flow": 1, "filter": BPF, "filter-text": "ip"}


def words(kind, obj):
    """Return: what OBJ shows of the attributes that can be set."""
    return {name: obj.get(name) for name in BASE.attr_sets[kind + "-change"]}


def unset_one(nl, kind, key, name, fresh):
    """Unset attribute NAME of an object: it is as in a FRESH one, and the others are as they
    were."""
    before, gone = nl.do(kind + "-get", **key), {name,
                                                 "filter-text"} if name == "filter" else {name}
    nl.do(kind + "-set", **key, unset=[attr_number(kind, name)])
    ksft_eq(words(kind, nl.do(kind + "-get", **key)), {**words(kind, before),
                                                       **{n: fresh.get(n) for n in gone}},
            f"{kind} {key}: {name} has its default again, and alone")


@bench
def unset(b):
    """Each attribute goes back to its default in one way, by itself and all together."""
    nl, tried = b.nl, {"session": set(), "rule": {"session"}}
    for kind, (given, needed) in UNSET.items():
        vals = {"type": kind, **given}
        least = {n: v for n, v in vals.items() if n in needed | {"type"}}
        nl.do("session-new", name="fresh", **least)
        fresh = nl.do("session-get", name="fresh")
        names = set(given) - needed - {"type"}
        for name in sorted(names | {"tos"}):
            nl.do("session-new", name="s", **vals)
            if name in NEEDED_BY:
                nl.do("session-set", name="s", unset=[attr_number("session", NEEDED_BY[name])])
            unset_one(nl, "session", {"name": "s"}, name, fresh)
            nl.do("session-del", name="s")
        nl.do("session-new", name="s", **vals)
        nl.do("session-set", name="s", unset=[attr_number("session", name) for name in names])
        ksft_eq({**fixed(nl.do("session-get", name="s")), "name": "fresh"},
                fixed(nl.do("session-get", name="fresh")), f"{kind}: all together")
        tried["session"] |= names
        nl.do("session-flush")
    nl.do("session-new", name="s", **GRE)
    mirror = {**MIRROR, "session": ["s"]}
    fresh = nl.do("rule-new", **mirror)
    for name in RULE_GIVEN:
        rule = nl.do("rule-new", **{**mirror, **RULE_GIVEN})["id"]
        unset_one(nl, "rule", {"id": rule}, name, {**fresh, "port": None})
        tried["rule"].add(name)
    nl.do("rule-set", id=rule, unset=[attr_number("rule", n) for n in RULE_GIVEN if n != "port"],
          port="none*")
    ksft_eq({**nl.do("rule-get", id=rule), "id": fresh["id"]}, fresh,
            "a rule: all together, and another set")
    nl.do("rule-set", id=rule, action="skip", unset=[attr_number("rule", "session")])
    ksft_eq(nl.do("rule-get", id=rule).get("session"), None, "the sessions of a rule that skips")
    for kind, without in (("session", {"name", "tap", "type", "remote"}),
                          ("rule", {"id", "pref", "action"})):
        names = set(BASE.attr_sets[f"{kind}-change"]) - without - {"unset"}
        ksft_eq(tried[kind], names, f"{kind}: every attribute that has a default was tried")


@bench
def unset_refused(b):
    """What has no default, is no attribute, or is given as well."""
    rule = occupied(b)
    for kind, key, none, other in (
        ("session", {"name": "used"}, ("name", "tap", "type", "remote"),
         ("stats", "pad", "unset", "state")),
        ("rule", {"id": rule}, ("id", "tap", "pref", "action"), ("packets", "pad", "unset",
                                                                 "ports"))):
        text = f"{', '.join(none[:-1])} and {none[-1]} cannot be unset"
        for name in none:
            b.refused(f"{kind}: unset {name}", (INVAL, text, ".unset"), kind + "-set",
                      {**key, "unset": [attr_number(kind, name)]})
        for n in (0, 99, 2 ** 32 - 1, *[attr_number(kind, name) for name in other]):
            b.refused(f"{kind}: unset {n}", (INVAL, f"unset is of no attribute of a {kind}",
                                             ".unset"), kind + "-set", {**key, "unset": [n]})
    both = (INVAL, "an attribute is both given and unset", ".unset")
    b.refused("session: both", both, "session-set", {"name": "used", "ttl": 3,
                                                     "unset": [attr_number("session", "ttl")]})
    b.refused("rule: both", both, "rule-set", {"id": rule, "dup": 1,
                                               "unset": [attr_number("rule", "dup")]})
    b.refused("rule: the last thing that says where", (INVAL, "a rule needs port, master or mac",
                                                       None), "rule-set",
              {"id": rule, "unset": [attr_number("rule", "port")]})
    b.refused("rule: its sessions", (INVAL, "action mirror needs a session", None), "rule-set",
              {"id": rule, "unset": [attr_number("rule", "session")]})
    b.nl.do("session-new", name="v", type="vxlan", remote=V4, key=1)
    b.settle()
    b.refused("session: a key that is needed", (INVAL, "type vxlan needs a key", None),
              "session-set", {"name": "v", "unset": [attr_number("session", "key")]})
    b.refused("session-new: unset", (INVAL, "Unsupported attribute", None), "session-new",
              {"name": "new", **GRE}, attr(attr_number("session", "unset"), bytes(4)))


@bench
def ids(b):
    """Rule ids are never used again."""
    new = [b.nl.do("rule-new", **SKIP)["id"] for _ in range(3)]
    b.nl.do("rule-del", id=new[2])
    new.append(b.nl.do("rule-new", **SKIP)["id"])
    b.nl.do("rule-flush")
    new.append(b.nl.do("rule-new", **SKIP)["id"])
    ksft_eq(new, sorted(set(new)), "ids grow")
    ksft_eq([r["id"] for r in b.nl.dump("rule")], new[-1:],
            "rules of equal pref are tried in order of creation")


@bench
def ports(b):
    """port-get finds a port by name and by index."""
    b.ns.ip("link add p0 index 50 type dummy")
    b.nl.do("rule-new", pref=1, port="p*", action="skip", dir={"ingress"})
    by_name, by_index = b.nl.do("port-get", name="p0"), b.nl.do("port-get", ifindex=50)
    ksft_eq(fixed(by_name), fixed(by_index), "by name and by index it is the same")
    ksft_eq((by_name["name"], by_name["ifindex"], by_name["ingress-hook"], by_name["egress-hook"]),
            ("p0", 50, "packet", "none"), "and what it is")
    ksft_eq(by_name["vm-sends"], {"ingress"}, "where a VM sends")
    ksft_eq([r["ports"] for r in b.nl.dump("rule")], [1], "and the rule is bound to it")
    b.settle()
    ksft_eq(b.nl.do("port-get", name="lo"), {"name": "lo", "ifindex": 1, "reason": "loopback"},
            "a device that is no port has a reason alone")
    ksft_eq(b.nl.do("port-get", ifindex=1)["reason"], "loopback", "by index, too")
    text = "there is no such device"
    b.refused("a device that is none", (NOENT, text, ".name"), "port-get", {"name": "none"})
    b.refused("an index that is none", (NOENT, text, ".ifindex"), "port-get", {"ifindex": 99})
    text = "either name or ifindex is needed"
    b.refused("port-get of nothing", (INVAL, text, None), "port-get", {})
    b.refused("port-get of two things", (INVAL, text, None), "port-get",
              {"name": "p0", "ifindex": 50})


@bench
def module(b):
    """The family tells the module's version, which is that of the source, and of modinfo."""
    with open(KMOD + "/version.h", encoding="ascii") as f:
        version = re.search(r'VTAP_VERSION\t"(.*)"', f.read())[1]
    ksft_eq(b.nl.do("module-get"), {"version": version}, "module-get")
    with open("/sys/module/vtap/version", encoding="ascii") as f:
        ksft_eq(f.read().strip(), version, "MODULE_VERSION")
    b.settle()
    b.refused("module-get: a version", (INVAL, "Unknown attribute type", None), "module-get", {},
              attr(attr_number("module", "version"), b"0\0"))


@bench
def counters_stay(b):
    """Set keeps counters and the sequence number."""
    with Topology() as t, Client(t.host) as nl, Sender(t.a,
                                                       "eth0") as tx, Sniffer(t.col, "eth0") as rx:
        nl.do("session-new", name="s", type="erspan2", remote=V4)
        rule = nl.do("rule-new", pref=5, port="vnet0", dir={"ingress"}, action="mirror",
                     session=["s"])

        def send(n):
            tx.send(*[t.udp()] * n)
            return [struct.unpack("!I", f[38:42])[0] for f in rx.frames(n)]

        def moved():
            tx.send(t.udp())
            return {f[5] for f in rx.frames(1)} == {8}

        ksft_eq(send(3), [0, 1, 2], "sequence numbers count from 0")
        nl.do("session-set", name="s", id=7, ttl=3)
        ksft_eq(send(2), [3, 4], "session-set: they go on")
        nl.do("rule-set", id=rule["id"], pref=4, match={"ip-proto": 17})
        ksft_eq(send(1), [5], "rule-set: they go on")
        stats, now = nl.do("session-get", name="s")["stats"], nl.do("rule-get", id=rule["id"])
        ksft_eq((stats["matched"], stats["sent"]), (6, 6), "the session counted all")
        ksft_eq((now["packets"], now["bytes"]), (6, 6 * len(t.udp())), "the rule counted all")
        with Client(t.host).subscribe() as listener:
            t.host.ip("neigh replace 192.0.2.9 lladdr 02:00:00:00:00:08 dev up0")
            ksft_true(busywait(moved), "copies go to another address of the neighbour")
            ksft_eq(listener.names(), [], "which is no event")
    ksft_eq(b.nl.state(), [[], [], []], "the namespace beside it has nothing of this")


@bench
def taps(b):
    """A tap is there with what belongs to it; tap-get tells how much that is."""
    nl = b.nl
    ksft_eq(nl.dump("tap"), [], "no tap without rules and sessions")
    for tap in ("sec", "t2"):
        nl.do("session-new", name="s", tap=tap, **GRE)
    ksft_eq(nl.do("session-get", name="s", tap="t2")["tap"], "t2", "session-get by name and tap")
    nl.do("session-new", name="s", **GRE)
    ksft_eq(nl.do("session-get", name="s")["tap"], "main", "without a tap it is of main")
    rule = nl.do("rule-new", tap="sec", **SKIP)
    ksft_eq(rule["tap"], "sec", "rule-new replies with the tap")
    ksft_eq(nl.do("rule-get", id=rule["id"])["tap"], "sec", "rule-get tells it")
    nl.do("rule-new", **{**MIRROR, "pref": 9, "session": ["s"], "tap": "t2"})
    nl.do("rule-new", **{**SKIP, "pref": 0})
    ksft_eq([(r["tap"], r["pref"]) for r in nl.dump("rule")], [("sec", 1), ("t2", 9), ("main", 0)],
            "rules are dumped by tap, in the order in which taps were made")
    sec = {"name": "sec", "rules": 1, "sessions": 1, "ports": 0, "packets": 0, "bytes": 0}
    ksft_eq(nl.do("tap-get", name="sec"), sec, "tap-get")
    ksft_eq(nl.dump("tap"), [sec, {**sec, "name": "t2"}, {**sec, "name": "main"}], "all taps")
    nl.do("rule-set", id=rule["id"], pref=5)
    ksft_eq(nl.do("rule-get", id=rule["id"])["tap"], "sec", "rule-set keeps the tap")
    b.settle()
    none = (NOENT, "no tap of this name", ".tap")
    b.refused("session-get of a tap that is none", none, "session-get", {"name": "s", "tap": "x"})
    b.refused("session-set in a tap that is none", none, "session-set", {"name": "s", "tap": "x"})
    b.refused("session-del in a tap that is none", none, "session-del", {"name": "s", "tap": "x"})
    b.refused("tap-get of a tap that is none", (NOENT, "no tap of this name", ".name"), "tap-get",
              {"name": "x"})
    b.refused("tap-get of nothing", (INVAL, "name is missing", None), "tap-get", {})
    b.refused("a session that another tap has", (NOENT, "no session has this name", ".name"),
              "session-get", {"name": "n"})
    b.refused("a session of another tap", (NOENT, "the session is of another tap", ".session"),
              "rule-new", {**MIRROR, "session": ["s"], "tap": "new"})
    nl.do("session-new", name="n", tap="sec", **GRE)
    b.settle()
    b.refused("rule-set with a session of another tap",
              (NOENT, "the session is of another tap", ".session"), "rule-set",
              {"id": nl.dump("rule")[1]["id"], "session": ["n"]})
    letters = "a tap's name has letters, digits and _.:@- only"
    for name in ("", "a b", "a/b", "*"):
        b.refused(f"a session of tap {name!r}", (INVAL, letters, ".tap"), "session-new",
                  {"name": "x", "tap": name, **GRE})
        b.refused(f"a rule of tap {name!r}", (INVAL, letters, ".tap"), "rule-new",
                  {**SKIP, "tap": name})
    for i in range(13):
        nl.do("rule-new", **SKIP, tap=f"{i}")
    b.settle()
    b.refused("a 17th tap", (errno.ENOSPC, "a namespace has at most 16 taps", ".tap"),
              "session-new", {"name": "x", "tap": "new", **GRE})
    b.refused("a 17th tap, by a rule", (errno.ENOSPC, "a namespace has at most 16 taps", ".tap"),
              "rule-new", {**SKIP, "tap": "new"})
    ksft_eq(len(nl.dump("tap")), 16, "16 taps in one dump")
    nl.do("rule-flush", tap="x")
    ksft_eq(b.listener.names(), [], "a flush of a tap that is none")
    nl.do("rule-flush")
    nl.do("session-flush")
    ksft_eq(b.listener.names(), ["rule-del", "session-del"], "flush without a tap is of main")
    ksft_eq("main" in [t["name"] for t in nl.dump("tap")], False, "which is no more")


@bench
def owned(b):
    """A tap that belongs to a socket is refused to others; owner.py has the rest."""
    with Client(b.ns) as owner:
        owner.y.do("commit", {"change": [{"tap-own": {"name": "t"}},
                                         {"session-new": {"name": "s", "tap": "t", **GRE}},
                                         {"rule-new": {"tap": "t", **SKIP}}]})
        rule = b.nl.dump("rule")[0]["id"]
        b.settle()
        foreign = (errno.EPERM,
                   "the tap belongs to another socket: it can be deleted, not changed")
        for op, vals, name in (("session-new", {"name": "n", "tap": "t", **GRE}, ".tap"),
                               ("session-set", {"name": "s", "tap": "t", "ttl": 9}, ".tap"),
                               ("rule-new", {"tap": "t", **SKIP}, ".tap"),
                               ("rule-set", {"id": rule, "pref": 9}, ".id")):
            b.refused(f"{op} of another socket's tap", (*foreign, name), op, vals)
        b.refused("a tap that exists", (EXIST, "a tap of this name exists, and cannot get an owner",
                                        ".name"), "tap-own", {"name": "t"})
        b.refused("tap-own of nothing", (INVAL, "name is missing", None), "tap-own", {})
        b.refused("tap-own of a bad name",
                  (INVAL, "a tap's name has letters, digits and _.:@- only", ".name"), "tap-own",
                  {"name": "a b"})


# names that no device has, and words that no frame has together: text, what has it
NO_DEVICE = "a device name contains neither / nor :, and is not . or .."
BAD_PORTS = {
    "port is one pattern: use a rule for each device, or * ? and [ ]":
        ("vnet0,vnet1", ",", "v*,", "[ab],c"),
    "a [ in port needs its ], or a backslash before it":
        ("vnet[", "vnet[0", "vnet[]", "vnet[!]", "[0-", "[a]b[", "[!", "[a-"),
    "the brackets in port match no character of a device name":
        ("vnet[/]", "[:]", "[9-0]", "[/:]*"),
    NO_DEVICE: ("br0/vnet0", "eth0:1", "*:", ".", "..", "a\\/"),
}
BAD_NAMES = [
    *[(f"port {port}", (INVAL, text, ".port"), {**SKIP, "port": port})
      for text, ports in BAD_PORTS.items() for port in ports],
    *[(f"master {master}", (INVAL, NO_DEVICE, ".master"), {**SKIP, "master": master})
      for master in ("br0:1", "a/b", ".", "..")],
]
LATER = {"ip-flags": 1, "ip-flags-mask": 3}
BAD_MATCHES = {
    "protocol is the EtherType behind VLAN tags: use vlan_id or vlan_prio": [
        {"protocol": 0x8100}, {"protocol": 0x88a8},
        {"tunnel": "gre", "inner": {"protocol": 0x8100}}],
    "ip_proto, ports, tcp_flags, icmp_type, icmp_code and ip_flags need protocol ip or ipv6": [
        *[{"protocol": 0x806, name: value}
          for name, value in (("ip-proto", 17), ("src-port", 1), ("dst-port", 53), ("tcp-flags", 2),
                              ("icmp-type", 8), ("icmp-code", 0), ("ip-flags", 1))],
        {"tunnel": "vxlan", "inner": {"protocol": 0x806, "dst-port": 53}}],
    "ip_proto icmpv6 belongs to IPv6: use icmp with IPv4 addresses and protocol ip": [
        {"ip-proto": 58, "src-ip": V4}, {"ip-proto": 58, "dst-ip": V4},
        {"ip-proto": 58, "protocol": 0x800}, {"ip-proto": 58, "src-ip": V4, "icmp-type": 1},
        {"tunnel": "gre", "inner": {"src-ip": V4, "ip-proto": 58, "icmp-type": 1}}],
    "ip_proto icmp belongs to IPv4: use icmpv6 with IPv6 addresses and protocol ipv6": [
        {"ip-proto": 1, "src-ip": V6}, {"ip-proto": 1, "dst-ip": V6},
        {"ip-proto": 1, "protocol": 0x86dd}],
    "the first fragment is a fragment: use ip_flags firstfrag or nofrag": [
        {"ip-flags": 2, "ip-flags-mask": 3}],
    "fragments other than the first have no ports, tcp_flags, icmp_type, icmp_code and tunnel": [
        {**LATER, name: value}
        for name, value in (("src-port", 1), ("dst-port", 1), ("tcp-flags", 2), ("icmp-type", 8),
                            ("icmp-code", 0), ("tunnel", "gre"))],
}
CONTRADICTIONS = [(f"{match}", (INVAL, text, ".match"), match)
                  for text, matches in BAD_MATCHES.items() for match in matches]
# what looks like one of these, and is not: attributes of a rule
GOOD_PORTS = ("vnet[01]", "vnet[,]", "vnet[]]", "vnet[!]]", "[a-]", "[!/:]", "[--0]", "[/0]",
              "vnet\\[", "a\\,b", "a\\", "v?t*", "[]-a]", "...", ".*", "-", "[!!-~]", "[9-01]")
GOOD_MATCHES = (
    {"protocol": 0x9100}, {"protocol": 0x806, "vlan-id": 5},
    {"protocol": 0x800, "ip-proto": 1, "icmp-type": 8}, {"protocol": 0x86dd, "ip-proto": 58},
    {"src-ip": V4, "ip-proto": 1}, {"src-ip": V6, "ip-proto": 58, "icmp-code": 0},
    {"ip-proto": 58}, {"ip-proto": 1}, {"src-ip": V6, "icmp-type": 1},
    {"src-ip": V6, "ip-proto": 0},
    LATER, {**LATER, "ip-proto": 6}, {"ip-flags": 3, "dst-port": 1},
    {"ip-flags": 0, "ip-flags-mask": 2, "dst-port": 1}, {"ip-flags": 1, "dst-port": 1},
    {"ip-flags": 2, "tcp-flags": 1}, {"src-mac": "ffffffffffff"},
    {"tunnel": "gre", "inner": {"protocol": 0x86dd, "ip-proto": 58}},
)
ALLOWED = [*[{"port": port} for port in GOOD_PORTS],
           *[{"master": master} for master in ("br[", "a,b", "*")],
           *[{"match": match} for match in GOOD_MATCHES]]

SESSION = [
    # name, (errno, text, attribute), attributes beside a name that is new
    ("no type", (INVAL, "type is missing", None), {"remote": V4}),
    ("no remote", (INVAL, "remote is missing", None), {"type": "gre"}),
    ("an empty name", (INVAL, "name is missing", None), {**GRE, "name": ""}),
    ("a blank in a name", (INVAL, "a session's name consists of letters, digits and _.:@-", None),
     {**GRE, "name": "a b"}),
    ("a comma in a name", (INVAL, "a session's name consists of letters, digits and _.:@-", None),
     {**GRE, "name": "a,b"}),
    ("a line feed in a name", (INVAL, "a session's name consists of letters, digits and _.:@-",
                               None), {**GRE, "name": "a\n"}),
    ("a name that is taken", (EXIST, "a session with this name exists", None),
     {**GRE, "name": "used"}),
    ("remote 0.0.0.0", (INVAL, "remote is not a usable collector address", None),
     {"type": "gre", "remote": bytes(4)}),
    ("remote 255.255.255.255", (INVAL, "remote is not a usable collector address", None),
     {"type": "gre", "remote": b"\xff" * 4}),
    ("remote ::", (INVAL, "remote is not a usable collector address", None),
     {"type": "gre", "remote": bytes(16)}),
    ("remote fe80::9", (INVAL, "remote is a link-local address, which needs dev", None),
     {"type": "gre", "remote": bytes.fromhex("fe80" + "00" * 13 + "09")}),
    ("remote ff02::9", (INVAL, "remote is a link-local address, which needs dev", None),
     {"type": "gre", "remote": bytes.fromhex("ff02" + "00" * 13 + "09")}),
    ("local 0.0.0.0", (INVAL, "local is not a usable source address", None),
     {**GRE, "local": bytes(4)}),
    ("local 224.0.0.1", (INVAL, "local is not a usable source address", None),
     {**GRE, "local": bytes([224, 0, 0, 1])}),
    ("local 255.255.255.255", (INVAL, "local is not a usable source address", None),
     {**GRE, "local": b"\xff" * 4}),
    ("local ::", (INVAL, "local is not a usable source address", None),
     {"type": "gre", "remote": V6, "local": bytes(16)}),
    ("local ff02::", (INVAL, "local is not a usable source address", None),
     {"type": "gre", "remote": V6, "local": b"\xff\2" + bytes(14)}),
    ("local of another family", (INVAL, "local and remote are of different families", None),
     {**GRE, "local": V6}),
    *[(f"remote of {n} bytes", (INVAL, "an address has 4 or 16 bytes", ".remote"),
       {"type": "gre", "remote": bytes(n)}) for n in (0, 3, 5, 15, 17)],
    ("local of 6 bytes", (INVAL, "an address has 4 or 16 bytes", ".local"),
     {**GRE, "local": bytes(6)}),
    ("port with remote", (INVAL, "type port takes no remote and no local", None),
     {"type": "port", "dev": "d", "remote": V4}),
    ("port with local", (INVAL, "type port takes no remote and no local", None),
     {"type": "port", "dev": "d", "local": V4}),
    ("port without dev", (INVAL, "type port needs dev", None), {"type": "port"}),
    *[(f"dev {dev}", (INVAL, NO_DEVICE, ".dev"), {**GRE, "dev": dev})
      for dev in ("eth0:1", "a/b", ".")],
    ("a dev with a blank", (INVAL, "dev is not a device name", ".dev"), {**GRE, "dev": "a b"}),
    ("key of erspan2", (INVAL, "key is for types gre and vxlan", None),
     {"type": "erspan2", "remote": V4, "key": 1}),
    ("id of gre", (INVAL, "id is for types erspan2 and erspan3", None), {**GRE, "id": 1}),
    ("index of erspan3", (INVAL, "index is for type erspan2", None),
     {"type": "erspan3", "remote": V4, "index": 1}),
    ("seq of erspan1", (INVAL, "seq is for type gre", None), {"type": "erspan1", "remote": V4,
                                                              "seq": 1}),
    ("subheader of erspan2", (INVAL, "subheader is for type erspan3", None),
     {"type": "erspan2", "remote": V4, "subheader": 1}),
    ("dport of gre", (INVAL, "dport is for type vxlan", None), {**GRE, "dport": 4789}),
    ("vlan strip of gre", (INVAL, "vlan strip is for types erspan2 and erspan3", None),
     {**GRE, "vlan": "strip"}),
    ("vxlan without key", (INVAL, "type vxlan needs a key", None), {"type": "vxlan", "remote": V4}),
    ("burst without rate", (INVAL, "burst needs a rate", None), {**GRE, "burst": 1}),
    *[(f"offload of {kind}", (INVAL, "offload is for type gre", None),
       {"type": kind, "remote": V4, "offload": 1, **more})
      for kind, more in (("erspan1", {}), ("erspan2", {}), ("erspan3", {}), ("vxlan", {"key": 1}))],
    *[(f"csum of {kind}", (INVAL, "csum is for type gre", None), {"type": kind, "csum": 1, **more})
      for kind, more in (("erspan1", {"remote": V4}), ("erspan2", {"remote": V4}),
                         ("erspan3", {"remote": V4}), ("vxlan", {"remote": V4, "key": 1}),
                         ("port", {"dev": "d"}))],
    ("offload of port", (INVAL, "offload is for type gre", None), {"type": "port", "dev": "d",
                                                                   "offload": 1}),
    *[(f"offload with {name}", (INVAL, "offload cannot be combined with csum, seq or decap", None),
       {**GRE, "offload": 1, name: 1}) for name in ("csum", "seq", "decap")],
    *[(f"offload with {name}", (INVAL, "offload cannot be combined with rate or pps", None),
       {**GRE, "offload": 1, name: 8}) for name in ("rate", "pps")],
    *[(f"offload with {name}", (INVAL, "offload cannot be combined with slice or mask", None),
       {**GRE, "offload": 1, name: "l4"}) for name in ("slice", "mask")],
    ("slice with mask", (INVAL, "slice and mask cannot be combined", None),
     {**GRE, "slice": "l2", "mask": "l4"}),
    ("slice-more without slice", (INVAL, "slice-more needs slice", None),
     {**GRE, "slice-more": 1}),
    ("slice-more with mask", (INVAL, "slice-more needs slice", None),
     {**GRE, "slice-more": 1, "mask": "l4"}),
]
RULE = [
    # name, (errno, text, attribute), attributes of a rule
    ("no pref", (INVAL, "pref is missing", None), {"port": "x", "action": "skip"}),
    ("no action", (INVAL, "action is missing", None), {"pref": 1, "port": "x"}),
    ("neither port nor master nor mac", (INVAL, "a rule needs port, master or mac", None),
     {"pref": 1, "action": "skip"}),
    ("an empty port", (INVAL, "a rule needs port, master or mac", None), {**SKIP, "port": ""}),
    ("a port with a blank", (INVAL, "port is neither a device name nor a pattern", ".port"),
     {**SKIP, "port": "a b"}),
    ("a port with a tab", (INVAL, "port is neither a device name nor a pattern", ".port"),
     {**SKIP, "port": "a\t"}),
    *BAD_NAMES,
    ("a master with a blank", (INVAL, "master is not a device name", ".master"),
     {**SKIP, "master": " "}),
    ("a master with a DEL", (INVAL, "master is not a device name", ".master"),
     {**SKIP, "master": "a\x7f"}),
    ("a multicast mac", (INVAL, "mac is not a unicast address", None),
     {**SKIP, "mac": "030000000001"}),
    ("mac and src-mac", (INVAL, "mac takes the place of src_mac at ingress, of dst_mac at egress",
                         None),
     {**SKIP, "mac": "020000000001", "dir": {"ingress"}, "match": {"src-mac": "020000000002"}}),
    ("mac and dst-mac", (INVAL, "mac takes the place of src_mac at ingress, of dst_mac at egress",
                         None),
     {**SKIP, "mac": "020000000001", "dir": {"egress"}, "match": {"dst-mac": "020000000002"}}),
    ("no direction", (INVAL, "dir is neither ingress nor egress", None), {**SKIP, "dir": 0}),
    ("mirror to nobody", (INVAL, "action mirror needs a session", None), MIRROR),
    ("skip to a session", (INVAL, "action skip takes no session", None),
     {**SKIP, "session": ["used"]}),
    ("skip with sample", (INVAL, "sample is for action mirror", None), {**SKIP, "sample": 2}),
    ("half an instruction", (INVAL, "a filter is made of 8-byte instructions", ".filter"),
     {**SKIP, "filter": BPF + BPF[:4]}),
    ("a filter without an end", (INVAL, "the kernel's checker refuses the filter", ".filter"),
     {**SKIP, "filter": bytes(8)}),
    ("filter-text alone", (INVAL, "filter-text without a filter", ".filter-text"),
     {**SKIP, "filter-text": "ip"}),
    ("a line feed in filter-text", (INVAL, "filter-text has control characters", ".filter"),
     {**SKIP, "filter": BPF, "filter-text": "ip\n"}),
    ("a session that is none", (NOENT, "no session has this name", ".session"),
     {**MIRROR, "session": ["none"]}),
    ("an empty session", (NOENT, "no session has this name", ".session"),
     {**MIRROR, "session": [""]}),
]
MATCHES = [
    # name, (errno, text, attribute), attributes of a match
    ("src-ip of 5 bytes", (INVAL, "an address has 4 or 16 bytes", ".match.src-ip"),
     {"src-ip": bytes(5)}),
    ("dst-ip of 0 bytes", (INVAL, "an address has 4 or 16 bytes", ".match.dst-ip"),
     {"dst-ip": b""}),
    ("src-ip-len alone", (INVAL, "prefix length without an address", ".match.src-ip-len"),
     {"src-ip-len": 8}),
    ("dst-ip-len alone", (INVAL, "prefix length without an address", ".match.dst-ip-len"),
     {"dst-ip-len": 8}),
    ("an IPv4 prefix of 33", (INVAL, "prefix is longer than the address", ".match.src-ip-len"),
     {"src-ip": V4, "src-ip-len": 33}),
    ("two families", (INVAL, "src_ip and dst_ip are of different families", ".match"),
     {"src-ip": V4, "dst-ip": V6}),
    ("IPv4 in protocol ipv6", (INVAL, "protocol contradicts the address family", ".match"),
     {"src-ip": V4, "protocol": 0x86dd}),
    ("IPv6 in protocol ip", (INVAL, "protocol contradicts the address family", ".match"),
     {"dst-ip": V6, "protocol": 0x800}),
    *[(f"{name}-mask alone", (INVAL, "mask without a value", ".match"), {name + "-mask": value})
      for name, value in (("src-mac", bytes(6)), ("dst-mac", bytes(6)), ("tcp-flags", 1),
                          ("ip-flags", 1))],
    ("src-port-max alone", (INVAL, "a port range needs its low end", ".match"),
     {"src-port-max": 1}),
    ("dst-port-max alone", (INVAL, "a port range needs its low end", ".match"),
     {"dst-port-max": 1}),
    ("src-port 2-1", (INVAL, "port range ends before it begins", ".match"),
     {"src-port": 2, "src-port-max": 1}),
    ("dst-port 2-1", (INVAL, "port range ends before it begins", ".match"),
     {"dst-port": 2, "dst-port-max": 1}),
    ("a port of ICMP",
     (INVAL, "src_port and dst_port need ip_proto tcp, udp, udplite, sctp or dccp", ".match"),
     {"ip-proto": 1, "dst-port": 1}),
    ("TCP flags of UDP", (INVAL, "tcp_flags needs ip_proto tcp", ".match"),
     {"ip-proto": 17, "tcp-flags": 1}),
    ("an ICMP type of TCP",
     (INVAL, "icmp_type and icmp_code need ip_proto icmp or icmpv6", ".match"),
     {"ip-proto": 6, "icmp-type": 1}),
    ("an ICMP code of TCP",
     (INVAL, "icmp_type and icmp_code need ip_proto icmp or icmpv6", ".match"),
     {"ip-proto": 6, "icmp-code": 1}),
    ("ICMP type and port", (INVAL, "ICMP has neither ports nor TCP flags", ".match"),
     {"icmp-type": 1, "src-port": 1}),
    ("ICMP code and TCP flags", (INVAL, "ICMP has neither ports nor TCP flags", ".match"),
     {"icmp-code": 1, "tcp-flags": 1}),
    ("a tunnel key without a tunnel", (INVAL, "tunnel_key and inner need a tunnel", ".match"),
     {"tunnel-key": 1}),
    ("inner without a tunnel", (INVAL, "tunnel_key and inner need a tunnel", ".match"),
     {"ip-proto": 17, "inner": {"ip-proto": 6}}),
    ("a tunnel in ARP", (INVAL, "tunnel needs protocol ip or ipv6", ".match"),
     {"tunnel": "gre", "protocol": 0x806}),
    *[(f"{kind} in protocol {proto}", (INVAL, "tunnel vxlan and geneve need ip_proto udp, tunnel "
                                       "gre needs gre", ".match"),
       {"tunnel": kind, "ip-proto": proto}) for kind, proto in (("vxlan", 47), ("geneve", 6),
                                                                ("gre", 17), ("gre", 0))],
    *[(f"{kind} with a key of 25 bits",
       (INVAL, "tunnel_key of vxlan and geneve is at most 16777215", ".match"),
       {"tunnel": kind, "tunnel-key": 1 << 24}) for kind in ("vxlan", "geneve")],
    ("a port of GRE", (INVAL, "src_port and dst_port need ip_proto tcp, udp, udplite, sctp or dccp",
                       ".match"),
     {"tunnel": "gre", "dst-port": 4789}),
    ("TCP flags of VXLAN", (INVAL, "tcp_flags needs ip_proto tcp", ".match"),
     {"tunnel": "vxlan", "tcp-flags": 1}),
    ("an ICMP type of GENEVE", (INVAL, "icmp_type and icmp_code need ip_proto icmp or icmpv6",
                                ".match"),
     {"tunnel": "geneve", "icmp-type": 1}),
    ("a port of ICMP in a tunnel", (INVAL, "src_port and dst_port need ip_proto tcp, udp, udplite, "
                                    "sctp or dccp", ".match"),
     {"tunnel": "gre", "inner": {"ip-proto": 1, "dst-port": 1}}),
    ("two families in a tunnel", (INVAL, "src_ip and dst_ip are of different families", ".match"),
     {"tunnel": "gre", "inner": {"src-ip": V4, "dst-ip": V6}}),
    ("a mask alone in a tunnel", (INVAL, "mask without a value", ".match"),
     {"tunnel": "gre", "inner": {"src-mac-mask": bytes(6)}}),
    ("an address of 5 bytes in a tunnel", (INVAL, "an address has 4 or 16 bytes",
                                           ".match.inner.src-ip"),
     {"tunnel": "gre", "inner": {"src-ip": bytes(5)}}),
    ("a VLAN id of 13 bits in a tunnel", (RANGE, "integer out of range", ".match.inner.vlan-id"),
     {"tunnel": "gre", "inner": {"vlan-id": 4096}}),
    *CONTRADICTIONS,
    ("TCP flags outside the mask", (INVAL, "tcp_flags has bits outside its mask", ".match"),
     {"tcp-flags": 2, "tcp-flags-mask": 1}),
    ("IP flags outside the mask", (INVAL, "ip_flags has bits outside its mask", ".match"),
     {"ip-flags": 2, "ip-flags-mask": 1}),
]


def occupied(b):
    """Fill the bench: sessions used and free, a rule with a port. Return: the rule's id."""
    b.ns.ip("link add p0 type dummy")
    for name in ("used", "free", *[f"s{i}" for i in range(8)]):
        b.nl.do("session-new", name=name, **GRE)
    rule = b.nl.do("rule-new", pref=1, port="p0", action="mirror", session=["used"],
                   match={"ip-proto": 6})
    b.settle()
    return rule["id"]


@bench
def session_refused(b):
    """What a session cannot be, when it is made and when it is changed."""
    occupied(b)
    for name, want, vals in SESSION:
        b.refused("session-new: " + name, want, "session-new", {"name": "new", **vals})
        if vals.get("type") == "gre" and "name" not in vals and "remote" in vals:
            b.refused("session-set: " + name, want, "session-set", {"name": "used", **vals})
    b.refused("session-new: a name of Latin-1 letters", (INVAL, "a session's name consists of "
                                                         "letters, digits and _.:@-", None),
              "session-new", GRE, attr(attr_number("session", "name"), b"\xe4\0"))
    changed = (INVAL, "the type of a session cannot be changed", ".type")
    b.refused("session-set: another type", changed, "session-set",
              {"name": "free", "type": "erspan1"})
    for op in ("get", "new", "set", "del"):
        b.refused(f"session-{op} without a name", (INVAL, "name is missing", None), "session-" + op,
                  {})
    for op in ("get", "set", "del"):
        b.refused(f"session-{op} of none", (NOENT, "no session has this name", ".name"),
                  "session-" + op, {"name": "none"})
    busy = (BUSY, "the session is used by a rule", None)
    b.refused("session-del in use", busy, "session-del", {"name": "used"})
    b.refused("session-flush in use", busy, "session-flush", {})
    b.refused("session-flush of the type in use", busy, "session-flush", {"type": "gre"})
    b.nl.do("session-flush", type="vxlan")
    b.unchanged("session-flush of another type")


@bench
def rule_refused(b):
    """What a rule cannot be, when it is made and when it is changed."""
    number_of = occupied(b)
    for name, want, vals in RULE:
        b.refused("rule-new: " + name, want, "rule-new", vals)
        if want[2]:
            b.refused("rule-set: " + name, want, "rule-set", {"id": number_of, **vals})
    for name, want, match in MATCHES:
        b.refused("match: " + name, want, "rule-new", {**SKIP, "match": match})
    b.refused("rule-set: a match", (INVAL, "mask without a value", ".match"), "rule-set",
              {"id": number_of, "match": {"tcp-flags-mask": 1}})
    twice, nine = ["s0", "s1", "s0"], [f"s{i}" for i in range(8)] + ["free"]
    b.refused("a session named twice", (INVAL, "the session is named twice", ".session"),
              "rule-new", {**MIRROR, "session": twice})
    b.refused("nine sessions", (INVAL, "a rule has at most 8 sessions", ".session"), "rule-new",
              {**MIRROR, "session": nine})
    for op in ("get", "set", "del"):
        b.refused(f"rule-{op} without an id", (INVAL, "id is missing", None), "rule-" + op, {})
        for none in (0, number_of + 1, 2 ** 32 - 1, 2 ** 32 + number_of, 2 ** 64 - 1):
            b.refused(f"rule-{op} of {none}", (NOENT, "no rule has this id", ".id"), "rule-" + op,
                      {"id": none})
    b.nl.do("rule-new", **MIRROR, session=nine[:8])
    ksft_eq(b.nl.dump("rule")[1]["session"], nine[:8], "eight sessions are not refused")


def alternatives(n, **more):
    """Return: N matches that differ in their ports."""
    return [{"ip-proto": 17, "dst-port": 1 + i, "dst-port-max": 1 + i, **more} for i in range(n)]


# name, (errno, text, attribute), attributes of a rule with several matches and exceptions
LISTS = [
    ("257 matches", (INVAL, "a rule has at most 256 matches", ".match"),
     {"match": alternatives(257)}),
    ("65 excepts", (INVAL, "a rule has at most 64 excepts", ".except"),
     {"except": alternatives(65)}),
    ("an empty match among others", (INVAL, "an empty match needs no others", ".match"),
     {"match": [*alternatives(3), {}]}),
    ("an empty match first", (INVAL, "an empty match needs no others", ".match"),
     {"match": [{}, *alternatives(3)]}),
    ("an empty except", (INVAL, "an empty except leaves no frame", ".except"), {"except": [{}]}),
    ("an empty except among others", (INVAL, "an empty except leaves no frame", ".except"),
     {"except": [*alternatives(2), {}]}),
    ("a match twice", (INVAL, "the same match is given twice", ".match"),
     {"match": [*alternatives(5), *alternatives(1)]}),
    ("a match twice in other words", (INVAL, "the same match is given twice", ".match"),
     {"match": [{"src-ip": V4, "src-ip-len": 24}, {"dst-port": 1},
                {"src-ip": V4[:3] + b"\7", "src-ip-len": 24, "protocol": 0x800}]}),
    ("an inner match twice", (INVAL, "the same match is given twice", ".match"),
     {"match": [{"tunnel": "gre", "inner": {"dst-port": 7}}] * 2}),
    ("an except twice", (INVAL, "the same except is given twice", ".except"),
     {"match": alternatives(2), "except": [*alternatives(2), *alternatives(1)]}),
    ("what no frame matches, among others", (INVAL, "src_ip and dst_ip are of different families",
                                             ".match"),
     {"match": [*alternatives(2), {"src-ip": V4, "dst-ip": V6}]}),
    ("an except that no frame matches", (INVAL, "tunnel_key and inner need a tunnel", ".except"),
     {"except": [{"tunnel-key": 1}]}),
    ("mac and a src-mac among others",
     (INVAL, "mac takes the place of src_mac at ingress, of dst_mac at egress", None),
     {"mac": "020000000001", "match": [*alternatives(2), {"src-mac": "020000000002"}]}),
]


@bench
def lists(b):
    """Several matches and exceptions: what is refused, what comes back, what a change leaves."""
    nl = b.nl
    first = nl.do("rule-new", **SKIP, match=alternatives(2), **{"except": alternatives(1)})
    number = first["id"]
    b.settle()
    for name, want, vals in LISTS:
        b.refused("rule-new: " + name, want, "rule-new", {**SKIP, **vals})
        b.refused("rule-set: " + name, want, "rule-set", {"id": number, **vals})
    for name in ("match", "except"):
        b.refused(f"{name} given and unset", (INVAL, "an attribute is both given and unset",
                                              ".unset"),
                  "rule-set", {"id": number, name: alternatives(1),
                               "unset": [attr_number("rule", name)]})

    def has(name, match, excepts):
        now = nl.do("rule-get", id=number)
        ksft_eq((now.get("match"), now.get("except")), (match, excepts), name)

    two, one = alternatives(2), alternatives(1)
    inner = [{"tunnel": "vxlan", "inner": {"ip-proto": 6, "dst-port": i, "dst-port-max": i}}
             for i in (80, 443)]
    has("both read back", two, one)
    nl.do("rule-set", id=number, pref=7)
    has("and stay when another attribute is set", two, one)
    nl.do("rule-set", id=number, match=inner)
    has("matches are replaced", inner, one)
    nl.do("rule-set", id=number, **{"except": inner})
    has("exceptions are replaced", inner, inner)
    nl.do("rule-set", id=number, unset=[attr_number("rule", "match")])
    has("matches are unset", None, inner)
    nl.do("rule-set", id=number, match=one)
    has("one match beside exceptions", one, inner)
    nl.do("rule-set", id=number, unset=[attr_number("rule", "except")])
    has("exceptions are unset", one, None)
    nl.do("rule-set", id=number, match=two)
    nl.do("rule-set", id=number, match={})
    has("an empty match replaces several", None, None)


@bench
def lists_long(b):
    """The most matches and exceptions fit in a reply, in an event and in a dump that goes on."""
    nl = b.nl
    wide = {"src-ip": V6, "src-ip-len": 128, "dst-ip": V6, "dst-ip-len": 128, "vlan-id": 5}
    most, excepts = alternatives(256, **wide), alternatives(64, **wide)
    vals = {**SKIP, "match": most, "except": excepts}
    b.listener.events()
    ids = [nl.do("rule-new", **vals)["id"] for _ in range(3)]
    shows = [(r["match"], r["except"]) for r in nl.dump("rule")]
    ksft_true(shows == [(most, excepts)] * 3, "a dump has all of them", [len(s[0]) for s in shows])
    one = nl.do("rule-get", id=ids[1])
    ksft_true((one["match"], one["except"]) == (most, excepts), "and so has a reply")
    events = [e for name, e in b.listener.events() if name == "rule-add"]
    ksft_true([(e["match"], e["except"]) for e in events] == [(most, excepts)] * 3,
              "and so has an event", len(events))
    nl.do("rule-flush")
    ksft_eq(nl.dump("rule"), [], "rules with the most matches go")


@bench
def allowed(b):
    """What some frame or device can match is not refused."""
    for attrs in ALLOWED:
        try:
            made = b.nl.do("rule-new", **{**SKIP, **attrs})
        except NlError as e:
            ksft_true(False, f"{attrs} is taken", e)
            continue
        given = {name: value for name, value in attrs.items() if name != "match"}
        ksft_true(shown(made, given) == given and ("match" in made) == ("match" in attrs),
                  f"{attrs} is taken", made)


OUT, RESERVED = (RANGE, "integer out of range"), (INVAL, "reserved bit set")
SIZE = (RANGE, "binary attribute size out of range")
LENGTH = (INVAL, "Attribute failed policy validation")
# attribute: beside what, values that go in, values that do not, why they do not
SESSION_EDGES = {
    "name": ({}, ["a", LONG31], [LONG31 + "x"], LENGTH),
    "type": ({"key": 1}, [], [6, 2 ** 32 - 1], OUT),
    "dev": ({}, [LONG15], [LONG15 + "x"], LENGTH),
    "key": ({"type": "vxlan"}, [0, 0xffffff], [0x1000000],
            (INVAL, "key of type vxlan is at most 16777215", None)),
    "id": ({"type": "erspan2"}, [0, 1023], [1024, 65535], OUT),
    "index": ({"type": "erspan2"}, [0, 0xfffff], [0x100000], (INVAL, "index is at most 1048575",
                                                              None)),
    "ttl": ({}, [1, 255], [0], OUT),
    "tos": ({}, [0, 4, 252], [1, 2, 3, 255], (INVAL, "the ECN bits of tos must be 0", None)),
    "snaplen": ({}, [0, 60, 2 ** 32 - 1], [1, 59], (INVAL, "snaplen is 0 or at least 60", None)),
    "mtu": ({}, ["fragment", "drop"], [3], OUT),
    "vlan": ({"type": "erspan3"}, ["keep", "strip"], [2], OUT),
    "seq": ({}, [0, 1], [2, 255], OUT),
    "subheader": ({"type": "erspan3"}, [0, 1], [2], OUT),
    "dport": ({"type": "vxlan", "key": 1}, [1, 65535], [0], OUT),
    "rate": ({}, [0, 8, 2 ** 64 - 1], [1, 7], (INVAL, "rate is 0 or at least 8 bit per second",
                                               None)),
    "burst": ({"rate": 8}, [0, 2 ** 32 - 1], [], None),
    "pps": ({}, [0, 1, 2 ** 32 - 1], [], None),
    "decap": ({}, [0, 1], [2, 255], OUT),
    "offload": ({}, [0, 1], [2, 255], OUT),
    "seed": ({}, [0, 1, 2 ** 64 - 1], [], None),
    "csum": ({}, [0, 1], [2, 255], OUT),
    "slice": ({}, ["none", "l2", "l3", "l4"], [4, 2 ** 32 - 1], OUT),
    "slice-more": ({"slice": "l2"}, [0, 65535], [], None),
    "mask": ({}, ["none", "l2", "l3", "l4"], [4, 2 ** 32 - 1], OUT),
    "tap": ({}, ["a", LONG31], [LONG31 + "x"], LENGTH),
}
RULE_EDGES = {
    "pref": ({}, [0, 2 ** 32 - 1], [], None),
    "port": ({}, ["a", LONG31], [LONG31 + "x"], LENGTH),
    "master": ({}, [LONG15], [LONG15 + "x"], LENGTH),
    "mac": ({}, ["02000000000a"], ["0200000000", "02000000000000"], SIZE),
    "dir": ({}, [{"ingress"}, {"egress"}, {"ingress", "egress"}], [4, 7], RESERVED),
    "action": ({}, [], [2], OUT),
    "session": ({"action": "mirror"}, [[LONG31]], [[LONG31 + "x"]], (RANGE, LENGTH[1])),
    "dup": ({}, [0, 1], [2], OUT),
    "sample": ({"action": "mirror", "session": [LONG31]}, [1, 2 ** 32 - 1], [0], OUT),
    "sample-flow": ({"action": "mirror", "session": [LONG31], "sample": 2}, [0, 1], [2], OUT),
    "filter": ({}, [BPF, BPF * 2048], [BPF * 2049],
               (INVAL, "a filter has at most 2048 instructions")),
    "filter-text": ({"filter": BPF}, ["x" * 1023], ["x" * 1024], LENGTH),
    "tap": ({}, ["a", LONG31], [LONG31 + "x"], LENGTH),
}
MATCH_EDGES = {
    "src-mac": ({}, ["000000000000"], ["0200000000", "02000000000000"], SIZE),
    "src-mac-mask": ({"src-mac": bytes(6)}, ["ffffffffffff"], ["ff", "02000000000000"], SIZE),
    "dst-mac": ({}, ["ffffffffffff"], ["0200000000", "02000000000000"], SIZE),
    "dst-mac-mask": ({"dst-mac": bytes(6)}, ["ffffffffffff"], ["", "02000000000000"], SIZE),
    "protocol": ({}, [1536, 65535], [0, 1535], OUT),
    "vlan-id": ({}, [0, 4095], [4096], OUT),
    "vlan-prio": ({}, [0, 7], [8, 255], OUT),
    "src-ip-len": ({"src-ip": bytes(16)}, [0, 128], [129, 255], OUT),
    "dst-ip-len": ({"dst-ip": bytes(16)}, [0, 128], [129], OUT),
    "ip-proto": ({}, [0, 255], [], None),
    "src-port": ({}, [0, 65535], [], None),
    "dst-port": ({}, [0, 65535], [], None),
    "tcp-flags": ({}, [0, 4095], [4096, 65535], OUT),
    "tcp-flags-mask": ({"tcp-flags": 0}, [0, 4095], [4096], OUT),
    "icmp-type": ({}, [0, 255], [], None),
    "icmp-code": ({}, [0, 255], [], None),
    "ip-flags": ({}, [0, 1, 2, 3], [4], RESERVED),
    "ip-flags-mask": ({"ip-flags": 0}, [0, 3], [4], RESERVED),
    "tunnel": ({}, ["vxlan", "geneve", "gre"], [3, 2 ** 32 - 1], OUT),
    "tunnel-key": ({"tunnel": "gre"}, [0, 2 ** 32 - 1], [], None),
}


def back(space, name, value):
    """Return: VALUE of an attribute as a client decodes it."""
    spec = BASE.attr_sets[space][name]
    if "enum" in spec and isinstance(value, int):
        return BASE._decode_enum(value, spec)
    return ":".join(re.findall("..", value)) if spec.display_hint == "mac" else value


def edge(b, space, name, vals, want):
    """Try one value: WANT None makes an object that shows it, and removes it."""
    op, inner = ("session", vals) if space == "session" else ("rule", vals["match"] if space ==
                                                              "match" else vals)
    value = inner[name]
    if want:
        path = ".match." + name if space == "match" else "." + name
        b.refused(f"{space} {name} {value!r:.40}", (*want, path) if len(want) == 2 else want,
                  op + "-new", vals)
        return
    try:
        made = b.nl.do(op + "-new", **vals) or b.nl.do("session-get", name=vals.get("name"),
                                                       tap=vals.get("tap", "main"))
    except NlError as e:
        ksft_true(False, f"{space} {name} {value!r:.40} is taken", e)
        return
    shows = (made["match"][0] if space == "match" else made).get(name)
    ksft_eq(shows, back(space, name, value), f"{space} {name} {value!r:.40} is taken")
    key = ("name", "tap") if op == "session" else ("id",)
    b.nl.do(op + "-del", **{k: made[k] for k in key})
    b.listener.events()


@bench
def edges(b):
    """Each bounded attribute at both sides of its bounds."""
    b.settle()
    for name, (beside, good, bad, why) in SESSION_EDGES.items():
        for value, want in [(v, None) for v in good] + [(v, why) for v in bad]:
            edge(b, "session", name, {"name": "new", **GRE, **beside, name: value}, want)
    b.nl.do("session-new", name=LONG31, **GRE)
    b.settle()
    for name, (beside, good, bad, why) in RULE_EDGES.items():
        for value, want in [(v, None) for v in good] + [(v, why) for v in bad]:
            edge(b, "rule", name, {**SKIP, **beside, name: value}, want)
    for name, (beside, good, bad, why) in MATCH_EDGES.items():
        for value, want in [(v, None) for v in good] + [(v, why) for v in bad]:
            edge(b, "match", name, {**SKIP, "match": {**beside, name: value}}, want)
    b.refused("session-flush of type 6", (*OUT, ".type"), "session-flush", {"type": 6})
    for op in ("get", "del", "set"):
        b.refused(f"session-{op} of a long name", (*LENGTH, ".name"), f"session-{op}",
                  {"name": LONG31 + "x"})
    b.refused("tap-get of a long name", (*LENGTH, ".name"), "tap-get", {"name": LONG31 + "x"})
    tables = {"session": SESSION_EDGES, "rule": RULE_EDGES, "match": MATCH_EDGES}
    missing = [f"{space}.{name}" for space, table in tables.items()
               for name, a in BASE.attr_sets[space].attrs.items() if ("checks" in a or "enum" in a)
               and name not in table and name != "state"]
    ksft_eq(missing, [], "every attribute that the specification bounds was tried")


@bench
def traced(b):
    """What trace-get cannot be asked."""
    occupied(b)
    b.ns.ip("link add p1 type dummy", "link add q0 type dummy")
    b.nl.do("rule-new", pref=1, port="p1", dir={"ingress"}, action="skip")
    b.settle()
    frame, key = bytes(15), {"port": "p0"}
    needed = (INVAL, "port and frame are needed", None)
    for vals, want in (
            ({}, needed), (key, needed), ({"frame": frame}, needed),
            ({"port": "nosuch", "frame": frame},
             (errno.ENODEV, "there is no such device", ".port")),
            ({"port": "q0", "frame": frame},
             (NOENT, "no rule binds to this device; port show says why", ".port")),
            ({"port": "p1", "dir": {"egress"}, "frame": frame},
             (NOENT, "no rule for this direction binds to this device", ".dir")),
            ({**key, "dir": {"ingress", "egress"}, "frame": frame},
             (INVAL, "a frame passes in one direction: ingress or egress", ".dir")),
            ({**key, "frame": bytes(14)},
             (INVAL, "the frame is no longer than an Ethernet header, 14 bytes", ".frame")),
            ({**key, "frame": bytes(16385)},
             (INVAL, "the frame is longer than 16384 bytes", ".frame"))):
        b.refused(f"trace-get {sorted(vals)}", want, "trace-get", vals)
    ksft_eq(len(b.nl.do("trace-get", **key, frame=bytes(16384))["verdict"]), 1,
            "the longest frame is taken")


LAST = {"session-new": "mask", "session-set": "mask", "session-del": "tap", "session-flush": "tap",
        "rule-new": "except", "rule-set": "except", "rule-del": "id", "rule-flush": "tap",
        "tap-own": "name"}


@bench
def malformed(b):
    """Strict: attributes that a command or a change does not know, wrong forms and reserved bits
    are refused."""
    occupied(b)
    unknown = (INVAL, "Unknown attribute type", None)
    ksft_eq(set(LAST), CHANGES, "every change is tried")
    for op, last in {**OPS, **LAST}.items():
        kind = attr_number(op.split("-", 1)[0], last) + 1
        b.refused(f"{op}: an unknown attribute", unknown, op, {}, attr(kind, bytes(4)))
        if not STRICT or op in CHANGES:
            continue
        b.refused(f"{op}: a reserved header field", (INVAL, "genlmsghdr.reserved field is not 0",
                                                     None), op, {},
                  header=struct.pack("BBH", BASE.ops[op].req_value, 1, 1))
        b.refused(f"{op}: reserved flags", (INVAL, "ambiguous or reserved bits set in nlmsg_flags",
                                            None), op, {}, flags=[Netlink.NLM_F_CREATE])
    if not STRICT:
        ksft_skip("the kernel's generic netlink does not look at them before 6.1",
                  "reserved bits of headers")
    unsupported = (INVAL, "Unsupported attribute", None)
    for op, vals, name, value in (
        ("session-new", {"name": "new", **GRE}, "state", bytes(4)),
        ("session-new", {"name": "new", **GRE}, "stats", b""),
        ("session-new", {"name": "new", **GRE}, "egress", b"x\0"),
        ("session-set", {"name": "used"}, "pad", b""),
        ("rule-new", SKIP, "id", struct.pack("Q", 9)), ("rule-set", {"id": 1}, "tap", b"main\0"),
        ("rule-set", {"id": 1}, "packets", struct.pack("Q", 9)),
    ):
        kind, nested = attr_number(op.split("-", 1)[0], name), name == "stats"
        b.refused(f"{op}: {name}", unsupported, op, vals, attr(kind, value, nested))
    match = attr_number("rule", "match")
    b.refused("a match without the nested flag", (INVAL, "NLA_F_NESTED is missing", None),
              "rule-new", SKIP, attr(match, b""))
    b.refused("an unknown match", unknown, "rule-new", SKIP, attr(match, attr(30, b""), True))
    inner, tunnel = attr_number("match", "inner"), attr_number("match", "tunnel")
    for name in ("tunnel", "tunnel-key", "inner"):
        nest = attr(tunnel, struct.pack("I", 2)) + attr(inner, attr(attr_number("match", name),
                                                                    bytes(4)), True)
        b.refused(f"{name} in inner", unknown, "rule-new", SKIP, attr(match, nest, True))
    b.refused("inner without the nested flag", (INVAL, "NLA_F_NESTED is missing", None), "rule-new",
              SKIP, attr(match, attr(inner, b""), True))
    b.refused("bytes behind the attributes", (INVAL, "bytes leftover after parsing attributes",
                                              None), "session-flush", {"type": "gre"}, b"\0\0")
    for name, size in (("ttl", 2), ("id", 1), ("key", 2), ("rate", 4)):
        b.refused(f"{name} of {size} bytes", (INVAL, "invalid attribute length", None),
                  "session-new", {"name": "new", **GRE}, attr(attr_number("session", name),
                                                              bytes(size)))
    b.refused("a name without its end", (INVAL, "Attribute failed policy validation", None),
              "session-del", {}, attr(attr_number("session", "name"), b"free"))
    code, _ = b.nl.ask("session-get", {}, header=struct.pack("BBH", 200, 1, 0))
    ksft_eq(code, errno.EOPNOTSUPP, "an unknown command is refused")


@bench
def commits(b):
    """Several changes are made together, in their order, or none of them."""
    nl, free = b.nl, occupied(b) + 1

    def change(op, **vals):
        return {op: {name.replace("_", "-"): value for name, value in vals.items()}}

    new = change("session-new", name="new", **GRE)
    reply = nl.do("commit", change=[new, change("rule-new", **MIRROR, session=["new"]),
                                    change("session-set", name="new", ttl=7),
                                    change("rule-new", **SKIP), change("session-del", name="free")])
    ksft_eq(reply, {"rules": 2, "first-id": free}, "ids are told")
    ksft_eq(b.listener.names(), ["session-add", "rule-add", "session-change", "rule-add",
                                 "session-del"], "and each change, in order")
    ksft_eq([r["id"] for r in nl.dump("rule")], [free - 1, free, free + 1], "the rules are there")
    nl.do("commit", change=[change("rule-flush"), change("session-flush"), new,
                            change("rule-new", **MIRROR, session=["new"])])
    ksft_eq(([s["name"] for s in nl.dump("session")], [r["id"] for r in nl.dump("rule")]),
            (["new"], [free + 2]), "all can be made anew at once")
    ksft_eq(nl.do("commit", change=[]), {"rules": 0}, "an empty commit is none")
    b.settle()
    before = [change("rule-new", **SKIP), change("session-set", name="new", ttl=9),
              change("rule-flush"),
              change("session-flush"), change("session-new", name="x", **GRE),
              change("rule-new", **MIRROR, session=["x"]),
              change("rule-set", id=free + 4, pref=9)]
    bad = [
        ("a session that is gone", change("session-set", name="new", ttl=1),
         (NOENT, "no session has this name", ".name")),
        ("a rule that is gone", change("rule-del", id=free + 2),
         (NOENT, "no rule has this id", ".id")),
        ("a session in use", change("session-del", name="x"),
         (BUSY, "the session is used by a rule", "")),
        ("a name that is taken", change("session-new", name="x", **GRE),
         (EXIST, "a session with this name exists", "")),
        ("a value out of range", change("session-new", name="y", **{**GRE, "ttl": 0}),
         (*OUT, ".ttl")),
        ("nothing missing", change("rule-new", port="x", action="skip"),
         (INVAL, "pref is missing", "")),
    ]
    for name, last, (code, text, at) in bad:
        path = ".change." + next(iter(last)) + at if at else ".change"
        b.refused(f"commit: {name}", (code, text, path), "commit", {"change": before + [last]})
    one = (INVAL, "a change has one attribute", ".change")
    b.refused("commit: a change of nothing", one, "commit", {"change": before + [{}]})
    b.refused("commit: a change of two things", one, "commit",
              {"change": [{**change("rule-flush"), **change("session-flush")}]})
    kind = attr_number("commit", "change")
    b.refused("commit: an unknown change", (INVAL, "Unknown attribute type", None), "commit", {},
              attr(kind, attr(attr_number("change", "tap-own") + 1, b"", True), True))
    nl.do("rule-new", **SKIP)
    ksft_eq(nl.dump("rule")[-1]["id"] > free + 2, True, "what was refused took no id for good")


def complete():
    """Every text in the module's source with which it refuses was seen above; limits are for
    security.py and scale.py."""
    texts = set()
    for path in glob.glob(KMOD + "/*.c"):
        with open(path, encoding="utf-8") as f:
            source = re.sub(r'"\s*\n\s*"', "", f.read())
        texts |= set(re.findall(r'NL_SET_ERR_MSG(?:_\w+)?\((?:[^;"]*?)"([^"]*)"', source))
        texts |= set(re.findall(r'vtap_refuse(?:_attr)?\([^;{"]*?"([^"]*)"', source))
        texts |= set(re.findall(r'vtap_encap_only\([^;"]*?"([^"]*)"', source))
        texts |= set(re.findall(r'(?<=,)\s*"([^"\n]*)", extack\)', source))
    limits = {"too many sessions", "too many rules",
              "filters have more than 65536 instructions, 16 an inner, 8 an except",
              "filters have %u instructions, 16 an inner, 8 an except; limit 65536",
              "rules have more than 65536 matches",
              "rules have %llu matches; the limit is 65536"}
    ksft_eq(sorted(texts - provoked - limits), [], "every refusal of the module was provoked")
    ksft_true(len(texts) > 40, "and they were found in its source", texts)


@bench
def events(b):
    """Each change is told once, with the object as a request would get it."""
    nl, see = b.nl, b.listener

    def told(name, want, get=None):
        seen = see.events()
        ksft_eq([n for n, _ in seen], want, f"{name}: {', '.join(want)}")
        if get:
            ksft_eq(fixed(seen[-1][1]), fixed(get()), f"{name}: the event has what a request gets")

    nl.do("session-new", name="s", **GRE)
    told("session-new", ["session-add"], lambda: nl.do("session-get", name="s"))
    nl.do("session-set", name="s", ttl=3)
    told("session-set", ["session-change"], lambda: nl.do("session-get", name="s"))
    rule = nl.do("rule-new", pref=1, port="p*", action="mirror", session=["s"], match=MATCH)["id"]
    told("rule-new", ["rule-add"], lambda: nl.do("rule-get", id=rule))
    nl.do("rule-set", id=rule, pref=2)
    told("rule-set", ["rule-change"], lambda: nl.do("rule-get", id=rule))
    b.ns.ip("link add p0 type dummy")
    told("a device comes", ["port-add"], lambda: nl.do("port-get", name="p0"))
    b.ns.ip("link set p0 name p1")
    told("it is renamed", ["port-change"], lambda: nl.do("port-get", name="p1"))
    b.ns.ip("link set p1 name x1")
    told("its name does not fit any more", ["port-del"])
    b.ns.ip("link set x1 name p2")
    told("its name fits again", ["port-add"])
    nl.do("rule-set", id=rule, dir={"ingress"})
    told("one direction is left", ["port-change", "rule-change"])
    nl.do("rule-new", **{**SKIP, "port": "p2"})
    told("a second rule on a port, for both directions", ["port-change", "rule-add"])
    b.ns.ip("link add br0 type bridge", "link set p2 master br0")
    ksft_true(busywait(lambda: "port-change" in see.names()), "a port gets a master: told")
    ksft_eq(nl.do("port-get", name="p2")["master"], "br0", "the port shows it")
    busywait(lambda: not see.names(), step=0.1)
    nl.do("rule-flush")
    told("rule-flush", ["port-del", "rule-del", "rule-del"])
    b.ns.ip("link del p2")
    told("a device goes that was no port", [])
    nl.do("session-new", name="t", **GRE)
    nl.do("session-flush")
    told("session-flush", ["session-add", "session-del", "session-del"])


def exchange(nl, flags, *changes):
    """Commit CHANGES. Return: (errno, [(name, sequence number, port id)]) of what came back before
    the acknowledgment."""
    nl.y.sock.send(nl.encode("commit", {"change": list(changes)}, flags))
    got = []
    while True:
        for msg in NlMsgs(nl.y.sock.recv(1 << 17)):
            if msg.done:
                return -msg.error, got
            got.append(header(msg))


def header(msg):
    return BASE.rsp_by_value[msg.raw[0]].name, msg.nl_seq, msg.nl_portid


def heard(nl):
    """Return: the same of the events that NL got as a listener."""
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got += map(header, NlMsgs(nl.y.sock.recv(1 << 17, socket.MSG_DONTWAIT)))
    return got


@bench
def echo(b):
    """NLM_F_ECHO brings the sender the events of its commit; events name their sender."""
    nl, flag = b.nl, [0x8]
    b.ns.ip("link add p0 type dummy")
    heard(b.listener)
    new = [{"session-new": {"name": "s", **GRE}}, {"rule-new": {**MIRROR, "port": "p0",
                                                                "session": ["s"]}}]
    want = ["port-add-ntf", "session-add-ntf", "rule-add-ntf"]
    back = [{"rule-flush": {}}, {"session-flush": {}}]
    gone = ["port-del-ntf", "rule-del-ntf", "session-del-ntf"]

    def marked(names, of=nl):
        return [(name, 7, of.y.sock.getsockname()[0]) for name in names]

    ksft_eq(exchange(nl, [], *new), (0, marked(["commit"])), "without ECHO there is a reply")
    ksft_eq(heard(b.listener), marked(want),
            "a listener gets events with the sender's port id and number")
    ksft_eq(exchange(nl, flag, *back), (0, marked([*gone, "commit"])),
            "with ECHO the events come first")
    ksft_eq(heard(b.listener), marked(gone), "and the listener gets them as well")
    ksft_eq(exchange(nl, flag, *new, {"rule-del": {"id": 99}}), (NOENT, []),
            "a commit that is refused has none")
    ksft_eq(heard(b.listener), [], "for nobody")
    with Client(b.ns).subscribe() as both:
        ksft_eq(exchange(both, flag, *new), (0, marked([*want, "commit"], both)),
                "a sender that listens gets each once, with ECHO")
        ksft_eq(heard(both), [], "and nothing later")
        ksft_eq(exchange(both, [], *back), (0, marked([*gone, "commit"], both)), "and once without")
        ksft_eq(heard(both), [], "and nothing later")
        exchange(nl, [], new[0])
        ksft_eq(heard(both), marked(["session-add-ntf"]), "it gets those of others")
    heard(b.listener)
    exchange(nl, [], new[1])
    heard(b.listener)
    b.ns.ip("link del p0")
    ksft_eq(heard(b.listener), [("port-del-ntf", 0, 0)], "what no commit causes has no sender")
    with Client(b.ns) as alone:
        b.listener.__exit__()
        ksft_eq(exchange(alone, flag, back[0]), (0, marked(["rule-del-ntf", "commit"], alone)),
                "ECHO needs no listener")


@bench
def session_events(b):
    """A session tells when its state, its device or its MTU change, and once each."""
    col = NetNS("col")
    with col:
        b.ns.ip(f"link add up0 type veth peer name eth0 netns {col.name}",
                "address add 192.0.2.1/24 dev up0")
        col.ip("link set eth0 address 02:00:00:00:00:09 up")
        b.ns.ip("link set up0 addrgenmode none up",
                "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev up0")
        busywait(lambda: b.ns.running("up0"))
        b.nl.do("session-new", name="s", type="erspan2", remote=V4)
        ksft_true(busywait(lambda: b.nl.do("session-get", name="s")["state"] == "active"),
                  "it is active")
        b.listener.events()
        steps = [
            ("the MTU changes", "link set up0 mtu 1400", ("active", "up0", 1400)),
            ("the device goes down", "link set up0 down", ("no-device", None, None)),
            ("it comes up again", "link set up0 up", None),
            ("the neighbour is there again",
             "neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev up0",
             ("active", "up0", 1400)),
            ("the route goes", "route del 192.0.2.0/24 dev up0", ("no-route", None, None)),
            ("another route comes", "route add 192.0.2.9 dev up0 mtu 1300",
             ("active", "up0", 1300)),
        ]
        for name, command, want in steps:
            b.ns.ip(command)
            got = []

            def arrived():
                got.extend((n, e["state"], e.get("egress"), e.get("path-mtu"))
                           for n, e in b.listener.events())
                return want in [g[1:] for g in got]

            if want is None:
                busywait(lambda: b.nl.do("session-get", name="s")["state"] == "resolving",
                         timeout=20)
                b.listener.events()
                continue
            ksft_true(busywait(arrived, timeout=20), f"{name}: {want[0]} is told", got)
            ksft_eq(len(set(got)), len(got), f"{name}: no state is told twice")


@bench
def filters(b):
    """A dump has what the request asks for."""
    nl = b.nl
    b.ns.ip("link add p0 type dummy", "link add p1 type dummy", "link add x type dummy")
    for name, kind in (("a", "gre"), ("b", "erspan2"), ("none", "gre")):
        nl.do("session-new", name=name, type=kind, remote=V4)
    one, two, three, four = [nl.do("rule-new", **r)["id"] for r in (
        {**MIRROR, "port": "p*", "session": ["a"]}, {**MIRROR, "port": "p1", "session": ["b"]},
        {**MIRROR, "port": "other", "session": ["b", "a"]}, {**SKIP, "port": "p0"})]
    for what, key, cases in (
        ("rule", "id", (({"session": "a"}, [one, three]), ({"session": "b"}, [two, three]),
                        ({"session": "none"}, []),
                        ({"port": "p0"}, [one, four]), ({"port": "p1"}, [one, two]),
                        ({"port": "x"}, []),
                        ({"port": "p1", "session": "b"}, [two]), ({"port": "p0", "session": "b"},
                                                                  []),
                        ({}, [one, two, three, four]))),
        ("port", "name", (({"rule": one}, ["p0", "p1"]), ({"rule": two}, ["p1"]),
                          ({"rule": three}, []),
                          ({"rule": four}, ["p0"]), ({"session": "a"}, ["p0", "p1"]),
                          ({"session": "b"}, ["p1"]),
                          ({"session": "none"}, []),
                          ({"rule": one, "session": "b"}, ["p1"]), ({}, ["p0", "p1"]))),
        ("session", "name", (({"type": "gre"}, ["a", "none"]), ({"type": "erspan2"}, ["b"]),
                             ({"type": "vxlan"}, []),
                             ({}, ["a", "b", "none"])))):
        for pick, want in cases:
            ksft_eq([o[key] for o in nl.dump(what, **pick)], want, f"{what}s with {pick}")
    nl.do("session-new", name="a", tap="sec", **GRE)
    nl.do("session-new", name="c", tap="sec", type="erspan2", remote=V4)
    five, six = [nl.do("rule-new", **{**MIRROR, "tap": "sec", **r})["id"] for r in (
        {"port": "p1", "session": ["a"]}, {"port": "x", "session": ["c"]})]
    for what, key, cases in (
        ("rule", "id", (({"tap": "none"}, []), ({"tap": "main"}, [one, two, three, four]),
                        ({"tap": "sec"}, [five, six]),
                        ({"session": "a"}, [one, three, five]), ({"session": "a", "tap": "sec"},
                                                                 [five]),
                        ({"session": "a", "tap": "main"}, [one, three]), ({"session": "c"}, [six]),
                        ({"port": "p1"}, [one, two, five]), ({"port": "p1", "tap": "sec"},
                                                             [five]))),
        ("port", "name", (({"tap": "none"}, []), ({"tap": "main"}, ["p0", "p1"]),
                          ({"tap": "sec"}, ["p1", "x"]),
                          ({"session": "a", "tap": "sec"}, ["p1"]), ({"session": "c"}, ["x"]),
                          ({"session": "b"}, ["p1"]), ({"rule": one, "tap": "sec"}, ["p1"]),
                          ({"rule": five}, ["p1"]))),
        ("session", "name", (({"tap": "none"}, []), ({"tap": "main"}, ["a", "b", "none"]),
                             ({"tap": "sec"}, ["a", "c"]),
                             ({"tap": "sec", "type": "gre"}, ["a"]),
                             ({"type": "erspan2"}, ["b", "c"])))):
        for pick, want in cases:
            ksft_eq([o[key] for o in nl.dump(what, **pick)], want, f"two taps: {what}s with {pick}")
    b.settle()
    dump = {"flags": [Netlink.NLM_F_DUMP]}
    none, key = "no session has this name", "a dump takes no key, which is for one object"
    # since 6.10 the end of a dump tells the attribute
    tells = KERNEL >= (6, 10)
    for op, vals, want, name in (
        ("rule-get", {"session": "d"}, (NOENT, none), "session"),
        ("rule-get", {"session": ""}, (NOENT, none), "session"),
        ("port-get", {"session": "d"}, (NOENT, none), "session"),
        ("rule-get", {"session": "b", "tap": "sec"}, (NOENT, none), "session"),
        ("port-get", {"session": "c", "tap": "main"}, (NOENT, none), "session"),
        ("rule-get", {"session": "a", "tap": "none"}, (NOENT, none), "session"),
        ("port-get", {"session": "a", "tap": "none"}, (NOENT, none), "session"),
        ("rule-get", {"port": "p2"}, (NOENT, "there is no such device"), "port"),
        ("port-get", {"rule": 99}, (NOENT, "no rule has this id"), "rule"),
        ("session-get", {"name": "a"}, (INVAL, key), "name"),
        ("rule-get", {"id": one}, (INVAL, key), "id"),
        ("port-get", {"name": "p0"}, (INVAL, key), "name"),
        ("port-get", {"ifindex": 1}, (INVAL, key), "ifindex"),
    ):
        b.refused(f"a dump by {op} with {vals}", (*want, f".{name}" if tells else None), op, vals,
                  **dump)
    for op, vals, want in (
        ("session-get", {"type": 6}, (*OUT, ".type")),
        ("rule-get", {"pref": 1}, (INVAL, "Unsupported attribute", ".pref")),
        ("session-get", {"remote": V4}, (INVAL, "Unsupported attribute", ".remote")),
    ):
        b.refused(f"a dump by {op} with {vals}", want, op, vals, **dump)
    for op, vals, name in (
        ("session-get", {"name": "a"}, "type"), ("rule-get", {"id": one}, "port"),
        ("rule-get", {"id": one}, "session"),
        ("rule-get", {"id": one}, "tap"), ("port-get", {"name": "p0"}, "tap"),
        ("port-get", {"name": "p0"}, "rule"), ("port-get", {"name": "p0"}, "session"),
    ):
        value = {"type": "gre", "rule": one}.get(name, "p0")
        b.refused(f"{op} of one with {name}", (INVAL, "this attribute picks objects of a dump",
                                               "." + name), op, {**vals, name: value})


def dump_begun(what):
    """Return: a client to which a dump by small messages is being told. The kernel has written the
    first one."""
    nl = Client()  # the kernel goes by the longest read that there was
    nl.y.sock.send(nl.encode(what + "-get", {}, [Netlink.NLM_F_DUMP]))
    return nl


def dump_read(nl, what):
    """Read one message; the kernel writes the next one. Return: the keys in it, and whether it is
    the end."""
    op, keys = BASE.ops[what + "-get"], []
    for msg in NlMsgs(nl.y.sock.recv(4096)):
        if msg.done:
            return keys, True
        obj = nl.y._decode(nl.y.nlproto.decode(nl.y, msg, op).raw_attrs, op.attr_set.name)
        keys.append(obj[{"session": "name", "rule": "id", "port": "ifindex"}[what]])
    return keys, False


def dump_keys(what, between):
    """Dump by small messages, BETWEEN is called with the keys of the first, which is all that the
    kernel has written by then. Return: all keys, in how many messages."""
    with dump_begun(what) as nl:
        first, _ = dump_read(nl, what)
    with dump_begun(what) as nl:
        between(first)
        keys, parts, done = [], 0, False
        while not done:
            more, done = dump_read(nl, what)
            keys += more
            parts += 1
    return keys, parts


@bench
def resumed(b):
    """A dump goes on behind the last object, though others before it, or itself, come, go or move
    meanwhile."""
    nl = b.nl
    b.ns.ip(*[f"link add p{i} index {1000 + 2 * i} type dummy" for i in range(40)])
    first = nl.do("rule-new", pref=7, port="p*", action="skip", match=MATCH)["id"]
    rules = [first] + [nl.do("rule-new", **{**SKIP, "pref": 7, "match": MATCH})["id"]
                       for _ in range(60)]
    # behind all of main's, and with a lower pref
    rules += [nl.do("rule-new", **{**SKIP, "tap": "other", "pref": 1, "match": MATCH})["id"]
              for _ in range(40)]
    sessions = [f"s{i}" for i in range(40)]
    for name in sessions:
        nl.do("session-new", name=name, **GRE)

    def rule_goes(seen):
        nl.do("rule-del", id=seen[-1])

    def rules_move(seen):
        nl.do("rule-set", id=seen[-1], pref=3)
        nl.do("rule-del", id=seen[1])  # the first one binds the ports
        nl.do("rule-new", **SKIP)

    def sessions_go(seen):
        for name in (seen[0], seen[-1]):
            nl.do("session-del", name=name)
        nl.do("session-new", name="late", **GRE)

    def ports_go(seen):
        b.ns.ip(f"link del p{(seen[-1] - 1000) // 2}", f"link del p{(seen[0] - 1000) // 2}",
                f"link add p99 index {seen[1] + 1} type dummy",
                f"link add plast index {seen[-1] + 1} type dummy")

    with b.ns.enter():
        for what, name, between, want in (
            ("rule", "the last rule goes", rule_goes, lambda seen: rules),
            ("rule", "rules move, go and come", rules_move,
             lambda seen: [r for r in rules if r in known]),
            ("session", "sessions go and come", sessions_go, lambda seen: [*sessions, "late"]),
            ("port", "ports go and come", ports_go,
             lambda seen: [*seen, seen[-1] + 1, *range(seen[-1] + 2, 1080, 2)])):
            known, seen = [r["id"] for r in nl.dump("rule")], []
            keys, parts = dump_keys(what, lambda s, do=between, seen=seen: (seen.extend(s), do(s)))
            ksft_eq(keys, want(seen),
                    f"{name}: all that stay are told once, and what comes behind them")
            ksft_true(parts > 2 and 1 < len(seen) < len(keys) - 1, f"{name}: in several messages",
                      (parts, len(seen)))


@bench
def resumed_in_another_tap(b):
    """The same where a message ends in a tap whose prefs are below those of the one before it."""
    rules = [b.nl.do("rule-new", **{**SKIP, "pref": 7, "match": MATCH})["id"] for _ in range(2)]
    rules += [b.nl.do("rule-new", **{**SKIP, "tap": "other", "pref": 1, "match": MATCH})["id"]
              for _ in range(60)]
    with b.ns.enter():
        keys, parts = dump_keys("rule", lambda seen: b.nl.do("rule-del", id=seen[-1]))
    ksft_eq(keys, rules, "the last rule of another tap goes: all are told once")
    ksft_true(parts > 2, "the last rule of another tap goes: in several messages", parts)


def dump_parts(ns, between):
    """Dump rules by small messages, BETWEEN is called after the first. Return: rules seen,
    messages, was any flagged?"""
    rules = parts = 0
    interrupted = False
    # a new socket: the kernel goes by the longest read that there was
    with Client(ns) as nl:
        nl.y.sock.send(nl.y._encode_message(BASE.ops["rule-get"], {}, [Netlink.NLM_F_DUMP], 9))
        while True:
            parts += 1
            for msg in NlMsgs(nl.y.sock.recv(8192)):
                interrupted |= bool(msg.nl_flags & 0x10)  # NLM_F_DUMP_INTR
                if msg.done:
                    return rules, parts, interrupted
                rules += 1
            if parts == 1:
                between()


@bench
def dumps(b):
    """A dump that a change interrupts says so, another one does not."""
    first = b.nl.do("rule-new", **SKIP, match=MATCH)["id"]
    for _ in range(299):
        b.nl.do("rule-new", **SKIP, match=MATCH)
    with Client(b.ns) as other:
        rules, parts, interrupted = dump_parts(b.ns, lambda: other.dump("rule"))
        ksft_true(rules == 300 and parts > 4, "300 rules take several messages", (rules, parts))
        ksft_true(not interrupted, "a dump without a change is not flagged")
        changes = [
            ("a new rule", lambda: other.do("rule-new", **SKIP)),
            ("a changed rule", lambda: other.do("rule-set", id=first + 299, pref=0)),
            ("a rule less", lambda: other.do("rule-del", id=first)),
            ("a new session", lambda: other.do("session-new", name="s", **GRE)),
            ("a new port", lambda: b.ns.ip("link add none0 type dummy")),
            ("a flush", lambda: other.do("rule-flush")),
        ]
        for name, change in changes:
            ksft_true(dump_parts(b.ns, change)[2], f"{name} interrupts a dump")
        ksft_eq(dump_parts(b.ns, lambda: None), (0, 1, False), "the next dump is whole")
    longest = BPF * 2048
    for _ in range(2):
        b.nl.do("rule-new", **SKIP, filter=longest)
    with Client(b.ns) as new:
        ksft_eq([r.get("filter") == longest for r in new.dump("rule")], [True, True],
                "rules with the longest filter are dumped")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    ksft_run([commands, unset, unset_refused, ids, ports, module, taps, owned, counters_stay,
              session_refused, rule_refused, lists, lists_long, allowed, edges, malformed,
              commits, filters, traced, complete, events, echo, session_events, resumed,
              resumed_in_another_tap, dumps])
    ksft_exit()
