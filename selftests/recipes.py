#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The recipes of vtap-recipes.rst do what they say, with the devices that libvirt, Proxmox VE, Open
vSwitch and Docker make, and with receivers."""
import contextlib
import json
import os
import signal
import subprocess
import tempfile

from lib import (Collector, NetNS, Sender, Sniffer, Topology, busywait, defer, ksft_eq, ksft_exit,
                 ksft_run, ksft_skip, ksft_true, modprobe, one_cpu, sh, udp_frame, vtap_batch,
                 vtap_json, wire)
from lib.doc import script, sections
from lib.ovs import Vswitch

RECIPES = sections("Documentation/networking/vtap-recipes.rst")
used = set()  # (section, number) of the blocks that were run
NOBODY = "02:00:00:00:00:63"
WEB, DB = "02:42:ac:11:00:02", "02:42:ac:11:00:03"
DOMAIN = """<node><cpu><mhz>1000</mhz><model>x</model><active>1</active><nodes>1</nodes>
<sockets>1</sockets><cores>1</cores><threads>1</threads></cpu><memory>1048576</memory>
<domain type='test'><name>web</name><memory>1024</memory><os><type>hvm</type></os><devices>
<interface type='bridge'><mac address='{mac}'/><source bridge='br0'/></interface>
</devices></domain></node>
"""
# alerts on what is tapped, and on what is not
RULES = """alert icmp any any -> any any (msg:"tapped"; itype:8; dsize:40; sid:1;)
alert icmp any any -> any any (msg:"untapped"; itype:8; dsize:41; sid:2;)
"""


def recipe(ns, title, number=0, **env):
    """Run block NUMBER of section TITLE in NS, without sessions and rules of others."""
    for tap in vtap_json("tap", ns):
        vtap_batch(ns, f"rule flush tap {tap['name']}", f"session flush tap {tap['name']}")
    run(ns, title, number, **env)


def run(ns, title, number=0, **env):
    """Run block NUMBER of section TITLE in NS."""
    used.add((title, number))
    with tempfile.TemporaryDirectory() as tmp:
        p = ns.sh(script(RECIPES[title][number], tmp), env={**os.environ, **env}, check=False)
    ksft_true(p.returncode == 0, f"{title}: block {number + 1} works", p.stdout + p.stderr)


def ports(ns):
    return {p["name"] for p in vtap_json("port show", ns)}


def forwarding(ns):
    """Wait until all ports of NS's bridges forward."""
    if not busywait(lambda: all(p["state"] == "forwarding" for p in json.loads(
            sh(["bridge", "-n", ns.name, "-j", "link"]).stdout))):
        raise RuntimeError("the ports do not forward")


def copied(t, what, *shots):
    """Send the SHOTS, (namespace, frame, is it copied); the last one is. Report whether the
    collector has one copy of those, in order, and none of the others."""
    with contextlib.ExitStack() as stack, Collector(t.col) as rx:
        tx = {ns: stack.enter_context(Sender(ns, "eth0")) for ns, *_ in shots}
        with one_cpu(0):
            for ns, frame, _ in shots:
                tx[ns].send(frame)
        want = [frame for _, frame, yes in shots if yes]
        ksft_eq([c.frame for c in rx.copies(len(want))], want, what)


def udp(t, src="a", dst="b", **kw):
    """Return: a frame between VMs that nobody answers."""
    return udp_frame(t.MAC[dst], t.MAC[src], "10.9.0.1", "10.9.0.2", **kw)


def libvirt():
    """A VM by the MAC address that virsh prints, wherever its port is."""
    with Topology() as t, tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
        f.write(DOMAIN.format(mac=t.MAC["a"]))
        f.flush()
        recipe(t.host, "libvirt", VIRSH_DEFAULT_CONNECT_URI="test://" + f.name)
        shots = ((t.b, udp(t, "b", "col"), False), (t.a, udp(t), True),
                 (t.b, udp(t, "b", "a"), True))
        copied(t, "libvirt: what the VM sends and receives is copied", *shots)
        t.host.ip("link del vnet0")
        wire(t.host, "vnet5", t.a, "eth0", mac2=t.MAC["a"])
        t.host.ip("link set vnet5 master br0")
        forwarding(t.host)
        copied(t, "libvirt: and at another port after a restart", *shots)


