#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""No frame is overlooked: what tc takes, stacked devices, memory used again, frames sent back."""
import collections
import contextlib
import ctypes
import json
import os
import socket
import struct
import threading

from lib import (SLOW, VM, Sender, Sniffer, busywait, checksum, ether, frame_number, ksft_eq,
                 ksft_exit, ksft_run, ksft_skip, ksft_true, libc, modprobe, one_cpu, udp_frame,
                 vtap, vtap_json, wire)
from lib.beds import BRIDGE, TTL, bridge_bed, uplink
from lib.ovs import Vswitch
from lib.rows import FIRST_PORT, GATEWAY, IP, MULTICAST, Bed, Place, Row, in_sysfs, places


TBF = "tbf rate 50mbit burst 100k latency 25ms"


def shaped():
    """What tc takes at ingress was seen before: shaping by an ifb, mirroring, dropping."""
    s = "action mirror s"
    at = [Place("no rule", [], 0), Place("port '*'", [f"port '*' {s}"]),
          Place("one port, ingress", [f"port vnet1 dir ingress {s}"], lambda row,
                bed: int(row.tx == "a"))]
    with Bed("shaping", "abcx") as bed:
        for n, letter in enumerate("abc", 1):
            bed.vm(letter, f"vnet{n}", "br0")
        bed.routed("br0", "10.0.0.254/24", *"abc")
        uplink(bed)
        bed.have([Row("bridged request", "a", "b"), Row("bridged reply", "b", "a"),
                  Row("routed request", "a", "x", dst=GATEWAY),
                  Row("routed reply", "x", "a", dst=GATEWAY)])
        bed.ready()
        bed.h.ip("link add bwp0 type ifb", "link set bwp0 addrgenmode none up")
        bed.rules(f"port '*' {s}")
        netfilter = vtap_json("port show vnet2", bed.h)[0]["egress_hook"] == "netfilter"
        ksft_eq(unseen(bed, "vnet1", "vnet2"), [[], []], "port show: no frame is unseen")
        bandwidth_plugin(bed, "vnet1")
        ksft_eq(unseen(bed, "vnet1", "vnet2"), [["tc_redirect"] * netfilter] * 2,
                "port show: no egress hook sees what is shaped")
        got, lost = bed.shoot()
        ksft_eq([n for row in bed.rows for n in got[row, "s"]], [1] * 12,
                "shaping, rule first: each frame once")
        ksft_eq(lost, [], "shaping, rule first: all frames arrive")
        # egress of vnet2 does not ask for each frame
        bed.rules(f"port 'vnet*' {s}")
        bed.tc("qdisc replace dev bwp0 root netem delay 500ms")
        burst = Row("burst", "a", "b", n=100)
        burst.index = 900
        got, lost = bed.shoot([burst])
        ksft_eq((got[burst, "s"], lost), ([1] * 100, []),
                "shaping, more frames wait than notes are kept of: each frame once")
        bed.tc(f"qdisc replace dev bwp0 root {TBF}")
        bed.check(*at, what=", qdisc first")
        bed.check(Place("another port, egress", [f"port vnet2 dir egress {s}"],
                        int(not netfilter), only=lambda row: row.rx == "b"))
        found = json.loads(vtap("-j check", bed.h, ok=None).stdout)
        ksft_eq([f["text"] for f in found if f["cause"] == "unseen"], netfilter * [
            "no hook of vnet2 sees what tc redirects at the ingress of a device"],
            "vtap check says so of the rule")
        bed.tc("qdisc del dev vnet1 ingress", "qdisc add dev vnet1 clsact",
               "filter add dev vnet1 ingress matchall action mirred egress mirror dev vnet3")
        bed.check(*at, what=", mirrored by tc")
        bed.tc("qdisc del dev vnet1 clsact", "qdisc add dev vnet1 clsact",
               "filter add dev vnet1 ingress matchall action drop")
        bed.have([Row("dropped by tc", "a", "")])
        bed.check(*at, what=", dropped by tc")
        bed.tc("qdisc del dev vnet1 clsact")
        bed.rules(f"port '*' {s}")
        ksft_eq(unseen(bed, "vnet1", "vnet2"), [[], []], "port show: without tc, no more")


