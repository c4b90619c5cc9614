#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Loops: copies that return to a port as other frames are detected, whatever sent them back. In
each case one ping causes less than 1,000 copies on all hosts together, and copying continues. """
import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import threading
import time

from lib import (NetNS, Sender, Sniffer, Topology, busywait, checksum, ether, ip as lib_ip, ksft_eq,
                 ksft_exit, ksft_pr, ksft_run, ksft_skip, ksft_true, modprobe, raise_backlog, sh,
                 vtap, vtap_json)
from lib.cli import Monitor

MOST = 1000  # copies, of one ping
DROPS = ("inactive", "nomem", "mtu", "rate", "xmit", "loop", "frame")
VPN = "172.16.9.9"  # the collector's address behind a tunnel
TUNSETIFF, IFF_TUN_NO_PI = 0x400454ca, 0x1001


def sessions(ns):
    """Return: the sessions of NS."""
    return vtap_json("-s session show", ns)


def sent(*hosts):
    """Return: copies that the hosts have sent."""
    return sum(s["stats"]["sent"] for ns in hosts for s in sessions(ns))


def adds_up(name, *hosts):
    """Report whether the sessions' counters do."""
    stats = [s["stats"] for ns in hosts for s in sessions(ns)]
    ksft_eq([s for s in stats if s["matched"] != s["sent"] + sum(s["drop_" + d] for d in DROPS)],
            [], f"{name}: the counters add up")


def ping(t, n=1):
    """From a to b."""
    return t.a.sh(f"ping -c {n} -i 0.2 -W 2 {t.IP4['b']}", check=False).returncode == 0


def mirror(ns, *words):
    for i, rule in enumerate(words):
        vtap(f"rule add pref {i + 10} {rule} action mirror s", ns)


def settled(*hosts):
    """Wait until no more copies are made. Return: how many there are."""
    seen = []

    def still():
        now = time.monotonic()
        seen.append((now, sent(*hosts),
                     sum(s["stats"]["drop_loop"] for ns in hosts for s in sessions(ns))))
        # WireGuard's keepalive packets are copied, and cause each other: one in 10 s
        before = [n for at, n, _ in seen if now - at >= 3]
        return before and seen[-1][1] - before[-1] <= 3
    ksft_true(busywait(still, timeout=30), "it comes to rest", lambda: seen[-30:])
    return seen[-1][1]


def damped(name, t, *others, port=None, dropped=True):
    """One ping, of which the copies come back. Report whether all hosts make few copies, and
    the loop is told; then that the tapped traffic, and its copies, are as they were. DROPPED: vtap
    has to see the loop."""
    hosts = t.host, *others
    before = sent(*hosts)
    with Monitor(t.host, "-j") as monitor:
        ksft_true(ping(t), f"{name}: the ping arrives")
        looping = []

        def found():
            looping[:] = [(ns, s) for ns in hosts for s in sessions(ns) if s["state"] == "loop"]
            return looping
        if dropped:
            ksft_true(busywait(found, timeout=20), f"{name}: the loop is found",
                      lambda: [sessions(ns) for ns in hosts])
        made = settled(*hosts) - before
        dropped_ = sum(s["stats"]["drop_loop"] for ns in hosts for s in sessions(ns))
        ksft_pr(f"{name}: {made} copies of one ping, {dropped_} were dropped")
        ksft_true(2 <= made < MOST, f"{name}: less than {MOST} copies of one ping", made)
        if dropped and looping:
            ksft_eq([s.get("loop_port") for _, s in looping if port],
                    [port for _, s in looping if port],
                    f"{name}: it says by which port copies came back")
            if looping[0][0] is t.host:
                ksft_true(busywait(lambda: "loop" in monitor.states("s")),
                          f"{name}: an event says so", lambda: monitor.states("s"))
    before = sent(t.host)
    ksft_true(ping(t), f"{name}: another ping arrives")
    ksft_true(busywait(lambda: sent(t.host) - before >= 2), f"{name}: and is copied",
              lambda: sessions(t.host))
    adds_up(name, *hosts)


