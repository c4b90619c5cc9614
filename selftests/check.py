#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Why do no copies arrive? Sessions count what collectors and routers answer, and vtap check finds
each cause."""
import contextlib
import json
import re
import tempfile

from lib import (VTAP, Sender, Sniffer, Topology, busywait, ip, ksft_eq, ksft_exit,
                 ksft_run, ksft_skip, ksft_true, mac as lib_mac, modprobe, vtap, vtap_batch,
                 vtap_json)
from lib.cli import Monitor
from lib.routes import icmp_error, is_copy
from lib.traffic import mirror

KINDS = {"protocol-unreachable", "port-unreachable"}
FAR = {4: "203.0.113.9", 6: "2001:db8:71::9"}
SILENT = {4: "192.0.2.19", 6: "2001:db8:9::19"}  # at an address that the collector does not have


def silent(t):
    """Give SILENT a link-layer address, to which nobody answers."""
    t.host.ip(*[f"neigh add {a} lladdr 02:00:00:00:00:19 dev up0 nud permanent"
                for a in SILENT.values()])


def icmp_all(t):
    """Return: {name: what the session says of ICMP errors, without the time; {} for none}."""
    return {s["name"]: {k: v for k, v in s.get("icmp", {}).items() if k != "ago"}
            for s in vtap_json("session show", t.host)}


def icmp(t, name):
    """Return: what session NAME says of ICMP errors."""
    return icmp_all(t)[name]


def errors(t, *names):
    """Return: how many ICMP errors each of the sessions NAMES has counted, None for none."""
    said = icmp_all(t)
    return [said[name].get("errors") for name in names]


def error(outer, kind, keep=None, spoil=False):
    """Return: the frame of a router that answers copy OUTER with an ICMP error of KIND, type and
    code. KEEP: bytes of it behind its IP header that are quoted; SPOIL: with a wrong checksum."""
    v6 = outer[12:14] == b"\x86\xdd"
    quote = outer[14:][:(40 if v6 else 20) + keep] if keep else outer[14:214]
    src, dst = (outer[38:54], outer[22:38]) if v6 else (outer[30:34], outer[26:30])
    return outer[6:12] + outer[:6] + outer[12:14] + icmp_error(src, dst, kind, quote, spoil=spoil)


def answers():
    """A collector on which nothing receives answers each copy, and the session says so; an event
    tells of the first answer alone."""
    with Topology() as t, Sender(t.a, "eth0") as tx:
        t.col.sysctl(net__ipv4__icmp_ratelimit=0, net__ipv6__icmp__ratelimit=0)
        remotes = {4: t.IP4["col"], 6: t.IP6["col"]}
        silent(t)
        vtap_batch(t.host, *[line for v, remote in remotes.items() for line in (
            f"session add g{v} type gre key 7 remote {remote}",
            f"session add v{v} type vxlan key 8 remote {remote}",
            f"session add n{v} type gre remote {SILENT[v]}")])
        mirror(t, "vnet0", [f"{k}{v}" for v in remotes for k in "gvn"], "dir ingress ip_proto udp")
        with Monitor(t.host, "-j") as monitor:
            for n in (1, 2, 3):
                tx.send(t.udp())
                busywait(lambda n=n: errors(t, "g4", "v4", "g6", "v6") == [n] * 4)
            said, text = icmp_all(t), vtap("session show", t.host).stdout
            for v, remote in remotes.items():
                for name in (f"g{v}", f"v{v}"):
                    last = said[name]
                    ksft_true((last.get("errors"), last.get("from")) == (3, remote)
                              and last["kind"] in KINDS, f"IPv{v}: session {name[0]} counts", last)
                ksft_eq(said[f"n{v}"], {}, f"IPv{v}: one whose copies nobody answers does not")
                line = re.search(f"^g{v} .*", text, re.M)[0]
                ksft_true("icmp errors 3 kind " in line and f" from {remote} ago " in line,
                          f"IPv{v}: the text says it", text)
            vtap("session set n4 ttl 63", t.host)
            ksft_true(monitor.lines('"ttl":63'), "events come")
            told = monitor.events()
            for v in remotes:
                ksft_eq([sum(e.get("name") == f"{k}{v}" and "icmp" in e for e in told)
                         for k in "gvn"], [1, 1, 0], f"IPv{v}: one event each")


def spoilt(outer, at, value):
    """Return: copy OUTER with another byte behind its IP header."""
    at += 54 if outer[12:14] == b"\x86\xdd" else 34
    return outer[:at] + bytes([outer[at] ^ value]) + outer[at + 1:]


def quotes():
    """An error counts when it quotes a copy, as far as it quotes, and else not."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sender(t.col, "eth0") as router, \
            Sniffer(t.col, "eth0", match=is_copy) as rx:
        silent(t)
        for v in (4, 6):
            lines = [f"session add e{v} type erspan2 id 9 remote {FAR[v]}",
                     f"session add g{v} type gre key 7 remote {FAR[v]}",
                     f"session add v{v} type vxlan key 7 remote {FAR[v]}"]
            t.host.ip(f"route add {FAR[v]} via {SILENT[v]}")
            vtap_batch(t.host, "rule flush", "session flush", *lines)
            mirror(t, "vnet0", [f"{k}{v}" for k in "egv"], "dir ingress ip_proto udp")
            tx.send(t.udp())
            names = {b"\x88\xbe": "e", b"\x65\x58": "g", b"\x12\xb5": "v"}  # GRE's protocol, port
            by = {names[f[{4: 36, 6: 56}[v]:][:2]]: bytes(f) for f in rx.frames(3)}
            kind = {4: (3, 1), 6: (1, 3)}[v]
            toobig = {4: (3, 4), 6: (2, 0)}[v]
            other = {4: (5, 1), 6: (137, 0)}[v]
            bad = [error(f, kind, spoil=True) for f in by.values()] + \
                [error(f, k) for f in by.values() for k in (toobig, other)] + \
                [error(spoilt(by["e"], 11, 1), kind), error(spoilt(by["g"], 7, 1), kind),
                 error(spoilt(by["v"], 14, 1), kind), error(spoilt(by["v"], 3, 1), kind),
                 error(spoilt(by["g"], 3, 1), kind), error(spoilt(by["g"], -1, 1), kind),
                 error(by["g"], kind, keep=4)]
            router.send(*bad)
            for n, (code, keep) in enumerate(((kind, None), (kind, 8),
                                              ({4: (11, 0), 6: (3, 0)}[v], None)), 1):
                router.send(*[error(f, code, keep) for f in by.values()])
                names = [f"{k}{v}" for k in "egv"]
                ksft_true(busywait(lambda n=n, names=names: errors(t, *names) == [n] * 3),
                          f"IPv{v}: {code} with {keep or 'all'} quoted counts once, what was "
                          "before it does not", lambda: vtap_json("session show", t.host))
            last = icmp(t, f"e{v}")
            ksft_eq(last["kind"], "time-exceeded", f"IPv{v}: the last one is shown")
            ksft_eq(last["from"], FAR[v], f"IPv{v}: and from whom")


