#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Switches under the tap: their own protocols, one copy per packet, a VM that migrates, loops that
end."""
import collections
import contextlib
import json
import socket
import struct
import threading

from lib import (A, CHAIN, INSIDE, VM, Rig, Sender, Sniffer, World, bridge, busywait, checksum,
                 ether, is_numbered, ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_true,
                 mac as lib_mac, modprobe, numbered, one_cpu, ports_by_name, sh, strip_outer,
                 udp_frame, vtap, vtap_json, wire)
from lib.masters import Bond, Lacp

BPDU, SLOW, LLDP = (bytes.fromhex("0180c20000" + last) for last in ("00", "02", "0e"))


def rules(ns, *lines):
    """Put LINES in place of all rules."""
    vtap("rule flush", ns)
    for pref, line in enumerate(lines, 1):
        vtap(f"rule add pref {pref} {line}", ns)


def states(ns):
    """Return: STP state of each port."""
    return {p["ifname"]: p["state"] for p in json.loads(sh(["bridge", "-n", ns.name, "-j",
                                                            "link"]).stdout)}


def settled(ns):
    """Return: the states, once one port blocks and three forward."""
    def good():
        s = states(ns)
        return sorted(s.values()) == ["blocking"] + ["forwarding"] * 3 and s
    return busywait(good, 90, 0.2) or states(ns)


def stp():
    """Two bridges joined by two wires: the same port blocks with every port tapped, and the BPDUs
    are copied."""
    with World("h") as w:
        w.host(w.h)
        for n in (1, 2):
            w.h.ip(f"link add b{n} address 02:00:00:00:0b:0{n} type bridge stp_state 1 "
                   "forward_delay 200 hello_time 100 " "max_age 600",
                   f"link set b{n} addrgenmode none up")
        for n in (1, 2):
            wire(w.h, f"x{n}", w.h, f"y{n}")
            w.h.ip(f"link set x{n} master b1", f"link set y{n} master b2")
        plain = settled(w.h)
        ksft_eq(plain["y2"], "blocking", "STP: one port blocks without the tap")
        col, = w.copies(lambda f: f[42:48] == BPDU)
        with col:
            rules(w.h, "port '[xy]*' dir both dup on action mirror s")
            # each second the root sends one by two ports, and each is copied there and at the other
            # end: longer than max_age, so that a port that hears none would give up blocking
            got = strip_outer(col.frames(4 * 9, 60))
            ksft_true(len(got) >= 36 and len(set(f[6:12] for f in got)) == 2,
                      "STP: BPDUs are copied where they come and where they go",
                      collections.Counter(f[6:12].hex() for f in got))
            ksft_eq(states(w.h), plain, "STP: the same port blocks with every port tapped")
            w.h.ip("link set b2 down", "link set b2 up")
            ksft_eq(settled(w.h), plain, "STP: and after a new election under the tap")
            ksft_eq({p["ingress_hook"] for p in ports_by_name(w.h).values()}, {"packet"},
                    "STP: hooks")


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
            lists.append(sh(["bridge", "-n", w.h.name, "-j", "vlan", "show", "dev",
                             "vnet1"]).stdout)
            sh(["bridge", "-n", w.h.name, "-batch", "-"], input=text.replace("add", "del"))
        ours = [{k: n for k, n in s.items() if k[1] == socket.AF_BRIDGE} for s in seen]
        ksft_eq(ours[1], ours[0], "VLANs: the tap changes no notification")
        ksft_true(sum(seen[1].values()) > 1000 and any(k[2] for k in seen[1]),
                  "VLANs: one for each, the long ones too", seen)
        ksft_true(lists[0] == lists[1] and len(json.loads(lists[1])[0]["vlans"]) > 1000,
                  "VLANs: all are listed", len(lists[1]))


def lacp():
    """LACP between two bonds and LLDP reach their owners, and are copied."""
    with Rig() as r:
        r.tap()
        kind = Lacp()
        r.a.ip("link add m0 address 02:00:00:00:0b:0a type bond mode 802.3ad miimon 10 lacp_rate "
               "fast", "link set m0 addrgenmode none up", "link set eth0 down",
               "link set eth0 master m0")
        kind.up(r)
        with Sniffer(r.col, "eth0", match=lambda f: f[42:48] in (SLOW, LLDP)) as col:
            kind.attach(r)
            partner = busywait(lambda: r.host.links()["m0"]["linkinfo"]["info_data"].get(
                "ad_info", {}).get("partner_mac") == "02:00:00:00:0b:0a", 60)
            ksft_true(partner, "LACP: the bonds find each other", r.host.links()["m0"]["linkinfo"])
            ksft_eq(r.hook(CHAIN), CHAIN, f"LACP: with the hook {CHAIN} at the bond's port")
            got = strip_outer(col.frames(8, 60))
            ends = {f[6:12].hex(":") for f in got}
            ksft_true(len(ends) == 2 and all(f[:6] == SLOW for f in got),
                      "LACP: both ends' packets are copied", ends)
            lldp(r, col, "bond")
            kind.down(r)
            r.host.ip(f"link add m0 address {INSIDE} type bridge forward_delay 0",
                      "link set m0 addrgenmode none up", "link set p0 master m0")
            ksft_eq(r.hook("packet"), "packet", "LLDP: a packet handler on the bridge")
            lldp(r, col, "bridge")


def lldp(r, col, what):
    """An LLDP frame reaches a daemon's socket on the port below the master, and is copied once."""
    frame = ether("01:80:c2:00:00:0e", A, 0x88cc, b"\x02\x07\x04" + b"vtap-%s" % what.encode() +
                  bytes(50))
    with r.host.enter():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with s, Sender(r.a, "eth0") as tx:
        s.bind(("p0", 0x88cc))
        s.settimeout(10)
        tx.send(frame)
        ksft_eq(s.recv(2000), frame, f"LLDP: reaches its daemon below the {what}")
        got = []
        busywait(lambda: got.extend(f for f in strip_outer(col.frames(1, 0.2)) if f[:6] == LLDP)
                 or got)
        ksft_eq(got, [frame], f"LLDP: is copied once below the {what}")