def unseen(bed, *devs):
    """Return: for each of DEVS, what port show says that no hook sees."""
    return [vtap_json(f"port show {dev}", bed.h)[0].get("unseen", []) for dev in devs]


def bandwidth_plugin(bed, dev):
    """Shape what comes in by DEV, as the plugin does."""
    bed.tc(f"qdisc add dev {dev} ingress",
           f"filter add dev {dev} parent ffff: protocol all u32 match u32 0 0 "
           "action mirred egress redirect dev bwp0",
           f"qdisc add dev bwp0 root {TBF}")


def shaped_below_master():
    """Shaping of ports that have the hook in front of their rx_handler, once it has moved."""
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(stacked_bed("shaping"))
        rows = [r for r in STACKED if r.tx in "ac"]
        ports = {"a": "sl1", "c": "low0"}
        if modprobe("openvswitch"):
            switch = stack.enter_context(Vswitch(bed.h))
            bed.vm("g", "vnet7")
            bed.vm("i", "vnet8")
            switch.vsctl("add-br ovs0 -- set Open_vSwitch . other_config:max-idle=600000")
            switch.vsctl("add-port ovs0 vnet7 -- add-port ovs0 vnet8")
            rows.append(Row("Open vSwitch", "g", "i"))
            ports["g"] = "vnet7"
        bed.have(rows)
        bed.ready()
        bed.rules()
        bed.shoot()
        for row in rows:
            dev = ports[row.tx]
            bed.h.ip("link add bwp0 type ifb", "link set bwp0 addrgenmode none up")
            bed.rules("port '*' action mirror s")
            hook = vtap_json(f"port show {dev}", bed.h)[0]["ingress_hook"]
            bandwidth_plugin(bed, dev)
            moved = busywait(lambda d=dev: vtap_json(f"port show {d}",
                                                     bed.h)[0]["ingress_hook"] != "chain", 5)
            ksft_true(moved, f"shaping, {row.name}: the hook, {hook} before, is ahead of tc")
            bed.check(Place("port '*'", ["port '*' action mirror s"]), Place("no rule", [], 0),
                      rows=[row],
                      what=f", {row.name}")
            bed.tc(f"qdisc del dev {dev} ingress")
            bed.h.ip("link del bwp0")


STACKED = [
    Row("bond, in by a slave", "a", "b"), Row("bond, out by a slave", "b", "a"),
    Row("macvlan, in and routed", "c", "x", dst=GATEWAY),
    Row("macvlan, routed and out", "x", "c", dst=GATEWAY),
    Row("VRF, routed", "e", "f", dst=GATEWAY, **TTL),
]


@contextlib.contextmanager
def stacked_bed(name="stacked"):
    """A bond in br0, the host's macvlan device on a port, two ports in a VRF."""
    with Bed(name, "abcefgix", "'[!lmou]*'") as bed:
        h = bed.h
        h.ip("link add bond0 type bond mode active-backup miimon 10",
             "link set bond0 addrgenmode none")
        bed.vm("a", "sl1")
        wire(h, "sl2", bed.w.a, "eth1")
        h.ip("link set sl1 down", "link set sl2 down", "link set sl1 master bond0",
             "link set sl2 master bond0",
             "link set bond0 type bond active_slave sl1", "link set bond0 up", "link set sl1 up",
             "link set sl2 up",
             "link set bond0 master br0")
        bed.vm("b", "vnet2", "br0")
        bed.vm("c", "low0", address="10.2.0.3")
        h.ip(f"link add mv0 link low0 address {GATEWAY} type macvlan mode bridge",
             "link set mv0 addrgenmode none up")
        bed.routed("mv0", "10.2.0.254/24", "c")
        h.ip("link add vrf1 type vrf table 10", "link set vrf1 up")
        for letter, dev, net in (("e", "vnet5", "10.3.0"), ("f", "vnet6", "10.4.0")):
            bed.vm(letter, dev, address=f"{net}.9")
            h.ip(f"link set {dev} master vrf1", f"link set {dev} address {GATEWAY}")
            bed.routed(dev, f"{net}.254/24", letter)
        uplink(bed)
        if not busywait(lambda: h.running("bond0")):
            raise RuntimeError("the bond does not come up")
        yield bed


