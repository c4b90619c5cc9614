#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions per packet, in the VM that tools/bench/bench.sh boots under -icount: virtual nanoseconds are instructions.

Prints each row as it is measured; the last line of `bench.py count` is all of it as JSON, for tools/bench/plot.py. `bench.py
scale` counts copies per second instead, on one processor and on two.
"""
import contextlib
import fcntl
import functools
import json
import os
import platform
import random
import re
import resource
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VTAP = REPO + "/tools/vtap/vtap"
PG = "/proc/net/pktgen"
N = int(os.environ.get("N", "10000"))
REPEAT = max(3, int(os.environ.get("REPEAT", "5")))
SIZES = (64, 512, 1500)
DST = "02:00:00:00:00:02"
FLOW = "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),ipv4(frag=no)"
IP6 = ("2001:db8::1", "2001:db8::2")
rows = {}


def sh(cmd, text=None):
    """Run CMD, feed it TEXT. Return: its output."""
    p = subprocess.run(cmd.split() if isinstance(cmd, str) else cmd, input=text, text=True, capture_output=True, check=False)
    if p.returncode:
        raise RuntimeError(f"{cmd}: {p.stdout}{p.stderr}")
    return p.stdout


def ip(*lines):
    """Run `ip` commands in one process."""
    sh("ip -batch -", "\n".join(lines) + "\n")


def write(path, *lines):
    """Write each of LINES to PATH by itself."""
    for line in lines:
        with open(path, "w", encoding="ascii") as f:
            f.write(line + "\n")


def read(path):
    """Return: what is in PATH."""
    with open(path, encoding="ascii") as f:
        return f.read()


def sent(dev):
    """Return: packets that device DEV sent."""
    return int(read(f"/sys/class/net/{dev}/statistics/tx_packets"))


def vtap(*lines):
    """Run a batch of the tool."""
    sh([VTAP, "-b", "-"], "\n".join(lines) + "\n")


def vtap_json(words):
    """Return: what the tool prints as JSON."""
    return json.loads(sh([VTAP, "-j", "-s", *words.split()]) or "[]")


# --- sources ---

class Pktgen:
    """The kernel's packet generator, which gives frames to the stack as if DEV had received them."""

    def __init__(self, dev="p0", size=64, random_flow=False, out="p1", make=lambda: None):
        self.key = (dev, size, random_flow)
        self.out, self.make = out, make

    def prepare(self):
        """Set it up on the first processor."""
        write(PG + "/kpktgend_0", "rem_device_all")
        self.add(0)

    def add(self, cpu):
        """Set it up on CPU."""
        dev, size, random_flow = self.key
        write(f"{PG}/kpktgend_{cpu}", "add_device " + dev)
        flow = ["udp_src_min 1000", "udp_src_max 1000", "udp_dst_min 53", "udp_dst_max 53", "src_min 10.0.0.1",
                "src_max 10.0.0.1"]
        if random_flow:
            flow = ["flag UDPSRC_RND", "flag UDPDST_RND", "flag IPSRC_RND", "udp_src_min 1024", "udp_src_max 65535",
                    "udp_dst_min 1024", "udp_dst_max 65535", "src_min 10.0.0.1", "src_max 10.255.255.254"]
        write(f"{PG}/{dev}", "xmit_mode netif_receive", f"pkt_size {size}", "clone_skb 0", "delay 0", "dst_mac " + DST,
              "src_mac 02:00:00:00:00:01", "dst 10.0.0.2", *flow)

    def run(self, n):
        """Send N packets. Return: nanoseconds for each."""
        write(f"{PG}/{self.key[0]}", f"count {n}")
        write(PG + "/pgctrl", "start")
        return self.result() * 1000 / n

    def result(self):
        """Return: microseconds that the last run took, 0 while there is none."""
        done = re.search(r"OK: (\d+)", read(f"{PG}/{self.key[0]}"))
        return int(done.group(1)) if done else 0


