#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Random lifecycle operations on every master under full traffic, while other processes, each on a
processor of its own, change rules in transactions, dump them, and take the way to a collector away:
nothing breaks, and production loses nothing. Then the module goes and comes under all of that.

storm.py [SECONDS [SEED]]: without SEED a new one, which is printed; SECONDS are 30, or what
VTAP_STORM says.
"""
import contextlib
import errno
import json
import os
import random
import select
import sys
import threading
import time
import traceback

from lib import (A, INSIDE, P0, PARAM, SLOW, NetNS, Rig, Sender, Sniffer, busywait, frame_number,
                 is_numbered, ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_skip, ksft_true, libc,
                 mac as lib_mac, modprobe, numbered, param, sh, vtap, vtap_json)
from lib.masters import kinds
from lib.nl import BASE, Client, Netlink as lib_Netlink, NlError, NlMsgs

SECONDS = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("VTAP_STORM", 30))
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
VMS = ("02:00:00:00:02:01", "02:00:00:00:02:02")
CPU = "/sys/devices/system/cpu/cpu1/online"
KO = os.environ.get("VTAP_KO")
LEAST = 8  # operations of each, however slow the machine is
PAIRS = 1000  # where the pairs of rules begin, by pref
rng = random.Random(SEED)


def pin(cpu):
    """Stay on a processor, as long as it is there."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {cpu % os.cpu_count()})


class Worker:
    """A process that does its op_* at random until it is told to end. SAID: (operations, what was
    wrong, what it tells)."""
    cpu = 0

    def __init__(self, storm, seed, loaded=True):
        """LOADED: the module is there all the time."""
        self.storm, self.loaded, self.wrong, self.count, self.said = storm, loaded, [], 0, None
        self.rng = random.Random(f"{seed} {type(self).__name__}")
        from_it, to_me = os.pipe()
        to_end, self.tells_end = os.pipe()
        self.answer = from_it
        self.pid = os.fork()
        if self.pid:
            os.close(to_me)
            os.close(to_end)
            return
        libc.prctl(1, 9)  # PR_SET_PDEATHSIG: not without its parent
        try:
            self._run(to_end)
            said = self.count, self.wrong[:5], self.tells()
        except BaseException:  # pylint: disable=broad-except
            said = self.count, [traceback.format_exc()], None
        os.write(to_me, json.dumps(said).encode())
        os._exit(0)

    def _run(self, to_end):
        self.begin()
        names = sorted(n for n in dir(self) if n.startswith("op_"))
        rest = 0.02 if self.loaded else 0.2  # who dumps all the time keeps the module from going
        while self.count < LEAST or not select.select([to_end], [], [],
                                                      rest * self.rng.random())[0]:
            if self.count % 20 == 0:
                pin(self.cpu)
            name = self.rng.choice(names)
            try:
                getattr(self, name)()
            except (NlError, KeyError, OSError) as e:
                if self.loaded:
                    self.wrong.append(f"{name}: {e!r}")
                else:
                    self.again()
            self.count += 1

    def begin(self):
        """Before the first operation."""

    def again(self):
        """The module went."""

    def tells(self):
        """Return: something of what it knows at the end."""

    def end(self):
        """Let it end. Return: what it said."""
        os.write(self.tells_end, b"x")
        os.close(self.tells_end)
        with os.fdopen(self.answer, "rb") as f:
            self.said = json.loads(f.read() or '[0, ["it died"], null]')
        os.waitpid(self.pid, 0)
        return self.said


class Netlink(Worker):
    """One that has a netlink socket."""

    def begin(self):
        self.nl = Client(self.storm.host)

    def again(self):
        """The family has another number when it comes back."""
        sys.modules[NlMsgs.__module__].genl_family_name_to_id = None
        with contextlib.suppress(KeyError):
            self.nl.y.nlproto = type(self.nl.y.nlproto)("vtap")
        self.nl.y.sock.close()
        with self.storm.host.enter():
            self.nl._open()


