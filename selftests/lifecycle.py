#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Ports, sessions and the module come and go. Rules follow devices, sessions follow routes and
neighbours, copying stops at once, nothing is left behind, and the tapped traffic is not disturbed.

VTAP_KO: the module, which is removed and loaded again under load.
"""
import contextlib
import mmap
import os
import signal
import socket
import struct
import subprocess
import time

from lib import (VTAP, NetNS, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_pr,
                 ksft_run, ksft_skip, ksft_true, mac, modprobe, ports_by_name, raise_backlog, sh,
                 vtap, vtap_json)

KO = os.environ.get("VTAP_KO")
MARK = b"lifecycle "  # in each frame that counts; what stacks send by themselves does not have it
OTHER_MAC = "02:00:00:00:00:08"
DROPS = ("inactive", "nomem", "mtu", "rate", "xmit", "loop", "frame")


def bound(ns, want, name):
    """Report whether the ports of NS become WANT: their names, with their masters."""
    want = want if isinstance(want, dict) else dict.fromkeys(want)

    def now():
        return {n: p.get("master") for n, p in ports_by_name(ns).items()}
    ksft_true(busywait(lambda: now() == want, timeout=20), name,
              lambda: f"got  {now()}\nwant {want}")


def seconds(act):
    """Return: how long ACT() takes."""
    start = time.monotonic()
    act()
    return time.monotonic() - start


def at_once(name, took):
    """Report whether something that TOOK so many seconds did not wait for a reference: the kernel
    complains after 10."""
    ksft_pr(f"{name}: {took:.2f} s")
    ksft_true(took < 9, name, took)


class Flow:
    """Numbered frames between a and b in both directions, as fast as a small machine may, from a
    process of its own; copies of them are looked for at the collector's eth0."""

    def __init__(self, t, pause=0.001):
        self.t = t
        raise_backlog()
        self.ends = [Sniffer(ns, "eth0", match=lambda f: f[36:38] == b"\x10\x00")
                     for ns in (t.b, t.a)]
        self.shared = mmap.mmap(-1, 4)
        self.pid = os.fork()
        if not self.pid:
            self._send(pause)

    @property
    def n(self):
        """The number of the frame that is sent next."""
        return struct.unpack("I", self.shared[:])[0]

    def _send(self, pause):
        stop = []
        # or frames overtake each other from CPU to CPU
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
        senders = [(Sender(self.t.a, "eth0"), ("a", "b")), (Sender(self.t.b, "eth0"), ("b", "a"))]
        n = 0
        while not stop:
            for tx, (src, dst) in senders:
                tx.send(self.t.udp(src, dst, dport=4096, payload=struct.pack("!I", n) + MARK))
            n += 1
            self.shared[:] = struct.pack("I", n)
            time.sleep(pause)
        os._exit(0)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.pid:
            self.stop()
        for end in self.ends:
            end.__exit__()

    def stop(self):
        """End it. Return: how many frames were sent in each direction."""
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        self.pid = 0
        return self.n

    def check(self, name):
        """Stop, and report whether every frame arrived once and in order."""
        n = self.stop()
        for end, way in zip(self.ends, ("a to b", "b to a")):
            got = [struct.unpack("!I", f[42:46])[0] for f in end.frames(n)]
            wrong = [(i, g) for i, g in enumerate(got) if g != i][:3]
            ksft_true(n > 50 and len(got) == n and not wrong,
                      f"{name}: {way}, each frame once and in order", (n, len(got), wrong))
        return n


def marked(frame):
    return MARK in frame


def number(frame):
    """Return: the number that Flow gave the frame, or the frame in this copy."""
    at = frame.index(MARK)
    return struct.unpack("!I", frame[at - 4:at])[0]


