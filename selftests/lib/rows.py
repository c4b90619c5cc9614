# SPDX-License-Identifier: GPL-2.0
"""Rows of traffic through a host, places to tap it, and the copies of each numbered frame."""
import collections
import contextlib
import struct

from .capture import Sender, Sniffer
from .frames import ether, frame_number, is_numbered, tcp_frame, udp_frame
from .ns import one_cpu, sh, vtap, vtap_batch, vtap_json
from .tap import SLOW, busywait, ksft_eq, ksft_true
from .topo import VM, World, wire

IP = "10.0.0.%d"
GATEWAY = "02:00:00:00:02:01"  # of every device by which the host itself is reached
FIRST_PORT = 5000  # destination port of the first row
REWRITTEN = 500  # what is added to it where it is rewritten
MARK = 99999999
KEYS = {"s": 7, "t": 8}
BROADCAST, MULTICAST, UNKNOWN = "ff:ff:ff:ff:ff:ff", "01:00:5e:01:02:03", VM % 0x77


class Row:
    """A kind of traffic: frames from VM TX that arrive at the VMs RX; a letter each, "" for none.

    DST, DST_IP, SRC, VLAN: of the frames, where they are not those of the VMs. BEFORE, AFTER: match
    words, or a filter, that only the frame that comes in, and only the one that goes out, has;
    DPORT_CHANGES: the destination port is another one then. OUTS: tapped ports by which a frame
    goes out. N: how many frames; MORE: copies that each may cost more. TC, NFT, FLOW: how the host
    rewrites them, NEW in them being the port when it changes. PROTO: 17 or 6."""

    def __init__(self, name, tx, rx, *, dst=None, dst_ip=None, src=None, vlan=None, before="",
                 after="",
                 dport_changes=False, outs=None, n=3, more=0, tc="", nft="", flow="", proto=17):
        self.name, self.tx, self.rx = name, tx, rx
        self.dst, self.dst_ip, self.src, self.vlan = dst, dst_ip, src, vlan
        self.words = before, after
        self.outs = len(rx) if outs is None else outs
        self.n, self.more, self.proto, self.sport = n, more, proto, 1024
        self.dport_changes, self.index = dport_changes, None
        self.how = {"tc": tc, "nft": nft, "flow": flow}

    @property
    def dport(self):
        return FIRST_PORT + self.index

    def rewriting(self, by):
        """Return: what makes BY ("tc", "nft", "flow") rewrite it, or ""."""
        return self.how[by].replace("NEW", str(self.dport + REWRITTEN))

    def match(self, after):
        """Return: words for the frames of this row alone, as they come in or as they go out."""
        port = self.dport + REWRITTEN * (after and self.dport_changes)
        return f"ip_proto {self.proto} dst_port {port} {self.words[after]}"

    def before(self):
        return self.match(False)

    def after(self):
        return self.match(True)

    def frame(self, bed, n):
        """Return: frame number N."""
        to = self.rx[:1] or "b"
        make = tcp_frame if self.proto == 6 else udp_frame
        return make(self.dst or bed.mac(to), self.src or bed.mac(self.tx), bed.address(self.tx),
                    self.dst_ip or bed.address(to), sport=self.sport, dport=self.dport,
                    vlan=self.vlan,
                    payload=b"vtap#%08d" % n + b"." * 40)


class Place:
    """A way to tap: RULES, or a function that gives those of a Row; EXPECT: copies of each frame
    for the sessions s and t, or one number for s, or a function of a Row and its Bed;
    ONLY: a function: does the place suit a Row?"""

    def __init__(self, name, rules, expect=1, only=None):
        self.name, self.rules, self.only = name, rules, only
        self.expect = expect if callable(expect) else lambda row, bed: expect

    def lines(self, rows):
        return [line for row in rows
                for line in self.rules(row)] if callable(self.rules) else self.rules

    def want(self, row, bed):
        want = self.expect(row, bed)
        return want if isinstance(want, tuple) else (want, 0)


