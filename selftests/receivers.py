#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Independent receivers decode the copies: the kernel's tunnel devices, tshark, scapy, and a short
decoder of its own."""
import ipaddress
import struct
import subprocess
import time
from collections import defaultdict

from lib import (Sender, Sniffer, Topology, busywait, checksum, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, mac, modprobe, noise, one_cpu, published_captures, sh, udp_frame, vtap,
                 vtap_batch, vtap_json)

PINGS = 100
TPIDS = (0x8100, 0x88a8)
FAR = "02:00:00:00:01:0b"  # nobody's address: a bridge sends it to every port
evidence = []  # (outer frame, what decode() made of it) of all tests, for tshark and scapy


def decode(frame):
    """Return: the fields of a copy, and its inner frame; None when FRAME is none. Lengths and
    checksums are verified."""
    d = {"dst": frame[:6], "src": frame[6:12]}
    if frame[12:14] == b"\x08\x00":
        ip, rest = frame[14:34], frame[34:]
        d.update(local=str(ipaddress.ip_address(ip[12:16])), tos=ip[1], ttl=ip[8], ipid=ip[4:6],
                 df=ip[6:8] == b"\x40\x00", right=ip[0] == 0x45 and checksum(ip) == 0
                 and len(ip + rest) == struct.unpack("!H", ip[2:4])[0])
        proto, pseudo = ip[9], None
    elif frame[12:14] == b"\x86\xdd":
        ip, rest = frame[14:54], frame[54:]
        flow, length, proto, ttl = struct.unpack("!IHBB", ip[:8])
        d.update(local=str(ipaddress.ip_address(ip[8:24])), tos=flow >> 20 & 255, ttl=ttl,
                 right=flow >> 28 == 6 and not flow & 0xfffff and length == len(rest))
        pseudo = ip[8:40] + struct.pack("!II", length, proto)
    else:
        return None
    if proto == 17:
        return _vxlan(d, rest, pseudo)
    return _gre(d, rest) if proto == 47 else None


def _vxlan(d, rest, pseudo):
    sport, dport, length, check = struct.unpack("!HHHH", rest[:8])
    flags, vni = struct.unpack("!II", rest[8:16])
    d["right"] = d["right"] and length == len(rest) and flags == 0x08000000 and not vni & 255
    d["right"] = d["right"] and (checksum(pseudo + rest) == 0 and check != 0 if pseudo else check ==
                                 0)
    return dict(d, type="vxlan", key=vni >> 8, sport=sport, dport=dport, inner=rest[16:])


def _gre(d, rest):
    flags, proto = struct.unpack("!HH", rest[:4])
    d["right"] = d["right"] and not flags & ~0xb000
    d["csum"] = bool(flags & 0x8000)
    if d["csum"]:
        d["right"] = d["right"] and checksum(rest) == 0 and rest[6:8] == b"\0\0"
    rest = rest[8 if d["csum"] else 4:]
    for name, bit in (("key", 0x2000), ("seq", 0x1000)):
        if flags & bit:
            d[name], rest = struct.unpack("!I", rest[:4])[0], rest[4:]
    if proto == 0x6558:
        return dict(d, type="gre", inner=rest)
    if proto == 0x88be and "seq" not in d:
        return dict(d, type="erspan1", inner=rest)
    w = struct.unpack("!I", rest[:4])[0]
    d.update(vlan=w >> 16 & 0xfff, cos=w >> 13 & 7, t=w >> 10 & 1, id=w & 0x3ff)
    if proto == 0x88be:
        d["right"] = d["right"] and w >> 28 == 1
        return dict(d, type="erspan2", en=w >> 11 & 3, index=struct.unpack("!I", rest[4:8])[0],
                    inner=rest[8:])
    stamp, w2 = struct.unpack("!II", rest[4:12])
    # Ethernet frames only, no SGT, no hardware id
    d["right"] = d["right"] and proto == 0x22eb and w >> 28 == 2 and w2 & ~0xf == 0x8000
    d.update(type="erspan3", bso=w >> 11 & 3, stamp=stamp, d=w2 >> 3 & 1, gra=w2 >> 1 & 3, o=w2 & 1)
    if not d["o"]:
        return dict(d, inner=rest[12:])
    s0, sec = struct.unpack("!II", rest[12:20])
    return dict(d, platform=s0 >> 26, switch=s0 >> 16 & 0x3ff, port=s0 & 0xffff, sec=sec,
                inner=rest[20:])


def is_copy(frame):
    """Return: whether FRAME is GRE or VXLAN, and not of what an IPv6 stack sends by itself."""
    copy = None if noise(frame) else decode(frame)
    return copy is not None and not noise(copy["inner"])


def collect(rx, n, keep=1):
    """Return: the next N copies that come to the collector, decoded; and keep one in KEEP for the
    other decoders."""
    frames = rx.frames(n)
    got = [decode(f) for f in frames]
    evidence.extend(list(zip(frames, got))[::keep])
    return got


def pick(got, **want):
    """Return: those copies that have these fields; None: that do not have the field."""
    return [d for d in got if all(d.get(k) == v for k, v in want.items())]


def sessions(t, table):
    """Create the sessions of TABLE, name to words, towards the collector."""
    vtap_batch(t.host, *[f"session add {name} {words}" + ("" if "remote" in words
                                                          else f" remote {t.IP4['col']}")
                         for name, words in table.items()])
    ksft_true(busywait(lambda: all(s["state"] == "active"
                                   for s in vtap_json("session show", t.host))),
              "all sessions are active", lambda: vtap("session show", t.host).stdout)


def frame_of(size, vlan=None, tpid=0x8100, **kw):
    """Return: a UDP frame of SIZE bytes without its tag, to every port."""
    frame = udp_frame(FAR, Topology.MAC["a"], "10.0.0.1", "10.0.0.9", 1024, 9,
                      bytes(i & 255 for i in range(size - 42)), **kw)
    return frame if vlan is None else tagged(frame, vlan, tpid)


def tagged(frame, tci, tpid=0x8100):
    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]


def outermost(frame):
    """Return: (tag control field, frame without it), (None, frame) when there is none."""
    tpid, tci = struct.unpack("!HH", frame[12:16])
    return (tci, frame[:12] + frame[16:]) if tpid in TPIDS else (None, frame)


def stats(t):
    """Return: rules, sessions by name, ports by name; with counters. Rules last: noise that a port
    counts meanwhile is then in its rule's counter, too."""
    ports = {p["name"]: p for p in vtap_json("-s port show", t.host)}
    ses = {s["name"]: s for s in vtap_json("-s session show", t.host)}
    return vtap_json("-s rule show", t.host), ses, ports


