#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Switches under the tap: their own protocols, one copy per packet, a VM that migrates, loops that end."""
import collections
import contextlib
import json
import socket
import struct
import threading

import ksft
from hooks import A, CHAIN, INSIDE, Bond, Lacp, Rig, inner, make, mine
from ksft import Netns, Sender, Sniffer, busywait, eq, ether, modprobe, ok, sh, udp_frame, vtap, vtap_json

VM = "02:00:00:00:01:%02x"
SESSION = "session add s type gre remote 192.0.2.9 key 7"
BPDU, SLOW, LLDP = (bytes.fromhex("0180c20000" + last) for last in ("00", "02", "0e"))


def bridge(ns, name="br0", words=""):
    """Make a bridge in NS."""
    ns.ip(f"link add {name} type bridge forward_delay 0 mcast_snooping 0 {words}", f"link set {name} addrgenmode none up")


def wire(ns1, dev1, ns2, dev2, mac1="", mac2=""):
    """Join two devices; both are up."""
    one, two = (f"address {m}" if m else "" for m in (mac1, mac2))
    ns1.ip(f"link add {dev1} {one} type veth peer name {dev2} {two} netns {ns2.name}", f"link set {dev1} addrgenmode none up")
    ns2.ip(f"link set {dev2} addrgenmode none up")


class World:
    """Namespaces NAMES and a collector `col`; host() gives one a session, a bridge br0 and a way to the collector."""

    def __init__(self, *names):
        self.all = Netns.many(*names, "col")
        for name, ns in zip((*names, "col"), self.all):
            setattr(self, name, ns)
        self.hosts = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        Netns.remove_all(self.all)

    def host(self, ns):
        """NS becomes host number N; its copies come to the collector's device eN."""
        self.hosts.append(ns)
        n = len(self.hosts)
        wire(ns, "up0", self.col, f"e{n}", f"02:00:00:00:00:0{n}", f"02:00:00:00:09:0{n}")
        self.col.ip(f"link set e{n} mtu 9000")
        ns.ip("link set up0 mtu 9000", "address add 192.0.2.1/24 dev up0",
              f"neigh replace 192.0.2.9 lladdr 02:00:00:00:09:0{n} dev up0 nud permanent")
        bridge(ns)
        vtap(SESSION, ns)

    def vm(self, host, ns, n, dev=None):
        """Plug VM number N, which is NS, into the host."""
        dev = dev or f"vnet{n}"
        wire(host, dev, ns, "eth0", mac2=VM % n)
        host.ip(f"link set {dev} master br0")

    def copies(self, match=mine):
        """Return: captures of what comes from each host."""
        return [Sniffer(self.col, f"e{n + 1}", match=lambda f: f[23:24] == b"\x2f" and match(f)) for n in range(len(self.hosts))]

    def ready(self):
        """Wait until every port of every bridge forwards."""
        def forwarding(ns):
            return all(p["state"] == "forwarding" for p in json.loads(sh(["bridge", "-n", ns.name, "-j", "link"]).stdout))
        if not busywait(lambda: all(forwarding(ns) and ns.running("up0") for ns in self.hosts)):
            raise RuntimeError("the ports do not forward")


def ports(ns):
    """Return: `vtap port show` by name."""
    return {p["name"]: p for p in vtap_json("-s port show", ns)}


def rules(ns, *lines):
    """Put LINES in place of all rules."""
    vtap("rule flush", ns)
    for pref, line in enumerate(lines, 1):
        vtap(f"rule add pref {pref} {line}", ns)


def states(ns):
    """Return: STP state of each port."""
    return {p["ifname"]: p["state"] for p in json.loads(sh(["bridge", "-n", ns.name, "-j", "link"]).stdout)}


def settled(ns):
    """Return: the states, once one port blocks and three forward."""
    def good():
        s = states(ns)
        return sorted(s.values()) == ["blocking"] + ["forwarding"] * 3 and s
    return busywait(good, 90, 0.2) or states(ns)