class Bed:
    """Host h of a World with VMs, one letter each. PATTERN: its ports to tap, all but the host's
    own devices. tags: VLAN ids of VMs that are not reached without; linger: seconds to wait for
    copies that another CPU may still send."""

    def __init__(self, name, vms="abcd", pattern="'[ve]*'"):
        self.name, self.vms, self.pattern, self.rows = name, vms, pattern, []
        self.stack, self.shots, self.where, self.addresses = contextlib.ExitStack(), 0, {}, {}
        self.port, self.tags, self.linger = {}, {}, 0

    def __enter__(self):
        self.w = self.stack.enter_context(World("h", *self.vms))
        self.h = self.w.h
        for ns in self.w.all:  # no multicast listener reports, which would be counted
            ns.sysctl(net__ipv6__conf__all__disable_ipv6=1,
                      net__ipv6__conf__default__disable_ipv6=1)
        self.w.host(self.h)
        self.h.ip("link set lo up",
                  "neigh replace 192.0.2.9 lladdr 02:00:00:00:09:01 dev up0 nud permanent",
                  f"link set br0 address {GATEWAY}")
        wire(self.h, "mark0", self.w.col, "mark")
        vtap("session add t type gre remote 192.0.2.9 key 8", self.h)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def vm(self, letter, port, master=None, address=None, peer="eth0"):
        """Connect the VM LETTER to the host's device PORT."""
        n = ord(letter) - ord("a") + 1
        ns = getattr(self.w, letter)
        wire(self.h, port, ns, peer, mac2=VM % n)
        if master:
            self.h.ip(f"link set {port} master {master}")
        self.where[letter], self.port[letter] = (ns, peer), port
        self.addresses[letter] = address or IP % n

    def mac(self, letter):
        return VM % (ord(letter) - ord("a") + 1)

    def address(self, letter):
        return self.addresses[letter]

    def routed(self, dev, mine_, *letters):
        """The host has address MINE_ on DEV and knows the VMs behind it."""
        self.h.ip(f"address add {mine_} dev {dev}", *[
            f"neigh replace {self.address(x)} lladdr {self.mac(x)} dev {dev} nud permanent"
            for x in letters])

    def have(self, rows):
        """Use ROWS from now on."""
        self.rows = rows
        for index, row in enumerate(rows):
            row.index = index

    def rewrite(self):
        """Configure tc at ingress and nftables to rewrite the frames of the rows that ask for
        it."""
        by_tc, chains = collections.defaultdict(list), collections.defaultdict(list)
        for row in self.rows:
            if action := row.rewriting("tc"):
                kind = ("802.1q", "vlan_ethtype ip ") if row.vlan else ("ip", "")
                by_tc[self.port[row.tx]].append(
                    f"ingress protocol {kind[0]} pref {row.index + 1} flower {kind[1]}"
                    f"ip_proto udp dst_port {row.dport} {action}")
            if text := row.rewriting("nft"):
                chain, text = text.split(" ", 1)
                chains[chain].append(f"udp dport {row.dport} {text}")
        for dev, lines in by_tc.items():
            self.tc(f"qdisc add dev {dev} clsact", *[f"filter add dev {dev} {line}"
                                                     for line in lines])
        hooks = {"pre": ("ip", "nat hook prerouting priority -100"),
                 "post": ("ip", "nat hook postrouting priority 100"),
                 "fwd": ("bridge", "filter hook forward priority -200")}
        text = ""
        for chain, lines in chains.items():
            family, kind = hooks[chain]
            lines = "\n".join(lines)
            text += f"table {family} t{chain} {{ chain c {{ type {kind};\n{lines}\n}}; }}\n"
        if text:
            self.h.sh("nft -f -", input=text)

    def tc(self, *lines):
        self.h.sh("tc -batch -", input="\n".join(lines) + "\n")

    def ready(self):
        """Wait for the ports, and let the switches learn where each VM is."""
        self.w.ready()
        if not busywait(lambda: all(ns.running(dev) for ns, dev in self.where.values())):
            raise RuntimeError("the links do not come up")
        self.tx = {x: self.stack.enter_context(Sender(ns, dev)) for x,
                   (ns, dev) in self.where.items()}
        self.rx = {x: self.stack.enter_context(Sniffer(ns, dev, match=is_numbered)) for x,
                   (ns, dev) in self.where.items()}
        for rx in self.rx.values():  # no clone of what the VM itself sends, which would keep memory
            rx.sock.setsockopt(Sniffer.SOL_PACKET, 23, 1)  # PACKET_IGNORE_OUTGOING
        self.mark = self.stack.enter_context(Sender(self.w.col, "mark"))
        self.col, = self.w.copies(is_numbered)
        self.stack.enter_context(self.col)
        for letter, tx in self.tx.items():
            tx.send(ether(BROADCAST, self.mac(letter), 0x88b5, bytes(50), self.tags.get(letter)))

    def rules(self, *lines):
        """Replace all rules by LINES."""
        batch = ["rule flush", "rule add pref 1 port mark0 dir ingress action mirror s,t"]
        batch += [f"rule add pref {pref} {line}" for pref, line in enumerate(lines, 10)]
        vtap_batch(self.h, *batch)

    def shoot(self, rows=None):
        """Send the frames of ROWS, or all. Return: ({(row, session): [copies of each frame]}, names
        of rows of which frames did not arrive)."""
        rows = self.rows if rows is None else rows
        self.shots += 1
        sent, far = {}, {x: set() for x in self.rx}
        with one_cpu(0):
            for row in rows:
                sent[row] = [self.shots * 100000 + row.index * 1000 + i for i in range(row.n)]
                self.tx[row.tx].send(*[row.frame(self, i) for i in sent[row]])

        def missing():
            for x, rx in self.rx.items():
                far[x].update(frame_number(f) for f in rx.frames())
            return [row.name for row in rows if any(not far[x].issuperset(sent[row])
                                                    for x in row.rx)]
        busywait(lambda: not missing(), 2)
        copies = self.collect()
        got = {(row, name): [copies[key, i] for i in sent[row]] for row in rows for name,
               key in KEYS.items()}
        return got, missing()

    def collect(self):
        """Return: {(key, number): copies} of all that was copied up to now."""
        copies = collections.Counter()
        with one_cpu(0):
            self.mark.send(udp_frame("02:00:00:00:03:01", "02:00:00:00:03:02", "10.9.0.1",
                                     "10.9.0.2",
                                     payload=b"vtap#%08d" % MARK))

        def through():
            copies.update((struct.unpack("!I", f[38:42])[0], frame_number(f))
                          for f in self.col.frames(1, 0.2))
            return all(copies[key, MARK] for key in KEYS.values())
        if not busywait(through, 20):
            raise RuntimeError("the last frame is not copied")
        busywait(lambda: False, self.linger / SLOW)
        copies.update((struct.unpack("!I", f[38:42])[0], frame_number(f))
                      for f in self.col.frames())
        return copies

    def counters(self):
        """Return: sums of what ports matched and left out as duplicates, and what sessions did."""
        ports = vtap_json("-s port show", self.h)
        sessions = [s["stats"] for s in vtap_json("-s session show", self.h)]
        both = [p[d] for p in ports for d in ("ingress", "egress")]
        return collections.Counter(
            port=sum(c["matched"] for c in both), dup=sum(c["dup"] for c in both),
            matched=sum(s["matched"] for s in sessions), sent=sum(s["sent"] for s in sessions),
            drop=sum(n for s in sessions for k, n in s.items() if k.startswith("drop")))

    def balance(self, what, before, sampled=False):
        """What was matched since BEFORE was copied, counted as a duplicate, or dropped."""
        now = self.counters()
        d = {k: now[k] - before[k] for k in now}
        ksft_eq(d["matched"], d["sent"] + d["drop"],
                f"{what}: a session's matched is sent and drops")
        if not sampled:  # each rule has one session, but for the one of the last frame
            ksft_eq(d["port"] + 1, d["matched"] + d["dup"],
                    f"{what}: what ports matched was sent, dropped or counted as dup")

    def check(self, *places, what="", rows=None):
        """Tap each of PLACES in turn, send all rows, and count the copies."""
        for place in places:
            chosen = [r for r in (self.rows if rows is None else rows) if place.only is None
                      or place.only(r)]
            if not chosen:
                continue
            self.rules(*place.lines(chosen))
            before = self.counters()
            got, lost = self.shoot(chosen)
            name = f"{self.name}{what}: {place.name}"
            wrong = []
            for row in chosen:
                want = place.want(row, self)
                seen = tuple(got[row, s] for s in KEYS)
                if not all(w <= n <= w + (row.more if w else 0) for w,
                           ns in zip(want, seen) for n in ns):
                    counts = [sorted(set(ns)) for ns in seen]
                    wrong.append(f"{row.name}: of each frame {counts} copies instead of {want}")
            ksft_true(not wrong, f"{name}: {len(chosen)} rows", "\n".join(wrong))
            ksft_eq(lost, [], f"{name}: all frames arrive")
            self.balance(name, before)


