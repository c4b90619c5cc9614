#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""vtap trace: what the kernel says of a frame is what it does with it, and asking changes
nothing."""
import contextlib
import json
import os
import signal
import struct
import tempfile
import threading

from lib import (VTAP, NetNS, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, modprobe, tcp_frame, udp_frame, vtap, vtap_batch, vtap_json)
from lib.layers import frame, gre, icmp, udp, v4, v6, vxlan

ENDS = Topology.MAC["b"], Topology.MAC["a"], "10.9.0.1", "10.9.0.2"
SESSIONS = [f"session add {words} type gre remote 192.0.2.9 key {key}"
            for key, words in enumerate(("ids", "dlp", "ids tap sec"), 1)]


@contextlib.contextmanager
def bed(*lines):
    """A Topology that is told LINES."""
    with Topology() as t:
        vtap_batch(t.host, *SESSIONS, *lines)
        yield t


@contextlib.contextmanager
def pcap(*frames):
    """The name of a capture of FRAMES."""
    with tempfile.NamedTemporaryFile(suffix=".pcap", dir="/run") as f:
        f.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            f.write(struct.pack("=IIII", 0, 0, len(data), len(data)) + data)
        f.flush()
        yield f.name


def asked(t, port, words):
    """Return: for each frame, None for a copy, or {tap: (rule, sessions)} of the rules that
    decide."""
    answers = json.loads(vtap(f"-j trace {port} {words}", t.host).stdout)
    return [None if a["own"] else
            {v["tap"]: (v["rule"], v["session"]) for v in a["verdicts"] if "rule" in v}
            for a in answers]


def counted(t):
    """Return: {rule: packets}, {(tap, session): frames}."""
    return ({r["id"]: r["packets"] for r in vtap_json("-s rule", t.host)},
            {(s["tap"], s["name"]): s["stats"]["matched"]
             for s in vtap_json("-s session", t.host)})


def done(before, after):
    """Return: what rules counted a frame, and what sessions got it, between two counted()."""
    return tuple(sorted(k for k in now if now[k] != was[k]) for was, now in zip(before, after))


FRAMES = {
    "UDP": udp_frame(*ENDS, payload=bytes(40)),
    "UDP, another port": udp_frame(*ENDS, dport=53, payload=bytes(40)),
    "TCP": tcp_frame(*ENDS, payload=bytes(40)),
    "TCP, in a VLAN": tcp_frame(*ENDS, payload=bytes(40), vlan=7),
    "UDP, in a VLAN": udp_frame(*ENDS, payload=bytes(40), vlan=8),
    "tenant's UDP in VXLAN": frame(v4(17, udp(4789, vxlan(udp_frame(*ENDS, payload=bytes(40))))),
                                   *ENDS[:2]),
    "ICMP": frame(v4(1, icmp(8) + bytes(40)), *ENDS[:2]),
    "IPv6": frame(v6(17, udp(9, bytes(40))), *ENDS[:2]),
}
RULES = [
    "rule add pref 1 port vnet0 dst_port 53 action skip",
    "rule add pref 2 port vnet0 dir ingress vlan_id 7 action mirror ids,dlp",
    "rule add pref 3 port vnet* tunnel vxlan inner ip_proto udp action mirror dlp",
    "rule add pref 4 port vnet0 filter 'tcp or icmp' action mirror ids",
    "rule add pref 5 port vnet0 sample flow 1000 ip_proto udp action mirror ids",
    "rule add tap sec pref 1 port vnet0 ip_proto udp action mirror ids",
    "rule add tap sec pref 2 master br0 protocol ipv6 action mirror ids",
    "rule add tap sec pref 3 port vnet1 dir egress ip_proto tcp action skip",
]


def agrees():
    """The rules and sessions that are named are those that count the frame when it comes."""
    with bed(*RULES) as t, Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as rx, \
            pcap(*FRAMES.values()) as file:
        before = counted(t)
        said = {port: asked(t, port, f"dir {d} pcap {file}")
                for port, d in (("vnet0", "ingress"), ("vnet1", "egress"))}
        ksft_eq(done(before, counted(t)), ([], []), "asking counts nothing")
        for i, (name, data) in enumerate(FRAMES.items()):
            before = counted(t)
            tx.send(data)
            ksft_eq(len(rx.frames(1)), 1, f"{name}: arrives")
            answers = [said[port][i] for port in said]
            rules = sorted({rule for a in answers for rule, _ in a.values()})
            sessions = sorted({(tap, s) for a in answers for tap, (_, names) in a.items()
                               for s in names})
            ksft_eq((rules, sessions), done(before, counted(t)), f"{name}: what is said happens")
        ksft_eq(asked(t, "vnet1", f"dir ingress pcap {file}")[2], {},
                "a rule for the other direction is not named")


# words, and words of which a rule with the former matches nothing
WORDS = [
    ("src_ip 10.1.2.3", "src_ip 10.1.2.4"),
    ("src_ip 10.1.0.0/16 dst_ip 10.2.0.0/16", "dst_ip 10.2.0.0"),
    ("src_mac 02:00:00:00:12:34", "src_mac 02:00:00:00:12:35"),
    ("dst_mac 01:00:5e:00:00:00/ff:ff:ff:00:00:00", "src_mac 01:00:5e:00:00:00"),
    ("protocol arp", "protocol ip"),
    ("vlan_id 5 vlan_prio 3", "vlan_id 5 vlan_prio 4"),
    ("dst_ip 2001:db8:7::/48", "dst_ip 2001:db8:8::1"),
    ("ip_proto tcp dst_port 443", "ip_proto udp dst_port 443"),
    ("src_port 1000-2000", "src_port 999"),
    ("ip_proto sctp dst_port 9", "ip_proto sctp dst_port 8"),
    ("tcp_flags 0x2/0x12", "tcp_flags 0x12"),
    ("ip_proto icmp icmp_type 3 icmp_code 1", "ip_proto icmp icmp_type 3 icmp_code 2"),
    ("ip_proto icmpv6 icmp_type 135", "ip_proto icmp icmp_type 135"),
    ("ip_flags frag,firstfrag", "ip_flags frag,nofirstfrag"),
    ("src_ip 2001:db8::5 ip_flags frag", "src_ip 2001:db8::5"),
    ("ip_proto 200", "ip_proto 201"),
]


def words():
    """A frame made of the words of a rule is one that the rule matches, one of others is none."""
    with bed() as t:
        for good, bad in WORDS:
            vtap("rule flush", t.host)
            vtap(f"rule add pref 1 port vnet0 {good} action mirror ids", t.host)
            number = vtap_json("rule", t.host)[0]["id"]
            ksft_eq(asked(t, "vnet0", good), [{"main": (number, ["ids"])}], good)
            ksft_eq(asked(t, "vnet0", bad), [{}], f"{good}: not {bad}")


def said():
    """What people read."""
    with bed("rule add pref 1 port vnet0 dst_port 53 action skip",
             "rule add pref 2 port vnet0 dst_port 80 action mirror ids,dlp",
             "rule add pref 3 port vnet0 dst_port 81 sample 10 action mirror ids",
             "rule add pref 4 port vnet0 dst_port 82 sample flow 1000000 action mirror ids",
             "rule add tap sec pref 1 port vnet0 ip_proto tcp action mirror ids") as t:
        ids = [r["id"] for r in vtap_json("rule", t.host)]
        for port, text in ((53, f"rule {ids[0]} skips it"),
                           (80, f"rule {ids[1]} copies it to ids, dlp"),
                           (81, f"rule {ids[2]} copies one in 10 such frames to ids"),
                           (82, f"rule {ids[3]} does not copy this flow: it samples flows"),
                           (83, "no rule matches")):
            ksft_eq(vtap(f"trace vnet0 ip_proto tcp dst_port {port}", t.host).stdout,
                    f"60 bytes\n    tap main: {text}\n"
                    f"    tap sec: rule {ids[4]} copies it to ids\n", f"port {port}")
        vtap("rule add pref 9 port up0 action mirror ids", t.host)
        copy = frame(v4(47, gre(FRAMES["UDP"], key=1), t.IP4["up0"], t.IP4["col"]))
        other = frame(v4(47, gre(FRAMES["UDP"], key=9), t.IP4["up0"], t.IP4["col"]))
        with pcap(copy, other) as file:
            text = vtap(f"trace up0 dir egress pcap {file}", t.host).stdout.splitlines()
            ksft_eq(text[0], f"frame 1, {len(copy)} bytes: a copy that vtap made, or an error "
                    "about one, which is not copied", "a copy")
            ksft_eq(text[2].split(" copies")[1], " it to ids", "what only looks like one")
        with tempfile.NamedTemporaryFile("w", suffix=".hex", dir="/run") as f:
            dump = tcp_frame(*ENDS, payload=bytes(40)).hex(" ", 4)
            f.write(dump.replace(" ", "\n", 3))
            f.flush()
            ksft_eq(vtap(f"trace vnet0 hex {f.name}", t.host).stdout.splitlines()[1],
                    f"    tap main: rule {ids[1]} copies it to ids, dlp", "a hex dump")


def bare():
    """A device without Ethernet headers: the packet counts."""
    with bed() as t:
        t.host.ip("tuntap add tun0 mode tun", "link set tun0 up")
        vtap("rule add pref 1 port tun0 dst_ip 10.3.0.0/16 action mirror ids", t.host)
        number = vtap_json("rule", t.host)[0]["id"]
        ksft_eq([asked(t, "tun0", f"dst_ip {ip}") for ip in ("10.3.0.1", "10.4.0.1")],
                [[{"main": (number, ["ids"])}], [{}]], "an IPv4 packet")


INSTANCES = "/sys/kernel/tracing/instances/"


@contextlib.contextmanager
def live(ns, words):
    """Lines of `trace -live WORDS` until the end of the block, and where tracefs has its events."""
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(tempfile.TemporaryFile("w+", dir="/run"))
        p = ns.popen([VTAP, "trace", "-live", *words.split()], stdout=out)
        stack.callback(p.wait)
        stack.callback(p.send_signal, signal.SIGTERM)
        own = f"{INSTANCES}vtap-trace-{p.pid}"
        if not busywait(lambda: enabled(own)):
            raise RuntimeError("the trace point is not enabled")

        def lines():
            out.seek(0)
            return [line.split(" ", 1)[1] for line in out.read().splitlines()]
        yield lines, own, p


def enabled(instance):
    """Return: whether an instance of tracefs has the trace point's events."""
    with contextlib.suppress(FileNotFoundError), \
            open(f"{instance}/events/vtap/decide/enable", encoding="ascii") as f:
        return f.read() == "1\n"
    return False