class Rules(Netlink):
    """Pairs of rules that come, change and go together, and sessions. It is alone to do so, and so
    knows all that there is."""
    cpu = 1

    def begin(self):
        super().begin()
        self.pairs, self.sessions = {}, set()

    def again(self):
        super().again()
        self.pairs, self.sessions = {}, set()

    def commit(self, *changes):
        """Return: the reply to a transaction."""
        return self.nl.do("commit", change=list(changes))

    def op_add(self):
        """A pair more."""
        if len(self.pairs) > 40:
            return
        pref = self.rng.randrange(PAIRS, 1 << 20)
        bind = self.rng.choice(({"port": "none*"}, {"port": "vnet*"}, {"port": "p*"},
                                {"master": "m0"}, {"master": "br0"}))
        sample = self.rng.randrange(1, 9)
        rule = {"pref": pref, "action": "mirror", "session": ["flap"], "sample": sample, **bind}
        first = self.commit({"rule-new": {**rule, "match": {"ip-proto": 6}}},
                            {"rule-new": rule})["first-id"]
        self.pairs[pref] = [first, sample]

    def op_change(self):
        """Both rules of a pair sample anew."""
        if self.pairs:
            pair = self.pairs[self.rng.choice(sorted(self.pairs))]
            sample = self.rng.randrange(1, 9)
            self.commit(*[{"rule-set": {"id": pair[0] + n, "sample": sample}} for n in (0, 1)])
            pair[1] = sample

    def op_delete(self):
        """A pair less, in one of two ways."""
        if self.pairs:
            pref = self.rng.choice(sorted(self.pairs))
            first = self.pairs[pref][0]
            self.commit(*self.rng.choice(([{"rule-flush": {"pref": pref}}],
                                          [{"rule-del": {"id": first + n}}
                                           for n in self.rng.sample((0, 1), 2)])))
            del self.pairs[pref]

    def op_refused(self):
        """A transaction whose last change is refused."""
        rule = {"pref": PAIRS, "action": "mirror", "session": ["flap"], "port": "vnet*"}
        try:
            self.commit({"rule-new": rule}, {"session-new": {"name": "lost", "type": "port",
                                                             "dev": "p0"}},
                        *[{"rule-del": {"id": p[0]}} for p in self.pairs.values()],
                        {"session-del": {"name": "none"}})
        except NlError as e:
            if e.error != errno.ENOENT:
                raise
            return
        self.wrong.append("a transaction with a session that is not there is not refused")

    def op_session(self):
        """A session comes, changes or goes."""
        name = f"w{self.rng.randrange(4)}"
        if name not in self.sessions:
            self.nl.do("session-new", name=name, type="erspan2", id=self.rng.randrange(1024),
                       remote=bytes([192, 0, 3, 9]))
            self.sessions.add(name)
        elif self.rng.random() < 0.5:
            self.nl.do("session-set", name=name, rate=self.rng.randrange(8000, 1 << 20),
                       remote=bytes([192, 0, self.rng.choice((2, 3)), 9]))
        else:
            self.nl.do("session-del", name=name)
            self.sessions.remove(name)

    def tells(self):
        return sorted((pref, sample) for pref, (_, sample) in self.pairs.items()), \
            sorted(self.sessions)


def pairs(rules):
    """Return: the pairs of rules, each (pref, sample), and prefs that have no whole one."""
    by_pref = {}
    for r in rules:
        if r["pref"] >= PAIRS:
            by_pref.setdefault(r["pref"], []).append(r["sample"])
    half = [pref for pref, samples in by_pref.items() if len(samples) != 2
            or samples[0] != samples[1]]
    return sorted((pref, samples[0]) for pref, samples in by_pref.items()), half


