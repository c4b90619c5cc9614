#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A provider's network in VXLAN, GENEVE and GRE, made by the kernel's own devices: rules find a
tenant's frames by key and by what they are, and sessions with decap deliver them as the tenant has
them."""
import os
import random
import socket
import struct

from lib import (Collector, Sender, Sniffer, Topology, ether, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, mac, modprobe, raise_backlog, tcp_frame, udp_frame, vtap_batch,
                 vtap_json)
from lib.layers import ext, fragment, geneve, gre, udp, v4, v6, vxlan
from lib.traffic import dropped, finish, payload, transfer, vlan_devices

# tenants that differ by their tunnel alone: name, kind of device, outer addresses (4, 6, or those
# of VLAN 5), words of a rule
TENANTS = (
    ("vx77", "vxlan id 77 dstport 4789", 4, "tunnel vxlan tunnel_key 77"),
    ("vx78", "vxlan id 78 dstport 4789 udpcsum", 4, "tunnel vxlan tunnel_key 78"),
    ("vx6", "vxlan id 79 dstport 4789", 6, "tunnel vxlan tunnel_key 79"),
    ("vx5", "vxlan id 80 dstport 4789", 5, "tunnel vxlan tunnel_key 80"),
    ("vx8472", "vxlan id 77 dstport 8472", 4, "tunnel vxlan tunnel_key 77 dst_port 8472"),
    ("gn77", "geneve id 77", 4, "tunnel geneve tunnel_key 77"),
    ("gn6", "geneve id 78", 6, "tunnel geneve tunnel_key 78"),
    ("gt77", "gretap key 77", 4, "tunnel gre tunnel_key 77"),
    ("gt78", "gretap key 78 csum", 4, "tunnel gre tunnel_key 78"),
    ("gt6", "ip6gretap key 79", 6, "tunnel gre tunnel_key 79"),
    ("gre", "gre key 80", 4, "tunnel gre tunnel_key 80"),
    ("er", "erspan seq key 5 erspan_ver 2", 4, "tunnel gre"),
    # of GRE without a key, no other is here
)
MACS = {"a": "02:00:00:00:00:1a", "b": "02:00:00:00:00:1b"}


def addresses(name):
    """Return: a tenant's addresses of both VMs."""
    net = 50 + [tenant[0] for tenant in TENANTS].index(name)
    return {"a": f"10.{net}.0.1", "b": f"10.{net}.0.2"}


def join(t, *names, mtu=1400):
    """Give both VMs the devices of tenants NAMES, and no word that they say by themselves."""
    outer = {4: t.IP4, 6: t.IP6, 5: vlan_devices(t)}
    for name, kind, version, _ in (tenant for tenant in TENANTS if tenant[0] in names):
        address, to = addresses(name), outer[version]
        local = "" if kind.startswith("geneve") else "local"
        for ns, key, peer in ((t.a, "a", "b"), (t.b, "b", "a")):
            ends = f"{local} {to[key]} remote {to[peer]}" if local else f"remote {to[peer]}"
            bare = kind.startswith("gre ")
            ns.ip(f"link add {name} {'' if bare else 'address ' + MACS[key]} type {kind} {ends}",
                  f"link set {name} mtu {mtu} addrgenmode none", f"link set {name} up",
                  f"address add {address[key]}/24 dev {name}",
                  *[] if bare else [f"neigh add {address[peer]} lladdr {MACS[peer]} dev {name} nud "
                                    "permanent"])