def rewritten(row):
    """Return: True if the host changes the frames of ROW."""
    return row.before() != row.after()


def arrives(row):
    """Return: True if the frames of ROW leave by a tapped port."""
    return row.outs > 0


def places(bed, master=None, more=()):
    """Return: all places to tap BED; MASTER: a switch, and a function: does a row pass it?"""
    p = f"port {bed.pattern}"
    s, t = "action mirror s", "action mirror t"
    found = [
        Place("no rule", [], 0),
        Place("port '*'", [f"port '*' {s}"]),
        Place("ports by pattern, both directions", [f"{p} {s}"]),
        Place("ingress only", [f"{p} dir ingress {s}"]),
        Place("egress only", [f"{p} dir egress {s}"], lambda row, bed: row.outs),
        Place("dup on", [f"{p} dup on {s}"], lambda row, bed: 1 + row.outs),
        Place("mac of a", [f"mac {bed.mac('a')} {s}"], lambda row,
              bed: int("a" in row.tx + row.rx[:1]),
              only=lambda row: row.outs < 2 and row.dst is None and row.src is None),
        Place("s at ingress, t at egress", [f"{p} dir ingress {s}", f"{p} dir egress {t}"], (1, 1),
              only=arrives),
        Place("what only the frame that goes out matches", lambda row: [f"{p} {row.after()} {s}"],
              only=arrives),
        Place("what only the frame that comes in matches", lambda row: [f"{p} {row.before()} {s}"]),
        Place("one session by both", lambda row: [f"{p} dir ingress {row.before()} {s}",
                                                  f"{p} dir egress {row.after()} {s}"]),
        Place("s by the one, t by the other",
              lambda row: [f"{p} dir ingress {row.before()} {s}",
                           f"{p} dir egress {row.after()} {t}"], (1, 1), only=arrives),
        Place("after a rule that never matches",
              lambda row: [f"{p} dir ingress {row.after()} {t}",
                           f"{p} dir egress {row.after()} {s}"], (1, 0),
              only=lambda row: arrives(row) and rewritten(row)),
    ]
    if master:
        name, passes = master
        found.append(Place(f"master {name}", [f"master {name} {s}"], lambda row,
                           bed: int(passes(row))))
    return found + list(more)