def wireguard(t):
    """A tunnel between host and collector. Return: whether there is one."""
    if not modprobe("wireguard"):
        return False
    pairs = []
    for ns, address in ((t.host, "172.16.9.1"), (t.col, VPN)):
        ns.ip("link add wg0 type wireguard", f"address add {address}/24 dev wg0")
        private = ns.sh("wg genkey").stdout
        pairs.append((ns, private, sh("wg pubkey", input=private).stdout.strip()))
    for (ns, private, _), (_, _, public), peer, port in zip(pairs, pairs[::-1],
                                                            (t.IP4["col"], t.IP4["up0"]),
                                                            (51820, 51821)):
        with ns.enter():
            sh(["wg", "set", "wg0", "listen-port", str(port), "private-key", "/dev/stdin",
                "peer", public, "allowed-ips",
                "172.16.9.0/24", "endpoint", f"{peer}:{51820 + 51821 - port}"], input=private)
        ns.ip("link set wg0 up")
    t.col.sh("ping -c 1 -W 5 172.16.9.1")  # shake hands
    return True


class Vpn:
    """A VPN in user space: what is routed to vpn0 in namespace NS is sent as UDP to ADDRESS."""

    def __init__(self, ns, address, net="172.16.9.1/24"):
        with ns.enter():
            self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"vpn0", IFF_TUN_NO_PI))
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = address
        ns.ip("link set vpn0 addrgenmode none", "link set vpn0 mtu 1400", "link set vpn0 up",
              f"address add {net} dev vpn0")
        self.wake = os.pipe()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.wake[0] not in select.select([self.tun, self.wake[0]], [], [])[0]:
            with contextlib.suppress(OSError):
                self.sock.sendto(os.read(self.tun, 1 << 16), self.address)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.write(self.wake[1], b"x")
        self.thread.join()
        self.sock.close()
        for fd in (self.tun, *self.wake):
            os.close(fd)


def listener(ns, port):
    """Return: a socket that swallows UDP."""
    with ns.enter():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", port))
    return sock


def receiver(ns):
    """Return: a socket that swallows GRE."""
    with ns.enter():
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE)


def talkative(*spaces):
    """Send ICMP errors without limits."""
    for ns in spaces:
        ns.sysctl(net__ipv4__icmp_ratelimit=0)
    with contextlib.suppress(OSError):
        spaces[0].sysctl(net__ipv4__icmp_msgs_per_sec=100000)


def behind_wireguard():
    """A collector behind WireGuard, the underlay tapped."""
    with Topology() as t:
        if not wireguard(t):
            ksft_skip("there is no module wireguard", "a collector behind WireGuard")
            return
        vtap(f"session add s type erspan2 id 1 remote {VPN}", t.host)
        mirror(t.host, "port 'vnet*'", "port up0")
        with receiver(t.col):
            damped("WireGuard", t, port="up0")
        ksft_eq(sessions(t.host)[0]["state"], "loop", "the state is still loop")
        vtap("rule flush", t.host)
        ksft_true(busywait(lambda: sessions(t.host)[0]["state"] == "active"),
                  "without the rules the loop is over", lambda: sessions(t.host))
        mirror(t.host, "port 'vnet*'")
        before = sent(t.host)
        ping(t)
        ksft_eq(settled(t.host) - before, 2,
                "without a tap of the underlay, two copies of one ping")


def over_by_itself():
    """A loop is over when copies are sent and none comes back."""
    with Topology() as t, Vpn(t.host, (t.IP4["col"], 7000)), listener(t.col, 7000):
        vtap(f"session add s type gre remote {VPN}", t.host)
        mirror(t.host, "port 'vnet*'", "port up0")
        ping(t)
        ksft_true(busywait(lambda: sessions(t.host)[0]["state"] == "loop", timeout=20),
                  "the loop is found")
        t.host.ip(f"route add {VPN}/32 via {t.IP4['col']} dev up0")
        ksft_true(busywait(lambda: ping(t) and sessions(t.host)[0]["state"] == "active", timeout=30,
                           step=0.2), "with another way to the collector, it ends",
                  lambda: sessions(t.host))
        adds_up("after the loop", t.host)