def adds_up(s):
    """Return: whether a session's counters add up."""
    st = s["stats"]
    return st["matched"] == st["sent"] + sum(v for k, v in st.items() if k.startswith("drop"))


SESSIONS4 = {"gre": "type gre", "grek": "type gre key 7 seq on", "e1": "type erspan1",
             "e2": "type erspan2 id 100 index 12345",
             "e3": "type erspan3 id 101", "e3s": "type erspan3 id 1023 subheader on",
             "vx": "type vxlan key 5000",
             "other": "type gre key 8"}
DEVICES4 = {"gre": "gretap", "grek": "gretap key 7 seq", "e1": "erspan erspan_ver 0",
            "e2": "erspan key 100 seq erspan_ver 1",
            "e3": "erspan key 101 seq erspan_ver 2", "vx": "vxlan id 5000 dstport 4789",
            # nobody sends to these
            "notkey": "gretap key 9", "notid": "erspan key 102 seq erspan_ver 1",
            "notvni": "vxlan id 5001 dstport 4789"}
SESSIONS6 = {"gre6": "type gre", "grek6": "type gre key 7 seq on",
             "e26": "type erspan2 id 100 index 1048575",
             "e36": "type erspan3 id 101", "vx6": "type vxlan key 6000",
             "other6": "type erspan2 id 555"}
DEVICES6 = {"gre6": "ip6gretap", "grek6": "ip6gretap key 7 seq",
            "e26": "ip6erspan key 100 seq erspan_ver 1",
            "e36": "ip6erspan key 101 seq erspan_ver 2", "vx6": "vxlan id 6000 dstport 4789",
            "notkey6": "ip6gretap key 9", "notid6": "ip6erspan key 102 seq erspan_ver 1"}
FIELDS = {"gre": {"type": "gre", "key": None}, "grek": {"type": "gre", "key": 7},
          "e1": {"type": "erspan1"},
          "e2": {"type": "erspan2", "id": 100}, "e3": {"type": "erspan3", "id": 101},
          "e3s": {"type": "erspan3", "id": 1023},
          "vx": {"type": "vxlan", "key": 5000}, "other": {"type": "gre", "key": 8},
          "gre6": {"type": "gre", "key": None}, "grek6": {"type": "gre", "key": 7},
          "e26": {"type": "erspan2", "id": 100},
          "e36": {"type": "erspan3", "id": 101}, "vx6": {"type": "vxlan", "key": 6000},
          "other6": {"type": "erspan2", "id": 555}}
SUMS4 = {"gc": "type gre key 11 csum on", "gcs": "type gre key 12 seq on csum on",
         "gn": "type gre key 13 csum on", "g0": "type gre key 14"}
SUMDEVS4 = {"gc": "gretap key 11 icsum", "gcs": "gretap key 12 seq icsum",
            # a checksum that this one does not want, and none where it does
            "sum": "gretap key 13", "nosum": "gretap key 14 icsum"}
SUMS6 = {f"{name}6": words for name, words in SUMS4.items()}
SUMDEVS6 = {f"{name}6": "ip6" + words for name, words in SUMDEVS4.items()}
FIELDS.update({name: {"type": "gre", "key": 11 + i % 4, "csum": i % 4 < 3}
               for i, name in enumerate([*SUMS4, *SUMS6])})


