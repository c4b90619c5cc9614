#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Transactions: all changes or none, one table after the other under traffic, 10,000 rules; and
filters of rules."""
import itertools
import mmap
import os
import signal
import struct
import tempfile
import time

from lib import (SLOW, NetNS, Sender, Sniffer, Topology, busywait, ether, ksft_eq, ksft_exit,
                 ksft_pr, ksft_run, ksft_true, mac, modprobe, udp_frame, vtap)
from lib.nl import BASE, BPF, GRE, SKIP, V4, Client, NlMsgs, attr, bench


def furnish(b):
    """Sessions `used` and `free`, rules 1 to 4 with counters that are not zero. Return: what a
    commit of all kinds does."""
    b.ns.ip("link add p0 type dummy", "link set p0 up")
    for name in ("used", "free"):
        b.nl.do("session-new", name=name, **GRE)
    for pref in (10, 20, 70, 70):
        b.nl.do("rule-new", pref=pref, port="p0", action="mirror", session=["used"])
    with Sender(b.ns, "p0") as tx:
        tx.send(*[ether("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, bytes(50))] * 5)
    ksft_true(busywait(lambda: b.nl.do("rule-get", id=1)["packets"] >= 5),
              "the counters are not zero")
    b.ns.ip("link set p0 down")  # nothing is sent by itself any more
    b.settle()
    return [
        {"session-new": {"name": "x", "type": "vxlan", "remote": V4, "key": 1}},
        {"session-set": {"name": "used", "ttl": 3}},
        {"rule-new": {"pref": 15, "port": "p*", "action": "mirror", "session": ["x"]}},
        {"rule-set": {"id": 1, "pref": 30, "session": ["free", "x"]}},
        {"rule-del": {"id": 2}},
        {"rule-flush": {"pref": 70}},
        {"session-del": {"name": "used"}},
        {"session-new": {"name": "used", "type": "erspan2", "remote": V4}},
        {"session-flush": {"type": "erspan2"}},
    ]


EVENTS = ["session-add", "session-change", "rule-add", "rule-change", "rule-del", "rule-del",
          "rule-del", "session-del",
          "session-add", "session-del"]
WRONG = [
    # name, (errno, text), a change that is refused wherever it stands
    ("a session that exists", (17, "a session with this name exists"),
     {"session-new": {"name": "free", **GRE}}),
    ("a session without a name", (22, "name is missing"), {"session-new": GRE}),
    ("a name with a blank", (22, "a session's name consists of letters, digits and _.:@-"),
     {"session-new": {"name": "a b", **GRE}}),
    ("a key that is out of range", (22, "key of type vxlan is at most 16777215"),
     {"session-new": {"name": "y", "type": "vxlan", "remote": V4, "key": 1 << 24}}),
    ("another type", (22, "the type of a session cannot be changed"),
     {"session-set": {"name": "free", "type": "erspan1"}}),
    ("a session to set that is none", (2, "no session has this name"),
     {"session-set": {"name": "none", "ttl": 3}}),
    ("a session to delete that is none", (2, "no session has this name"),
     {"session-del": {"name": "none"}}),
    ("a rule of a session that is none", (2, "no session has this name"),
     {"rule-new": {"pref": 1, "port": "p0", "action": "mirror", "session": ["none"]}}),
    ("a rule without a port", (22, "a rule needs port, master or mac"),
     {"rule-new": {"pref": 1, "action": "skip"}}),
    ("a rule with a bad match", (22, "ICMP has neither ports nor TCP flags"),
     {"rule-new": {**SKIP, "match": {"icmp-type": 1, "src-port": 1}}}),
    ("a rule to set that is none", (2, "no rule has this id"), {"rule-set": {"id": 99, "pref": 1}}),
    ("a rule to delete that is none", (2, "no rule has this id"), {"rule-del": {"id": 99}}),
    ("a filter that does not end", (22, "the kernel's checker refuses the filter"),
     {"rule-new": {**SKIP, "filter": bytes(8)}}),
    ("a value that the policy refuses", (34, "integer out of range"),
     {"rule-new": {**SKIP, "action": 2}}),
    ("a change of two", (22, "a change has one attribute"), {"rule-flush": {},
                                                             "session-flush": {}}),
    ("a change of nothing", (22, "a change has one attribute"), {}),
]


def encode(nl, changes):
    """Return: the request that commits CHANGES, and the offset of each of them."""
    request, offsets = nl.y._encode_message(BASE.ops["commit"], {"change": changes}, [], 7), [20]
    while offsets[-1] < len(request):
        offsets.append(offsets[-1] + (struct.unpack_from("H", request, offsets[-1])[0] + 3 & ~3))
    return request, offsets


def blamed(nl, changes):
    """Commit CHANGES. Return: errno, text, number of the change that the offset in the answer is
    in."""
    request, offsets = encode(nl, changes)
    nl.y.sock.send(request)
    for msg in answers(nl):
        extack = msg.extack or {}
        at = extack.get("bad-attr-offs")
        return -msg.error, extack.get("msg"), at and sum(o <= at for o in offsets) - 1
    return None


def answers(nl):
    """Return: the messages of one answer, the acknowledgment last."""
    while True:
        for msg in NlMsgs(nl.y.sock.recv(1 << 17), attr_space=BASE.ops["commit"].attr_set):
            if msg.done:
                yield msg
                return


@bench
def whole_or_not(b):
    """A change that is refused, first, in the middle or last, leaves all as it was; then the rest
    goes through."""
    good = furnish(b)
    for name, (code, text), change in WRONG:
        for at in (0, 4, len(good)):
            changes = good[:at] + [change] + good[at:]
            ksft_eq(blamed(b.nl, changes), (code, text, at),
                    f"{name}, change {at}: refused, and which one is told")
            b.unchanged(f"{name}, change {at}")
    busy = {"session-del": {"name": "used"}}
    ksft_eq(blamed(b.nl, good[:3] + [busy]), (16, "the session is used by a rule", 3),
            "a session in use")
    b.unchanged("a session in use")
    twice = [{"session-set": {"name": "used", "ttl": ttl}} for ttl in (10, 20)]
    ksft_eq(blamed(b.nl, twice + [busy]), (16, "the session is used by a rule", 2),
            "a session set twice, then a refusal")
    b.unchanged("a session set twice")
    ksft_eq(blamed(b.nl, [good[0], {"session-flush": {}}]), (16, "the session is used by a rule",
                                                             1), "all sessions, one in use")
    b.unchanged("all sessions, one in use")
    code, extack = b.nl.ask("commit", {"change": good}, attr(1, b"", nested=True))
    ksft_eq((code, extack.get("msg")), (22, "a change has one attribute"),
            "a change without content behind good ones")
    b.unchanged("a change without content")
    with_id = attr(1, attr(5, attr(1, b"\t\0\0\0"), nested=True), nested=True)
    for name, text, raw in (("an attribute of the reply", "Unknown attribute type",
                             attr(2, bytes(4))),
                            ("a rule with an id", "Unsupported attribute", with_id)):
        code, extack = b.nl.ask("commit", {"change": good}, raw)
        ksft_eq((code, extack.get("msg")), (22, text), f"{name} behind good changes")
        b.unchanged(name)
    count = b.nl.do("rule-get", id=1)["packets"]
    ksft_eq(b.nl.do("commit", change=good), {"rules": 1, "first-id": 5},
            "without the refused change: the new rule's id is the next")
    ksft_eq(b.listener.names(), EVENTS, "the events come in the order of the changes")
    sessions, rules, _ = b.nl.state()
    ksft_eq([(s["name"], s["type"]) for s in sessions], [("free", "gre"), ("x", "vxlan")],
            "the sessions that are left")
    ksft_eq([(r["id"], r["pref"], r["session"]) for r in rules],
            [(5, 15, ["x"]), (1, 30, ["free", "x"])], "the rules that are left, in order")
    ksft_eq(rules[1]["packets"], count, "a rule that was set keeps its counter")
    ksft_eq(b.nl.do("commit", change=[]), {"rules": 0}, "no change at all")
    ksft_eq(b.listener.names(), [], "no change, no event")


@bench
def set_and_clear(b):
    """What `set` takes away, and what stays."""
    nl = b.nl
    nl.do("session-new", name="s", **GRE, local=bytes([192, 0, 2, 1]), dev="up0")
    nl.do("session-set", name="s", local=b"", dev="")
    ksft_eq([n for n in ("local", "dev") if n in nl.do("session-get", name="s")], [],
            "local and dev are gone")
    rule = nl.do("rule-new", pref=1, port="a*", master="br0", mac="020000000001", action="skip",
                 filter=BPF, **{"filter-text": "ip"})["id"]

    def left(**vals):
        nl.do("rule-set", id=rule, **{n.replace("_", "-"): v for n, v in vals.items()})
        return {n for n in ("port", "master", "mac", "filter", "filter-text")
                if n in nl.do("rule-get", id=rule)}

    every = {"port", "master", "mac", "filter", "filter-text"}
    ksft_eq(left(pref=2), every, "another attribute leaves them")
    ksft_eq(left(filter_text=""), every - {"filter-text"}, "an empty text")
    left(filter=BPF, filter_text="ip")
    ksft_eq(left(filter=BPF * 2), every - {"filter-text"}, "a filter without text")
    ksft_eq(nl.do("rule-get", id=rule)["filter"], BPF * 2, "it is what was given")
    left(filter=BPF, filter_text="ip")
    ksft_eq(left(filter=b""), {"port", "master", "mac"}, "an empty filter")
    ksft_eq(left(mac="000000000000"), {"port", "master"}, "a mac of zeros")
    ksft_eq(left(port=""), {"master"}, "an empty port")
    long = BPF * 2047 + BPF
    made = nl.do("rule-new", **SKIP, filter=long, **{"filter-text": "x" * 1023})["id"]
    with Client(b.ns) as fresh:  # a socket that has read nothing yet
        shown = {r["id"]: r.get("filter") for r in fresh.dump("rule")}
    ksft_eq(shown[made] == long, True, "2048 instructions come back, from a dump as well")


def conf(ns, words, text, good=True):
    """Run `vtap WORDS FILE` with TEXT in the file. Return: output and errors, FILE in place of its
    name."""
    with tempfile.NamedTemporaryFile("w", dir="/run", suffix=".conf") as f:
        f.write(text)
        f.flush()
        p = vtap(f"{words} {f.name}", ns, good)
        return (p.stdout + p.stderr).replace(f.name, "FILE")


TEN = "session add s type gre remote 192.0.2.9 key 1\n" + "".join(
    f"rule add pref {10 * i} port p0 dst_port {i} action mirror s\n" for i in range(1, 11))


@bench
def tool(b):
    """-b and apply: one transaction, told by file and line; apply twice is apply once."""
    b.ns.ip("link add p0 type dummy", "link set p0 addrgenmode none", "link set p0 up")
    ksft_eq(conf(b.ns, "-j -b", TEN), "".join(f'[{{"id":{i}}}]\n' for i in range(1, 11)),
            "-b prints the ids")
    b.settle()
    ksft_eq(conf(b.ns, "-b", "rule flush\n\nsession add t type gre remote 192.0.2.9\n"
                 "rule add pref 1 port p0 action mirror t,u\n", False),
            'vtap: FILE:4: session "u": no session has this name\n', "-b names the line")
    b.unchanged("-b that is refused")
    conf(b.ns, "-b", "rule flush\nsession flush\nrule add pref 1 prt p0\n", False)
    b.unchanged("-b with a line that is wrong")
    out = conf(b.ns, "-b", "rule flush\nrule show\nsession flush\nsession del s\n", False)
    ksft_eq((out, len(b.nl.dump("rule")), len(b.nl.dump("session"))),
            ('vtap: FILE:4: session "s": no session has this name\n', 0, 1),
            "a show ends a transaction")
    conf(b.ns, "-force -b", "session del x\nsession del s\n", False)
    ksft_eq(b.nl.dump("session"), [], "-force goes on")

    conf(b.ns, "apply", TEN)
    frames = [udp_frame("02:00:00:00:00:01", "02:00:00:00:00:02", "10.0.0.1", "10.0.0.2", dport=i)
              for i in range(1, 11)]
    with Sender(b.ns, "p0") as tx:
        tx.send(*frames)
    ksft_true(busywait(lambda: all(r["packets"] for r in b.nl.dump("rule"))), "the rules count")
    b.settle()
    ksft_eq(conf(b.ns, "-d apply", TEN), "", "apply again changes nothing")
    b.unchanged("apply again")
    ksft_eq(conf(b.ns, "-d apply", vtap("save", b.ns).stdout), "",
            "so does apply of what save prints")
    conf(b.ns, "apply", TEN.replace("rule add pref 50", "rule add pref 55 ") +
         "rule add pref 1 port p0 action mirror t\n", False)
    b.unchanged("apply of a file that is refused")
    changed = TEN.replace("key 1", "key 2").replace("dst_port 3", "dst_port 33")
    changed = changed.replace("50 port p0", "50 port p0 filter udp")
    conf(b.ns, "apply", changed)
    rules = b.nl.dump("rule")
    ksft_eq([(r["id"], r["packets"]) for r in rules], [(i, 1) for i in range(11, 21)],
            "apply of other words sets, and the counters go on")
    ksft_true("filter-text" in rules[4] and rules[2]["match"][0]["dst-port"] == 33,
              "it has done so")
    ksft_eq(b.listener.names(), ["session-change", "rule-change", "rule-change"],
            "by events of what differs only")
    other = TEN.replace("gre", "erspan2").replace("key 1", "id 5")
    conf(b.ns, "apply", other)
    ksft_eq([s["type"] for s in b.nl.dump("session")], ["erspan2"],
            "a session of another type is made anew")
    ksft_eq(conf(b.ns, "-d apply", other), "", "apply of that again changes nothing")


def memory():
    """Return: KiB that the kernel has in slabs, in vmalloc and per CPU."""
    with open("/proc/meminfo", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f
                   if line.split(":")[0] in ("SUnreclaim", "VmallocUsed", "Percpu"))


def fill(ns, nl, n):
    """Load N rules from /run/txn.conf, look at them, delete them. Return: KiB that they took."""
    def took(name, begin):
        ksft_pr(f"{name} in {time.monotonic() - begin:.2f} s of this machine's time")

    before, begin = memory(), time.monotonic()
    vtap("-b /run/txn.conf", ns)
    took(f"{n} rules loaded", begin)
    size = memory() - before
    ksft_eq([r["id"] for r in nl.dump("rule")], list(range(nl.rules + 1, nl.rules + n + 1)),
            "they are there, in order")
    nl.rules += n
    begin = time.monotonic()
    nl.do("commit", change=[{"rule-flush": {}}, {"session-flush": {}}])
    took("deleted", begin)
    ksft_eq(nl.dump("rule"), [], "none is left")
    return size


def many():
    """10,000 rules are one transaction, several times over, and leave nothing behind."""
    n = 10000
    with open("/run/txn.conf", "w", encoding="ascii") as f:
        f.write("session add s type gre remote 192.0.2.9\n")
        f.writelines(f"rule add pref {i} port p0 src_ip 10.{i >> 8}.{i & 255}.0/{16 + i % 8} "
                     f"ip_proto tcp dst_port {i} " "action mirror s\n" for i in range(n))
    with NetNS("many") as ns, Client(ns) as nl:
        ns.ip("link add p0 type dummy")
        nl.rules = 0
        before = memory()
        size = fill(ns, nl, n)
        ksft_pr(f"{size} KiB in use for them")
        for _ in range(2):
            fill(ns, nl, n)
        if os.path.exists("/sys/kernel/debug/kmemleak"):
            ksft_pr("this kernel keeps what is freed for a while, and finds leaks by itself")
        else:
            ksft_true(busywait(lambda: memory() < before + size // 2),
                      "three turns leave less than half of one behind",
                      lambda: (before, size, memory()))
    os.unlink("/run/txn.conf")


PORTS = range(4000, 4016)


class Traffic:
    """Numbered frames from VM a, sent by a process of its own as long as `with` lasts."""

    def __init__(self, t):
        self.frames = [t.udp(dport=port, payload=bytes(20)) for port in PORTS]
        self.tx, self.shared = Sender(t.a, "eth0"), mmap.mmap(-1, 8)

    def sent(self):
        return struct.unpack("II", self.shared[:])[0]

    def _send(self):
        for i in itertools.count():
            self.tx.send(self.frames[i % len(self.frames)][:-4] + struct.pack("!I", i))
            self.shared[:4] = struct.pack("I", i + 1)
            if not i % 8:
                time.sleep(0.0002)
            if self.shared[4]:
                os._exit(0)

    def __enter__(self):
        self.pid = os.fork()
        if not self.pid:
            signal.alarm(60)
            self._send()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        if self.pid:
            self.shared[4] = 1
            os.waitpid(self.pid, 0)
            self.tx.__exit__()
        self.pid = None


def sides():
    """Return: two sets of rules that send each of the frames to one session, and differ in masks,
    prefs and order."""
    a = [{"pref": 10 + i, "match": {"ip-proto": 17, "dst-port": p}, "session": ["s1"]}
         for i, p in enumerate(PORTS)]
    b = [{"pref": 100 - i, "session": ["s2"], "match": {"src-ip": bytes([10, 0, 0, 0]),
                                                        "src-ip-len": 8 + i, "dst-port": p,
                                                        "dst-port-max": p + i % 2}}
         for i, p in enumerate(PORTS)]
    return [[{"port": "vnet0", "dir": {"ingress"}, "action": "mirror", **r} for r in side]
            for side in (a, b)]


class Raw:
    """Two requests, sent in turn over a client's socket."""

    def __init__(self, nl, *changes):
        self.nl, self.requests = nl, [encode(nl, c)[0] for c in changes]

    def run(self, most, seconds):
        """Send each in turn, MOST times or for so many SECONDS. Return: how often, and the
        errors."""
        end, errors = time.monotonic() + seconds, []
        for i in range(most):
            self.nl.y.sock.send(self.requests[i % 2])
            errors += [m.error for m in answers(self.nl) if m.error]
            if time.monotonic() > end:
                return i + 1, errors
        return most, errors