def behind_user_space():
    """A collector behind a VPN in user space, the underlay tapped, with and without a bridge; and
    behind one that takes its time."""
    modprobe("sch_netem")
    for what in ("", ", uplink in the bridge", ", 60 ms late"):
        with Topology() as t, contextlib.ExitStack() as stack:
            if "bridge" in what:
                t.host.ip("address flush dev up0", "link set up0 master br0",
                          f"link set br0 address {t.MAC['up0']}",
                          f"address add {t.IP4['up0']}/24 dev br0",
                          f"neigh replace {t.IP4['col']} lladdr {t.MAC['col']} dev br0 "
                          "nud permanent")
                t.host.sh(f"bridge fdb replace {t.MAC['col']} dev up0 master static")
            stack.enter_context(Vpn(t.host, (t.IP4["col"], 7000)))
            stack.enter_context(listener(t.col, 7000))
            words = ""
            if "late" in what:
                # copies do not become longer, and so no more frames than one for each copy
                words = "snaplen 100"
                t.host.sh("tc qdisc add dev vpn0 root netem delay 60ms")
            vtap(f"session add s type gre remote {VPN} {words}", t.host)
            mirror(t.host, *(["master br0"] if "bridge" in what else ["port 'vnet*'", "port up0"]))
            damped("VPN in user space" + what, t, port="up0")


def behind_ipsec():
    """IPsec between host and collector, the underlay tapped."""
    if not modprobe("esp4"):
        ksft_skip("there is no module esp4", "IPsec")
        return
    for mode in ("transport", "tunnel"):
        with Topology() as t:
            ends = f"src {t.IP4['up0']} dst {t.IP4['col']}"
            keys = f"auth hmac(sha1) 0x{'11' * 20} enc cbc(aes) 0x{'22' * 16}"
            t.host.ip(f"xfrm state add {ends} proto esp spi 0x100 mode {mode} {keys}",
                      f"xfrm policy add {ends} dir out tmpl {ends} proto esp mode {mode}")
            vtap(f"session add s type gre remote {t.IP4['col']}", t.host)
            mirror(t.host, "port 'vnet*'", "port up0")
            damped(f"IPsec, {mode}", t, dropped=False)


def gateway():
    """The collector is behind a VM that wraps copies: they leave and come back by its port."""
    for rule in ("port 'vnet*'", "port 'vnet*' dir ingress"):
        with Topology() as t, Vpn(t.b, (t.IP4["a"], 7000)), listener(t.a, 7000):
            t.host.ip("address add 10.0.0.254/24 dev br0",
                      f"neigh replace 10.0.0.2 lladdr {t.MAC['b']} dev br0 nud permanent",
                      "route add 172.16.9.0/24 via 10.0.0.2")
            t.b.sysctl(net__ipv4__ip_forward=1)
            t.host.sh(f"bridge fdb replace {t.MAC['b']} dev vnet1 master static")
            vtap(f"session add s type vxlan key 7 remote {VPN}", t.host)
            mirror(t.host, rule)
            damped(f"VPN gateway, {rule}", t, port="vnet1")


def two_hosts():
    """Two hosts that are each other's collectors."""
    for words in ("type erspan2 id 3", "type vxlan key 3"):
        with Topology() as t, listener(t.host, 4789), listener(t.col, 4789):
            vtap(f"session add s {words} remote {t.IP4['col']}", t.host)
            vtap(f"session add s {words} remote {t.IP4['up0']}", t.col)
            mirror(t.host, "port 'vnet*'", "port up0")
            mirror(t.col, "port eth0")
            damped(f"two hosts, {words}", t, t.col)


