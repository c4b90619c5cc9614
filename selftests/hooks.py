#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Hooks on the ports of every virtual switch: the right one, complete and single copies, every lifecycle event."""
import contextlib
import errno
import fcntl
import functools
import os
import struct
import threading
import time

import ksft
from ksft import Netns, Sender, Sniffer, busywait, eq, modprobe, note, ok, sh, udp_frame, vtap, vtap_json

A, P0, INSIDE = "02:00:00:00:00:0a", "02:00:00:00:00:10", "02:00:00:00:00:11"
PARAM = "/sys/module/vtap/parameters/rx_chain"
# what a port of Open vSwitch, bond, team or macvlan has; the module may be built without the chain, and then has no PARAM
CHAIN = "chain" if os.path.exists(PARAM) else "packet"
SESSION = "session add s type gre remote 192.0.2.9 key 7"
BOND_UP = 60  # seconds that LACP may take
LAST = 99999999


def mine(f):
    """Return: whether F is a frame of make()."""
    return b"vtap#" in f


@functools.cache
def head(size, dst, src, vlan):
    """Return: what frames of make() begin with; without a UDP checksum, so that numbers do not change it."""
    f = udp_frame(dst, src, "10.9.0.1", "10.9.0.2", payload=bytes(size), vlan=vlan)[:-size]
    return f[:-2] + b"\0\0"


def make(n, dst, src, vlan=None):
    """Return: frame number N, which no address of the host asks for."""
    more = n % 64
    return head(13 + more, dst, src, vlan) + b"vtap#%08d" % n + b"." * more


class Rig:
    """A port p0 with its peer eth0 in namespace a, and a collector; what owns p0 is the Kind's business.

        a: eth0 --- p0 :host: up0 --- eth0 :col
    """

    def __init__(self):
        self.all = self.host, self.a, self.b, self.col = Netns.many("host", "a", "b", "col")

    def __enter__(self):
        h = self.host.name
        self.add_port()
        self.host.ip("link set lo up", "link add up0 index 102 address 02:00:00:00:00:01 type veth peer name eth0 netns "
                     f"{self.col.name}", "link set up0 addrgenmode none", "link set up0 up", "address add 192.0.2.1/24 dev up0",
                     "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev up0 nud permanent")
        self.col.ip("link set eth0 address 02:00:00:00:00:09 addrgenmode none", "link set eth0 up")
        if not busywait(lambda: self.host.running("up0", "p0") and self.col.running("eth0")):
            raise RuntimeError(f"the links of {h} do not come up")
        vtap(SESSION, self.host)
        return self

    def __exit__(self, *exc):
        Netns.remove_all(self.all)

    def add_port(self):
        """Plug p0 in."""
        self.host.ip(f"link add p0 index 101 address {P0} type veth peer name eth0 netns {self.a.name}",
                     "link set p0 addrgenmode none", "link set p0 up")
        self.a.ip(f"link set eth0 address {A} addrgenmode none", "link set eth0 up")

    def tap(self, words="port p0"):
        """Copy all of the port."""
        vtap(f"rule add pref 10 {words} dir both action mirror s", self.host)

    def untap(self):
        vtap("rule flush", self.host)

    def ports(self, *names):
        """Return: what `vtap port show` says of these ports."""
        shown = {p["name"]: p for p in vtap_json("-s port show", self.host)}
        return tuple(shown.get(name, {}) for name in names)

    def port(self, name="p0"):
        """Return: what it says of the port."""
        return self.ports(name)[0]

    def hook(self, want, name="p0"):
        """Wait for the ingress hook. Return: the one in use."""
        seen = []
        busywait(lambda: seen.append(self.port(name).get("ingress_hook")) or seen[-1] == want)
        return seen[-1]

    def copies(self):
        """Return: a capture of what the collector gets, outer headers still on."""
        return Sniffer(self.col, "eth0", match=lambda f: f[12:14] == b"\x08\x00" and f[23] == 47 and mine(f))