def rename(ns, old, new):
    ns.ip(f"link set {old} down", f"link set {old} name {new}", f"link set {new} up")


def proxmox():
    """VM 100 behind its firewall's bridge, container 101 without a firewall."""
    with Topology() as t:
        for old, new in (("vnet0", "tap100i0"), ("vnet1", "veth101i0"), ("br0", "vmbr0")):
            rename(t.host, old, new)
        wire(t.host, "tap1000i0", t.col, "eth1")
        t.host.ip("link add fwbr100i0 type bridge forward_delay 0 mcast_snooping 0",
                  "link add fwln100i0 type veth peer name fwpr100p0",
                  "link set tap100i0 master fwbr100i0", "link set fwln100i0 master fwbr100i0",
                  "link set fwpr100p0 master vmbr0", "link set tap1000i0 master vmbr0",
                  *[f"link set {dev} addrgenmode none up"
                    for dev in ("fwbr100i0", "fwln100i0", "fwpr100p0")])
        t.host.sh("nft -f -", input="table bridge fw { chain c { type filter hook forward priority "
                                    "0; iifname tap100i0 udp dport 4444 drop; }; }")
        forwarding(t.host)
        shots = [(t.a, udp(t, dport=4444), True), (t.a, udp(t), True),
                 (t.b, udp(t, "b", "a"), True)]
        recipe(t.host, "Proxmox VE")
        ksft_eq(ports(t.host), {"tap100i0", "veth101i0"}, "Proxmox VE: the ports of 100 and 101")
        copied(t, "Proxmox VE: each frame once, those too that the firewall drops", *shots)
        recipe(t.host, "Proxmox VE", 1)
        ksft_eq(ports(t.host), {"fwpr100p0", "veth101i0", "tap1000i0"},
                "Proxmox VE: the ports of vmbr0")
        copied(t, "Proxmox VE: each frame once, without those that the firewall drops",
               (*shots[0][:2], False), *shots[1:])


def open_vswitch():
    """All ports of all bridges, or the one with an id."""
    if not modprobe("openvswitch"):
        ksft_skip("not in this kernel", "Open vSwitch")
        return
    with Topology() as t, Vswitch(t.host) as switch:
        t.host.ip("link set vnet0 nomaster", "link set vnet1 nomaster")
        os.symlink(f"{switch.dir.name}/db", f"{switch.dir.name}/db.sock")
        switch.vsctl("add-br br-int -- add-port br-int vnet0 -- add-port br-int vnet1 -- "
                     "set Interface vnet0 external_ids:iface-id=web")
        shots = ((t.a, udp(t), True), (t.b, udp(t, "b", "a"), True))
        recipe(t.host, "Open vSwitch")
        ksft_true(ports(t.host) >= {"vnet0", "vnet1", "br-int"}, "Open vSwitch: all are ports",
                  lambda: ports(t.host))
        copied(t, "Open vSwitch: each frame once, the first one too", *shots, *shots)
        recipe(t.host, "Open vSwitch", 1, OVS_RUNDIR=switch.dir.name)
        ksft_eq(ports(t.host), {"vnet0"}, "Open vSwitch: the port with the id")
        copied(t, "Open vSwitch: each of its frames once", *shots)


def containers():
    """All containers of docker0, or the one that a process is in."""
    spaces = web, db = NetNS.many("web", "db")
    defer(NetNS.remove_all, spaces)
    with Topology() as t, web.popen("sleep 600") as process:
        defer(process.kill)
        t.host.ip("link add docker0 type bridge forward_delay 0 mcast_snooping 0",
                  "link set docker0 addrgenmode none up")
        for ns, dev, mac in ((web, "vethab12cd3", WEB), (db, "veth3dc21ba", DB)):
            wire(t.host, dev, ns, "eth0", mac2=mac)
            t.host.ip(f"link set {dev} master docker0")
        forwarding(t.host)
        sent, back, other = [udp_frame(*macs, "172.17.0.2", "172.17.0.3") for macs in (
            (DB, WEB), (WEB, DB), (NOBODY, DB))]
        shots = [(db, other, True), (web, sent, True), (db, back, True)]
        recipe(t.host, "Containers")
        copied(t, "containers: each frame once, and none of VMs", (t.a, udp(t), False), *shots)
        recipe(t.host, "Containers", 1, PID=str(process.pid))
        copied(t, "containers: what the one sends and receives", (db, other, False), *shots[1:])
        process.kill()