def replaced(name, t, nl, changes):
    """Commit the two CHANGES in turn while frames flow. Each gets one copy, by the one table or the
    other."""
    with Sniffer(t.col, "eth0") as rx, Traffic(t) as traffic:
        busywait(lambda: traffic.sent() > 50)
        times, errors = Raw(nl, *changes).run(1000, 12 * SLOW)
        traffic.stop()
        sent = traffic.sent()
        got = rx.frames(sent)
    ksft_pr(f"{name}: {times} times while {sent} frames passed")
    ksft_eq(errors, [], f"{name}: no error")
    ksft_true(times >= 50 and sent >= 500, f"{name}: often enough to be hit", (times, sent))
    keys = [struct.unpack_from("!I", f, 38)[0] for f in got]
    ksft_true(keys.count(1) > sent // 20 and keys.count(2) > sent // 20, f"{name}: by both tables",
              (keys.count(1), keys.count(2)))
    numbers = sorted(struct.unpack("!I", f[-4:])[0] for f in got)
    ksft_eq((len(numbers), numbers == list(range(sent))), (sent, True),
            f"{name}: {sent} frames, one copy each")
    return sent


def under_traffic():
    """The whole table is replaced again and again; no frame misses it, none gets both."""
    with Topology() as t, Client(t.host) as nl:
        setup = [{"session-new": {"name": f"s{k}", "type": "gre", "remote": V4, "key": k}}
                 for k in (1, 2)]
        a, b = ([{"rule-new": r} for r in side] for side in sides())
        nl.do("commit", change=setup + a)
        ksft_true(busywait(lambda: all(s["state"] == "active" for s in nl.dump("session"))),
                  "the sessions are active")
        n = replaced("flush and new", t, nl, [[{"rule-flush": {}}, *b], [{"rule-flush": {}}, *a]])
        ksft_eq(nl.do("port-get", name="vnet0")["ingress"]["matched"], n,
                "the port counts each of them")

        nl.do("commit", change=[{"rule-flush": {}}, *a])
        rules = nl.dump("rule")
        sets = [[{"rule-set": {"id": r["id"], "session": [s]}} for r in rules]
                for s in ("s2", "s1")]
        n = replaced("set", t, nl, sets)
        ksft_eq(sum(r["packets"] for r in nl.dump("rule")), n, "rules that are set count on")


