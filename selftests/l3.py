#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Ports without an Ethernet header, ports where the VM sends at egress, and devices that are no
ports."""
import contextlib
import fcntl
import os
import socket
import struct
import tempfile

from lib import (SESSION, NetNS, Sender, Sniffer, busywait, checksum, ether, is_numbered, ksft_eq,
                 ksft_exit, ksft_run, ksft_skip, ksft_true, modprobe, sh, strip_outer, tcp_frame,
                 udp_frame, vtap, vtap_json)
from lib.segment import segments

A, B, OUT, OTHER = [f"02:00:00:00:00:{n}" for n in ("0a", "0b", "0c", "0d")]
BROADCAST = "ff:ff:ff:ff:ff:ff"
NOBODY = "00:00:00:00:00:00"
IP4, IP6 = ("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")
TUN, NO_PI, VNET_HDR = 0x0001, 0x1000, 0x4000


def packet(family=4, payload=b"", kind=udp_frame, back=False, **kw):
    """Return: an IP packet between the two ends."""
    ends = IP4 if family == 4 else IP6
    src, dst = reversed(ends) if back else ends
    return kind(NOBODY, NOBODY, src, dst, payload=payload, **kw)[14:]


def framed(data, proto=None):
    """Return: the packet DATA as its copy is: with an Ethernet header of no addresses."""
    return ether(NOBODY, NOBODY, proto or (0x0800 if data[0] >> 4 == 4 else 0x86dd), data)


class Bed:
    """A host with an uplink to a collector, a session, and other namespaces.

        up0 192.0.2.1 --- eth0 192.0.2.9 :col
        p0 --- eth0 :out
    """

    def __init__(self):
        self.all = self.host, self.vm, self.vm2, self.out, self.col = \
            NetNS.many("host", "vm", "vm2", "out", "col")

    def __enter__(self):
        h = self.host
        h.ip("link set lo up", "link add up0 index 102 address 02:00:00:00:00:01 type veth "
             f"peer name eth0 netns {self.col.name}", "link set up0 addrgenmode none up",
             "address add 192.0.2.1/24 dev up0",
             "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev up0 nud permanent",
             f"link add p0 index 101 type veth peer name eth0 netns {self.out.name}",
             "link set p0 addrgenmode none up")
        self.col.ip("link set eth0 address 02:00:00:00:00:09 addrgenmode none up")
        self.out.ip(f"link set eth0 address {OUT} addrgenmode none up")
        if not busywait(lambda: h.running("up0", "p0") and self.col.running("eth0")):
            raise RuntimeError("the links do not come up")
        vtap(SESSION, h)
        return self

    def __exit__(self, *exc):
        NetNS.remove_all(self.all)

    def rule(self, words, action="action mirror s"):
        """The only rule is this one. Return: what the tool said on stderr."""
        vtap("rule flush", self.host)
        return vtap(f"rule add pref 10 {words} {action}", self.host).stderr

    def copies(self):
        """Return: a capture of the copies with their outer headers."""
        return Sniffer(self.col, "eth0", match=lambda f: f[12:14] == b"\x08\x00" and f[23] == 47
                       and is_numbered(f))

    def port(self, name):
        """Return: what `port show` lists of it."""
        return {p["name"]: p for p in vtap_json("-s port show", self.host)}.get(name, {})

    def bound(self):
        """Return: the names of all ports."""
        return sorted(p["name"] for p in vtap_json("port show", self.host))

    def refusal(self, name):
        """Return: why it is none."""
        p = vtap(f"port show {name}", self.host, ok=False)
        return p.stderr.strip()

    def rule_ports(self):
        """Return: `ports` of each rule."""
        return [r["ports"] for r in vtap_json("rule show", self.host)]


def read(fd):
    """Return: the next packet that was sent to a tun device, or None."""
    try:
        return os.read(fd, 1 << 17)
    except BlockingIOError:
        return None


@contextlib.contextmanager
def tun_device(b, name, flags):
    """A tun device as a VPN's program has it."""
    with b.host.enter():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), TUN | flags))
    b.host.ip(f"link set {name} addrgenmode none up")
    try:
        yield fd
    finally:
        os.close(fd)