class Bed(Topology):
    """Topology with a session `s` to the collector, and fences in the place of time."""

    def __init__(self, session="type gre remote 192.0.2.9", **kw):
        super().__init__(**kw)
        self.n = 0
        self.stack = contextlib.ExitStack()
        self.col_rx = self.stack.enter_context(Sniffer(self.col, "eth0", match=marked))
        self.b_rx = self.stack.enter_context(Sniffer(self.b, "eth0", match=marked))
        with self.b.enter():  # or b answers that nobody listens
            self.stack.enter_context(socket.socket(socket.AF_INET,
                                                   socket.SOCK_DGRAM)).bind(("", 4000))
        if session:
            vtap(f"session add s {session}", self.host)

    def __exit__(self, *exc):
        self.stack.close()
        super().__exit__(*exc)

    def send(self, n=1):
        """Send N frames from a to b. Return: what arrived, once all did."""
        self.n += 1
        frames = [self.udp(payload=MARK + struct.pack("!II", self.n, i)) for i in range(n)]
        with Sender(self.a, "eth0") as tx:
            tx.send(*frames)
        return self.b_rx.frames(n) == frames

    def copies(self, n=3):
        """Send N frames from a to b. Return: the copies that the collector got of them. They are
        sent before the frame itself goes on, and the fence goes the same way behind them."""
        if not self.send(n):
            raise RuntimeError("the tapped frames do not arrive as they were sent")
        fence = self.udp("up0", "col", payload=MARK + b"fence %d" % self.n)
        with Sender(self.host, "up0") as tx:
            tx.send(fence)
        return self.col_rx.until(lambda f: f == fence)

    def session(self):
        return vtap_json("-s session show s", self.host)[0]

    def adds_up(self, name):
        """Report whether the counters do."""
        stats = self.session()["stats"]
        wrong = [stats] if stats["matched"] != stats["sent"] + sum(stats["drop_" + d]
                                                                   for d in DROPS) else []
        wrong += [(p["name"], way, p[way]) for p in ports_by_name(self.host).values()
                  for way in ("ingress", "egress") if p[way]["seen"] != p[way]["matched"] +
                  p[way]["unmatched"]]
        ksft_eq(wrong, [], f"{name}: the counters add up")


def names():
    """Rules bind by the name of a device, whichever is there first, and follow when it changes or
    the device moves."""
    near, far = NetNS.many("near", "far")
    with near, far:
        vtap("rule add pref 1 port 'vnet*' action skip", near)
        near.ip("link add vnet0 type dummy", "link add eth5 type dummy")
        bound(near, ["vnet0"], "a device that comes is bound, one of another name is not")
        vtap("rule add pref 2 port 'eth?' action skip", near)
        bound(near, ["vnet0", "eth5"], "a device that is there is bound when the rule comes")
        near.ip("link set vnet0 name other")
        bound(near, ["eth5"], "a device renamed out of the pattern is not bound any more")
        near.ip("link set other name vnet7")
        bound(near, ["eth5", "vnet7"], "one renamed into it is")
        near.ip(f"link set vnet7 netns {far.name}")
        bound(near, ["eth5"], "a device that moves to another namespace is not bound any more")
        bound(far, [], "nor there, where no rule is")
        vtap("rule add pref 1 port vnet7 action skip", far)
        bound(far, ["vnet7"], "it is bound by a rule of that namespace")
        far.ip(f"link set vnet7 netns {near.name}")
        bound(near, ["eth5", "vnet7"], "back home it is bound again")
        bound(far, [], "and not there")
        near.ip("link del vnet7")
        bound(near, ["eth5"], "a deleted device is not bound any more")


def many():
    """Fifty devices come and go under a rule."""
    with NetNS("many") as ns:
        vtap("rule add pref 1 port 'd*' action skip", ns)
        ns.ip(*[f"link add d{i} type dummy" for i in range(50)])
        bound(ns, [f"d{i}" for i in range(50)], "50 devices are bound")
        tapped = seconds(lambda: ns.ip(*[f"link del d{i}" for i in range(50)]))
        bound(ns, [], "50 devices are gone")
        vtap("rule flush", ns)
        ns.ip(*[f"link add d{i} type dummy" for i in range(50)])
        plain = seconds(lambda: ns.ip(*[f"link del d{i}" for i in range(50)]))
        ksft_pr(f"50 devices deleted in {tapped:.2f} s under a rule, in {plain:.2f} s without")
        # a reference that is held costs each of them a quarter of a second at least
        ksft_true(tapped < 5 + 3 * plain, "about as fast as without a rule", (tapped, plain))


def masters():
    """`master br0` binds the ports of that master, as they come to it and leave it."""
    with NetNS("master") as ns:
        vtap("rule add pref 1 master br0 action skip", ns)
        ns.ip("link add p0 type dummy", "link add p1 type dummy", "link add br0 type bridge",
              "link set p0 master br0")
        bound(ns, {"p0": "br0"}, "a device is bound when it is enslaved")
        ns.ip("link set p1 master br0")
        bound(ns, {"p0": "br0", "p1": "br0"}, "so is a second one")
        ns.ip("link set p0 nomaster")
        bound(ns, {"p1": "br0"}, "and not any more when it is released")
        ns.ip("link add br1 type bridge", "link set p1 nomaster", "link set p1 master br1")
        bound(ns, [], "nor under another master")
        ns.ip("link set p1 nomaster", "link set p1 master br0", "link set br0 name br7")
        bound(ns, [], "nor when the master has another name")
        ns.ip("link set br1 name br0", "link set p0 master br0")
        bound(ns, {"p0": "br0"}, "another master that takes the name counts")
        ns.ip("link del br0", "link set br7 name br0")
        bound(ns, {"p1": "br0"}, "a deleted bridge lets its ports go, and the name may come back")
        took = seconds(lambda: ns.ip("link del br0"))
        bound(ns, [], "the last bridge is deleted under its rule")
        at_once("it is deleted at once", took)