def ring():
    """Three hosts, each the collector of the one before it."""
    with Topology() as t, NetNS("third") as third:
        lib_ip(f"link add eth1 netns {t.col.name} address 02:00:00:00:03:01 type veth "
               f"peer name eth0 netns {third.name} " "address 02:00:00:00:03:02",
               f"link add eth1 netns {third.name} address 02:00:00:00:03:03 type veth "
               f"peer name up1 netns {t.host.name} " "address 02:00:00:00:03:04")
        for ns, dev, net, mine, peer, lladdr in (
                (t.col, "eth1", "198.18.1", 1, 2, "02:00:00:00:03:02"),
                (third, "eth0", "198.18.1", 2, 1, "02:00:00:00:03:01"),
                (third, "eth1", "198.18.2", 1, 2, "02:00:00:00:03:04"),
                (t.host, "up1", "198.18.2", 2, 1, "02:00:00:00:03:03")):
            ns.ip(f"link set {dev} addrgenmode none", f"link set {dev} up",
                  f"address add {net}.{mine}/24 dev {dev}",
                  f"neigh replace {net}.{peer} lladdr {lladdr} dev {dev} nud permanent")
        busywait(lambda: third.running("eth0", "eth1") and t.host.running("up1"))
        hops = (t.host, t.IP4["col"], ["port 'vnet*'", "port 'up*'"]), (t.col, "198.18.1.2",
                                                                        ["port 'eth*'"]), \
            (third, "198.18.2.2", ["port 'eth*'"])
        for ns, remote, rules in hops:
            vtap(f"session add s type gre remote {remote}", ns)
            mirror(ns, *rules)
        damped("ring of three", t, t.col, third)


def rewritten():
    """A router sends copies back with another source address."""
    with Topology() as t:
        t.host.ip(f"route add 198.51.100.0/24 via {t.IP4['col']}")
        t.col.ip(f"route add 198.51.100.0/24 via {t.IP4['up0']}",
                 "address add 192.0.2.10/24 dev eth0")
        t.col.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__send_redirects=0,
                     net__ipv4__conf__eth0__send_redirects=0)
        if t.col.sh(["nft",
                     "add table ip t; add chain ip t c "
                     "{ type nat hook postrouting priority 100; }; "
                     "add rule ip t c ip protocol gre snat to 192.0.2.10"], check=False).returncode:
            ksft_skip("nft cannot", "a router that rewrites the source")
            return
        vtap("session add s type gre key 5 remote 198.51.100.9", t.host)
        mirror(t.host, "port 'vnet*'", "port up0")
        damped("router that rewrites the source", t, port="up0")


def queued():
    """Copies wait in a queue on a VLAN device before the tapped device below it sends them."""
    modprobe("8021q", "sch_tbf", "sch_netem")
    tbf, late = "tbf rate 2mbit burst 2000 limit 1000000", "netem delay 5ms"
    for words, qdisc in (("type gre remote 198.18.7.9", tbf), ("type port dev up0.7", tbf),
                         ("type gre remote 198.18.7.9", late),
                         ("type port dev up0.7", late)):
        with Topology() as t:
            t.host.ip("link add link up0 name up0.7 type vlan id 7",
                      "link set up0.7 addrgenmode none", "link set up0.7 up",
                      "address add 198.18.7.1/24 dev up0.7",
                      "neigh add 198.18.7.9 lladdr 02:00:00:00:00:09 dev up0.7 nud permanent")
            if t.host.sh(f"tc qdisc add dev up0.7 root {qdisc}", check=False).returncode:
                ksft_skip("there is no such queue", f"queue on a VLAN device, {qdisc}")
                continue
            vtap(f"session add s {words}", t.host)
            mirror(t.host, "port 'vnet*'", "port up0")
            damped(f"{words}: {qdisc}", t, port="up0", dropped="port" in words and qdisc == late)


def reflected():
    """Raw copies that whatever is at the other end sends back."""
    modprobe("cls_matchall", "act_mirred", "sch_ingress")
    with Topology() as t:
        p = t.col.sh("tc qdisc add dev eth0 clsact", check=False)
        p = p if p.returncode else t.col.sh("tc filter add dev eth0 ingress matchall "
                                            "action mirred egress redirect dev eth0",
                                            check=False)
        if p.returncode:
            ksft_skip(p.stderr, "raw copies that are sent back")
            return
        vtap("session add s type port dev up0", t.host)
        mirror(t.host, "port 'vnet*'", "port up0")
        damped("raw copies that are sent back", t, port="up0")