def header(csum=None, gso=None):
    """Return: a virtio header."""
    kind, size, length = gso or (0, 0, 0)
    return struct.pack("BBHHHH", 1 if csum else 0, kind, length, size, *(csum or (0, 0)))


def tun():
    """Packets of a tun device: each byte, in both directions, and what is left to the device."""
    with Bed() as b, tun_device(b, "tun0", NO_PI | VNET_HDR) as fd:
        b.rule("port 'tun?'")
        shown = b.port("tun0")
        ksft_eq((shown.get("ingress_hook"), shown.get("vm_sends")), ("packet", "ingress"),
                "tun: hooks")
        ksft_eq(b.rule_ports(), [1], "tun: bound to one port")
        small = [packet(v, b"vtap#%d" % n + bytes(range(n))) for v in (4, 6) for n in (0, 1, 255)]
        with b.copies() as col:
            for data in small:
                os.write(fd, header() + data)
            ksft_eq(strip_outer(col.frames(len(small))), [framed(data) for data in small],
                    "tun: what comes in, byte for byte")
            with Sender(b.host, "tun0") as tx:
                tx.send(*small)
            got = [data for data in iter(lambda: read(fd), None) if is_numbered(data)]
            ksft_eq([data[10:] for data in got], small, "tun: what goes out arrives")
            ksft_eq(strip_outer(col.frames(len(small))), [framed(data) for data in small],
                    "tun: and is copied, byte for byte")
            ksft_eq(col.frames(), [], "tun: and no more")
            tun_offload(fd, col)
        tun_rules(b, fd)
        tun_decap(b, fd)


def tun_offload(fd, col, what="tun", payload=b"vtap#" * 700):
    """Partial checksums and super-frames."""
    for family, l4 in ((4, 20), (6, 40)):
        for kind, at in ((udp_frame, 6), (tcp_frame, 16)):
            plain, partial = [packet(family, payload[:500], kind, partial=p) for p in (False, True)]
            os.write(fd, header((l4, at)) + partial)
            ksft_eq(strip_outer(col.frames(1)), [framed(plain)],
                    f"{what}: IPv{family}: {kind.__name__}: a checksum that is left to the device")
        partial = packet(family, payload, tcp_frame, partial=True, flags=0x18)
        kind = Sender.GSO_TCPV4 if family == 4 else Sender.GSO_TCPV6
        os.write(fd, header((l4, 16), (kind, 1000, l4 + 20)) + partial)
        want = segments(framed(partial), 1000)
        ksft_eq(strip_outer(col.frames(len(want))), want,
                f"{what}: IPv{family}: a super-frame of TCP is cut")
    # destination options: the kernel has to cut it
    whole = packet(6, payload, tcp_frame, partial=True, flags=0x18)
    more = struct.pack("!BB", 6, 0) + bytes([1, 4, 0, 0, 0, 0])
    partial = whole[:4] + struct.pack("!HB", len(whole) - 32, 60) + whole[7:40] + more + whole[40:]
    os.write(fd, header((48, 16), (Sender.GSO_TCPV6, 1000, 68)) + partial)
    want = [f[:18] + struct.pack("!HB", len(f) - 54 + 8, 60) + f[21:54] + more + f[54:]
            for f in segments(framed(whole), 1000)]
    ksft_eq(strip_outer(col.frames(len(want))), want, f"{what}: a super-frame that the kernel cuts")