class Dumps(Netlink):
    """Who looks at everything all the time."""

    def dump(self, what):
        """Return: what there is, or None when a change came between the messages."""
        y, op = self.nl.y, BASE.ops[what + "-get"]
        y.sock.send(y._encode_message(op, {}, [lib_Netlink.NLM_F_DUMP], 9))
        objs, whole = [], True
        while True:
            for msg in NlMsgs(y.sock.recv(8192), attr_space=op.attr_set):
                whole &= not msg.nl_flags & 0x10  # NLM_F_DUMP_INTR
                if msg.error:
                    raise NlError(msg)
                if msg.done:
                    return objs if whole else None
                objs.append(y._decode(y.nlproto.decode(y, msg, op).raw_attrs, op.attr_set.name))

    def op_rules(self):
        """No dump that is whole has half a transaction."""
        rules = self.dump("rule")
        half = pairs(rules)[1] if rules else []
        if half:
            self.wrong.append(f"half a transaction: {half[:3]} of "
                              f"{[(r['pref'], r['id'], r['sample']) for r in rules][:50]}")

    def op_sessions(self):
        self.dump("session")

    def op_ports(self):
        self.dump("port")

    def op_half(self):
        """A dump that nobody reads to its end."""
        with Client(self.storm.host) as nl:
            op = BASE.ops["rule-get"]
            nl.y.nlproto = self.nl.y.nlproto
            nl.y.sock.send(nl.y._encode_message(op, {}, [lib_Netlink.NLM_F_DUMP], 9))
            nl.y.sock.recv(4096)


class Ways(Worker):
    """The collector 192.0.3.9 behind up1, which comes and goes in every way that there is."""
    cpu = 1
    UP = ("link set up1 up mtu 1500", "address replace 192.0.3.1/24 dev up1",
          "neigh replace 192.0.3.9 lladdr 02:00:00:00:03:09 dev up1 nud permanent")

    def ip(self, *lines, ns=None):
        """What does not fit right now may fail."""
        (ns or self.storm.host).sh(["ip", "-force", "-batch", "-"], input="\n".join(lines) + "\n",
                                   check=False)

    def op_link(self):
        self.ip("link set up1 down", *self.UP)

    def op_carrier(self):
        self.ip("link set eth1 down", "link set eth1 up", ns=self.storm.col)

    def op_address(self):
        self.ip("address flush dev up1", *self.UP)

    def op_neighbour(self):
        self.ip("neigh del 192.0.3.9 dev up1")
        self.ip(f"neigh replace 192.0.3.9 lladdr 02:00:00:00:03:{self.rng.randrange(256):02x} dev "
                "up1 nud reachable", *self.UP)

    def op_route(self):
        self.ip("route replace 192.0.3.9 "
                f"{self.rng.choice(('dev up1 mtu 600', 'dev lo', 'dev up0'))}",
                "route del 192.0.3.9")
        self.ip("route add blackhole 192.0.3.9", "route del blackhole 192.0.3.9")

    def op_mtu(self):
        self.ip(f"link set up1 mtu {self.rng.choice((68, 300, 1400, 9000))}", *self.UP)

    def tells(self):
        self.ip(*self.UP)