class Tap:
    """A program, as a hypervisor is one, that writes 64 KB super-frames of 45 TCP segments into a tap device."""
    SEGMENTS, MSS = 45, 1448
    fd = -1

    def __init__(self, version=4):
        self.key, self.out = ("tap0", self.MSS, version), "p1"
        length = 32 + self.SEGMENTS * self.MSS
        l4 = struct.pack("!HHIIBBHHH", 1000, 80, 1, 1, 8 << 4, 0x10, 1024, 0, 0) + b"\1\1\10\12" + bytes(8)
        if version == 4:
            l3 = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0x4000, 64, 6, 0, bytes([10, 0, 0, 1]),
                             bytes([10, 0, 0, 2]))
            total = sum(struct.unpack("!10H", l3))
            total = (total & 0xffff) + (total >> 16)
            l3 = l3[:10] + struct.pack("!H", ~total & 0xffff) + l3[12:]
        else:
            l3 = struct.pack("!IHBB", 6 << 28, length, 6, 64) + b"".join(socket.inet_pton(socket.AF_INET6, a) for a in IP6)
        start = 14 + len(l3)
        vnet = struct.pack("BBHHHH", 1, 1 if version == 4 else 4, start + 32, self.MSS, start, 16)
        kind = b"\x08\x00" if version == 4 else b"\x86\xdd"
        self.frame = (vnet + bytes.fromhex("020000000002020000000001") + kind + l3 + l4 +
                      os.urandom(self.SEGMENTS * self.MSS))

    def prepare(self):
        """Nothing is left to do."""

    def make(self):
        """Nothing: the device was made with the topology."""

    @classmethod
    def create(cls):
        """Make the device; it lives as long as its file."""
        cls.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(cls.fd, 0x400454ca, struct.pack("16sH22x", b"tap0", 0x2 | 0x1000 | 0x4000))

    def run(self, n):
        """Write N frames. Return: nanoseconds for each."""
        fd, frame, put = self.fd, self.frame, os.write
        start = time.monotonic_ns()
        for _ in range(n):
            put(fd, frame)
        return (time.monotonic_ns() - start) / n