def stacked():
    """Devices on top of others, all of them tapped: once for each frame, not for each device."""
    s = "action mirror s"
    with stacked_bed() as bed:
        bed.have(STACKED)
        bed.ready()
        bed.check(
            Place("no rule", [], 0), Place("port '*'", [f"port '*' {s}"]),
            Place("port '*' dir ingress", [f"port '*' dir ingress {s}"]),
            Place("the devices below", [f"port 'sl*' {s}", f"port low0 {s}",
                                        f"port 'vnet[56]' {s}"]),
            Place("bond and slaves, macvlan and its lower device",
                  [f"port '[bs]*[0-9]' {s}", f"port mv0 {s}", f"port low0 {s}"],
                  only=lambda row: "VRF" not in row.name),
            Place("one session by both",
                  lambda row: [f"port '*' dir ingress {row.before()} {s}",
                               f"port '*' dir egress {row.after()} {s}"]),
            Place("s at ingress, t at egress", [f"port '*' dir ingress {s}",
                                                "port '*' dir egress action mirror t"], (1, 1)))


def bounced():
    """A VM's XDP_TX sends a frame back in the memory in which it came: it is another frame."""
    s = "action mirror s"
    with Bed("XDP_TX", "abc") as bed:
        for n, letter in enumerate("abc", 1):
            bed.vm(letter, f"vnet{n}", "br0")
        bed.have([Row("there and back", "a", "ab")])
        bed.rows[0].frame = lambda bed, n: udp_frame(VM % 2, VM % 1, "10.0.0.1", "10.0.0.2",
                                                     dport=FIRST_PORT,
                                                     payload=b"vtap#%08d" % n)
        bed.ready()
        bed.rules()
        try:
            # a veth device takes what its peer sends by XDP when it has a program, too
            links = xdp(bed.h, "vnet2", XDP_PASS), xdp(bed.w.b, "eth0", xdp_tx())
        except OSError as e:
            ksft_skip(f"no XDP program: {e}", "XDP_TX")
            return
        bed.rx["b"].match = lambda f: False
        bed.rows[0].rx = "a"
        ksft_eq(bed.shoot()[1], [], "XDP_TX: the frames come back")
        bed.rules(f"port 'vnet*' {s}")
        ksft_eq(unseen(bed, "vnet1", "vnet2"), [["xdp_send"], ["xdp", "xdp_send"]],
                "port show: what an XDP program may keep from the hooks")
        both = [("port '*'", 2), ("port vnet1", 2), ("port vnet2", 2), ("port 'vnet*'", 2),
                ("port vnet1 dir egress", 1), ("port vnet1 dir ingress", 1),
                ("port vnet2 dir egress", 1), ("port 'vnet*' dir ingress", 2), (f"mac {VM % 1}", 2)]
        bed.check(Place("no rule", [], 0),
                  *[Place(where, [f"{where} {s}"], n) for where, n in both])
        for link in links:
            os.close(link)