class Storm(Rig):
    """The rig with its port p0 that suffers, and two VMs on a tapped bridge beside it, whose
    traffic must not."""

    def __init__(self):
        super().__init__()
        self.vms = NetNS.many("vm1", "vm2")
        self.all = (*self.all, *self.vms)
        self.kinds = [k for k in kinds() if k.name != "bond 802.3ad"]
        self.kind, self.count, self.online, self.toggles = None, {}, True, 0

    def __enter__(self):
        super().__enter__()
        self.host.ip(f"link add up1 type veth peer name eth1 netns {self.col.name}",
                     "link set up1 addrgenmode none", *Ways.UP)
        self.col.ip("link set eth1 addrgenmode none up")
        self.host.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0",
                     "link set br0 addrgenmode none up")
        for n, (ns, mac) in enumerate(zip(self.vms, VMS)):
            self.host.ip(f"link add vnet{n} type veth peer name eth0 netns {ns.name} address {mac}",
                         f"link set vnet{n} addrgenmode none up master br0")
            ns.ip("link set eth0 addrgenmode none up")
        if not busywait(lambda: self.host.running("vnet0", "vnet1")):
            raise RuntimeError("the links of the VMs do not come up")
        return self

    def __exit__(self, *exc):
        self.cpu(True)
        super().__exit__(*exc)

    def present(self, name="p0"):
        return name in self.host.links()

    # operations; each is legal whatever went before, and so has to succeed

    def op_change(self):
        """Another master, or none."""
        if not self.present():
            return
        self.leave()
        self.kind = rng.choice(self.kinds)
        self.kind.up(self)
        self.kind.attach(self)

    def leave(self):
        """Take the port out of its master and the master away, in either order."""
        kind, self.kind = self.kind, None
        if kind and kind.module:
            if rng.random() < 0.5 and not kind.upper:
                kind.release(self)
            kind.down(self)

    def op_reattach(self):
        """Released and enslaved at once."""
        if self.kind and self.present():
            self.kind.release(self)
            self.kind.attach(self)

    def op_rename(self):
        """Out of the pattern and back."""
        if self.present():
            self.host.ip("link set p0 down", "link set p0 name zz", "link set zz up",
                         "link set zz down", "link set zz name p0", "link set p0 up")

    def op_move(self):
        """To another namespace and back."""
        if self.present():
            self.leave()
            self.host.ip(f"link set p0 netns {self.b.name}")
            self.b.ip(f"link set p0 netns {self.host.name}")
            self.host.ip("link set p0 up")

    def op_replug(self):
        """Deleted, its master still there, and a new one of the same name plugged in."""
        start = time.monotonic()
        self.host.ip("link del p0")
        if time.monotonic() - start > 8 * SLOW:
            raise RuntimeError("a reference held the device")
        self.add_port()
        if "m0" in self.host.links():
            self.kind.down(self)
        self.kind = None

    def op_rules(self):
        """Other rules for the suffering port, or none."""
        self.flush = not getattr(self, "flush", False)
        vtap("rule flush pref 10", self.host)
        if not self.flush:
            self.tap(rng.choice(("port 'p*'", "port p0", "master m0", f"mac {INSIDE}",
                                 f"mac {P0}")))

    def op_chain(self):
        """The chain on or off."""
        if os.path.exists(PARAM):
            with open(PARAM, "w", encoding="ascii") as f:
                f.write(rng.choice("YN"))

    def op_vlan(self):
        """A VLAN device comes and goes."""
        if self.present() and not (self.kind and self.kind.name == "VLAN device"):
            self.host.ip("link add link p0 name p0.9 type vlan id 9",
                         "link set p0.9 addrgenmode none up", "link del p0.9")

    def op_down(self):
        """Down and up."""
        if self.present():
            self.host.ip("link set p0 down", "link set p0 up")

    def op_cpu(self):
        """The other processor leaves, or comes back; its frames and counters stay."""
        self.cpu(not self.online)

    def cpu(self, on):
        """Turn the other processor, if there is one, on or off."""
        if os.path.exists(CPU):
            with open(CPU, "w", encoding="ascii") as f:
                f.write(f"{on:d}")
            self.toggles += self.online != on
            self.online = on

    def step(self):
        """One random operation."""
        name = rng.choice(sorted(n for n in dir(self) if n.startswith("op_")))
        self.count[name] = self.count.get(name, 0) + 1
        try:
            getattr(self, name)()
        except Exception as e:
            kind = self.kind.name if self.kind else "no master"
            raise RuntimeError(f"{name} with {kind}: {e!r} {getattr(e, 'stderr', '')}") from e


class Stream(threading.Thread):
    """Numbered frames from one place, without end; as many as the receivers can take. Frames of a
    sender that goes from one processor to another overtake each other, tapped or not: where order
    is looked at it is PINNED to one."""

    def __init__(self, ns, dst, src, pinned=True):
        super().__init__(daemon=True)
        self.tx, self.dst, self.src, self.n, self.stop = Sender(ns, "eth0"), dst, src, 0, False
        self.pinned = pinned
        # those that have arrived: the sender waits for a receiver that is slow
        self.received = None

    def run(self):
        if self.pinned:
            os.sched_setaffinity(0, {0})
        while not self.stop:
            if self.received is not None and self.n - len(self.received) > 500:
                time.sleep(0.01)
                continue
            try:
                self.tx.send(numbered(self.n, self.dst, self.src))
                self.n += 1
            except OSError:
                pass
            if self.n % 4 == 0:
                time.sleep(0.01)

    def end(self):
        self.stop = True
        self.join()
        self.tx.sock.close()