def tun_rules(b, fd):
    """What rules see of packets without an Ethernet header."""
    udp, tcp = packet(4, b"vtap#udp", dport=53), packet(6, b"vtap#tcp", tcp_frame, dport=80)
    for words, want in (
            ("protocol ip", [udp]), ("protocol ipv6", [tcp]), ("protocol arp", []),
            ("src_ip 10.9.0.1 ip_proto udp dst_port 53", [udp]),
            ("dst_ip fd09::2 dst_port 80", [tcp]),
            ("src_ip 10.9.0.2", []), ("src_mac 00:00:00:00:00:00", [udp, tcp]),
            ("src_mac 02:00:00:00:00:00/02:00:00:00:00:00", []), (f"mac {A}", []),
            ("dir ingress", [udp, tcp]), ("dir egress", []),
            ("filter 'udp port 53'", [udp]), ("filter 'ip6 and tcp'", [tcp]),
            ("filter 'udp port 54'", []), ("filter 'ether[12:2] = 0x800'", [udp]),
            ("filter 'greater 74'", [tcp]), ("filter 'ip[8] = 64 and udp[8] = 118'", [udp])):
        b.rule(f"port tun0 {words}")
        with b.copies() as col:
            os.write(fd, header() + udp)
            os.write(fd, header() + tcp)
            b.rule("port tun0")
            last = packet(4, b"vtap#last")
            os.write(fd, header() + last)
            got = strip_outer(col.until(lambda f: f.endswith(b"vtap#last")))
            ksft_eq(got, [framed(data) for data in want], f"rule: {words}")
    # of a super-frame, a filter sees the beginning
    b.rule("port tun0 filter 'greater 3000 and tcp dst port 80'")
    with b.copies() as col:
        partial = packet(4, b"vtap#" * 700, tcp_frame, partial=True)
        os.write(fd, header((20, 16), (Sender.GSO_TCPV4, 1000, 40)) + partial)
        ksft_eq(len(col.frames(4)), 4, "filter: a super-frame has its length")


def tun_decap(b, fd):
    """Tunnels in such packets."""
    vtap("session add d type gre remote 192.0.2.9 key 8 decap on", b.host)
    inside = packet(4, b"vtap#inside")
    frame = udp_frame(A, B, *IP6, payload=b"vtap#frame")
    gre = packet(4, struct.pack("!HH", 0, 0x0800) + inside, raw(47))
    vxlan = packet(6, struct.pack("!II", 0x08000000, 77 << 8) + frame, dport=4789)
    for words in ("", "tunnel gre inner dst_port 4000"):
        b.rule(f"port tun0 {words}", "action mirror d")
        with b.copies() as col:
            os.write(fd, header() + gre)
            ksft_eq(strip_outer(col.frames(1)), [framed(inside)],
                    f"decap: a packet in a packet {words}")
    b.rule("port tun0", "action mirror d")
    with b.copies() as col:
        os.write(fd, header() + vxlan)
        ksft_eq(strip_outer(col.frames(1)), [frame], "decap: a frame in a packet")


def raw(proto):
    """Return: a maker of packets of PROTO as udp_frame() is one."""
    def make(dst_mac, src_mac, src, dst, payload=b""):
        data = udp_frame(dst_mac, src_mac, src, dst, payload=payload)
        head = bytearray(data[14:34])
        struct.pack_into("!H", head, 2, 20 + len(payload))
        head[9] = proto
        struct.pack_into("!H", head, 10, 0)
        struct.pack_into("!H", head, 10, checksum(bytes(head)))
        return data[:14] + bytes(head) + payload
    return make


def tun_tag():
    """A tag that the kernel took off a packet without an Ethernet header."""
    with Bed() as b, tun_device(b, "tun1", 0) as fd:
        b.rule("port tun1 vlan_id 7")
        with b.copies() as col:
            data = packet(4, b"vtap#tagged")
            for tag in (3 << 13 | 7, 8):
                os.write(fd, struct.pack("!HHHH", 0, 0x8100, tag, 0x0800) + data)
            b.rule("port tun1")
            os.write(fd, struct.pack("!HH", 0, 0x88cc) + b"vtap#other")
            got = strip_outer(col.frames(2))
            ksft_eq(got, [framed(struct.pack("!HH", 3 << 13 | 7, 0x0800) + data, 0x8100),
                          framed(b"vtap#other", 0x88cc)],
                    "tag in the metadata: put back; another protocol's packet is copied, too")


UNDERLAY4, UNDERLAY6 = ("198.51.100.1", "198.51.100.2"), ("2001:db8:5::1", "2001:db8:5::2")


def plain_tunnel(kind, ends, more=""):
    """Return: a function that adds t0 of KIND at end N, 0 or 1."""
    def add(ns, n):
        ns.ip(f"link add t0 type {kind} local {ends[n]} remote {ends[1 - n]} {more}")
    return add


