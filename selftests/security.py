#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Permissions and limits: users, capabilities, sockets passed to other processes, containers, the
number of objects, and the control group that memory is charged to.

VTAP_YNL as for netlink.py.
"""
import contextlib
import ctypes
import errno
import json
import os
import shutil
import signal
import struct
import tempfile

from lib import (CLONE_NEWNET, VTAP, NetNS, Sender, Sniffer, Topology, busywait, ip, ksft_eq,
                 ksft_exit, ksft_run, ksft_skip, ksft_true, libc, modprobe, vtap)
from lib.nl import BASE, GRE, MIRROR, OPS, SKIP, Client, Netlink, NlMsgs, attr, attr_number, bench

NET_ADMIN, ALL = 12, (1 << 41) - 1
CLONE_NEWUSER = 0x10000000
CGROUP = "/sys/fs/cgroup"
RULES = 65536
DENIED = {**dict.fromkeys([*OPS, "session-get dump", "rule-get dump", "port-get dump", "join"],
                          errno.EPERM), "module-get": 0}


def child(work):
    """Return: what WORK() returns in a child process; "killed" when it did not live to tell."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, json.dumps(work()).encode())
        except BaseException as e:  # pylint: disable=broad-except
            os.write(write, json.dumps(repr(e)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)
    return json.loads(data) if data else "killed"


def call(name, *args):
    """Call libc's NAME, which says by its result whether it worked."""
    if getattr(libc, name)(*args):
        raise OSError(ctypes.get_errno(), name)


def nobody():
    """Become a user without any right."""
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, to be allowed to write /proc/self/uid_map


def user_namespace():
    """Become root of a user namespace of one's own."""
    call("unshare", CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", "0 65534 1"), ("gid_map", "0 65534 1")):
        with open("/proc/self/" + name, "w", encoding="ascii") as f:
            f.write(text)


def capabilities(mask):
    """Have those of MASK only, programs that are started as well."""
    for cap in range(ALL.bit_length()):
        if not mask & 1 << cap:
            # PR_CAPBSET_DROP; those that the kernel does not know yet are not there
            libc.prctl(24, cap, 0, 0, 0)
    words = (ctypes.c_uint32 * 6)(*[m for w in (mask & 0xffffffff, mask >> 32) for m in (w, w, 0)])
    call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), words)


def tries(nl):
    """Return: the errno of each command, of each dump and of joining the group."""
    new = {"commit": {"change": [{"session-new": {"name": "x", **GRE}}, {"rule-new": SKIP}]}}
    codes = {op: nl.ask(op, new.get(op, {}))[0] for op in OPS}
    codes |= {op + " dump": nl.ask(op, {}, flags=[Netlink.NLM_F_DUMP])[0]
              for op in ("session-get", "rule-get", "port-get")}
    try:
        nl.y.sock.setsockopt(Netlink.SOL_NETLINK, Netlink.NETLINK_ADD_MEMBERSHIP,
                             BASE.nlproto.genl_family["mcast"]["monitor"])
        codes["join"] = 0
    except OSError as e:
        codes["join"] = e.errno
    return codes


def works(nl):
    """Return: what a few commands give to one who may do all."""
    return [nl.dump("session"), nl.do("session-new", name="x", **GRE), len(nl.dump("session")),
            nl.do("rule-new", **MIRROR, session=["x"])["id"], nl.do("rule-flush"),
            nl.do("session-flush"), tries(nl)["join"]]


WORKS = [[], None, 1, 1, None, None, 0]


def occupy(b):
    """Put a session and a rule there, to be left alone."""
    b.nl.do("session-new", name="used", **GRE)
    b.nl.do("rule-new", **MIRROR, session=["used"])
    b.settle()