def stp():
    """Two bridges joined by two wires: the same port blocks with every port tapped, and the BPDUs are copied."""
    with World("h") as w:
        w.host(w.h)
        for n in (1, 2):
            w.h.ip(f"link add b{n} address 02:00:00:00:0b:0{n} type bridge stp_state 1 forward_delay 200 hello_time 100 "
                   "max_age 600",
                   f"link set b{n} addrgenmode none up")
        for n in (1, 2):
            wire(w.h, f"x{n}", w.h, f"y{n}")
            w.h.ip(f"link set x{n} master b1", f"link set y{n} master b2")
        plain = settled(w.h)
        eq("STP: one port blocks without the tap", plain["y2"], "blocking")
        col, = w.copies(lambda f: f[42:48] == BPDU)
        with col:
            rules(w.h, "port '[xy]*' dir both dup on action mirror s")
            # each second the root sends one by two ports, and each is copied there and at the other end:
            # longer than max_age, so that a port that hears none would give up blocking
            got = inner(col.frames(4 * 9, 60))
            ok("STP: BPDUs are copied where they come and where they go", len(got) >= 36 and len(set(f[6:12] for f in got)) == 2,
               collections.Counter(f[6:12].hex() for f in got))
            eq("STP: the same port blocks with every port tapped", states(w.h), plain)
            w.h.ip("link set b2 down", "link set b2 up")
            eq("STP: and after a new election under the tap", settled(w.h), plain)
            eq("STP: hooks", {p["ingress_hook"] for p in ports(w.h).values()}, {"packet"})


def events(ns, act):
    """Return: numbers of RTM_NEWLINK messages that ACT causes, by address family, and errors."""
    with ns.enter():
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    with s:
        s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
        s.bind((0, 1))  # RTNLGRP_LINK
        act()
        s.setblocking(False)
        seen = collections.Counter()
        while True:
            try:
                data = s.recv(1 << 20)
            except BlockingIOError:
                return seen
            while len(data) >= 16:
                length, kind = struct.unpack("IH", data[:6])
                seen[kind, data[16], length > 8000] += 1
                data = data[(length + 3) & ~3:]


def vlans():
    """1,000 VLANs on a tapped bridge port: who listens hears of all of them, as without the tap."""
    with World("h", "a") as w:
        w.host(w.h)
        w.h.ip("link set br0 type bridge vlan_filtering 1")
        w.vm(w.h, w.a, 1)
        w.ready()  # or its state changes in the middle
        seen, lists = [], []
        for tapped in (False, True):
            rules(w.h, *["port 'vnet*' dir both action mirror s"] * tapped)
            text = "".join(f"vlan add dev vnet1 vid {vid}\n" for vid in range(2, 2002, 2))

            def act():
                sh(["bridge", "-n", w.h.name, "-batch", "-"], input=text)
                sh(["bridge", "-n", w.h.name, "link", "set", "dev", "vnet1", "learning", "off"])
                sh(["bridge", "-n", w.h.name, "link", "set", "dev", "vnet1", "learning", "on"])
            seen.append(events(w.h, act))
            lists.append(sh(["bridge", "-n", w.h.name, "-j", "vlan", "show", "dev", "vnet1"]).stdout)
            sh(["bridge", "-n", w.h.name, "-batch", "-"], input=text.replace("add", "del"))
        ours = [{k: n for k, n in s.items() if k[1] == socket.AF_BRIDGE} for s in seen]
        eq("VLANs: the tap changes no notification", ours[1], ours[0])
        ok("VLANs: one for each, the long ones too", sum(seen[1].values()) > 1000 and any(k[2] for k in seen[1]), seen)
        ok("VLANs: all are listed", lists[0] == lists[1] and len(json.loads(lists[1])[0]["vlans"]) > 1000, len(lists[1]))


