#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The test bed itself: a capture holds exactly the frames that were sent."""
import os

from lib import (TESTS, Sender, Sniffer, Topology, ksft_eq, ksft_exit, ksft_run, ksft_true,
                 modprobe, sh)


def wire():
    """A frame crosses a veth pair unchanged, its VLAN tag included; one that was not sent is not
    seen."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.host,
                                                             "vnet0") as rx, \
            Sniffer(t.col, "eth0") as other:
        plain = t.udp(payload=bytes(range(256)))
        tagged = t.udp(payload=b"tagged", vlan=3 << 13 | 7)
        v6 = t.udp(version=6, payload=b"six")
        tx.send(plain, tagged, v6)
        ksft_eq(rx.frames(3), [plain, tagged, v6], "frames pass a veth pair byte for byte")
        ksft_eq(rx.frames(), [], "and only those")
        last = t.udp(payload=b"last")
        tx.send(plain, last)
        ksft_eq(rx.until(lambda f: f == last), [plain], "the frame before the last one is found")
        ksft_eq(other.frames(), [], "nothing is seen where nothing was sent")


def metadata():
    """A checksum left to the device is seen as such, and a super-frame stays whole between two
    VMs."""
    with Topology() as t, Sender(t.a, "eth0", vnet=True) as tx, Sniffer(t.b, "eth0",
                                                                        vnet=True) as rx:
        frame = t.tcp(payload=b"x" * 4000, partial=True)
        tx.send(frame, csum=(34, 16), gso=(Sender.GSO_TCPV4, 1000, 54))
        got = rx.frames(1)
        ksft_eq([len(f) for f in got], [len(frame)], "a super-frame arrives in one piece")
        ksft_true(got and not got[0].csum_ready, "its checksum is known to be unfinished")


def ping():
    """100 pings through the bridge arrive, and a capture of the port counts each of them once."""
    with Topology() as t, Sniffer(t.host, "vnet0", "both") as rx:
        for family, target in ((4, t.IP4["b"]), (6, t.IP6["b"])):
            p = t.a.sh(f"ping -{family} -c 100 -i 0.01 -W 5 -q {target}", check=False)
            ksft_true(p.returncode == 0 and " 0% packet loss" in p.stdout,
                      f"100 IPv{family} pings are lossless", p.stdout)
            got = rx.frames(200)
            ksft_eq([sum(not f.outgoing for f in got), sum(f.outgoing for f in got)], [100, 100],
                    f"IPv{family}: 100 requests and 100 replies are captured")


def deferred():
    """Deferred calls follow the test, the latest first, even if it fails; a skip is no failure."""
    text = """
from lib import KsftSkipEx, defer, ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_true
def fails():
    defer(ksft_pr, "first")
    defer(ksft_pr, "last")
    with defer(ksft_pr, "with"):
        ksft_true(True)
    ksft_eq(1, 2, "one")
def skips():
    raise KsftSkipEx("why")
ksft_run([fails, skips])
ksft_exit()
"""
    env = dict(os.environ, PYTHONPATH=TESTS)
    p = sh(["/usr/bin/python3", "-c", text], env=env, check=False)
    want = ["ok 1 fails", "# with", "not ok 2 one", "# got  1", "# want 2", "# last", "# first",
            "ok 3 skips # SKIP why", "1..3"]
    ksft_eq((p.returncode, p.stdout.splitlines()), (1, want),
            "deferred calls, a failure, a skip, and the plan")


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([deferred, wire, metadata, ping])
    ksft_exit()
