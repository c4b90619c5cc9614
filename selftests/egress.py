#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Copies that leave by a device without a queue go straight to the driver. Captures, tc and
netfilter on that device still see them."""
import contextlib
import json

from lib import (Collector, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_run,
                 ksft_skip, ksft_true, modprobe, one_cpu, vtap, vtap_json)

N = 20
COUNTERS = ("matched", "sent", "drop_xmit")


class Bed:
    """Frames that are copied out of up0, and what became of the copies."""

    def __init__(self, t, rx, tx):
        self.t, self.rx, self.tx = t, rx, tx
        self.number = 0

    def frames(self, n):
        """Return: N frames that were never sent before."""
        self.number += n
        return [self.t.udp(payload=b"%06d" % i) for i in range(self.number - n, self.number)]

    def counters(self):
        """Return: the session's counters."""
        stats = vtap_json("-s session show", self.t.host)[0]["stats"]
        return [stats[name] for name in COUNTERS]

    def send(self, arrive=True):
        """Send N frames. Return: how far the counters went, and whether the copies came, or with
        ARRIVE False none of them before a later frame's, which finish() sends."""
        frames, before = self.frames(N), self.counters()
        self.tx.send(*frames)
        busywait(lambda: self.counters()[0] >= before[0] + N)
        moved = [b - a for a, b in zip(before, self.counters())]
        return moved, arrive and [c.frame for c in self.rx.copies(N)] == frames

    def finish(self):
        """Return: whether the next copy that comes is that of a frame sent now."""
        last = self.frames(1)
        self.tx.send(*last)
        return [c.frame for c in self.rx.copies(1)] == last


@contextlib.contextmanager
def bed():
    """The topology with a session out of up0."""
    with one_cpu(), Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
        vtap(f"session add s type erspan2 id 1 remote {t.IP4['col']}", t.host)
        vtap("rule add pref 10 port vnet0 dir ingress action mirror s", t.host)
        b = Bed(t, rx, tx)
        ksft_eq(b.send(), ([N, N, 0], True), "nobody watches: the copies arrive")
        yield b


def qdisc(t, kind):
    """Return: packets that the queueing discipline of KIND at up0 passed, and dropped by itself or
    by a filter."""
    found = [q for q in json.loads(t.host.sh("tc -s -j qdisc show dev up0").stdout) if q["kind"] ==
             kind]
    return [found[0]["packets"], found[0]["drops"]]


def watched():
    """A sniffer on the device gets every copy, a queueing discipline as well, and each from the
    first one on."""
    with bed() as b:
        with Sniffer(b.t.host, "up0", "out") as sniffer:
            ksft_eq(b.send(), ([N, N, 0], True),
                    "a sniffer on the egress device: the copies arrive")
            ksft_eq(len(sniffer.frames(N)), N, "and it saw them")
        with Sniffer(b.t.host, "vnet1", "out", match=lambda f: False):
            ksft_eq(b.send(), ([N, N, 0], True), "a sniffer on another device: the copies arrive")
        b.t.host.sh("tc qdisc add dev up0 root pfifo limit 1000")
        ksft_eq(b.send(), ([N, N, 0], True), "a queue at the egress device: the copies arrive")
        ksft_eq(qdisc(b.t, "pfifo"), [N, 0], "and it passed them")
        b.t.host.sh("tc qdisc replace dev up0 root pfifo limit 0")
        ksft_eq(b.send(False)[0], [N, 0, N], "a queue without room: copies are dropped and counted")
        b.t.host.sh("tc qdisc del dev up0 root")
        ksft_true(b.finish(), "and none of them arrives")
        ksft_eq(b.send(), ([N, N, 0], True), "nobody watches again: the copies arrive")


def filtered():
    """Filters of tc and netfilter on the way out of the device count and drop copies."""
    with bed() as b:
        b.t.host.sh("tc qdisc add dev up0 clsact")
        b.t.host.sh("tc filter add dev up0 egress matchall action ok")
        ksft_eq(b.send(), ([N, N, 0], True), "a filter of tc that passes: the copies arrive")
        ksft_eq(qdisc(b.t, "clsact")[1], 0, "and it drops none")
        b.t.host.sh("tc filter replace dev up0 egress protocol ip pref 1 matchall action drop")
        ksft_eq(b.send(False)[0], [N, 0, N],
                "a filter of tc that drops: copies are dropped and counted")
        ksft_eq(qdisc(b.t, "clsact")[1], N, "and it counts them")
        b.t.host.sh("tc qdisc del dev up0 clsact")
        ksft_true(b.finish(), "and none of them arrives")
        rules = "table netdev t { chain c { " \
                "type filter hook egress device up0 priority 0; counter drop; }; }"
        if b.t.host.sh("nft -f -", input=rules, check=False).returncode:
            ksft_skip("this kernel has none", "a chain of netfilter at egress")
            return
        ksft_eq(b.send(False)[0], [N, 0, N],
                "a chain of netfilter that drops: copies are dropped and counted")
        counted = json.loads(b.t.host.sh("nft -j list table netdev t").stdout)["nftables"]
        counter = [e["counter"]["packets"] for r in counted
                   for e in r.get("rule", {}).get("expr", []) if "counter" in e]
        ksft_eq(counter, [N], "and it counts them")
        b.t.host.sh("nft delete table netdev t")
        ksft_true(b.finish(), "and none of them arrives")
        ksft_eq(b.send(), ([N, N, 0], True), "nobody filters again: the copies arrive")


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([watched, filtered])
    ksft_exit()