def overtaken(frames):
    """Return: the numbers of frames that came after a higher one."""
    return [b for a, b in zip(frames, frames[1:]) if b < a]


def configure(host):
    """The sessions and rules of the VMs, and a session whose collector comes and goes."""
    vtap("session add vms type gre remote 192.0.2.9 key 9", host)
    vtap("session add flap type erspan3 id 3 remote 192.0.3.9", host)
    vtap("rule add pref 20 port 'vnet*' dir both action mirror vms", host)


class Watch:
    """What the VMs send each other without end, what arrives and what is copied."""

    def __init__(self, r):
        self.streams = [Stream(r.vms[0], VMS[1], VMS[0]), Stream(r.vms[1], VMS[0], VMS[1]),
                        Stream(r.a, INSIDE, A, False)]
        self.sniffers = [Sniffer(ns, "eth0", match=lambda f, m=mac: is_numbered(f) and f[:6] ==
                                 lib_mac(m)) for ns, mac in zip(r.vms[::-1], VMS[::-1])]
        self.col = Sniffer(r.col, "eth0", match=lambda f: is_numbered(f) and f[38:42] ==
                           b"\0\0\0\x09")
        self.got, self.copied = [[], []], {mac: [] for mac in VMS}
        for stream, got in zip(self.streams, self.got):
            stream.received = got

    def drain(self):
        """Take in what has come."""
        for seen, s in zip(self.got, self.sniffers):
            seen += [frame_number(f) for f in s.frames()]
        for f in self.col.frames():
            self.copied[":".join(f"{b:02x}" for b in f[42:48])].append(frame_number(f))

    def __enter__(self):
        for s in self.streams:
            s.start()
        return self

    def __exit__(self, *exc):
        for s in (*self.sniffers, self.col):
            s.sock.close()

    def end(self, copies=True):
        """No more is sent, and all of it is here. COPIES: theirs, too."""
        for s in self.streams:
            s.end()
        busywait(lambda: self.drain() or all(len(g) >= s.n for g, s in zip(self.got, self.streams)),
                 30)
        if copies:
            busywait(lambda: self.drain() or all(len(self.copied[m]) >= s.n
                                                 for m, s in zip(VMS[::-1], self.streams)), 30)

    def production(self):
        """Nothing has happened to the frames themselves."""
        for n, (seen, s) in enumerate(zip(self.got, self.streams), 1):
            ksft_true(s.n > 50 and sorted(seen) == list(range(s.n)),
                      f"VM {n}: of {s.n} frames none is lost or doubled", len(seen))
            ksft_true(seen == sorted(seen), f"VM {n}: none overtook another",
                      lambda f=seen: overtaken(f))


def ended(workers):
    """End the workers, and say what they did."""
    said = {type(w).__name__.lower(): w.end() for w in workers}
    ksft_pr("operations: " + ", ".join(f"{name} {count}" for name, (count, *_) in said.items()))
    for name, (count, wrong, _) in said.items():
        ksft_true(count >= LEAST and not wrong, f"{name}: nothing is wrong", "\n".join(wrong))
    return said


def storm():
    """The operations, and what production and its copies say of them."""
    with Storm() as r:
        configure(r.host)
        r.tap("port 'p*'")
        workers = [kind(r, SEED) for kind in (Rules, Dumps, Ways)]
        with Watch(r) as w:
            operations(r, w)
            w.end()
            w.production()
            for n, (s, seen, mac) in enumerate(zip(w.streams, w.got, VMS[::-1]), 1):
                ksft_true(sorted(w.copied[mac]) == list(range(s.n)), f"VM {n}: each is copied once",
                          len(w.copied[mac]))
                ksft_true(w.copied[mac] == seen, f"VM {n}: in the same order",
                          lambda f=w.copied[mac]: overtaken(f))
        state(r, ended(workers)["rules"][2])
        if KO:
            reload(r)
        else:
            ksft_skip("VTAP_KO does not name it", "the module goes and comes")
        leave(r)