def sent(w, tx, frames, expect, match=is_numbered):
    """Send FRAMES, and one more that ends the wait. Return: the copies of FRAMES from each host."""
    cols = w.copies(match)
    with contextlib.ExitStack() as stack:
        for c in cols:
            stack.enter_context(c)
        tx.send(*frames)
        got = [strip_outer(c.frames(n, 10 if n else 0)) for c, n in zip(cols, expect)]
        busywait(lambda: False, 0.1)
        return [g + strip_outer(c.frames()) for g, c in zip(got, cols)]


def once():
    """A packet that passes several tapped ports of a host is copied once, unless the rule says
    dup."""
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
            ab, ba, bc = numbered(1, VM % 2, VM % 1), numbered(2, VM % 1,
                                                               VM % 2), numbered(3, VM % 3, VM % 2)
            flood = numbered(4, "ff:ff:ff:ff:ff:ff", VM % 1)
            # IPv4 only, so that nothing but these frames is counted
            rules(w.h, "port 'vnet*' dir both protocol 0x0800 action mirror s")
            ksft_eq(sent(w, a, [ab], [1]), [[ab]], "once: a to b through two tapped ports")
            ksft_eq(ports_by_name(w.h)["vnet2"]["egress"]["dup"], 1,
                    "once: counted at the second port")
            ksft_eq(sent(w, a, [flood], [1]), [[flood]], "once: a flood to several ports")
            rules(w.h, "port 'vnet*' dir both dup on action mirror s")
            ksft_eq(sent(w, a, [ab], [2]), [[ab] * 2], "once: twice with dup on")
            ksft_eq(sent(w, a, [flood], [3]), [[flood] * 3],
                    "once: a flood three times with dup on")
            rules(w.h, "port vnet2 dir both action mirror s")
            ksft_eq(sent(w, a, [ab], [1]), [[ab]],
                    "once: at egress when it came by an untapped port")
            rules(w.h, "port vnet1 dir egress action mirror s",
                  "port vnet2 dir egress action mirror s")
            ksft_eq(sent(w, a, [ab], [1]), [[ab]], "once: at egress when ingress has no rule")
            rules(w.h, "port 'vnet[23]' dir both protocol 0x0800 action mirror s")
            ksft_eq(sent(w, a, [flood], [2]), [[flood] * 2],
                    "once: for each port, a flood from a port that is not tapped")
            ksft_eq([p["egress"]["dup"] for p in ports_by_name(w.h).values()], [0, 0],
                    "once: which is not taken for a duplicate")
            vtap("session add t type gre remote 192.0.2.9 key 8", w.h)
            rules(w.h, "port vnet1 dir ingress action mirror s",
                  "port vnet2 dir egress action mirror s,t")
            ksft_eq(sent(w, a, [ab], [2]), [[ab] * 2], "once: for each session")
            rules(w.h, f"mac {VM % 1} dir both action mirror s")
            ksft_eq((sent(w, a, [ab], [1]), sent(w, b, [ba], [1])), ([[ab]], [[ba]]),
                    "mac: what the VM sends and receives, once each")
            ksft_eq(sent(w, b, [bc, ba], [1]), [[ba]], "mac: nothing of other VMs")
            ksft_eq(sorted(ports_by_name(w.h)), ["vnet1", "vnet2", "vnet3"],
                    "mac: on every port of the switch, and on no other device")
            rules(w.h, "master br0 dir ingress action mirror s")
            ksft_eq(sorted(ports_by_name(w.h)), ["vnet1", "vnet2", "vnet3"], "master: its ports")
            w.h.ip("link set vnet3 nomaster", "link add new0 type dummy",
                   "link set new0 master br0")
            busywait(lambda: "new0" in ports_by_name(w.h) and "vnet3" not in ports_by_name(w.h))
            ksft_eq(sorted(ports_by_name(w.h)), ["new0", "vnet1", "vnet2"],
                    "master: a port that leaves, and one that comes")
            ksft_eq(sent(w, a, [ab], [1]), [[ab]], "master: copies")