@contextlib.contextmanager
def receiver(t, title, **files):
    """The receiver of section TITLE runs at the collector, in a directory with FILES. Gives the
    directory; what the receiver prints is in its file `out`."""
    used.add((title, 0))
    with tempfile.TemporaryDirectory(dir="/run") as tmp:
        for name, text in {**files, "out": ""}.items():
            with open(f"{tmp}/{name}", "w", encoding="ascii") as f:
                f.write(text)
        with open(f"{tmp}/out", "a", encoding="ascii") as out, t.col.enter(), subprocess.Popen(
                script("exec " + RECIPES[title][0].replace("# at the collector\n", ""), tmp),
                stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
            try:
                yield tmp
            finally:
                process.send_signal(signal.SIGTERM)
                if busywait(lambda: process.poll() is not None) is False:
                    process.kill()


def read(path):
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as f:
        return f.read()
    return ""


def ping(t, size):
    t.a.sh(f"ping -q -c 1 -W 1 -s {size} {t.IP4['b']}", check=False)


def live():
    """tshark shows the pings that are tapped, and Suricata, as Debian configures it, raises alerts
    for them; for nothing else."""
    with Topology() as t, receiver(t, "tshark") as shark, \
            receiver(t, "Suricata", **{"local.rules": RULES}) as ids:
        if not busywait(lambda: "Capturing on" in read(shark + "/out")
                        and "Engine started" in read(ids + "/out"), 120, 0.5):
            raise RuntimeError(read(shark + "/out") + read(ids + "/out"))
        ping(t, 41)
        recipe(t.host, "Receivers")

        def seen():
            with Sender(t.a, "eth0") as tx:
                tx.send(udp(t))
            ping(t, 40)
            return "Echo (ping) reply" in read(shark + "/out") \
                and "] tapped [" in read(ids + "/fast.log")

        busywait(seen, 60, 0.2)
        lines = [line for line in read(shark + "/out").split("\n") if "10.0.0." in line]
        ksft_true(lines and all("Echo (ping)" in line and " 133 " not in line for line in lines),
                  "tshark: the pings that are tapped, and nothing else",
                  lambda: read(shark + "/out"))
        alerts = read(ids + "/fast.log")
        ksft_true("] tapped [" in alerts and "] untapped [" not in alerts,
                  "Suricata: alerts for them, and no others", alerts)


def devices():
    """The devices that Zeek and Arkime listen on, and those of a sensor as AWS's and Azure's are:
    what is tapped comes out of them, whole."""
    with Topology() as t:
        run(t.col, "Zeek")
        run(t.col, "Arkime", 1)
        t.col.ip(*[f"link add {dev} type vxlan id {key} dstport {port} local 192.0.2.9 nolearning\n"
                   f"link set {dev} addrgenmode none up"
                   for dev, key, port in (("aws", 7, 4789), ("azure", 800, 10800))])
        for title, section, devs in (("Receivers", "Zeek", ["ids0"]),
                                     ("Arkime", "Arkime", ["rec0"]),
                                     ("AWS and Azure", "AWS and Azure", ["aws", "azure"])):
            frames = [udp(t, payload=bytes([n]) * 1400) for n in range(2)]
            with contextlib.ExitStack() as stack, Sender(t.a, "eth0") as tx:
                rx = [stack.enter_context(Sniffer(t.col, dev)) for dev in devs]
                vtap_batch(t.host, "rule flush")
                tx.send(frames[0])
                recipe(t.host, title)
                tx.send(frames[1])
                ksft_eq([[bytes(f) for f in x.frames(1)] for x in rx], [frames[1:]] * len(devs),
                        f"{section}: what is tapped is received at {', '.join(devs)}")


def complete():
    """No block of the document was left out; languages.py has the last section."""
    ksft_eq({(title, n) for title, blocks in RECIPES.items() for n in range(len(blocks))} - used,
            {("Other languages", 0)}, "all recipes were run")


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([libvirt, proxmox, open_vswitch, containers, live, devices, complete])
    ksft_exit()
