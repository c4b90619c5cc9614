#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The way out: path MTU by device and VRF, collectors on this host, ids of fragmented copies."""
import contextlib
import json
import struct
import threading

from lib import (Decoder, Sender, Sniffer, Topology, busywait, ip, ksft_eq, ksft_exit, ksft_run,
                 ksft_skip, ksft_true, mac as lib_mac, modprobe, one_cpu, vtap, vtap_batch)
from lib.routes import is_copy, second_uplink, session, too_big
from lib.traffic import mirror, session_stats

FAR = {4: "203.0.113.9", 6: "2001:db8:71::9"}
HOP = {"up0": {4: "192.0.2.9", 6: "2001:db8:9::9"}, "up1": {4: "192.0.3.9", 6: "2001:db8:a::9"}}
MTU = {4: 1000, 6: 1300}  # an IPv6 path has 1280 at least
MAC = {"up0": ("02:00:00:00:00:01", "02:00:00:00:00:09"),
       "up1": ("02:00:00:00:01:01", "02:00:00:00:01:09")}


def route_mtu(t, remote, words):
    """Return: the MTU that the route to REMOTE has learned, or None; WORDS: for `ip route get`."""
    route = json.loads(t.host.sh(f"ip -j route get {remote} {words}").stdout)[0]
    return next((m["mtu"] for m in route.get("metrics", []) if "mtu" in m), None)


def answer(t, outer, mtu, dev):
    """Return: what a router behind DEV says of the copy in packet OUTER."""
    frame = too_big(t, Decoder(9000)(outer), mtu)
    return lib_mac(MAC[dev][0]) + lib_mac(MAC[dev][1]) + frame[12:]


def follows(t, name, mtu):
    """Return: whether session NAME takes path MTU before long."""
    return busywait(lambda: session(t, name)["path_mtu"] == mtu, 5, 0.2)


def path_mtu():
    """A router's answer changes the route of the session that it concerns, and no other."""
    with Topology(up_mtu=9000) as t, contextlib.ExitStack() as stack:
        second_uplink(t)
        t.host.ip("link set up1 mtu 9000")
        t.col.ip("link set eth1 mtu 9000")
        for v, remote in FAR.items():
            t.host.ip(*[f"route add {remote} via {HOP[d][v]} dev {d} metric {i}"
                        for i, d in enumerate(HOP, 1)])
        tx = stack.enter_context(Sender(t.a, "eth0"))
        wires = {"up0": "eth0", "up1": "eth1"}
        rx = {d: stack.enter_context(Sniffer(t.col, e, match=is_copy)) for d, e in wires.items()}
        back = {d: stack.enter_context(Sender(t.col, e)) for d, e in wires.items()}
        for v, remote in FAR.items():
            # the answer to the first of all copies counts, too: it is sent once
            for policy, words, dev in (("truncate", "dev up1", "up1"),
                                       ("fragment", "dev up1", "up1"), ("truncate", "", "up0")):
                what = f"IPv{v}, {policy}, {words or 'no dev'}"
                vtap_batch(t.host, "rule flush", "session flush",
                           f"session add s type erspan2 id 1 remote {remote} {words} mtu {policy}")
                before = session(t, "s")["path_mtu"]
                mtu = MTU[v] - {"truncate": 0, "fragment": 8}[policy]
                mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
                tx.send(t.udp(payload=b"p" * 900))
                outer = rx[dev].frames(1)
                ksft_eq((len(outer), sum(len(w.frames()) for w in rx.values())), (1, 0),
                        f"{what}: the copy leaves by {dev}")
                back[dev].send(answer(t, outer[0], mtu, dev))
                ksft_true(follows(t, "s", mtu), f"{what}: the session follows its router",
                          lambda: (before, session(t, "s")))
                if words:
                    ksft_eq(route_mtu(t, remote, "oif up0"), None,
                            f"{what}: the route by up0 stays as it was")
                tx.send(t.udp(payload=b"q" * 1400))
                got = [len(f) - 14 for f in rx[dev].frames(1 if policy == "truncate" else 2)]
                ksft_true(got and max(got) <= mtu, f"{what}: copies fit from then on", got)


def same_addresses():
    """Of sessions with the same addresses, an answer is for the one whose device it came by."""
    for v, remote in FAR.items():
        with Topology(up_mtu=9000) as t, contextlib.ExitStack() as stack:
            second_uplink(t)
            t.host.ip("link set up1 mtu 9000", *[
                f"route add {remote} via {HOP[d][v]} dev {d} metric {i}"
                for i, d in enumerate(HOP, 1)])
            t.col.ip("link set eth1 mtu 9000")
            local = t.IP4["up0"] if v == 4 else t.IP6["up0"]
            vtap_batch(t.host, *[f"session add {d} type erspan2 id 1 remote {remote} local {local} "
                                 f"dev {d} mtu truncate" for d in HOP])
            mirror(t, "vnet0", list(HOP), "dir ingress ip_proto udp")
            tx = stack.enter_context(Sender(t.a, "eth0"))
            rx = stack.enter_context(Sniffer(t.col, "eth1", match=is_copy))
            back = stack.enter_context(Sender(t.col, "eth1"))
            tx.send(t.udp(payload=b"p" * 900))
            outer = rx.frames(1)[0]
            back.send(answer(t, outer, MTU[v], "up1"))
            ksft_true(follows(t, "up1", MTU[v]), f"IPv{v}: the session of the device follows",
                      session(t, "up1"))
            ksft_eq(session(t, "up0")["path_mtu"], 9000, f"IPv{v}: the other session does not")
            ksft_eq(route_mtu(t, remote, "oif up0"), None, f"IPv{v}: nor does its route")


