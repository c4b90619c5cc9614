#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Frame fuzzer: malformed frames, made here or of captures, through both hooks, with rules that
match deep and sessions of every type.

fuzz_frames.py [FRAMES [SEED]]: a seed repeats a run; without one it is new, and printed. Each batch
of frames is sent twice, without rules and with them: what arrives has to be the same, and what
leaves for the collector well-formed.
"""
import collections
import contextlib
import fcntl
import os
import random
import socket
import struct
import sys
import time

from lib import (Collector, Topology, busywait, checksum, ksft_exit, ksft_pr, ksft_run, ksft_true,
                 mac, modprobe, published_captures, raise_backlog, sh, vtap, vtap_batch, vtap_json)

FRAMES = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
BATCH = 500
DROPS = ("drop_inactive", "drop_nomem", "drop_mtu", "drop_rate", "drop_xmit", "drop_loop",
         "drop_frame")
rng = random.Random(SEED)

MACS = [mac(m) for m in (*Topology.MAC.values(), "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01",
                         "33:33:00:00:00:01",
                         "02:00:00:00:00:77")]
IP4 = [bytes(a) for a in ((10, 0, 0, 1), (10, 0, 0, 2), (192, 0, 2, 1), (192, 0, 2, 9),
                          (224, 0, 0, 1), (255,) * 4, (0,) * 4)]
IP6 = [socket.inet_pton(socket.AF_INET6, a) for a in ("2001:db8::1", "2001:db8::2", "2001:db8:9::1",
                                                      "2001:db8:9::9",
                                                      "ff02::1", "::")]
CAPTURED = published_captures(MACS[1] + MACS[0])
PORTS = (53, 80, 443, 1024, 4000, 4789, 0, 65535)
TCP, UDP, ICMP, GRE, ESP, AH, ICMP6, SCTP, UDPLITE, DCCP, IPIP, IP6IP = 6, 17, 1, 47, 50, 51, 58, \
    132, 136, 33, 4, 41


def blob(most=200):
    """Random bytes, few or many."""
    return rng.randbytes(rng.choice((0, 1, rng.randint(0, 60), rng.randint(0, most))))


def lie(right, bits=16):
    """A length: the right one, or another."""
    if rng.random() < 0.85:
        return right
    return rng.choice((0, 1, right - 1, right + 1, right + 4, right // 2, 8, 20,
                       rng.getrandbits(bits))) & ((1 << bits) - 1)


def tcp():
    """A TCP header with options, true or not, and data."""
    options = rng.choice((b"", b"", b"\1" * 4, b"\2\4\5\xb4",
                          rng.randbytes(4 * rng.randint(1, 10))))
    doff = 5 + len(options) // 4
    return struct.pack("!HHIIBBHHH", rng.choice(PORTS), rng.choice(PORTS), rng.getrandbits(32), 1,
                       lie(doff, 4) << 4 | rng.getrandbits(4),
                       rng.choice((2, 0x10, 0x18, 1, 4, 0xff, 0)), 1024, 0,
                       0) + options + blob(3000)


def udp(payload, dport=None):
    dport = dport if dport and rng.random() < 0.7 else rng.choice(PORTS)
    return struct.pack("!HHHH", rng.choice(PORTS), dport, lie(8 + len(payload)),
                       rng.choice((0, 0xffff))) + payload


def gre(depth):
    """GRE with any flags and any load, ERSPAN and frames included."""
    flags = rng.choice((0, 0x1000, 0x2000, 0x3000, 0xb000, 0x8000, 0x4000, 1, rng.getrandbits(16)))
    proto = rng.choice((0x6558, 0x88be, 0x22eb, 0x0800, 0x86dd, 0x880b, rng.getrandbits(16)))
    head = struct.pack("!HH", flags, proto) + rng.randbytes(4 * bin(flags & 0xb000).count("1"))
    if proto in (0x88be, 0x22eb):
        head += rng.choice((b"\x10" + rng.randbytes(7), b"\x20" + rng.randbytes(11),
                            b"\x20" + rng.randbytes(10) + b"\1" + bytes(8), b""))
    return head + ethernet(depth + 1)


def key():
    """A tunnel's identifier that rules ask for, or another."""
    return rng.choice((b"\0\0\x4d\0", rng.randbytes(4)))


