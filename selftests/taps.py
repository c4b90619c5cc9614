#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Taps: rules of each are judged on their own, a frame goes once to each session of all that match,
and whoever manages one tap leaves the others as they are."""
import collections
import contextlib
import struct
import tempfile

import ksft
from ksft import Sender, Sniffer, Topology, eq, ok, vtap, vtap_json

COLLECTOR = "type gre remote 192.0.2.9"
ENDS = Topology.MAC["b"], Topology.MAC["a"], "10.9.0.1", "10.9.0.2"


class Bed:
    """A Topology whose copies are told apart by their GRE key. LINES: what the tool is told."""

    def __init__(self, *lines):
        self.stack, self.sent, self.lines = contextlib.ExitStack(), 0, lines

    def __enter__(self):
        self.t = self.stack.enter_context(Topology())
        self.host = self.t.host
        self.tx = self.stack.enter_context(Sender(self.t.a, "eth0"))
        self.rx = self.stack.enter_context(Sniffer(self.t.b, "eth0"))
        self.col = self.stack.enter_context(Sniffer(self.t.col, "eth0"))
        self.tell(*self.lines)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def tell(self, *lines, good=True):
        """Give the tool LINES as one transaction. Return: what it said."""
        p = self.host.sh([ksft.VTAP, "-b", "-"], input="\n".join(lines) + "\n", check=False)
        if good != (p.returncode == 0):
            raise AssertionError(f"{lines}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p.stderr

    def refused(self, name, text, *lines):
        """The tool is told LINES, says TEXT, and changes nothing."""
        before = self.state()
        eq(f"{name} is refused", self.tell(*lines, good=False).split(": ", 2)[-1].strip(), text)
        eq(f"{name}: nothing has changed", self.state(), before)

    def state(self, tap=None):
        """Return: rules, sessions and taps as they are shown, with counters; of one TAP or all."""
        words = f" tap {tap}" if tap else ""
        state = [vtap_json(f"-s rule show{words}", self.host),
                 vtap_json(f"-s session show{words}", self.host)]
        return state + [[t for t in vtap_json("tap", self.host) if tap in (None, t["name"])]]

    def shoot(self, n=1, kind="udp", **kw):
        """Send N frames from a to b, which does not answer. Return: {key: [copies of each frame]}
        of those that have any."""
        make = getattr(ksft, kind + "_frame")
        names = [b"vtap#%08d" % i for i in range(self.sent, self.sent + n)]
        self.sent += n
        before = self.copied()
        self.tx.send(*[make(*ENDS, payload=name + bytes(40), **kw) for name in names])
        got = self.rx.frames(n)
        if len(got) < n:
            raise RuntimeError(f"{len(got)} of {n} frames arrived")
        copies = collections.defaultdict(lambda: [0] * n)
        for frame in self.copies(before):
            for i, name in enumerate(names):
                if name in frame:
                    copies[struct.unpack("!I", frame[38:42])[0]][i] += 1
        return dict(copies)

    def copies(self, before):
        """Return: the copies since sessions had sent BEFORE."""
        return self.col.frames(self.copied() - before)

    def copied(self):
        """Return: copies that sessions have sent so far."""
        return sum(s["stats"]["sent"] for s in vtap_json("-s session show", self.host))

    def ports(self):
        """Return: sums of the counters of all ports, and of both directions."""
        total = collections.Counter()
        for port in vtap_json("-s port show", self.host):
            for direction in ("ingress", "egress"):
                total.update(port[direction])
        return total


TWO = [f"session add s {COLLECTOR} key 1", f"session add s tap sec {COLLECTOR} key 2"]


def observers():
    """Two taps with rules that overlap, and sessions of one name: each gets what it wants, once."""
    with Bed(*TWO, "rule add pref 10 port vnet0 dir ingress ip_proto udp action mirror s",
             "rule add tap sec pref 5 port vnet* dir ingress action mirror s") as bed:
        eq("both get a UDP frame, each once", bed.shoot(3), {1: [1] * 3, 2: [1] * 3})
        eq("only one gets a TCP frame", bed.shoot(3, "tcp"), {2: [1] * 3})
        counts = bed.ports()
        eq("a frame that both taps match is matched once",
           (counts["seen"], counts["matched"], counts["unmatched"]), (6, 6, 0))
        shown = vtap_json("tap show", bed.host)
        eq("tap show tells of each what it has and what it decided on",
           [(t["name"], t["rules"], t["sessions"], t["ports"], t["packets"]) for t in shown],
           [("main", 1, 1, 1, 3), ("sec", 1, 1, 2, 6)])
        eq("the rules tell on how many ports they are",
           [(r["tap"], r["ports"]) for r in vtap_json("rule", bed.host)], [("main", 1), ("sec", 2)])
        bed.tell("rule add pref 1 port vnet0 dir ingress action skip")
        eq("skip in one tap is no skip in the other", bed.shoot(3), {2: [1] * 3})
        bed.tell("rule flush", "rule add tap sec pref 1 port vnet0 ip_proto tcp action skip")
        eq("first match within the tap", (bed.shoot(2), bed.shoot(2, "tcp")), ({2: [1] * 2}, {}))
        before = bed.ports()
        bed.tell("rule flush tap sec", "rule add pref 1 port vnet0 ip_proto tcp action mirror s",
                 "rule add tap sec pref 1 port vnet0 vlan_id 7 action mirror s")
        eq("no tap matches: no copy", bed.shoot(2), {})
        counts = bed.ports() - before
        eq("and the frames count as unmatched, once",
           (counts["matched"], counts["unmatched"]), (0, 2))
        bed.tell("rule flush", "rule flush tap sec")
        eq("no rule is left: no copy", bed.shoot(2), {})


def tunnels():
    """What a rule of one tap takes a frame for is nothing to a session of another one."""
    with Bed(f"session add in {COLLECTOR} key 1 decap on",
             f"session add s tap sec {COLLECTOR} key 2 decap on",
             "rule add pref 1 port vnet0 tunnel vxlan dst_port 8472 action mirror in",
             "rule add tap sec pref 1 port vnet0 ip_proto udp action mirror s") as bed:
        inner = ksft.udp_frame(*ENDS, payload=b"inside" + bytes(40))
        frame = ksft.udp_frame(*ENDS, dport=8472, payload=b"\x08\0\0\0\0\0\7\0" + inner)
        bed.tx.send(frame)
        eq("the frame arrives", bed.rx.frames(1), [frame])
        got = {struct.unpack("!I", f[38:42])[0]: f[42:] for f in bed.copies(0)}
        eq("each session gets what its tap's rule says", got, {1: inner, 2: frame})


def apart():
    """Changes of one tap leave rules, ids, counters and copies of the other as they are."""
    rules = [f"rule add pref {p} port vnet0 dir ingress src_port {p} action mirror s"
             for p in (10, 20)]
    with Bed(*TWO, *rules, *[r.replace("add", "add tap sec") for r in rules]) as bed:
        bed.shoot(2, sport=10)
        bed.shoot(3, sport=20)
        kept = bed.state("main")
        eq("there is something to keep", [r["packets"] for r in kept[0]], [2, 3])
        text = vtap("save tap sec", bed.host).stdout
        ok("save of one tap needs no tap words", " tap " not in text and text.count("add") == 3,
           text)
        vtap("rule flush tap sec pref 20", bed.host)
        eq("flush by pref of a tap", [r["pref"] for r in vtap_json("rule show tap sec", bed.host)],
           [10])
        vtap("rule flush tap sec", bed.host)
        vtap("session flush tap sec", bed.host)
        eq("flush of one tap: it is gone", bed.state("sec"), [[], [], []])
        eq("flush of one tap: the other is as it was", bed.state("main"), kept)
        apply(bed, "tap sec", text)
        eq("apply of what was saved: it is back", vtap("save tap sec", bed.host).stdout, text)
        apply(bed, "tap other", text)
        eq("or goes to another tap", vtap("save tap other", bed.host).stdout, text)
        eq("apply to one tap: the other is as it was", bed.state("main"), kept)
        apply(bed, "tap other", "")
        eq("apply of an empty file empties a tap", bed.state("other"), [[], [], []])
        kept = bed.state()
        eq("apply again changes nothing", apply(bed, "-d tap sec", text), "")
        eq("and nothing it is", bed.state(), kept)
        vtap("session set s tap sec ttl 9", bed.host)
        eq("set of a session of one tap",
           [s["ttl"] for s in vtap_json("session", bed.host)], [64, 9])
        eq("show names both", vtap_json("session show s tap sec", bed.host)[0]["ttl"], 9)
        kept = bed.state("sec")
        vtap("rule flush", bed.host)
        vtap("session del s", bed.host)
        eq("without a tap, what is changed is main", bed.state("main"), [[], [], []])
        eq("and main alone", bed.state("sec"), kept)


def apply(bed, words, text, good=True):
    """Apply TEXT, by force when it is empty. WORDS: what comes before the file, an option in front.
    Return: the output."""
    option, words = ("-d ", words[3:]) if words.startswith("-d ") else ("", words)
    option += "" if text else "-force "
    with tempfile.NamedTemporaryFile("w", dir="/run", suffix=".conf") as f:
        f.write(text)
        f.flush()
        p = vtap(f"{option}apply {words} {f.name}", bed.host, good)
        return (p.stdout + p.stderr).replace(f.name, "FILE")


def files():
    """A file without a tap of its own replaces the taps that it names, and no other."""
    with Bed(*TWO, f"session add s tap third {COLLECTOR} key 3",
             *[f"rule add tap {tap} pref 1 port vnet0 action mirror s"
               for tap in ("main", "sec", "third")]) as bed:
        saved = vtap("save", bed.host).stdout
        eq("save names taps, but for main", [line.count(" tap ") for line in saved.splitlines()],
           [0, 1, 1, 0, 1, 1])
        kept = bed.state()
        eq("apply of what is there changes nothing", apply(bed, "-d ", saved), "")
        eq("and nothing it is", bed.state(), kept)
        main, third = bed.state("main"), bed.state("third")
        apply(bed, "", f"session add n tap sec {COLLECTOR} key 9\n")
        eq("a file that names one tap: that one is replaced",
           vtap("save tap sec", bed.host).stdout, "session add n type gre remote 192.0.2.9 key 9\n")
        eq("main is as it was", bed.state("main"), main)
        eq("and so is the third", bed.state("third"), third)
        apply(bed, "", "")
        eq("an empty file empties main", bed.state("main"), [[], [], []])
        eq("and main alone", bed.state("third"), third)
        apply(bed, "", saved)
        eq("all of it comes back", sorted(vtap("save", bed.host).stdout.splitlines()),
           sorted(saved.splitlines()))
        kept = bed.state()
        eq("a file of another tap is refused", apply(bed, "tap sec", saved, False),
           'vtap: FILE:3: tap "third" in a file that is applied to tap "sec"\n')
        eq("a session of another tap is none of the file", apply(
            bed, "", saved + "rule add tap new pref 1 port x action mirror s\n", False),
           'vtap: FILE:7: session "s" of tap "new" is not in the file\n')
        eq("refused files change nothing", bed.state(), kept)


def limits():
    """16 taps, each with a frame of its own; not 17, unless one goes in the same transaction."""
    taps = [f"t{i}" for i in range(1, 17)]
    with Bed() as bed:
        bed.tell(*[f"session add s tap {t} {COLLECTOR} key {t[1:]}" for t in taps],
                 *[f"rule add tap {t} pref 1 port vnet* action mirror s" for t in taps])
        eq("16 taps", [t["name"] for t in vtap_json("tap", bed.host)], taps)
        eq("each gets a frame that passes two ports once", bed.shoot(2),
           {i: [1, 1] for i in range(1, 17)})
        counts = bed.ports()
        eq("matched once at each port", (counts["matched"], counts["unmatched"]), (4, 0))
        eq("copies that were not made again", counts["dup"], 32)
        text = "a namespace has at most 16 taps"
        bed.refused("a 17th tap, by a session", text, f"session add s tap new {COLLECTOR}")
        bed.refused("a 17th tap, by a rule", text, "rule add tap new pref 1 port x action skip")
        bed.refused("main as the 17th", text, "rule add pref 1 port x action skip")
        bed.tell("rule flush tap t3", "session flush tap t3",
                 f"session add s tap new {COLLECTOR} key 99",
                 "rule add tap new pref 1 port vnet* action mirror s")
        eq("one that takes the place of another", bed.shoot(1), {i: [1] for i in (
            1, 2, *range(4, 17), 99)})
        bed.refused("one deleted, and two new", text, "rule flush tap t4", "session flush tap t4",
                    "rule add tap x pref 1 port x action skip",
                    "rule add tap y pref 1 port x action skip")
        for tap in taps[:2]:
            bed.tell(f"rule flush tap {tap}")
        eq("a tap stays for its session", len(vtap_json("tap", bed.host)), 16)
        bed.tell("session flush tap t1")
        eq("and goes with it", len(vtap_json("tap", bed.host)), 15)
        bed.tell("rule add pref 1 port x action skip")
        eq("then there is room", vtap_json("tap", bed.host)[-1]["name"], "main")


def sampling():
    """Sampling in one tap leaves the other whole; each rule remembers what it did not choose."""
    with Bed(*TWO, "rule add pref 1 port vnet* sample 2 action mirror s",
             "rule add tap sec pref 1 port vnet* action mirror s") as bed:
        got = bed.shoot(64)
        ok("about half of the frames for one, once each",
           10 < sum(got[1]) < 54 and set(got[1]) == {0, 1}, got)
        eq("all for the other, once each", got[2], [1] * 64)
        bed.tell("rule flush tap sec",
                 "rule add tap sec pref 1 port vnet* sample 2 action mirror s")
        got = bed.shoot(64)
        for key in (1, 2):
            ok(f"both sample: half for tap {key}", 10 < sum(got[key]) < 54, got)
            eq(f"both sample: once each for tap {key}", set(got[key]), {0, 1})
        ok("each chose by itself", got[1] != got[2], got)


def once():
    """A frame that passes two ports goes once to a session, whatever the other tap does with it."""
    with Bed(*TWO, "rule add pref 1 port vnet0 dir ingress action mirror s",
             "rule add tap sec pref 1 port vnet1 dir egress action mirror s") as bed:
        eq("one at ingress, the other at egress: each once", bed.shoot(4), {1: [1] * 4, 2: [1] * 4})
        eq("nothing was left out", bed.ports()["dup"], 0)
        bed.tell("rule flush", "rule flush tap sec", "rule add pref 1 port vnet* action mirror s",
                 "rule add tap sec pref 1 port vnet* action mirror s dup on")
        before = bed.ports()
        eq("dup on in one tap alone", bed.shoot(4), {1: [1] * 4, 2: [2] * 4})
        counts = bed.ports() - before
        eq("the other one's copies are counted as dup", counts["dup"], 4)
        stats = [s["stats"] for s in vtap_json("-s session show", bed.host)]
        eq("matched of sessions is sent and drops", [s["matched"] for s in stats],
           [s["sent"] + sum(n for k, n in s.items() if k.startswith("drop")) for s in stats])


def together():
    """A transaction over two taps is made whole or not at all, the taps themselves included."""
    with Bed(*TWO, "rule add pref 1 port vnet0 dir ingress action mirror s",
             "rule add tap sec pref 1 port vnet0 dir ingress action mirror s") as bed:
        good = ["rule flush", "rule add tap sec pref 7 port vnet1 action mirror s",
                f"session add n tap new {COLLECTOR} key 3", "session set s tap sec key 9",
                "rule add tap new pref 1 port vnet0 dir ingress action mirror n"]
        for at in (0, 2, len(good)):
            bed.refused(f"a bad change, number {at}", "no session has this name", *good[:at],
                        "rule add tap new pref 1 port vnet0 action mirror none", *good[at:])
        bed.refused("a rule with a session of another tap", "the session is of another tap",
                    *good, "rule add pref 9 port vnet0 action mirror n")
        bed.refused("a session of a tap that is none", "no tap of this name",
                    *good, "session del s tap none")
        bed.refused("a session that its tap has", "a session with this name exists",
                    *good, f"session add n tap new {COLLECTOR}")
        bed.refused("a session in use by its tap", "the session is used by a rule",
                    *good, "session flush tap sec")
        bed.refused("a tap with a blank", "a tap's name has letters, digits and _.:@- only",
                    *good, f"session add s tap 'a b' {COLLECTOR}")
        eq("nothing came of all that", bed.shoot(2), {1: [1, 1], 2: [1, 1]})
        bed.tell(*good)
        eq("without the bad change", bed.shoot(2), {3: [1, 1], 9: [1, 1]})
        eq("the taps", [t["name"] for t in vtap_json("tap", bed.host)], ["main", "sec", "new"])


if __name__ == "__main__":
    ksft.modprobe("veth", "bridge")
    ksft.run(observers, tunnels, apart, files, limits, sampling, once, together)