def two_hosts():
    """Policy for one copy across hosts: each copies what its VMs send, and at the uplink what no VM
    of the set sent."""
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
            ab, ba = numbered(1, VM % 2, VM % 1), numbered(2, VM % 1, VM % 2)
            ksft_eq(sent(w, a, [ab], [1, 0]), [[ab], []], "two hosts: a to b is copied by a's host")
            ksft_eq(sent(w, b, [ba], [0, 1]), [[], [ba]], "two hosts: b to a by b's")
            flood = numbered(3, "ff:ff:ff:ff:ff:ff", VM % 1)
            ksft_eq(sent(w, a, [flood], [1, 0]), [[flood], []], "two hosts: a VM's broadcast once")
            xa, xb = numbered(4, VM % 1, "02:00:00:00:02:01"), numbered(5, VM % 2,
                                                                        "02:00:00:00:02:01")
            ksft_eq(sent(w, x, [xa, xb], [1, 1]), [[xa], [xb]],
                    "two hosts: from outside, by the host that it comes to")
            for h in (w.h1, w.h2):
                rules(h, f"port 'vnet*' mac {VM % 1} action mirror s")
            got = [sent(w, tx, [f], [1, 0]) for tx, f in ((a, ab), (b, ba), (x, xa))]
            ksft_eq(got, [[[ab], []], [[ba], []], [[xa], []]],
                    "two hosts: a's address on VM ports, copied where a is")
            for h in (w.h1, w.h2):
                rules(h, f"mac {VM % 1} action mirror s")
            ksft_eq(sent(w, a, [ab], [1, 1]), [[ab], [ab]],
                    "two hosts: on all ports, copied where it comes in, too")


def stacked():
    """A bond and its slave, both tapped, give one copy, as either of them does; the bond is where a
    frame came in."""
    with Rig() as r:
        kind = Bond()
        kind.up(r)
        kind.attach(r)
        kind.ready(r)
        frames = [numbered(n, INSIDE, A) for n in range(5)]
        for pattern, dup, copies in (("[pm]0", "off", 1), ("[pm]0", "on", 2), ("p0", "off", 1),
                                     ("m0", "off", 1)):
            vtap("rule flush", r.host)
            vtap(f"rule add pref 1 port {pattern} dir ingress action mirror s dup {dup}", r.host)
            if "p" in pattern:
                r.hook(CHAIN)
            with r.copies() as col, Sender(r.a, "eth0") as tx:
                tx.send(*frames)
                want = [f for f in frames for _ in range(copies)]
                ksft_eq(strip_outer(col.frames(5 * copies)), want,
                        f"stacked: port {pattern}, dup {dup}: {copies} of each")
                busywait(lambda: False, 0.1)
                ksft_eq(strip_outer(col.frames()), [],
                        f"stacked: port {pattern}, dup {dup}: no more")