def lacp():
    """LACP between two bonds and LLDP reach their owners, and are copied."""
    with Rig() as r:
        r.tap()
        kind = Lacp()
        r.a.ip("link add m0 address 02:00:00:00:0b:0a type bond mode 802.3ad miimon 10 lacp_rate fast",
               "link set m0 addrgenmode none up", "link set eth0 down", "link set eth0 master m0")
        kind.up(r)
        with Sniffer(r.col, "eth0", match=lambda f: f[42:48] in (SLOW, LLDP)) as col:
            kind.attach(r)
            partner = busywait(lambda: r.host.links()["m0"]["linkinfo"]["info_data"].get("ad_info", {}).get("partner_mac") ==
                               "02:00:00:00:0b:0a", 60)
            ok("LACP: the bonds find each other", partner, r.host.links()["m0"]["linkinfo"])
            eq(f"LACP: with the hook {CHAIN} at the bond's port", r.hook(CHAIN), CHAIN)
            got = inner(col.frames(8, 60))
            ends = {f[6:12].hex(":") for f in got}
            ok("LACP: both ends' packets are copied", len(ends) == 2 and all(f[:6] == SLOW for f in got), ends)
            lldp(r, col, "bond")
            kind.down(r)
            r.host.ip(f"link add m0 address {INSIDE} type bridge forward_delay 0", "link set m0 addrgenmode none up",
                      "link set p0 master m0")
            eq("LLDP: a packet handler on the bridge", r.hook("packet"), "packet")
            lldp(r, col, "bridge")


def lldp(r, col, what):
    """An LLDP frame reaches a daemon's socket on the port below the master, and is copied once."""
    frame = ether("01:80:c2:00:00:0e", A, 0x88cc, b"\x02\x07\x04" + b"vtap-%s" % what.encode() + bytes(50))
    with r.host.enter():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with s, Sender(r.a, "eth0") as tx:
        s.bind(("p0", 0x88cc))
        s.settimeout(10)
        tx.send(frame)
        eq(f"LLDP: reaches its daemon below the {what}", s.recv(2000), frame)
        got = []
        busywait(lambda: got.extend(f for f in inner(col.frames(1, 0.2)) if f[:6] == LLDP) or got)
        eq(f"LLDP: is copied once below the {what}", got, [frame])


def sent(w, tx, frames, expect, match=mine):
    """Send FRAMES, and one more that ends the wait. Return: the copies of FRAMES from each host."""
    cols = w.copies(match)
    with contextlib.ExitStack() as stack:
        for c in cols:
            stack.enter_context(c)
        tx.send(*frames)
        got = [inner(c.frames(n, 10 if n else 0)) for c, n in zip(cols, expect)]
        busywait(lambda: False, 0.1)
        return [g + inner(c.frames()) for g, c in zip(got, cols)]