def receivers(t, devices, local, remote):
    """Create tunnel DEVICES, name to words, in the collector, and return a capture of each. `type
    I` has no key."""
    lines = []
    for name, words in devices.items():
        far = "" if "vxlan" in words else f"remote {remote} "
        kind, _, rest = words.partition(" ")
        ident = ""
        if kind == "vxlan":
            ident = f"id {rest.split()[1]} "
            rest = "".join(rest.partition(" dst")[1:])
        lines.append(f"link add {name} type {kind} {ident}local {local} {far}{rest}")
        lines.append(f"link set {name} addrgenmode none\nlink set {name} up")
    t.col.ip(*lines)
    return {name: Sniffer(t.col, name) for name in devices}


def by_direction(frames):
    """Return: the frames from VM a, and the others, each in order."""
    a = mac(Topology.MAC["a"])
    return [bytes(f) for f in frames if f[6:12] == a], [bytes(f) for f in frames if f[6:12] != a]


def ping(t, family, n=PINGS):
    """n pings from VM a to b; return the bounds of the time they took."""
    begin = time.time()
    p = t.a.sh(f"ping -{family} -c {n} -i 0.01 -W 5 -q {(t.IP6 if family == 6 else t.IP4)['b']}",
               check=False)
    ksft_true(p.returncode == 0 and " 0% packet loss" in p.stdout,
              f"{n} IPv{family} pings are lossless", p.stdout + p.stderr)
    return begin, time.time()


def stamps_right(got, begin, end):
    """Return: whether the time stamps of ERSPAN III copies lie between BEGIN and END and do not go
    back."""
    if got[0]["o"]:
        times = [d["sec"] + d["stamp"] / 1e9 for d in got]
        return times == sorted(times) and begin - 1e-6 <= times[0] and times[-1] <= end + 1e-6
    ticks = [(d["stamp"] - int(begin * 1e4)) % (1 << 32) for d in got]
    return ticks == sorted(ticks) and ticks[-1] <= (end - begin) * 1e4 + 2


def check_wire(wire, names, port, span):
    """Report whether the copies of sessions NAMES on the wire are right, given the frames that a
    port saw in time SPAN."""
    for name in names:
        got = pick(wire, **FIELDS[name])
        ksft_eq(by_direction([d["inner"] for d in got]), by_direction(port),
                f"{name}: every frame is on the wire once and whole")
        ksft_true(got and all(d["right"] for d in got), f"{name}: headers are right",
                  lambda g=got: [d for d in g if not d["right"]][:1])
        if "seq" in got[0]:
            ksft_eq([d["seq"] for d in got], list(range(len(got))),
                    f"{name}: sequence numbers count from 0")
        if got[0]["type"] == "erspan3":
            ksft_eq([d["d"] for d in got], [int(d["inner"][6:12] != mac(Topology.MAC["a"]))
                                            for d in got],
                    f"{name}: the direction bit follows the frame")
            ksft_true(stamps_right(got, *span), f"{name}: time stamps are of now",
                      lambda g=got: (g[0], g[-1], span))


def check_counters(t, names, port, before):
    """Report whether the counters of the rule, the port (BEFORE: as they were) and sessions NAMES
    are what the capture of the port says."""
    rules, ses, ports = stats(t)
    n, size = len(port), sum(len(f) for f in port)
    noises = rules[0]["packets"]
    ksft_eq((rules[1]["packets"], rules[1]["bytes"]), (n, size), "the rule counts frames and bytes")
    for name in names:
        st = ses[name]["stats"]
        ksft_eq([st[k] for k in ("matched", "sent", "bytes", "truncated", "fragmented")],
                [n, n, size, 0, 0], f"{name} counts its copies")
        ksft_true(adds_up(ses[name]), f"{name}: matched is sent and drops", st)
    for way, frames in zip(("ingress", "egress"), by_direction(port)):
        p = {k: v - before[way][k] for k, v in ports["vnet0"][way].items()}
        ksft_true(p["seen"] == p["matched"] and (p["unmatched"], p["own"]) == (0, 0) and 0 <=
                  p["seen"] - len(frames) <= noises, f"the port counts its {way}",
                  (p, len(frames), noises))


def ping_pass(t, family, ses, devices):
    """Pings over the tapped port go to all sessions SES at once; each device gets what the port
    saw."""
    ips = t.IP6 if family == 6 else t.IP4
    sessions(t, {n: f"{w} remote {ips['col']}" for n, w in ses.items()})
    caps = receivers(t, devices, ips["col"], ips["up0"])
    # a stack of IPv6 reports its multicast groups when it likes to
    vtap_batch(t.host, "rule flush",
               "rule add pref 1 port vnet0 dst_mac 33:33:00:00:00:00/ff:ff:00:00:00:00 action skip",
               f"rule add pref 10 port vnet0 dir both action mirror {','.join(ses)}")
    before = stats(t)[2]["vnet0"]  # a port goes on when its rules are replaced
    with Sniffer(t.host, "vnet0", "both") as tap, Sniffer(t.col, "eth0", match=is_copy) as rx:
        span = ping(t, family)
        port = tap.frames(2 * PINGS)
        # one in 5 is of each session, whose number is no multiple of it
        wire = collect(rx, 2 * PINGS * len(ses), 5)
    ksft_eq([len(x) for x in by_direction(port)], [PINGS, PINGS],
            "the port saw requests and replies")
    ksft_eq(len(wire), 2 * PINGS * len(ses), "nothing else is on the wire")
    check_wire(wire, ses, port, span)
    for name, cap in caps.items():
        got = cap.frames(2 * PINGS if name in ses else 0)
        if name in ses:
            ksft_eq(by_direction(got), by_direction(port),
                    f"kernel device {name} ({devices[name]}) decapsulates what the port saw")
        else:
            ksft_eq(got, [], f"kernel device {name} ({devices[name]}) gets nothing")
    check_counters(t, ses, port, before)
    return caps


