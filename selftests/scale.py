#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Work that must not grow without a limit: what rules may make a frame cost, and what a change
costs that concerns few of many ports, rules or sessions."""
import contextlib
import os
import struct
import time

from lib import (KERNEL, PARAM, KsftSkipEx, NetNS, Sender, busywait, ether, ksft_eq,
                 ksft_exit, ksft_pr, ksft_run, ksft_true, modprobe, param, sh)
from lib.nl import BPF, SKIP, bench

MAX, LONGEST, INNER, EXCEPT = 65536, 2048, 16, 8
# loads that no frame is too short for, and a last word that no frame matches
LOADS = struct.pack("HBBI", 0x30, 0, 0, 12) * (LONGEST - 1) + struct.pack("HBBI", 6, 0, 0, 0)
FRAME = ether("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, bytes(50))


def nospc(total):
    """Return: the refusal of rules that have TOTAL instructions; kernels before 6.2 have no room
    for the number."""
    if KERNEL < (6, 2):
        return 28, "filters have more than 65536 instructions, 16 an inner, 8 an except", None
    text = f"filters have {total} instructions, 16 an inner, 8 an except; limit {MAX}"
    return 28, text, None


def inner(n):
    """Return: N changes, each one a rule that looks into VXLAN."""
    return [{"rule-new": {**SKIP, "match": {"tunnel": "vxlan", "inner": {"src-port": 1 + i}}}}
            for i in range(n)]


@bench
def limit(b):
    """The work of all rules has a limit, to the instruction; what is refused changes nothing."""
    for _ in range(MAX // LONGEST):
        b.nl.do("rule-new", **SKIP, filter=LOADS)
    b.settle()
    one = {**SKIP, "filter": BPF}
    b.refused("a filter of one instruction more", nospc(MAX + 1), "rule-new", one)
    b.refused("an inner match more", nospc(MAX + INNER), "rule-new", inner(1)[0]["rule-new"])
    b.refused("a longer filter in a rule's place", nospc(MAX + 1), "commit",
              {"change": [{"rule-del": {"id": 1}}, {"rule-new": {**SKIP, "filter": LOADS}},
                          {"rule-new": {**SKIP, "filter": BPF}}]})
    b.nl.do("rule-new", **SKIP)
    # a change counts as what it leaves, whatever was there on the way
    b.nl.do("commit", change=[{"rule-new": {**SKIP, "filter": LOADS}}, {"rule-del": {"id": 2}}])
    b.nl.do("rule-set", id=1, filter=LOADS[:-8 * (INNER + 2)] + LOADS[-8:])
    b.nl.do("commit", change=inner(1))
    b.nl.do("rule-new", **SKIP, filter=BPF)
    b.settle()
    b.refused("an instruction more after all that", nospc(MAX + 1), "rule-new", one)
    b.nl.do("rule-flush")
    for _ in range(4):
        b.nl.do("commit", change=inner(MAX // INNER // 4))
    b.settle()
    b.refused("an instruction more than the inner matches", nospc(MAX + 1), "rule-new", one)
    b.nl.do("rule-flush")


@bench
def listed(b):
    """What alternatives have in common counts for each that a frame may match; matches have a
    limit of their own."""
    ports = [{"src-port": 1 + i} for i in range(100)]
    ranges = [{"src-port": 1 + i, "src-port-max": 1000} for i in range(100)]
    b.nl.do("rule-new", **SKIP, filter=LOADS, match=ports)
    ksft_true(True, "a filter counts once for ports of which a frame has one")
    b.settle()
    b.refused("ranges that a frame may be in at once", nospc((100 + 1) * LONGEST), "rule-new",
              {**SKIP, "filter": LOADS, "match": ranges})
    b.refused("exceptions in ranges", nospc(LONGEST + 100 * 64 * EXCEPT + 100 * 64 * INNER),
              "rule-new",
              {**SKIP, "match": ranges,
               "except": [{"tunnel": "gre", "inner": {"src-port": 1 + i}} for i in range(64)]})
    b.nl.do("rule-flush")
    most = {**SKIP, "match": [{"dst-port": 1 + i} for i in range(256)]}
    for _ in range(8):
        b.nl.do("commit", change=[{"rule-new": most}] * 32)
    b.settle()
    text = "rules have 65537 matches; the limit is 65536" if KERNEL >= (6, 2) else \
        "rules have more than 65536 matches"
    b.refused("a match more", (28, text, None), "rule-new", SKIP)
    b.nl.do("rule-flush")


@bench
def combinations(b):
    """1,000 rules of 10 alternatives are made, and one more of them costs what one costs."""
    b.ns.ip("link add p0 type dummy", "link set p0 up")
    rules = [{"rule-new": {"pref": 1 + n, "port": "p0", "action": "skip",
                           "match": [{"ip-proto": 17, "src-port": 1 + n, "dst-port": 1 + i}
                                     for i in range(10)]}} for n in range(1001)]
    begin = time.monotonic()
    for n in range(0, 1000, 250):
        b.nl.do("commit", change=rules[n:n + 250])
    took = time.monotonic() - begin
    begin = time.monotonic()
    b.nl.do("commit", change=[rules[1000]])
    one = time.monotonic() - begin
    ksft_eq(len(b.nl.dump("rule")), 1001, "1,001 rules of 10 alternatives are there")
    ksft_true(one < took, "one more takes less than all of them", (one, took))
    ksft_pr(f"1,000 rules of 10 alternatives take {took:.2f} s, one more {one * 1e3:.0f} ms")


@bench
def worst(b):
    """A port that has all the work of its namespace works. The worst cost of a frame is noted."""
    b.ns.ip("link add p0 type dummy", "link set p0 up")
    n, took = 50, {}
    for name, rules in (("no rule", 0), ("the most", MAX // LONGEST)):
        for _ in range(rules):
            b.nl.do("rule-new", pref=1, port="p0", action="skip", filter=LOADS)
        if rules:
            b.nl.do("rule-new", pref=2, port="p0", action="skip")
        with Sender(b.ns, "p0") as tx:
            tx.send(*[FRAME] * 5)
            begin = time.monotonic()
            tx.send(*[FRAME] * n)
            took[name] = (time.monotonic() - begin) / n
    last = max(b.nl.dump("rule"), key=lambda r: r["pref"])
    ksft_eq(last["packets"] >= n + 5, True, "each frame gets to the rule behind all filters")
    ksft_pr(f"a frame costs {took['no rule'] * 1e6:.0f} us without rules, "
            f"{took['the most'] * 1e6:.0f} us with {MAX} instructions of filters")


def ports(b):
    """Return: the names of the ports that have rules."""
    return sorted(p["name"] for p in b.nl.dump("port"))


def soon(get, want, name):
    """What GET returns is WANT, at once or soon."""
    busywait(lambda: get() == want)
    ksft_eq(get(), want, name)


def bound(b, name, *want):
    """The ports that have rules are WANT."""
    soon(lambda: ports(b), sorted(want), name)


def held(b, rule, want, name):
    """The rule with the id RULE is bound to WANT ports."""
    soon(lambda: b.nl.do("rule-get", id=rule).get("ports", 0), want, name)


@bench
def concerned(b):
    """Whoever is concerned by a change gets his rules: each change is the only one that tells."""
    ns = b.ns
    ns.ip("link add far type dummy")
    b.nl.do("rule-new", pref=9, port="far", action="skip")
    bound(b, "the first rule", "far")
    ns.ip("link add br0 type bridge", "link add p0 type dummy", "link set p0 master br0")
    b.nl.do("rule-new", pref=1, master="br1", action="skip")
    bound(b, "a master of another name", "far")
    ns.ip("link set br0 name br1")
    bound(b, "the master is renamed", "far", "p0")
    ns.ip("link set br1 name br0")
    bound(b, "the master is renamed again", "far")
    ns.ip("link property add dev br0 altname br1", "link set br0 up")
    bound(b, "the master gets another name besides", "far", "p0")
    ns.ip("link set p0 nomaster")
    bound(b, "the port leaves its master", "far")
    ns.ip("link set p0 master br0")
    bound(b, "the port comes back", "far", "p0")
    ns.ip("link del br0")
    bound(b, "the master goes", "far")
    ns.ip("link add br1 type bridge", "link set p0 master br1")
    bound(b, "another master has the name", "far", "p0")
    b.nl.do("rule-new", pref=2, port="q*", action="skip")
    ns.ip("link set p0 name q0", "link set far name q1")
    bound(b, "ports are renamed", "q0", "q1")
    held(b, 3, 2, "both have the rule of the pattern that they match now")
    held(b, 1, 0, "none has the rule of the name that is gone")
    ns.ip("link add far type dummy")
    bound(b, "a new device has the name", "far", "q0", "q1")
    ns.ip("link del far", "link add fresh type dummy", "link set fresh name far")
    bound(b, "a device goes, and another one gets its name", "far", "q0", "q1")
    held(b, 1, 1, "it has the rule")


@bench
def changes(b):
    """Rules come and go for the ports that they concern, in the end and after a change that is
    refused."""
    b.ns.ip(*(f"link add p{i} type dummy" for i in range(4)))
    none = {"pref": 1, "port": "p0", "action": "mirror", "session": ["none"]}
    for i in range(4):
        b.nl.do("rule-new", pref=10, port=f"p{i}", action="skip")
    first = b.nl.do("rule-new", pref=20, port="p[01]", action="skip")["id"]
    held(b, first, 2, "a pattern of two ports")
    code, _ = b.nl.ask("commit", {"change": [
        {"rule-new": {"pref": 5, "port": "p[01]", "action": "skip"}}, {"rule-del": {"id": first}},
        {"rule-new": {"pref": 5, "port": "p[23]", "action": "skip"}}, {"rule-new": none}]})
    ksft_true(code, "a change with an error in it is refused")
    b.ns.ip("link add p4 type dummy", "link set p0 name q0", "link set p4 name p0")
    held(b, first, 2, "afterwards a new device has the rule, and one of another name has not")
    bound(b, "all ports have rules", "p0", "p1", "p2", "p3")
    b.nl.do("rule-set", id=first, port="p[123]")
    held(b, first, 3, "the rule is for other ports")
    more = [b.nl.do("rule-new", pref=p, port="p*", action="skip")["id"] for p in (30, 1, 15)]
    for rule in more:
        held(b, rule, 4, "a rule for all of them")
    b.nl.do("rule-flush", pref=10)
    b.nl.do("rule-del", id=first)
    bound(b, "rules of a pattern are left", "p0", "p1", "p2", "p3")
    for rule in more:
        b.nl.do("rule-del", id=rule)
    bound(b, "no rule is left")


@bench
def pair(b):
    """The ends of a veth pair are one place as long as both are in the namespace: a frame is copied
    once."""
    b.ns.ip("link add p0 type veth peer name p1", "link add far type dummy",
            *(f"link set {dev} up" for dev in ("p0", "p1", "far")))
    b.nl.do("session-new", name="s", type="port", dev="far")
    busywait(lambda: b.nl.dump("session")[0]["state"] == "active")

    def rule(port):
        return b.nl.do("rule-new", pref=1, port=port, action="mirror", session=["s"],
                       match={"protocol": 0x800})["id"]

    ids = {port: rule(port) for port in ("p0", "p1")}
    bound(b, "both ends are ports", "p0", "p1")

    def copies(n, want, name):
        def sent():
            return b.nl.dump("session")[0]["stats"]["matched"]
        before = sent()
        with Sender(b.ns, "p0") as tx:
            tx.send(*[FRAME] * n)
        busywait(lambda: sent() >= before + want)
        ksft_eq(sent() - before, want, name)

    copies(3, 3, "both ends are here")
    with NetNS("peer") as other:
        b.ns.ip(f"link set p1 netns {other.name}")
        other.ip("link set p1 up")
        bound(b, "an end has left", "p0")
        busywait(lambda: b.ns.running("p0"))
        copies(3, 3, "the other end is elsewhere")
        # the port is made anew, of a device whose other end it does not see
        b.nl.do("rule-del", id=ids["p0"])
        bound(b, "no port is left")
        rule("p0")
        bound(b, "the end that stayed is a port again", "p0")
        other.ip("link set p1 netns " + b.ns.name)
    b.ns.ip("link set p1 up")
    bound(b, "the end is back", "p0", "p1")
    busywait(lambda: b.ns.running("p0", "p1"))
    copies(3, 3, "both ends are here again")


def grow(b, first, n):
    """Return: seconds that each of N new devices takes."""
    begin = time.monotonic()
    b.ns.ip(*(f"link add tap{i} type dummy" for i in range(first, first + n)))
    return (time.monotonic() - begin) / n


@bench
def devices(b):
    """A new device takes hardly longer under many rules, and among many ports, and so does a rule
    for one port."""
    n_ports, n_rules, n = 100, 3000, 25
    grow(b, 0, n_ports)
    took = {"no rules": min(grow(b, n_ports + i * n, n) for i in range(3))}
    n_ports += 3 * n

    def rule():
        begin = time.monotonic()
        change = {"rule-new": {"pref": 1, "port": "tap7", "action": "skip"}}
        b.nl.y.do("commit", {"change": [change]})
        return time.monotonic() - begin

    few = min(rule() for _ in range(10))
    b.nl.do("rule-flush")
    b.nl.do("commit", change=[
        {"rule-new": {"pref": 2 + i, "action": "skip", "match": {"src-port": i + 1},
                      "port": f"tap{i % 150}" if i % 100 else "tap*"}} for i in range(n_rules)])
    busywait(lambda: len(b.nl.dump("port")) == n_ports)
    took["many rules"] = min(grow(b, n_ports + i * n, n) for i in range(3))
    busywait(lambda: len(b.nl.dump("port")) == n_ports + 3 * n)
    ksft_eq(len(b.nl.dump("port")), n_ports + 3 * n, "all new devices are ports")
    many = min(rule() for _ in range(10))
    ksft_pr(f"a new device takes {took['no rules'] * 1e3:.2f} ms without rules, "
            f"{took['many rules'] * 1e3:.2f} ms with {n_rules}")
    ksft_pr(f"a rule for one port takes {few * 1e3:.2f} ms with few rules, "
            f"{many * 1e3:.2f} ms with {n_rules}")
    ksft_true(took["many rules"] < 2 * took["no rules"],
              "a new device takes less than twice the time")
    ksft_true(many < 4 * few, "a rule takes less than 4 times the time")


class Calls:
    """How often the kernel's FUNCTION is called meanwhile, in .n afterwards."""

    TRACING = "/sys/kernel/tracing"

    def __init__(self, function):
        self.function, self.n = function, 0
        if not os.path.exists(self.TRACING + "/kprobe_events"):
            sh(f"mount -t tracefs tracefs {self.TRACING}", check=False)
        if not os.path.exists(self.TRACING + "/kprobe_events"):
            raise KsftSkipEx("the kernel has no kprobe events")

    def write(self, name, text):
        """Append TEXT to a file of tracefs."""
        # without O_APPEND, all other probes would go; Python's open() then wants to seek
        fd = os.open(f"{self.TRACING}/{name}", os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, text.encode() + b"\n")
        finally:
            os.close(fd)

    def __enter__(self):
        self.write("kprobe_events", f"p:calls {self.function}")
        self.write("events/kprobes/calls/enable", "1")
        return self

    def __exit__(self, *exc):
        with open(self.TRACING + "/kprobe_profile", encoding="ascii") as f:
            self.n = next(int(line.split()[1]) for line in f if line.split()[0] == "calls")
        self.write("events/kprobes/calls/enable", "0")
        self.write("kprobe_events", "-:calls")