def insn(op, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", op, src << 4 | dst, off, imm)


XDP_PASS = insn(0xb7, 0, imm=2) + insn(0x95)


def xdp_tx():
    """Return: a program that swaps the MAC addresses and sends frames back."""
    w, h, to_w, to_h = 0x61, 0x69, 0x63, 0x6b  # load and store 4 and 2 bytes
    return b"".join((
        insn(w, 2, 1, 0), insn(w, 3, 1, 4), insn(0xbf, 4, 2), insn(0x07, 4, imm=14),
        insn(0x2d, 4, 3, 10),
        insn(w, 5, 2, 0), insn(h, 6, 2, 4), insn(w, 7, 2, 6), insn(h, 8, 2, 10),
        insn(to_w, 2, 7, 0), insn(to_h, 2, 8, 4), insn(to_w, 2, 5, 6), insn(to_h, 2, 6, 10),
        insn(0xb7, 0, imm=3), insn(0x95), XDP_PASS))


def xdp(ns, dev, prog):
    """Attach a program. Return: a descriptor that keeps it."""
    text, gpl = ctypes.create_string_buffer(prog, len(prog)), ctypes.create_string_buffer(b"GPL")

    def bpf(command, attr):
        buf = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
        fd = libc.syscall(321, command, buf, 128)
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return fd
    # BPF_PROG_LOAD of BPF_PROG_TYPE_XDP
    fd = bpf(5, struct.pack("=IIQQ", 6, len(prog) // 8, ctypes.addressof(text),
                            ctypes.addressof(gpl)))
    with ns.enter():
        # BPF_LINK_CREATE, of type BPF_XDP
        link = bpf(28, struct.pack("=IIII", fd, socket.if_nametoindex(dev), 37, 0))
    os.close(fd)
    return link


def reused():
    """Memory that is used again: between frames that are copied where they come in, others that
    only match where they go out; from that port, an untapped one, the host, a veth pair of it."""
    s, half = "action mirror s", 1000
    with bridge_bed("reuse") as bed:
        wire(bed.h, "in0", bed.h, "in1")
        bed.h.ip("link set in1 master br0")
        bed.w.ready()
        snat = next(r for r in BRIDGE if r.name == "SNAT")
        noted, plain = Row("noted", "a", "d"), Row("plain", "c", "b")
        bed.rx["d"].sock.close()  # what it captures is not used again
        noted.index, plain.index = 800, 801
        host = bed.stack.enter_context(Sender(bed.h, "ext0"))
        pair = bed.stack.enter_context(Sender(bed.h, "in0"))
        at_b = [f"port vnet1 dir ingress dst_port {noted.dport} {s}",
                f"port vnet2 dir egress dst_port {plain.dport} {s}"]
        at_x = [f"port vnet1 dir ingress dst_port {noted.dport} {s}",
                f"port ext0 dir egress src_ip 203.0.113.77 {s}"]
        of_host = [f"port vnet1 dir ingress dst_port {noted.dport} {s}",
                   f"port ext0 dir egress dst_port {plain.dport} {s}"]
        for what, rules, tx, row, far in (
                ("the same port, rewritten", at_x, bed.tx["a"], snat, "x"),
                ("the same port, to another rule", at_b, bed.tx["a"], plain, "b"),
                ("an untapped port", at_b, bed.tx["c"], plain, "b"),
                ("a veth pair of the host", at_b, pair, plain, "b"),
                ("a veth pair of the host, both ends tapped",
                 [*at_b, f"port 'in*' dst_port {noted.dport} {s}"], pair,
                 plain, "b"),
                ("the host", of_host, host, plain, "x")):
            bed.rules(*rules)
            bed.shots += 1
            base = bed.shots * 100000
            first, second = range(base, base + half), range(base + 10000, base + 10000 + half)
            with one_cpu(0):
                for one, two in zip(first, second):
                    bed.tx["a"].send(noted.frame(bed, one))
                    tx.send(row.frame(bed, two))
            arrived = set()
            busywait(lambda a=arrived, f=far, t=second: a.update(frame_number(x)
                                                                 for x in bed.rx[f].frames())
                     or a.issuperset(t), 20)
            copies = bed.collect()
            for kind, numbers in (("that come in by the tapped port", first),
                                  (f"of {what}", second)):
                counts = collections.Counter(copies[7, n] for n in numbers)
                ksft_eq(dict(counts), {1: half},
                        f"reuse, {what}: {half} frames {kind} are copied once each")
            ksft_true(arrived.issuperset(second), f"reuse, {what}: all arrive")


class Queue(threading.Thread):
    """A program that lets all pass that nftables sends to queue 0 of namespace NS; on one CPU."""

    def __init__(self, ns, cpu):
        super().__init__(daemon=True)
        self.cpu, self.seq = cpu, 0
        with ns.enter():
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        self.sock.bind((0, 0))
        self.say(2, 1, struct.pack("!BBH", 1, 0, socket.AF_INET))  # NFQNL_CFG_CMD_BIND
        self.say(2, 2, struct.pack("!IB", 0, 1))  # NFQNL_COPY_META

    def say(self, kind, attr, data):
        """Send a message of one attribute."""
        body = struct.pack("!BBH", socket.AF_INET, 0, 0) + struct.pack("=HH", 4 + len(data), attr)
        body += data + bytes(-len(data) % 4)
        self.seq += 1
        self.sock.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | kind, 1, self.seq, 0) + body)

    def run(self):
        os.sched_setaffinity(0, {self.cpu})
        while data := self.sock.recv(1 << 16):
            kind, = struct.unpack("=H", data[4:6])
            if kind == 3 << 8:  # a packet; its header is the first attribute
                self.say(1, 2, struct.pack("!I4s", 1, data[24:28]))