def once():
    """A packet that passes several tapped ports of a host is copied once, unless the rule says dup."""
    with World("h", "a", "b", "c") as w:
        w.host(w.h)
        for n, ns in enumerate((w.a, w.b, w.c), 1):
            w.vm(w.h, ns, n)
        w.ready()
        with Sender(w.a, "eth0") as a, Sender(w.b, "eth0") as b:
            b.send(udp_frame(VM % 1, VM % 2, "10.0.0.2", "10.0.0.1"))  # the bridge learns of b
            with Sniffer(w.b, "eth0") as rx:
                a.send(udp_frame(VM % 2, VM % 1, "10.0.0.1", "10.0.0.2"))
                rx.frames(1)
            ab, ba, bc = make(1, VM % 2, VM % 1), make(2, VM % 1, VM % 2), make(3, VM % 3, VM % 2)
            flood = make(4, "ff:ff:ff:ff:ff:ff", VM % 1)
            # IPv4 only, so that nothing but these frames is counted
            rules(w.h, "port 'vnet*' dir both protocol 0x0800 action mirror s")
            eq("once: a to b through two tapped ports", sent(w, a, [ab], [1]), [[ab]])
            eq("once: counted at the second port", ports(w.h)["vnet2"]["egress"]["dup"], 1)
            eq("once: a flood to several ports", sent(w, a, [flood], [1]), [[flood]])
            rules(w.h, "port 'vnet*' dir both dup on action mirror s")
            eq("once: twice with dup on", sent(w, a, [ab], [2]), [[ab] * 2])
            eq("once: a flood three times with dup on", sent(w, a, [flood], [3]), [[flood] * 3])
            rules(w.h, "port vnet2 dir both action mirror s")
            eq("once: at egress when it came by an untapped port", sent(w, a, [ab], [1]), [[ab]])
            rules(w.h, "port vnet1 dir egress action mirror s", "port vnet2 dir egress action mirror s")
            eq("once: at egress when ingress has no rule", sent(w, a, [ab], [1]), [[ab]])
            rules(w.h, "port 'vnet[23]' dir both protocol 0x0800 action mirror s")
            eq("once: for each port, a flood from a port that is not tapped", sent(w, a, [flood], [2]), [[flood] * 2])
            eq("once: which is not taken for a duplicate", [p["egress"]["dup"] for p in ports(w.h).values()], [0, 0])
            vtap("session add t type gre remote 192.0.2.9 key 8", w.h)
            rules(w.h, "port vnet1 dir ingress action mirror s", "port vnet2 dir egress action mirror s,t")
            eq("once: for each session", sent(w, a, [ab], [2]), [[ab] * 2])
            rules(w.h, f"mac {VM % 1} dir both action mirror s")
            eq("mac: what the VM sends and receives, once each", (sent(w, a, [ab], [1]), sent(w, b, [ba], [1])), ([[ab]], [[ba]]))
            eq("mac: nothing of other VMs", sent(w, b, [bc, ba], [1]), [[ba]])
            eq("mac: on every port of the switch, and on no other device", sorted(ports(w.h)), ["vnet1", "vnet2", "vnet3"])
            rules(w.h, "master br0 dir ingress action mirror s")
            eq("master: its ports", sorted(ports(w.h)), ["vnet1", "vnet2", "vnet3"])
            w.h.ip("link set vnet3 nomaster", "link add new0 type dummy", "link set new0 master br0")
            busywait(lambda: "new0" in ports(w.h) and "vnet3" not in ports(w.h))
            eq("master: a port that leaves, and one that comes", sorted(ports(w.h)), ["new0", "vnet1", "vnet2"])
            eq("master: copies", sent(w, a, [ab], [1]), [[ab]])


def two_hosts():
    """Policy for one copy across hosts: each copies what its VMs send, and at the uplink what no VM of the set sent."""
    with World("h1", "h2", "a", "b", "x") as w:
        w.host(w.h1)
        w.host(w.h2)
        w.vm(w.h1, w.a, 1)
        w.vm(w.h2, w.b, 2)
        bridge(w.x)
        w.x.ip("link set br0 address 02:00:00:00:02:01")
        for n, h in ((1, w.h1), (2, w.h2)):
            wire(h, "uplink", w.x, f"u{n}")
            h.ip("link set uplink master br0")
            w.x.ip(f"link set u{n} master br0")
            rules(h, "port 'vnet*' dir ingress action mirror s",
                  f"port uplink dir ingress src_mac {VM % 0}/ff:ff:ff:ff:ff:00 action skip",
                  "port uplink dir ingress action mirror s")
        w.ready()
        with Sender(w.a, "eth0") as a, Sender(w.b, "eth0") as b, Sender(w.x, "br0") as x:
            for tx, mac in ((a, VM % 1), (b, VM % 2)):  # the switches learn of them
                tx.send(udp_frame("ff:ff:ff:ff:ff:ff", mac, "10.0.0.1", "10.0.0.2"))
            ab, ba = make(1, VM % 2, VM % 1), make(2, VM % 1, VM % 2)
            eq("two hosts: a to b is copied by a's host", sent(w, a, [ab], [1, 0]), [[ab], []])
            eq("two hosts: b to a by b's", sent(w, b, [ba], [0, 1]), [[], [ba]])
            flood = make(3, "ff:ff:ff:ff:ff:ff", VM % 1)
            eq("two hosts: a VM's broadcast once", sent(w, a, [flood], [1, 0]), [[flood], []])
            xa, xb = make(4, VM % 1, "02:00:00:00:02:01"), make(5, VM % 2, "02:00:00:00:02:01")
            eq("two hosts: from outside, by the host that it comes to", sent(w, x, [xa, xb], [1, 1]), [[xa], [xb]])
            for h in (w.h1, w.h2):
                rules(h, f"port 'vnet*' mac {VM % 1} action mirror s")
            got = [sent(w, tx, [f], [1, 0]) for tx, f in ((a, ab), (b, ba), (x, xa))]
            eq("two hosts: a's address on VM ports, copied where a is", got, [[[ab], []], [[ba], []], [[xa], []]])
            for h in (w.h1, w.h2):
                rules(h, f"mac {VM % 1} action mirror s")
            eq("two hosts: on all ports, copied where it comes in, too", sent(w, a, [ab], [1, 1]), [[ab], [ab]])