@bench
def users(b):
    """Only CAP_NET_ADMIN counts: nobody may do or see anything without, and root neither."""
    def plain():
        nobody()
        return tries(Client())

    def root_without():
        capabilities(ALL & ~(1 << NET_ADMIN))
        p = vtap("session show", ok=None)
        return [os.geteuid(), tries(Client()), p.returncode, p.stdout, p.stderr]

    def only():
        capabilities(1 << NET_ADMIN)
        return works(Client())

    with b.ns.enter():
        occupy(b)
        ksft_eq(child(plain), DENIED, "nobody is refused everything")
        uid, codes, *tool = child(root_without)
        ksft_eq((uid, codes), (0, DENIED), "root without CAP_NET_ADMIN is refused everything")
        ksft_true(tool[:2] == [1, ""] and "not permitted" in tool[2], "and the tool says so", tool)
        b.unchanged("all that they tried")
        b.nl.reset()
        ksft_eq(child(only), [*WORKS[:3], 2, *WORKS[4:]], "CAP_NET_ADMIN alone is enough")


@bench
def passed(b):
    """A socket gives its user no rights: with one that root opened nobody may do nothing, and what
    somebody without rights opened is not obeyed just since root writes to it."""
    def opened_by_root(to):
        nl = Client()
        nl.to = to
        nobody()
        return tries(nl)

    def opened_by_nobody(to):
        os.seteuid(65534)
        nl = Client()
        os.seteuid(0)
        nl.to = to
        return tries(nl) if not to else nl.ask("session-get", {"name": "used"})[0]

    with b.ns.enter():
        occupy(b)
        for to in (None, (0, 0)):
            ksft_eq(child(lambda to=to: opened_by_root(to)), DENIED,
                    f"opened by root, used by nobody, {'sendto' if to else 'write'}: refused "
                    "everything")
        codes = child(lambda: opened_by_nobody(None))
        ksft_eq({**codes, "join": errno.EPERM}, DENIED,
                "opened by nobody, used by root, write: refused everything")
        b.unchanged("all that they tried")
        ksft_eq(child(lambda: opened_by_nobody((0, 0))), 0,
                "the same socket, addressed by root to the kernel, works")


class Container:
    """A user namespace and a network namespace in it, made by nobody."""

    def __init__(self):
        read, write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                nobody()
                user_namespace()
                call("unshare", CLONE_NEWNET)
                os.write(write, b"r")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(write)
        with os.fdopen(read, "rb") as f:
            if f.read(1) != b"r":
                raise RuntimeError("no user namespaces")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def join(self, *kinds):
        """Move this process into its namespaces of KINDS; as root of the user namespace."""
        for kind in kinds:
            fd = os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY)
            call("setns", fd, 0)
            os.close(fd)
        if "user" in kinds:
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)

    def run(self, work, *kinds):
        """Return: what WORK() returns in a process in its namespaces."""
        def inside():
            self.join(*(kinds or ("user", "net")))
            return work()
        return child(inside)


def write_param():
    """Return: whether this process may set the module's parameter."""
    try:
        with open("/sys/module/vtap/parameters/rx_chain", "w", encoding="ascii") as f:
            f.write("N")
        return True
    except (PermissionError, FileNotFoundError):  # a module without the chain has no parameter
        return False


def needs_user_namespaces(test):
    """Skip TEST where the kernel has none."""
    if os.path.exists("/proc/self/ns/user"):
        return test

    def skipped():
        ksft_skip("the kernel has no user namespaces", test.__name__)
    skipped.__name__ = test.__name__
    return skipped


@needs_user_namespaces
@bench
def containers(b):
    """Root of a container may do everything in its network namespace, and nothing in another
    one."""
    def unrelated():
        nobody()
        before = Client()
        user_namespace()
        result = {"old socket": tries(before), "new socket": tries(Client())}
        call("unshare", CLONE_NEWNET)
        result["socket of the other namespace"] = tries(before)
        result["own"] = works(Client())
        return result

    def inside():
        return [vtap("session add mine type gre remote 192.0.2.9", ok=None).returncode,
                write_param()]

    with b.ns.enter():
        occupy(b)
        result = child(unrelated)
        for name in ("old socket", "new socket", "socket of the other namespace"):
            ksft_eq(result[name], DENIED,
                    f"root of another user namespace, {name}: refused everything")
        ksft_eq(result["own"], WORKS, "and may do everything in its own")
        with Container() as one, Container() as other:
            ksft_eq(one.run(inside), [0, False],
                    "a container has sessions of its own, and not the module's parameters")
            ksft_eq(one.run(lambda: [len(Client().dump("session")), Client().do("session-flush")],
                            "net"), [1, None], "root of the host sees and ends them")
            ksft_eq(one.run(lambda: tries(Client()), "user"), DENIED,
                    "a container in the host's network namespace is refused everything")

            def sibling():
                one.join("net")
                return other.run(lambda: tries(Client()), "user")
            ksft_eq(child(sibling), DENIED, "and in another container's")
        b.unchanged("all that containers did")


