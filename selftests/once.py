#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Each session receives each frame once, for all ways to rewrite a frame and all places to tap
it."""
import collections
import contextlib
import threading

from lib import (VM, Sniffer, bridge, busywait, ksft_eq, ksft_exit, ksft_run, ksft_skip, ksft_true,
                 modprobe, one_cpu, sh, wire)
from lib.beds import BRIDGE, NO_VLAN, OTHER, TTL, bridge_bed, uplink
from lib.ovs import Vswitch
from lib.rows import BROADCAST, GATEWAY, KEYS, MARK, Bed, Place, Row, in_sysfs, places, sampling

FEW = ("no rule", "port '*'", "egress only", "what only the frame that goes out matches",
       "one session by both")

VLANS = [
    Row("access to access", "a", "b"),
    Row("push: access to trunk", "a", "c", n=10, before=NO_VLAN, after="vlan_id 10"),
    Row("pop: trunk to access", "c", "a", vlan=10, before="vlan_id 10", after=NO_VLAN),
    Row("trunk to trunk", "c", "d", vlan=10),
    Row("translation", "c", "d", vlan=30, tc="action vlan modify id 10", before="vlan_id 30",
        after="vlan_id 10"),
    Row("translation and pop", "c", "b", vlan=30, tc="action vlan modify id 10",
        before="vlan_id 30", after=NO_VLAN),
    Row("broadcast, tagged and not", "a", "bcd", dst=BROADCAST),
    Row("from a trunk to the VLAN device and on", "c", "x", vlan=10, dst=GATEWAY,
        before="vlan_id 10", after=NO_VLAN),
    Row("from the VLAN device to a trunk", "x", "c", dst=GATEWAY, before=NO_VLAN,
        after="vlan_id 10"),
    Row("from an access port to the VLAN device and on", "a", "x", dst=GATEWAY, **TTL),
]


def field(name, value, words, new, tx="a", rx="b", **kw):
    """Return: a row of which Open vSwitch sets a field."""
    return Row(f"set_field {name}", tx, rx, flow=f"set_field:{value}->{name},output:vnet2",
               before=words, after=new, **kw)


OVS = [
    Row("NORMAL", "a", "b"),
    Row("flood", "a", "bcd", dst=BROADCAST),
    field("eth_src", OTHER, f"src_mac {VM % 1}", f"src_mac {OTHER}"),
    field("eth_dst", OTHER, f"dst_mac {VM % 2}", f"dst_mac {OTHER}"),
    field("ip_src", "10.0.0.99", "src_ip 10.0.0.1", "src_ip 10.0.0.99"),
    field("ip_dst", "10.0.0.99", "dst_ip 10.0.0.2", "dst_ip 10.0.0.99"),
    field("udp_src", 2000, "src_port 1024", "src_port 2000"),
    field("udp_dst", "NEW", "", "", dport_changes=True),
    field("tcp_src", 2000, "src_port 1024", "src_port 2000", proto=6),
    field("tcp_dst", "NEW", "", "", dport_changes=True, proto=6),
    field("nw_ttl", 63, **{"words": TTL["before"], "new": TTL["after"]}),
    field("ip_dscp", 8, "filter 'ip[1] == 0'", "filter 'ip[1] == 32'"),
    Row("push_vlan", "a", "b", flow="push_vlan:0x8100,set_field:4106->vlan_vid,output:vnet2",
        before=NO_VLAN,
        after="vlan_id 10"),
    Row("pop_vlan", "a", "b", vlan=10, flow="pop_vlan,output:vnet2", before="vlan_id 10",
        after=NO_VLAN),
    Row("another VLAN", "a", "b", vlan=10, flow="set_field:4116->vlan_vid,output:vnet2",
        before="vlan_id 10",
        after="vlan_id 20"),
    Row("two outputs, rewritten between them", "a", "bc", before=f"dst_mac {VM % 2}",
        after=f"dst_mac {OTHER}",
        flow=f"output:vnet2,set_field:{OTHER}->eth_dst,output:vnet3"),
    Row("two outputs, the first one rewritten", "a", "bc", before="src_port 1024",
        after="src_port 2000",
        flow="set_field:2000->udp_src,output:vnet2,set_field:1024->udp_src,output:vnet3"),
    Row("LOCAL and routed on", "a", "x", dst=GATEWAY, **TTL),
    Row("routed to LOCAL", "x", "a", dst=GATEWAY, **TTL),
]


def few(bed):
    """Return: some of the places."""
    return [p for p in places(bed) if p.name in FEW]


def bridges():
    """The Linux bridge, and routing with NAT, at all places."""
    with bridge_bed() as bed:
        bed.check(*places(bed, ("br0", lambda row: True)))
        sampling(bed, BRIDGE[0])
        sampling(bed, next(r for r in BRIDGE if r.name == "SNAT"))
        published(bed)


def published(bed):
    """A published port: 20 of 20 datagrams to the VM are copied by a rule that has its address."""
    row = next(r for r in BRIDGE if r.name == "DNAT")
    bed.check(Place("published port", [f"port '[ev]*' dst_ip {bed.address('a')} action mirror s"]),
              rows=[row])


def arriving():
    """Rules that come and go while frames cross: none of these is copied twice."""
    with bridge_bed() as bed:
        while_frames_cross(bed)


def while_frames_cross(bed):
    """Rules come and go 20 times."""
    row = Row("numbered frames", "a", "b")
    row.index, end, sent = 800, threading.Event(), []

    def send():
        while not end.is_set():
            bed.tx["a"].send(row.frame(bed, 70000000 + len(sent)))
            sent.append(None)

    sender = threading.Thread(target=send)
    sender.start()
    copies = collections.Counter()
    try:
        for _ in range(20):
            bed.rules()
            bed.rules(f"port {bed.pattern} {row.match(False)} action mirror s")
            at = len(sent) + 20
            busywait(lambda n=at: len(sent) > n)
            copies += bed.collect()
    finally:
        end.set()
        sender.join()
    copies += bed.collect()
    copies = {n: c for (key, n), c in copies.items() if key == KEYS["s"] and n >= 70000000}
    copies.pop(MARK, None)
    ksft_true(len(copies) > 100, "frames are copied while rules come and go", len(copies))
    ksft_eq([n for n, c in copies.items() if c > 1], [], "and none of them twice")


def bridge_receive():
    """The same with other ways to receive: frames cloned, queued, and in heads that others hold."""
    ports = [f"vnet{n}" for n in range(1, 6)] + ["ext0"]
    with bridge_bed() as bed:
        with contextlib.ExitStack() as stack:
            for dev in (*ports, "br0", "br1"):
                stack.enter_context(Sniffer(bed.h, dev, "both"))
            bed.check(*few(bed), what=", a sniffer at each port")
        if modprobe("br_netfilter"):
            bed.h.sysctl(**{"net__bridge__bridge-nf-call-iptables": 1})
            bed.check(*few(bed), what=", br_netfilter")
            # it goes between the hooks of every bridge, those of other programs included
            bed.h.sysctl(**{"net__bridge__bridge-nf-call-iptables": 0})
            sh("modprobe -r br_netfilter", check=False)
        else:
            ksft_skip("no such module", "bridge, br_netfilter")
        for dev in ports:
            bed.h.sh(f"ethtool -K {dev} gro on")
        bed.check(*few(bed), what=", GRO")
        for dev in ports:
            bed.h.sh(f"ethtool -K {dev} gro off")
        bed.linger = 0.1
        for dev in (*ports, "br0", "br1"):
            in_sysfs(bed.h, dev, 2)
        bed.check(*few(bed), what=", RPS")


def vlan_filtering():
    """Tags that the bridge takes off and puts on, and a VLAN device on the bridge."""
    with Bed("VLANs", "abcdx") as bed:
        bed.h.ip("link set br0 type bridge vlan_filtering 1 vlan_default_pvid 0")
        for n, letter in enumerate("abcd", 1):
            bed.vm(letter, f"vnet{n}", "br0")
        bed.tags = {"c": 10, "d": 10}
        vlans = (("vnet1", "pvid untagged"), ("vnet2", "pvid untagged"), ("vnet3", ""),
                 ("vnet4", ""), ("br0", "self"))
        bed.h.sh("bridge -batch -",
                 input="".join(f"vlan add dev {dev} vid 10 {more}\n" for dev, more in vlans))
        bed.h.ip("link add br0.10 link br0 type vlan id 10", "link set br0.10 addrgenmode none up")
        bed.routed("br0.10", "10.0.0.254/24", *"abcd")
        uplink(bed)
        bed.have(VLANS)
        bed.rewrite()
        bed.ready()
        bed.check(*places(bed, ("br0", lambda row: True)))


def open_vswitch():
    """Open vSwitch with flows that rewrite; they are in the kernel before anything is counted."""
    if not modprobe("openvswitch"):
        ksft_skip("not in this kernel", "Open vSwitch")
        return
    with Bed("Open vSwitch", "abcdx") as bed, Vswitch(bed.h) as switch:
        switch.vsctl("add-br ovs0 -- set Open_vSwitch . other_config:max-idle=600000 -- "
                     f"set Bridge ovs0 'other-config:hwaddr=\"{GATEWAY}\"'")
        for n, letter in enumerate("abcd", 1):
            bed.vm(letter, f"vnet{n}")
            switch.vsctl(f"add-port ovs0 vnet{n}")
        bed.h.ip("link set ovs0 addrgenmode none up")
        bed.routed("ovs0", "10.0.0.254/24", *"abcd")
        uplink(bed)
        bed.have(OVS)
        flows = []
        for row in OVS:
            if actions := row.rewriting("flow"):
                match = "tcp" if row.proto == 6 else "udp"
                match += f",dl_vlan={row.vlan}" if row.vlan else ""
                flows.append(f"priority=9,{match},tp_dst={row.dport},actions={actions}")
        switch.flows("ovs0", *flows)
        bed.ready()
        bed.rules()
        for _ in range(2):
            ksft_eq(bed.shoot()[1], [], "Open vSwitch: its flows do what they are to do")
        bed.check(*places(bed, ("ovs-system", lambda row: True)))
        sampling(bed, OVS[0])
        upcalls(bed, switch)


def upcalls(bed, switch):
    """A frame that ovs-vswitchd gets, and sends back as a new one, costs one more copy at most."""
    switch.flows("ovs0", "priority=20,udp,tp_src=3000,actions="
                 "move:NXM_OF_UDP_DST[]->NXM_NX_REG0[0..15],"
                 "learn(table=2,eth_type=0x800,nw_proto=17,NXM_OF_UDP_SRC[],NXM_OF_UDP_DST[]),"
                 "NORMAL")
    rows = [Row(f"new flow {n}", "a", "b", n=1, more=1) for n in range(20)]
    for n, row in enumerate(rows, 500):
        row.index, row.sport = n, 3000
    bed.check(Place("upcalls, port '*'", ["port '*' action mirror s"]),
              Place("upcalls, ingress only", [f"port {bed.pattern} dir ingress action mirror s"]),
              rows=rows)


def two_kinds(vms):
    """Return: places for VMs behind veth pairs of the host: each frame once, wherever it is tapped.
    VMS: letters of those whose ports the pattern vnet* is for."""
    def at_vms(row, bed):
        return 1 if row.tx in vms else sum(x in vms for x in row.rx)
    s, t = "action mirror s", "action mirror t"
    return [
        Place("no rule", [], 0),
        Place("port 'vnet*'", [f"port 'vnet*' {s}"], at_vms),
        Place("port '*'", [f"port '*' {s}"]),
        Place("port '*' dir ingress", [f"port '*' dir ingress {s}"]),
        Place("mac of a", [f"mac {VM % 1} {s}"], lambda row, bed: int("a" in row.tx + row.rx),
              only=lambda row: row.tx == "a" or row.dst is None),
        Place("port '*', s at ingress, t at egress", [f"port '*' dir ingress {s}",
                                                      f"port '*' dir egress {t}"], (1, 1)),
    ]


BEHIND = [
    Row("VM to VM", "a", "b"), Row("and back", "b", "a"), Row("VM to a plain port", "a", "c"),
    Row("and back", "c", "a"),
    Row("VM to uplink", "a", "x"), Row("uplink to VM", "x", "a"),
    Row("broadcast of a VM", "a", "bcx", dst=BROADCAST),
    Row("broadcast from the uplink", "x", "abc", dst=BROADCAST),
]


def proxmox():
    """firewall=1: each VM has a bridge of its own, which a veth pair joins with vmbr0."""
    with Bed("Proxmox", "abcx") as bed:
        for n, letter in enumerate("ab"):
            bridge(bed.h, f"fwbr10{n}i0")
            bed.vm(letter, f"vnet{n}", f"fwbr10{n}i0")
            wire(bed.h, f"fwln10{n}i0", bed.h, f"fwpr10{n}p0")
            bed.h.ip(f"link set fwln10{n}i0 master fwbr10{n}i0", f"link set fwpr10{n}p0 master br0")
        bed.vm("c", "vnet2", "br0")
        bed.vm("x", "ext0", "br0")
        bed.have(BEHIND)
        bed.ready()
        bed.check(*two_kinds("abc"), Place("master br0", ["master br0 action mirror s"]),
                  Place("master fwbr100i0", ["master fwbr100i0 action mirror s"], lambda row,
                        bed: int("a" in row.tx + row.rx)))
        same_bytes(bed)


def same_bytes(bed):
    """Equal frames from a tapped and an untapped port in turn: each counts, though memory and bytes
    are the same."""
    row = Row("equal frames", "a", "b", n=1)
    row.index = 700
    port = bed.port
    bed.rules(f"port {port['a']} dir ingress action mirror s",
              f"port {port['b']} dir egress action mirror s")
    bed.shoot([row])
    bed.tx["c"].send(row.frame(bed, 0))  # or the switch takes it for a's
    frame = row.frame(bed, 88000000)
    got = []
    with one_cpu(0):
        for _ in range(300):
            for letter in "ac":
                bed.tx[letter].send(frame)
                got += bed.rx["b"].frames()  # or their memory is not used again
    got += bed.rx["b"].frames(600 - len(got))
    ksft_eq(got.count(frame), 600, f"{bed.name}: 300 frames, each from two ports, arrive")
    ksft_eq(bed.collect()[7, 88000000], 600, f"{bed.name}: and each is copied once")


def hybrid():
    """OpenStack's hybrid plug: each VM has its own bridge, which a veth pair joins with br-int."""
    if not modprobe("openvswitch"):
        ksft_skip("no Open vSwitch in this kernel", "hybrid plug")
        return
    with Bed("hybrid plug", "abcx") as bed, Vswitch(bed.h) as switch:
        switch.vsctl("add-br br-int -- set Open_vSwitch . other_config:max-idle=600000")
        for n, letter in enumerate("ab"):
            bridge(bed.h, f"qbr{n}")
            bed.vm(letter, f"vnet{n}", f"qbr{n}")
            wire(bed.h, f"qvb{n}", bed.h, f"qvo{n}")
            bed.h.ip(f"link set qvb{n} master qbr{n}")
            switch.vsctl(f"add-port br-int qvo{n}")
        for letter, dev in (("c", "vnet2"), ("x", "ext0")):
            bed.vm(letter, dev)
            switch.vsctl(f"add-port br-int {dev}")
        bed.have(BEHIND)
        bed.ready()
        bed.rules()
        for _ in range(2):
            ksft_eq(bed.shoot()[1], [], "hybrid plug: frames pass")
        bed.check(*two_kinds("abc"), Place("master qbr0", ["master qbr0 action mirror s"],
                                           lambda row, bed: int("a" in row.tx + row.rx)))


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([bridges, arriving, bridge_receive, vlan_filtering, open_vswitch, proxmox, hybrid])
    ksft_exit()