def nothing(name, t, rx, caps, act):
    """Report that neither the wire nor a device sees copies of what ACT does."""
    last = frame_of(99)
    vtap_batch(t.host, "rule add pref 9 port vnet0 dir ingress dst_mac " + FAR +
               " action mirror gre")
    act()
    with Sender(t.a, "eth0") as tx:
        tx.send(last)
    ksft_eq(rx.until(lambda f: decode(f)["inner"] == last), [], name)
    ksft_eq({n: [f for f in c.frames() if f != last] for n, c in caps.items()},
            {n: [] for n in caps}, f"{name}, nor does a device")
    vtap_batch(t.host, "rule flush pref 9")


def pings():
    """The kernel's gretap, erspan and vxlan devices, over IPv4 and IPv6, get the tapped frames; and
    no others."""
    with Topology() as t:
        t.host.ip("address add 10.0.0.254/24 dev br0")
        t.b.ip(f"neigh add 10.0.0.254 lladdr {t.host.links()['br0']['address']} dev eth0 nud "
               "permanent")
        t.host.ip(f"neigh add 10.0.0.2 lladdr {t.MAC['b']} dev br0 nud permanent")
        caps = ping_pass(t, 4, SESSIONS4, DEVICES4)
        with Sniffer(t.col, "eth0", match=is_copy) as rx:
            nothing("a port that is not tapped gives nothing", t, rx, caps,
                    lambda: ksft_true(t.b.sh("ping -c 5 -i 0.01 -q 10.0.0.254").returncode == 0,
                                      "it was used"))
            vtap_batch(t.host, "rule add pref 5 port vnet0 ip_proto icmp action skip")
            nothing("a skip rule in front keeps frames from being copied", t, rx, caps,
                    lambda: ping(t, 4, 5))
            ksft_eq([r["packets"] for r in stats(t)[0] if r["pref"] == 5], [10], "and counts them")
            caps.update(ping_pass(t, 6, SESSIONS6, DEVICES6))
            rx.frames()
            vtap_batch(t.host, "rule flush")
            nothing("a rule that is gone copies nothing", t, rx, caps, lambda: ping(t, 4, 5))
        for cap in caps.values():
            cap.__exit__()


def sums():
    """Devices that insist on a GRE checksum get the tapped frames; but not those without one."""
    with Topology() as t:
        for family, ses, devices in ((4, SUMS4, SUMDEVS4), (6, SUMS6, SUMDEVS6)):
            for cap in ping_pass(t, family, ses, devices).values():
                cap.__exit__()
            vtap_batch(t.host, "rule flush", "session flush")


MODES = {"gre": "type gre", "k2": "type erspan2 id 2 vlan keep",
         "s2": "type erspan2 id 3 vlan strip", "k3": "type erspan3 id 4",
         "s3": "type erspan3 id 5 vlan strip"}


def vlan_want(frame, name):
    """Return: (VLAN, COS, En, inner frame) of the copy of FRAME that session NAME sends; without a
    field: None."""
    tci, bare = outermost(frame)
    strip, tag = name[0] == "s", tci is not None
    fields = (tci & 0xfff if tag and strip else 0, tci >> 13 if tag else 0)
    if name == "gre":
        return None, None, None, frame
    return *fields, (2 if strip else 3) * tag if name[1] == "2" else None, bare if strip else frame


def check_vlan(what, wire, frames):
    """Report whether WIRE has the copies of FRAMES that each session of MODES is to send."""
    for i, name in enumerate(MODES):
        got = pick(wire, type="gre") if name == "gre" else pick(wire, id=i + 1)
        ksft_eq([(d.get("vlan"), d.get("cos"), d.get("en"), d["inner"]) for d in got],
                [vlan_want(f, name) for f in frames], f"{what}: {MODES[name]}")