def stacked():
    """A bond and its slave, both tapped, give one copy, as either of them does; the bond is where a frame came in."""
    with Rig() as r:
        kind = Bond()
        kind.up(r)
        kind.attach(r)
        kind.ready(r)
        frames = [make(n, INSIDE, A) for n in range(5)]
        for pattern, dup, copies in (("[pm]0", "off", 1), ("[pm]0", "on", 2), ("p0", "off", 1), ("m0", "off", 1)):
            vtap("rule flush", r.host)
            vtap(f"rule add pref 1 port {pattern} dir ingress action mirror s dup {dup}", r.host)
            if "p" in pattern:
                r.hook(CHAIN)
            with r.copies() as col, Sender(r.a, "eth0") as tx:
                tx.send(*frames)
                want = [f for f in frames for _ in range(copies)]
                eq(f"stacked: port {pattern}, dup {dup}: {copies} of each", inner(col.frames(5 * copies)), want)
                busywait(lambda: False, 0.1)
                eq(f"stacked: port {pattern}, dup {dup}: no more", inner(col.frames()), [])


def tcp_echo(w, data_done):
    """A TCP connection from VM a to x, which returns what it gets, until DATA_DONE is set. Return: (thread, result)."""
    result = {"up": bytearray(), "down": bytearray(), "sent": bytearray()}
    with w.x.enter():
        listener = socket.create_server(("10.0.0.2", 5001))

    def serve():
        conn, _ = listener.accept()
        with conn, listener:
            while data := conn.recv(1 << 16):
                result["up"] += data
                conn.sendall(data)

    def client():
        with w.a.enter():
            s = socket.create_connection(("10.0.0.2", 5001))
        with s:
            n = 0
            while not data_done.is_set():
                chunk = b"%08d" % n * 512
                s.sendall(chunk)
                result["sent"] += chunk
                while len(result["down"]) < len(result["sent"]):
                    result["down"] += s.recv(1 << 16)
                n += 1
    threads = [threading.Thread(target=t, daemon=True) for t in (serve, client)]
    for t in threads:
        t.start()
    return threads, result


