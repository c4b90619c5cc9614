#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Random lifecycle operations on every master under full traffic: nothing breaks, and production loses nothing.

storm.py [OPERATIONS [SEED]]: without SEED a new one, which is printed; without OPERATIONS as many as 40 seconds allow.
"""
import os
import random
import sys
import threading
import time

import ksft
from hooks import A, INSIDE, P0, Rig, kinds, make, mine, number
from ksft import Sender, Sniffer, busywait, eq, modprobe, note, ok, vtap

SECONDS = 40
OPERATIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 0
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
VMS = ("02:00:00:00:02:01", "02:00:00:00:02:02")
CPU = "/sys/devices/system/cpu/cpu1/online"
rng = random.Random(SEED)


class Storm(Rig):
    """The rig with its port p0 that suffers, and two VMs on a tapped bridge beside it, whose traffic must not."""

    def __init__(self):
        super().__init__()
        self.vms = ksft.Netns.many("vm1", "vm2")
        self.all = (*self.all, *self.vms)
        self.kinds = [k for k in kinds() if k.name != "bond 802.3ad"]
        self.kind, self.count, self.online, self.toggles = None, {}, True, 0

    def __enter__(self):
        super().__enter__()
        self.host.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 addrgenmode none up")
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
            self.host.ip("link set p0 down", "link set p0 name zz", "link set zz up", "link set zz down", "link set zz name p0",
                         "link set p0 up")

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
        if time.monotonic() - start > 8:
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
            self.tap(rng.choice(("port 'p*'", "port p0", "master m0", f"mac {INSIDE}", f"mac {P0}")))

    def op_chain(self):
        """The chain on or off."""
        with open("/sys/module/vtap/parameters/rx_chain", "w", encoding="ascii") as f:
            f.write(rng.choice("YN"))

    def op_vlan(self):
        """A VLAN device comes and goes."""
        if self.present() and not (self.kind and self.kind.name == "VLAN device"):
            self.host.ip("link add link p0 name p0.9 type vlan id 9", "link set p0.9 addrgenmode none up", "link del p0.9")

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
    """Numbered frames from one place, without end; as many as the receivers can take. Frames of a sender that goes from
    one processor to another overtake each other, tapped or not: where order is looked at it is PINNED to one."""

    def __init__(self, ns, dst, src, pinned=True):
        super().__init__(daemon=True)
        self.tx, self.dst, self.src, self.n, self.stop = Sender(ns, "eth0"), dst, src, 0, False
        self.pinned = pinned

    def run(self):
        if self.pinned:
            os.sched_setaffinity(0, {0})
        while not self.stop:
            try:
                self.tx.send(make(self.n, self.dst, self.src))
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


def storm():
    """The operations, and what production and its copies say of them."""
    with Storm() as r:
        vtap("session add vms type gre remote 192.0.2.9 key 9", r.host)
        vtap("rule add pref 20 port 'vnet*' dir both action mirror vms", r.host)
        r.tap("port 'p*'")
        streams = [Stream(r.vms[0], VMS[1], VMS[0]), Stream(r.vms[1], VMS[0], VMS[1]), Stream(r.a, INSIDE, A, False)]
        sniffers = [Sniffer(ns, "eth0", match=lambda f, m=mac: mine(f) and f[:6] == ksft.mac(m))
                    for ns, mac in zip(r.vms[::-1], VMS[::-1])]
        col = Sniffer(r.col, "eth0", match=lambda f: mine(f) and f[38:42] == b"\0\0\0\x09")
        got, copied = [[], []], {mac: [] for mac in VMS}

        def drain():
            for seen, s in zip(got, sniffers):
                seen += [number(f) for f in s.frames()]
            for f in col.frames():
                copied[":".join(f"{b:02x}" for b in f[42:48])].append(number(f))
        for s in streams:
            s.start()
        done, end, error = 0, time.monotonic() + SECONDS, ""
        while (done < OPERATIONS or not OPERATIONS and time.monotonic() < end) and not error:
            try:
                r.step()
            except RuntimeError as e:
                error = str(e)
            done += 1
            if done % 4 == 0:
                r.op_cpu()
            drain()
        for s in streams:
            s.end()
        busywait(lambda: drain() or all(len(g) >= s.n for g, s in zip(got, streams)), 30)
        busywait(lambda: drain() or all(len(copied[m]) >= s.n for m, s in zip(VMS[::-1], streams)), 30)
        ok(f"{done} operations succeed, seed {SEED}", not error and done >= (OPERATIONS or 8), error)
        if os.path.exists(CPU):
            ok("a processor left and came back meanwhile", r.toggles > 1, r.toggles)
        else:
            ksft.skip("a processor left and came back meanwhile", "there is one only")
        note(f"processor {r.toggles} times, " + " ".join(f"{k[3:]} {v}" for k, v in sorted(r.count.items())))
        for n, (seen, s, mac) in enumerate(zip(got, streams, VMS[::-1]), 1):
            every = list(range(s.n))
            ok(f"VM {n}: of {s.n} frames none is lost or doubled", s.n > 500 and sorted(seen) == every, len(seen))
            ok(f"VM {n}: none overtook another", seen == sorted(seen), lambda f=seen: overtaken(f))
            ok(f"VM {n}: each is copied once", sorted(copied[mac]) == every, len(copied[mac]))
            ok(f"VM {n}: in the same order", copied[mac] == seen, lambda f=copied[mac]: overtaken(f))
        for s in (*sniffers, col):
            s.sock.close()
        start = time.monotonic()
        r.leave()
        r.host.ip("link del p0", "link del vnet0", "link del vnet1", "link del br0")
        took = time.monotonic() - start
        ok("every device goes at once", took < 8, took)
        eq("and with it its port", [p["name"] for p in ksft.vtap_json("port show", r.host) if p["name"] not in ("up0", "lo")], [])


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    sys.argv = sys.argv[:1]
    with open("/sys/module/vtap/parameters/rx_chain", encoding="ascii") as param:
        before = param.read()
    try:
        ksft.run(storm)
    finally:
        with open("/sys/module/vtap/parameters/rx_chain", "w", encoding="ascii") as param:
            param.write(before)