def vlan_bridge(t, rx):
    """A bridge that filters VLANs puts the tag in the metadata at egress, and takes it off."""
    t.host.ip("link set br0 type bridge vlan_filtering 1")
    sh(["bridge", "-n", t.host.name, "-batch", "-"],
       input="vlan add dev vnet0 vid 5 pvid untagged\n"
       "vlan add dev vnet1 vid 5\nvlan add dev vnet0 vid 9\nvlan add dev vnet1 vid 9 untagged\n")
    with Sender(t.a, "eth0") as tx, Sniffer(t.host, "vnet1", "out") as tap:
        tx.send(frame_of(100), frame_of(100, 6 << 13 | 9), frame_of(100, 3 << 13))
        frames = tap.frames(3)
        ksft_eq([outermost(f)[0] for f in frames], [5, None, 3 << 13 | 5],
                "a VLAN-filtering bridge tags and untags")
        check_vlan("VLAN-filtering bridge, egress", collect(rx, 15), frames)


def vlan():
    """The tag is in the copy or in the ERSPAN header, never in both; the outermost one of two."""
    first = [frame_of(100), frame_of(100, 0xa005), frame_of(60, 0), frame_of(64, 0xfffe),
             frame_of(200, 0x2001),
             tagged(frame_of(100, 0xc000 | 200), 0x6000 | 100, 0x88a8),
             tagged(frame_of(100, 7), 0xe008),
             frame_of(100, 0x4fff, 0x88a8), frame_of(1500, 1 << 13 | 5)]
    with Topology(up_mtu=1600) as t, Sender(t.a, "eth0") as vm, Sender(t.host, "vnet1") as port, \
            Sniffer(t.col, "eth0", match=is_copy) as rx:
        sessions(t, MODES)
        caps = receivers(t, {"k2": "erspan key 2 seq erspan_ver 1",
                             "s2": "erspan key 3 seq erspan_ver 1", "gre": "gretap"}, t.IP4["col"],
                         t.IP4["up0"])
        vtap_batch(t.host, f"rule add pref 1 port vnet0 dir ingress dst_mac {FAR} action mirror "
                   f"{','.join(MODES)}")
        vm.send(*first)
        check_vlan("tag in the metadata, ingress", collect(rx, 5 * len(first)), first)
        for name, cap in caps.items():
            ksft_eq(cap.frames(len(first)), [vlan_want(f, name)[3] for f in first],
                    f"a kernel device gets the frames of session {name}")
            cap.__exit__()
        t.a.ip("link add link eth0 name eth0.77 type vlan id 77 egress-qos-map 0:6",
               "link set eth0.77 addrgenmode none", "link set eth0.77 up")
        with Sender(t.a, "eth0.77") as tx:
            tx.send(frame_of(100), frame_of(100, 0x2001))
        check_vlan("a VM's VLAN device", collect(rx, 10),
                   [frame_of(100, 0xc000 | 77), tagged(frame_of(100, 0x2001), 0xc000 | 77)])
        vtap_batch(t.host, "rule flush", f"rule add pref 1 port vnet1 dir egress dst_mac {FAR} "
                   f"action mirror {','.join(MODES)}")
        vm.send(*first)
        check_vlan("tag in the metadata, egress", collect(rx, 5 * len(first)), first)
        port.send(*first)
        check_vlan("tag in the frame, egress", collect(rx, 5 * len(first)), first)
        vlan_bridge(t, rx)


def snaplen():
    """A longer frame is cut to exactly so many bytes and says so; others are whole and do not."""
    table = {"a": ("type erspan2 id 1 snaplen 60", 60), "b": ("type erspan3 id 2 snaplen 61", 61),
             "c": ("type erspan2 id 3 snaplen 100 vlan strip", 100),
             "d": ("type erspan3 id 4 snaplen 1514 subheader on", 1514),
             "e": ("type gre key 5 snaplen 64", 64), "f": ("type vxlan key 6 snaplen 1000", 1000)}
    frames = [frame_of(n) for n in (42, 59, 60, 61, 62, 64, 65, 96, 99, 100, 101, 104, 1000, 1001,
                                    1513, 1514)]
    frames += [frame_of(n, 0xa007) for n in (55, 56, 57, 58, 60, 61, 96, 97, 100, 101, 104, 996,
                                             997, 1510, 1511)]
    with Topology(up_mtu=1600) as t, Sender(t.a, "eth0") as tx, Sniffer(t.col, "eth0",
                                                                        match=is_copy) as rx:
        sessions(t, {name: words for name, (words, _) in table.items()})
        vtap_batch(t.host, f"rule add pref 1 port vnet0 dir ingress dst_mac {FAR} action mirror "
                   f"{','.join(table)}")
        tx.send(*frames)
        got = collect(rx, len(frames) * len(table))
        ses = stats(t)[1]
        for i, (name, (words, limit)) in enumerate(table.items()):
            want = [outermost(f)[1] if "strip" in words else f for f in frames]
            cut = [int(len(f) > limit) for f in want]
            mine = pick(got, key=i + 1) if "key" in words else pick(got, id=i + 1)
            for d, c in zip(mine, cut):
                d["cut"] = c
            ksft_eq([d["inner"] for d in mine], [f[:limit] for f in want],
                    f"{words}: so many bytes")
            ksft_eq((ses[name]["stats"]["truncated"], adds_up(ses[name])), (sum(cut), True),
                    f"{words}: cut frames are counted")
            if "erspan" in words:
                ksft_eq([d["t"] for d in mine], cut, f"{words}: the truncated bit")
        ksft_true(all(d["right"] for d in got), "headers are right")


