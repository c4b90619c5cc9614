# SPDX-License-Identifier: GPL-2.0
"""Open vSwitch with its daemons in a network namespace, on the kernel's datapath."""
import os
import signal
import tempfile

from .ns import sh


class Vswitch:
    """ovsdb-server and ovs-vswitchd of namespace NS; `with` ends them."""

    def __init__(self, ns):
        self.ns, self.daemons = ns, []
        self.dir = tempfile.TemporaryDirectory(dir="/run")
        d = self.dir.name
        self.env = dict(os.environ, OVS_RUNDIR=d, OVS_LOGDIR=d, OVS_DBDIR=d, OVS_SYSCONFDIR=d)

    def __enter__(self):
        d = self.dir.name
        sh(f"ovsdb-tool create {d}/conf.db /usr/share/openvswitch/vswitch.ovsschema")
        try:
            self._start(f"ovsdb-server {d}/conf.db --remote=punix:{d}/db "
                        "-vconsole:off -vsyslog:off")
            self.vsctl("--retry --no-wait init")
            self._start(f"ovs-vswitchd unix:{d}/db -vconsole:off -vsyslog:off")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        for daemon in self.daemons[::-1]:
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()
        self.dir.cleanup()

    def _start(self, command):
        self.daemons.append(self.ns.popen(command, env=self.env))

    def vsctl(self, words):
        """Run ovs-vsctl; it returns when ovs-vswitchd has done what it asks for."""
        self.ns.sh(f"ovs-vsctl --db=unix:{self.dir.name}/db --timeout=100 {words}", env=self.env)

    def flows(self, bridge, *flows):
        """Add OpenFlow flows."""
        switch = f"unix:{self.dir.name}/{bridge}.mgmt"
        self.ns.sh(["ovs-ofctl", "-O", "OpenFlow13", "add-flows", switch, "-"], env=self.env,
                   input="\n".join(flows) + "\n")