def frames_of(t):
    """Return: frames by name."""
    tag = struct.pack("!HH", 0x8100, 200)
    plain = t.udp(dport=53, payload=b"udp4")
    inner = t.udp(dport=53, payload=b"qinq")
    return {
        "udp4": plain,
        "udp6": t.udp(version=6, dport=53, payload=b"udp6"),
        "tcp4": t.tcp(dport=80, payload=b"tcp4"),
        "tcp6": t.tcp(version=6, dport=80, payload=b"tcp6"),
        "tag7": t.udp(dport=53, vlan=7, payload=b"tag7"),
        "tag8": t.tcp(version=6, dport=80, vlan=3 << 13 | 8, payload=b"tag8"),
        "qinq": inner[:12] + struct.pack("!HH", 0x8100, 100) + tag + inner[12:],
        "arp": ether(t.MAC["b"], t.MAC["a"], 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) +
                     mac(t.MAC["a"]) + bytes(40)),
        "short": mac(t.MAC["b"]) + mac(t.MAC["a"]) + b"\x88\xb5",
    }


ALL = {"udp4", "udp6", "tcp4", "tcp6", "tag7", "tag8", "qinq", "arp", "short"}
FILTERS = {
    "udp": {"udp4", "udp6", "tag7"},
    "ip6 and tcp port 80": {"tcp6", "tag8"},
    "not ip and not ip6": {"arp", "short", "qinq"},
    "ether[12:2] == 0x88b5": {"short"},
    "greater 90": set(),  # by length, filled in below
    "vlan": {"tag7", "tag8", "qinq"},
    "not vlan": ALL - {"tag7", "tag8", "qinq"},
    "vlan 7": {"tag7"},
    "vlan 7 and udp port 53 and src host 10.0.0.1": {"tag7"},
    "vlan 7 and tcp": set(),
    "vlan 8 and ip6 and tcp dst port 80": {"tag8"},
    "vlan 100 and vlan 200 and udp port 53": {"qinq"},
    "vlan 100 and vlan 201": set(),
    "vlan 200": set(),
    "udp or (vlan 8 and tcp)": {"udp4", "udp6", "tag8"},
}