def unharmed():
    """Rules, sessions and ports come and go under load: no frame is lost, doubled or reordered."""
    with Bed() as t, Flow(t) as flow:
        def devices():
            return {n: (d["promiscuity"], d["flags"], d.get("allmulti"))
                    for n, d in t.host.links().items()}

        def features():
            return {dev: t.host.sh(f"ethtool -k {dev}").stdout
                    for dev in ("vnet0", "vnet1", "up0", "br0")}

        links, offloads = devices(), features()
        for i in range(5):
            rule = "rule add pref 1 port 'vnet?' action mirror s" if i % 2 \
                else "rule add pref 1 master br0 action mirror s"
            vtap(rule, t.host)
            got = len(t.col_rx.frames(20))
            ksft_true(got >= 20, f"round {i}: copies are made", got)
            if not i:
                ksft_eq(devices(), links, "promiscuity and flags are as before")
                ksft_eq(features(), offloads, "offloads are as before")
            number = vtap_json("rule show", t.host)[0]["id"]
            vtap(f"rule set id {number} dir ingress", t.host)
            vtap("rule add pref 2 port '*' action mirror s", t.host)
            vtap(f"rule set id {number} dir both src_ip 10.0.0.0/8", t.host)
            t.host.ip("link add vnet9 type dummy", "link set vnet9 master br0", "link del vnet9")
            vtap("session set s ttl 9", t.host)
            vtap("rule flush", t.host)
        n = flow.check("changes under load")
        ksft_pr(f"{n} frames in each direction")
        t.adds_up("after changes under load")
        ksft_eq(devices(), links, "at the end, promiscuity and flags are as before")
        ksft_eq(features(), offloads, "at the end, offloads are as before")


def module():
    """The module goes and comes under load."""
    if not KO:
        ksft_skip("VTAP_KO does not name the module", "rmmod under load")
        return
    with Bed(session=None) as t, Flow(t) as flow, contextlib.ExitStack() as listening:
        for i in range(3):
            # one that listens does not hold the module
            listener = listening.enter_context(t.host.popen([VTAP, "monitor"],
                                                            stdout=subprocess.DEVNULL))
            listening.callback(listener.kill)
            vtap("session add s type erspan2 remote 192.0.2.9", t.host)
            vtap("rule add pref 1 port 'vnet*' action mirror s", t.host)
            vtap("rule add pref 1 port '*' action mirror s", t.host)
            got = len(t.col_rx.frames(30))
            ksft_true(got >= 30, f"round {i}: copies are made", got)
            start = time.monotonic()
            p = sh(["rmmod", "vtap"], check=False)
            took = time.monotonic() - start
            first = flow.n + 1
            ksft_true(p.returncode == 0 and took < 30, f"round {i}: rmmod under load",
                      f"{took:.2f} s {p.stderr}")
            ksft_pr(f"rmmod took {took:.2f} s")
            seen = []
            busywait(lambda: seen.extend(number(f) for f in t.b_rx.frames(20))
                     or seen[-1] >= first + 20)
            ksft_true(seen[-1] >= first + 20, f"round {i}: the traffic goes on", (first, seen[-3:]))
            ksft_eq([n for f in t.col_rx.frames() if (n := number(f)) >= first], [],
                    f"round {i}: nothing is copied any more")
            sh(["insmod", KO])
        flow.check("rmmod and insmod under load")
    with Bed() as t:
        ksft_eq((vtap_json("rule show", t.host), ports_by_name(t.host)), ([], {}),
                "nothing came back with the module")
        vtap("rule add pref 1 port vnet0 dir ingress action mirror s", t.host)
        ksft_eq(len(t.copies(3)), 3, "it works")