def operations(r, w):
    """Lifecycle operations for as long as the storm is to last."""
    done, end, error = 0, time.monotonic() + SECONDS, ""
    while (time.monotonic() < end or done < LEAST or r.toggles < 2
           and os.path.exists(CPU)) and not error:
        try:
            r.step()
        except RuntimeError as e:
            error = str(e)
        done += 1
        if done % 4 == 0:
            r.op_cpu()
        w.drain()
    r.cpu(True)
    ksft_true(not error and done >= LEAST,
              f"{done} operations succeed, {SECONDS} seconds, seed {SEED}", error)
    if os.path.exists(CPU):
        ksft_true(r.toggles > 1, "a processor left and came back meanwhile", r.toggles)
    else:
        ksft_skip("there is one only", "a processor left and came back meanwhile")
    ksft_pr(f"processor {r.toggles} times, " + " ".join(f"{k[3:]} {v}"
                                                        for k, v in sorted(r.count.items())))


def state(r, said):
    """All that the transactions left is there, and nothing else; the session whose collector comes
    and goes has found it."""
    with Client(r.host) as nl:
        there, half = pairs(nl.dump("rule"))
        ksft_eq(([list(p) for p in there], half), (said and said[0], []),
                "all transactions and nothing else are there")
        names = sorted(s["name"] for s in nl.dump("session")
                       if s["name"] not in ("s", "vms", "flap"))
        ksft_eq(names, said and said[1], "and all sessions")
        ksft_true(busywait(lambda: nl.do("session-get", name="flap")["state"] == "active"),
                  "a session finds its collector again", lambda: nl.do("session-get", name="flap"))
        nl.do("rule-flush")


def reload(r):
    """The module goes and comes, as others change and dump rules, the way to a collector changes,
    and frames pass."""
    workers = [kind(r, SEED + 1, loaded=kind is Ways) for kind in (Rules, Dumps, Ways)]
    rounds, end, wrong = 0, time.monotonic() + SECONDS / 4, []
    with Watch(r) as w:
        while (rounds < 3 or time.monotonic() < end) and not wrong:
            # who reads a dump holds it, which is most of the time: delete_module()
            if not busywait(lambda: libc.syscall(176, b"vtap", os.O_NONBLOCK) == 0, 60):
                wrong.append(f"it does not go in round {rounds}")
                break
            sh(["insmod", KO])
            configure(r.host)
            at = [s.n + 20 for s in w.streams]
            busywait(lambda: all(s.n > n for s, n in zip(w.streams, at)))
            w.drain()
            rounds += 1
        ksft_true(not wrong and rounds >= 3, f"the module goes and comes {rounds} times", wrong)
        before = len(w.copied[VMS[1]])
        ksft_true(busywait(lambda: w.drain() or len(w.copied[VMS[1]]) > before),
                  "and copies after that")
        w.end(copies=False)
        w.production()
        w.drain()
        for n, mac in enumerate(VMS[::-1], 1):
            copied = w.copied[mac]
            ksft_true(len(copied) == len(set(copied)) > 10,
                      f"VM {n}: none of its frames was copied twice", len(copied))
    ended(workers)


def leave(r):
    """What is left over goes at once."""
    start = time.monotonic()
    r.leave()
    r.host.ip("link del p0", "link del vnet0", "link del vnet1", "link del br0")
    took = time.monotonic() - start
    ksft_true(took < 8 * SLOW, "every device goes at once", took)
    vtap("rule flush", r.host)
    ksft_eq([p["name"] for p in vtap_json("port show", r.host)], [], "and with it its port")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    sys.argv = sys.argv[:1]
    with contextlib.ExitStack() as stack:
        if os.path.exists(PARAM):
            with open(PARAM, encoding="ascii") as f:
                stack.enter_context(param(PARAM, f.read()))
        ksft_run([storm])
        ksft_exit()