@needs_user_namespaces
def evasion():
    """The host taps what a container sends, also when the container's own tap sent it."""
    marked = [b"vtap evasion %d" % i for i in range(4)]

    def inside():
        ip("link add d0 type dummy", "link set d0 addrgenmode none up",
           "link set eth0 addrgenmode none up")
        vtap("session add raw type port dev eth0")
        vtap("rule add pref 1 port d0 dir egress action mirror raw")
        if not busywait(lambda: json.loads(vtap("-j session show").stdout)[0]["state"] == "active"):
            raise RuntimeError("the container's session is not active")
        with Sender(Here(), "d0") as tx:
            for data in marked:
                tx.send(t.udp(payload=data))
        return "sent"

    with Topology() as t, Container() as c:
        t.host.ip(f"link add c0 index 110 type veth peer name eth0 netns {c.pid}",
                  "link set c0 addrgenmode none up")
        vtap("session add s type gre remote 192.0.2.9", t.host)
        vtap("session add loop type port dev none", t.host)
        vtap("rule add pref 1 port c0 dir ingress action mirror s", t.host)
        with Sniffer(t.col, "eth0", match=lambda f: b"vtap evasion" in f) as rx, \
                Sniffer(t.host, "c0", match=lambda f: b"vtap evasion" in f) as port:
            ksft_eq(c.run(inside), "sent", "a container sends by a raw session")
            ksft_eq([f[42:] for f in port.frames(4)], marked, "its frames come to the host")
            ksft_eq([f[38 + 42:] for f in rx.frames(4)], marked, "the host's tap has them")


class Here:
    """This thread's namespace, as Sender wants it."""

    @contextlib.contextmanager
    def enter(self):
        yield self


def sessions():
    """1024 sessions and no more."""
    with NetNS("full") as ns, Client(ns) as nl:
        new = [("commit",
                {"change": [{"session-new": {"name": f"s{i}", "type": "port", "dev": "none"}}]},
                []) for i in range(1024)]
        for i in range(0, 1024, 64):  # more acknowledgements do not fit in the socket
            nl.y.do_multi(new[i:i + 64])
        code, extack = nl.ask("session-new", {"name": "new", **GRE})
        ksft_eq((code, extack["msg"]), (errno.ENOSPC, "too many sessions"),
                "the 1025th session is refused")
        ksft_eq([s["name"] for s in nl.dump("session")], [f"s{i}" for i in range(1024)],
                "a dump has all others")
        nl.do("session-del", name="s7")
        nl.do("session-new", name="new", **GRE)
        ksft_eq(len(nl.dump("session")), 1024, "one less, and there is room")


def many(nl, n, ready=lambda: None):
    """Make N rules in one transaction, READY() before it is sent. Return: (errno, text, how many
    there were)."""
    words = b"".join(attr(attr_number("rule", name), data) for name, data in (
        ("pref", struct.pack("I", 1)), ("port", b"none\0"), ("action", struct.pack("I", 1))))
    change = attr(attr_number("commit", "change"), attr(attr_number("change", "rule-new"), words,
                                                        True), True)
    request = nl.y._encode_message(BASE.ops["commit"], {}, [], 7) + change * n
    nl.y.sock.setsockopt(1, 32, len(request) + 4096)  # SO_SNDBUFFORCE
    request = struct.pack("I", len(request)) + request[4:]
    ready()
    nl.y.sock.send(request)
    code, text, rules = None, None, 0
    while code is None:
        for msg in NlMsgs(nl.y.sock.recv(1 << 17), attr_space=BASE.ops["commit"].attr_set):
            if msg.done:
                code, text = -msg.error, (msg.extack or {}).get("msg")
            else:
                rules = struct.unpack_from("HHI", msg.raw, 4)[2]
    return code, text, rules


