#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Taps that go with the netlink socket that made them, and who may change them."""
from lib import (Sender, Topology, busywait, ksft_eq, ksft_exit, ksft_run, ksft_true, modprobe,
                 udp_frame, vtap, vtap_batch, vtap_json)
from lib.nl import GRE, Client

COLLECTOR = "type gre remote 192.0.2.9"
FOREIGN = "the tap belongs to another socket: it can be deleted, not changed"
# b does not answer
ENDS = Topology.MAC["b"], Topology.MAC["a"], "10.9.0.1", "10.9.0.2"


def own(nl, name):
    """The socket of NL makes the tap NAME, which copies what comes in at vnet0."""
    nl.y.do("commit", {"change": [
        {"tap-own": {"name": name}}, {"session-new": {"name": "s", "tap": name, **GRE}},
        {"rule-new": {"pref": 1, "tap": name, "port": "vnet0", "action": "mirror",
                      "session": ["s"]}}]})


def taps(ns):
    return {t["name"]: "owner" in t for t in vtap_json("tap show", ns)}


def packets(ns):
    return [r["packets"] for r in vtap_json("-s rule show", ns)]


def goes():
    """The tap is there until its socket closes; taps of others, and their counters, stay."""
    with Topology() as t, Client(t.host) as listener, Client(t.host) as other:
        vtap_batch(t.host, f"session add s {COLLECTOR}",
                   "rule add pref 1 port vnet0 action mirror s")
        own(other, "stays")
        owner = Client(t.host)
        own(owner, "goes")
        ksft_eq(taps(t.host), {"main": False, "stays": True, "goes": True}, "tap show tells")
        with Sender(t.a, "eth0") as tx:
            tx.send(*[udp_frame(*ENDS)] * 3)
        busywait(lambda: packets(t.host) == [3] * 3)
        ksft_eq(packets(t.host), [3] * 3,
                "the tap gets frames and takes none from others")
        listener.subscribe()
        owner.y.sock.close()
        busywait(lambda: "goes" not in taps(t.host))
        ksft_eq(taps(t.host), {"main": False, "stays": True}, "it goes with its socket alone")
        ksft_eq([n for n in listener.names() if not n.startswith("port")],
                ["rule-del", "session-del"], "with an event for each object")
        ksft_eq(packets(t.host), [3] * 2,
                "the others' counters are as they were")
        again = Client(t.host)
        own(again, "goes")
        ksft_eq(taps(t.host).get("goes"), True, "its name is free again")
        again.y.sock.close()
        ksft_true(busywait(lambda: "goes" not in taps(t.host)), "and the next one goes as well")


def foreign():
    """Others may not add to the tap or change it, and may delete it; the owner may do all."""
    with Topology() as t, Client(t.host) as owner:
        own(owner, "mine")
        rule = vtap_json("rule show", t.host)[0]["id"]
        before = vtap_json("rule show", t.host), vtap_json("session show", t.host)
        for line in (f"session add n tap mine {COLLECTOR}", "session set s tap mine ttl 9",
                     "rule add tap mine pref 2 port vnet1 action skip",
                     f"rule set id {rule} pref 9"):
            said = vtap_batch(t.host, line, ok=False).stderr
            ksft_true(FOREIGN in said, f"refused: {line}", said)
        ksft_eq((vtap_json("rule show", t.host), vtap_json("session show", t.host)), before,
                "nothing has changed")
        owner.do("rule-set", id=rule, pref=9)
        owner.do("session-set", name="s", tap="mine", ttl=9)
        ksft_eq((vtap_json("rule show", t.host)[0]["pref"],
                 vtap_json("session show", t.host)[0]["ttl"]), (9, 9), "the owner changes them")
        vtap_batch(t.host, f"rule del id {rule}", "session flush tap mine")
        ksft_eq(taps(t.host), {}, "an administrator deletes it")
        vtap(f"session add s tap mine {COLLECTOR}", t.host)
        ksft_eq(taps(t.host), {"mine": False}, "then its name is anybody's")


def refused():
    """What cannot get an owner is refused, and stays as it is."""
    with Topology() as t, Client(t.host) as nl:
        vtap(f"session add s {COLLECTOR}", t.host)
        exists = "a tap of this name exists, and cannot get an owner"
        for name, vals, want in (
                ("a tap that exists", {"name": "main"}, exists), ("no name", {}, "name is missing"),
                ("a bad name", {"name": "a b"},
                 "a tap's name has letters, digits and _.:@- only")):
            said = nl.ask("tap-own", vals)[1].get("msg")
            ksft_eq(said, want, f"{name} is refused")
        delete = [{"session-del": {"name": "s"}}, {"tap-own": {"name": "main"}}]
        ksft_true(exists in str(nl.ask("commit", {"change": delete})),
                  "a tap that the same commit deletes")
        ksft_eq(taps(t.host), {"main": False}, "nothing has changed")
        nl.do("tap-own", name="empty")
        ksft_eq(taps(t.host), {"main": False}, "a tap without a rule or session does not stay")
        vtap(f"session add s tap empty {COLLECTOR}", t.host)
        ksft_eq(taps(t.host).get("empty"), False, "nor does its owner")


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([goes, foreign, refused])
    ksft_exit()