def decisions():
    """Decisions are told as they are made, those of the port and its namespace alone."""
    def line(port, way, tap, rule, what, dst, dport):
        return (f"{port} {way} tap={tap} rule={rule} {what} len=82 protocol=0x0800 ip_proto=17 "
                f"{ENDS[2]}:40000 > {dst}:{dport}")

    with bed("rule add pref 1 port vnet0 dst_port 53 action skip",
             "rule add pref 2 port vnet* dst_port 80 action mirror ids",
             "rule add tap sec pref 1 port vnet0 ip_proto udp action mirror ids") as t, \
            NetNS("elsewhere") as other:
        skip, mirror, sec = (r["id"] for r in vtap_json("rule", t.host))
        frames = [udp_frame(*ENDS, sport=40000, dport=p, payload=bytes(40)) for p in (53, 80, 81)]
        want = [text for p, rule, what in ((53, skip, "skip"), (80, mirror, "mirror"),
                                           (81, 0, "unmatched"))
                for text in (line("vnet0", "ingress", "main", rule, what, ENDS[3], p),
                             line("vnet0", "ingress", "sec", sec, "mirror", ENDS[3], p))]
        with live(t.host, "vnet0") as (lines, own, p), Sender(t.a, "eth0") as tx, \
                live(t.host, "vnet0 dir egress") as (egress, _, _):
            tx.send(*frames)
            ksft_true(busywait(lambda: len(lines()) >= len(want)), "decisions come")
            ksft_eq(lines(), want, "in their order, by tap")
            ksft_eq(egress(), [], "none of the other direction")
        ksft_true(not os.path.exists(own) and p.returncode == 0,
                  "a signal ends it, and nothing is left in tracefs", p.returncode)
        with live(t.host, "vnet1 dir egress") as (lines, _, _), Sender(t.a, "eth0") as tx:
            tx.send(*frames)
            want = [line("vnet1", "egress", "main", rule, what, ENDS[3], p)
                    for p, rule, what in ((53, 0, "unmatched"), (80, mirror, "mirror"),
                                          (81, 0, "unmatched"))]
            ksft_true(busywait(lambda: len(lines()) >= len(want)), "egress: decisions come")
            ksft_eq(lines(), want, "egress: those of this port alone")
        other.ip("link add vnet0 type dummy", "link set vnet0 up")
        vtap("session add ids type port dev vnet0", other)
        vtap("rule add pref 1 port vnet0 action skip", other)
        with live(t.host, "vnet0") as (lines, own, p), Sender(t.a, "eth0") as tx:
            with Sender(other, "vnet0") as elsewhere:
                elsewhere.send(frames[0])
            tx.send(frames[1])
            busywait(lambda: len(lines()) >= 2)
            ksft_true(all(f":{80}" in text for text in lines()), "no other namespace's", lines())
            p.kill()
            p.wait()
            ksft_true(os.path.exists(own), "killed, it leaves its instance")
            with live(t.host, "vnet0"):
                ksft_true(not os.path.exists(own), "which the next one removes")