def sampling(bed, row):
    """A frame not chosen at ingress is not copied at egress by this rule, but by another one."""
    p, n = f"port {bed.pattern}", row.n
    row.n = 64
    bed.rules(f"{p} sample 2 action mirror s")
    before = bed.counters()
    copies = bed.shoot([row])[0][row, "s"]
    ksft_true(10 < sum(copies) < 54 and set(copies) == {0, 1},
              f"{bed.name}: sample 2: about half of the frames, once each", copies)
    bed.balance(f"{bed.name}: sample 2", before, sampled=True)
    bed.rules(f"{p} dir ingress sample 2 action mirror s", f"{p} dir egress action mirror s")
    copies = bed.shoot([row])[0][row, "s"]
    ksft_eq(copies, [1] * row.n, f"{bed.name}: sample 2 at ingress and all at egress: each once")
    bed.rules(f"{p} sample 2 dup on action mirror s")
    copies = bed.shoot([row])[0][row, "s"]
    ksft_true(set(copies) == {0, 1, 2} and 32 < sum(copies) < 96,
              f"{bed.name}: sample 2, dup on: each port chooses", copies)
    row.n = n


def in_sysfs(ns, dev, cpus):
    """Let CPUS, a mask, receive for DEV (RPS). sysfs shows the namespace that it was mounted in."""
    sh(["ip", "netns", "exec", ns.name, "sh", "-c",
        f"echo {cpus} > /sys/class/net/{dev}/queues/rx-0/rps_cpus"])