def vxlan(depth):
    """VXLAN with the flags of one, or any."""
    return rng.choice((b"\x08\0\0\0", b"\x88\0\0\5", rng.randbytes(4))) + key() + ethernet(
        depth + 1)


def geneve(depth):
    """GENEVE with options, true or not, and a frame or a packet."""
    options = rng.randbytes(4 * rng.choice((0, 0, 1, 10, 63)))
    head = struct.pack("!BBH", lie(len(options) // 4, 6), 0,
                       rng.choice((0x6558, 0x6558, 0x800, 0x86dd, rng.getrandbits(16))))
    return head + key() + options + rng.choice((ethernet, ethernet, ipv4, ipv6))(depth + 1)


def transport(depth):
    """Return: (protocol, what follows the IP header)."""
    proto = rng.choice((TCP, TCP, UDP, UDP, ICMP, ICMP6, GRE, GRE, ESP, AH, SCTP, UDPLITE, DCCP,
                        IPIP, IP6IP, rng.randrange(256)))
    if proto == TCP:
        return proto, tcp()
    if proto == UDP and rng.random() < 0.4 and depth < 3:
        return proto, udp(*rng.choice(((vxlan(depth), 4789), (geneve(depth), 6081))))
    if proto in (UDP, UDPLITE):
        return proto, udp(blob(3000))
    if proto == GRE and depth < 3:
        return proto, gre(depth)
    if proto == IPIP:
        return proto, ipv4(depth + 1)
    if proto == IP6IP:
        return proto, ipv6(depth + 1)
    return proto, struct.pack("!HHHH", rng.choice(PORTS), rng.choice(PORTS), rng.getrandbits(16),
                              0) + blob()


def ipv4(depth=0):
    """An IPv4 packet; options, fragments and false lengths included."""
    if depth > 4:
        return blob()
    proto, load = transport(depth)
    options = rng.randbytes(4 * rng.randint(1, 10)) if rng.random() < 0.1 else b""
    frag = rng.choice((0, 0, 0, 0, 0x4000, 0x2000, 0x2001, 0x1fff, rng.getrandbits(16)))
    first = rng.choice((0x40, 0x40, 0x40, 0x40, 0x60, 0)) | lie(5 + len(options) // 4, 4)
    head = struct.pack("!BBHHHBBH", first, rng.choice((0, 3, 0xb8)),
                       lie(20 + len(options) + len(load)) & 0xffff, 1, frag, 64, proto,
                       0) + rng.choice(IP4) + rng.choice(IP4)
    if rng.random() < 0.8:
        head = head[:10] + struct.pack("!H", checksum(head + options)) + head[12:]
    return head + options + load


def ipv6(depth=0):
    """An IPv6 packet, its extension headers in any order and number."""
    if depth > 4:
        return blob()
    proto, load = transport(depth)
    for _ in range(rng.choice((0, 0, 0, 1, 2, 5, 12))):
        kind = rng.choice((0, 43, 44, 60, AH, 135))
        if kind == 44:
            load = struct.pack("!BBHI", proto, 0, rng.choice((0, 1, 9, rng.getrandbits(16))),
                               7) + load
        else:
            units = rng.choice((0, 0, 1, 3))
            size = units * 4 + 8 if kind == AH else units * 8 + 8
            load = struct.pack("!BB", proto, lie(units, 8)) + bytes(size - 2) + load
        proto = kind
    head = struct.pack("!IHBB", 6 << 28 | rng.getrandbits(28), lie(len(load)) & 0xffff, proto, 64)
    return head + rng.choice(IP6) + rng.choice(IP6) + load


def ethernet(depth=0):
    """A frame of any kind that rules know of, or not."""
    out = rng.choice(MACS) + rng.choice(MACS)
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2, 3, 9))):
        tci = rng.choice((0, 5, 0x6007, 0xffff, rng.getrandbits(16)))
        out += struct.pack("!HH", rng.choice((0x8100, 0x8100, 0x88a8, 0x9100)), tci)
    kind = rng.randrange(12)
    if kind < 5:
        return out + b"\x08\0" + ipv4(depth)
    if kind < 9:
        return out + b"\x86\xdd" + ipv6(depth)
    return out + rng.choice((b"\x08\x06", b"\x88\x47", b"\x88\x64", b"\x88\xcc", b"\x81\0",
                             b"\0\x40", rng.randbytes(2))) + blob()