# name: session words, fields of the copy
HEADERS = {
    "default": ("type gre", {"type": "gre", "local": "192.0.2.1", "ttl": 64, "tos": 0, "df": False,
                             "key": None, "seq": None}),
    "ttl": ("type gre key 0 ttl 1 tos 252", {"key": 0, "ttl": 1, "tos": 252, "seq": None}),
    "key": ("type gre key 4294967295 seq on ttl 255", {"key": 4294967295, "ttl": 255, "seq": 0}),
    "local": ("type gre key 3 local 192.0.2.77 mtu truncate", {"key": 3, "local": "192.0.2.77",
                                                               "df": True}),
    "id0": ("type erspan2", {"type": "erspan2", "id": 0, "index": 0, "t": 0, "en": 0, "cos": 0,
                             "vlan": 0, "ttl": 64, "tos": 0}),
    "idmax": ("type erspan2 id 1023 index 1048575 tos 184 mtu drop",
              {"id": 1023, "index": 1048575, "tos": 184, "df": True}),
    "three": ("type erspan3 id 512 ttl 2", {"type": "erspan3", "id": 512, "ttl": 2, "gra": 0,
                                            "o": 0, "bso": 0, "d": 0}),
    "sub": ("type erspan3 id 513 subheader on", {"id": 513, "gra": 2, "o": 1, "platform": 5,
                                                 "switch": 0, "d": 0, "port": 101}),
    "vni": ("type vxlan key 16777215", {"type": "vxlan", "key": 16777215, "dport": 4789,
                                        "ttl": 64}),
    "vni0": ("type vxlan key 0 dport 4790 ttl 9 tos 4", {"type": "vxlan", "key": 0, "dport": 4790,
                                                         "ttl": 9, "tos": 4}),
    "six": ("type gre key 66 remote 2001:db8:9::9", {"key": 66, "local": "2001:db8:9::1", "ttl": 64,
                                                     "tos": 0}),
    "six2": ("type erspan2 id 6 tos 184 ttl 7 remote 2001:db8:9::9 local 2001:db8:9::77",
             {"id": 6, "local": "2001:db8:9::77", "ttl": 7, "tos": 184}),
    # a keyless ip6gretap would take it for its own, so no device is tried
    "six1": ("type erspan1 remote 2001:db8:9::9", {"type": "erspan1", "local": "2001:db8:9::1"}),
    "sixv": ("type vxlan key 6 tos 8 remote 2001:db8:9::9", {"type": "vxlan", "key": 6,
                                                             "local": "2001:db8:9::1", "tos": 8}),
}


def header():
    """ttl, tos, local, dev, key, id and index are on the wire as set, and their defaults; checksums
    are right."""
    frames = [frame_of(60 + n) for n in range(3)]
    names = list(HEADERS)
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.col, "eth0", match=is_copy) as rx:
        t.host.ip("address add 192.0.2.77/24 dev up0",
                  "address add 2001:db8:9::77/64 dev up0 nodad preferred_lft 0",
                  f"link add up1 index 111 type veth peer name eth1 netns {t.col.name}",
                  "link set up1 addrgenmode none", "link set up1 up",
                  "address add 198.51.100.1/24 dev up1",
                  f"route add {t.IP4['col']}/32 dev up0 metric 8",
                  f"route add {t.IP4['col']}/32 dev up1 metric 9",
                  f"neigh add {t.IP4['col']} lladdr {t.MAC['col']} dev up1 nud permanent")
        t.col.ip("link set eth1 addrgenmode none", "link set eth1 up")
        ksft_true(busywait(lambda: t.host.running("up1")), "the second path comes up")
        sessions(t, {**{n: words for n, (words, _) in HEADERS.items()},
                     "dev": "type gre key 99 dev up1"})
        for part in (names[:8], names[8:] + ["dev"]):
            vtap_batch(t.host, "rule flush", "rule add pref 1 port vnet0 dir ingress dst_mac "
                       f"{FAR} action mirror {','.join(part)}")
            with Sniffer(t.col, "eth1", match=is_copy) as rx1:
                tx.send(*frames)
                got = collect(rx, 3 * len([n for n in part if n != "dev"]))
                other = collect(rx1, 3 if "dev" in part else 0)
            check_headers({n: HEADERS[n] for n in part if n != "dev"}, got, frames)
            ksft_eq([(d["key"], d["inner"]) for d in other], [(99, f) for f in frames]
                    if "dev" in part else [], "only the session with another dev leaves by it")


