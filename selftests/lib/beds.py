# SPDX-License-Identifier: GPL-2.0
"""A host with bridges and an uplink, and all the ways in which it can rewrite a frame."""
import contextlib

from .rows import BROADCAST, GATEWAY, MULTICAST, UNKNOWN, Bed, Row
from .topo import VM, bridge

OTHER = "02:00:00:00:04:01"
TTL = {"before": "filter 'ip[8] == 64'", "after": "filter 'ip[8] == 63'"}
CSUM = "pipe action csum ip and udp"
NO_VLAN = "filter 'not vlan'"

BRIDGE = [
    Row("bridged", "a", "b"),
    Row("unknown unicast to three ports", "a", "bcd", dst=UNKNOWN),
    Row("broadcast", "a", "bcd", dst=BROADCAST),
    Row("multicast", "b", "acd", dst=MULTICAST),
    Row("MAC NAT, source", "a", "b", nft=f"fwd ether saddr set {OTHER}", before=f"src_mac {VM % 1}",
        after=f"src_mac {OTHER}"),
    Row("MAC NAT, destination", "a", "b", nft=f"fwd ether daddr set {OTHER}",
        before=f"dst_mac {VM % 2}",
        after=f"dst_mac {OTHER}"),
    Row("tc pedit, MAC", "a", "c", dst=VM % 2, tc=f"action pedit ex munge eth dst set {VM % 3}",
        before=f"dst_mac {VM % 2}",
        after=f"dst_mac {VM % 3}"),
    Row("tc pedit, IP", "a", "b", tc=f"action pedit ex munge ip dst set 10.0.0.99 {CSUM}",
        before="dst_ip 10.0.0.2",
        after="dst_ip 10.0.0.99"),
    Row("tc pedit, port", "a", "b", tc=f"action pedit ex munge udp dport set NEW {CSUM}",
        dport_changes=True),
    Row("tc pedit, TTL", "a", "b", tc=f"action pedit ex munge ip ttl set 63 {CSUM}", **TTL),
    Row("tc vlan push", "a", "b", tc="action vlan push id 10", before=NO_VLAN, after="vlan_id 10"),
    Row("tc vlan pop", "a", "b", vlan=10, tc="action vlan pop", before="vlan_id 10", after=NO_VLAN),
    Row("tc vlan modify", "a", "b", vlan=10, tc="action vlan modify id 20", before="vlan_id 10",
        after="vlan_id 20"),
    Row("routed to the uplink", "a", "x", dst=GATEWAY, **TTL),
    Row("routed from the uplink", "x", "a", dst=GATEWAY, **TTL),
    Row("routed to another bridge", "a", "e", dst=GATEWAY, **TTL),
    Row("SNAT", "a", "x", dst=GATEWAY, nft="post snat to 203.0.113.77", before="src_ip 10.0.0.1",
        after="src_ip 203.0.113.77"),
    Row("masquerade", "b", "x", dst=GATEWAY, nft="post masquerade", before="src_ip 10.0.0.2",
        after="src_ip 203.0.113.1"),
    Row("DNAT", "x", "a", dst=GATEWAY, dst_ip="203.0.113.1", nft="pre dnat to 10.0.0.1", n=20,
        before="dst_ip 203.0.113.1",
        after="dst_ip 10.0.0.1"),
    Row("DNAT with another port", "x", "b", dst=GATEWAY, dst_ip="203.0.113.1",
        nft="pre dnat to 10.0.0.2:NEW",
        dport_changes=True),
]


def uplink(bed):
    """The host routes to x."""
    bed.vm("x", "ext0", address="203.0.113.9")
    bed.h.ip(f"link set ext0 address {GATEWAY}")
    bed.routed("ext0", "203.0.113.1/24", "x")
    bed.h.sysctl(net__ipv4__ip_forward=1)


@contextlib.contextmanager
def bridge_bed(name="bridge"):
    """VMs a to d in br0, e in br1, x at the uplink; the host routes between them."""
    with Bed(name, "abcdex") as bed:
        for n, letter in enumerate("abcd", 1):
            bed.vm(letter, f"vnet{n}", "br0")
        bridge(bed.h, "br1")
        bed.h.ip(f"link set br1 address {GATEWAY}")
        bed.vm("e", "vnet5", "br1", "10.1.0.5")
        bed.routed("br0", "10.0.0.254/24", *"abcd")
        bed.routed("br1", "10.1.0.254/24", "e")
        uplink(bed)
        bed.have(BRIDGE)
        bed.rewrite()
        bed.ready()
        yield bed