def moved(b, n):
    """Return: the grace periods in which N ports move to the hook in front of their macvlan's
    handler."""
    b.ns.ip(*(f"link add m{i} type dummy" for i in range(n)),
            *(f"link add v{i} link m{i} type macvlan" for i in range(n)))
    with contextlib.ExitStack() as stack:
        with param(PARAM, "0"):
            b.nl.do("rule-new", pref=1, port="m*", action="skip")
            busywait(lambda: len(ports(b)) == n)
            hooks = {p["ingress-hook"] for p in b.nl.dump("port")}
            ksft_eq(hooks, {"packet"}, f"{n} ports: none is in front of the handlers")
            # before the parameter changes back: a tick may be under way
            calls = stack.enter_context(Calls("synchronize_net"))
        # no event tells of the parameter: the tick follows it, which is there for sessions
        b.nl.do("session-new", name="s", type="port", dev="far")
        busywait(lambda: {p["ingress-hook"] for p in b.nl.dump("port")} == {"chain"})
    hooks = {p["ingress-hook"] for p in b.nl.dump("port")}
    ksft_eq(hooks, {"chain"}, f"{n} ports: all are")
    b.nl.do("rule-flush")
    b.nl.do("session-flush")
    b.ns.ip(*(f"link del m{i}" for i in range(n)))
    return calls.n


@bench
def handover(b):
    """Ports that move from one hook to another share their grace periods."""
    if not os.path.exists(PARAM):
        raise KsftSkipEx("the module has no rx_chain")
    b.ns.ip("link add far type dummy")
    few, many = moved(b, 2), moved(b, 60)
    ksft_pr(f"{few} grace periods for 2 ports, {many} for 60")
    ksft_true(0 < many <= few + 2, "60 ports move in as many grace periods as 2")


if __name__ == "__main__":
    modprobe("dummy", "bridge", "veth", "macvlan")
    ksft_run([limit, listed, combinations, worst, concerned, changes, pair, devices, handover])
    ksft_exit()