def wireguard(ns, n, keys={}):  # pylint: disable=dangerous-default-value
    """The same for WireGuard; the second end has both keys."""
    ns.ip("link add t0 type wireguard")
    private = sh("wg genkey").stdout
    keys[n] = (ns, private, sh("wg pubkey", input=private).stdout.strip())
    if n == 0:
        return
    for i in (0, 1):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(keys[i][1])
            f.flush()
            keys[i][0].sh(f"wg set t0 listen-port 51820 private-key {f.name} peer {keys[1 - i][2]} "
                          f"endpoint {UNDERLAY4[1 - i]}:51820 allowed-ips 0.0.0.0/0,::/0")


TUNNELS = {  # name: (module, how to add it, families inside)
    "wireguard": ("wireguard", wireguard, (4, 6)),
    "ipip": ("ipip", plain_tunnel("ipip", UNDERLAY4), (4,)),
    "sit": ("sit", plain_tunnel("sit", UNDERLAY4, "mode any"), (4, 6)),
    "gre": ("ip_gre", plain_tunnel("gre", UNDERLAY4, "key 5"), (4, 6)),
    "ip6gre": ("ip6_gre", plain_tunnel("ip6gre", UNDERLAY6), (4, 6)),
    "ip6tnl": ("ip6_tunnel", plain_tunnel("ip6tnl", UNDERLAY6, "mode any"), (4, 6)),
}


def tunnels():
    """Packets of tunnel devices, before and after their outer headers."""
    for name, (module, add, families) in TUNNELS.items():
        if not modprobe(module):
            ksft_skip(f"no module {module}", name)
            continue
        with Bed() as b:
            for ns, dev, n in ((b.host, "p0", 0), (b.out, "eth0", 1)):
                ns.ip(f"address add {UNDERLAY4[n]}/24 dev {dev}",
                      f"address add {UNDERLAY6[n]}/64 dev {dev} nodad")
            for ns, n in ((b.host, 0), (b.out, 1)):
                add(ns, n)
                ns.ip("link set t0 addrgenmode none up")
            through(b, name, families)


def through(b, name, families):
    """Send by the tunnel's device and to it."""
    b.rule("port t0")
    ksft_eq(b.bound(), ["t0"], f"{name}: bound")
    data = [packet(v, b"vtap#out" + bytes(n)) for v in families for n in (0, 1000)]
    back = [packet(v, b"vtap#back" + bytes(n), back=True) for v in families for n in (0, 1000)]
    with b.copies() as col, Sender(b.host, "t0") as tx, Sender(b.out,
                                                               "t0") as rx, \
            Sniffer(b.out, "t0", match=is_numbered) as far, Sniffer(b.host, "t0",
                                                                    match=is_numbered) as near:
        tx.send(*data)
        ksft_eq([bytes(f) for f in far.frames(len(data))], data, f"{name}: what is sent arrives")
        ksft_eq(strip_outer(col.frames(len(data))), [framed(d) for d in data],
                f"{name}: egress, byte for byte")
        rx.send(*back)
        ksft_eq([bytes(f) for f in near.frames(len(back))], back,
                f"{name}: what comes back arrives")
        ksft_eq(strip_outer(col.frames(len(back))), [framed(d) for d in back],
                f"{name}: ingress, byte for byte")
        ksft_eq(strip_outer(col.frames()), [], f"{name}: and no more")
        b.rule(f"port t0 mac {A}")
        tx.send(*data)
        b.rule("port t0")
        last = packet(families[0], b"vtap#last")
        tx.send(last)
        ksft_eq(col.until(lambda f: f.endswith(b"vtap#last")), [],
                f"{name}: nothing has a VM's address")


def netkit():
    """A pair in L3 mode has Ethernet headers with addresses of zero."""
    with Bed() as b:
        before = b.host.links()
        # the mode is L3 where nothing else is said
        if sh(f"ip -n {b.host.name} link add near0 type netkit", check=False).returncode:
            ksft_skip("this kernel has none", "netkit")
            return
        far, = set(b.host.links()) - set(before) - {"near0"}
        b.host.ip(f"link set {far} netns {b.vm.name}", "link set near0 addrgenmode none up")
        b.vm.ip(f"link set {far} addrgenmode none up")
        b.rule("port near0")
        with b.copies() as col, Sender(b.host, "near0") as tx, Sender(b.vm, far) as rx:
            data = [framed(packet(v, b"vtap#nk")) for v in (4, 6)]
            tx.send(*data)
            rx.send(*data)
            ksft_eq(strip_outer(col.frames(4)), data * 2, "netkit: both directions")