def mutated(frame):
    """FRAME with bytes changed, cut short, or grown."""
    frame = bytearray(frame)
    for _ in range(rng.choice((0, 0, 0, 1, 2, 5))):
        i = rng.randrange(12, max(len(frame), 13))
        if i < len(frame):
            frame[i] = rng.choice((0, 1, 0x45, 0x60, 0x7f, 0x80, 0xff, rng.randrange(256)))
    if rng.random() < 0.2:
        del frame[rng.randint(0, min(len(frame), 120)):]
    if rng.random() < 0.1:
        frame += rng.randbytes(rng.choice((1, 40, 1400, 5000, 20000)))
    return bytes(frame[:65000])


def good_tcp(size):
    """A segment whose headers are right, so that the stack takes it for a super-frame. Return:
    (frame, header length, L4)."""
    six = rng.random() < 0.5
    l4 = struct.pack("!HHIIBBHHH", 1024, 80, 1, 1, 0x50, 0x18, 1024, 0, 0) + rng.randbytes(size)
    if six:
        packet = struct.pack("!IHBB", 6 << 28, min(len(l4), 65535), TCP, 64) + IP6[0] + IP6[1] + l4
    else:
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(l4), 1, 0x4000, 64, TCP,
                             0) + IP4[0] + IP4[1] + l4
        packet = packet[:10] + struct.pack("!H", checksum(packet[:20])) + packet[12:]
    tag = rng.choice((b"", b"", b"\x81\0\0\5"))
    at = 14 + len(tag) + (40 if six else 20)
    return MACS[1] + MACS[0] + tag + (b"\x86\xdd" if six else b"\x08\0") + packet, at + 20, at


def vnet(frame, head=54, l4=34, good=False):
    """The header in front of FRAME by which a sender leaves work to the device; GOOD: such as a
    VM's driver writes."""
    if good:
        kind = rng.choice((0, 4 if b"\x86\xdd" in frame[12:18] else 1))
        return struct.pack("BBHHHH", 1, kind, head, rng.choice((100, 536, 1400)) if kind else 0, l4,
                           16)
    if rng.random() < 0.4:
        return struct.pack("BBHHHH", 0, 0, rng.choice((0, 1, 14, 20, 34, head, 200, len(frame))), 0,
                           0, 0)
    kind = rng.choice((0, 1, 1, 3, 4, 4, 5, 0x81, 0x84, rng.randrange(256)))
    length = rng.choice((0, 14, 15, 34, 54, head, 66, 100, len(frame), 65535))
    size = rng.choice((0, 1, 8, 48, 500, 1448, 9000, 65535, rng.getrandbits(16)))
    start = rng.choice((0, 14, 34, l4, 54, len(frame), rng.getrandbits(16)))
    offset = rng.choice((0, 6, 16, 14, 60, rng.getrandbits(8)))
    return struct.pack("BBHHHH", rng.choice((0, 1, 1, 2, 3, 0xff)), kind, length, size, start,
                       offset)


def made():
    """Return: (virtio header, frame)."""
    what = rng.random()
    if what < 0.1:
        frame = rng.choice(MACS) + rng.choice(MACS) + rng.randbytes(
            rng.choice((1, 2, 3, 10, 46, 200, 1488, 4500)))
    elif what < 0.3:
        frame, head, l4 = good_tcp(rng.choice((0, 1, 100, 1448, 4000, 9000, 40000)))
        if rng.random() < 0.5:
            return vnet(frame, head, l4, True), frame
        frame = mutated(frame) if rng.random() < 0.5 else frame
        return vnet(frame, head, l4), frame
    elif what < 0.4:
        frame = mutated(rng.choice(CAPTURED))
    else:
        frame = mutated(ethernet())
    return (bytes(10) if rng.random() < 0.7 else vnet(frame)), frame