def comes_and_goes():
    """Taps come and go while frames pass and their decisions are told."""
    stop = threading.Event()

    def send(tx):
        while not stop.is_set():
            tx.send(udp_frame(*ENDS, sport=40000, dport=80, payload=bytes(40)))

    with bed() as t, Sender(t.a, "eth0") as tx, live(t.host, "vnet0") as (lines, _, _):
        sender = threading.Thread(target=send, args=(tx,))
        sender.start()
        try:
            for n in range(15):
                vtap(f"rule add tap t{n} pref 1 port vnet0 dst_port 80 action skip", t.host)
                busywait(lambda: any(f"tap=t{n} " in text for text in lines()))
                vtap(f"rule flush tap t{n}", t.host)
        finally:
            stop.set()
            sender.join()
        ksft_eq({text.split()[2] for text in lines()}, {f"tap=t{n}" for n in range(15)},
                "each is told, and no other name")


def own_copies():
    """A copy that comes back is said to be vtap's own."""
    with bed("rule add pref 1 port up0 dir ingress action mirror ids") as t, \
            live(t.host, "up0 dir ingress") as (lines, _, _), Sender(t.col, "eth0") as tx:
        tx.send(frame(v4(47, gre(FRAMES["UDP"], key=1), t.IP4["up0"], t.IP4["col"])),
                udp_frame(*ENDS, payload=bytes(40)))
        busywait(lambda: len(lines()) >= 2)
        ksft_eq([text.split()[4] for text in lines()[:2]], ["own", "mirror"],
                "own, and another frame")