def marked(src, dst, n=[0]):  # pylint: disable=dangerous-default-value
    """Return: a frame from SRC to DST like no other."""
    n[0] += 1
    return udp_frame(dst, src, *IP4, payload=b"vtap#%d" % n[0])


def exchange(b, what, ways, tap, want):
    """Send a frame each WAY, (namespace, device, source, destination); those in WANT, by their
    place, must be copied, once."""
    b.rule(tap)
    frames = [marked(src, dst) for _, _, src, dst in ways]
    with contextlib.ExitStack() as stack:
        senders = {(ns, dev): stack.enter_context(Sender(ns, dev)) for ns, dev, _, _ in ways}
        col = stack.enter_context(b.copies())
        for (ns, dev, _, _), frame in zip(ways, frames):
            senders[ns, dev].send(frame)
        # the last one is copied in any case
        b.rule("port p0 dir ingress")
        last = marked(OUT, A)
        stack.enter_context(Sender(b.out, "eth0")).send(last)
        got = strip_outer(col.until(lambda f: f.endswith(last[-8:])))
    ksft_eq(sorted(frames.index(f) for f in got if f in frames), want, f"{what}: {tap}")


def macvlan():
    """Below macvlans, a VM's frames are its own whichever way they go."""
    with Bed() as b:
        for dev, ns, address in (("mv1", b.vm, A), ("mv2", b.vm2, B)):
            b.host.ip(f"link add {dev} link p0 address {address} type macvlan mode bridge",
                      f"link set {dev} addrgenmode none", f"link set {dev} netns {ns.name}")
            ns.ip(f"link set {dev} up")
        ways = [(b.vm, "mv1", A, OUT), (b.out, "eth0", OUT, A), (b.vm, "mv1", A, B),
                (b.vm2, "mv2", B, A), (b.vm2, "mv2", B, OUT), (b.out, "eth0", OUT, B)]
        exchange(b, "below macvlans", ways, f"mac {A}", [0, 1, 2, 3])
        exchange(b, "below macvlans", ways, f"port p0 mac {A} dir ingress", [1, 2, 3])
        exchange(b, "below macvlans", ways, f"mac {A} dir egress", [0])
        exchange(b, "below macvlans", ways, f"mac {OTHER}", [])
        exchange(b, "below macvlans", ways, "port p0 dir egress", [0, 4])
        ksft_eq(b.port("p0").get("vm_sends"), "both", "below macvlans: a VM sends at either side")
        for ns, dev in ((b.vm, "mv1"), (b.vm2, "mv2")):
            ns.ip(f"link del {dev}")
        ksft_true(busywait(lambda: b.port("p0").get("vm_sends") == "ingress"),
                  "without macvlans: a port as any other", lambda: b.port("p0"))
        b.rule(f"port p0 mac {A}")
        exchange(b, "without macvlans", [(b.out, "eth0", A, BROADCAST), (b.host, "p0", OUT, A),
                                         (b.host, "p0", A, OUT), (b.out, "eth0", OUT, A)],
                 f"port p0 mac {A}", [0, 1])