class Datagrams:
    """A program that sends 64 KB of UDP at a time, to be cut into 45 datagrams, out of a device that drops all."""
    SOL_UDP, UDP_SEGMENT = 17, 103

    def __init__(self):
        self.key, self.out = ("u0", Tap.MSS, 4), "u0"
        self.data = os.urandom(Tap.SEGMENTS * Tap.MSS)

    @staticmethod
    @functools.cache
    def make():
        """Make the device."""
        ip("link add u0 type dummy", "link set u0 up", "addr add 10.0.0.1/24 dev u0",
           "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev u0 nud permanent")

    def prepare(self):
        """Nothing is left to do."""

    def run(self, n):
        """Send N times. Return: nanoseconds for each."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(self.SOL_UDP, self.UDP_SEGMENT, Tap.MSS)
            s.bind(("10.0.0.1", 1000))
            s.connect(("10.0.0.2", 53))
            put, data = s.send, self.data
            start = time.monotonic_ns()
            for _ in range(n):
                put(data)
            return (time.monotonic_ns() - start) / n


class Row:
    """One line: a state of the system, what goes in, and how many copies must come out of each packet."""

    def __init__(self, table, label, column, source, setup, copies=0, n=N):
        self.table, self.label, self.column = table, label, column
        self.source, self.setup, self.copies, self.n = source, setup, copies, n
        self.name = f"{label}-{column}".replace(",", "").replace(" ", "-")
        if self.name in rows:
            raise KeyError(self.name)
        rows[self.name] = self

    def measure(self):
        """Return: nanoseconds per packet of each repetition; raises when packets or copies are missing."""
        self.source.make()
        with self.setup():
            self.source.prepare()
            before, first = self.counts(), min(self.n, 100)
            self.source.run(first)
            self.wait(before, first)
            got = [self.source.run(self.n) for _ in range(REPEAT)]
            self.wait(before, first + self.n * REPEAT)
        return got

    def wait(self, before, total):
        """Wait for the copies of TOTAL frames, which vtap may hold back; raises if the number is wrong."""
        wanted, deadline = [self.copies * total, total], time.monotonic() + 10
        while True:
            delta = [b - a for a, b in zip(before, self.counts())]
            if delta == wanted[:len(delta)]:
                return
            if delta[0] > wanted[0] or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: copies and frames that came out: {delta}, not {wanted}")
            time.sleep(0.1)

    def counts(self):
        """Return: copies, and frames, that left so far."""
        return [sent("eg")] + ([sent(self.source.out)] if self.source.out else [])


# --- states of the system ---

@contextlib.contextmanager
def nothing():
    """Untapped."""
    yield


def tapped(*lines, hook=None, before=(), after=()):
    """Return: a state with vtap told LINES, and hooked as HOOK says: (port, direction, name)."""
    @contextlib.contextmanager
    def setup():
        try:
            for command in before:
                sh(["sh", "-c", command])
            vtap(*lines)
            if hook:
                port = vtap_json("port show " + hook[0])[0]
                if port[hook[1] + "_hook"] != hook[2]:
                    raise RuntimeError(f"{port}: not hooked as {hook}")
            if any(s["state"] != "active" for s in vtap_json("session show")):
                raise RuntimeError(f"not active: {vtap_json('session show')}")
            yield
        finally:
            for tap in vtap_json("tap show"):
                vtap(f"rule flush tap {tap['name']}", f"session flush tap {tap['name']}")
            for command in after:
                sh(["sh", "-c", command])
    return setup


def alone(port, direction, hook):
    """Return: a state with a module whose hooks do nothing with the frame."""
    @contextlib.contextmanager
    def setup():
        try:
            sh("rmmod vtap")
            sh(["insmod", os.environ["HOLLOW"]])
            with tapped(session(), rule(port, 54, direction=direction), hook=(port, direction, hook))():
                yield
        finally:
            sh("rmmod vtap")
            sh(["insmod", os.environ["KO"]])
    return setup


def tc(*filters, dev="p0", before=(), after=()):
    """Return: a state with FILTERS at tc's ingress of DEV."""
    @contextlib.contextmanager
    def setup():
        sh(f"tc qdisc add dev {dev} clsact")
        try:
            for command in before:
                sh(["sh", "-c", command])
            sh("tc -batch -", "".join(f"filter add dev {dev} ingress {f}\n" for f in filters))
            yield
        finally:
            sh(f"tc qdisc del dev {dev} clsact")
            for command in after:
                sh(["sh", "-c", command])
    return setup


def flow(actions):
    """Return: a state in which Open vSwitch's flow does ACTIONS."""
    @contextlib.contextmanager
    def setup():
        sh(["ovs-dpctl", "mod-flow", "dp0", FLOW, actions])
        try:
            yield
        finally:
            sh(["ovs-dpctl", "mod-flow", "dp0", FLOW, "2"])
    return setup


def session(kind="erspan2", name="s", remote="192.0.2.9"):
    """Return: the command for a session of KIND with the words that go with it."""
    words = {"gre": "type gre", "gre key": "type gre key 7", "gre offload": "type gre offload on",
             "erspan1": "type erspan1", "erspan2": "type erspan2 id 100",
             "erspan3": "type erspan3 id 100", "erspan3 subheader": "type erspan3 id 100 subheader on",
             "vxlan": "type vxlan key 100", "port": "type port dev eg"}[kind]
    return f"session add {name} {words}" + ("" if kind == "port" else f" remote {remote}")


def rule(port="p0", dst_port=53, to="s", direction="ingress", proto="udp", ips=("10.0.0.1", "10.0.0.2")):
    """Return: the command for a rule on a 5-tuple, by default that of the source's packets."""
    return (f"rule add pref 10 port {port} dir {direction} src_ip {ips[0]} dst_ip {ips[1]} ip_proto {proto} src_port 1000 "
            f"dst_port {dst_port} action mirror {to}")


def taps(n, dst_port):
    """Return: the commands for N taps, each with a session and a rule on a 5-tuple of DST_PORT."""
    lines = [line for i in range(n) for line in (session(name=f"s tap t{i}"), rule(dst_port=dst_port))]
    return [line.replace("rule add", f"rule add tap t{i // 2}") for i, line in enumerate(lines)]


