#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Hooks on the ports of every virtual switch: the right hook is used, every frame is copied once,
and this holds through all lifecycle events."""
import contextlib
import fcntl
import os
import struct
import threading
import time
import traceback

from lib import (A, CHAIN, INSIDE, PARAM, SESSION, SLOW, PortSniffer, Rig, Sender, Sniffer,
                 busywait, frame_number, is_numbered, ksft_eq, ksft_exit, ksft_pr, ksft_run,
                 ksft_skip, ksft_true, modprobe, numbered, one_cpu, param, sh, strip_outer,
                 udp_frame, vtap)
from lib.masters import BOND_UP, Bond, Kind, kinds

LAST = 99999999


def exchange(r, kind, what, n=20):
    """N frames in and N out: they pass unchanged, and each is copied once, in order."""
    down = [numbered(i, kind.mac, A, kind.vlan) for i in range(n)]
    up = [numbered(i, A, kind.mac) for i in range(n, 2 * n)]
    wire = [numbered(i, A, kind.mac, kind.vlan) for i in range(n, 2 * n)]
    kind.ready(r)
    inside = kind.inside
    sends = "p0" if kind.name == "team" else inside
    with contextlib.ExitStack() as stack:
        rx = stack.enter_context(Sniffer(r.host, inside, match=is_numbered))
        far = stack.enter_context(Sniffer(r.a, "eth0", match=is_numbered))
        col = stack.enter_context(r.copies())
        stack.enter_context(Sender(r.a, "eth0")).send(*down)
        got = rx.frames(n)
        want = [numbered(i, kind.mac, A) for i in range(n)] if inside != "p0" else down
        ksft_eq(got, want, f"{what}: frames from the port arrive behind its master")
        if sends == "p0" and kind.vlan:
            up = wire
        stack.enter_context(Sender(r.host, sends)).send(*up)
        ksft_eq(far.frames(n), wire, f"{what}: frames to the port arrive at its peer")
        ksft_eq(strip_outer(col.frames(2 * n)), down + wire,
                f"{what}: ingress and egress are copied, once each")
        ksft_eq(strip_outer(col.frames()), [], f"{what}: and nothing else is")


def binding(r, kind):
    """The hook in both orders, with the chain and without; copies are complete and single."""
    r.tap()
    ksft_eq(r.hook("packet"), "packet", f"{kind.name}: a port that nobody owns has the packet hook")
    kind.up(r)
    kind.attach(r)
    ksft_eq(r.hook(kind.hook), kind.hook, f"{kind.name}: hook, rule first")
    exchange(r, kind, f"{kind.name}, rule first")
    kind.release(r)
    ksft_eq(r.hook("packet"), "packet", f"{kind.name}: hook, released")
    r.untap()
    kind.attach(r)
    r.tap()
    ksft_eq(r.hook(kind.hook), kind.hook, f"{kind.name}: hook, port first")
    exchange(r, kind, f"{kind.name}, port first")
    if kind.hook == "chain":
        r.untap()
        with param(PARAM, "N"):
            r.tap()
            ksft_eq(r.hook("packet"), "packet", f"{kind.name}: hook, rx_chain=0")
            if kind.name == "Open vSwitch":
                exchange(r, kind, f"{kind.name}, rx_chain=0")
    r.untap()
    with Sniffer(r.col, "eth0") as col, Sender(r.a,
                                               "eth0") as tx, Sniffer(r.host, "p0",
                                                                      match=is_numbered) as rx:
        tx.send(numbered(1, kind.mac, A, kind.vlan))
        ksft_eq((len(rx.frames(1)), col.frames()), (1, []), f"{kind.name}: no rule, no copy")
        ksft_eq(r.port(), {}, f"{kind.name}: no rule, no port")
    kind.release(r)


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
                self.tx.send(numbered(self.n, self.dst, A, vlan))
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


def settled(tx, kind, rx, col):
    """Send frames of number LAST until one of them and its copy are there: no other frame is on its
    way any more.
    Return: what RX captured of the port, and the copies in COL, without these."""
    seen, copies = [], []

    def through():
        with contextlib.suppress(OSError):
            tx.send(numbered(LAST, kind.mac, A, kind.vlan))
        seen.extend(bytes(f) for f in rx.frames(1, timeout=0.2))
        copies.extend(strip_outer(col.frames(1, timeout=0.2)))
        return all(frame_number(f[-1]) == LAST if f else False for f in (seen, copies))

    with one_cpu(0):  # behind those of Traffic
        if not busywait(through, timeout=30):
            raise RuntimeError("frames do not pass, or are not copied")
    return [[f for f in found if frame_number(f) != LAST] for found in (seen, copies)]


def churn(r, kind, rounds=2):
    """Enslaved and released under traffic: what the port receives is copied, all of it and once."""
    r.tap()
    with Sender(r.a, "eth0") as tx, PortSniffer(r.host, "p0",
                                                match=is_numbered) as rx, r.copies() as col:
        with Traffic(tx, kind.mac, kind.vlan) as traffic:
            for _ in range(rounds):
                traffic.wait()
                kind.attach(r)
                r.hook(kind.hook)
                traffic.wait()
                kind.release(r)
        want, got = settled(tx, kind, rx, col)
        want, got = [frame_number(f) for f in want], [frame_number(f) for f in got]
        missing, more = set(want) - set(got), set(got) - set(want)
        ksft_true(len(want) > 60 * rounds and len(got) == len(set(got)),
                  f"{kind.name}: {len(want)} frames while it changes hooks {2 * rounds} times: "
                  "none is copied twice", [n for n in set(got) if got.count(n) > 1][:9])
        ksft_eq([n for n in got if n not in more], [n for n in want if n not in missing],
                f"{kind.name}: in their order")
        # a capture begins after the device is up, and these masters take it down
        ksft_true(runs(more) <= (rounds if kind.module in ("bonding", "team") else 0),
                  f"{kind.name}: and no other", sorted(more)[:9])
        if kind.gap:
            ksft_pr(f"{kind.name}: {len(missing)} frames came between handler and unlink")
            ksft_true(runs(missing) <= rounds,
                      f"{kind.name}: none is missing but while the master lets go",
                      sorted(missing)[:9])
        else:
            ksft_true(not missing, f"{kind.name}: none is missing", sorted(missing)[:9])
    r.untap()


def lifecycle(r, kind):
    """Renamed, moved, deleted, its master deleted, under traffic: as without vtap, and bound again
    afterwards."""
    r.tap("port 'p*'")
    with Sender(r.a, "eth0") as tx:
        kind.attach(r)
        r.hook(kind.hook)
        with Traffic(tx, kind.mac, kind.vlan) as traffic:
            r.host.ip("link set p0 down", "link set p0 name q0", "link set q0 up")
            ksft_eq(r.ports("q0", "p0"), ({}, {}),
                    f"{kind.name}: a port renamed out of the pattern is none")
            r.host.ip("link set q0 down", "link set q0 name p7", "link set p7 up")
            ksft_eq(r.hook(kind.hook, "p7"), kind.hook, f"{kind.name}: one renamed into it is")
            r.host.ip("link set p7 down", "link set p7 name p0", "link set p0 up")
            traffic.wait()
            if kind.upper:
                kind.release(r)
            r.host.ip(f"link set p0 netns {r.b.name}")
            ksft_eq(r.port(), {}, f"{kind.name}: a port that moved away is none")
            r.b.ip(f"link set p0 netns {r.host.name}")
            r.host.ip("link set p0 up")
            ksft_eq(r.hook("packet"), "packet", f"{kind.name}: one that moved here is")
            kind.attach(r)
            ksft_eq(r.hook(kind.hook), kind.hook, f"{kind.name}: and its hook")
            traffic.wait()
            kind.down(r)
            ksft_eq(r.hook("packet"), "packet", f"{kind.name}: its hook without the master")
            if not kind.upper:
                kind.up(r)
            kind.attach(r)
            r.hook(kind.hook)
            traffic.wait()
            start = time.monotonic()
            r.host.ip("link del p0")
            took = time.monotonic() - start
            ksft_eq((r.port(), "p0" in r.host.links()), ({}, False),
                    f"{kind.name}: a port that is deleted is none")
            # the kernel complains of a reference that holds a device after 10 seconds
            ksft_true(took < 9 * SLOW, f"{kind.name}: and goes at once", took)
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
        ksft_skip("it is built into this kernel", name)
        return
    if kind.module == "openvswitch":  # which its ports hold, tapped or not
        kind.down(r)
    # other tests may have loaded what needs it
    p = sh(["modprobe", "-r", "--remove-holders", kind.module], check=False)
    ksft_true(p.returncode == 0, name, p.stderr)
    ksft_eq(r.hook("packet"), "packet",
            f"{kind.name}: the port's hook is the one for a port of its own")
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
        ksft_eq(r.hook(kind.hook), kind.hook, f"{kind.name}: hooked")
        with Traffic(tx, kind.mac, kind.vlan) as traffic:
            traffic.wait()
            reloading(r, kind)
            traffic.wait()
            p = sh(["rmmod", "vtap"], check=False)
            ksft_true(p.returncode == 0, f"{kind.name}: vtap goes while a port is tapped", p.stderr)
            traffic.wait()
            kind.release(r)
            p = sh(["insmod", ko], check=False)
            ksft_true(p.returncode == 0, f"{kind.name}: and comes back", p.stderr)
        vtap(SESSION, r.host)


def clear(r, kind):
    """Leave p0 alone, for the next kind."""
    if kind.module and not kind.upper:
        kind.down(r)
    r.host.ip("link set p0 up")
    ksft_eq((r.hook(None), "m0" in r.host.links()), (None, False), f"{kind.name}: nothing is left")


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
                ksft_true(False, f"{kind.name}",
                          f"{getattr(e, 'stderr', '')}\n{traceback.format_exc()}")
                stack.close()
                r = None


def on_chain(what, vlan, *steps):
    """A chained port under traffic, every second frame of it with a tag of VLAN: after each of
    STEPS (`ip` commands, hook) it has that hook, and all that it received is copied once."""
    kind = Bond()
    with Rig() as r:
        r.tap()
        kind.up(r)
        kind.attach(r)
        r.host.ip("link add d0 type dummy", "link set d0 master m0", "link set d0 up")
        ksft_eq(r.hook(CHAIN), CHAIN, f"{what}: the hook before")
        tx, rx, col = Sender(r.a, "eth0"), Sniffer(r.host, "p0", match=is_numbered), r.copies()
        with tx, rx, col, Traffic(tx, kind.mac, vlan, 2) as traffic:
            for _ in range(3):
                for lines, hook in steps:
                    traffic.wait()
                    r.host.ip(*lines)
                    ksft_eq(r.hook(hook), hook, f"{what}: {hook} after {lines[0]}")
            traffic.__exit__()
            want, got = settled(tx, kind, rx, col)
            ksft_true(len(want) > 150 and got == want,
                      f"{what}: {len(want)} frames, all copied once",
                      lambda: f"{len(got)} copies, {len(set(got))} different, "
                      f"{len(set(want) - set(got))} missing")


def vlan_on_chain():
    """A VLAN device on a chained port takes its frames before any rx_handler: they are copied all
    the same."""
    on_chain("VLAN on a chained port", 7, (("link add link p0 name p0.7 type vlan id 7",
                                            "link set p0.7 addrgenmode none up"), "packet"),
             (("link del p0.7",), CHAIN))


def active_slave():
    """A slave that stops sending with its link up looks as if it were released, and when it is not,
    has its chain again."""
    on_chain("active slave", None, (("link set m0 type bond active_slave d0",), CHAIN),
             (("link set m0 type bond active_slave p0",), CHAIN))


def all_chains():
    """All masters that chains stand in front of at the same time, and two that change ports: what a
    port takes in comes out behind its own master, and is copied once."""
    owners = {"bond": ("p1", "m1"), "team": ("p2", "m2"), "macvlan": ("p3", "m3"),
              "openvswitch": ("p4", "m4")}
    modprobe("bonding", "team", "macvlan", "openvswitch")
    with Rig() as r:
        for port, _ in owners.values():
            r.host.ip(f"link add {port} type veth peer name {port} netns {r.a.name}",
                      f"link set {port} addrgenmode none")
            r.a.ip(f"link set {port} address {A} addrgenmode none", f"link set {port} up")
        r.host.ip(f"link add m1 address {INSIDE} type bond mode active-backup miimon 10",
                  "link set p1 master m1", f"link add m2 address {INSIDE} type team",
                  "link set p2 master m2",
                  f"link add m3 link p3 address {INSIDE} type macvlan mode bridge")
        r.host.sh(["ovs-dpctl", "add-dp", "m4"])
        r.host.sh(["ovs-dpctl", "add-if", "m4", "p4,port_no=1"])
        r.host.sh(["ovs-dpctl", "add-flow", "m4", "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)",
                   "0"])
        r.host.ip(f"link set m4 address {INSIDE}",
                  *[f"link set {dev} up" for ports in owners.values() for dev in ports])
        r.tap("port p[1-4]")
        each_behind(r, "all chains", owners)
        r.host.ip("link set p1 nomaster", "link set p2 nomaster", "link set p2 master m1",
                  "link set p1 master m2", "link set p1 up", "link set p2 up")
        owners.update(bond=("p2", "m1"), team=("p1", "m2"))
        each_behind(r, "ports exchanged", owners)
        r.host.sh(["ovs-dpctl", "del-dp", "m4"])


def each_behind(r, what, owners):
    """Frames through each of OWNERS, {name: (port, device behind it)}."""
    hooks = [r.hook(CHAIN, port) for port, _ in owners.values()]
    ksft_eq(hooks, [CHAIN] * len(owners), f"{what}: hooks")
    busywait(lambda: r.host.running("m1"), BOND_UP)
    for name, (port, inside) in owners.items():
        frames = [numbered(n, INSIDE, A) for n in range(20)]
        others = [dev for _, dev in owners.values() if dev != inside]
        with contextlib.ExitStack() as stack:
            rx = stack.enter_context(Sniffer(r.host, inside, match=is_numbered))
            rest = [stack.enter_context(Sniffer(r.host, dev, match=is_numbered)) for dev in others]
            col = stack.enter_context(r.copies())
            stack.enter_context(Sender(r.a, port)).send(*frames)
            ksft_eq(rx.frames(len(frames)), frames, f"{what}: frames arrive behind {name}")
            ksft_eq([s.frames() for s in rest], [[]] * len(rest), f"{what}: and behind no other")
            ksft_eq(strip_outer(col.frames(len(frames))), frames, f"{what}: each is copied once")
            ksft_eq(strip_outer(col.frames()), [], f"{what}: and no more")


def tap_device():
    """A tap with a virtio header, as a VM has it: bare and in a bridge."""
    with Rig() as r:
        with r.host.enter():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            # TAP, NO_PI, VNET_HDR
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tap0", 0x0002 | 0x1000 | 0x4000))
        r.host.ip("link set tap0 addrgenmode none", "link set tap0 up",
                  f"link add m0 address {INSIDE} type bridge forward_delay 0",
                  "link set m0 addrgenmode none", "link set m0 up")
        r.tap("port tap0")
        ksft_eq(r.hook("packet", "tap0"), "packet", "tap: hook")
        for inside in ("tap0", "m0"):
            with r.copies() as col, Sniffer(r.host, inside, match=is_numbered) as rx:
                plain = udp_frame(INSIDE, A, "10.9.0.1", "10.9.0.2", payload=b"vtap#00000001")
                partial = udp_frame(INSIDE, A, "10.9.0.1", "10.9.0.2", payload=b"vtap#00000001",
                                    partial=True)
                os.write(fd, bytes(10) + plain)
                os.write(fd, struct.pack("BBHHHH", 1, 0, 0, 0, 34, 6) + partial)
                ksft_eq(rx.frames(2), [plain, partial],
                        f"tap under {inside}: what the VM sends arrives")
                ksft_eq(strip_outer(col.frames(2)), [plain, plain],
                        f"tap under {inside}: copied once, checksums final")
                with Sender(r.host, inside) as tx:
                    up = numbered(3, A, INSIDE)
                    tx.send(up)
                got = busywait(lambda: next((f for f in iter(lambda: read(fd), None)
                                             if is_numbered(f)), None))
                ksft_eq(got and got[10:], up, f"tap under {inside}: what is sent to the VM arrives")
                ksft_eq(strip_outer(col.frames(1)), [up], f"tap under {inside}: copied once")
            r.host.ip("link set tap0 master m0")
        os.close(fd)
        ksft_eq((r.port("tap0"), "tap0" in r.host.links()), ({}, False),
                "tap: gone with its program")


def read(fd):
    """Return: the next frame of a tap, or None."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return None


if __name__ == "__main__":
    modprobe("veth", "tun", "dummy", "ip_gre")
    ksft_run([masters, vlan_on_chain, active_slave, all_chains, tap_device])
    ksft_exit()
