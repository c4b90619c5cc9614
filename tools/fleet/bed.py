# SPDX-License-Identifier: GPL-2.0
"""The test bed of the fleet: a cluster of three, hosts, and their sources of VMs, in namespaces."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path.append(REPO + "/selftests/lib")
from tap import SLOW, busywait, ksft_true  # noqa: E402 pylint: disable=wrong-import-position

MEMBERS = {"m1": "192.0.2.11", "m2": "192.0.2.12", "m3": "192.0.2.13"}
HOSTS = {"a": "192.0.2.21", "b": "192.0.2.22", "c": "192.0.2.23"}
RIGHTS = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all", "--no-new-privs"]
# stands for the tool: the tool checks the words, and a file may refuse in the kernel's place
STUB = """#!/bin/sh
d={dir}
cat > $d/new.$$
case " $* " in
*" -c "*) {vtap} "$@" < $d/new.$$; rc=$?; rm -f $d/new.$$; exit $rc ;;
esac
{vtap} -c "$@" < $d/new.$$ || exit
if [ -e $d/refuse ]; then cat $d/refuse >&2; exit 1; fi
echo applied >> $d/log
mv $d/new.$$ $d/text
"""


def sh(*words, check=True, **kw):
    """Run a command. Return: CompletedProcess with text output."""
    p = subprocess.run(words, text=True, stdin=None if "input" in kw else subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120 * SLOW,
                       check=False, **kw)
    if check and p.returncode:
        raise AssertionError(f"{words}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p


class Bed:
    """All of it; `with` ends it."""

    def __init__(self, vtap=REPO + "/tools/vtap/vtap"):
        self.vtap = vtap
        self.dir = tempfile.mkdtemp(prefix="vtap-fleet-")
        self.tag = os.path.basename(self.dir)[-6:]
        self.running = {}
        self.logs = []

    def __enter__(self):
        try:
            self._network()
            self._certificates()
            for name in MEMBERS:
                self.create(name)
                self.start_member(name)
            for name in HOSTS:
                os.makedirs(f"{self.dir}/{name}")
                stub = f"{self.dir}/{name}/vtap"
                with open(stub, "w", encoding="ascii") as f:
                    f.write(STUB.format(dir=f"{self.dir}/{name}", vtap=self.vtap))
                os.chmod(stub, 0o755)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        for name in list(self.running):
            self.kill(name)
        for log in self.logs:
            log.close()
        for name in ["net", *MEMBERS, *HOSTS]:
            sh("ip", "netns", "del", self.ns(name), check=False)
        shutil.rmtree(self.dir)

    def ns(self, name):
        """Return: the namespace of a member or host."""
        return f"fl{self.tag}-{name}"

    def _network(self):
        for name in ["net", *MEMBERS, *HOSTS]:
            sh("ip", "netns", "add", self.ns(name))
        lines = ["link add br0 type bridge", "link set br0 up"]
        for name in [*MEMBERS, *HOSTS]:
            lines += [f"link add name to-{name} type veth peer name eth0 netns {self.ns(name)}",
                      f"link set to-{name} master br0 up"]
        sh("ip", "-n", self.ns("net"), "-batch", "-", input="\n".join(lines) + "\n")
        for name, address in {**MEMBERS, **HOSTS}.items():
            sh("ip", "-n", self.ns(name), "-batch", "-", input="link set lo up\nlink set eth0 up\n"
               f"address add {address}/24 dev eth0\n")

    def _certificates(self):
        """As the manual says: two authorities, so that no host can pass for a member."""
        pki = f"{self.dir}/pki"

        def ovs_pki(*words):
            sh("ovs-pki", "-d", pki, "-l", f"{self.dir}/pki.log", *words, cwd=self.dir)

        ovs_pki("init")
        for names, kind in ((MEMBERS, "controller"), (HOSTS, "switch")):
            for name in names:
                ovs_pki("-b", "-u", "req+sign", name, kind)
                tls = f"{self.dir}/tls-{name}"
                os.makedirs(tls)
                os.rename(f"{self.dir}/{name}-privkey.pem", f"{tls}/key.pem")
                os.rename(f"{self.dir}/{name}-cert.pem", f"{tls}/cert.pem")
                with open(f"{tls}/ca.pem", "w", encoding="ascii") as f:
                    for ca in ["controllerca"] + ["switchca"] * (names is MEMBERS):
                        with open(f"{pki}/{ca}/cacert.pem", encoding="utf-8") as cert:
                            f.write(cert.read())

    def start(self, name, *words, **kw):
        """Start a program in the background; its output is in a file of this name."""
        log = open(f"{self.dir}/{name}.log", "ab")  # pylint: disable=consider-using-with
        self.logs.append(log)
        self.running[name] = subprocess.Popen(  # pylint: disable=consider-using-with
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **kw)

    def kill(self, name):
        """End a program at this instant."""
        p = self.running.pop(name)
        p.send_signal(signal.SIGKILL)
        p.wait()

    def log(self, name):
        """Return: what a program printed."""
        with open(f"{self.dir}/{name}.log", encoding="utf-8") as f:
            return f.read()

    def socket(self, member="m1"):
        """Return: where an administrator connects to on a member."""
        return f"unix:{self.dir}/{member}.sock"

    def create(self, name):
        """Make the database file of a member with vtapctl init."""
        others = [MEMBERS["m1"]] if name != "m1" else []
        sh(f"{HERE}/vtapctl", "--file", f"{self.dir}/{name}.db", "init", MEMBERS[name], *others)

    def start_member(self, name):
        """Start ovsdb-server as its unit does, and wait until it is in the cluster."""
        with open(f"{HERE}/vtap-ovsdb.service", encoding="utf-8") as f:
            unit = f.read().replace("\\\n", " ")
        words = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
        words = words[len("ExecStart="):].replace("/etc/vtap/tls", f"{self.dir}/tls-{name}") \
            .replace("/run/vtap/vtap.sock", f"{self.dir}/{name}.sock") \
            .replace("/run/vtap/ovsdb.ctl", f"{self.dir}/{name}.ctl") \
            .replace("/var/lib/vtap/vtap.db", f"{self.dir}/{name}.db").split()
        self.start(name, "ip", "netns", "exec", self.ns(name), *words)
        if not busywait(lambda: os.path.exists(f"{self.dir}/{name}.sock")):
            raise AssertionError(self.log(name))

    def connected(self, name):
        """Wait until a member is in a cluster that has a leader."""
        sh("ovsdb-client", "-t", "60", "wait", self.socket(name), "vtap", "connected")

    def agent(self, name, *options, **env):
        """Start vtapd of a host, with the rights that its unit has."""
        remotes = ",".join(f"ssl:{address}:6642" for address in MEMBERS.values())
        # without sources of VMs, but for those among the options
        self.start(f"vtapd-{name}", "ip", "netns", "exec", self.ns(name), *RIGHTS,
                   f"{HERE}/vtapd", "--db", remotes, "--tls", f"{self.dir}/tls-{name}",
                   "--name", name, "--state", f"{self.dir}/{name}-kept/fleet.json",
                   "--interval", "0.1", "--vtap", f"{self.dir}/{name}/vtap",
                   "--libvirt", "", "--ovs", "", *options, env={**os.environ, **env})

    def libvirtd(self):
        """Start libvirtd with its test driver alone. Return: the URI of its VMs."""
        d = f"{self.dir}/libvirt"
        os.makedirs(f"{d}/none", exist_ok=True)
        with open(f"{d}/conf", "w", encoding="ascii") as f:
            f.write(f'unix_sock_dir = "{d}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n')
        self.start("libvirtd", "/usr/sbin/libvirtd", "-f", f"{d}/conf", "-p", f"{d}/pid",
                   env={**os.environ, "LIBVIRT_DRIVER_DIR": f"{d}/none"})
        busywait(lambda: os.path.exists(f"{d}/libvirt-sock"))
        return f"test+unix:///default?socket={d}/libvirt-sock"

    def vswitch(self):
        """Start a database of Open vSwitch. Return: its remote."""
        d = f"{self.dir}/vswitch"
        sh("ovsdb-tool", "create", f"{d}.db", "/usr/share/openvswitch/vswitch.ovsschema")
        self.start("vswitch", "ovsdb-server", f"{d}.db", f"--remote=punix:{d}.sock",
                   f"--unixctl={d}.ctl", "-vconsole:off", "-vsyslog:off")
        busywait(lambda: os.path.exists(f"{d}.sock"))
        self.vsctl("init")
        return f"unix:{d}.sock"

    def vsctl(self, *words):
        """Run ovs-vsctl; nobody makes the devices."""
        sh("ovs-vsctl", f"--db=unix:{self.dir}/vswitch.sock", "--no-wait", *words)

    def ctl(self, *words, ok=True, member="m1", **kw):
        """Run vtapctl on a member. OK: it has to succeed, or to fail. Return: CompletedProcess."""
        p = sh(f"{HERE}/vtapctl", "--db", self.socket(member), "--vtap", self.vtap,
               "--timeout", str(60 * SLOW), *words, check=False, **kw)
        if ok is not None and ok != (p.returncode == 0):
            raise AssertionError(f"vtapctl {words}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def status(self):
        """Return: vtapctl's status as an object, hosts by name, when all have the policy."""
        said = json.loads(self.ctl("-j", "--wait", "status").stdout)
        return said["generation"], {host["name"]: host for host in said["host"]}

    def transact(self, *operations, host=None):
        """Send raw OPERATIONS: as an administrator, or with the certificate of HOST.

        Return: the errors of the reply.
        """
        words = ["ovsdb-client", "-t", "30"]
        if host:
            tls = f"{self.dir}/tls-{host}"
            words = ["ip", "netns", "exec", self.ns(host), *words, "-p", f"{tls}/key.pem",
                     "-c", f"{tls}/cert.pem", "-C", f"{tls}/ca.pem"]
        remote = f"ssl:{MEMBERS['m1']}:6642" if host else self.socket()
        p = sh(*words, "transact", remote, json.dumps(["vtap", *operations]), check=False)
        if p.returncode:
            return [p.stderr.strip()]
        return [f"{op['error']}: {op.get('details', '')}" for op in json.loads(p.stdout)
                if op and "error" in op]

    def text(self, name):
        """Return: the commands that were applied on a host, sorted."""
        with contextlib.suppress(FileNotFoundError), \
                open(f"{self.dir}/{name}/text", encoding="utf-8") as f:
            return sorted(f.read().splitlines())
        return None

    def applied(self, name):
        """Return: how often something was applied on a host."""
        with open(f"{self.dir}/{name}/log", encoding="ascii") as f:
            return len(f.readlines())


class Fleet(Bed):
    """The bed with its agents and sources."""

    def keep_libvirt(self):
        """Connect to libvirt, whose test driver forgets its VMs when nobody is connected."""
        import libvirt  # pylint: disable=import-outside-toplevel
        libvirt.registerErrorHandler(lambda *args: None, None)
        self.conn = libvirt.open(self.uri)
        for domain in self.conn.listAllDomains():   # the driver's own one
            domain.destroy()
            domain.undefine()

    def __enter__(self):
        super().__enter__()
        try:
            for name in MEMBERS:
                self.connected(name)
            self.uri, self.ovs = self.libvirtd(), self.vswitch()
            self.keep_libvirt()
            self.agent("a", "--libvirt", self.uri)
            self.agent("b", "--ovs", self.ovs)
            self.agent("c")
            ksft_true(busywait(lambda: len(self.status()[1]) == len(HOSTS)), "all hosts are there")
            return self
        except BaseException:
            self.__exit__()
            raise
