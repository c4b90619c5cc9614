# SPDX-License-Identifier: GPL-2.0
"""Commands, network namespaces and the vtap tool.

A program takes 0.05 to 1 s to start under QEMU's emulation. So `ip` and vtap commands are run in
batches, and `with ns.enter()` moves this thread into a namespace instead of starting `ip netns
exec`.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shlex
import shutil
import socket
import struct
import subprocess
import sys

from .tap import SLOW

# the self-tests are in selftests/ of vtap's own tree, or in tools/testing/selftests/net/vtap of the
# kernel's, where the module is in net/vtap and the tool comes from elsewhere
TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
REPO = os.path.dirname(TESTS)
KMOD, VTAP = REPO + "/kmod", REPO + "/tools/vtap/vtap"
if not os.path.isdir(KMOD):
    REPO = os.path.normpath(TESTS + "/../../../../..")
    KMOD, VTAP = REPO + "/net/vtap", shutil.which("vtap") or ""
VTAP = os.environ.get("VTAP", VTAP)
if not VTAP:
    print("1..0 # SKIP there is no tool vtap in the path")
    sys.exit(4)
KERNEL = tuple(int(n) for n in os.uname().release.split("-")[0].split("+")[0].split(".")[:2])
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def one_cpu(cpu=None):
    """Inside `with`, this thread stays on CPU (None: the current one), so that frames which it
    sends cannot overtake each other."""
    cpus = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):  # the CPU may be offline
        os.sched_setaffinity(0, {libc.sched_getcpu() if cpu is None else cpu})
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cpus)


def sh(cmd, check=True, timeout=120, **kw):
    """Run CMD (words, or one string without shell syntax). Return: CompletedProcess with text
    output."""
    words = shlex.split(cmd) if isinstance(cmd, str) else cmd
    return subprocess.run(words, check=check, timeout=timeout * SLOW, text=True,
                          stdin=kw.pop("stdin", None if "input" in kw else subprocess.DEVNULL),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def ip(*lines, ns=None):
    """Run `ip` commands in one process, in namespace NS."""
    text = "\n".join(line.strip() for part in lines for line in part.splitlines() if line.strip())
    sh(["ip"] + (["-n", ns.name] if ns else []) + ["-batch", "-"], input=text + "\n")


def modprobe(*names):
    """Load kernel modules. Return: True if all of them could be loaded."""
    return sh(["modprobe", "-a", *names], check=False).returncode == 0


class NetNS:
    """A network namespace with a random name; `with` removes it. Netns.many() creates several at
    the cost of one."""

    def __init__(self, name="ns", create=True):
        self.name = f"{name}-{secrets.token_hex(3)}"
        if create:
            ip(f"netns add {self.name}")

    @classmethod
    def many(cls, *names):
        new = [cls(name, create=False) for name in names]
        ip(*[f"netns add {ns.name}" for ns in new])
        return new

    @staticmethod
    def remove_all(namespaces):
        """Remove NAMESPACES of many(), those that a test has not removed itself."""
        there = os.listdir("/run/netns")
        ip(*[f"netns del {ns.name}" for ns in namespaces if ns.name in there])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()

    def remove(self):
        sh(["ip", "netns", "del", self.name], check=False)

    @contextlib.contextmanager
    def enter(self):
        """Inside, this thread, its new sockets and the programs it starts are in the namespace."""
        def setns(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(fd, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns", path)
            finally:
                os.close(fd)

        old = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(f"/run/netns/{self.name}")
            yield self
        finally:
            setns(f"/proc/self/fd/{old}")
            os.close(old)

    def ip(self, *lines):
        ip(*lines, ns=self)

    def sh(self, cmd, **kw):
        with self.enter():
            return sh(cmd, **kw)

    def popen(self, cmd, **kw):
        """Start CMD in the background; the caller ends it (Popen is a context manager that only
        waits)."""
        with self.enter():
            return subprocess.Popen(shlex.split(cmd) if isinstance(cmd, str) else cmd, text=True,
                                    **kw)

    def sysctl(self, **values):
        """Write sysctls, "." and "/" of the names written as "__"."""
        with self.enter():
            for name, value in values.items():
                with open("/proc/sys/" + name.replace("__", "/"), "w", encoding="ascii") as f:
                    f.write(str(value))

    def running(self, *devs):
        """Return: whether the devices are up and have a carrier."""
        with self.enter(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            ask = [struct.pack("16sH14x", dev.encode(), 0) for dev in devs]
            # SIOCGIFFLAGS
            flags = [struct.unpack("16xH14x", fcntl.ioctl(s, 0x8913, a))[0] for a in ask]
            return all(f & 0x40 for f in flags)  # IFF_RUNNING

    def icmp_errors(self):
        """Return: how many ICMP errors of each kind the namespace has received."""
        kinds = ("DestUnreachs", "PktTooBigs", "TimeExcds", "ParmProbs", "ParmProblems",
                 "Redirects")
        with self.enter():
            with open("/proc/net/snmp", encoding="ascii") as f:
                pairs = zip(*[line.split() for line in f if line.startswith("Icmp:")])
                pairs = [("Icmp" + name, value) for name, value in pairs]
            with open("/proc/net/snmp6", encoding="ascii") as f:
                pairs += [line.split() for line in f if line.startswith("Icmp6")]
        return {name: int(n) for name, n in pairs if name.partition("In")[2] in kinds and n != "0"}

    def links(self):
        """Return: `ip -s link` of the namespace, by device name."""
        return {d["ifname"]: d for d in json.loads(sh(["ip", "-n", self.name, "-j", "-d", "-s",
                                                       "link"]).stdout)}


def vtap(args, ns=None, ok=True):  # pylint: disable=redefined-outer-name
    """Run the vtap tool in namespace NS. OK: True raises when it fails, False when it does not,
    None takes both.
    Return: CompletedProcess."""
    p = (ns.sh if ns else sh)([VTAP] + (shlex.split(args) if isinstance(args, str) else list(args)),
                              check=False)
    if ok is not None and ok != (p.returncode == 0):
        raise AssertionError(f"vtap {args}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p


def vtap_json(args, ns=None):
    """Return: what `vtap -j ARGS` printed, decoded."""
    return json.loads(vtap("-j " + args, ns).stdout)


def raise_backlog():
    """Let veth pairs hold as much as a transfer brings at once: they drop what a CPU's backlog has
    no room for."""
    with open("/proc/sys/net/core/netdev_max_backlog", "w", encoding="ascii") as f:
        f.write("100000")


def ports_by_name(ns):
    """Return: `vtap port show` by name."""
    return {p["name"]: p for p in vtap_json("-s port show", ns)}


def vtap_batch(ns, *lines, force=False, ok=True):  # pylint: disable=redefined-outer-name
    """Run the commands LINES of the vtap tool in namespace NS, in one process. FORCE: commands that
    are refused are skipped. OK as in vtap(); FORCE takes both.
    Return: CompletedProcess."""
    p = ns.sh([VTAP, "-b", "-"] + ["-force"] * force, input="\n".join(lines) + "\n",
              check=False)
    if not force and ok is not None and ok != (p.returncode == 0):
        raise AssertionError(f"{lines}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p