def held():
    """Frames that a program on another CPU holds and lets go, in memory that others had before."""
    if not modprobe("nfnetlink_queue", "nft_queue"):
        ksft_skip("no nfnetlink_queue", "held")
        return
    s, n = "action mirror s", 500
    with bridge_bed("held") as bed:
        noted, plain = Row("noted", "x", "a", dst=GATEWAY), Row("held", "x", "b", dst=GATEWAY)
        noted.index, plain.index = 800, 801
        Queue(bed.h, 1).start()
        bed.h.sh("nft -f -", input="table ip q { chain c { type filter hook forward priority 0; "
                 f"udp dport {plain.dport} queue num 0; }}; }}\n")
        in_sysfs(bed.h, "ext0", 3)  # each flow has its CPU
        bed.rules(f"port ext0 dir ingress dst_port {noted.dport} {s}",
                  f"port vnet2 dir egress dst_port {plain.dport} {s}")
        bed.rx["a"].sock.close()  # what it captures is not used again
        arrived = set()
        with one_cpu(1):
            for i in range(n):
                noted.sport, plain.sport = 1024 + i % 50, 2024 + i * 7 % 50
                bed.tx["x"].send(noted.frame(bed, i), plain.frame(bed, 10000 + i))
        second = range(10000, 10000 + n)
        busywait(lambda: arrived.update(frame_number(f) for f in bed.rx["b"].frames()) or
                 arrived.issuperset(second), 20)
        busywait(lambda: False, 0.1)
        copies = bed.collect()
        ksft_true(arrived.issuperset(second), "held: all arrive", len(arrived))
        ksft_eq(dict(collections.Counter(copies[7, i] for i in range(n))), {1: n},
                "held: what the tapped port noted is copied once")
        ksft_eq(dict(collections.Counter(copies[7, i] for i in second)), {1: n},
                "held: what a program held is copied once")


def merged():
    """TCP segments that GRO merges on their way in: every byte is copied once."""
    with Bed("GRO", "ab") as bed:
        for n, letter in enumerate("ab", 1):
            bed.vm(letter, f"vnet{n}", "br0")
            ns = getattr(bed.w, letter)
            ns.ip(f"address add {IP % n}/24 dev eth0", "link set lo up",
                  f"neigh replace {IP % (3 - n)} lladdr {VM % (3 - n)} dev eth0 nud permanent")
            ns.sh("ethtool -K eth0 tso off gso off")
            bed.h.sh(f"ethtool -K vnet{n} gro on")
        bed.ready()
        for words, times in (("port '*'", 1), ("port vnet2 dir egress", 1),
                             ("port 'vnet*' dup on", 2)):
            bed.rules(f"{words} ip_proto tcp src_ip {IP % 1} action mirror s")
            with Sniffer(bed.w.col, "e1", match=lambda f: f[23:24] == b"\x2f"
                         and f[65:66] == b"\x06") as col:
                data = os.urandom(200000)
                stream(bed)(data)
                got = collections.Counter()

                def covered(col=col, got=got):
                    for f in col.frames(1, 0.2):
                        ihl, length = (f[56] & 15) * 4, struct.unpack("!H", f[58:60])[0]
                        seq, = struct.unpack("!I", f[60 + ihl:64 + ihl])
                        doff = (f[68 + ihl] >> 4) * 4
                        got[seq] += 0
                        if length > ihl + doff:
                            got[seq] += length - ihl - doff
                    return sum(got.values()) >= times * len(data)
                busywait(covered, 10)
                busywait(lambda: False, 0.1 / SLOW)
                covered()
                resent = retransmitted(bed.w.a)
                ksft_true(times * len(data) <= sum(got.values()) <= times *
                          (len(data) + resent * 1500), f"GRO: {words}: every byte {times} times",
                          (sum(got.values()), len(data), resent))