def inner(frames):
    """Return: the copies without Ethernet, IPv4 and GRE with key."""
    return [bytes(f[42:]) for f in frames]


class PortSniffer(Sniffer):
    """A capture that goes on when its device was down in between."""

    def _receive(self):
        while True:
            try:
                return super()._receive()
            except OSError as e:
                if e.errno != errno.ENETDOWN:
                    raise


class Kind:
    """What may own a port. `inside`: the device behind it; `hook`: what vtap has to use; `gap`: the master gives its
    handler away before it says so, and frames that come until then are nobody's; `upper`: a device on top of p0."""
    name, hook, inside, mac, vlan, modules, gap = "veth", "packet", "p0", P0, None, ("veth",), False
    module, upper = None, False

    def up(self, r):
        """Make the master."""

    def attach(self, r):
        """Put p0 under it."""

    def ready(self, r):
        """Wait until it forwards."""

    def release(self, r):
        """Take p0 away from it."""

    def down(self, r):
        """Delete the master, p0 still in it."""


class Linked(Kind):
    """A master that `ip link set master` knows."""
    inside, mac, words = "m0", INSIDE, ""

    def up(self, r):
        r.host.ip(f"link add m0 address {INSIDE} type {self.words}", "link set m0 addrgenmode none", "link set m0 up")

    def attach(self, r):
        if self.module == "bonding":
            r.host.ip("link set p0 down")
        r.host.ip("link set p0 master m0", "link set p0 up")

    def ready(self, r):
        if self.module != "team" and not busywait(lambda: r.host.running("m0"), BOND_UP):
            raise RuntimeError(f"{self.name} does not come up")

    def release(self, r):
        r.host.ip("link set p0 nomaster", "link set p0 up")

    def down(self, r):
        r.host.ip("link del m0", "link set p0 up")


class Bridge(Linked):
    name = module = "bridge"
    words = "bridge forward_delay 0 mcast_snooping 0"


class Bond(Linked):
    name, module, hook = "bond active-backup", "bonding", CHAIN
    words = "bond mode active-backup miimon 10"


class Lacp(Bond):
    name, words = "bond 802.3ad", "bond mode 802.3ad miimon 10 lacp_rate fast"


class Team(Linked):
    """Without a mode, which is a module of its own, a team passes on what it receives and sends nothing."""
    name, module, hook = "team", "team", CHAIN
    words = "team"

    def attach(self, r):
        r.host.ip("link set p0 down", "link set p0 master m0", "link set p0 up")


class Macvlan(Kind):
    name, module, hook, inside, mac = "macvlan", "macvlan", CHAIN, "m0", INSIDE
    upper = True
    words = "macvlan mode bridge"

    def attach(self, r):
        r.host.ip(f"link add m0 link p0 {'address ' + INSIDE if self.mac == INSIDE else ''} type {self.words}",
                  "link set m0 addrgenmode none", "link set m0 up")

    def release(self, r):
        r.host.ip("link del m0")

    down = release


class Ipvlan(Macvlan):
    name, module, hook, mac = "ipvlan", "ipvlan", "packet", P0
    words = "ipvlan mode l2"

    def attach(self, r):
        super().attach(r)
        r.host.ip("address add 10.9.0.2/32 dev m0")


class Vlan(Macvlan):
    name, module, hook, mac, vlan = "VLAN device", "8021q", "packet", P0, 7
    words = "vlan id 7"


