#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The way to the collector: sessions follow routes, neighbours, egress devices and MTU, report
their state, and keep their limits."""
import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import time

from lib import (Collector, Decoder, NetNS, Sender, Sniffer, Stream, Topology, busywait, ip,
                 ksft_eq, ksft_exit, ksft_run, ksft_skip, ksft_true, mac, modprobe, one_cpu,
                 parse_inner, raise_backlog, vtap, vtap_batch, vtap_json)
from lib.cli import Monitor
from lib.routes import is_copy, plain, second_uplink, session, too_big
from lib.traffic import mirror, payload, session_stats, transfer

ROUTED4, ROUTED6 = "198.51.100.9", "2001:db8:51::9"


def becomes(t, name, **want):
    """Wait until a session shows WANT. Return: whether it did."""
    def there():
        s = session(t, name)
        return all(s.get(key) == value for key, value in want.items())
    return bool(busywait(there, timeout=20, step=0.1))


class Probe:
    """A tap on vnet0 whose copies are looked for on some wires, each a (namespace, device)."""

    def __init__(self, t, stack, **wires):
        self.t = t
        self.tx = stack.enter_context(Sender(t.a, "eth0"))
        self.rx = {name: stack.enter_context(Sniffer(*where, match=is_copy))
                   for name, where in wires.items()}
        self.far = stack.enter_context(Sniffer(t.b, "eth0"))
        self.number = 0

    def __call__(self, expect=None):
        """Send a frame. Return: where copies of it came, {wire: (outer frame, Copy)}; EXPECT: where
        it is waited for, if anywhere: a copy leaves before the frame is forwarded."""
        self.number += 1
        frame = self.t.udp(payload=b"probe %d" % self.number)
        self.tx.send(frame)
        self.far.until(lambda f: f == frame)
        found = {}
        for name in [expect] * bool(expect) + [n for n in self.rx if n != expect]:
            for outer in self.rx[name].frames(1 if name == expect else 0, timeout=5):
                c = Decoder(9000)(plain(outer))
                if c.frame == frame:
                    found[name] = outer, c
        return found


def routes():
    """Next hops, multipath, a device that goes down, source addresses; IPv4 and IPv6."""
    with Topology() as t, contextlib.ExitStack() as stack:
        second_uplink(t)
        t.host.ip("neigh add 192.0.2.8 lladdr 02:00:00:00:00:08 dev up0 nud permanent",
                  "neigh add 2001:db8:9::8 lladdr 02:00:00:00:00:08 dev up0 nud permanent")
        probe = Probe(t, stack, up0=(t.col, "eth0"), up1=(t.col, "eth1"))
        for version, remote, net, other in ((4, ROUTED4, "192.0.2.", "192.0.3.9"),
                                            (6, ROUTED6, "2001:db8:9::", "2001:db8:a::9")):
            name = f"s{version}"
            vtap_batch(t.host, f"session add {name} type erspan2 id {version} remote {remote}")
            ksft_eq(session(t, name)["state"], "no-route", f"IPv{version}: without a route")
            mirror(t, "vnet0", [name], "dir ingress ip_proto udp")
            ksft_eq(probe(), {}, f"IPv{version}: nothing is sent then")
            hops = [(f"via {net}9 dev up0", "up0", "02:00:00:00:00:09"),
                    (f"via {net}8 dev up0", "up0", "02:00:00:00:00:08"),
                    (f"via {other} dev up1", "up1", "02:00:00:00:01:09")]
            for words, dev, address in hops:
                t.host.ip(f"route replace {remote} {words}")
                ksft_true(becomes(t, name, state="active", egress=dev),
                          f"IPv{version}: {words}: active by {dev}", session(t, name))

                def there(a=address, d=dev):
                    found = probe(d)
                    return [o[:6] for o, _ in found.values()] == [mac(a)] and found
                found = busywait(there, 20)
                ksft_eq({where: outer[:6].hex(":") for where, (outer, _) in (found or {}).items()},
                        {dev: address}, f"IPv{version}: {words}: copies go there, and only there")
            source = probe("up1")["up1"][1].src
            ksft_eq(source, socket.inet_pton(*((socket.AF_INET, "192.0.3.1") if version == 4
                                               else (socket.AF_INET6, "2001:db8:a::1"))),
                    f"IPv{version}: the source is an address of the egress device")
            local = t.IP4["up0"] if version == 4 else t.IP6["up0"]
            vtap_batch(t.host, f"session set {name} local {local}")
            ksft_eq(probe("up1")["up1"][1].src, socket.inet_pton(socket.AF_INET if version == 4
                                                                 else socket.AF_INET6, local),
                    f"IPv{version}: or the one that was asked for")
            vtap("rule flush", t.host)
        for version, remote, hops in ((4, ROUTED4, ("192.0.2.9", "192.0.3.9")),
                                      (6, ROUTED6, ("2001:db8:9::9", "2001:db8:a::9"))):
            multipath(t, probe, f"IPv{version} multipath", remote, hops)


def multipath(t, probe, what, remote, hops):
    """A session of a multipath route takes one of the paths, and the other one when that goes
    away."""
    t.host.ip("link set up0 up", "link set up1 up")
    busywait(lambda: t.host.running("up0", "up1"))
    four = ":" not in remote
    # what was lost when the device went down
    for dev, hop, end in zip(("up0", "up1"), hops, ("00:09", "01:09")):
        t.host.ip(f"neigh replace {hop} lladdr 02:00:00:00:{end} dev {dev} nud permanent")
        if not four:
            t.host.ip(f"address replace {hop[:-1]}1/64 dev {dev} nodad")
    t.host.ip(f"route replace {remote} nexthop via {hops[0]} dev up0 nexthop via {hops[1]} dev up1")
    vtap_batch(t.host, "rule flush", "session flush",
               f"session add multi type gre key 1 remote {remote}")
    ksft_true(becomes(t, "multi", state="active"), f"{what}: active", session(t, "multi"))
    mirror(t, "vnet0", ["multi"], "dir ingress ip_proto udp")
    first = session(t, "multi")["egress"]
    ksft_eq([list(probe(first)) for _ in range(3)], [[first]] * 3, f"{what}: copies take one path")
    other = "up1" if first == "up0" else "up0"
    t.host.ip(f"link set {first} down")
    ksft_true(becomes(t, "multi", state="active", egress=other),
              f"{what}: the other one when its device goes down", session(t, "multi"))
    ksft_eq(list(probe(other)), [other], f"{what}: copies take that one")
    t.host.ip(f"link set {other} down")
    ksft_true(becomes(t, "multi", state="no-route"), f"{what}: no device is left",
              session(t, "multi"))
    ksft_eq(probe(), {}, f"{what}: nothing is sent")
    ksft_true(session(t, "multi")["stats"]["drop_inactive"] == 1, f"{what}: that is counted",
              session(t, "multi"))


def neighbours():
    """A collector that is not there yet, comes, gets another address, loses its link; every state
    is announced."""
    with Topology(neigh=False) as t, contextlib.ExitStack() as stack, \
            Monitor(t.host, "-j") as monitor:
        probe = Probe(t, stack, up0=(t.col, "eth0"))
        t.col.ip(f"address del {t.IP4['col']}/24 dev eth0")
        t.a.ip(f"neigh add {t.IP4['b']} lladdr {t.MAC['b']} dev eth0 nud permanent")

        vtap_batch(t.host, f"session add s type erspan2 id 1 remote {t.IP4['col']}")
        mirror(t, "vnet0", ["s"], "dir ingress")
        ksft_true(becomes(t, "s", state="resolving"), "resolving while nobody answers",
                  session(t, "s"))
        t.col.ip(f"address add {t.IP4['col']}/24 dev eth0")
        ksft_true(becomes(t, "s", state="active", egress="up0"), "active when somebody does",
                  session(t, "s"))
        ksft_eq([o[:6] for o, _ in probe("up0").values()], [mac(t.MAC["col"])],
                "copies go to its address")
        t.host.ip(f"neigh replace {t.IP4['col']} lladdr 02:00:00:00:00:99 dev up0 nud reachable")
        changed = busywait(lambda: [o[:6] for o, _ in probe("up0").values()] ==
                           [mac("02:00:00:00:00:99")], 20)
        ksft_true(changed, "and to another one when it changes")
        t.col.ip("link set eth0 down")
        ksft_true(becomes(t, "s", state="no-device"), "no device while the link is down",
                  session(t, "s"))
        t.col.ip("link set eth0 up")
        ksft_true(becomes(t, "s", state="active"), "active again when it is back", session(t, "s"))
        want = ["resolving", "active", "no-device", "resolving", "active"]
        wanted = want, want[:3] + want[4:]
        ksft_true(busywait(lambda: monitor.states("s") in wanted), "every state was announced",
                  lambda: monitor.states("s"))


def egress_devices():
    """VLAN, bond, bridge, VRF and macvlan devices as egress."""
    links = {"vlan": ["link add out link up1 type vlan id 7"],
             "bond": ["link add out type bond mode active-backup", "link set up1 down",
                      "link set up1 master out",
                      "link set up1 up"],
             "bridge": ["link add out type bridge forward_delay 0", "link set up1 master out",
                        "link set up1 up"],
             "macvlan": ["link add out link up1 type macvlan mode bridge", "link set up1 up"],
             "vrf": ["link add vrf7 type vrf table 77", "link set vrf7 up", "link set up1 down",
                     "link set up1 name out",
                     "link set out up", "link set out master vrf7"]}
    for kind, lines in links.items():
        modprobe({"vlan": "8021q", "bond": "bonding"}.get(kind, kind))
        with Topology() as t, contextlib.ExitStack() as stack:
            ip(f"link add up1 netns {t.host.name} type veth peer name eth1 netns {t.col.name}")
            t.col.ip("link set eth1 addrgenmode none\nlink set eth1 up")
            t.host.ip("link set up1 addrgenmode none", "link set up1 up", *lines,
                      "link set out addrgenmode none", "link set out up",
                      "address add 198.18.0.1/24 dev out",
                      "address add 2001:db8:18::1/64 dev out nodad",
                      "neigh add 198.18.0.9 lladdr 02:00:00:00:18:09 dev out nud permanent",
                      "neigh add 2001:db8:18::9 lladdr 02:00:00:00:18:09 dev out nud permanent")
            probe = Probe(t, stack, far=(t.col, "eth1"))
            for version, remote in ((4, "198.18.0.9"), (6, "2001:db8:18::9")):
                what = f"{kind}, IPv{version}"
                vtap_batch(t.host, "rule flush", "session flush",
                           f"session add s type erspan2 id 1 remote {remote}" + " dev out" *
                           (kind == "vrf"))
                ksft_true(becomes(t, "s", state="active", egress="out"), f"{what}: active",
                          session(t, "s"))
                mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
                found = busywait(lambda: probe("far"), 20) or {}
                ksft_eq([(o[:6], o[12:16] == b"\x81\0\0\x07", c.version)
                         for o, c in found.values()], [(mac("02:00:00:00:18:09"), kind == "vlan",
                                                        version)], f"{what}: the copy leaves by it")


class Tap:
    """A tun or tap device NAME of namespace NS with a program behind it; OFFLOAD: what that takes
    unfinished."""
    IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 1, 2, 0x1000, 0x4000
    TUNSETIFF, TUNSETOFFLOAD = 0x400454ca, 0x400454d0
    CSUM, TSO4, TSO6 = 1, 2, 4

    def __init__(self, ns, name, kind, offload):
        self.kind = kind
        with ns.enter():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            flags = kind | self.IFF_NO_PI | self.IFF_VNET_HDR
            fcntl.ioctl(self.fd, self.TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(self.fd, self.TUNSETOFFLOAD, offload)
        ns.ip(f"link set {name} txqueuelen 20000 addrgenmode none", f"link set {name} up")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.fd)

    def copies(self, n, mtu):
        """Return: N copies, and what is wrong with the packets they came in."""
        decode, out, wrong = Decoder(mtu), [], []
        while len(out) < n and not wrong and select.select([self.fd], [], [], 20)[0]:
            data = os.read(self.fd, 1 << 17)
            header, frame = data[:10], data[10:]
            if self.kind == self.IFF_TUN:
                frame = bytes(12) + (b"\x86\xdd" if frame[0] >> 4 == 6 else b"\x08\0") + frame
            if not is_copy(frame):
                continue
            if header[0] & 1 or header[1]:  # VIRTIO_NET_HDR_F_NEEDS_CSUM, gso_type
                wrong.append(f"left to the receiver: {header.hex()}")
            c = decode(frame)
            out += [c] if c else []
        return out, wrong


def tap_devices():
    """A collector in a VM of the same host, behind a tap device, and one behind a tun device: all
    there, all final."""
    for kind, what in ((Tap.IFF_TAP, "tap"), (Tap.IFF_TUN, "tun")):
        for offload in (0, Tap.CSUM | Tap.TSO4 | Tap.TSO6):
            with Topology() as t, Tap(t.host, "out", kind, offload) as rx:
                t.host.ip("address add 198.18.0.1/24 dev out",
                          "address add 2001:db8:18::1/64 dev out nodad")
                remotes = (4, "198.18.0.9"), (6, "2001:db8:18::9")
                if kind == Tap.IFF_TAP:
                    t.host.ip(*[f"neigh add {r} lladdr 02:00:00:00:18:09 dev out nud permanent"
                                for _, r in remotes])
                types = {"gre": "gre", "two": "erspan2 id 2", "vx": "vxlan key 3"}
                vtap_batch(t.host, *[f"session add {name}{v} type {words} remote {r}"
                                     for v, r in remotes for name, words in types.items()])
                mirror(t, "vnet0", [f"{name}{v}" for v, _ in remotes for name in types])
                data, port = transfer(t, 1 << 17)
                vtap("rule flush", t.host)
                counters = session_stats(t)
                copies, wrong = rx.copies(sum(c["sent"] for c in counters.values()), 1500)
                name = f"{what} device that takes {'unfinished' if offload else 'finished'} packets"
                ksft_eq([len(copies), wrong], [sum(c["matched"] for c in counters.values()), []],
                        f"{name}: every copy comes, in packets that are final")
                for one in sorted({c.session[:2] for c in copies}):
                    stream, wrong = payload([c for c in copies if c.session[:2] == one], t.IP4["a"],
                                            port, 1514)
                    ksft_true(stream.data() == data and not wrong,
                              f"{name}: {one}: whole payload, checksums right",
                              f"{len(stream.data())} bytes, {wrong[:3]}")


def routed():
    """A collector behind a router, on a network with a smaller MTU: the router says so, and
    sessions follow."""
    with Topology() as t, NetNS("far") as far, contextlib.ExitStack() as stack:
        ip(f"link add eth1 netns {t.col.name} mtu 1400 type veth peer name eth0 netns {far.name} "
           "mtu 1400")
        t.col.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        t.col.ip("link set eth1 up", "address add 198.51.100.1/24 dev eth1",
                 "address add 2001:db8:51::1/64 dev eth1 nodad")
        far.ip("link set lo up", "link set eth0 up", f"address add {ROUTED4}/24 dev eth0",
               f"address add {ROUTED6}/64 dev eth0 nodad", "route add default via 198.51.100.1",
               "route add default via 2001:db8:51::1")
        t.host.ip(f"route add 198.51.100.0/24 via {t.IP4['col']}",
                  f"route add 2001:db8:51::/64 via {t.IP6['col']}")
        busywait(lambda: far.running("eth0") and t.col.running("eth1"))
        rx = stack.enter_context(Collector(far, mtu=1400))
        tx = stack.enter_context(Sender(t.a, "eth0"))
        policies = {"cut": "truncate", "frag": "fragment", "drop": "drop"}
        remotes = (4, ROUTED4), (6, ROUTED6)
        vtap_batch(t.host, *[f"session add {name}{v} type erspan2 id {v * 10 + n} mtu {policy} "
                             f"remote {remote}" for v, remote in remotes
                             for n, (name, policy) in enumerate(policies.items())])
        names = [name + v for v in "46" for name in policies]
        mirror(t, "vnet0", names, "dir ingress ip_proto udp")
        probe, frame = t.udp(payload=b"p" * 1400), t.udp(payload=b"f" * 1390)
        with t.b.enter():  # or b says that nobody listens
            stack.enter_context(socket.socket(socket.AF_INET,
                                              socket.SOCK_DGRAM)).bind((t.IP4["b"], 4000))

        def told(name):
            tx.send(probe)
            return session(t, name)["path_mtu"] == 1400
        for name in names:
            if name != "frag4":  # whose packets the router may cut
                ksft_true(busywait(lambda n=name: told(n), 30, 0.2),
                          f"the MTU behind the router is followed: {name}", session(t, name))
        before = session_stats(t)
        tx.send(frame)
        whole = {"frag4": 1432, "frag6": 1432, "cut4": 1364, "cut6": 1344}
        got = {}

        def there():
            for c in rx.copies(0):
                if c.frame == frame[:len(c.frame)]:
                    got[list(policies)[(c.words[0] & 0x3ff) % 10] + str(c.version)] = c
            return len(got) >= len(whole)
        busywait(there, 20)
        ksft_eq({name: (len(c.frame), c.truncated) for name, c in got.items()},
                {name: (size, name[:3] == "cut") for name, size in whole.items()},
                "every copy fits and comes, the cut ones marked")
        ksft_eq([session_stats(t)[n]["drop_mtu"] - before[n]["drop_mtu"] for n in names],
                [0, 0, 1] * 2, "those that must not be cut are dropped and counted")
        ksft_eq([t.a.icmp_errors(), t.b.icmp_errors()], [{}, {}],
                "no router's word came to the VMs")
        ksft_true(set(t.host.icmp_errors()) >= {"IcmpInDestUnreachs", "Icmp6InPktTooBigs"},
                  "but to the host", t.host.icmp_errors())


def slow_path():
    """Egress devices without Ethernet headers, and a collector on the same host."""
    with Topology() as t, contextlib.ExitStack() as stack:
        t.host.ip(f"link add tnl type ipip local {t.IP4['up0']} remote {t.IP4['col']} ttl 9",
                  "link set tnl up", f"route add {ROUTED4} dev tnl src {t.IP4['up0']}",
                  f"link add here type gretap local {t.IP4['up0']} remote {t.IP4['up0']}",
                  "link set here addrgenmode none", "link set here up")
        vtap_batch(t.host, f"session add ipip type erspan2 id 1 remote {ROUTED4}",
                   f"session add here type gre remote {t.IP4['up0']}")
        mirror(t, "vnet0", ["ipip", "here"], "dir ingress ip_proto udp")
        ksft_eq([(s["state"], s["egress"]) for s in vtap_json("session show", t.host)],
                [("active", "tnl"), ("active", "lo")], "states")
        tx = stack.enter_context(Sender(t.a, "eth0"))
        rx = stack.enter_context(Sniffer(t.col, "eth0", match=lambda f: f[12:14] == b"\x08\0"
                                         and f[23] == 4))
        here = stack.enter_context(Sniffer(t.host, "here"))
        frames = [t.udp(payload=b"x" * n) for n in (20, 1000, 1472)]
        tx.send(*frames)
        decode, got = Decoder(1480), []
        for f in rx.frames(4):
            got.append(decode(f[:14] + f[34:]))
        ksft_eq([c.frame for c in got if c], frames,
                "an IP tunnel as egress: copies arrive, the long one in fragments")
        ksft_eq([bytes(f) for f in here.frames(3)], frames, "a collector on the same host gets all")
        ksft_eq({c["matched"] - c["sent"] for c in session_stats(t).values()}, {0},
                "all are counted as sent")


def ipsec():
    """Where a policy asks for IPsec, copies leave as ESP and in no other way."""
    state = f"proto esp spi 0x77 reqid 7 mode transport enc cbc(aes) 0x{'00' * 16} " \
            f"auth hmac(sha256) 0x{'11' * 32}"
    with Topology() as t, contextlib.ExitStack() as stack:
        up, col = t.IP4["up0"], t.IP4["col"]
        tmpl = f"tmpl src {up} dst {col} proto esp reqid 7 mode transport"
        try:
            for ns in (t.host, t.col):
                ns.ip(f"xfrm state add src {up} dst {col} {state}")
        except subprocess.CalledProcessError as e:
            ksft_skip(e.stderr, "IPsec")
            return
        t.col.ip(f"link add rx type gretap local {col} remote {up}", "link set rx addrgenmode none",
                 "link set rx up")
        wires = stack.enter_context(Sniffer(t.col, "eth0", match=lambda f: f[12:14] == b"\x08\0"))
        tx = stack.enter_context(Sender(t.a, "eth0"))
        vtap_batch(t.host, f"session add s type gre remote {col}")
        mirror(t, "vnet0", ["s"], "dir ingress")
        probe, frames = t.udp(payload=b"probe"), [t.udp(payload=b"x" * n) for n in (20, 900, 1472)]
        rx = stack.enter_context(Sniffer(t.col, "rx", match=lambda f: f != probe))
        tx.send(probe)
        ksft_eq([f[23] for f in wires.frames(1)], [47], "without a policy: GRE")
        t.host.ip(f"xfrm policy add dir out src {up} dst {col} {tmpl}")
        ksft_true(busywait(lambda: (tx.send(probe) or [f[23] for f in wires.frames(1)]) == [50], 5),
                  "the session notices")
        tx.send(*frames)
        ksft_eq([bytes(f) for f in rx.frames(3)], frames,
                "the collector gets the frames out of ESP")
        ksft_eq({f[23] for f in wires.frames(3)}, {50}, "nothing else was on the wire")


def path_mtu():
    """MTU of device and route, and the path MTU that a router announces, are followed."""
    with Topology(up_mtu=9000) as t, contextlib.ExitStack() as stack, \
            Sender(t.col, "eth0") as router:
        rx = stack.enter_context(Collector(t.col, mtu=9000))
        tx = stack.enter_context(Sender(t.a, "eth0"))
        for version, vxlan, erspan in ((4, "192.0.2.19", t.IP4["col"]),
                                       (6, "2001:db8:9::19", t.IP6["col"])):
            t.host.ip(f"neigh add {vxlan} lladdr {t.MAC['col']} dev up0 nud permanent")
            vtap_batch(t.host, f"session add s{version} type vxlan key {version} mtu truncate "
                       f"remote {vxlan}",
                       f"session add g{version} type erspan2 id {version} remote {erspan}")
        mirror(t, "vnet0", ["s4", "s6", "g4", "g6"], "dir ingress ip_proto udp")
        frame = t.udp(payload=b"m" * 1400)
        names = ("s4", "s6", "g4", "g6")
        ksft_eq({session(t, n)["path_mtu"] for n in names}, {9000}, "MTU of the device")
        t.host.ip("link set up0 mtu 1450")
        ksft_true(all(becomes(t, n, path_mtu=1450) for n in names), "a new one is followed",
                  lambda: vtap_json("session show", t.host))
        tx.send(frame)
        got = rx.copies(4)
        ksft_eq(sorted((c.version, c.kind, min(len(c.frame), c.fragments * 10000)) for c in got),
                [(4, "erspan2", 1442), (4, "vxlan", 1414), (6, "erspan2", 1442),
                 (6, "vxlan", 1394)], "copies fit into it")
        ksft_true(rx.decode.longest <= 1450, "no packet is longer", rx.decode.longest)
        t.host.ip("link set up0 mtu 9000")
        all(becomes(t, n, path_mtu=9000) for n in names)
        ksft_eq([router.send(too_big(t, c, 1300, other=True)) or session(t, n)["path_mtu"]
                 for n, c in zip(names, got)], [9000] * 4,
                "a router's word on packets of others changes nothing")
        # of what is quoted, the last byte is not looked at: only the checksum tells. Words of 1300
        # that are believed late show below, since a path MTU does not grow
        spoilt = [f[:-1] + bytes([f[-1] ^ 1]) for f in (too_big(t, c, 1300) for c in got)]
        ksft_eq([router.send(f) or session(t, n)["path_mtu"] for n, f in zip(names, spoilt)],
                [9000] * 4, "nor does one with a wrong checksum")
        for n, mtu, words in (*[(n, 1400, {}) for n in names], *[(n, 1380, {"fragment": True})
                                                                 for n in ("s6", "g6")]):
            def told():
                router.send(*[too_big(t, c, mtu, **words) for c in got if c.version == 6
                              or not words])
                return session(t, n)["path_mtu"] == mtu
            what = " a fragment of" if words else ""
            ksft_true(busywait(told, 8, 0.2),
                      f"the path MTU that a router announces on{what} {n} is followed",
                      session(t, n))


def port_type():
    """Raw copies out of a device: as on a wire, tags included; never copied again."""
    with Topology() as t, contextlib.ExitStack() as stack:
        t.host.ip("link add span type veth peer name ids",
                  *[f"link set {d} addrgenmode none\nlink set {d} up" for d in ("span", "ids")])
        rx = stack.enter_context(Sniffer(t.host, "ids"))
        tx = stack.enter_context(Sender(t.a, "eth0", vnet=True))
        vtap_batch(t.host, "session add s type port dev span")
        mirror(t, "vnet0", ["s"], "dir ingress")
        frames = [t.udp(payload=os.urandom(n)) for n in (0, 100, 1472)] + \
            [t.udp(payload=os.urandom(1472), vlan=5)]
        tx.send(*frames)
        ksft_eq([f.hex() for f in rx.frames(4)], [f.hex() for f in frames],
                "raw copies, a tagged one of full size too")
        data, port = transfer(t, 1 << 17)
        vtap("rule flush", t.host)
        before = session_stats(t)["s"]
        got = rx.frames(before["sent"] - 4)
        stream = Stream(socket.inet_aton(t.IP4["a"]), port)
        for f in got:
            stream.add(f, parse_inner(f))
        ksft_true(stream.data() == data and max(map(len, got)) == 1514,
                  "super-frames are cut, checksums final", len(stream.data()))
        # every device is a port now, the session's own and its peer too
        vtap_batch(t.host, "rule add pref 10 port * dir both ip_proto udp action mirror s")
        probe, last = t.udp(payload=b"loop"), t.udp(payload=b"last")
        tx.send(probe, last)
        ksft_eq(rx.until(lambda f: f == last), [probe], "a copy is not copied again")
        ksft_eq(session_stats(t)["s"]["matched"] - before["matched"], 2, "nor is that counted")


def tiny_mtu():
    """A route that claims an MTU below IPv4's least does not keep copies from being cut to that."""
    with Topology() as t, Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
        t.host.ip(f"route add {t.IP4['col']}/32 dev up0 mtu 24")
        vtap_batch(t.host, f"session add s type erspan2 remote {t.IP4['col']}")
        mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
        ksft_eq(session(t, "s")["path_mtu"], 68, "a tiny route MTU: the least of IPv4 counts")
        frame = t.udp(payload=b"t" * 300)
        tx.send(frame)
        ksft_eq([c.frame for c in rx.copies(1)], [frame], "a tiny route MTU: the copy comes whole")