def migration():
    """A VM moves from host to host while it talks: all that arrived, there and here, was copied."""
    with World("h1", "h2", "a", "x") as w:
        w.host(w.h1)
        w.host(w.h2)
        w.vm(w.h1, w.a, 1)
        bridge(w.x)
        for n, h in ((1, w.h1), (2, w.h2)):
            wire(h, "uplink", w.x, f"u{n}")
            h.ip("link set uplink master br0")
            w.x.ip(f"link set u{n} master br0")
            rules(h, f"mac {VM % 1} dir both action mirror s")
        w.x.ip("address add 10.0.0.2/24 dev br0")
        w.a.ip("address add 10.0.0.1/24 dev eth0")
        for ns, dev in ((w.a, "eth0"), (w.x, "br0"), (w.x, "u1"), (w.x, "u2")):
            ns.sh(f"ethtool -K {dev} tx off tso off gso off gro off")
        w.ready()
        done = threading.Event()
        tcp = lambda f: b"\x0a\x00\x00\x01" in f[26:34] and f[23] == 6  # noqa: E731
        cols = w.copies(lambda f: tcp(f[42:]))
        with Sniffer(w.a, "eth0", match=tcp) as vm, Sniffer(w.x, "br0", match=tcp) as peer, cols[0], cols[1]:
            threads, result = tcp_echo(w, done)
            busywait(lambda: len(result["down"]) > 200000, 60)
            w.h1.ip(f"link set vnet1 netns {w.h2.name}")
            before = len(result["down"])
            w.h2.ip("link set vnet1 master br0", "link set vnet1 up")
            with Sender(w.a, "eth0") as tx:  # gratuitous ARP
                arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + ksft.mac(VM % 1) + b"\x0a\0\0\x01" + bytes(6) + b"\x0a\0\0\x01"
                busywait(lambda: w.a.running("eth0"))
                arp = ether("ff:ff:ff:ff:ff:ff", VM % 1, 0x0806, arp)
                busywait(lambda: tx.send(arp) or len(result["down"]) > before + 100000, 90, 0.2)
            after = len(result["down"])
            ok("migration: the transfer goes on", after > before + 100000 and before > 200000, f"{before} {after}")
            done.set()
            for t in threads:
                t.join(60)
            eq("migration: unharmed", (bytes(result["up"]), bytes(result["down"])), (bytes(result["sent"]),) * 2)
            here, there = ([bytes(f) for f in s.frames()] for s in (vm, peer))
            copies = [inner(c.frames(1, 5)) for c in cols]
        ok("migration: both hosts copied", all(len(c) > 50 for c in copies), [len(c) for c in copies])
        every = collections.Counter(copies[0] + copies[1])
        missing = [sum((collections.Counter(frames) - every).values()) for frames in (here, there)]
        eq(f"migration: of {len(here)} frames that the VM received none is missing", missing[0], 0)
        eq(f"migration: of {len(there)} that it sent none is missing", missing[1], 0)
        lost = sum(every.values()) - len(here) - len(there)
        ksft.note(f"migration: {lost} copies of frames that were lost at the switch-over")
        ok("migration: copied once each, but for what was lost", 0 <= lost < 100, lost)


def settle(*hosts):
    """Return: copies sent by each host, once they do not change any more; None when they never stop."""
    last = []

    def still():
        now = [next(s for s in vtap_json("-s session show", h) if s["name"] == "s")["stats"]["sent"] for h in hosts]
        last.append(now)
        return len(last) > 3 and now == last[-2] == last[-3]
    return last[-1] if busywait(still, 60, 0.2) else None


def egress_in_bridge():
    """The way to the collector leads through the tapped bridge itself: copies are not copied."""
    with World("h", "a", "b", "d") as w:
        w.host(w.h)
        w.vm(w.h, w.a, 1)
        w.vm(w.h, w.b, 2)
        w.h.ip("address del 192.0.2.1/24 dev up0", "link set up0 master br0", "address add 192.0.2.1/24 dev br0",
               "neigh replace 192.0.2.9 lladdr 02:00:00:00:09:01 dev br0 nud permanent")
        rules(w.h, "master br0 dir both protocol 0x0800 action mirror s")
        w.ready()
        frames = [make(n, VM % 2, VM % 1) for n in range(20)]
        with Sender(w.a, "eth0") as a, Sender(w.b, "eth0") as b:
            b.send(udp_frame("ff:ff:ff:ff:ff:ff", VM % 2, "10.0.0.1", "10.0.0.2"))
            busywait(lambda: settle(w.h) == [1])
            own = ports(w.h)["up0"]["egress"]["own"]
            eq("loop: a collector behind the tapped bridge gets each frame once", sent(w, a, frames, [20]), [frames])
            # the bridge does not know where the collector is, and floods
            eq("loop: its copies are counted where they pass", ports(w.h)["up0"]["egress"]["own"] - own, 20)
        eq("loop: and it ends", settle(w.h), [21])
        rules(w.h, "port '*' dir both protocol 0x0800 action mirror s")
        with Sender(w.a, "eth0") as a:
            eq("loop: a collector behind a tapped port, every device tapped", sent(w, a, frames, [20]), [frames])