class Ovs(Kind):
    """Open vSwitch's datapath with two flows; no daemon is needed for that."""
    name, module, hook, inside, mac, gap = "Open vSwitch", "openvswitch", CHAIN, "m0", INSIDE, True

    def dp(self, r, *words):
        r.host.sh(["ovs-dpctl", *words])

    def up(self, r):
        self.dp(r, "add-dp", "m0")
        for src, dst in ((0, 1), (1, 0)):  # which name the port by number, there or not
            self.dp(r, "add-flow", "m0", f"in_port({src}),eth(),eth_type(0x0800),ipv4(frag=no)", str(dst))
        r.host.ip(f"link set m0 address {INSIDE} addrgenmode none", "link set m0 up")

    def attach(self, r):
        self.dp(r, "add-if", "m0", "p0,port_no=1")

    def release(self, r):
        self.dp(r, "del-if", "m0", "p0")

    def down(self, r):
        self.dp(r, "del-dp", "m0")


KINDS = (Kind, Bridge, Ovs, Bond, Lacp, Team, Macvlan, Ipvlan, Vlan)


def kinds():
    """Return: one of each that this kernel has; the debug kernel in User-Mode Linux has no ipvlan."""
    there = []
    for kind in KINDS:
        with open("/proc/kallsyms", encoding="ascii") as f:
            builtin = {"ipvlan": "ipvlan_link_new"}.get(kind.module, "")
            if modprobe(*([kind.module] if kind.module else [])) or not builtin or f" {builtin}" in f.read():
                there.append(kind())
            else:
                ksft.skip(kind.name, "not in this kernel")
    return there


def exchange(r, kind, what, n=20):
    """N frames in and N out: they pass unchanged, and each is copied once, in order."""
    down = [make(i, kind.mac, A, kind.vlan) for i in range(n)]
    up = [make(i, A, kind.mac) for i in range(n, 2 * n)]
    wire = [make(i, A, kind.mac, kind.vlan) for i in range(n, 2 * n)]
    kind.ready(r)
    inside = kind.inside
    sends = "p0" if kind.name == "team" else inside
    with contextlib.ExitStack() as stack:
        rx = stack.enter_context(Sniffer(r.host, inside, match=mine))
        far = stack.enter_context(Sniffer(r.a, "eth0", match=mine))
        col = stack.enter_context(r.copies())
        stack.enter_context(Sender(r.a, "eth0")).send(*down)
        got = rx.frames(n)
        want = [make(i, kind.mac, A) for i in range(n)] if inside != "p0" else down
        eq(f"{what}: frames from the port arrive behind its master", got, want)
        if sends == "p0" and kind.vlan:
            up = wire
        stack.enter_context(Sender(r.host, sends)).send(*up)
        eq(f"{what}: frames to the port arrive at its peer", far.frames(n), wire)
        eq(f"{what}: ingress and egress are copied, once each", inner(col.frames(2 * n)), down + wire)
        eq(f"{what}: and nothing else is", inner(col.frames()), [])


def binding(r, kind):
    """The hook in both orders, with the chain and without; copies are complete and single."""
    r.tap()
    eq(f"{kind.name}: a port that nobody owns has the packet hook", r.hook("packet"), "packet")
    kind.up(r)
    kind.attach(r)
    eq(f"{kind.name}: hook, rule first", r.hook(kind.hook), kind.hook)
    exchange(r, kind, f"{kind.name}, rule first")
    kind.release(r)
    eq(f"{kind.name}: hook, released", r.hook("packet"), "packet")
    r.untap()
    kind.attach(r)
    r.tap()
    eq(f"{kind.name}: hook, port first", r.hook(kind.hook), kind.hook)
    exchange(r, kind, f"{kind.name}, port first")
    if kind.hook == "chain":
        r.untap()
        with param(PARAM, "N"):
            r.tap()
            eq(f"{kind.name}: hook, rx_chain=0", r.hook("packet"), "packet")
            if kind.name == "Open vSwitch":
                exchange(r, kind, f"{kind.name}, rx_chain=0")
    r.untap()
    with Sniffer(r.col, "eth0") as col, Sender(r.a, "eth0") as tx, Sniffer(r.host, "p0", match=mine) as rx:
        tx.send(make(1, kind.mac, A, kind.vlan))
        eq(f"{kind.name}: no rule, no copy", (len(rx.frames(1)), col.frames()), (1, []))
        eq(f"{kind.name}: no rule, no port", r.port(), {})
    kind.release(r)