def errors():
    """ICMP errors about copies are ours: of a collector without receiver, or a router."""
    for words in ("type gre key 9", "type gre key 9 seq on csum on", "type erspan3 id 9",
                  "type vxlan key 9"):
        for version, far in ((4, "198.51.100.9"), (6, "2001:db8:51::9")):
            for remote in ((t_ip := Topology.IP4 if version == 4 else Topology.IP6)["col"], far):
                with Topology() as t:
                    talkative(t.col, t.host)
                    t.host.ip("route add 198.51.100.0/24 via 192.0.2.9",
                              "route add 2001:db8:51::/64 via 2001:db8:9::9")
                    t.col.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1,
                                 net__ipv6__icmp__ratelimit=0)
                    vtap(f"session add s {words} remote {remote}", t.host)
                    mirror(t.host, "port 'vnet*'", "port up0")
                    what = f"{words} remote {remote}"
                    got = sum(t.host.icmp_errors().values())
                    ping(t)
                    ksft_true(busywait(lambda g=got, t=t: sum(t.host.icmp_errors().values()) > g),
                              f"{what}: errors come", lambda t=t: t.host.icmp_errors())
                    made = settled(t.host)
                    ksft_pr(f"{what}: {made} copies of one ping")
                    ksft_eq(made, 2, f"{what}: request and reply are copied once")
                    p = {x["name"]: x for x in vtap_json("-s port show", t.host)}["up0"]
                    ksft_true(p["ingress"]["own"] >= 1, f"{what}: the errors count as own", p)
        assert t_ip


def raw():
    """Raw copies have no header to be known by: they are known while they are sent."""
    with Topology() as t:
        vtap("session add s type port dev up0", t.host)
        mirror(t.host, "port 'vnet*'", "port up0")
        ping(t)
        ksft_eq(settled(t.host), 2, "raw copies: request and reply are copied once")
        p = {x["name"]: x for x in vtap_json("-s port show", t.host)}["up0"]
        ksft_eq(p["egress"]["own"], 2, "raw copies: they count as own where they leave")