def upper():
    """On the devices themselves, a VM sends at egress."""
    for kind in ("macvlan mode bridge", "macvtap mode bridge", "ipvlan mode l2"):
        name = kind.split(maxsplit=1)[0]
        if not modprobe(name):
            ksft_skip("no module", name)
            continue
        with Bed() as b:
            b.host.ip(f"link set p0 address {A if name == 'ipvlan' else OTHER}",
                      f"link add mv0 link p0 address {A} type {kind}",
                      "link set mv0 addrgenmode none up")
            if name == "ipvlan":
                b.host.ip(f"address add {IP4[1]}/24 dev mv0")
            ways = [(b.host, "mv0", A, OUT), (b.out, "eth0", OUT, A), (b.host, "mv0", B, OUT),
                    (b.out, "eth0", OUT, BROADCAST)]
            exchange(b, name, ways, f"port mv0 mac {A}", [0, 1])
            exchange(b, name, ways, f"port mv0 mac {A} dir ingress", [1])
            exchange(b, name, ways, f"port mv0 mac {A} dir egress", [0])
            exchange(b, name, ways, f"port mv0 mac {OTHER}", [])
            # on both, with one rule that means another side on each
            exchange(b, name, ways, f"port '*' mac {A} dup on", [0, 0, 1, 1])
            if name == "macvlan":  # what a macvtap sends waits in a queueing discipline
                exchange(b, name, ways, f"port '*' mac {A}", [0, 1])
            b.rule("port '*'")
            bound = b.bound()
            ksft_true(len(bound) >= 3, f"{name}: bound to several", bound)
            ksft_eq(b.rule_ports(), [len(bound)], f"{name}: as many as the rule says")
            ksft_eq([b.port(d).get("vm_sends") for d in ("mv0", "p0")], ["egress", "both"],
                    f"{name}: where a VM sends")


def internal():
    """Internal ports of Open vSwitch: ports of the datapath, on which the host sends at egress."""
    if not modprobe("openvswitch"):
        ksft_skip("no module", "Open vSwitch")
        return
    with Bed() as b:
        b.host.sh("ovs-dpctl add-dp dp0")
        try:
            ksft_eq((b.rule("master dp0"), b.bound())[1], [], "a datapath without ports has none")
            b.host.sh("ovs-dpctl add-if dp0 p0,port_no=1")
            b.host.sh("ovs-dpctl add-if dp0 i0,type=internal,port_no=2")
            for src, dst in ((1, 2), (2, 1)):
                b.host.sh(["ovs-dpctl", "add-flow", "dp0",
                           f"in_port({src}),eth(),eth_type(0x0800),ipv4(frag=no)", str(dst)])
            b.host.ip(f"link set i0 address {A} addrgenmode none", "link set i0 up",
                      "link set dp0 addrgenmode none")
            ksft_true(busywait(lambda: b.bound() == ["i0", "p0"]),
                      "its ports, with the internal one", b.bound)
            ksft_eq([b.port(d)["vm_sends"] for d in ("i0", "p0")], ["egress", "ingress"],
                    "and where a VM sends")
            text = b.rule("master i0")
            ksft_true("master is an internal port of Open vSwitch" in text,
                      "an internal port is no master", text)
            ksft_eq((b.bound(), b.rule_ports()), ([], [0]), "and has no ports")
            b.rule(f"mac {A}")
            ksft_eq(b.bound(), ["i0", "p0"], "mac alone: all ports of the datapath")
            ways = [(b.host, "i0", A, OUT), (b.out, "eth0", OUT, A), (b.host, "i0", B, OUT)]
            exchange(b, "internal port", ways, f"master dp0 port i0 mac {A}", [0, 1])
            exchange(b, "internal port", ways, f"port i0 mac {A} dir ingress", [1])
            exchange(b, "internal port", ways, f"port i0 mac {OTHER}", [])
        finally:
            b.host.sh("ovs-dpctl del-dp dp0")


def loopback():
    """lo is tapped when somebody says so."""
    with Bed() as b:
        for words in ("port '*'", "port l?", f"mac {A}", "master lo"):
            b.rule(words)
            ksft_true("lo" not in b.bound(), f"lo: not by {words}", b.bound)
        text = b.refusal("lo")
        ksft_true("no rule binds to the loopback device by its name" in text, "lo: why not", text)
        b.rule("port lo dir ingress")
        ksft_eq((b.bound(), b.port("lo")["vm_sends"], b.rule_ports()), (["lo"], "both", [1]),
                "lo: by its name")
        with b.copies() as col, b.host.enter():
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family, socket.SOCK_DGRAM) as s:
                    s.bind((host, 0))
                    s.sendto(b"vtap#lo", s.getsockname())
            got = strip_outer(col.frames(2))
            ksft_eq([(f[:14], f[-7:]) for f in got], [(bytes(12) + proto, b"vtap#lo")
                                                      for proto in (b"\x08\x00", b"\x86\xdd")],
                    "lo: copied once each")