def vrf():
    """dev in a VRF, or the VRF itself, takes its routes and its path MTU: the same addresses and
    routes are in two VRFs and outside of them."""
    if not modprobe("vrf"):
        ksft_skip("this kernel has none", "VRF")
        return
    wires = {"up0": "eth0", "up1": "eth1", "up2": "eth2"}
    sessions = {"out": "", "slave": "dev up1", "red": "dev red", "blue": "dev blue"}
    with Topology(up_mtu=9000) as t, contextlib.ExitStack() as stack:
        for n, name in ((1, "red"), (2, "blue")):
            mac = f"02:00:00:00:0{n}"
            ip(f"link add up{n} netns {t.host.name} mtu 9000 address {mac}:01 type veth "
               f"peer name eth{n} netns {t.col.name} mtu 9000 address {mac}:09")
            t.col.ip(f"link set eth{n} addrgenmode none\nlink set eth{n} up")
            t.host.ip(f"link add {name} type vrf table {n}00", f"link set {name} up",
                      f"link set up{n} addrgenmode none", f"link set up{n} master {name}",
                      f"link set up{n} up", f"address add 192.0.2.1/24 dev up{n}",
                      f"address add 2001:db8:9::1/64 dev up{n} nodad")
            for v, hop in HOP["up0"].items():
                t.host.ip(f"neigh add {hop} lladdr {mac}:09 dev up{n} nud permanent",
                          f"route add {FAR[v]} via {hop} dev up{n} table {n}00")
        t.host.ip(*[f"route add {FAR[v]} via {HOP['up0'][v]} dev up0" for v in FAR])
        ip(f"link add up3 netns {t.host.name} mtu 9000 address {MAC['up1'][0]} type veth "
           f"peer name eth3 netns {t.col.name} mtu 9000")
        t.col.ip("link set eth3 addrgenmode none", "link set eth3 up")
        t.host.ip("link set up3 addrgenmode none", "link set up3 master red", "link set up3 up")
        busywait(lambda: t.host.running("up1", "up2", "up3"))
        tx = stack.enter_context(Sender(t.a, "eth0"))
        rx = {d: stack.enter_context(Sniffer(t.col, e, match=is_copy)) for d, e in wires.items()}
        back = {n: stack.enter_context(Sender(t.col, f"eth{n}")) for n in (1, 3)}
        for v, remote in FAR.items():
            vtap_batch(t.host, "rule flush", "session flush",
                       *[f"session add {name} type erspan2 id {i} remote {remote} "
                         f"mtu truncate {dev}"
                         for i, (name, dev) in enumerate(sessions.items(), 1)])
            mirror(t, "vnet0", list(sessions), "dir ingress ip_proto udp")
            tx.send(t.udp(payload=b"p" * 900))
            got = {d: rx[d].frames(2 if d == "up1" else 1) for d in wires}
            ksft_eq({d: sorted(Decoder(9000)(f).session[2] for f in fs) for d, fs in got.items()},
                    {"up0": [1], "up1": [2, 3], "up2": [4]},
                    f"IPv{v}: copies leave by the VRF's routes")
            # the second answer comes in by a device of the VRF that no copy leaves by
            for n, mtu in ((1, MTU[v]), (3, MTU[v] - 8)):
                back[n].send(answer(t, got["up1"][0], mtu, "up1"))
                for name in ("slave", "red"):
                    ksft_true(follows(t, name, mtu),
                              f"IPv{v}: an answer by up{n} in the VRF: {name} follows",
                              session(t, name))
                ksft_eq([session(t, n)["path_mtu"] for n in ("out", "blue")], [9000, 9000],
                        f"IPv{v}: those outside and in the other VRF do not")


def link_local():
    """A link-local collector, unicast or multicast, is refused without dev and taken with it."""
    with Topology() as t:
        for remote in ("fe80::9", "ff02::9"):
            p = vtap(f"session add s type gre remote {remote}", t.host, ok=False)
            ksft_true("needs dev" in p.stderr, f"{remote} without dev is refused", p.stderr)
            ksft_eq(session_stats(t), {}, f"{remote}: no session is there")
            vtap(f"session add s type gre remote {remote} dev up0", t.host)
            ksft_eq(session(t, "s")["dev"], "up0", f"{remote}: with dev it is taken")
            p = vtap("session set s dev ''", t.host, ok=False)
            ksft_true("needs dev" in p.stderr, f"{remote}: dev cannot be taken away", p.stderr)
            ksft_eq(session(t, "s")["dev"], "up0", f"{remote}: dev stays")
            vtap("session del s", t.host)