def each_other():
    """Two hosts whose copies pass the other's tapped ports: the loop is found and ends."""
    with World("h1", "h2", "a", "b") as w:
        w.host(w.h1)
        w.host(w.h2)
        w.vm(w.h1, w.a, 1)
        w.vm(w.h2, w.b, 2)
        wire(w.h1, "uplink", w.h2, "uplink")
        for n, h in ((1, w.h1), (2, w.h2)):
            h.ip("link set uplink master br0", "address del 192.0.2.1/24 dev up0", f"address add 192.0.{3 - n}.1/24 dev br0",
                 "link set up0 master br0")
            # the collector of one sits behind the bridge of the other
            h.ip(f"neigh replace 192.0.{3 - n}.9 lladdr 02:00:00:00:09:0{3 - n} dev br0 nud permanent")
            vtap(f"session set s remote 192.0.{3 - n}.9", h)
            rules(h, "port '*' dir both protocol 0x0800 action mirror s")
        w.ready()
        with Sender(w.a, "eth0") as a, Sender(w.b, "eth0") as b:
            for n, tx in ((1, a), (2, b)):
                tx.send(udp_frame("ff:ff:ff:ff:ff:ff", VM % n, "10.0.0.1", "10.0.0.2"))
            start = settle(w.h1, w.h2)
            ok("each other: the first broadcasts end", start is not None, start)
            a.send(*[make(n, VM % 2, VM % 1) for n in range(20)])
            end = settle(w.h1, w.h2)
            more = [e - s for e, s in zip(end or [0, 0], start or [0, 0])]
            ok("each other: 20 frames cause a bounded number of copies", end and all(20 <= m < 1000 for m in more), more)
            ksft.note(f"each other: {more} copies")


def gre_in_gre():
    """A VM's own GRE is copied, whatever is inside it; a frame with the outer headers of one of our copies is not."""
    def gre(payload, key, src, dst):
        packet = struct.pack("!HHI", 0x2000, 0x6558, key) + payload
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(packet), 1, 0, 64, 47, 0)
        head += socket.inet_aton(src) + socket.inet_aton(dst)
        head = head[:10] + struct.pack("!H", ksft.checksum(head)) + head[12:]
        return ether(VM % 2, VM % 1, 0x0800, head + packet)

    def vxlan(payload):
        payload = struct.pack("!II", 1 << 27, 5 << 8) + payload
        return udp_frame(VM % 2, VM % 1, "10.0.0.1", "10.0.0.2", dport=4789, payload=payload)

    with World("h", "a", "b") as w:
        w.host(w.h)
        w.vm(w.h, w.a, 1)
        w.vm(w.h, w.b, 2)
        rules(w.h, "port vnet1 dir ingress action mirror s")
        w.ready()
        plain = make(1, VM % 2, VM % 1)
        own, other = gre(plain, 7, "192.0.2.1", "192.0.2.9"), gre(plain, 8, "192.0.2.1", "192.0.2.9")
        theirs = {name: wrap(other) for name, wrap in (("GRE", lambda f: gre(f, 1, "10.0.0.1", "10.0.0.2")), ("VXLAN", vxlan))}
        ours = {name: wrap(own) for name, wrap in (("GRE", lambda f: gre(f, 1, "10.0.0.1", "10.0.0.2")), ("VXLAN", vxlan))}
        ours["GRE in VXLAN"] = vxlan(ours["GRE"])
        with Sender(w.a, "eth0") as a:
            for name, frame in theirs.items():
                eq(f"GRE in {name}: another's is copied", sent(w, a, [frame], [1]), [[frame]])
            for name, frame in ours.items():
                eq(f"GRE in {name}: what looks like ours is copied", sent(w, a, [frame], [1]), [[frame]])
            eq("none of them counts as our own", ports(w.h)["vnet1"]["ingress"]["own"], 0)
            eq("GRE with our outer headers: is not copied", sent(w, a, [own, plain], [1]), [[plain]])
            eq("and is counted", ports(w.h)["vnet1"]["ingress"]["own"], 1)


if __name__ == "__main__":
    modprobe("veth", "bridge", "bonding", "dummy")
    with ksft.one_cpu():  # what one sender sends arrives before what the next one does
        ksft.run(stp, vlans, lacp, once, two_hosts, stacked, migration, egress_in_bridge, each_other, gre_in_gre)
