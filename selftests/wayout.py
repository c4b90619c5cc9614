#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The way out of a session with a device of its own: path MTU, scope of the address, ids of packets."""
import contextlib
import json

import ksft
from ksft import Sender, Sniffer, Topology, busywait, eq, ok, vtap
from faithful import configure, mirror
from paths import is_copy, second_uplink, session, too_big
from wire import Decoder

FAR4, FAR6 = "203.0.113.9", "2001:db8:71::9"


def route_mtu(t, remote, dev):
    """Return: the MTU that the route to REMOTE by DEV has learned, or None."""
    route = json.loads(t.host.sh(f"ip -j route get {remote} oif {dev}").stdout)[0]
    return next((m["mtu"] for m in route.get("metrics", []) if "mtu" in m), None)


def path_mtu():
    """What a router says about the copies of a session with dev changes the route by that device, and no other."""
    for version, remote, mtu in ((4, FAR4, 1000), (6, FAR6, 1300)):
        with Topology() as t, contextlib.ExitStack() as stack:
            second_uplink(t)
            near, other = ("192.0.2.9", "192.0.3.9") if version == 4 else ("2001:db8:9::9", "2001:db8:a::9")
            t.host.ip(f"route add {remote} via {near} dev up0 metric 1", f"route add {remote} via {other} dev up1 metric 2")
            tx = stack.enter_context(Sender(t.a, "eth0"))
            rx = stack.enter_context(Sniffer(t.col, "eth1", match=is_copy))
            back = stack.enter_context(Sender(t.col, "eth1"))
            configure(t.host, f"session add s type erspan2 id 1 remote {remote} dev up1 mtu truncate")
            mirror(t, "vnet0", ["s"], "dir ingress ip_proto udp")
            tx.send(t.udp(payload=b"p" * 1400))
            outer = rx.frames(1)
            eq(f"IPv{version}: the copy leaves by up1", len(outer), 1)
            answer = too_big(t, Decoder(9000)(outer[0]), mtu)
            answer = ksft.mac("02:00:00:00:01:01") + answer[6:]

            def told(back=back, answer=answer, t=t, mtu=mtu):
                back.send(answer)  # again: the first may come before the module listens
                return session(t, "s")["path_mtu"] == mtu
            ok(f"IPv{version}: the session with dev follows", busywait(told, 8, 0.2), session(t, "s"))
            eq(f"IPv{version}: the route by up0 stays as it was", route_mtu(t, remote, "up0"), None)


def link_local():
    """A link-local collector without dev is refused, unicast and multicast; with dev it is taken."""
    with Topology() as t:
        for remote in ("fe80::9", "ff02::9"):
            p = vtap(f"session add s type gre remote {remote}", t.host, ok=False)
            ok(f"{remote} without dev is refused", p.returncode and "needs dev" in p.stderr, p.stderr)
            vtap(f"session add s type gre remote {remote} dev up0", t.host)
            p = vtap("session set s dev ''", t.host, ok=False)
            eq(f"{remote}: dev stays", session(t, "s")["dev"], "up0")
            vtap("session del s", t.host)


if __name__ == "__main__":
    ksft.modprobe("veth", "bridge")
    ksft.run(path_mtu, link_local)