def words(table, most):
    """Some of the words of TABLE, each with one of its values."""
    chosen = rng.sample(list(table), rng.randint(0, min(most, len(table))))
    return " ".join(f"{w} {rng.choice(table[w])}" for w in chosen)


INNER = ("ip_proto tcp dst_port 80-443", "src_ip 10.0.0.0/8", "dst_ip ::/0 dst_port 0-4789",
         "vlan_id 5", "protocol ip",
         "src_mac 02:00:00:00:00:00/ff:ff:ff:ff:00:00 ip_flags nofrag", "icmp_type 8",
         "tcp_flags syn/syn src_port 53")
MATCH = (
    {"src_mac": ("02:00:00:00:00:0a", "02:00:00:00:00:00/ff:ff:ff:ff:00:00"),
     "dst_mac": ("ff:ff:ff:ff:ff:ff", "01:00:00:00:00:00/01:00:00:00:00:00"),
     "vlan_id": ("5", "7", "0"),
     "vlan_prio": ("0", "3"), "protocol": ("ip", "ipv6", "arp", "0x8847")},
    {"src_ip": ("10.0.0.0/8", "0.0.0.0/0", "192.0.2.9"), "dst_ip": ("10.0.0.2", "0.0.0.0/1"),
     "ip_flags": ("frag", "nofrag", "firstfrag")},
    {"src_ip": ("2001:db8::/32", "::/0"), "dst_ip": ("2001:db8::2", "ff00::/8"),
     "ip_proto": ("gre", "esp", "58", "44")},
    {"ip_proto": ("tcp", "udp", "sctp", "udplite", "dccp"), "src_port": ("53", "1024-65535"),
     "dst_port": ("80", "0-4789")},
    {"ip_proto": ("tcp",), "tcp_flags": ("syn", "0x10/0x10", "0/0xfff"), "dst_port": ("80-443",)},
    {"tunnel": ("vxlan", "geneve"), "tunnel_key": ("77", "0"), "dst_port": ("4789", "0-65535")},
    {"tunnel": ("gre",), "tunnel_key": ("5", "0"), "inner": INNER},
    {"tunnel": ("vxlan", "geneve", "gre"), "inner": INNER},
    {"ip_proto": ("icmp", "icmpv6"), "icmp_type": ("0", "8", "128"), "icmp_code": ("0",)},
    {"filter": ("'udp port 53 or vlan'", "'tcp[13] & 2 != 0'", "'ip6 protochain 6'", "'len > 1000'",
                "'ether[60000] = 0'")},
)
SESSION = {"snaplen": ("60", "61", "128", "1000", "0"), "mtu": ("fragment", "truncate", "drop"),
           "tos": ("0", "0xb8"),
           "ttl": ("1", "64"), "decap": ("on",),
           "slice": ("l2", "l3 +8", "l4", "l4 +64")}
TYPES = ("type gre", "type gre key 7 seq on", "type erspan1", "type erspan2 id 2 index 5",
         "type erspan2 id 3 vlan strip",
         "type erspan3 id 4 vlan strip", "type erspan3 id 5 subheader on", "type vxlan key 6")


def configuration(t):
    """Return: commands for sessions of all types, and for rules of all sorts of which the last one
    matches everything."""
    names, lines = [], []
    for version, remote in ((4, t.IP4["col"]), (6, t.IP6["col"])):
        for n, what in enumerate(TYPES):
            names.append(f"s{version}{n}")
            lines.append(f"session add {names[-1]} {what} remote {remote} {words(SESSION, 2)}")
    names.append("raw")
    lines.append("session add raw type port dev raw0 "
                 f"{words({w: SESSION[w] for w in ('snaplen', 'decap')}, 2)}")
    for pref in range(1, rng.choice((2, 6, 30))):
        match = words(rng.choice(MATCH), 3)
        action = "skip" if rng.random() < 0.1 \
            else f"mirror {','.join(rng.sample(names, rng.randint(1, 2)))}"
        extra = words({"sample": ("2", "100"), "dup": ("on",)}, 1) if action != "skip" else ""
        way = rng.choice(("ingress", "egress", "both"))
        lines.append(f"rule add pref {pref} port '*' dir {way} {match} {extra} action {action}")
    for port in ("vnet0", "vnet1", "tap0", "tap1"):
        way = rng.choice(("ingress", "egress"))
        lines.append(f"rule add pref 90 port {port} dir {way} action mirror {rng.choice(names)}")
    return lines