def many_sessions(n):
    """Return: the commands for N sessions, s among them, of two types and with a key or an id each."""
    return [session()] + [f"session add s{i} remote 192.0.2.9 " + (f"type vxlan key {i}" if i % 2 else f"type erspan2 id {i % 1024}")
                          for i in range(1, n)]


def five(n):
    """Return: the words of the Nth 5-tuple of 16 masks over the fields that are random in the packets."""
    rng = random.Random(n)
    length, dlength = (32, 28, 24, 20)[n & 3], 32 if n & 8 else 24
    src = rng.getrandbits(24) >> 32 - length << 32 - length
    words = [f"src_ip 10.{src >> 16}.{src >> 8 & 255}.{src & 255}/{length}",
             f"dst_ip 10.0.0.{2 if dlength == 32 else 0}/{dlength}", "ip_proto udp"]
    if n & 4:
        words.append(f"src_port {rng.randrange(1024, 65536)}")
    return " ".join(words + [f"dst_port {rng.randrange(1024, 65536)}"])


def rules(n):
    """Return: the commands for N rules, each with its own priority; none matches."""
    return [f"rule add pref {i + 1} port p0 dir ingress {five(i)} action mirror s" for i in range(n)]


def last(n):
    """Return: the commands for N rules, of which the last one matches all packets, and copies none."""
    return [*rules(n - 1), f"rule add pref {n} port p0 dir ingress ip_proto udp action skip"]


def one(n):
    """Return: the commands for N rules of 16 masks, of which each packet matches one, and each packet another."""
    parts = [(f"dst_ip 10.0.0.{2 * (i & 1)}/{24 + 8 * (i & 1)} ip_proto udp" + f" dst_mac {DST}" * (i >> 1 & 1) +
              " src_mac 02:00:00:00:00:01" * (i >> 2 & 1) + " ip_flags nofrag" * (i >> 3 & 1)) for i in range(16)]
    covered = [f"rule add pref {i + 1} port p0 dir ingress src_ip 10.{i >> 5}.{i << 3 & 255}.0/21 {parts[i * 7 & 15]} action skip"
               for i in range(8192)]
    return covered + [f"rule add pref {i + 1} port p0 dir ingress {five(i)} action skip" for i in range(8192, n)]


def ranges(n):
    """Return: the commands for N rules that differ in a range of ports only, which none of the packets has."""
    return [f"rule add pref {i + 1} port p0 dir ingress ip_proto udp src_port {i % 1000}-{i % 1000 + 1 + i // 1000} "
            "dst_port 1-52 action skip" for i in range(n)]


# --- rows ---

QUEUE = {"before": ["tc qdisc replace dev eg root fq_codel"], "after": ["tc qdisc replace dev eg root noqueue"]}


def modules():
    """Load what the rows need."""
    sh("modprobe -a dummy bridge pktgen ip_gre cls_flower cls_matchall act_mirred sch_ingress tun bonding team "
       "macvlan")


def bridge(name, *ports):
    """Make a bridge that knows where all frames go: to the last of PORTS."""
    ip(f"link add {name} type bridge mcast_snooping 0", f"link set {name} up")
    for port in ports:
        if not port.startswith("tap"):
            ip(f"link add {port} type dummy")
        ip(f"link set {port} master {name} up")


def collector():
    """A device that drops all, with the collector's address behind it, and tunnel devices for those who need them."""
    ip("link add eg mtu 9000 type dummy", "link set eg addrgenmode none")
    write("/proc/sys/net/ipv6/conf/eg/disable_ipv6", "0")
    ip("link set eg up", "addr add 192.0.2.1/24 dev eg", "addr add 2001:db8:9::1/64 dev eg nodad",
       "neigh add 192.0.2.9 lladdr 02:00:00:00:00:99 dev eg nud permanent",
       "neigh add 2001:db8:9::9 lladdr 02:00:00:00:00:99 dev eg nud permanent",
       "link add gt mtu 8900 type gretap local 192.0.2.1 remote 192.0.2.9", "link set gt up",
       "link add er mtu 8900 type erspan local 192.0.2.1 remote 192.0.2.9 seq key 100 erspan_ver 1 erspan 123",
       "link set er up")