def tcp_echo(w, data_done):
    """A TCP connection from VM a to x, which returns what it gets, until DATA_DONE is set. Return:
    (thread, result)."""
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
        with Sniffer(w.a, "eth0", match=tcp) as vm, Sniffer(w.x, "br0",
                                                            match=tcp) as peer, cols[0], cols[1]:
            threads, result = tcp_echo(w, done)
            busywait(lambda: len(result["down"]) > 200000, 60)
            w.h1.ip(f"link set vnet1 netns {w.h2.name}")
            before = len(result["down"])
            w.h2.ip("link set vnet1 master br0", "link set vnet1 up")
            with Sender(w.a, "eth0") as tx:  # gratuitous ARP
                arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4,
                                  1) + lib_mac(VM % 1) + b"\x0a\0\0\x01" + bytes(
                                      6) + b"\x0a\0\0\x01"
                busywait(lambda: w.a.running("eth0"))
                arp = ether("ff:ff:ff:ff:ff:ff", VM % 1, 0x0806, arp)
                busywait(lambda: tx.send(arp) or len(result["down"]) > before + 100000, 90, 0.2)
            after = len(result["down"])
            ksft_true(after > before + 100000 and before > 200000,
                      "migration: the transfer goes on", f"{before} {after}")
            done.set()
            for t in threads:
                t.join(60)
            ksft_eq((bytes(result["up"]), bytes(result["down"])), (bytes(result["sent"]),) * 2,
                    "migration: unharmed")
            here, there = ([bytes(f) for f in s.frames()] for s in (vm, peer))
            copies = [strip_outer(c.frames(1, 5)) for c in cols]
        ksft_true(all(len(c) > 50 for c in copies), "migration: both hosts copied",
                  [len(c) for c in copies])
        every = collections.Counter(copies[0] + copies[1])
        missing = [sum((collections.Counter(frames) - every).values()) for frames in (here, there)]
        ksft_eq(missing[0], 0,
                f"migration: of {len(here)} frames that the VM received none is missing")
        ksft_eq(missing[1], 0, f"migration: of {len(there)} that it sent none is missing")
        lost = sum(every.values()) - len(here) - len(there)
        ksft_pr(f"migration: {lost} copies of frames that were lost at the switch-over")
        ksft_true(0 <= lost < 100, "migration: copied once each, but for what was lost", lost)


def settle(*hosts):
    """Return: copies sent by each host, once they do not change any more; None when they never
    stop."""
    last = []

    def still():
        now = [next(s for s in vtap_json("-s session show", h) if s["name"] == "s")["stats"]["sent"]
               for h in hosts]
        last.append(now)
        return len(last) > 3 and now == last[-2] == last[-3]
    return last[-1] if busywait(still, 60, 0.2) else None


def egress_in_bridge():
    """The way to the collector leads through the tapped bridge itself: copies are not copied."""
    with World("h", "a", "b", "d") as w:
        w.host(w.h)
        w.vm(w.h, w.a, 1)
        w.vm(w.h, w.b, 2)
        w.h.ip("address del 192.0.2.1/24 dev up0", "link set up0 master br0",
               "address add 192.0.2.1/24 dev br0",
               "neigh replace 192.0.2.9 lladdr 02:00:00:00:09:01 dev br0 nud permanent")
        rules(w.h, "master br0 dir both protocol 0x0800 action mirror s")
        w.ready()
        frames = [numbered(n, VM % 2, VM % 1) for n in range(20)]
        with Sender(w.a, "eth0") as a, Sender(w.b, "eth0") as b:
            b.send(udp_frame("ff:ff:ff:ff:ff:ff", VM % 2, "10.0.0.1", "10.0.0.2"))
            busywait(lambda: settle(w.h) == [1])
            own = ports_by_name(w.h)["up0"]["egress"]["own"]
            ksft_eq(sent(w, a, frames, [20]), [frames],
                    "loop: a collector behind the tapped bridge gets each frame once")
            # the bridge does not know where the collector is, and floods
            ksft_eq(ports_by_name(w.h)["up0"]["egress"]["own"] - own, 20,
                    "loop: its copies are counted where they pass")
        ksft_eq(settle(w.h), [21], "loop: and it ends")
        rules(w.h, "port '*' dir both protocol 0x0800 action mirror s")
        with Sender(w.a, "eth0") as a:
            ksft_eq(sent(w, a, frames, [20]), [frames],
                    "loop: a collector behind a tapped port, every device tapped")


