#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Taps: rules of each are judged on their own, a frame goes once to each session of all that match,
and whoever manages one tap leaves the others as they are."""
import collections
import contextlib
import struct
import tempfile

from lib import (Sender, Sniffer, Topology, ksft_eq, ksft_exit, ksft_run, ksft_true, modprobe,
                 tcp_frame, udp_frame, vtap, vtap_batch, vtap_json)

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
        return vtap_batch(self.host, *lines, ok=good).stderr

    def refused(self, name, text, *lines):
        """The tool is told LINES, says TEXT, which begins with the line's number, and changes
        nothing."""
        before = self.state()
        ksft_eq(self.tell(*lines, good=False), f"vtap: stdin:{text}\n", f"{name} is refused")
        ksft_eq(self.state(), before, f"{name}: nothing has changed")

    def state(self, tap=None):
        """Return: rules, sessions and taps as they are shown, with counters; of one TAP or all.
        What the collector answers comes late, and is older each time."""
        words = f" tap {tap}" if tap else ""
        sessions = vtap_json(f"-s session show{words}", self.host)
        for session in sessions:
            session.pop("icmp", None)
        state = [vtap_json(f"-s rule show{words}", self.host), sessions]
        return state + [[t for t in vtap_json("tap", self.host) if tap in (None, t["name"])]]

    def shoot(self, n=1, kind="udp", **kw):
        """Send N frames from a to b, which does not answer. Return: {key: [copies of each frame]}
        of those that have any."""
        make = {"udp": udp_frame, "tcp": tcp_frame}[kind]
        names = [b"vtap#%08d" % i for i in range(self.sent, self.sent + n)]
        self.sent += n
        before = self.copied()
        self.tx.send(*[make(*ENDS, payload=name + bytes(40), **kw) for name in names])
        got = self.rx.frames(n)
        if len(got) < n:
            raise RuntimeError(f"{len(got)} of {n} frames arrived")
        copies = collections.defaultdict(lambda: [0] * n)
        for frame in self.copies(before):
            at = frame.find(b"vtap#")
            if at >= 0:
                i = int(frame[at + 5:at + 13]) - (self.sent - n)
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
        ksft_eq(bed.shoot(3), {1: [1] * 3, 2: [1] * 3}, "both get a UDP frame, each once")
        ksft_eq(bed.shoot(3, "tcp"), {2: [1] * 3}, "only one gets a TCP frame")
        counts = bed.ports()
        ksft_eq((counts["seen"], counts["matched"], counts["unmatched"]), (6, 6, 0),
                "a frame that both taps match is matched once")
        shown = vtap_json("tap show", bed.host)
        ksft_eq([(t["name"], t["rules"], t["sessions"], t["ports"], t["packets"]) for t in shown],
                [("main", 1, 1, 1, 3), ("sec", 1, 1, 2, 6)],
                "tap show tells of each what it has and what it decided on")
        ksft_eq([(r["tap"], r["ports"]) for r in vtap_json("rule", bed.host)],
                [("main", 1), ("sec", 2)], "the rules tell on how many ports they are")
        bed.tell("rule add pref 1 port vnet0 dir ingress action skip")
        ksft_eq(bed.shoot(3), {2: [1] * 3}, "skip in one tap is no skip in the other")
        bed.tell("rule flush", "rule add tap sec pref 1 port vnet0 ip_proto tcp action skip")
        ksft_eq((bed.shoot(2), bed.shoot(2, "tcp")), ({2: [1] * 2}, {}),
                "first match within the tap")
        before = bed.ports()
        bed.tell("rule flush tap sec", "rule add pref 1 port vnet0 ip_proto tcp action mirror s",
                 "rule add tap sec pref 1 port vnet0 vlan_id 7 action mirror s")
        ksft_eq(bed.shoot(2), {}, "no tap matches: no copy")
        counts = bed.ports() - before
        ksft_eq((counts["matched"], counts["unmatched"]), (0, 2),
                "and the frames count as unmatched, once")
        bed.tell("rule flush", "rule flush tap sec")
        ksft_eq(bed.shoot(2), {}, "no rule is left: no copy")


def tunnels():
    """What a rule of one tap takes a frame for is nothing to a session of another one."""
    with Bed(f"session add in {COLLECTOR} key 1 decap on",
             f"session add s tap sec {COLLECTOR} key 2 decap on",
             "rule add pref 1 port vnet0 tunnel vxlan dst_port 8472 action mirror in",
             "rule add tap sec pref 1 port vnet0 ip_proto udp action mirror s") as bed:
        inner = udp_frame(*ENDS, payload=b"inside" + bytes(40))
        frame = udp_frame(*ENDS, dport=8472, payload=b"\x08\0\0\0\0\0\7\0" + inner)
        bed.tx.send(frame)
        ksft_eq(bed.rx.frames(1), [frame], "the frame arrives")
        got = {struct.unpack("!I", f[38:42])[0]: f[42:] for f in bed.copies(0)}
        ksft_eq(got, {1: inner, 2: frame}, "each session gets what its tap's rule says")


def apart():
    """Changes of one tap leave rules, ids, counters and copies of the other as they are."""
    rules = [f"rule add pref {p} port vnet0 dir ingress src_port {p} action mirror s"
             for p in (10, 20)]
    with Bed(*TWO, *rules, *[r.replace("add", "add tap sec") for r in rules]) as bed:
        bed.shoot(2, sport=10)
        bed.shoot(3, sport=20)
        kept = bed.state("main")
        ksft_eq([r["packets"] for r in kept[0]], [2, 3], "there is something to keep")
        text = vtap("save tap sec", bed.host).stdout
        ksft_true(" tap " not in text and text.count("add") == 3,
                  "save of one tap needs no tap words", text)
        vtap("rule flush tap sec pref 20", bed.host)
        ksft_eq([r["pref"] for r in vtap_json("rule show tap sec", bed.host)], [10],
                "flush by pref of a tap")
        vtap("rule flush tap sec", bed.host)
        vtap("session flush tap sec", bed.host)
        ksft_eq(bed.state("sec"), [[], [], []], "flush of one tap: it is gone")
        ksft_eq(bed.state("main"), kept, "flush of one tap: the other is as it was")
        apply(bed, "tap sec", text)
        ksft_eq(vtap("save tap sec", bed.host).stdout, text, "apply of what was saved: it is back")
        apply(bed, "tap other", text)
        ksft_eq(vtap("save tap other", bed.host).stdout, text, "or goes to another tap")
        ksft_eq(bed.state("main"), kept, "apply to one tap: the other is as it was")
        apply(bed, "tap other", "")
        ksft_eq(bed.state("other"), [[], [], []], "apply of an empty file empties a tap")
        kept = bed.state()
        ksft_eq(apply(bed, "-d tap sec", text), "", "apply again changes nothing")
        ksft_eq(bed.state(), kept, "and nothing it is")
        vtap("session set s tap sec ttl 9", bed.host)
        ksft_eq([s["ttl"] for s in vtap_json("session", bed.host)], [64, 9],
                "set of a session of one tap")
        ksft_eq(vtap_json("session show s tap sec", bed.host)[0]["ttl"], 9, "show names both")
        kept = bed.state("sec")
        vtap("rule flush", bed.host)
        vtap("session del s", bed.host)
        ksft_eq(bed.state("main"), [[], [], []], "without a tap, what is changed is main")
        ksft_eq(bed.state("sec"), kept, "and main alone")


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
        ksft_eq([line.count(" tap ") for line in saved.splitlines()], [0, 1, 1, 0, 1, 1],
                "save names taps, but for main")
        kept = bed.state()
        ksft_eq(apply(bed, "-d ", saved), "", "apply of what is there changes nothing")
        ksft_eq(bed.state(), kept, "and nothing it is")
        main, third = bed.state("main"), bed.state("third")
        apply(bed, "", f"session add n tap sec {COLLECTOR} key 9\n")
        ksft_eq(vtap("save tap sec", bed.host).stdout,
                "session add n type gre remote 192.0.2.9 key 9\n",
                "a file that names one tap: that one is replaced")
        ksft_eq(bed.state("main"), main, "main is as it was")
        ksft_eq(bed.state("third"), third, "and so is the third")
        apply(bed, "", "")
        ksft_eq(bed.state("main"), [[], [], []], "an empty file empties main")
        ksft_eq(bed.state("third"), third, "and main alone")
        apply(bed, "", saved)
        ksft_eq(sorted(vtap("save", bed.host).stdout.splitlines()), sorted(saved.splitlines()),
                "all of it comes back")
        kept = bed.state()
        ksft_eq(apply(bed, "tap sec", saved, False),
                'vtap: FILE:3: tap "third" in a file that is applied to tap "sec"\n',
                "a file of another tap is refused")
        ksft_eq(apply(bed, "", saved + "rule add tap new pref 1 port x action mirror s\n", False),
                'vtap: FILE:7: session "s" of tap "new" is not in the file\n',
                "a session of another tap is none of the file")
        ksft_eq(bed.state(), kept, "refused files change nothing")


def limits():
    """16 taps, each with a frame of its own; not 17, unless one goes in the same transaction."""
    taps = [f"t{i}" for i in range(1, 17)]
    with Bed() as bed:
        bed.tell(*[f"session add s tap {t} {COLLECTOR} key {t[1:]}" for t in taps],
                 *[f"rule add tap {t} pref 1 port vnet* action mirror s" for t in taps])
        ksft_eq([t["name"] for t in vtap_json("tap", bed.host)], taps, "16 taps")
        ksft_eq(bed.shoot(2), {i: [1, 1] for i in range(1, 17)},
                "each gets a frame that passes two ports once")
        counts = bed.ports()
        ksft_eq((counts["matched"], counts["unmatched"]), (4, 0), "matched once at each port")
        ksft_eq(counts["dup"], 32, "copies that were not made again")
        text = "a namespace has at most 16 taps"
        bed.refused("a 17th tap, by a session", f'1: tap "new": {text}',
                    f"session add s tap new {COLLECTOR}")
        bed.refused("a 17th tap, by a rule", f'1: tap "new": {text}',
                    "rule add tap new pref 1 port x action skip")
        bed.refused("main as the 17th", f"1: {text}", "rule add pref 1 port x action skip")
        bed.tell("rule flush tap t3", "session flush tap t3",
                 f"session add s tap new {COLLECTOR} key 99",
                 "rule add tap new pref 1 port vnet* action mirror s")
        ksft_eq(bed.shoot(1), {i: [1] for i in (
            1, 2, *range(4, 17), 99)}, "one that takes the place of another")
        bed.refused("one deleted, and two new", f'4: tap "y": {text}', "rule flush tap t4",
                    "session flush tap t4",
                    "rule add tap x pref 1 port x action skip",
                    "rule add tap y pref 1 port x action skip")
        for tap in taps[:2]:
            bed.tell(f"rule flush tap {tap}")
        ksft_eq(len(vtap_json("tap", bed.host)), 16, "a tap stays for its session")
        bed.tell("session flush tap t1")
        ksft_eq(len(vtap_json("tap", bed.host)), 15, "and goes with it")
        bed.tell("rule add pref 1 port x action skip")
        ksft_eq(vtap_json("tap", bed.host)[-1]["name"], "main", "then there is room")


def half(copies):
    """Return: whether half of 1024 frames have one copy, give or take 5 standard deviations. A rule
    that chose again at the second port would copy 640 on average, or 768."""
    return 432 <= sum(copies) <= 592 and set(copies) == {0, 1}


def sampling():
    """Sampling in one tap leaves the other whole; each rule remembers what it did not choose."""
    with Bed(*TWO, "rule add pref 1 port vnet* sample 2 action mirror s",
             "rule add tap sec pref 1 port vnet* action mirror s") as bed:
        got = bed.shoot(1024)
        ksft_true(half(got[1]), "half of the frames for one, once each", sum(got[1]))
        ksft_eq(got[2], [1] * 1024, "all for the other, once each")
        bed.tell("rule flush tap sec",
                 "rule add tap sec pref 1 port vnet* sample 2 action mirror s")
        got = bed.shoot(1024)
        for key in (1, 2):
            ksft_true(half(got[key]), f"both sample: half for tap {key}, once each",
                      sum(got[key]))
        ksft_true(got[1] != got[2], "each chose by itself")


def once():
    """A frame that passes two ports goes once to a session, whatever the other tap does with it."""
    with Bed(*TWO, "rule add pref 1 port vnet0 dir ingress action mirror s",
             "rule add tap sec pref 1 port vnet1 dir egress action mirror s") as bed:
        ksft_eq(bed.shoot(4), {1: [1] * 4, 2: [1] * 4},
                "one at ingress, the other at egress: each once")
        ksft_eq(bed.ports()["dup"], 0, "nothing was left out")
        bed.tell("rule flush", "rule flush tap sec", "rule add pref 1 port vnet* action mirror s",
                 "rule add tap sec pref 1 port vnet* action mirror s dup on")
        before = bed.ports()
        ksft_eq(bed.shoot(4), {1: [1] * 4, 2: [2] * 4}, "dup on in one tap alone")
        counts = bed.ports() - before
        ksft_eq(counts["dup"], 4, "the other one's copies are counted as dup")
        stats = [s["stats"] for s in vtap_json("-s session show", bed.host)]
        ksft_eq([s["matched"] for s in stats],
                [s["sent"] + sum(n for k, n in s.items() if k.startswith("drop")) for s in stats],
                "matched of sessions is sent and drops")


def together():
    """A transaction over two taps is made whole or not at all, the taps themselves included."""
    with Bed(*TWO, "rule add pref 1 port vnet0 dir ingress action mirror s",
             "rule add tap sec pref 1 port vnet0 dir ingress action mirror s") as bed:
        good = ["rule flush", "rule add tap sec pref 7 port vnet1 action mirror s",
                f"session add n tap new {COLLECTOR} key 3", "session set s tap sec key 9",
                "rule add tap new pref 1 port vnet0 dir ingress action mirror n"]
        for at in (0, 2, len(good)):
            bed.refused(f"a bad change, number {at}",
                        f'{at + 1}: session "none": no session has this name', *good[:at],
                        "rule add tap new pref 1 port vnet0 action mirror none", *good[at:])
        bed.refused("a rule with a session of another tap",
                    '6: session "n": the session is of another tap',
                    *good, "rule add pref 9 port vnet0 action mirror n")
        bed.refused("a session of a tap that is none", '6: tap "none": no tap of this name',
                    *good, "session del s tap none")
        bed.refused("a session that its tap has", "6: a session with this name exists",
                    *good, f"session add n tap new {COLLECTOR}")
        bed.refused("a session in use by its tap", "6: the session is used by a rule",
                    *good, "session flush tap sec")
        bed.refused("a tap with a blank",
                    '6: tap "a b": a tap\'s name has letters, digits and _.:@- only',
                    *good, f"session add s tap 'a b' {COLLECTOR}")
        ksft_eq(bed.shoot(2), {1: [1, 1], 2: [1, 1]}, "nothing came of all that")
        bed.tell(*good)
        ksft_eq(bed.shoot(2), {3: [1, 1], 9: [1, 1]}, "without the bad change")
        ksft_eq([t["name"] for t in vtap_json("tap", bed.host)], ["main", "sec", "new"], "the taps")


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([observers, tunnels, apart, files, limits, sampling, once, together])
    ksft_exit()