def masters():
    """A port of each master that has an rx_handler of its own, b0, t0, m0; of Open vSwitch, see ovs()."""
    for port, name, kind in (("b0", "bond0", "bond mode active-backup"), ("t0", "team0", "team")):
        ip(f"link add {port} type dummy", f"link add {name} type {kind}", f"link set {port} master {name}",
           f"link set {port} up", f"link set {name} up")
    ip("link add m0 type dummy", "link set m0 up", f"link add mv0 link m0 address {DST} type macvlan mode bridge",
       "link set mv0 up")


@functools.cache
def ovs():
    """A datapath with the ports o0 and o1 and a tunnel, and the flow that ovs-vswitchd makes for a known address.

    Not there before the rows that need it: the module has all that the host sends tracked by conntrack, which
    adds 1,100 instructions to each packet of a tunnel device. vtap's copies do not pass there.
    """
    sh("modprobe openvswitch")
    ip("link add o0 type dummy", "link add o1 type dummy", "link set o0 up", "link set o1 up")
    sh("ovs-dpctl add-dp dp0")
    sh("ovs-dpctl add-if dp0 o0,port_no=1 o1,port_no=2 erspan_sys,type=erspan,remote_ip=flow,key=flow,port_no=3")
    sh(["ovs-dpctl", "add-flow", "dp0", FLOW, "2"])


def topology():
    """All devices of all rows."""
    modules()
    for name in ("default", "all"):
        write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    Tap.create()
    bridge("br0", "p0", "p1", "tap0")
    sh(f"bridge fdb add {DST} dev p1 master static")
    collector()
    masters()


def define_sizes():
    """Rows by frame size."""
    table = "frame size"
    for size in SIZES:
        source = Pktgen(size=size)
        Row(table, "untapped", size, source, nothing)
        Row(table, "miss", size, source, tapped(session(), rule(dst_port=54), hook=("p0", "ingress", "packet")))
        for kind in ("gre", "gre key", "erspan1", "erspan2", "erspan3", "erspan3 subheader", "vxlan", "port"):
            Row(table, kind, size, source, tapped(session(kind), rule()), 1)
        for words in ("slice l4", "mask l4"):
            Row(table, f"erspan2 {words}", size, source, tapped(f"{session()} {words}", rule()), 1)
        Row(table, "erspan2 fq_codel", size, source, tapped(session(), rule(), **QUEUE), 1)
        for kind in ("erspan2", "vxlan"):
            Row(table, kind + " IPv6", size, source, tapped(session(kind, remote="2001:db8:9::9"), rule()), 1)
        for n in (2, 4):
            Row(table, f"erspan2 x{n}", size, source,
                tapped(*[session(name=f"s{i}") for i in range(n)], rule(to=",".join(f"s{i}" for i in range(n)))), n)
        Row(table, "miss sessions 1000", size, source, tapped(*many_sessions(1000), rule(dst_port=54)))
        for n in (2, 4, 16):
            Row(table, f"miss taps {n}", size, source, tapped(*taps(n, 54)))
        for n in (2, 4):
            Row(table, f"erspan2 taps {n}", size, source, tapped(*taps(n, 53)), n)
        words = "protocol ip flower src_ip 10.0.0.1 dst_ip 10.0.0.2 ip_proto udp src_port 1000 dst_port "
        mirred = "action mirred egress mirror dev "
        Row(table, "tc flower miss", size, source, tc(words + "54 " + mirred + "er"))
        Row(table, "tc flower erspan", size, source, tc(words + "53 " + mirred + "er"), 1)
        Row(table, "tc matchall erspan", size, source, tc("matchall " + mirred + "er"), 1)
        Row(table, "tc matchall erspan, no qdisc", size, source,
            tc("matchall " + mirred + "er", before=["tc qdisc replace dev er root noqueue"],
               after=["tc qdisc replace dev er root fq_codel"]), 1)
        Row(table, "tc matchall gretap", size, source, tc("matchall " + mirred + "gt"), 1)
    Row(table, "erspan2 mtu 1500", 1500, Pktgen(size=1500),
        tapped(session(), rule(), before=["ip link set eg mtu 1500"], after=["ip link set eg mtu 9000"]), 2)