def retransmitted(ns):
    """Return: TCP segments that the namespace sent again."""
    with ns.enter(), open("/proc/net/snmp", encoding="ascii") as f:
        names, values = [line.split() for line in f if line.startswith("Tcp:")]
    return int(values[names.index("RetransSegs")])


def stream(bed):
    """Return: a function that sends data from a to b over TCP, and checks it."""
    with bed.w.b.enter():
        listener = socket.create_server((IP % 2, 5001))

    def send(data):
        result = bytearray()

        def serve():
            conn, _ = listener.accept()
            with conn, listener:
                while part := conn.recv(1 << 16):
                    result.extend(part)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with bed.w.a.enter(), socket.create_connection((IP % 2, 5001)) as sock:
            sock.sendall(data)
        thread.join(60 * SLOW)
        ksft_eq(bytes(result) == data, True, "GRO: the transfer is complete")
    return send


def multicast():
    """A bridge that makes unicast frames of multicast ones, for each receiver on the port."""
    with Bed("multicast to unicast", "abc") as bed:
        bed.h.ip("link set br0 type bridge mcast_snooping 1 mcast_querier 1")
        for n, letter in enumerate("abc", 1):
            bed.vm(letter, f"vnet{n}", "br0")
        bed.h.sh("bridge -batch -", input="".join(f"link set dev vnet{n} mcast_to_unicast on\n"
                                                  for n in (2, 3)))
        bed.have([Row("multicast", "a", "bc", dst=MULTICAST, dst_ip="239.1.2.3",
                      before=f"dst_mac {MULTICAST}")])
        bed.ready()
        for letter in "bc":
            igmp = struct.pack("!BBH4s", 0x16, 0, 0, socket.inet_aton("239.1.2.3"))
            igmp = igmp[:2] + struct.pack("!H", checksum(igmp)) + igmp[4:]
            head = struct.pack("!BBHHHBBH", 0x46, 0xc0, 24 + len(igmp), 1, 0, 1, 2, 0)
            head += socket.inet_aton(bed.address(letter)) + socket.inet_aton("239.1.2.3")
            head += b"\x94\x04\0\0"  # router alert
            head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
            bed.tx[letter].send(ether(MULTICAST, bed.mac(letter), 0x0800, head + igmp))

        def members():
            return bed.h.sh("bridge mdb show dev br0").stdout
        joined = busywait(lambda: members().count("grp 239.1.2.3") >= 2, 10)
        ksft_true(joined, "multicast to unicast: both have joined", members)
        bed.rules()

        def addressed():
            """Return: whether b gets it under its own address, as it does with a querier."""
            bed.tx["a"].send(bed.rows[0].frame(bed, 77000000))
            return bed.mac("b") in [f[:6].hex(":") for f in bed.rx["b"].frames(1, 1)]
        ksft_true(busywait(addressed, 30, 0.5),
                  "multicast to unicast: b gets it under its own address")
        # the bridge makes them with skb_copy(): neither skb nor data are those that came in
        bed.rows[0].more = 2
        bed.check(*[p for p in places(bed) if "matches" not in p.name])


if __name__ == "__main__":
    modprobe("veth", "bridge", "bonding", "ifb", "macvlan", "vrf")
    ksft_run([shaped, shaped_below_master, stacked, bounced, reused, held, merged, multicast])
    ksft_exit()