@contextlib.contextmanager
def param(path, value):
    """A module parameter that is another one for a while."""
    def write(text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    with open(path, encoding="ascii") as f:
        old = f.read()
    write(value)
    try:
        yield
    finally:
        write(old)


class Traffic(threading.Thread):
    """Numbered frames into the port all the time; EVERY-th one with a VLAN tag."""

    def __init__(self, tx, dst, vlan=None, every=1):
        super().__init__(daemon=True)
        self.tx, self.dst, self.vlan, self.every, self.n, self.stop = tx, dst, vlan, every, 0, False

    def run(self):
        os.sched_setaffinity(0, {0})  # or frames overtake each other from CPU to CPU
        while not self.stop:
            vlan = self.vlan if self.n % self.every == 0 else None
            with contextlib.suppress(OSError):
                self.tx.send(make(self.n, self.dst, A, vlan))
            self.n += 1
            if self.n % 4 == 0:
                time.sleep(0.006)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop = True
        self.join()

    def wait(self, more=30):
        """Let MORE frames pass."""
        enough = self.n + more
        busywait(lambda: self.n >= enough, step=0.002)


def runs(missing):
    """Return: how many runs of successive numbers."""
    return sum(n - 1 not in missing for n in missing)


def number(f):
    at = f.index(b"vtap#") + 5
    return int(f[at:at + 8])


def settled(tx, kind, rx, col):
    """Send frames of number LAST until one of them and its copy are there: no other frame is on its way any more.
    Return: what RX captured of the port, and the copies in COL, without these."""
    seen, copies = [], []

    def through():
        with contextlib.suppress(OSError):
            tx.send(make(LAST, kind.mac, A, kind.vlan))
        seen.extend(bytes(f) for f in rx.frames(1, timeout=0.2))
        copies.extend(inner(col.frames(1, timeout=0.2)))
        return all(number(f[-1]) == LAST if f else False for f in (seen, copies))

    with ksft.one_cpu(0):  # behind those of Traffic
        if not busywait(through, timeout=30):
            raise RuntimeError("frames do not pass, or are not copied")
    return [[f for f in found if number(f) != LAST] for found in (seen, copies)]


def churn(r, kind, rounds=2):
    """Enslaved and released under traffic: what the port receives is copied, all of it and once."""
    r.tap()
    with Sender(r.a, "eth0") as tx, PortSniffer(r.host, "p0", match=mine) as rx, r.copies() as col:
        with Traffic(tx, kind.mac, kind.vlan) as traffic:
            for _ in range(rounds):
                traffic.wait()
                kind.attach(r)
                r.hook(kind.hook)
                traffic.wait()
                kind.release(r)
        want, got = settled(tx, kind, rx, col)
        want, got = [number(f) for f in want], [number(f) for f in got]
        missing, more = set(want) - set(got), set(got) - set(want)
        ok(f"{kind.name}: {len(want)} frames while it changes hooks {2 * rounds} times: none is copied twice",
           len(want) > 60 * rounds and len(got) == len(set(got)), [n for n in set(got) if got.count(n) > 1][:9])
        eq(f"{kind.name}: in their order", [n for n in got if n not in more], [n for n in want if n not in missing])
        # a capture begins after the device is up, and these masters take it down
        ok(f"{kind.name}: and no other", runs(more) <= (rounds if kind.module in ("bonding", "team") else 0), sorted(more)[:9])
        if kind.gap:
            note(f"{kind.name}: {len(missing)} frames came between handler and unlink")
            ok(f"{kind.name}: none is missing but while the master lets go", runs(missing) <= rounds, sorted(missing)[:9])
        else:
            ok(f"{kind.name}: none is missing", not missing, sorted(missing)[:9])
    r.untap()


def lifecycle(r, kind):
    """Renamed, moved, deleted, its master deleted, under traffic: as without vtap, and bound again afterwards."""
    r.tap("port 'p*'")
    with Sender(r.a, "eth0") as tx:
        kind.attach(r)
        r.hook(kind.hook)
        with Traffic(tx, kind.mac, kind.vlan) as traffic:
            r.host.ip("link set p0 down", "link set p0 name q0", "link set q0 up")
            eq(f"{kind.name}: a port renamed out of the pattern is none", r.ports("q0", "p0"), ({}, {}))
            r.host.ip("link set q0 down", "link set q0 name p7", "link set p7 up")
            eq(f"{kind.name}: one renamed into it is", r.hook(kind.hook, "p7"), kind.hook)
            r.host.ip("link set p7 down", "link set p7 name p0", "link set p0 up")
            traffic.wait()
            if kind.upper:
                kind.release(r)
            r.host.ip(f"link set p0 netns {r.b.name}")
            eq(f"{kind.name}: a port that moved away is none", r.port(), {})
            r.b.ip(f"link set p0 netns {r.host.name}")
            r.host.ip("link set p0 up")
            eq(f"{kind.name}: one that moved here is", r.hook("packet"), "packet")
            kind.attach(r)
            eq(f"{kind.name}: and its hook", r.hook(kind.hook), kind.hook)
            traffic.wait()
            kind.down(r)
            eq(f"{kind.name}: its hook without the master", r.hook("packet"), "packet")
            if not kind.upper:
                kind.up(r)
            kind.attach(r)
            r.hook(kind.hook)
            traffic.wait()
            start = time.monotonic()
            r.host.ip("link del p0")
            took = time.monotonic() - start
            eq(f"{kind.name}: a port that is deleted is none", (r.port(), "p0" in r.host.links()), ({}, False))
            # the kernel complains of a reference that holds a device after 10 seconds
            ok(f"{kind.name}: and goes at once", took < 9 * ksft.SLOW, took)
        if "m0" in r.host.links():
            kind.down(r) if kind.name == "Open vSwitch" else r.host.ip("link del m0")
        r.add_port()
        if not busywait(lambda: r.host.running("p0")):
            raise RuntimeError("no carrier")
        exchange(r, Kind(), f"{kind.name}, a new port of the old name")
        r.untap()


def reloading(r, kind):
    """The master's module goes and comes back."""
    name = f"{kind.name}: the module goes while a port is tapped"
    if not os.path.exists(f"/sys/module/{kind.module}/initstate"):
        ksft.skip(name, "it is built into this kernel")
        return
    if kind.module == "openvswitch":  # which its ports hold, tapped or not
        kind.down(r)
    # other tests may have loaded what needs it
    p = sh(["modprobe", "-r", "--remove-holders", kind.module], check=False)
    ok(name, p.returncode == 0, p.stderr)
    eq(f"{kind.name}: the port's hook is the one for a port of its own", r.hook("packet"), "packet")
    modprobe(kind.module)
    kind.up(r)
    kind.attach(r)
    r.hook(kind.hook)


def unloading(r, kind):
    """The master's module, and vtap itself, unloaded under traffic."""
    ko = os.environ.get("VTAP_KO")
    if not ko or not kind.module:
        return
    r.tap()
    with Sender(r.a, "eth0") as tx:
        kind.attach(r)
        eq(f"{kind.name}: hooked", r.hook(kind.hook), kind.hook)
        with Traffic(tx, kind.mac, kind.vlan) as traffic:
            traffic.wait()
            reloading(r, kind)
            traffic.wait()
            p = sh(["rmmod", "vtap"], check=False)
            ok(f"{kind.name}: vtap goes while a port is tapped", p.returncode == 0, p.stderr)
            traffic.wait()
            kind.release(r)
            p = sh(["insmod", ko], check=False)
            ok(f"{kind.name}: and comes back", p.returncode == 0, p.stderr)
        vtap(SESSION, r.host)


def clear(r, kind):
    """Leave p0 alone, for the next kind."""
    if kind.module and not kind.upper:
        kind.down(r)
    r.host.ip("link set p0 up")
    eq(f"{kind.name}: nothing is left", (r.hook(None), "m0" in r.host.links()), (None, False))


def masters():
    """All of it for every kind of master, on one rig while nothing fails."""
    with contextlib.ExitStack() as stack:
        r = None
        for kind in kinds():
            try:
                r = r or stack.enter_context(Rig())
                binding(r, kind)
                if kind.name != "bond 802.3ad":  # the same handler as the other bond's
                    churn(r, kind)
                lifecycle(r, kind)
                kind.up(r)
                unloading(r, kind)
                clear(r, kind)
            except Exception as e:  # pylint: disable=broad-except
                ok(f"{kind.name}", False, f"{getattr(e, 'stderr', '')}\n{ksft.traceback.format_exc()}")
                stack.close()
                r = None


def on_chain(what, vlan, *steps):
    """A chained port under traffic, every second frame of it with a tag of VLAN: after each of STEPS (`ip` commands, hook)
    it has that hook, and all that it received is copied once."""
    kind = Bond()
    with Rig() as r:
        r.tap()
        kind.up(r)
        kind.attach(r)
        r.host.ip("link add d0 type dummy", "link set d0 master m0", "link set d0 up")
        eq(f"{what}: the hook before", r.hook(CHAIN), CHAIN)
        tx, rx, col = Sender(r.a, "eth0"), Sniffer(r.host, "p0", match=mine), r.copies()
        with tx, rx, col, Traffic(tx, kind.mac, vlan, 2) as traffic:
            for _ in range(3):
                for lines, hook in steps:
                    traffic.wait()
                    r.host.ip(*lines)
                    eq(f"{what}: {hook} after {lines[0]}", r.hook(hook), hook)
            traffic.__exit__()
            want, got = settled(tx, kind, rx, col)
            ok(f"{what}: {len(want)} frames, all copied once", len(want) > 150 and got == want,
               lambda: f"{len(got)} copies, {len(set(got))} different, {len(set(want) - set(got))} missing")


def vlan_on_chain():
    """A VLAN device on a chained port takes its frames before any rx_handler: they are copied all the same."""
    on_chain("VLAN on a chained port", 7,
             (("link add link p0 name p0.7 type vlan id 7", "link set p0.7 addrgenmode none up"), "packet"),
             (("link del p0.7",), CHAIN))


def active_slave():
    """A slave that stops sending with its link up looks as if it were released, and when it is not, has its chain again."""
    on_chain("active slave", None, (("link set m0 type bond active_slave d0",), CHAIN),
             (("link set m0 type bond active_slave p0",), CHAIN))


def all_chains():
    """All masters that chains stand in front of at the same time, and two that change ports: what a port takes in comes out
    behind its own master, and is copied once."""
    owners = {"bond": ("p1", "m1"), "team": ("p2", "m2"), "macvlan": ("p3", "m3"), "openvswitch": ("p4", "m4")}
    modprobe("bonding", "team", "macvlan", "openvswitch")
    with Rig() as r:
        for port, _ in owners.values():
            r.host.ip(f"link add {port} type veth peer name {port} netns {r.a.name}", f"link set {port} addrgenmode none")
            r.a.ip(f"link set {port} address {A} addrgenmode none", f"link set {port} up")
        r.host.ip(f"link add m1 address {INSIDE} type bond mode active-backup miimon 10", "link set p1 master m1",
                  f"link add m2 address {INSIDE} type team", "link set p2 master m2",
                  f"link add m3 link p3 address {INSIDE} type macvlan mode bridge")
        r.host.sh(["ovs-dpctl", "add-dp", "m4"])
        r.host.sh(["ovs-dpctl", "add-if", "m4", "p4,port_no=1"])
        r.host.sh(["ovs-dpctl", "add-flow", "m4", "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)", "0"])
        r.host.ip(f"link set m4 address {INSIDE}", *[f"link set {dev} up" for ports in owners.values() for dev in ports])
        r.tap("port p[1-4]")
        each_behind(r, "all chains", owners)
        r.host.ip("link set p1 nomaster", "link set p2 nomaster", "link set p2 master m1", "link set p1 master m2",
                  "link set p1 up", "link set p2 up")
        owners.update(bond=("p2", "m1"), team=("p1", "m2"))
        each_behind(r, "ports exchanged", owners)
        r.host.sh(["ovs-dpctl", "del-dp", "m4"])


def each_behind(r, what, owners):
    """Frames through each of OWNERS, {name: (port, device behind it)}."""
    hooks = [r.hook(CHAIN, port) for port, _ in owners.values()]
    eq(f"{what}: hooks", hooks, [CHAIN] * len(owners))
    busywait(lambda: r.host.running("m1"), BOND_UP)
    for name, (port, inside) in owners.items():
        frames = [make(n, INSIDE, A) for n in range(20)]
        others = [dev for _, dev in owners.values() if dev != inside]
        with contextlib.ExitStack() as stack:
            rx = stack.enter_context(Sniffer(r.host, inside, match=mine))
            rest = [stack.enter_context(Sniffer(r.host, dev, match=mine)) for dev in others]
            col = stack.enter_context(r.copies())
            stack.enter_context(Sender(r.a, port)).send(*frames)
            eq(f"{what}: frames arrive behind {name}", rx.frames(len(frames)), frames)
            eq(f"{what}: and behind no other", [s.frames() for s in rest], [[]] * len(rest))
            eq(f"{what}: each is copied once", inner(col.frames(len(frames))), frames)
            eq(f"{what}: and no more", inner(col.frames()), [])


def tap_device():
    """A tap with a virtio header, as a VM has it: bare and in a bridge."""
    with Rig() as r:
        with r.host.enter():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tap0", 0x0002 | 0x1000 | 0x4000))  # TAP, NO_PI, VNET_HDR
        r.host.ip("link set tap0 addrgenmode none", "link set tap0 up",
                  f"link add m0 address {INSIDE} type bridge forward_delay 0",
                  "link set m0 addrgenmode none", "link set m0 up")
        r.tap("port tap0")
        eq("tap: hook", r.hook("packet", "tap0"), "packet")
        for inside in ("tap0", "m0"):
            with r.copies() as col, Sniffer(r.host, inside, match=mine) as rx:
                plain = udp_frame(INSIDE, A, "10.9.0.1", "10.9.0.2", payload=b"vtap#00000001")
                partial = udp_frame(INSIDE, A, "10.9.0.1", "10.9.0.2", payload=b"vtap#00000001", partial=True)
                os.write(fd, bytes(10) + plain)
                os.write(fd, struct.pack("BBHHHH", 1, 0, 0, 0, 34, 6) + partial)
                eq(f"tap under {inside}: what the VM sends arrives", rx.frames(2), [plain, partial])
                eq(f"tap under {inside}: copied once, checksums final", inner(col.frames(2)), [plain, plain])
                with Sender(r.host, inside) as tx:
                    up = make(3, A, INSIDE)
                    tx.send(up)
                got = busywait(lambda: next((f for f in iter(lambda: read(fd), None) if mine(f)), None))
                eq(f"tap under {inside}: what is sent to the VM arrives", got and got[10:], up)
                eq(f"tap under {inside}: copied once", inner(col.frames(1)), [up])
            r.host.ip("link set tap0 master m0")
        os.close(fd)
        eq("tap: gone with its program", (r.port("tap0"), "tap0" in r.host.links()), ({}, False))


def read(fd):
    """Return: the next frame of a tap, or None."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return None


if __name__ == "__main__":
    modprobe("veth", "tun", "dummy", "ip_gre")
    ksft.run(masters, vlan_on_chain, active_slave, all_chains, tap_device)