def datagram(t, name, port, data):
    """Send DATA from a to PORT of b by the network of tenant NAME, or by none."""
    with t.a.enter(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(data, (addresses(name)["b"] if name else t.IP4["b"], port))


def settle(t, rx):
    """Wait until all that was sent from a has passed the bridge."""
    last = t.udp(payload=b"last")
    with Sender(t.a, "eth0") as tx:
        tx.send(last)
    return rx.until(lambda f: f == last)


def rules():
    """A tenant's datagrams to one port, its others, and those of all the others, each in the
    session that asked for them."""
    with Topology() as t, Collector(t.col) as rx, Sniffer(t.b, "eth0") as end:
        join(t, *[tenant[0] for tenant in TENANTS])
        lines, pref = [], 10
        for name, _, _, words in TENANTS:
            for key, inner in ((pref, "inner ip_proto udp dst_port 5001"), (pref + 1, "")):
                lines += [f"session add s{key} type gre key {key} remote {t.IP4['col']}",
                          f"rule add pref {key} port vnet0 dir ingress {words} {inner} action "
                          f"mirror s{key}"]
            pref += 2
        vtap_batch(t.host, f"session add rest type gre key 1 remote {t.IP4['col']}", *lines,
                   "rule add pref 90 port vnet0 dir ingress action mirror rest")
        want = {s["name"]: [] for s in vtap_json("session show", t.host)}
        for i, (name, *_) in enumerate(TENANTS):
            for n, port in enumerate((5001, 5002, 5001)):
                data = f"{name} {port} {n} ".encode() * 9
                datagram(t, name, port, data)
                want[f"s{10 + 2 * i + (port != 5001)}"].append(data)
        datagram(t, None, 5001, b"no tunnel" * 9)
        want["rest"] += [b"no tunnel" * 9, b"last"]
        settle(t, end)
        counters, by = finish(t, rx)
        for name, datas in want.items():
            whose = TENANTS[(int(name[1:]) - 10) // 2][0] if name != "rest" else "no tenant"
            got = [c.frame for c in by[name]]
            ksft_true(len(got) == len(datas) and all(d in f for d, f in zip(datas, got)),
                      f"{whose}: {name} has its datagrams and no others",
                      f"{[f.hex() for f in got][:3]} {datas}")
            ksft_true(not dropped(counters[name]) and not counters[name]["decapped"],
                      f"{whose}: {name} has sent all", counters[name])


def tenant_frames():
    """Return: [(frame as it is sent, where a checksum is left to the device, frame as it has to be
    copied)]."""
    ends = MACS["b"], MACS["a"], "10.0.0.1", "10.0.0.2"
    six = MACS["b"], MACS["a"], "2001:db8::1", "2001:db8::2"
    whole = [udp_frame(*ends, payload=b"u" * 9), udp_frame(*six, payload=b"v" * 10),
             udp_frame(*ends, payload=bytes(1372 - 14)),
             udp_frame(*ends, payload=b"tagged", vlan=3 << 13 | 7),
             tcp_frame(*six, payload=b"t" * 77, vlan=9),
             ether(MACS["b"], MACS["a"], 0x88a8, struct.pack("!HHHH", 5, 0x8100, 7 << 13 | 6,
                                                             0x0800) +
                   udp_frame(*ends, payload=b"two tags")[14:]),
             ether(MACS["b"], MACS["a"], 0x88b5, b"s"), ether("ff:ff:ff:ff:ff:ff", MACS["a"],
                                                              0x88b5, bytes(range(60)))]
    left = [(udp_frame, 34, 6, ends, {}), (tcp_frame, 34, 16, ends, {}),
            (udp_frame, 54, 6, six, {}),
            (tcp_frame, 38, 16, ends, {"vlan": 6})]
    return [(f, None, f) for f in whole] + [(make(*args, payload=b"p" * 101, partial=True, **kw),
                                             (start, at), make(*args, payload=b"p" * 101, **kw))
                                            for make, start, at, args, kw in left]


def stripped(f):
    """Return: (frame without its outermost tag, its tag control field or None)."""
    if f[12:14] not in (b"\x81\0", b"\x88\xa8"):
        return f, None
    return f[:12] + f[16:], struct.unpack("!H", f[14:16])[0]


SESSIONS = {"plain": "type gre key 1 decap on", "strip": "type erspan2 id 2 decap on vlan strip",
            "three": "type erspan3 id 4 decap on", "short": "type vxlan key 3 decap on snaplen 60",
            "outer": "type gre key 4"}


def check_tenant(name, by, sent):
    """Report whether the copies of one tenant's frames SENT, BY session, are right."""
    want = [f for *_, f in sent]
    tags = [stripped(f) for f in want]
    ksft_eq([c.frame for c in by["plain"]], want, f"{name}: the copies are what the tenant sent")
    ksft_eq([c.frame for c in by["short"]], [f[:60] for f in want], f"{name}: cut by snaplen")
    ksft_eq([c.frame for c in by["strip"]], [f for f, _ in tags],
            f"{name}: the tenant's tag stripped")
    ksft_eq([(c.words[0] >> 16 & 0xfff, c.words[0] >> 11 & 31) for c in by["strip"]],
            [(tag & 0xfff, (tag >> 13) << 2 | 2) if tag is not None else (0, 0) for _, tag in tags],
            f"{name}: and in the ERSPAN header")
    ksft_eq([(c.frame, c.words[0] >> 13 & 7) for c in by["three"]],
            [(f, (tag or 0) >> 13) for f, (_, tag) in zip(want, tags)],
            f"{name}: kept, its priority is the copy's")
    ksft_true(len(by["outer"]) == len(want) and all(f in c.frame and len(c.frame) > len(f) + 30
                                                    for c, f in zip(by["outer"], want)),
              f"{name}: without decap the headers are there")


def decap():
    """Frames that a tenant sends, tagged, with checksums left to devices, of any length: byte for
    byte, in all sessions."""
    names = [name for name, kind, *_ in TENANTS if not kind.startswith("gre ")]
    sent = tenant_frames()
    want, whole = [f for *_, f in sent], [f for f, csum, _ in sent if not csum]
    with Topology() as t, Collector(t.col) as rx, Sniffer(t.b, "eth0", match=lambda f: f[-4:] ==
                                                          b"last") as end:
        join(t, *names)
        t.host.ip("link add raw0 type dummy", "link set raw0 addrgenmode none up")
        to = ",".join([*SESSIONS, "raw"])
        vtap_batch(t.host, *[f"session add {s} {words} remote {t.IP4['col']}"
                             for s, words in SESSIONS.items()],
                   "session add raw type port dev raw0 decap on",
                   "rule add pref 9 port vnet0 dir ingress src_port 1024 dst_port 4000 action skip",
                   "rule add pref 10 port vnet0 dir ingress tunnel vxlan dst_port 8472 action "
                   f"mirror {to}", f"rule add pref 11 port vnet0 dir ingress action mirror {to}")
        kinds = {("gre", 1): "plain", ("erspan2", 2): "strip", ("erspan3", 4): "three",
                 ("vxlan", 3): "short",
                 ("gre", 4): "outer"}
        for name in names:
            with Sniffer(t.b, name) as tenant, Sniffer(t.host, "raw0", "out") as raw, \
                    Sender(t.a, name, vnet=True) as tx:
                for f, csum, _ in sent:
                    tx.send(f, csum=csum)
                settle(t, end)
                # a device that takes no checksum over from others has it done before
                arrived = [f for f in tenant.frames(len(sent)) if f.csum_ready]
                ksft_true([f for f in arrived if f in whole] == whole,
                          f"{name}: the tenant's own interface has the frames",
                          lambda got=arrived: [f.hex() for f in got])
                ksft_eq([bytes(f) for f in raw.frames(len(sent))], want, f"{name}: raw copies")
            by = {s: [] for s in SESSIONS}
            for c in rx.copies(len(sent) * len(by)):
                by[kinds[c.session[0], c.session[2]]].append(c)
            check_tenant(name, by, sent)
        ksft_eq(rx.bad, [], "all outer packets decode")
        counters = {s["name"]: s["stats"] for s in vtap_json("-s session show", t.host)}
        total = len(names) * len(sent)
        ksft_eq({s: c["decapped"] for s, c in counters.items()}, {s: 0 if s == "outer" else total
                                                                  for s in counters},
                "unwrapped frames are counted")
        ksft_eq({(c["sent"], *dropped(c)) for c in counters.values()}, {(total,)}, "all are sent")


def stream_rules():
    """Return: commands that send each tenant's stream to one session, and the answers to
    another."""
    for i, (*_, words) in enumerate(TENANTS):
        for n, (port, to) in enumerate((("dst_port", "in"), ("src_port", "out"))):
            yield f"rule add pref {10 + 2 * i + n} port vnet0 {words} " \
                  f"inner ip_proto tcp {port} 5001 action mirror {to}"


def streams():
    """TCP with offloads inside each tunnel: all the payload, in frames of the tenant's, with right
    checksums."""
    with Topology() as t, Collector(t.col) as rx:
        join(t, *[name for name, *_ in TENANTS])
        vtap_batch(t.host, f"session add in type gre key 1 remote {t.IP4['col']} decap on",
                   f"session add out type erspan1 remote {t.IP4['col']} decap on", *stream_rules())
        sent = {name: transfer(t, 8 << 20 if name == "vx77" else 1 << 17, addresses=addresses(name))
                for name, *_ in TENANTS}
        packets = [r["packets"] for r in vtap_json("-s rule show", t.host)]
        counters, by = finish(t, rx)
        ksft_eq(rx.bad[:3], [], "all outer packets decode")
        ksft_eq([c for c in counters.values() if dropped(c) or c["decapped"] != c["sent"]], [],
                "all is sent, and unwrapped")
        for i, (name, kind, *_) in enumerate(TENANTS):
            (data, port), ends = sent[name], addresses(name)
            net = socket.inet_aton(ends["a"])[:3]
            mine = {s: [c for c in by[s] if net in c.frame[26:34]] for s in by}
            stream, wrong = payload(mine["in"], ends["a"], port, 1414)
            wrong += payload(mine["out"], ends["b"], 5001, 1414)[1]
            ksft_true(stream.data() == data and not wrong,
                      f"{name}: {len(data)} bytes of TCP, whole, checksums right",
                      f"{len(stream.data())} bytes, {stream.segments} segments, {len(wrong)} "
                      f"wrong: {wrong[:3]}")
            there = t.MAC if kind.startswith("gre ") else MACS
            ksft_eq([{(c.frame[:6].hex(":"), c.frame[6:12].hex(":")) for c in mine[s]}
                     for s in ("in", "out")], [{(there["b"], there["a"])},
                                               {(there["a"], there["b"])}],
                    f"{name}: between the tenant's addresses, each direction by its own rule")
            ksft_true(packets[2 * i] < len(mine["in"]) or "seq" in kind,
                      f"{name}: the port carried super-frames",
                      f"{packets[2 * i]} frames, {len(mine['in'])} copies")


def odd_frames(t):
    """Return: [(what, frame, frame that decap copies)]."""
    out = mac(t.MAC["b"]) + mac(t.MAC["a"])
    x = udp_frame(MACS["b"], MACS["a"], "10.9.0.1", "10.9.0.2", payload=b"inner" * 9)
    seven, here = x[14:], out + b"\x08\0"
    both = [("IPv4", lambda proto, load: v4(proto, load)),
            ("IPv6", lambda proto, load: v6(proto, load))]
    good = [(f"{name}: {what}", out + make(proto, load), want) for name, make in both
            for what, proto, load, want in (("VXLAN", 17, vxlan(x), x),
                                            ("VXLAN with group policy", 17,
                                             vxlan(x, flags=0x88000005), x),
                                            ("GENEVE", 17, geneve(x), x),
                                            ("GENEVE with options", 17, geneve(x, opts=bytes(252)),
                                             x),
                                            ("GENEVE with IP", 17, geneve(seven, proto=0x800),
                                             here + seven),
                                            ("GRE", 47, gre(x, None), x),
                                            ("GRE with everything", 47,
                                             gre(x, 5, csum=True, seq=True), x),
                                            ("GRE with IP", 47, gre(seven, None, 0x800),
                                             here + seven), ("ERSPAN I", 47, gre(x, None, 0x88be),
                                                             x),
                                            ("ERSPAN II", 47, gre(b"\x10" + bytes(7) + x, None,
                                                                  0x88be, seq=True), x),
                                            ("ERSPAN III", 47, gre(b"\x20" + bytes(11) + x, None,
                                                                   0x22eb, seq=True), x),
                                            ("a tunnel in a tunnel", 17,
                                             vxlan(out + v4(47, gre(x))), out + v4(47, gre(x))))]
    good += [("padding", out + v4(47, gre(x)) + bytes(18), x), ("IPv6 padding",
                                                                out + v6(17, vxlan(x)) + b"pad", x),
             ("padding behind UDP", out + v4(17, vxlan(x) + b"pad", total=20 + len(vxlan(x))), x),
             ("an extension header", out + v6(0, ext(0, 17, vxlan(x))), x),
             ("a tag", out + b"\x81\0\x60\5" + v4(17, vxlan(x)), x),
             ("two tags", out + b"\x88\xa8\0\7\x81\0\x60\5" + v4(47, gre(x)), x),
             ("no length", out + v4(17, vxlan(x), total=0), x),
             ("a tenant's tag in tags", out + b"\x81\0\x60\5" +
              v4(47, gre(x[:12] + b"\x81\0\0\7" + x[12:])),
              x[:12] + b"\x81\0\0\7" + x[12:])]
    same = [("no tunnel", v4(17, udp(53, x))), ("another port", v4(17, vxlan(x, dport=4790))),
            ("no VNI", v4(17, vxlan(x, flags=0))),
            ("VXLAN-GPE", v4(17, vxlan(x, flags=0x0c000000))), ("GENEVE of another version",
                                                                v4(17, geneve(x, first=0x40))),
            ("GENEVE with a lie", v4(17, geneve(x, first=63))), ("GENEVE of another protocol",
                                                                 v4(17, geneve(x, proto=0x880b))),
            ("PPTP", v4(47, gre(x, flags=1))), ("GRE with routes", v4(47, gre(x, flags=0x4000))),
            ("keep-alive", v4(47, gre(b"", None, 0))),
            ("GRE of another protocol", v4(47, gre(x, proto=0x8847))),
            ("13 bytes", v4(47, gre(x[:13]))),
            ("ARP", b"\x08\x06" + bytes(46)),
            ("a first fragment", v4(17, vxlan(x), frag=0x2000)),
            ("a later one", v4(17, vxlan(x), frag=5)),
            ("an IPv6 fragment", v6(44, fragment(17, vxlan(x)))), ("an end before the frame",
                                                                   v4(17, vxlan(x), total=36)),
            ("TCP", v4(6, vxlan(x)))]
    return good + [(what, out + rest, out + rest) for what, rest in same]


def odd():
    """Made by hand: what is unwrapped, and what is copied as it is."""
    with Topology() as t, Collector(t.col) as rx, Sniffer(t.b,
                                                          "eth0") as end, Sender(t.a, "eth0") as tx:
        vtap_batch(t.host, f"session add s type gre key 1 remote {t.IP4['col']} decap on",
                   "rule add pref 9 port vnet0 dir ingress dst_port 4000 action skip",
                   "rule add pref 10 port vnet0 dir ingress action mirror s")
        frames = odd_frames(t)
        tx.send(*[f for _, f, _ in frames])
        settle(t, end)
        counters, by = finish(t, rx)
        ksft_eq(len(by["s"]), len(frames), "each frame has one copy")
        for (what, _, want), c in zip(frames, by["s"]):
            ksft_eq(c.frame.hex(), want.hex(), f"decap of {what}")
        ksft_eq(counters["s"]["decapped"], sum(f != want for _, f, want in frames),
                "unwrapped frames are counted")
        ksft_eq((counters["s"]["matched"], dropped(counters["s"])), (len(frames), {}),
                "all are sent")


def paged():
    """Headers that lie in pages, wherever the first one begins: found and unwrapped all the same;
    another key's are not."""
    with Topology(mtu=9000) as t, Collector(t.col, mtu=9000) as rx, Sniffer(t.b, "eth0") as end, \
            Sender(t.a, "eth0", vnet=True) as tx:
        vtap_batch(t.host, *[f"session add s{n} type gre key {n} remote {t.IP4['col']} decap on"
                             for n in (1, 2)],
                   "rule add pref 9 port vnet0 dir ingress dst_port 4000 action skip",
                   *[f"rule add pref 10 port vnet0 dir ingress tunnel {kind} tunnel_key 77 inner "
                     "dst_port 80 action mirror s1" for kind in ("vxlan", "geneve", "gre")],
                   "rule add pref 11 port vnet0 dir ingress action mirror s2")
        x = udp_frame(MACS["b"], MACS["a"], "10.9.0.1", "10.9.0.2", dport=80,
                      payload=random.randbytes(5000))
        out, want = mac(t.MAC["b"]) + mac(t.MAC["a"]), {"s1": [], "s2": []}
        for key, name in ((77, "s1"), (78, "s2")):
            for f, inner in ((v4(17, vxlan(x, key)), x), (v6(17, geneve(x, key, opts=bytes(40))),
                                                          x),
                             (v4(47, gre(x, key, seq=True)), x),
                             (v6(47, gre(x[14:], key, 0x800)), out + b"\x08\0" + x[14:])):
                for linear in range(14, 130):
                    tx.send(out + f, gso=(0, 0, linear))
                    want[name].append(inner)
        settle(t, end)
        counters, by = finish(t, rx)
        for name, frames in want.items():
            wrong = sum(c.frame != f for c, f in zip(by[name], frames))
            ksft_eq((len(by[name]), wrong, counters[name]["decapped"],
                     dropped(counters[name])), (len(frames), 0, len(frames), {}),
                    f"{name}: copies, of which wrong, unwrapped, dropped")


def fragments():
    """Tunnels that the provider's network had to fragment are copied as they are, and can be put
    together by the collector."""
    with Topology() as t, Collector(t.col) as rx, Sniffer(t.b, "eth0") as end:
        join(t, "vx77", mtu=1500)
        vtap_batch(t.host, f"session add s type gre key 1 remote {t.IP4['col']} decap on",
                   "rule add pref 9 port vnet0 dir ingress dst_port 4000 action skip",
                   "rule add pref 10 port vnet0 dir ingress action mirror s")
        big, small = b"b" * 1472, b"s" * 1000
        datagram(t, "vx77", 5001, big)
        datagram(t, "vx77", 5001, small)
        passed = settle(t, end)
        counters, by = finish(t, rx)
        got = [c.frame for c in by["s"]]
        ksft_eq(len(passed), 3, "two fragments and a whole packet pass")
        ksft_eq(got[:2], [bytes(f) for f in passed[:2]], "fragments are copied as they are")
        ksft_true(small in got[2] and len(got[2]) == 42 + len(small), "the other one is unwrapped",
                  got[2:])
        ksft_eq((counters["s"]["decapped"], counters["s"]["sent"], dropped(counters["s"])),
                (1, 3, {}), "one is counted")


if __name__ == "__main__":
    modprobe("veth", "bridge", "vxlan", "geneve", "ip_gre", "ip6_gre", "8021q", "dummy")
    os.sched_setaffinity(0, {0})  # frames keep their order
    raise_backlog()
    ksft_run([rules, decap, odd, paged, fragments, streams])
    ksft_exit()