def last_frame(t):
    """Return: a frame that rule 1 copies whatever the filter under test is."""
    return ether("02:ff:00:00:00:ff", t.MAC["a"], 0x88b6, b"last" * 12)


def filters():
    """Which frames an expression lets pass, at ingress and at egress, and that they go on as they
    were."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.col,
                                                             "eth0") as rx, \
            Sniffer(t.b, "eth0") as vm:
        frames, last = frames_of(t), last_frame(t)
        FILTERS["greater 90"] = {n for n, f in frames.items() if len(f) - 4 *
                                 (f[12:14] == b"\x81\x00") >= 90}
        conf(t.host, "-b", "session add s type gre remote 192.0.2.9\n" +
             "rule add pref 1 port 'vnet[01]' dst_mac 02:ff:00:00:00:ff action mirror s\n"
             "rule add pref 2 port vnet0 filter arp action mirror s\n")
        busywait(lambda: "state active" in vtap("-d session show", t.host).stdout)
        sides_of = ["port vnet0 dir ingress", "port vnet1 dir egress"]
        for i, (text, want) in enumerate(FILTERS.items()):
            for at in sides_of if "vlan 8 and ip6" in text else [sides_of[i % 2]]:
                vtap(["rule", "set", "id", "2", *at.split(), "filter", text], t.host)
                vtap(["rule", "set", "id", "1", *at.split()], t.host)
                tx.send(*frames.values(), last)
                got = [f[38:] for f in rx.until(lambda f: f[38:] == last)]
                # a stack may say something by itself
                ksft_eq([n for f in got for n in frames if frames[n] == f],
                        [n for n in frames if n in want], f"{text}: at {at}, one copy each")
                ksft_eq(vm.until(lambda f: f == last), list(frames.values()),
                        f"{text}: the frames arrive as they were sent")
        conf(t.host, "-b",
             "rule set id 2 port vnet0 dir ingress filter ''\nrule set id 1 port vnet0 dir ingress")
        tx.send(*frames.values(), last)
        got = [f[38:] for f in rx.until(lambda f: f[38:] == last)]
        ksft_eq([f for f in frames.values() if f not in got], [], "without a filter all are copied")


def falls_through():
    """A frame that a filter does not want is judged by the rules below, in the small table and in
    the large one."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.col, "eth0") as rx:
        last = last_frame(t)
        frames = frames_of(t)
        text = "".join(f"session add s{k} type gre remote 192.0.2.9 key {k}\n" for k in (1, 2, 3))
        text += "rule add pref 1 port vnet0 dst_mac 02:ff:00:00:00:ff action mirror s3\n" \
                "rule add pref 10 port vnet0 dir ingress filter 'udp' action mirror s1\n" \
                "rule add pref 11 port vnet0 dir ingress ip_proto tcp filter 'ip6 and not vlan' " \
                "action skip\n" \
                "rule add pref 12 port vnet0 dir ingress ip_proto tcp action mirror s2\n"
        conf(t.host, "-b", text)
        busywait(lambda: vtap("session show", t.host).stdout.count("state active") == 3)
        want = {1: {"udp4", "udp6", "tag7"}, 2: {"tcp4", "tag8"}}
        more = "".join(f"rule add pref {100 + i} port vnet0 dir ingress src_ip "
                       f"10.9.{i}.0/{17 + i % 8} dst_port {i} action skip\n" for i in range(64))
        for name, lines in (("four rules", ""), ("68 rules", more)):
            conf(t.host, "-b", lines)
            for again in ("", ", once more"):
                tx.send(*frames.values(), last)
                got = [f for f in rx.until(lambda f: f[42:] == last) if f[42:] in frames.values()]
                by_key = {k: {n for n, f in frames.items() for g in got if g[38:42] ==
                              struct.pack("!I", k) and g[42:] == f} for k in (1, 2)}
                ksft_eq((by_key, len(got)), (want, 5), f"{name}{again}: who gets what")
        with Client(t.host) as nl:
            counts = {r["pref"]: r["packets"] for r in nl.dump("rule") if 10 < r["pref"] < 100}
        ksft_eq(counts, {11: 4, 12: 8}, "each frame is counted by the rule that decided")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    ksft_run([whole_or_not, set_and_clear, tool, many, under_traffic, filters, falls_through])
    ksft_exit()
