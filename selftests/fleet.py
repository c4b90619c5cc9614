#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One policy for many hosts, with the real module: the frames of the VMs that it picks are copied.
All else of vtapd and vtapctl is in tools/fleet/test.py, which needs no module."""
import contextlib
import json
import os
import subprocess
import tempfile

from lib import (REPO, VTAP, Collector, Sender, Topology, busywait, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, modprobe, sh, vtap_batch, vtap_json)

FLEET = REPO + "/tools/fleet"
RIGHTS = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", "--no-new-privs"]
VMS = f"""<node><domain type='test'><name>web1</name><memory>65536</memory><os><type>hvm</type></os>
<devices><interface type='bridge'><mac address='{Topology.MAC["a"]}'/><source bridge='br0'/>
<target dev='tap0'/></interface></devices></domain></node>"""
POLICY = {"collector": {"ids": {"type": "erspan2", "remote": Topology.IP4["col"],
                                "options": {"id": "100"}}},
          "tap": {"web": {"vm": ["web*"], "dir": "ingress", "match": "ip_proto udp",
                          "collector": ["ids"]}}}
OTHER = "rule add pref 9 port vnet1 dst_port 9 action skip"


class Bed:
    """A Topology whose host has an agent: VM a is libvirt's, b is Open vSwitch's."""

    def __init__(self):
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.t = self.stack.enter_context(Topology())
        self.dir = d = self.stack.enter_context(tempfile.TemporaryDirectory())
        sh([f"{FLEET}/vtapctl", "--file", f"{d}/vtap.db", "init", "tcp:127.0.0.1:6644"])
        sh(["ovsdb-tool", "create", f"{d}/ovs.db", "/usr/share/openvswitch/vswitch.ovsschema"])
        self.remote = f"unix:{d}/sock"
        self._start("ovsdb-server", f"{d}/vtap.db", f"{d}/ovs.db", f"--remote=p{self.remote}",
                    f"--unixctl={d}/ctl", "-vconsole:off", "-vsyslog:off")
        busywait(lambda: os.path.exists(f"{d}/sock"))
        sh(["ovs-vsctl", f"--db={self.remote}", "--no-wait", "init", "--", "add-br", "br0", "--",
            "add-port", "br0", "vnet1", "--", "set", "interface", "vnet1",
            "external_ids:iface-id=i", "external_ids:vm-uuid=db-u",
            f'external_ids:attached-mac="{Topology.MAC["b"]}"'])
        with open(f"{d}/vms.xml", "w", encoding="ascii") as f:
            f.write(VMS)
        # libvirt takes no name of its own pattern from a file
        self.t.host.ip("link property add dev vnet0 altname tap0")
        vtap_batch(self.t.host, OTHER)
        self.agent()
        self.rx = self.stack.enter_context(Collector(self.t.col))
        self.tx = {vm: self.stack.enter_context(Sender(getattr(self.t, vm), "eth0"))
                   for vm in "ab"}
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def _start(self, *words):
        with open(f"{self.dir}/log", "ab") as log:
            p = self.t.host.popen(list(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.stack.callback(lambda: (p.kill(), p.wait()))
        return p

    def agent(self):
        """Start vtapd with the rights of its unit."""
        self.vtapd = self._start(*RIGHTS, f"{FLEET}/vtapd", "--db", self.remote, "--name", "a",
                                 "--libvirt", f"test://{self.dir}/vms.xml", "--ovs", self.remote,
                                 "--state", f"{self.dir}/fleet.json", "--interval", "0.1",
                                 "--vtap", VTAP)

    def ctl(self, *words, **kw):
        """Run vtapctl. Return: CompletedProcess."""
        return self.t.host.sh([f"{FLEET}/vtapctl", "--db", self.remote, "--vtap", VTAP, *words],
                              check=False, **kw)

    def row(self):
        """Return: what the host says of itself, as text."""
        return sh(["ovsdb-client", "dump", self.remote, "vtap", "Host"]).stdout

    def copied(self, vm, comment):
        """Send a frame from each VM: the copies are those of VM's alone."""
        other = {"a": "b", "b": "a"}
        frames = {src: self.t.udp(src, other[src], payload=f"{src} {comment}".encode())
                  for src in "ab"}
        for src, frame in frames.items():
            self.tx[src].send(frame)
        ksft_eq([c.frame for c in self.rx.copies(1)], [frames[vm]], comment)


def fleet():
    """A VM is tapped where it is, a change and a refusal get there, and the agent may die."""
    with Bed() as bed:
        p = bed.ctl("apply", "-", input=json.dumps(POLICY))
        ksft_eq((p.returncode, p.stderr), (0, ""), "a policy")
        ksft_true(busywait(lambda: len(vtap_json("rule show tap fleet", bed.t.host)) == 1),
                  "the host has the rule of its VM", lambda: open_log(bed))
        bed.copied("a", "what libvirt's VM sends is copied, and nothing else")

        rules = vtap_json("-s rule show", bed.t.host)
        bed.vtapd.kill()
        bed.vtapd.wait()
        os.unlink(f"{bed.dir}/log")
        bed.agent()
        p = bed.ctl("--wait", "-j", "status")
        ksft_eq(p.returncode, 0, "killed, and back")
        ksft_eq(vtap_json("-s rule show", bed.t.host), rules, "no rule and no counter has changed")

        p = bed.ctl("collector", "set", "ids", "id", "5000")
        ksft_true(p.returncode == 1 and "0 to 1023" in p.stderr, "vtapctl asks the kernel",
                  p.stderr)
        wrong = ["map", [["id", "5000"]]]
        sh(["ovsdb-client", "transact", bed.remote, json.dumps(["vtap", {
            "op": "update", "table": "Collector", "where": [], "row": {"options": wrong}}])])
        ksft_true(busywait(lambda: "collector ids: id: " in bed.row()),
                  "a refusal of the kernel is in the row of the host", bed.row)
        bed.copied("a", "and what was in force still is")

        new = json.loads(json.dumps(POLICY))
        new["tap"]["web"]["vm"] = ["db-*"]
        bed.ctl("apply", "-", input=json.dumps(new))
        p = bed.ctl("--wait", "-j", "status")
        ksft_true(p.returncode == 0 and json.loads(p.stdout)["host"][0]["error"] == [],
                  "another policy is in force everywhere", p.stdout)
        bed.copied("b", "what Open vSwitch's VM sends is copied instead")
        bed.ctl("apply", "-", input="{}")
        ksft_true(busywait(lambda: not vtap_json("rule show tap fleet", bed.t.host)),
                  "no policy, no rule")
        ksft_eq(len(vtap_json("rule show", bed.t.host)), 1, "another's tap is left alone")


def open_log(bed):
    """Return: what the daemons printed."""
    with open(f"{bed.dir}/log", encoding="utf-8") as f:
        return f.read()


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([fleet])
    ksft_exit()