def define_rules():
    """Rows by number of rules; of one flow, and each packet of another."""
    table, flows = "rules", Pktgen(random_flow=True)
    Row(table, "untapped", "hit", Pktgen(), nothing)
    Row(table, "untapped", "random", flows, nothing)
    for n in (1, 16, 100, 1000, 10000):
        Row(table, f"rules {n}", "hit", Pktgen(), tapped(session(), *rules(n)))
        Row(table, f"rules {n}", "random", flows, tapped(session(), *rules(n)))
    for label, make, numbers in (("skip last", last, (1, 16, 100, 1000, 10000)), ("skip one", one, (10000,)),
                                 ("ranges", ranges, (16, 100, 1000))):
        for n in numbers:
            Row(table, f"{label} {n}", "hit", Pktgen(), tapped(session(), *make(n)))
            Row(table, f"{label} {n}", "random", flows, tapped(session(), *make(n)))
    for n in (1, 16, 100, 1000):
        Row(table, f"tc flower {n}", "hit", Pktgen(), tc(*[
            f"pref {i + 1} protocol ip flower {five(i)} action mirred egress mirror dev er" for i in range(n)]),
            n=min(N, 200000 // n))


def define_hooks():
    """Rows by hook."""
    table = "hooks"
    chain_off = {"before": ["echo 0 > /sys/module/vtap/parameters/rx_chain"],
                 "after": ["echo 1 > /sys/module/vtap/parameters/rx_chain"]}
    plain = {"ingress": "packet", "egress": "netfilter"}
    for label, port in (("ingress", "p0"), ("egress", "p1")):
        Row(table, label, f"{plain[label]} alone", Pktgen(), alone(port, label, plain[label]))
    Row(table, "ingress", "packet miss", Pktgen(), tapped(session(), rule(dst_port=54)))
    Row(table, "ingress", "packet erspan2", Pktgen(), tapped(session(), rule()), 1)
    for label, port, direction in (("egress", "p1", "egress"), ("other direction", "p0", "egress"),
                                   ("other port", "tap0", "ingress"), ("other port egress", "tap0", "egress")):
        Row(table, label, f"{plain[direction]} miss", Pktgen(),
            tapped(session(), rule(port, 54, direction=direction), hook=(port, direction, plain[direction])))
    Row(table, "egress", "netfilter erspan2", Pktgen(), tapped(session(), rule("p1", direction="egress")), 1)
    for label, source in (("bond", Pktgen("b0", out=None)), ("team", Pktgen("t0", out=None)),
                          ("macvlan", Pktgen("m0", out=None)), ("ovs", Pktgen("o0", out="o1", make=ovs))):
        port = source.key[0]
        Row(table, label, "untapped", source, nothing)
        Row(table, label, "chain alone", source, alone(port, "ingress", "chain"))
        for hook, more in (("chain", {}), ("packet", chain_off)):
            Row(table, label, hook + " miss", source,
                tapped(session(), rule(port, 54), hook=(port, "ingress", hook), **more))
            Row(table, label, hook + " erspan2", source,
                tapped(session(), rule(port), hook=(port, "ingress", hook), **more), 1)
    tunnel = "set(tunnel(tun_id=0x64,dst=192.0.2.9,ttl=64,erspan(ver=1,idx=0x7b),flags(df|key))),3,2"
    Row(table, "ovs", "mirror to erspan", source, flow(tunnel), 1)
    Row(table, "other port", "chain miss", Pktgen(make=ovs),
        tapped(session(), rule("o0", 54), hook=("o0", "ingress", "chain")))


def define_super():
    """Rows of 64 KB frames."""
    table, source, n = "super-frames", Tap(), 200
    Row(table, "super", "untapped", source, nothing, n=n)
    for kind in ("gre", "erspan2", "vxlan"):
        Row(table, "super", kind, source, tapped(session(kind), rule("tap0", 80, proto="tcp")), Tap.SEGMENTS, n)
    Row(table, "super", "gre offload", source, tapped(session("gre offload"), rule("tap0", 80, proto="tcp")), 1, n)
    Row(table, "super", "erspan2 fq_codel", source, tapped(session(), rule("tap0", 80, proto="tcp"), **QUEUE), Tap.SEGMENTS, n)
    six, udp = Tap(6), Datagrams()
    Row(table, "super", "untapped, IPv6", six, nothing, n=n)
    Row(table, "super", "erspan2, IPv6", six, tapped(session(), rule("tap0", 80, proto="tcp", ips=IP6)), Tap.SEGMENTS, n)
    Row(table, "super", "untapped, UDP", udp, nothing, n=n)
    Row(table, "super", "erspan2, UDP", udp, tapped(session(), rule("u0", direction="egress")), Tap.SEGMENTS, n)
    Row(table, "super", "tc matchall erspan", source, tc("matchall action mirred egress mirror dev er", dev="tap0"),
        Tap.SEGMENTS, n)
    Row(table, "super", "tc matchall gretap kept whole", source, tc("matchall action mirred egress mirror dev gt", dev="tap0"),
        1, n)
    offload = "ethtool -K eg tso {0} gso {0} tx {0}"
    Row(table, "super", "tc matchall gretap", source,
        tc("matchall action mirred egress mirror dev gt", dev="tap0", before=[offload.format("off")],
           after=[offload.format("on")]), Tap.SEGMENTS, n)


def define():
    """Name all rows."""
    define_sizes()
    define_rules()
    define_super()
    define_hooks()
    Row("again", "untapped again", 64, Pktgen(), nothing)


# --- loading and memory ---

def memory():
    """Return: bytes that the kernel has in use, by kind."""
    got = dict(re.findall(r"^(\w+): +(\d+) kB", read("/proc/meminfo"), re.M))
    return {k: int(got[k]) * 1024 for k in ("SUnreclaim", "VmallocUsed", "Percpu")}


def timed(words):
    """Run the tool. Return: instructions of it, and of the kernel for it.

    Not the time until it is done: while the host is slow to answer an idle guest, virtual time passes.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sh([VTAP, *words])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return [round((getattr(after, f) - getattr(before, f)) * 1e9) for f in ("ru_utime", "ru_stime")]


def load(n=10000):
    """Return: what loading N rules takes."""
    result = {"rules": n, "cpus": os.cpu_count(), "module": int(read("/sys/module/vtap/coresize"))}
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("\n".join([session(), *rules(n)]) + "\n")
        f.flush()
        for name, words in (("batch", ["-b", f.name]), ("apply", ["apply", f.name]), ("apply again", ["apply", f.name])):
            if name == "apply":
                vtap("rule flush", "session flush")
            time.sleep(1)
            before = memory()
            tool, kernel = timed(words)
            time.sleep(1)
            after = memory()
            if len(vtap_json("rule show")) != n:
                raise RuntimeError(f"{name}: {len(vtap_json('rule show'))} rules, not {n}")
            result[name] = {"tool": tool, "kernel": kernel, "memory": {k: after[k] - before[k] for k in before}}
            print(f"{name}: {tool / n:.0f} + {kernel / n:.0f} instructions a rule in tool and kernel, "
                  f"{result[name]['memory']}", flush=True)
    vtap("rule flush", "session flush")
    return result


def ports():
    """Return: the names of the ports."""
    return [p["name"] for p in vtap_json("port show")]


def host(n_ports=300, n_rules=10000, n=100):
    """Return: what a new device takes among many ports, without rules and with many.

    In virtual nanoseconds: instructions, and waits, all in one process, since each start of one waits for the host.
    """
    def devices(n):
        start = time.monotonic_ns()
        ip(*(f"link add h{len(found) + i} type dummy" for i in range(n)))
        found.extend([None] * n)
        return round((time.monotonic_ns() - start) / n)

    found, result = [], {"ports": n_ports, "rules": n_rules}
    devices(n_ports)
    result["no rules"] = devices(n)
    vtap(*(f"rule add pref {i + 10} port h{i % n_ports if i % 100 else '*'} ip_proto udp dst_port {i + 1} action skip"
           for i in range(n_rules)))
    result["device"] = devices(n)
    if len(ports()) != len(found):
        raise RuntimeError(f"{len(ports())} ports, not {len(found)}")
    vtap("rule flush")
    ip(*(f"link del h{i}" for i in range(len(found))))
    print(f"a new device among {n_ports} ports takes {result['no rules'] / 1e6:.2f} million instructions without rules, "
          f"{result['device'] / 1e6:.2f} with {n_rules}", flush=True)
    return result


# --- main ---

def baseline(row):
    """Return: the untapped row to compare ROW with."""
    return next(r for r in rows.values() if r.setup is nothing and r.source.key == row.source.key)


def measure(row, results):
    """Measure ROW, unless it is in RESULTS already, and put it there."""
    if row.name in results:
        return
    try:
        got = row.measure()
    except (RuntimeError, AttributeError, KeyError) as e:
        print(f"{row.name:36} FAILED: {e}", flush=True)
        results[row.name] = {"error": str(e)}
        return
    # the best and the worst do not count
    value, spread = statistics.median(got), round(max(sorted(got)[1:-1]) - min(sorted(got)[1:-1]), 1)
    base = results.get(baseline(row).name, {}).get("instructions", value)
    results[row.name] = {"table": row.table, "label": row.label, "column": str(row.column), "instructions": round(value, 1),
                         "added": round(value - base, 1), "spread": spread, "packets": row.n,
                         "copies": row.copies}
    print(f"{row.name:36} {value:12.1f} {value - base:+12.1f}   spread {spread}", flush=True)


def count(wanted):
    """Measure the rows WANTED (all when empty). Return: the exit status."""
    define()
    unknown = set(wanted) - set(rows) - {"load", "host"}
    if unknown:
        print("no row", *unknown, "- there are: load host", *rows, file=sys.stderr)
        return 2
    topology()
    results, out = {}, {"kernel": platform.release(), "repeat": REPEAT}
    if not wanted or "load" in wanted:
        out["load"] = load()
    if not wanted or "host" in wanted:
        out["host"] = host()
    for row in [r for r in rows.values() if r.name in wanted or not wanted]:
        measure(baseline(row), results)
        measure(row, results)
    print(json.dumps({**out, "rows": results}))
    return int(any("error" in r for r in results.values()))


def scale():
    """Print packets per second through one processor and through two, each with a port of its own. Return: exit status."""
    modules()
    write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    collector()
    for i in (0, 1):
        bridge(f"br{i}", f"p{i}", f"q{i}")
        sh(f"bridge fdb add {DST} dev q{i} master static")
    sources = [Pktgen(f"p{i}", out=f"q{i}") for i in (0, 1)]
    kinds = {"untapped": None, "miss": ("erspan2", 54), "erspan2": ("erspan2", 53), "gre": ("gre", 53)}
    results = {}
    for name, what in kinds.items():
        lines = [session(what[0]), rule("p*", what[1])] if what else []
        with tapped(*lines)() if lines else nothing():
            # the best of several, in turns: whatever else the host does can only take from it
            both = [[together(sources[:n]) for n in (1, 2)] for _ in range(REPEAT)]
            results[name] = [max(pair[n] for pair in both) for n in (0, 1)]
        one, two = results[name]
        print(f"{name:12} {one:10.0f} {two:10.0f} packets/s on 1 and 2 processors: {two / one:.2f}", flush=True)
    print(json.dumps({"kernel": platform.release(), "scale": results}))
    return 0


def together(sources):
    """Run SOURCES at the same time. Return: packets per second of all."""
    for cpu in range(os.cpu_count()):
        write(f"{PG}/kpktgend_{cpu}", "rem_device_all")
    for cpu, source in enumerate(sources):
        source.add(cpu)
        write(f"{PG}/{source.key[0]}", f"count {N}")
    write(PG + "/pgctrl", "start")
    # with its threads slow to start, pktgen believes that they are done
    while not all(s.result() for s in sources):
        time.sleep(0.1)
    return sum(N * 1e6 / s.result() for s in sources)


if __name__ == "__main__":
    sys.exit(scale() if sys.argv[1:2] == ["scale"] else count(sys.argv[2:]))
