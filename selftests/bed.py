#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Test of the test bed itself: what is sent is what is captured, no frame more or less."""
import ksft
from ksft import Sender, Sniffer, Topology, eq, ok


def wire():
    """A frame crosses a veth pair unchanged, its VLAN tag included; one that was not sent is not seen."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.host, "vnet0") as rx, Sniffer(t.col, "eth0") as other:
        plain = t.udp(payload=bytes(range(256)))
        tagged = t.udp(payload=b"tagged", vlan=3 << 13 | 7)
        v6 = t.udp(version=6, payload=b"six")
        tx.send(plain, tagged, v6)
        eq("frames pass a veth pair byte for byte", rx.frames(3), [plain, tagged, v6])
        eq("and only those", rx.frames(), [])
        last = t.udp(payload=b"last")
        tx.send(plain, last)
        eq("the frame before the last one is found", rx.until(lambda f: f == last), [plain])
        eq("nothing is seen where nothing was sent", other.frames(), [])


def metadata():
    """A checksum left to the device is seen as such, and a super-frame stays whole between two VMs."""
    with Topology() as t, Sender(t.a, "eth0", vnet=True) as tx, Sniffer(t.b, "eth0", vnet=True) as rx:
        frame = t.tcp(payload=b"x" * 4000, partial=True)
        tx.send(frame, csum=(34, 16), gso=(Sender.GSO_TCPV4, 1000, 54))
        got = rx.frames(1)
        eq("a super-frame arrives in one piece", [len(f) for f in got], [len(frame)])
        ok("its checksum is known to be unfinished", got and not got[0].csum_ready)


def ping():
    """100 pings through the bridge arrive, and a capture of the port counts each of them once."""
    with Topology() as t, Sniffer(t.host, "vnet0", "both") as rx:
        for family, target in ((4, t.IP4["b"]), (6, t.IP6["b"])):
            p = t.a.sh(f"ping -{family} -c 100 -i 0.01 -W 5 -q {target}", check=False)
            ok(f"100 IPv{family} pings are lossless", p.returncode == 0 and " 0% packet loss" in p.stdout, p.stdout)
            got = rx.frames(200)
            eq(f"IPv{family}: 100 requests and 100 replies are captured",
               [sum(not f.outgoing for f in got), sum(f.outgoing for f in got)], [100, 100])


if __name__ == "__main__":
    ksft.modprobe("veth", "bridge")
    ksft.run(wire, metadata, ping)