def refused():
    """What cannot be asked is said, and nothing is printed besides."""
    with bed("rule add pref 1 port vnet0 dir ingress action mirror ids") as t, \
            tempfile.TemporaryDirectory(dir="/run") as d:
        for name, data in (("odd", "0"), ("letters", "0g"), ("short", "00" * 14),
                           ("long", "00" * 16385)):
            with open(os.path.join(d, name), "w", encoding="ascii") as f:
                f.write(data)
        for line, text in (
                ("", "trace: a port is required"),
                ("vnet0 dir both", "trace: \"dir\" is ingress or egress"),
                ("vnet0 dir", "trace: \"dir\" is ingress or egress"),
                ("vnet0 hex", "trace: \"hex\" takes the name of one file"),
                ("-live", "trace: a port is required"),
                ("-live vnet0 dir both", "trace: \"dir\" is ingress or egress"),
                ("-live vnet0 src_port 1", "unexpected \"src_port\" after \"trace -live\""),
                ("-live vnet0", "trace -live prints lines, not JSON"),
                ("vnet0 pref 3", "trace: only match words make a frame"),
                ("vnet0 tunnel vxlan", "trace: give a frame with a tunnel"),
                (f"vnet0 hex {d}/odd", f"{d}/odd: half a byte at the end"),
                (f"vnet0 hex {d}/letters", f"{d}/letters: \"g\" is not a hexadecimal digit"),
                (f"vnet0 hex {d}/long", f"{d}/long: more than 16384 bytes"),
                (f"vnet0 hex {d}/short", "the frame is no longer than an Ethernet header"),
                (f"vnet0 hex {d}/none", f"{d}/none: No such file or directory"),
                (f"vnet0 pcap {d}/odd", "truncated"),
                ("nosuch src_port 1", "there is no such device"),
                ("vnet1 src_port 1", "no rule binds to this device; port show says why"),
                ("vnet0 dir egress src_port 1", "no rule for this direction binds to this device"),
        ):
            p = vtap(f"-j trace {line}", t.host, ok=False)
            errors = [json.loads(error)["error"] for error in p.stderr.splitlines()]
            ksft_eq(([text in error for error in errors], p.stdout), ([True], ""),
                    f"trace {line}: {errors}")
        ksft_eq(vtap("trace -live nosuch", t.host, ok=False).stderr.strip(),
                "vtap: trace -live: nosuch: No such device", "trace -live: no such device")


if __name__ == "__main__":
    modprobe("veth", "bridge", "tun")
    ksft_run([agrees, words, said, bare, decisions, comes_and_goes, own_copies, refused])
    ksft_exit()