def names():
    """Alternative names are names."""
    with Bed() as b:
        b.host.ip("link add br0 type bridge", "link set p0 master br0",
                  "link property add dev p0 altname tap100i0",
                  "link property add dev br0 altname lan")
        for words, want in (("port tap100i0", ["p0"]), ("master lan", ["p0"]),
                            ("port p0 master lan", ["p0"]), ("port tap100i1", []),
                            ("master wan", []), ("port 'tap100*'", [])):
            b.rule(words)
            ksft_eq((b.bound(), b.rule_ports()), (want, [len(want)]), f"names: {words}")
        b.rule("port tap100i0")
        ksft_eq(vtap_json("port show tap100i0", b.host)[0]["name"], "p0", "names: port show")
        b.host.ip("link property del dev p0 altname tap100i0")
        ksft_true(busywait(lambda: not b.bound()), "names: taken away", b.bound)
        b.host.ip("link property add dev p0 altname tap100i0")
        ksft_true(busywait(lambda: b.bound() == ["p0"]), "names: given again", b.bound)
        b.rule("master lan")
        b.host.ip("link set br0 up", "link property del dev br0 altname lan")
        ksft_true(busywait(lambda: not b.bound()), "names: taken away from the master", b.bound)


def why():
    """What is no port is told, and what a rule cannot do."""
    with Bed() as b:
        b.host.ip("link add vrf7 type vrf table 77", "link set vrf7 up", "link set p0 master vrf7")
        text = b.rule("port vrf7")
        ksft_true("warning: port is a VRF device" in text, "VRF: the rule is taken with a warning",
                  text)
        ksft_eq((b.bound(), b.rule_ports()), ([], [0]), "VRF: and has no port")
        text = b.refusal("vrf7")
        ksft_true("vrf7: a VRF device has no frames of its own" in text, "VRF: port show says why",
                  text)
        ksft_eq((b.rule("master vrf7"), b.bound()), ("", ["p0"]), "VRF: the devices in it")
        ksft_true("up0: no rule binds to this device" in b.refusal("up0"),
                  "no rule: port show says so", lambda: b.refusal("up0"))
        ksft_true("there is no such device" in b.refusal("none"), "no device: port show says so",
                  lambda: b.refusal("none"))
        if modprobe("vcan"):
            b.host.ip("link add c0 type vcan", "link set c0 up")
            text = b.rule("port c0")
            ksft_true("neither Ethernet frames nor IP packets" in text,
                      "CAN: the rule is taken with a warning", text)
            ksft_eq(b.rule("port 'c*'"), "", "CAN: a pattern is no warning")
            text = b.refusal("c0")
            ksft_true("neither Ethernet frames nor IP packets" in text, "CAN: port show says why",
                      text)
        else:
            ksft_skip("no module", "CAN")
        ksft_eq(b.rule("port later"), "", "no warning: a device that is not there")
        raw_sessions(b)


def raw_sessions(b):
    """Raw copies into what is tapped."""
    b.host.ip("link set p0 nomaster")
    ksft_eq(vtap("session add r type port dev p0", b.host).stderr, "", "raw: no warning")
    text = b.rule("port p0", "action mirror r")
    ksft_true("warning: session sends raw copies into a device that is tapped itself" in text,
              "raw: a rule for the device itself", text)
    ksft_eq(b.rule("port up0 ip_proto icmp", "action mirror r"), "", "raw: not of another")
    b.rule("port p0")
    text = vtap("session add r2 type port dev p0", b.host).stderr
    ksft_true("warning: dev is a device that is tapped itself" in text,
              "raw: a session into what is tapped", text)
    b.rule("port up0")
    b.host.ip("link add br0 type bridge", "link set p0 master br0")
    text = vtap("session add r3 type port dev p0", b.host).stderr
    ksft_true("warning: dev is a port of a switch" in text, "raw: a session into a VM's port", text)
    text = vtap("session add o type gre remote 192.0.2.9 key 9 dev p0", b.host).stderr
    ksft_eq(text, "", "raw: other sessions have none")


if __name__ == "__main__":
    modprobe("veth", "tun", "bridge", "macvlan", "vrf", "ip_gre")
    ksft_run([tun, tun_tag, tunnels, netkit, macvlan, upper, internal, loopback, names, why])
    ksft_exit()