def forged():
    """What a VM sends to others than this host counts nowhere."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as seen, \
            Sniffer(t.col, "eth0", match=is_copy) as rx:
        silent(t)
        vtap(f"session add s type gre key 7 remote {SILENT[4]}", t.host)
        mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
        tx.send(t.udp())
        frame = error(rx.frames(1)[0], (3, 2))
        tx.send(lib_mac(t.MAC["b"]) + lib_mac(t.MAC["a"]) + frame[12:], t.udp())
        ksft_eq(len(seen.frames(3)), 3, "the error passed")
        ksft_eq(icmp(t, "s"), {}, "and did not count")


def vrf():
    """Of sessions with the same outer headers, an answer counts at the one whose VRF it came by."""
    if not modprobe("vrf"):
        ksft_skip("this kernel has none", "VRF")
        return
    with Topology() as t, contextlib.ExitStack() as stack:
        mac = "02:00:00:00:01"
        ip(f"link add up1 netns {t.host.name} address {mac}:01 type veth peer name eth1 netns "
           f"{t.col.name} address {mac}:09")
        t.col.ip("link set eth1 addrgenmode none\nlink set eth1 up")
        t.host.ip("link add red type vrf table 100", "link set red up",
                  "link set up1 addrgenmode none", "link set up1 master red", "link set up1 up",
                  "address add 192.0.2.1/24 dev up1", "address add 2001:db8:9::1/64 dev up1 nodad")
        silent(t)
        for v, remote in SILENT.items():
            t.host.ip(f"neigh add {remote} lladdr {mac}:19 dev up1 nud permanent")
            vtap_batch(t.host, f"session add out{v} type gre key 7 remote {remote}",
                       f"session add red{v} type gre key 7 remote {remote} dev red",
                       f"session add dev{v} type gre key 7 remote {remote} dev up1")
        busywait(lambda: all(s["state"] == "active" for s in vtap_json("session show", t.host)))
        tx = stack.enter_context(Sender(t.a, "eth0"))
        rx = stack.enter_context(Sniffer(t.col, "eth1", match=is_copy))
        router = stack.enter_context(Sender(t.col, "eth1"))
        for v in (4, 6):
            vtap("rule flush", t.host)
            mirror(t, "vnet0", [f"{n}{v}" for n in ("out", "red", "dev")],
                   "dir ingress ip_proto udp")
            tx.send(t.udp())
            router.send(error(rx.frames(2)[0], {4: (3, 3), 6: (1, 4)}[v]))
            ksft_true(busywait(lambda v=v: icmp(t, f"dev{v}")), f"IPv{v}: a session in the VRF")
            ksft_eq(errors(t, f"out{v}", f"red{v}", f"dev{v}"), [None, 1, 1],
                    f"IPv{v}: those of the VRF count, the one outside does not")


def as_line(x):
    """Return: a problem, which -j printed, as it is printed without."""
    name = x.get("name", x.get("id", x["tap"]))
    tap = f" (tap {x['tap']})" if x["tap"] not in ("main", name) else ""
    return f"{x['object']} {name}{tap}: {x['text']}" + (f"; {x['advice']}" if "advice" in x else "")


class Bed:
    """A Topology, and what vtap check says of it."""

    def __init__(self):
        self.stack, self.taps = contextlib.ExitStack(), []

    def __enter__(self):
        self.t = self.stack.enter_context(Topology())
        self.tx = self.stack.enter_context(Sender(self.t.a, "eth0"))
        self.rx = self.stack.enter_context(Sniffer(self.t.b, "eth0"))
        self.tmp = self.stack.enter_context(tempfile.TemporaryDirectory())
        silent(self.t)
        for ns in (self.t.col, self.t.host):
            ns.sysctl(net__ipv4__icmp_ratelimit=0)
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def tell(self, *lines):
        """Give the tool LINES in place of what there was, which takes no port away that stays:
        its counters go on."""
        old = [f"{kind} flush tap {tap}" for tap in self.taps for kind in ("rule", "session")]
        self.taps = {(re.search(r" tap (\S+)", line) or ["", "main"])[1] for line in lines}
        vtap_batch(self.t.host, *old, *lines)

    def shoot(self, n=3, **kw):
        """Send N frames from a to b."""
        self.tx.send(*[self.t.udp(**kw)] * n)
        self.rx.frames(n)

    def run(self, words="", options=""):
        """Return: CompletedProcess of `vtap OPTIONS check WORDS`."""
        return self.t.host.sh(f"{VTAP} {options} check {words}", check=False, cwd=self.tmp)

    def problems(self, words=""):
        """Return: (exit status, [problems])."""
        p = self.run(words, "-j")
        return p.returncode, [x for x in json.loads(p.stdout) if x["level"] == "problem"]

    def finds(self, name, cause, *says):
        """Report whether CAUSE is the only thing wrong, and its line SAYS all this."""
        code, found = self.problems()
        ksft_eq((code, [x["cause"] for x in found]), (1, [cause]), f"{name}: {cause}")
        text = "\n".join(map(as_line, found))
        ksft_true(all(s in text for s in says), f"{name}: its line says it", (text, says))

    def well(self, name):
        """Report whether nothing is wrong."""
        p = self.run()
        ksft_eq((p.returncode, p.stdout, p.stderr), (0, "", ""), f"{name}: all is well")


GRE = f"session add s type gre remote {SILENT[4]}"
ALL = "rule add pref 10 port vnet0 action mirror s"


def sessions():
    """Causes at sessions, and the healthy twin."""
    with Bed() as bed:
        host = bed.t.host
        bed.finds("nothing is configured", "empty", "tap main: ", "apply")
        bed.tell(GRE, ALL)
        bed.shoot()
        bed.well("a session and a rule")
        bed.tell(GRE)
        bed.finds("no rule", "unused", "session s: ", "action mirror s")
        host.ip("link add dum0 type dummy")
        for dev, says in (("up1", "nearest name is up0"), ("dum0", "dum0 is down")):
            bed.tell(f"{GRE} dev {dev}", ALL)
            bed.finds(f"dev {dev}", "no-device", "session s: ", says)
        bed.tell("session add s type gre remote 198.51.100.1", ALL)
        bed.finds("no route", "no-route", "198.51.100.1")
        bed.tell("session add s type gre remote 192.0.2.77", ALL)
        bed.finds("no neighbour", "resolving", "192.0.2.77")
        bed.tell(f"{GRE} mtu drop", ALL)
        bed.finds("mtu drop", "mtu", "up to 1538 bytes, path MTU 1500", "raise the MTU of up0")
        bed.tell(f"{GRE} mtu drop snaplen 1400", ALL)
        bed.well("mtu drop with a snaplen that fits")
        bed.tell(f"{GRE} mtu drop slice l4 +900", ALL)
        bed.well("mtu drop with slice")
        bed.tell(f"{GRE} mtu drop slice l4 +1000", ALL)
        bed.finds("mtu drop with slice that keeps much", "mtu", "up to 1536 bytes, path MTU 1500",
                  "raise the MTU of up0 to 1536")
        bed.tell(f"{GRE} pps 1", ALL)
        bed.shoot(20)
        bed.finds("rate", "drop_rate", " copies were above rate or pps")
        for name, remote, says in (
                ("a collector without receiver", bed.t.IP4["col"], "type gretap local 192.0.2.9"),
                ("a router that knows no way", "198.51.100.9", "192.0.2.9 says "),
                ("this host", bed.t.IP4["up0"], "remote is this host itself")):
            host.ip("route replace 198.51.100.0/24 via 192.0.2.9")
            bed.t.col.sysctl(net__ipv4__ip_forward=1)
            bed.tell(f"session add s type gre remote {remote}", ALL)
            # a router answers once in a second
            busywait(lambda: bed.shoot(1) or icmp(bed.t, "s"), step=0.2)
            bed.finds(name, "unreachable", says)
        bed.tell(GRE, "session add b tap sec type gre remote 192.0.2.77", ALL,
                 "rule add tap sec pref 1 port vnet0 action mirror b")
        ksft_eq([bed.problems(w)[0] for w in ("tap main", "tap sec", "tap none")],
                [0, 1, 1], "tap NAME: of this one alone")
        bed.tell("session add b tap sec type gre remote 192.0.2.77",
                 "rule add tap sec pref 1 port vnet9 action mirror b", GRE)
        code, found = bed.problems()
        ksft_eq((code, {x["cause"] for x in found}), (1, {"resolving", "unused", "no-port"}),
                "several problems")
        p = bed.run()
        ksft_eq((p.returncode, p.stdout.splitlines()), (1, list(map(as_line, found))),
                "without -j, a line for each, which names its tap")
        ksft_true("session b (tap sec): " in p.stdout, "unless it is main", p.stdout)


def loops_ahead():
    """Copies in a tunnel whose packets a rule copies; twins that exclude them."""
    if not modprobe("ipip"):
        ksft_skip("this kernel has none", "IPIP")
        return
    with Bed() as bed:
        bed.t.host.ip(f"link add tnl type ipip local {bed.t.IP4['up0']} remote {SILENT[4]}",
                      "link set tnl up", "route add 203.0.113.0/24 dev tnl")
        add = f"session add s type gre remote {FAR[4]}"
        bed.tell(add, "rule add pref 10 port up0 action mirror s")
        bed.finds("the device below the tunnel is tapped", "loop-ahead", "tnl leaves by up0")
        for words in ("port up0 ip_proto tcp", "port up0 dir ingress", "port vnet0"):
            bed.tell(add, f"rule add pref 10 {words} action mirror s")
            bed.well(words)
        bed.tell(add, "rule add pref 5 port up0 ip_proto ipip action skip",
                 "rule add pref 10 port up0 action mirror s")
        bed.well("a skip rule in front")


def copies_come_back():
    """Copies that come back by a port, and raw ones that are about to."""
    with Bed() as bed:
        host, raw = bed.t.host, "session add s type port dev vnet1"
        bed.tell(raw, "rule add pref 10 port vnet1 action mirror s")
        bed.finds("raw copies into a tapped device", "loop-ahead", "raw copies go to vnet1, ",
                  "exclude vnet1 from rule ")
        bed.tell(raw, "rule add pref 10 port vnet1 dir egress action mirror s")
        bed.well("raw copies into a device that is tapped at egress alone")
        modprobe("8021q", "sch_netem")
        host.ip("link add link up0 name up0.7 type vlan id 7", "link set up0.7 addrgenmode none",
                "link set up0.7 up")
        if host.sh("tc qdisc add dev up0.7 root netem delay 5ms", check=False).returncode:
            ksft_skip("this kernel has no netem", "loop")
            return
        bed.tell("session add s type port dev up0.7", ALL,
                 "rule add pref 20 port up0 action mirror s")
        bed.shoot(1)
        busywait(lambda: vtap_json("session show s", host)[0]["state"] == "loop")
        bed.finds("copies that came back", "loop", "session s: copies came back by port up0",
                  "by a skip rule")


def rules():
    """Causes at rules."""
    with Bed() as bed:
        host = bed.t.host
        for words, cause, says in (
                ("port 'vent*'", "no-port", "nearest name is vnet0"),
                ("port vnet9", "no-port", "there is no device vnet9"),
                ("master br1", "no-port", "nearest name is br0"),
                ("master vnet0", "no-port", "vnet0 has no ports"),
                ("port 'tap*' master br0", "no-port", "no port of br0 matches tap*"),
                ("port br0", "bridge", "say master br0")):
            bed.tell(GRE, f"rule add pref 10 {words} action mirror s")
            bed.finds(words, cause, "rule ", says)
        bed.tell(GRE, "rule add pref 10 master br0 action mirror s")
        bed.well("master br0")
        for port in ("vnet0,vnet1", "vnet["):
            vtap(["rule", "add", "pref", "20", "port", port, "action", "mirror", "s"], host,
                 ok=False)
            ksft_true(True, f"port {port} is refused")
        if modprobe("vrf"):
            host.ip("link add red type vrf table 100")
            bed.tell(GRE, "rule add pref 10 port red action mirror s")
            bed.finds("port red", "not-tappable", "a VRF device has no frames of its own")
        bed.tell(GRE, "rule add pref 10 port vnet0 vlan_id 7 action mirror s")
        bed.well("a rule before any frame")
        bed.shoot(3)
        bed.well("a rule that a few frames did not match")
        bed.shoot(997)
        for words in ("vlan_id 7", "dir ingress src_ip 10.0.0.2"):
            bed.tell(GRE, f"rule add pref 10 port vnet0 {words} action mirror s")
            bed.finds(words, "unmatched", " frames passed its ports, and no rule matched any")
        bed.tell()
        bed.tell(GRE, ALL)
        bed.well("no file here")
        with open(f"{bed.tmp}/vnet0", "w", encoding="ascii"):
            bed.finds("a pattern that the shell expanded", "unquoted", "quote the pattern")
        bed.tell(GRE, "rule add pref 10 port 'vnet*' action mirror s")
        bed.well("the pattern quoted, in the same place")


SHADOWS = [
    ("port vnet0", "port vnet0 ip_proto tcp", True),
    ("port 'vnet*' src_ip 10.0.0.0/8", "port vnet0 src_ip 10.1.0.0/16 ip_proto tcp", True),
    ("port vnet0 dst_port 1-99 ip_proto udp", "port vnet0 dst_port 53 ip_proto udp", True),
    ("port vnet0 tcp_flags 0x2/0x2", "port vnet0 tcp_flags 0x12/0x12", True),
    ("port vnet0 sample 10", "port vnet0 vlan_id 7", True),
    ("port vnet0 src_mac 02:00:00:00:00:00/ff:00:00:00:00:00",
     "port vnet0 src_mac 02:00:00:00:00:0a", True),
    ("port vnet0 filter 'udp'", "port vnet0 filter 'udp' vlan_id 3", True),
    ("port vnet0", "port 'vnet*'", False),
    ("port vnet0 dir ingress", "port vnet0", False),
    ("port vnet0 ip_proto tcp", "port vnet0", False),
    ("port vnet0 src_ip 10.1.0.0/16", "port vnet0 src_ip 10.0.0.0/8", False),
    ("port vnet0 src_ip 10.0.0.0/9", "port vnet0 src_ip 10.128.0.0/9", False),
    ("port vnet0 ip_proto udp dst_port 53-60", "port vnet0 ip_proto udp dst_port 50-55", False),
    ("port vnet0 tcp_flags 0x12/0x12", "port vnet0 tcp_flags 0x2/0x2", False),
    ("port vnet0 filter 'udp'", "port vnet0", False),
    ("port vnet0 mac 02:00:00:00:00:0a", "port vnet0", False),
    # a tunnel has its own port
    ("port vnet0 tunnel vxlan", "port vnet0 tunnel vxlan tunnel_key 7", True),
    ("port vnet0 tunnel vxlan", "port vnet0 tunnel vxlan dst_port 8472", False),
    # each alternative is taken
    ("port vnet0 ip_proto tcp,udp", "port vnet0 ip_proto udp", True),
    ("port vnet0 ip_proto tcp,udp", "port vnet0 dst_port 53 ip_proto udp,tcp", True),
    ("port vnet0 src_ip 10.0.0.0/8 or dst_ip 10.0.0.0/8",
     "port vnet0 dst_ip 10.1.0.0/16 or src_ip 10.2.0.0/16 vlan_id 7,8", True),
    ("port vnet0 dst_port 1-99", "port vnet0 dst_port 22,80", True),
    ("port vnet0", "port vnet0 dst_port 22,80 not vlan_id 7", True),
    ("port vnet0 dst_port 22,80", "port vnet0 dst_port 22,80,443", False),
    ("port vnet0 dst_port 22,80", "port vnet0 dst_port 443,80", False),
    ("port vnet0 dst_port 22,80 ip_proto udp", "port vnet0 dst_port 80", False),
    ("port vnet0 src_ip 10.0.0.1 or dst_ip 10.0.0.1", "port vnet0", False),
    ("port vnet0 dst_port 22,80", "port vnet0 dst_port 22-80", False),
    # exceptions that the later rule has as well
    ("port vnet0 not dst_port 22", "port vnet0 ip_proto tcp not dst_port 1-99", True),
    ("port vnet0 not dst_port 22,80", "port vnet0 not dst_port 80 not dst_port 22", True),
    ("port vnet0 except dst_port 22 ip_proto tcp", "port vnet0 not dst_port 22", True),
    ("port vnet0 not dst_port 22", "port vnet0 except dst_port 22 ip_proto tcp", False),
    ("port vnet0 not dst_port 22,80", "port vnet0 not dst_port 22", False),
    ("port vnet0 not dst_port 22", "port vnet0", False),
    ("port vnet0 not dst_port 22", "port vnet0 dst_port 22", False),
]


def shadows():
    """A rule is shadowed when an earlier one of its tap takes all its frames, and only then."""
    with Bed() as bed:
        for start in range(0, len(SHADOWS), 16):
            cases = SHADOWS[start:start + 16]
            bed.tell(*[line for i, (first, then, _) in enumerate(cases) for line in (
                f"{GRE} tap t{i}", f"rule add tap t{i} pref 1 {first} action "
                + ("mirror s" if "sample" in first else "skip"),
                f"rule add tap t{i} pref 2 {then} action mirror s")])
            found = {x["tap"] for x in bed.problems()[1] if x["cause"] == "shadowed"}
            for i, (first, then, want) in enumerate(cases):
                ksft_eq(f"t{i}" in found, want, f"{then}, after {first}")
        bed.tell(GRE, f"{GRE} tap sec", "rule add tap sec pref 1 port vnet0 action mirror s",
                 "rule add pref 2 port vnet0 action mirror s")
        bed.well("a rule of another tap takes nothing")


def output():
    """Notes tell how each object is and what to run at the collector, which works there."""
    kinds = {"g": "type gre", "k": "type gre key 7 seq on", "one": "type erspan1",
             "two": "type erspan2 id 5", "three": "type erspan3 id 6", "v": "type vxlan key 8"}
    modprobe("ip_gre", "ip6_gre", "vxlan")
    with Bed() as bed:
        for v in (4, 6):
            remote = (bed.t.IP4 if v == 4 else bed.t.IP6)["col"]
            bed.tell(*[f"session add {n} {words} remote {remote}" for n, words in kinds.items()],
                     f"rule add pref 10 port vnet0 action mirror {','.join(kinds)}")
            notes = json.loads(bed.run("", "-j").stdout)
            ksft_eq({x["level"] for x in notes}, {"note"}, f"IPv{v}: all is well, notes only")
            commands = {}
            for x in notes:
                # Linux has no ERSPAN I over IPv6
                if x["cause"] == "receive" and (v, x["name"]) != (6, "one"):
                    commands.setdefault(x["name"], x["text"].partition("collector: ")[2])
            ksft_eq(set(kinds) - set(commands), {"one"} if v == 6 else set(),
                    f"IPv{v}: a command for each type")
            p = bed.t.col.sh(["bash", "-c", "\n".join(
                f"(set -e; {c}\n) && echo {n}; ip link del vtap0" for n, c in commands.items())],
                check=False)
            for name, command in commands.items():
                ksft_true(name in p.stdout.split(), f"IPv{v}: {kinds[name]}: {command} works", p)
            text = bed.run("", "-d").stdout
            ksft_true(f"session g: active, by up0 to {remote}, path MTU 1500\n" in text
                      and "rule " in text and ": bound to vnet0\n" in text
                      and "long ones are fragmented" in text, f"IPv{v}: -d shows them", text)
    p = vtap("check frobnicate", ok=False)
    ksft_true(p.returncode == 2 and "frobnicate" in p.stderr, "an unknown word is refused", p)


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([answers, quotes, forged, vrf, sessions, loops_ahead, copies_come_back, rules, shadows,
              output])
    ksft_exit()