def this_host():
    """A collector on this host gets every copy, the first one too."""
    two = "erspan seq key 5 erspan_ver 1 erspan 1"
    three = "erspan seq key 5 erspan_ver 2 erspan_dir ingress erspan_hwid 0"
    vxlan = "vxlan id 5 dstport 4789 nolearning"
    # the session, and the receiving device for IPv4 and for IPv6
    kinds = {"gre": ("gre key 5", "gretap key 5", "ip6gretap key 5"),
             "erspan2": ("erspan2 id 5", two, "ip6" + two),
             "erspan3": ("erspan3 id 5", three, "ip6" + three),
             "vxlan": ("vxlan key 5", vxlan, vxlan)}
    with Topology() as t:
        sizes = 20, 100, 700, 1000, 1400, 1472
        frames = [t.udp(payload=b"%d" % i * n) for i, n in enumerate(sizes)]
        for address in (t.IP4["up0"], "127.0.0.1", t.IP6["up0"], "::1"):
            for kind, words in kinds.items():
                what = f"{kind} to {address}"
                receiver = words[2 if ":" in address else 1]
                t.host.ip(f"link add here type {receiver} local {address} remote {address}",
                          "link set here addrgenmode none", "link set here mtu 1500 up")
                with Sniffer(t.host, "here") as rx, Sender(t.a, "eth0") as tx:
                    vtap_batch(t.host, f"session add s type {words[0]} remote {address}")
                    mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
                    tx.send(*frames)
                    got = [bytes(f) for f in rx.frames(len(frames), timeout=3)]
                    ksft_true(got == frames, f"{what}: 6 of 6 arrive", lambda g=got: (
                        [len(f) for f in g], session_stats(t), t.host.links()["here"]["stats64"]))
                    ksft_eq(session_stats(t)["s"]["sent"], 6, f"{what}: 6 are counted")
                vtap_batch(t.host, "rule flush", "session flush")
                t.host.ip("link del here")


def ids4(packets):
    """Return: the ids of the first fragments, which have offset 0 and MF, among IPv4 PACKETS."""
    return [struct.unpack_from("!H", p, 18)[0] for p in packets if p[20:22] == b"\x20\0"]


def ids():
    """Fragmented copies made by two CPUs: no id twice among 10,000."""
    rounds, each = 10, 500
    with Topology() as t, Sniffer(t.col, "eth0", match=is_copy) as rx:
        vtap_batch(t.host, f"session add s type gre remote {t.IP4['col']}",
                   f"session add cut type gre key 2 remote {t.IP4['col']} mtu truncate",
                   f"session add six type gre remote {t.IP6['col']}")
        frame = t.udp(payload=b"i" * 1472)

        def send(cpu, n):
            with one_cpu(cpu), Sender(t.a, "eth0") as tx:
                for _ in range(n):
                    tx.send(frame)

        def both(n):
            threads = [threading.Thread(target=send, args=(cpu, n)) for cpu in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        others = [f"more{i}" for i in range(2)]
        vtap_batch(t.host, *[f"session add {o} type gre remote {t.IP4['col']}" for o in others])
        mirror(t, "vnet0", ["s", *others], "dir ingress ip_proto udp")
        send(0, 1)
        starts = ids4(rx.frames(6))
        ksft_true(len(starts) == 3 and len({i >> 8 for i in starts}) > 1,
                  "IPv4: sessions begin with different ids", starts)
        vtap_batch(t.host, "rule flush")
        mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
        seen = []
        for _ in range(rounds):
            both(each)
            seen += ids4(rx.frames(4 * each))
        ksft_eq(len(seen), 2 * rounds * each, "IPv4: a first fragment of each copy")
        ksft_eq(len(set(seen)), len(seen), "IPv4: no id twice within 10,000")
        vtap_batch(t.host, "rule flush")
        mirror(t, "vnet0", ["cut"], "dir ingress ip_proto udp")
        both(1)
        ksft_eq([f[18:22] for f in rx.frames(2)], [b"\0\0\x40\0"] * 2, "packets with DF have id 0")
        vtap_batch(t.host, "rule flush")
        mirror(t, "vnet0", ["six"], "dir ingress ip_proto udp")
        both(50)
        seen = [f[58:62] for f in rx.frames(200) if f[56:58] == b"\0\1"]
        ksft_eq((len(seen), len(set(seen))), (100, 100), "IPv6: no id twice")


if __name__ == "__main__":
    modprobe("veth", "bridge", "ip_gre", "ip6_gre", "vxlan")
    ksft_run([path_mtu, same_addresses, vrf, link_local, this_host, ids])
    ksft_exit()