class Tap:
    """A tap device of the host as a port of br0, as a VM's is. FRAGS: what is written in parts
    stays in parts."""
    TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_NAPI, IFF_NAPI_FRAGS = 0x400454ca, 2, 0x1000, \
        0x4000, 0x10, 0x20

    def __init__(self, t, name, frags=False):
        self.frags, self.name = frags, name
        flags = self.IFF_TAP | self.IFF_NO_PI | self.IFF_VNET_HDR | (self.IFF_NAPI |
                                                                     self.IFF_NAPI_FRAGS if frags
                                                                     else 0)
        with t.host.enter():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, self.TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        t.host.ip(f"link set {name} mtu 9000 addrgenmode none", f"link set {name} master br0 up")

    def send(self, header, frame, cuts):
        if self.frags:  # none of no bytes, none longer than a page
            cuts = [0, *[c for c in cuts if c < len(frame)], *range(4096, len(frame), 4096),
                    len(frame)]
            os.writev(self.fd, [header, *[frame[a:b] for a, b in zip(cuts, cuts[1:])]])
        else:
            os.write(self.fd, header + frame)

    def empty(self):
        """Read what the bridge flooded here."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self.fd, 1 << 17)


class Packet:
    """A packet socket on a's device."""
    name = "vnet0"

    def __init__(self, t):
        with t.a.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(263, 15, 1)  # PACKET_VNET_HDR
        self.sock.bind(("eth0", 0))

    def send(self, header, frame, _cuts):
        self.sock.send(header + frame)

    def empty(self):
        """Nothing comes here."""


class Receiver:
    """All that arrives at b, with its tag and whether its checksum is there, up to a last frame."""

    def __init__(self, t):
        with t.b.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 27)  # SO_RCVBUFFORCE
        self.sock.setsockopt(263, 8, 1)  # PACKET_AUXDATA
        self.sock.bind(("eth0", 3))
        self.sock.settimeout(10)

    def until(self, last):
        """Return: what came before LAST."""
        got = []
        while True:
            data, control, _, _ = self.sock.recvmsg(1 << 17, 64)
            if data == last:
                return got
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", control[0][2][:20])
            # TP_STATUS_CSUMNOTREADY, VLAN_VALID, VLAN_TPID_VALID
            got.append((data, status & 0x58, tci, tpid))


def same(p, q):
    """Return: whether two frames are the same, but for the number that the kernel draws when it
    cuts a UDP super-frame into IPv6 fragments."""
    if p == q or p[1:] != q[1:] or len(p[0]) != len(q[0]):
        return p == q
    other = [i for i, (x, y) in enumerate(zip(p[0], q[0])) if x != y]
    head = p[0][:other[0]]
    return other[-1] - other[0] < 4 and b"\x86\xdd" in head and b"\x2c" in head