def stop():
    """Copies stop with the rule, with rule and session, with the port, with the namespace, and
    nothing is left behind."""
    with Bed() as t:
        for name, commands in (("the rule", ["rule flush"]), ("rule and session",
                                                              ["rule flush", "session del s"])):
            vtap("rule add pref 1 port 'vnet*' dir ingress action mirror s", t.host)
            ksft_eq(len(t.copies(3)), 3, f"before {name} goes, frames are copied")
            for command in commands:
                vtap(command, t.host)
            ksft_eq(len(t.copies(3)), 0, f"with {name}, copies stop at once")
            ksft_eq(ports_by_name(t.host), {}, f"with {name}, no port is left")
        vtap("session add s type vxlan remote 2001:db8:9::9 key 5", t.host)
        vtap("rule add pref 1 port '*' action mirror s", t.host)
        vtap("rule add pref 2 master br0 action mirror s", t.host)
        ksft_true(len(t.copies(3)) >= 3, "IPv6: frames are copied")
        for what in ("vnet0", "up0", "br0"):
            at_once(f"{what} is deleted at once",
                    seconds(lambda what=what: t.host.ip(f"link del {what}")))
        ksft_true(not set(ports_by_name(t.host)) & {"vnet0", "up0", "br0"},
                  "no port is left of them", lambda: ports_by_name(t.host))
        ksft_true(t.session()["state"] in ("no-route", "no-device"),
                  "a session whose device is gone says so")
    with Bed() as t:
        vtap("rule add pref 1 port '*' action mirror s", t.host)
        ksft_true(len(t.copies(3)) >= 3, "in another namespace frames are copied")
        start = time.monotonic()
        t.host.remove()
        ksft_true(busywait(lambda: not set(t.col.links()) & {"eth0"}, timeout=10),
                  "a namespace goes with all it has")
        ksft_pr(f"ip netns del until its devices are gone: {time.monotonic() - start:.2f} s")


def own():
    """vtap's own copies are not tapped again."""
    with Bed() as t:
        vtap(f"rule add pref 1 port '*' src_mac {t.MAC['a']} ip_proto udp action mirror s dup on",
             t.host)
        ksft_eq(len(t.copies(10)), 20,
                "all devices tapped, both directions: two copies of each frame")
        ksft_eq(ports_by_name(t.host)["up0"]["egress"]["own"], 20,
                "the egress device saw the copies as own")
        vtap("rule flush", t.host)
        vtap(f"rule add pref 1 port '*' src_mac {t.MAC['a']} ip_proto udp action mirror s", t.host)
        ksft_eq(len(t.copies(10)), 10, "without dup, one copy of each")
        t.adds_up("own copies")
    for kind in ("gre", "erspan3", "vxlan"):
        with Bed(session=f"type {kind} remote 10.0.0.2 {'key 5' if kind == 'vxlan' else ''}") as t:
            t.host.ip("address add 10.0.0.254/24 dev br0",
                      f"neigh replace 10.0.0.2 lladdr {t.MAC['b']} dev br0 nud permanent",
                      "link set br0 up")
            # else the bridge floods copies until it has seen a frame of b's
            t.host.sh(f"bridge fdb replace {t.MAC['b']} dev vnet1 master static")
            vtap(f"rule add pref 1 port '*' src_mac {t.MAC['a']} ip_proto udp action mirror s dup "
                 "on", t.host)
            ksft_true(busywait(lambda: t.session()["state"] == "active"),
                      f"{kind}: a collector behind the bridge is active")
            t.b_rx.frames()
            frames = [t.udp(payload=MARK + b"%d" % i) for i in range(10)]
            with Sender(t.a, "eth0") as tx:
                tx.send(*frames)
            got = t.b_rx.frames(30)
            ksft_eq((len([f for f in got if f in frames]), len(got)), (10, 30),
                    f"{kind}: it gets each frame and two copies")
            p = ports_by_name(t.host)
            ksft_eq([p[d]["egress"]["own"] for d in ("br0", "vnet1", "vnet0")], [20, 20, 0],
                    f"{kind}: bridge and port saw the copies as own")
            t.adds_up(f"{kind} behind the bridge")
            if kind == "erspan3":
                others(t, next(f for f in got if f not in frames))


def others(t, copy):
    """A frame like one of ours with another session id in its ERSPAN header, which are the low bits
    of its second word, is somebody else's."""
    vtap(
        f"rule add pref 2 port vnet0 dir ingress src_mac {t.MAC['a']} ip_proto gre action mirror s",
        t.host)
    at = 14 + 20 + 8 + 3  # behind Ethernet, IPv4, and GRE with a sequence number
    for what, change, ours in (("our session id", 0, 1), ("another", 1, 0)):
        frame = bytearray(copy)
        frame[6:12] = mac(t.MAC["a"])
        frame[at] ^= change
        before, sent = ports_by_name(t.host)["vnet0"]["ingress"]["own"], t.session()["stats"][
            "sent"]
        with Sender(t.a, "eth0") as tx:
            tx.send(bytes(frame))
        got = t.b_rx.frames(2 - ours)
        ksft_eq((got.count(bytes(frame)), ports_by_name(t.host)["vnet0"]["ingress"]["own"] - before,
                 t.session()["stats"]["sent"] - sent), (1, ours, 1 - ours),
                f"erspan3 of {what} from elsewhere: arrives, is our own or copied, once")


