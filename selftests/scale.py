#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Work that must not grow without a limit: what the rules of a namespace may make a frame cost."""
import struct
import time

from lib import Sender, ether, ksft_eq, ksft_exit, ksft_pr, ksft_run, modprobe
from lib.nl import BPF, SKIP, bench

MAX, LONGEST, INNER = 65536, 2048, 16
NOSPC = (28, "filters of all rules have more than 65536 instructions, with 16 for each inner")
# loads that no frame is too short for, and a last word that no frame matches
SLOW = struct.pack("HBBI", 0x30, 0, 0, 12) * (LONGEST - 1) + struct.pack("HBBI", 6, 0, 0, 0)
FRAME = ether("02:00:00:00:00:01", "02:00:00:00:00:02", 0x0800, bytes(50))


def inner(n):
    """Return: N changes, each one a rule that looks into VXLAN."""
    return [{"rule-new": {**SKIP, "match": {"tunnel": "vxlan", "inner": {"src-port": 1 + i}}}}
            for i in range(n)]


@bench
def limit(b):
    """The work of all rules has a limit, to the instruction; what is refused changes nothing."""
    for _ in range(MAX // LONGEST):
        b.nl.do("rule-new", **SKIP, filter=SLOW)
    b.settle()
    one = {**SKIP, "filter": BPF}
    b.refused("a filter of one instruction more", (*NOSPC, None), "rule-new", one)
    b.refused("an inner match more", (*NOSPC, None), "rule-new", inner(1)[0]["rule-new"])
    b.refused("a longer filter in a rule's place", (*NOSPC, None), "commit",
              {"change": [{"rule-del": {"id": 1}}, {"rule-new": {**SKIP, "filter": SLOW}},
                          {"rule-new": {**SKIP, "filter": BPF}}]})
    b.nl.do("rule-new", **SKIP)
    # a change counts as what it leaves, whatever was there on the way
    b.nl.do("commit", change=[{"rule-new": {**SKIP, "filter": SLOW}}, {"rule-del": {"id": 2}}])
    b.nl.do("rule-set", id=1, filter=SLOW[:-8 * (INNER + 2)] + SLOW[-8:])
    b.nl.do("commit", change=inner(1))
    b.nl.do("rule-new", **SKIP, filter=BPF)
    b.settle()
    b.refused("an instruction more after all that", (*NOSPC, None), "rule-new", one)
    b.nl.do("rule-flush")
    for _ in range(4):
        b.nl.do("commit", change=inner(MAX // INNER // 4))
    b.settle()
    b.refused("an instruction more than the inner matches", (*NOSPC, None), "rule-new", one)
    b.nl.do("rule-flush")


@bench
def worst(b):
    """A port that has all the work of its namespace works. The worst cost of a frame is noted."""
    b.ns.ip("link add p0 type dummy", "link set p0 up")
    n, took = 50, {}
    for name, rules in (("no rule", 0), ("the most", MAX // LONGEST)):
        for _ in range(rules):
            b.nl.do("rule-new", pref=1, port="p0", action="skip", filter=SLOW)
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


if __name__ == "__main__":
    modprobe("dummy")
    ksft_run([limit, worst])
    ksft_exit()