class Fuzz:
    """Two silent VMs and two taps on a bridge that learns nothing, so that a frame has one way
    whatever went before."""

    def __init__(self, t):
        self.t = t
        for ns in (t.a, t.b):
            ns.sysctl(net__ipv6__conf__eth0__disable_ipv6=1)
            ns.ip("address flush dev eth0", "link set eth0 arp off")
        t.host.ip("link add raw0 type dummy", "link set raw0 mtu 9000 addrgenmode none up",
                  "address flush dev br0")
        self.ways = [Packet(t), Tap(t, "tap0"), Tap(t, "tap1", frags=True)]
        for dev in ("vnet0", "vnet1", "tap0", "tap1"):
            t.host.ip(f"link set {dev} type bridge_slave learning off fdb_flush")
        if not busywait(lambda: t.host.running("tap0", "tap1") and self.forwarding()):
            raise RuntimeError("the taps do not come up")
        self.rx = Receiver(t)
        self.refused, self.arrived, self.decoded, self.counts, self.wrong = 0, 0, 0, \
            collections.Counter(), []

    def forwarding(self):
        return sh(["bridge", "-n", self.t.host.name, "link"]).stdout.count("state forwarding") == 4

    def sent(self, way, frames, number):
        """Send FRAMES. Return: what arrives of them."""
        last = MACS[1] + MACS[0] + b"\x88\xb5" + struct.pack("!I", number) + bytes(50)
        for header, frame, cuts in frames:
            try:
                way.send(header, frame, cuts)
            except OSError:
                self.refused += 1
        way.send(bytes(10), last, (64,))
        for each in self.ways:
            each.empty()
        return self.rx.until(last)

    def batch(self, number):
        """The same frames untapped and tapped."""
        way = rng.choice(self.ways)
        frames = [(*made(), sorted(rng.sample(range(14, 600), rng.randint(0, 4))))
                  for _ in range(BATCH)]
        plain = self.sent(way, frames, 2 * number)
        # words drawn at random may contradict each other: such a rule is refused, and the others
        # made
        vtap_batch(self.t.host, *configuration(self.t), force=True)
        # some batches only are decoded, which takes longer than all else
        with Collector(self.t.col) if number % 4 == 0 else contextlib.nullcontext() as col:
            tapped = self.sent(way, frames, 2 * number + 1)
            self.arrived += len(tapped)
            self.compare(f"batch {number} by {way.name}", plain, tapped)
            self.account(number, col)

    def compare(self, what, plain, tapped):
        """Note a difference, and whether it is one of order only."""
        pairs = enumerate(zip(plain, tapped))
        first = next((i for i, (p, q) in pairs if not same(p, q)), min(len(plain), len(tapped)))
        if first == len(plain) == len(tapped):
            return
        kind = "the order" if sorted(plain) == sorted(tapped) else "the frames"
        near = plain[first:first + 3] + tapped[first:first + 3]
        self.wrong.append(f"{what}: {len(plain)} arrive untapped, {len(tapped)} tapped; "
                          f"{kind} differ from {first} on:\n"
                          f"{[(f[0][:80].hex(), *f[1:], len(f[0])) for f in near]}")

    def account(self, number, col):
        """End the tapping; every copy is sent and well-formed, or counted as dropped."""
        vtap("rule flush", self.t.host)
        sessions = vtap_json("-s session show", self.t.host)
        vtap("session flush", self.t.host)
        for s in sessions:
            st = s["stats"]
            self.counts.update(st)
            if st["matched"] != st["sent"] + sum(st[d]
                                                 for d in DROPS) or st["drop_nomem"] or st[
                                                         "drop_inactive"]:
                self.wrong.append(f"batch {number}: {s}")
        sent = sum(s["stats"]["sent"] for s in sessions if s["type"] != "port")
        copies = col.copies(sent, 5) if col else []
        if col and (len(copies) != sent or col.bad):
            self.wrong.append(f"batch {number}: {sent} copies sent, {len(copies)} arrived, bad: "
                              f"{col.bad[:3]}")
        self.decoded += len(copies)


def fuzz():
    """Malformed frames do no harm, with a tap and without."""
    raise_backlog()
    os.sched_setaffinity(0, {0})  # else the order of frames is chance
    with Topology(mtu=9000, up_mtu=1500) as t:
        f, start = Fuzz(t), time.monotonic()
        for number in range(max(FRAMES // BATCH, 1)):
            f.batch(number)
        ksft_pr(f"{number * BATCH + BATCH} frames sent twice in {time.monotonic() - start:.1f} s, "
                f"{f.refused} times refused, "
                f"{f.arrived} arrived; copies: {f.decoded} decoded, {dict(f.counts)}")
        ksft_true(not f.wrong, f"malformed frames, seed {SEED}: what arrives tapped is what "
                  "arrives untapped, copies are whole and accounted for",
                  lambda: "\n".join(f.wrong[:5]))
        ksft_true(f.arrived > FRAMES / 3,
                  "a third of the frames get through, so that both hooks see them", f.arrived)
        ksft_true(all(f.counts[c] for c in ("sent", "truncated", "fragmented")),
                  "they are copied, cut, and fragmented", f.counts)


if __name__ == "__main__":
    modprobe("veth", "bridge", "tun", "dummy")
    sys.argv = sys.argv[:1]
    ksft_run([fuzz])
    ksft_exit()