def each_other():
    """Two hosts whose copies pass the other's tapped ports: the loop is found and ends."""
    with World("h1", "h2", "a", "b") as w:
        w.host(w.h1)
        w.host(w.h2)
        w.vm(w.h1, w.a, 1)
        w.vm(w.h2, w.b, 2)
        wire(w.h1, "uplink", w.h2, "uplink")
        for n, h in ((1, w.h1), (2, w.h2)):
            h.ip("link set uplink master br0", "address del 192.0.2.1/24 dev up0",
                 f"address add 192.0.{3 - n}.1/24 dev br0", "link set up0 master br0")
            # the collector of one sits behind the bridge of the other
            h.ip(f"neigh replace 192.0.{3 - n}.9 lladdr 02:00:00:00:09:0{3 - n} dev br0 nud "
                 "permanent")
            vtap(f"session set s remote 192.0.{3 - n}.9", h)
            rules(h, "port '*' dir both protocol 0x0800 action mirror s")
        w.ready()
        with Sender(w.a, "eth0") as a, Sender(w.b, "eth0") as b:
            for n, tx in ((1, a), (2, b)):
                tx.send(udp_frame("ff:ff:ff:ff:ff:ff", VM % n, "10.0.0.1", "10.0.0.2"))
            start = settle(w.h1, w.h2)
            ksft_true(start is not None, "each other: the first broadcasts end", start)
            a.send(*[numbered(n, VM % 2, VM % 1) for n in range(20)])
            end = settle(w.h1, w.h2)
            more = [e - s for e, s in zip(end or [0, 0], start or [0, 0])]
            ksft_true(end and all(20 <= m < 1000 for m in more),
                      "each other: 20 frames cause a bounded number of copies", more)
            ksft_pr(f"each other: {more} copies")


def gre_in_gre():
    """A VM's own GRE is copied, whatever is inside it; a frame with the outer headers of one of our
    copies is not."""
    def gre(payload, key, src, dst):
        packet = struct.pack("!HHI", 0x2000, 0x6558, key) + payload
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(packet), 1, 0, 64, 47, 0)
        head += socket.inet_aton(src) + socket.inet_aton(dst)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
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
        plain = numbered(1, VM % 2, VM % 1)
        own, other = gre(plain, 7, "192.0.2.1", "192.0.2.9"), gre(plain, 8, "192.0.2.1",
                                                                  "192.0.2.9")
        theirs = {name: wrap(other) for name, wrap in (("GRE",
                                                        lambda f: gre(f, 1, "10.0.0.1",
                                                                      "10.0.0.2")),
                                                       ("VXLAN", vxlan))}
        ours = {name: wrap(own) for name, wrap in (("GRE",
                                                    lambda f: gre(f, 1, "10.0.0.1", "10.0.0.2")),
                                                   ("VXLAN", vxlan))}
        ours["GRE in VXLAN"] = vxlan(ours["GRE"])
        with Sender(w.a, "eth0") as a:
            for name, frame in theirs.items():
                ksft_eq(sent(w, a, [frame], [1]), [[frame]], f"GRE in {name}: another's is copied")
            for name, frame in ours.items():
                ksft_eq(sent(w, a, [frame], [1]), [[frame]],
                        f"GRE in {name}: what looks like ours is copied")
            ksft_eq(ports_by_name(w.h)["vnet1"]["ingress"]["own"], 0,
                    "none of them counts as our own")
            ksft_eq(sent(w, a, [own, plain], [1]), [[plain]],
                    "GRE with our outer headers: is not copied")
            ksft_eq(ports_by_name(w.h)["vnet1"]["ingress"]["own"], 1, "and is counted")


if __name__ == "__main__":
    modprobe("veth", "bridge", "bonding", "dummy")
    with one_cpu():  # what one sender sends arrives before what the next one does
        ksft_run([stp, vlans, lacp, once, two_hosts, stacked, migration, egress_in_bridge,
                  each_other, gre_in_gre])
        ksft_exit()