def forged_errors():
    """ICMP errors of a VM that quote our outer headers are copied when they go to somebody else."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as rx:
        vtap("session add s type gre key 9 remote 192.0.2.9", t.host)
        mirror(t.host, "port vnet0 dir ingress ip_proto icmp")
        quote = struct.pack("!BBHHHBBH", 0x45, 0, 60, 1, 0, 64, 47,
                            0) + bytes((192, 0, 2, 1, 192, 0, 2, 9)) + \
            bytes.fromhex("20006558") + struct.pack("!I", 9)
        frames = []
        for dst in ("10.0.0.2", "192.0.2.1"):
            icmp = struct.pack("!BBHI", 3, 2, 0, 0) + quote
            icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1,
                             0) + socket.inet_aton("10.0.0.1") + socket.inet_aton(dst)
            ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
            frames.append(ether(t.MAC["b"], t.MAC["a"], 0x0800, ip + icmp))
        tx.send(*frames)
        rx.frames(2)
        ksft_eq(sent(t.host), 1,
                "an error to another address is copied, one to where our copies come from is not")


def host_made():
    """A tap of the host's own traffic loses no copy, at any rate: by a tunnel whose port a rule
    skips, and straight out."""
    count = 20000
    with Topology() as t, listener(t.col, 4000):
        if wireguard(t):
            vtap(f"session add s type gre remote {VPN}", t.host)
            vtap("rule add pref 1 port up0 ip_proto udp dst_port 51821 action skip", t.host)
            vtap("rule add pref 2 port up0 ip_proto udp dst_port 51820 action skip", t.host)
            mirror(t.host, "port up0 dir egress ip_proto udp")
            frames = [t.udp("up0", "col", payload=struct.pack("!I", i)) for i in range(count)]
            with Sender(t.host, "up0") as tx:
                tx.send(*frames)
            ksft_true(busywait(lambda: sent(t.host) == count),
                      "through WireGuard: each frame is copied", lambda: sessions(t.host))
            ksft_eq(sessions(t.host)[0]["state"], "active",
                    "through WireGuard: the session is active")
            adds_up("through WireGuard", t.host)
        else:
            ksft_skip("there is no module wireguard", "host-made traffic through WireGuard")
    with Topology() as t, listener(t.col, 4000):
        raise_backlog()
        with Sniffer(t.col, "eth0", match=lambda f: f[23:24] == b"\x2f") as rx:
            vtap(f"session add s type gre seq on remote {t.IP4['col']}", t.host)
            mirror(t.host, "port up0 dir egress ip_proto udp")
            frames = [t.udp("up0", "col", payload=struct.pack("!I", i)) for i in range(count)]
            with Sender(t.host, "up0") as tx:
                tx.send(*frames)
            got = [struct.unpack("!I", f[14 + 20 + 8 + 42:][:4])[0]
                   for f in rx.frames(count, timeout=30)]
            wrong = [(i, g) for i, g in enumerate(got) if i != g][:3]
            ksft_true(len(got) == count and not wrong,
                      "straight out: each frame is copied once, in order", (len(got), wrong))
            adds_up("straight out", t.host)


def slowly():
    """The same at rates at which experiments run their full length: late, none is lost."""
    with Topology() as t, listener(t.col, 4000), Sender(t.host, "up0") as tx:
        raise_backlog()
        with Sniffer(t.col, "eth0", match=lambda f: f[23:24] == b"\x2f") as rx:
            vtap(f"session add s type gre seq on remote {t.IP4['col']}", t.host)
            mirror(t.host, "port up0 dir egress ip_proto udp")
            count = 0
            for _ in range(4):
                frames = [t.udp("up0", "col", payload=struct.pack("!I", count + i))
                          for i in range(60)]
                tx.send(*frames)
                count += 60
                busywait(lambda n=count: sent(t.host) == n)
            got = [struct.unpack("!I", f[14 + 20 + 8 + 42:][:4])[0] for f in rx.frames(count)]
            ksft_eq(got, list(range(count)), "bursts: each frame is copied once, in order")
            ksft_eq(sessions(t.host)[0]["state"], "active", "bursts: the session is active")


def torn_down():
    """Rules, sessions, devices and namespaces go while copies are held back."""
    for what in ("rule", "session", "device", "template", "namespace"):
        with Topology() as t, Sender(t.host, "up0") as tx:
            vtap(f"session add s type gre remote {t.IP4['col']}", t.host)
            mirror(t.host, "port up0 dir egress ip_proto udp")
            tx.send(*[t.udp("up0", "col", payload=struct.pack("!I", i)) for i in range(60)])
            if what in ("rule", "session"):
                vtap("rule flush", t.host)
                ksft_eq(sent(t.host), 60, f"{what}: what was held back has left")
                if what == "session":
                    vtap("session del s", t.host)
            elif what == "device":
                t.host.ip("link del up0")
            elif what == "template":
                t.host.ip(f"neigh replace {t.IP4['col']} lladdr 02:00:00:00:00:99 dev up0 "
                          "nud permanent")
                ksft_true(busywait(lambda t=t: sent(t.host) == 60), "template: all copies leave",
                          lambda t=t: sessions(t.host))
            if what != "namespace":
                adds_up(what, t.host)
    bad = [line
           for line in subprocess.run(["dmesg"], stdout=subprocess.PIPE, text=True,
                                      check=False).stdout.splitlines()
           if "BUG" in line or "WARNING" in line]
    ksft_eq(bad, [], "the kernel does not complain")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy", "tun")
    ksft_run([behind_wireguard, behind_user_space, over_by_itself, behind_ipsec, gateway, two_hosts,
              ring, rewritten, queued, reflected, errors, raw, forged_errors, host_made, slowly,
              torn_down])
    ksft_exit()