def rules():
    """65536 rules and no more."""
    with NetNS("full") as ns, Client(ns) as nl:
        ksft_eq(many(nl, RULES + 1), (errno.ENOSPC, "too many rules", 0),
                "65537 rules at once are refused")
        ksft_eq(nl.dump("rule"), [], "and none is made")
        ksft_eq(many(nl, RULES), (0, None, RULES), "65536 rules at once are not")
        code, extack = nl.ask("rule-new", SKIP)
        ksft_eq((code, extack.get("msg")), (errno.ENOSPC, "too many rules"), "one more is refused")
        nl.do("rule-set", id=RULES, pref=2)
        nl.do("rule-del", id=1)
        ksft_eq(nl.do("rule-new", **SKIP)["id"], RULES + 1, "one less, and there is room")
        with NetNS("other") as other, Client(other) as beside:
            ksft_eq(beside.do("rule-new", **SKIP)["id"], 1, "another namespace has room of its own")
        nl.do("rule-flush")
        ksft_eq(nl.dump("rule"), [], "flush deletes them all")


class Cgroup:
    """A control group for memory, or None of it."""

    def __init__(self):
        self.path = f"{CGROUP}/vtap-{os.getpid()}"
        self.write(CGROUP + "/cgroup.subtree_control", "+memory")
        os.mkdir(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        busywait(lambda: not self.stat("pids"))
        os.rmdir(self.path)

    def write(self, name, text):
        """Write TEXT to the file NAME."""
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(text))

    def stat(self, what):
        """Return: bytes of WHAT, a line of memory.stat; or the processes."""
        with open(self.path + ("/cgroup.procs" if what == "pids" else "/memory.stat"),
                  encoding="ascii") as f:
            return f.read() if what == "pids" else dict(map(str.split, f))[what]

    def tighten(self):
        """Leave the group 6 MiB more than it has."""
        with open(self.path + "/memory.current", encoding="ascii") as f:
            self.write("memory.max", int(f.read()) + (6 << 20))

    def run(self, work):
        """Return: what WORK() returns in a process in the group."""
        def inside():
            self.write("cgroup.procs", os.getpid())
            return work()
        return child(inside)


def memory():
    """The control group of who makes rules pays for them, and its limit is one for rules."""
    n = 20000
    try:
        with open(CGROUP + "/cgroup.controllers", encoding="ascii") as f:
            there = "memory" in f.read().split()
    except OSError:
        there = False
    if not there:
        ksft_skip("no control groups of version 2 for memory", "memory")
        return
    with NetNS("memory") as ns, Client(ns) as nl, Cgroup() as group:
        def used():
            return [int(group.stat(what)) for what in ("slab", "percpu")]

        with ns.enter():
            before = used()
            ksft_eq(group.run(lambda: many(Client(), n)), [0, None, n], f"{n} rules")
            cpus = len(os.sched_getaffinity(0))
            lag = cpus * 32 * 4096  # of which 5.10 does not tell yet
            want = [n * 96 - lag, n * 16 * cpus - lag]
            ksft_true(busywait(lambda: all(u - b >= w for u, b, w in zip(used(), before, want))),
                      "their group has paid for them and their counters",
                      lambda: (before, used(), want))
            nl.do("rule-flush")
            ksft_true(busywait(lambda: all(u - b <= lag for u, b in zip(used(), before))),
                      "and has it back when they are gone", lambda: (before, used(), lag))
            ksft_eq(group.run(lambda: many(Client(), 5000, group.tighten)), [0, None, 5000],
                    "a group with 6 MiB left has enough for 5000 of them")
            nl.do("rule-flush")
            group.write("memory.max", "max")
            result = group.run(lambda: many(Client(), RULES, group.tighten))
            ksft_true(result in ("killed", [errno.ENOMEM, None, 0]), "and not for 65536", result)
            ksft_eq(nl.dump("rule"), [], "and none is made")
            ksft_eq(many(nl, 100), (0, None, 100), "which others do not notice")
            nl.do("rule-flush")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    with tempfile.TemporaryDirectory() as public:  # the tree may lie where others cannot go
        os.chmod(public, 0o755)
        VTAP = shutil.copy(VTAP, public)
        ksft_run([users, passed, containers, evasion, sessions, rules, memory])
        ksft_exit()