def follow():
    """A session follows neighbour, route, device, MTU and address."""
    with Bed(session="type erspan2 remote 192.0.2.9") as t:
        vtap("rule add pref 1 port vnet0 dir ingress action mirror s", t.host)
        ksft_eq({f[:6] for f in t.copies(3)}, {mac(t.MAC["col"])}, "copies go to the neighbour")

        def step(name, command, cond, ns=t.host, timeout=30):
            """Run COMMAND, measure how long it takes until COND() is true, and look at the
            counters."""
            ns.ip(*command)
            start = time.monotonic()
            ksft_true(busywait(cond, timeout), name, lambda: t.session())
            ksft_pr(f"{name}: {time.monotonic() - start:.2f} s")
            t.adds_up(name)

        def state(*want):
            return lambda: t.session()["state"] in want

        def lost(name):
            """Report that copies are dropped as inactive, and the frames not."""
            before = t.session()["stats"]
            ksft_true(t.send(5), f"{name}: the frames arrive")
            after = t.session()["stats"]
            ksft_eq({k: after[k] - before[k] for k in after if after[k] != before[k]},
                    {"matched": 5, "drop_inactive": 5}, f"{name}: drop_inactive counts the copies")

        def works(name):
            ksft_eq(len(t.copies(3)), 3, f"{name}: copies arrive again")

        step("the neighbour has another address", [f"neigh replace 192.0.2.9 lladdr {OTHER_MAC} "
                                                   "dev up0 nud permanent"],
             lambda: {f[:6] for f in t.copies(1)} == {mac(OTHER_MAC)})
        step("and the old one again", [f"neigh replace 192.0.2.9 lladdr {t.MAC['col']} dev up0 nud "
                                       "permanent"], lambda: {f[:6] for f in t.copies(1)} ==
             {mac(t.MAC["col"])})

        t.host.ip(f"link add up1 type veth peer name eth1 netns {t.col.name}",
                  "address add 198.51.100.1/24 dev up1", "link set up1 addrgenmode none up",
                  f"neigh add 198.51.100.9 lladdr {OTHER_MAC} dev up1")
        t.col.ip("link set eth1 addrgenmode none up")
        busywait(lambda: t.host.running("up1"))
        step("the route goes by another device", ["route add 192.0.2.9 via 198.51.100.9 dev up1"],
             lambda: t.session().get("egress") == "up1")
        with Sniffer(t.col, "eth1", match=marked) as rx:
            ksft_eq(len(t.copies(3)), 0, "no copy by the old device")
            ksft_eq({f[:6] for f in rx.frames(3)}, {mac(OTHER_MAC)}, "copies by the new one")
        step("this device goes away", ["link del up1"], lambda: t.session().get("egress") == "up0")
        works("the route is the old one")

        step("the MTU changes", ["link set up0 mtu 1400"], lambda: t.session().get("path_mtu") ==
             1400)
        step("and back", ["link set up0 mtu 1500"], lambda: t.session().get("path_mtu") == 1500)

        step("the egress device goes down", ["link set up0 down"], state("no-device", "no-route"))
        lost("device down")
        step("it comes up again", ["link set up0 up"], state("active"))
        works("device up")

        step("the address goes", ["address del 192.0.2.1/24 dev up0"], state("no-route"))
        lost("no route")
        step("it comes back", ["address add 192.0.2.1/24 dev up0"], state("active"))
        works("address back")

        step("the collector does not answer", ["link set eth0 arp off"], lambda: True, ns=t.col)
        step("and is forgotten", ["neigh del 192.0.2.9 dev up0"], state("resolving"))
        lost("resolving")
        step("it answers again", ["link set eth0 arp on"], state("active"), ns=t.col)
        works("resolved")

        vtap("session set s remote 192.0.2.255", t.host)
        ksft_true(busywait(lambda: t.session()["state"] == "no-route"),
                  "no route leads to a broadcast address", lambda: t.session())
        lost("broadcast")
        vtap("session set s remote 192.0.2.9", t.host)
        step("the collector is one again", [], state("active"))
        works("one collector")

        step("its cable is out", ["link set eth0 down"], state("no-device"), ns=t.col)
        lost("no carrier")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    ksft_run([names, many, masters, unharmed, stop, own, follow, module])
    ksft_exit()