def check_headers(table, got, frames):
    """Report whether the copies of FRAMES that each session of TABLE sent have its fields."""
    ksft_eq(len(got), len(table) * len(frames), "as many copies as there should be")
    ksft_true(all(d["right"] for d in got), "lengths, checksums and reserved bits are right",
              [d for d in got if not d["right"]][:2])
    ksft_eq({(d["dst"], d["src"]) for d in got},
            {(mac(Topology.MAC["col"]), mac(Topology.MAC["up0"]))}, "link-layer addresses are")
    for name, (words, want) in table.items():
        want = dict(want)
        seq = want.pop("seq", None)
        mine = pick(got, **want)
        if "type" not in want:
            want["type"] = words.split()[1]
        ksft_eq([d["inner"] for d in mine if d["type"] == want["type"]], frames, f"{name}: {words}")
        # packets that must not be fragmented need none (RFC 6864)
        atomic = "mtu truncate" in words or "mtu drop" in words
        ids = [d["ipid"] for d in mine if "ipid" in d]
        ksft_eq(set(ids) - {bytes(2)} if atomic else len(set(ids)), set() if atomic else len(ids),
                f"{name}: outer ids")
        if seq is not None:
            ksft_eq([d.get("seq") for d in mine], [0, 1, 2], f"{name}: sequence")
        if want["type"] == "vxlan":
            ksft_true(len({d["sport"] for d in mine}) == 1 and mine[0]["sport"] >= 49152,
                      f"{name}: one source port for one flow, of the dynamic range",
                      [d["sport"] for d in mine])


KINDS = {"gre": "type gre", "one": "type erspan1", "two": "type erspan2 id 3",
         "three": "type erspan3 id 4 subheader on",
         "vx": "type vxlan key 5", "six": "type vxlan key 6 remote 2001:db8:9::9"}


def published():
    """DNS, HTTP and long IPv6 segments as others captured them: through the bridge and to the
    collector byte for byte."""
    frames = published_captures(mac(FAR) + mac(Topology.MAC["a"]))
    longest = max(len(f) for f in frames)
    ksft_true(len(frames) > 40 and longest > 9000 and min(map(len, frames)) < 80,
              "the captures have frames of all sizes", longest)
    with Topology(longest, longest + 100) as t, Sender(t.a,
                                                       "eth0") as tx, Sniffer(t.b, "eth0") as far, \
            Sniffer(t.col, "eth0", match=is_copy) as rx:
        # both ends of a conversation are behind it
        t.host.sh("bridge link set dev vnet0 learning off")
        sessions(t, KINDS)
        vtap_batch(t.host,
                   f"rule add pref 1 port vnet0 dir ingress action mirror {','.join(KINDS)}")
        tx.send(*frames)
        ksft_eq([bytes(f) for f in far.frames(len(frames))], frames,
                "a published capture crosses the bridge")
        got = collect(rx, len(KINDS) * len(frames))
        ksft_true(all(d["right"] for d in got), "headers are right")
        for i, (name, words) in enumerate(KINDS.items()):
            mine = got[i::len(KINDS)]
            ksft_eq([(d["type"], d["inner"]) for d in mine],
                    [(words.split()[1], f) for f in frames], f"{words}: is copied byte for byte")
        vtap_batch(t.host, "rule flush")
        tx.send(*frames)
        ksft_eq([bytes(f) for f in far.frames(len(frames))], frames,
                "a published capture crosses the bridge untapped")
        ksft_eq(rx.frames(), [], "and is not copied")


TSHARK = {"local": ("ip.src", "ipv6.src"), "ttl": ("ip.ttl", "ipv6.hlim"),
          "tos": ("ip.dsfield", "ipv6.tclass"),
          "key": ("gre.key", "vxlan.vni"),
          "seq": ("gre.sequence_number",), "vlan": ("erspan.vlan",), "cos": ("erspan.cos",),
          "en": ("erspan.encap",),
          "t": ("erspan.truncated",), "id": ("erspan.spanid",), "index": ("erspan.index",),
          "stamp": ("erspan.timestamp",),
          "d": ("erspan.direction",), "gra": ("erspan.gra",), "o": ("erspan.o",),
          "bso": ("erspan.bso",),
          "platform": ("erspan.platid",), "switch": ("erspan.pid5.switchid",),
          "port": ("erspan.pid5.port_index",), "sec": ("erspan.pid5.timestamp",),
          "sport": ("udp.srcport",), "dport": ("udp.dstport",)}
LAYERS = {"gre": "gre:eth", "erspan1": "gre:erspan:eth", "erspan2": "gre:erspan:eth",
          "erspan3": "gre:erspan:eth",
          "vxlan": "udp:vxlan:eth"}


def pcap(frames):
    """Return: a capture file of FRAMES."""
    return struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + \
        b"".join(struct.pack("=IIII", 0, 0, len(f), len(f)) + f for f in frames)


def run_tshark(frames):
    """Return: for each of FRAMES what tshark says, the first occurrence of each field, by field
    name."""
    names = [n for fields in TSHARK.values() for n in fields]
    names += ["frame.protocols", "_ws.malformed", "ip.checksum.status", "gre.checksum.status"]
    p = subprocess.run(["tshark", "-n", "-r", "-", "-T", "fields", "-E", "occurrence=f", "-o",
                        "ip.check_checksum:TRUE",
                        "--disable-protocol", "http",
                        # streams that come once for each session make no sense to it
                        "-d", "udp.port==4790,vxlan"] + [x for n in names for x in ("-e", n)],
                       input=pcap(frames), capture_output=True, check=True, timeout=120)
    return [dict(zip(names, line.split("\t"))) for line in p.stdout.decode().splitlines()]


