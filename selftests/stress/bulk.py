#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Super-frames of TCP, UDP and tunnels through a bridge and Open vSwitch: collectors get every
byte, on every kind of wire."""
import contextlib
import json
import os
import random
import socket
import struct
import subprocess
import tempfile

from lib import (SLOW, TESTS, Sender, Sniffer, Topology, checksum, ksft_eq, ksft_exit, ksft_run,
                 ksft_skip, ksft_true, modprobe, raise_backlog, vtap, vtap_batch, vtap_json)
from lib.ovs import Vswitch
from lib.traffic import SOL_UDP, UDP_SEGMENT, dropped, identity, offloads, stop_copying, transfer

COLLECT = TESTS + "/stress/collect"
TYPES = {"gre": "type gre key {id} seq {seq}",
         "two": "type erspan2 id {id}", "three": "type erspan3 id {id}",
         "vx": "type vxlan key {id}"}
SEGMENT = 1400
LONG = (int(os.environ.get("VTAP_BULK", "8")) << 20) // SLOW  # VTAP_BULK: MiB of the long stream
TUNNELS = {"vxlan": "type vxlan id 9 dstport 4790 local {0} remote {1} noudpcsum",
           "vxlan with checksum": "type vxlan id 10 dstport 4790 local {0} remote {1} udpcsum",
           "gretap": "type gretap local {0} remote {1}"}


def datagrams(size):
    """Return: SIZE random bytes; each datagram of them begins with its offset."""
    return b"".join(struct.pack("!I", at) + random.randbytes(min(SEGMENT, size - at) - 4)
                    for at in range(0, size, SEGMENT))


class Flow:
    """Traffic from VM a to b: PROTO 6 or 17, source address and port, what is sent. MOST: of its
    bytes in a frame of the wire."""

    def __init__(self, where, name, proto, addresses, data, most=1448):
        self.name, self.proto, self.data = name, proto, data
        self.addresses, self.most = addresses, most
        self.port, self.path = random.randrange(20000, 30000), f"{where}/{name}"
        with open(self.path, "wb") as f:
            f.write(data)

    def __str__(self):
        return f"{self.proto},{self.addresses['a']},{self.port},{self.path}"

    def send(self, t):
        """Send it; b takes it."""
        if self.proto == 6:
            transfer(t, self.data, addresses=self.addresses, sport=self.port)
            return
        family = socket.AF_INET6 if ":" in self.addresses["a"] else socket.AF_INET
        with t.b.enter(), socket.socket(family, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
            s.settimeout(120 * SLOW)
            s.bind((self.addresses["b"], 4000))
            with t.a.enter(), socket.socket(family, socket.SOCK_DGRAM) as tx:
                tx.setsockopt(SOL_UDP, UDP_SEGMENT, SEGMENT)
                tx.bind((self.addresses["a"], self.port))
                tx.connect((self.addresses["b"], 4000))
                tx.send(self.data[:SEGMENT])
                # with the first, ovs-vswitchd learns of the flow; the others it is not to see
                got = [s.recv(1 << 16)]
                for at in range(SEGMENT, len(self.data), 20 * SEGMENT):
                    tx.send(self.data[at:at + 20 * SEGMENT])
            got += [s.recv(1 << 16) for _ in range(SEGMENT, len(self.data), SEGMENT)]
        if b"".join(sorted(got)) != self.data:
            raise RuntimeError("the datagrams came otherwise")


def flows(t, where, long, port_mtu):
    """Return: a stream of LONG bytes, and shorter traffic of other kinds."""
    tunnels = [{"a": f"10.7.{n}.1", "b": f"10.7.{n}.2"} for n in range(len(TUNNELS))]
    return [Flow(where, "TCP", 6, t.IP4, random.randbytes(long), port_mtu - 52),
            Flow(where, "TCP in IPv6", 6, t.IP6, random.randbytes(1 << 20), port_mtu - 72),
            Flow(where, "UDP", 17, t.IP4, datagrams(100 * SEGMENT - 400)),
            Flow(where, "UDP in IPv6", 17, t.IP6, datagrams(100 * SEGMENT))] + \
           [Flow(where, f"TCP in {name}", 6, addresses, random.randbytes(1 << 18), 1348)
            for name, addresses in zip(TUNNELS, tunnels)]


def tunnels(t):
    """Tunnels between the VMs, of all TUNNELS."""
    for ns, key, peer, last in ((t.a, "a", "b", 1), (t.b, "b", "a", 2)):
        for n, words in enumerate(TUNNELS.values()):
            ns.ip(f"link add tun{n} address 02:00:00:00:07:{n}{last} "
                  f"{words.format(t.IP4[key], t.IP4[peer])}", f"link set tun{n} addrgenmode none",
                  f"link set tun{n} up mtu 1400", f"address add 10.7.{n}.{last}/24 dev tun{n}",
                  f"neigh add 10.7.{n}.{3 - last} lladdr 02:00:00:00:07:{n}{3 - last} dev tun{n} "
                  "nud permanent")


class Collect:
    """The program `collect` on device DEV of namespace NS."""

    def __init__(self, ns, dev, mtu, longest, *expected):
        self.proc = ns.popen([COLLECT, dev, str(mtu), str(longest), *map(str, expected)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.proc.stdout.readline() != "ready\n":
            raise RuntimeError("collect does not start")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.communicate()

    def done(self, n):
        """Return: what it found once it has N copies."""
        out, _ = self.proc.communicate(f"{n}\n", timeout=300 * SLOW)
        if self.proc.returncode:
            raise RuntimeError(f"collect ended with status {self.proc.returncode}")
        got = json.loads(out)
        if got["lost"]:
            raise RuntimeError(f"the capture lost {got['lost']} packets")
        got["sessions"] = {(s["kind"], s["version"], s["number"]): s for s in got["sessions"]}
        return got


@contextlib.contextmanager
def open_vswitch(t):
    """In place of the bridge, one of ovs-vswitchd's, in the kernel's datapath."""
    t.host.ip("link set vnet0 nomaster", "link set vnet1 nomaster", "link del br0")
    with Vswitch(t.host) as switch:
        switch.vsctl("add-br ovs0 -- add-port ovs0 vnet0 -- add-port ovs0 vnet1")
        yield


def set_up(t, mtu, plain):
    """Make the wire to the collector: its MTU, and whether the host's end offloads. New sessions,
    over IPv4 and IPv6."""
    t.host.ip(f"link set up0 mtu {mtu}")
    t.col.ip(f"link set eth0 mtu {mtu}")
    offloads(t.host, "up0", not plain)
    remotes = [(v, (t.IP6 if v == 6 else t.IP4)["col"]) for v in (4, 6)]
    names = [f"{kind}{v}" for v, _ in remotes for kind in TYPES]
    seq = "on" if plain else "off"
    vtap_batch(t.host, "session flush", *[f"session add {kind}{v} "
                                          f"{words.format(id=100 + v, seq=seq)} remote {remote}"
                                          for v, remote in remotes
                                          for kind, words in TYPES.items()],
               f"rule add pref 10 port vnet0 dir both action mirror {','.join(names)}")


def send_all(t, what, expected):
    """Send all flows; fewer frames pass the port than the wire needs."""
    plain_udp = not t.udp_gso()
    for flow in expected:
        before = vtap_json("-s port show vnet0", t.host)[0]["ingress"]["seen"]
        flow.send(t)
        seen = vtap_json("-s port show vnet0", t.host)[0]["ingress"]["seen"] - before
        name = f"{what}: {flow.name}: the port carried super-frames"
        if flow.proto == 17 and plain_udp:
            ksft_skip("this kernel's veth devices take none of UDP", name)
            continue
        ksft_true(seen < len(flow.data) / flow.most, name,
                  f"{seen} frames for {len(flow.data)} bytes")


def faults(s, got, expected):
    """Return: what is wrong with the copies GOT of session S, as it shows itself."""
    st = s["stats"]
    wrong = [f"counters {st}"] if dropped(st) or st["matched"] != st["sent"] else []
    if got is None:
        return wrong + ["no copies"]
    pairs = {"sent": "copies", "bytes": "bytes", "fragmented": "fragmented"}
    wrong += [f"{st[mine]} {mine}, {got[its]} came" for mine, its in pairs.items()
              if st[mine] != got[its]]
    wrong += [f"{got[key]} {key}" for key in ("truncated", "repeated", "missing") if got[key]]
    wrong += [f"{flow.name}: {f['missing']} of {len(flow.data)} bytes missing in {f['segments']} "
              "segments" for flow, f in zip(expected, got["flows"]) if f["missing"]]
    return wrong


def finish(t, rx):
    """End the copying. Return: the sessions, and what the collector got."""
    shown = stop_copying(t)
    return shown, rx.done(sum(s["stats"]["sent"] for s in shown))


def check(what, mtu, port_mtu, shown, got, expected):
    """All that was sent came, whole, once, and in packets that are right and not too long."""
    ksft_eq([got["bad"], got["texts"], got["waiting"], got["others"]], [0, [], 0, 0],
            f"{what}: every packet is right: lengths, checksums, fragments, payload")
    ksft_true(port_mtu <= got["longest"] <= mtu, f"{what}: no outer packet is longer than {mtu}",
              got["longest"])
    ksft_true({s["stats"]["fragmented"] > 0 for s in shown} == {mtu < port_mtu + 50},
              f"{what}: fragments are made where the wire is too narrow", shown)
    for s in shown:
        wrong = faults(s, got["sessions"].get(identity(s)), expected)
        ksft_true(not wrong,
                  f"{what}: {s['name']}: whole payload, no frame cut, no number missing or twice",
                  wrong[:4])


def matrix(t, switch, long, mtus=(1500, 9000), port_mtu=1500):
    """All traffic to all types of session over IPv4 and IPv6, on each kind of wire. One without a
    tap gets nothing."""
    tunnels(t)
    with tempfile.TemporaryDirectory(dir="/run") as where:
        expected = flows(t, where, long, port_mtu)
        for mtu in mtus:
            for plain in (True, False):
                what = f"{switch}, MTU {mtu}, {'plain' if plain else 'offloading'} wire"
                set_up(t, mtu, plain)
                with Collect(t.col, "eth0", mtu, port_mtu + 14, *expected) as rx:
                    send_all(t, what, expected)
                    check(what, mtu, port_mtu, *finish(t, rx), expected)
        with Collect(t.col, "eth0", mtu, 1514, *expected) as rx:
            expected[1].send(t)
            got = rx.done(0)
            ksft_eq([got["packets"], got["others"]], [0, 0],
                    f"{switch}: without a rule nothing comes")
    ksft_eq([t.a.icmp_errors(), t.b.icmp_errors()], [{}, {}],
            f"{switch}: no ICMP error reached a VM")


def bridge():
    """A long stream through a bridge, shorter on a kernel that is slow."""
    with Topology() as t:
        matrix(t, "bridge", LONG)


def jumbo():
    """Jumbo frames on a wire that is too narrow for their copies."""
    with Topology(9000) as t:
        matrix(t, "bridge of MTU 9000", 2 << 20, mtus=(9000,), port_mtu=9000)


def ovs():
    """The same through Open vSwitch."""
    if not modprobe("openvswitch") and not os.path.exists("/sys/module/openvswitch"):
        ksft_skip("the kernel has none", "Open vSwitch")
        return
    with Topology() as t, open_vswitch(t):
        ksft_eq([t.host.links()[d].get("master") for d in ("vnet0", "vnet1")], ["ovs-system"] * 2,
                "Open vSwitch: the ports are in the kernel's datapath")
        matrix(t, "Open vSwitch", LONG)


def spoil(frames):
    """Return: kinds of damage, each the FRAMES with one of them, an ERSPAN II copy of a full
    segment, damaged; and what has to be said of it."""
    at = next(i for i, f in enumerate(frames) if len(f) > 1500)
    one, numbers = frames[at], 14 + 20 + 4
    other = next(i for i in range(1000, 1400) if one[i:i + 2] != one[i + 2:i + 4])

    def put(offset, data):
        return frames[:at] + [one[:offset] + data + one[offset + len(data):]] + frames[at + 1:]

    def outer(data, length):
        head = data[:16] + struct.pack("!H", length) + data[18:24] + b"\0\0" + data[26:34]
        return head[:24] + struct.pack("!H", checksum(head[14:34])) + head[26:] + data[34:]
    cut = outer(one[:-200], len(one) - 214)
    return {"nothing": (frames, ()), "a byte of payload": (put(len(one) - 9, bytes([one[-9] ^ 1])),
                                                           ("bad", "checksum")),
            "two bytes that sum up": (put(other, one[other + 2:other + 4] + one[other:other + 2]),
                                      ("bad", "other payload")),
            "an outer header": (put(22, b"\x01"), ("bad", "missing", "outer IPv4 header checksum")),
            "a sequence number": (put(numbers, b"\0\0\x7f\xff"), ("missing",)),
            "a number used twice": (put(numbers, frames[at - 1][numbers:numbers + 4]),
                                    ("missing", "repeated")),
            "a copy left out": (frames[:at] + frames[at + 1:], ("missing", "flow")),
            "a frame cut": (frames[:at] + [cut] + frames[at + 1:], ("bad", "IP packet to")),
            "the T bit": (put(numbers + 6, bytes([one[numbers + 6] | 4])), ("truncated",))}


def checker():
    """The program that checks the copies finds each kind of damage."""
    with Topology(up_mtu=1600) as t, tempfile.TemporaryDirectory(dir="/run") as where:
        vtap_batch(t.host, f"session add two type erspan2 id 5 remote {t.IP4['col']}",
                   "rule add pref 10 port vnet0 dir both action mirror two")
        flow = Flow(where, "TCP", 6, t.IP4, random.randbytes(100000))
        with Sniffer(t.col, "eth0") as rx:
            flow.send(t)
            vtap("rule flush", t.host)
            frames = [bytes(f) for f in rx.frames(vtap_json("-s session show two",
                                                            t.host)[0]["stats"]["sent"])]
        for name, (damaged, want) in spoil(frames).items():
            with Collect(t.col, "eth0", 1600, 1514, flow) as rx, Sender(t.host, "up0") as tx:
                tx.send(*damaged)
                got = rx.done(len(damaged))
            s = got["sessions"]["erspan2", 4, 5]
            found = {key for key in ("truncated", "repeated", "missing") if s[key]}
            found |= {"flow"} if s["flows"][0]["missing"] and not got["bad"] else set()
            found |= {"bad", next((w for w in want if w in got["texts"][0]),
                                  got["texts"][0])} if got["bad"] else set()
            ksft_eq(found, set(want), f"the checker sees {name}")
        with Collect(t.col, "eth0", 1550, 1513, flow) as rx, Sender(t.host, "up0") as tx:
            tx.send(*frames)
            got = rx.done(len(frames))
        ksft_true(got["bad"] > 10 and "frame of 1514" in got["texts"][0],
                  "the checker sees frames that are too long", got["texts"])
        with Collect(t.col, "eth0", 1549, 1514, flow) as rx, Sender(t.host, "up0") as tx:
            tx.send(*frames)
            got = rx.done(len(frames))
        ksft_true(got["bad"] > 10 and "packet of 1550" in got["texts"][0],
                  "the checker sees packets that are too long", got["texts"])


if __name__ == "__main__":
    modprobe("veth", "bridge", "vxlan", "ip_gre", "ip6_gre")
    raise_backlog()
    ksft_run([checker, bridge, jumbo, ovs])
    ksft_exit()