def admitted(times, cost, burst):
    """Return: how many packets sent at TIMES pass a bucket that holds BURST seconds, of which each
    takes COST."""
    due, passed = 0, 0
    for now in times:
        due = max(due, now)
        if due - now <= burst:
            due += cost
            passed += 1
    return passed


def limits():
    """rate and pps hold, by the clock and by the counters; what yields is the copy."""
    with Topology() as t, contextlib.ExitStack() as stack:
        rx = stack.enter_context(Collector(t.col))
        far = stack.enter_context(Sniffer(t.b, "eth0"))
        tx = stack.enter_context(Sender(t.a, "eth0"))
        vtap_batch(t.host, "session add bits type erspan2 id 1 rate 800kbit burst 20kb remote "
                   f"{t.IP4['col']}",
                   f"session add packets type erspan2 id 2 pps 200 remote {t.IP4['col']}",
                   f"session add free type erspan2 id 3 remote {t.IP4['col']}")
        frame = t.udp(payload=b"r" * 958)
        mirror(t, "vnet0", ["bits", "packets", "free"], "dir ingress ip_proto udp")
        times = []
        while not times or times[-1] < times[0] + 1.5:
            for _ in range(4):
                times.append(time.monotonic())
                tx.send(frame)
            time.sleep(0.001)
        n = len(times)
        shown = {s["name"]: s for s in vtap_json("-s session show", t.host)}
        c = {name: s["stats"] for name, s in shown.items()}
        copies = rx.copies(sum(x["sent"] for x in c.values()))
        ksft_eq({k: sum(x.words[0] & 0x3ff == i for x in copies) for i, k in enumerate(c, 1)},
                {k: x["sent"] for k, x in c.items()}, "every copy that was sent arrives")
        ksft_eq(len(far.frames(n)), n, "production is complete")
        ksft_eq({x["matched"] - x["sent"] - x["drop_rate"] for x in c.values()}, {0},
                "matched = sent + drop_rate")
        ksft_eq(c["free"]["sent"], n, "without a limit nothing is dropped")
        outer = len(frame) + 36
        for name, text, cost, burst in (("bits", "bits per second", outer / 100_000, 0.2),
                                        ("packets", "packets per second", 1 / 200, 0.1)):
            want, sent = admitted(times, cost, burst), c[name]["sent"]
            ksft_true(abs(sent - want) <= 3 + want / 10 and c[name]["drop_rate"] > 0, text,
                      f"{sent} of {n} sent, {want} expected")


if __name__ == "__main__":
    modprobe("veth", "bridge", "8021q", "ip_gre", "ip6_gre", "ipip", "tun")
    raise_backlog()
    with one_cpu():
        ksft_run([routes, neighbours, egress_devices, tap_devices, routed, slow_path, ipsec,
                  path_mtu, tiny_mtu, port_type, limits])
        ksft_exit()