def number(text):
    """Return: TEXT as a number when it is one."""
    if text in ("True", "False"):
        return int(text == "True")
    try:
        return int(text, 0)
    except ValueError:
        return text


def tshark_says(fields, mine):
    """Return: tshark's FIELDS by decode()'s names; those of the inner packet are left out."""
    got = {}
    for name, where in TSHARK.items():
        if name in ("sport", "dport") and mine["type"] != "vxlan":
            continue
        text = [fields[w] for w in (where[::-1] if ":" in mine["local"] else where) if fields[w]]
        if text:
            got[name] = number(text[0])
    return got


def tshark_faults(fields, mine):
    """Return: what is wrong with what tshark says of a copy, if anything."""
    got, want = tshark_says(fields, mine), {k: v for k, v in mine.items() if k in TSHARK}
    if got != want:
        return got, want
    if f":{LAYERS[mine['type']]}" not in fields["frame.protocols"] or fields[
            "ip.checksum.status"] not in ("1", ""):
        return fields["frame.protocols"], fields["ip.checksum.status"]
    if mine.get("csum") and fields["gre.checksum.status"] not in ("1", "Good"):
        return "GRE checksum", fields["gre.checksum.status"]
    return fields["_ws.malformed"] if not mine.get("cut") else ""


def tshark():
    """tshark names the same fields, and finds nothing malformed in a whole frame."""
    found = run_tshark([frame for frame, _ in evidence])
    ksft_eq(len(found), len(evidence), "tshark reads all copies")
    for kind in LAYERS:
        faults = [tshark_faults(fields, mine) for fields, (_, mine) in zip(found, evidence)
                  if mine["type"] == kind]
        ksft_true(len(faults) > 10 and not any(faults),
                  f"tshark agrees on {len(faults)} copies of type {kind}",
                  lambda faults=faults: [f for f in faults if f][:3])
        named = sum(mine["type"] == kind and fields["frame.protocols"].endswith(":dns")
                    for fields, (_, mine) in zip(found, evidence))
        ksft_true(named in (10, 20), f"tshark sees DNS in copies of type {kind}", named)


SCAPY = {"IP": {"src": "local", "tos": "tos", "ttl": "ttl"},
         "IPv6": {"src": "local", "tc": "tos", "hlim": "ttl"},
         "GRE": {"key": "key", "seqence_number": "seq"}, "VXLAN": {"vni": "key"},
         "ERSPAN_II": {"vlan": "vlan", "cos": "cos", "en": "en", "t": "t", "session_id": "id",
                       "index": "index"},
         "ERSPAN_III": {"vlan": "vlan", "cos": "cos", "bso": "bso", "t": "t", "session_id": "id",
                        "timestamp": "stamp", "d": "d",
                        "gra": "gra", "o": "o"},
         "ERSPAN_PlatformSpecific": {"platf_id": "platform", "info1": "port", "info2": "sec"}}
KNOWN = {name for fields in SCAPY.values() for name in fields.values()} | {"inner"}


def scapy_says(packet):
    """Return: decode()'s names of what scapy found in PACKET, up to the inner Ethernet header."""
    got, layer = {}, packet.payload
    while layer and layer.name != "Ethernet":
        fields = SCAPY.get(type(layer).__name__, {})
        got.update({new: getattr(layer, old) for old, new in fields.items()
                    if getattr(layer, old) is not None})
        layer = layer.payload
    return dict(got, inner=layer.original)


def scapy():
    """scapy's layers name the same fields and find the same frame; type I it takes for type II."""
    from scapy.contrib import erspan  # noqa: F401 pylint: disable=unused-import
    from scapy.layers import inet, inet6, l2, vxlan as _  # noqa: F401 pylint: disable=unused-import
    by_type = defaultdict(list)
    for frame, mine in evidence:
        if mine["type"] != "erspan1" and mine.get("dport") != 4790:
            by_type[mine["type"]].append((frame, mine))
    for kind, all_of in by_type.items():
        # one of many pings, all of the others
        some = [x for i, x in enumerate(all_of) if i % 5 == 0 or x[1]["inner"][23] != 1
                and x[1]["inner"][20] != 58]
        wrong = []
        for frame, mine in some:
            got = scapy_says(l2.Ether(frame))
            want = {k: v for k, v in mine.items() if k in KNOWN}
            if got != want:
                wrong.append((got, want))
        ksft_true(len(some) > 10 and not wrong,
                  f"scapy agrees on {len(some)} copies of type {kind}", wrong[:2])


if __name__ == "__main__":
    modprobe("veth", "bridge", "ip_gre", "ip6_gre", "vxlan", "8021q")
    with one_cpu():
        ksft_run([pings, sums, vlan, snaplen, header, published, tshark, scapy])
        ksft_exit()
