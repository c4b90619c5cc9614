#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Memory that is not there: each allocation of each command, of loading the module, of a new
namespace and of each device event fails once, so does each of a copy, and any of the work that is
done later. Needs a kernel with FAILSLAB.

A command that fails changes nothing; an event is made up for; a copy that fails is counted, and the
tapped frame goes its way.
"""
import ctypes
import errno
import os
import socket
import struct

from lib import (CLONE_NEWNET, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_pr,
                 ksft_run, ksft_skip, ksft_true, libc, modprobe, vtap, vtap_json)

DEBUGFS = "/sys/kernel/debug/"
NTH = "/proc/thread-self/fail-nth"
SUITES = "/sys/module/kunit/parameters/filter_glob"  # those that run when the module comes
KO = os.environ.get("VTAP_KO")
MOST = 400  # allocations of one command
MANY = 1 << 30
KINDS = ("failslab", "fail_page_alloc")
EVERYWHERE = (0, (1 << 64) - 1)


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(text))


def get(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def confine(start, end):
    """Let only those allocations fail that have a caller between two addresses; those of user
    space's memory never do."""
    for kind in KINDS:
        put(f"{DEBUGFS}{kind}/require-start", start)
        put(f"{DEBUGFS}{kind}/require-end", end)


def module():
    """Return: where the code of vtap is."""
    words = next(line.split() for line in get("/proc/modules").splitlines()
                 if line.startswith("vtap "))
    return int(words[5], 16), int(words[5], 16) + int(words[1])


def function(name):
    """Return: where a function of the kernel's is."""
    symbols = [line.split()[:3] for line in get("/proc/kallsyms").splitlines() if "[" not in line]
    start = next(int(address, 16) for address, _, symbol in symbols if symbol == name)
    return start, min(address for address, *_ in ((int(a, 16), k, n) for a, k, n in symbols)
                      if address > start)


def confined():
    """Return: whether this kernel can confine faults."""
    return os.path.exists(DEBUGFS + "failslab/require-start")


def configure(**values):
    """Set fault attributes: which kinds of allocation may fail, how often, confined to WHERE if
    that is possible.
    Return: how many have failed since the last time."""
    probability, where = values.pop("probability", 0), values.pop("where", EVERYWHERE)
    failed = 0
    for kind in KINDS:
        put(f"{DEBUGFS}{kind}/probability", 0)
        left = int(get(f"{DEBUGFS}{kind}/times"))
        failed += MANY - left if left > 0 else 0
        for name, value in {"verbose": 0, "interval": 1, "times": MANY, "task-filter": "N",
                            "ignore-gfp-wait": "N",
                            "ignore-gfp-highmem": "Y", "min-order": 0, **values}.items():
            if os.path.exists(f"{DEBUGFS}{kind}/{name}"):
                put(f"{DEBUGFS}{kind}/{name}", value)
    if confined():
        confine(*where)
    # a fault of its own between user space and the kernel would be taken for one of an allocation
    if os.path.exists(DEBUGFS + "fail_usercopy/require-end"):
        put(DEBUGFS + "fail_usercopy/require-end", 0)
    for kind in KINDS:
        put(f"{DEBUGFS}{kind}/probability", probability)
    return failed


class Fault:
    """Within `with`, this thread's N-th allocation fails. HIT: whether there was one."""

    def __init__(self):
        self.fd = os.open(NTH, os.O_RDWR)
        self.n, self.hit = b"0", False

    def __call__(self, n):
        self.n = b"%d" % n
        return self

    def __enter__(self):
        os.write(self.fd, self.n)

    def __exit__(self, *exc):
        left = os.pread(self.fd, 20, 0)
        os.write(self.fd, b"0")
        self.hit = int(left) == 0


def plain(state):
    """Return: what STATE tells, without the ids, of which each attempt uses some up."""
    return [[{k: v for k, v in obj.items() if k != "id"} for obj in objs] for objs in state]


class Commands:
    """A namespace in a known state, from which each command starts."""

    def __init__(self, t, client):
        self.t, self.nl, self.listener = t, client(t.host), client(t.host).subscribe()
        self.fault, self.ids, self.hits = Fault(), [], 0
        self.y = self.nl.y

    def reset(self):
        """The known state: sessions s and x, of which rules use s."""
        self.nl.reset()
        v4, v6 = bytes([192, 0, 2, 9]), bytes.fromhex("20010db8000900000000000000000009")
        self.nl.do("session-new", name="s", type="gre", remote=v4)
        self.nl.do("session-new", name="x", type="vxlan", key=4, remote=v6)
        for pref, port in ((5, "vnet0"), (6, "none*")):
            self.nl.do("rule-new", pref=pref, port=port, action="mirror", session=["s"],
                       match={"ip-proto": 6})
        self.ids = [r["id"] for r in self.nl.dump("rule")]
        self.nl.events()

    def message(self, op, vals):
        """The bytes of a request, made before faults begin."""
        return self.nl.encode(op, vals(self.ids) if callable(vals) else vals)

    def answer(self):
        """Return: the error, 0, or None when the answer itself got lost."""
        result = None
        while True:
            try:
                data = self.y.sock.recv(1 << 18, 0x40)  # MSG_DONTWAIT
            except BlockingIOError:
                return result
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise
                continue
            while len(data) >= 16:
                length, kind = struct.unpack_from("IH", data)
                if kind == 2:
                    result = -struct.unpack_from("i", data, 16)[0]
                data = data[(length + 3) & ~3:]

    def attempt(self, message, n):
        """Return: the answer to MESSAGE with its N-th allocation failing."""
        try:
            with self.fault(n):
                self.y.sock.send(message)
        except OSError as e:
            return e.errno
        return self.answer()

    def quiet(self):
        """Events are not looked at here."""
        while True:
            try:
                self.listener.y.sock.recv(1 << 18, 0x40)
            except BlockingIOError:
                return
            except OSError:
                pass

    def every(self, op, vals):
        """Let each allocation of a command fail. Return: what was wrong, and how many failed."""
        self.reset()
        before = plain(self.nl.state())
        if self.attempt(self.message(op, vals), 0):
            return [f"{op} is refused without a fault"], 0
        after, wrong, refused = plain(self.nl.state()), [], 0
        self.reset()
        for n in range(1, MOST):
            error = self.attempt(self.message(op, vals), n)
            hit = self.fault.hit
            state = plain(self.nl.state())
            self.quiet()
            want = [after] if error == 0 else [before, after] if error is None else [before]
            # what failed behind the command, such as a route, is made up for
            if error == 0 and state != after:
                busywait(lambda: plain(self.nl.state()) == after, 5)
                state = plain(self.nl.state())
            if state not in want or error not in (0, None, errno.ENOMEM, errno.ENOBUFS):
                wrong.append(f"allocation {n}: {error}, state {state}")
            refused += hit and bool(error)
            if not hit:
                return wrong, refused
            if state != before:
                self.reset()
        return wrong + ["no end of allocations"], refused


FILTER = struct.pack("HBBI", 6, 0, 0, 0xffff)
V4 = bytes([192, 0, 2, 9])
NEW = {"pref": 1, "port": "vnet*", "dir": {"ingress", "egress"}, "action": "mirror",
       "session": ["s", "x"], "filter": FILTER,
       "filter-text": "all", "match": {"src-port": 1, "src-port-max": 9}}
COMMANDS = (
    ("session-new", {"name": "n", "type": "erspan3", "remote": V4, "id": 7, "rate": 8000}),
    ("session-new", {"name": "n", "type": "port", "dev": "up0"}),
    ("session-set", {"name": "s", "remote": bytes([192, 0, 2, 8]), "snaplen": 99}),
    ("session-del", {"name": "x"}),
    ("session-flush", {"type": "vxlan"}),
    ("session-get", {"name": "s"}),
    ("rule-new", NEW),
    ("rule-set", lambda ids: {"id": ids[0], "port": "vnet1", "session": ["x"], "filter": FILTER}),
    ("rule-del", lambda ids: {"id": ids[0]}),
    ("rule-flush", {}),
    ("rule-get", lambda ids: {"id": ids[0]}),
    ("port-get", {"name": "vnet0"}),
    ("module-get", {}),
    ("commit", lambda ids: {"change": [{"session-new": {"name": "n", "type": "gre", "remote": V4}},
                                       {"rule-del": {"id": ids[0]}},
                                       {"rule-new": {**NEW, "session": ["n", "s"]}},
                                       {"session-del": {"name": "x"}},
                                       {"rule-set": {"id": ids[1], "pref": 3}},
                                       {"rule-flush": {"pref": 1}},
                                       {"rule-new": {**NEW, "session": ["n"]}}]}),
)


def commands():
    """Each allocation that a command makes fails once."""
    from lib.nl import Client  # pylint: disable=import-outside-toplevel
    configure()
    with Topology() as t:
        c = Commands(t, Client)
        total = 0
        for op, vals in COMMANDS:
            wrong, refused = c.every(op, vals if callable(vals) else dict(vals))
            total += refused
            ksft_true(not wrong and refused,
                      f"{op}: is refused and changes nothing for want of memory, {refused} times",
                      "\n".join(wrong[:3])[:300])
        ksft_pr(f"{total} allocations of commands failed")
        c.nl.reset()
        ksft_eq(c.nl.state(), [[], [], []], "nothing is left behind")


def counters(t):
    return {s["name"]: s["stats"] for s in vtap_json("-s session show", t.host)}


class Copies:
    """The host sends out by vnet0 in its own context, so that the fault is the copy's or the
    frame's, one by one."""

    def __init__(self, t):
        self.t, self.fault = t, Fault()
        self.tx = Sender(t.host, "vnet0", vnet=True)
        self.rx = Sniffer(t.a, "eth0")

    def send(self, n, frame, kw):
        """Return: whether the frame was taken, with the N-th allocation failing."""
        try:
            with self.fault(n):
                self.tx.send(frame, **kw)
        except OSError:
            return False
        return True

    def every(self, frame, pieces, kw):
        """Send until no allocation is left to fail; PIECES arrive of each. Return: frames taken,
        that arrived, counters."""
        taken, n, idle = 0, 0, 0
        while idle < 20 and n < MOST:  # some are taken from stores that are filled now and then
            n += 1
            taken += self.send(n, frame, kw)
            idle = 0 if self.fault.hit else idle + 1
        vtap("rule flush", self.t.host)
        return taken, len(self.rx.frames(taken * pieces)), counters(self.t)


SESSIONS = ("gre type gre remote 192.0.2.9", "cut type erspan2 remote 192.0.2.9 mtu truncate",
            "six type vxlan key 3 remote 2001:db8:9::9", "raw type port dev up0 mtu drop")


def accounted(stats):
    """Return: whether all copies are sent, or dropped for want of memory or by the session's MTU
    policy."""
    return all(s["matched"] == s["sent"] + s["drop_nomem"] + s["drop_mtu"] > 0
               for s in stats.values())


def copies():
    """Each allocation of a copy that has its own, the frame being large, or to be cut by the
    kernel."""
    configure()
    with Topology(mtu=9000, up_mtu=8000) as t:
        c = Copies(t)
        for name, pieces, frame, kw in (
            ("a frame of 5000 bytes", 1, t.udp("b", "a", payload=b"x" * 4950), {}),
            ("a frame to be fragmented", 1, t.udp("b", "a", payload=b"x" * 7960), {}),
            ("a datagram that the kernel cuts", 5, t.udp("b", "a", payload=b"x" * 4000,
                                                         partial=True),
             {"csum": (34, 6), "gso": (Sender.GSO_UDP, 1000, 42)})):
            for session in SESSIONS:
                vtap(f"session add {session}", t.host)
            vtap("rule add pref 1 port vnet0 dir egress action mirror gre,cut,six,raw", t.host)
            taken, arrived, stats = c.every(frame, pieces, kw)
            vtap("session flush", t.host)
            ksft_eq(arrived, taken * pieces, f"{name}: all {taken} that were taken arrive")
            gone = sum(s["drop_nomem"] for s in stats.values())
            ksft_true(gone > 0 and accounted(stats), f"{name}: {gone} copies fail, each counted",
                      stats)


def softirq():
    """Most allocations that may not wait fail, while frames cross the bridge; its own traffic needs
    none there."""
    frames = 1000
    with Topology() as t, Sender(t.a, "eth0", vnet=True) as tx:
        def received(ns):
            return ns.links()["eth0"]["stats64"]["rx"]["packets"]
        for name, frame, kw in (("small frames", t.udp(payload=b"x" * 100), {}),
                                ("large frames", t.udp(payload=b"x" * 1450), {}),
                                ("TCP super-frames", t.tcp(payload=b"x" * 4000, partial=True),
                                 {"csum": (34, 16), "gso": (Sender.GSO_TCPV4, 1000, 54)})):
            vtap(f"session add gre type gre remote {t.IP4['col']}", t.host)
            vtap("rule add pref 1 port vnet0 dir ingress action mirror gre", t.host)
            start = received(t.b)
            # holds the copies, whose memory would else serve the next ones
            with Sniffer(t.col, "eth0"):
                configure(**{"probability": 90, "ignore-gfp-wait": "Y",
                             "where": module() if confined() else EVERYWHERE})
                try:
                    for _ in range(frames):
                        tx.send(frame, **kw)
                finally:
                    configure()
            busywait(lambda at=start: received(t.b) - at >= frames)
            vtap("rule flush", t.host)
            stats = counters(t)
            vtap("session flush", t.host)
            ksft_eq(received(t.b) - start, frames, f"{name}: all cross the bridge")
            matched, gone = stats["gre"]["matched"], stats["gre"]["drop_nomem"]
            ksft_true(accounted(stats) and gone,
                      f"{name}: {gone} of {matched} copies fail and are counted, the others are "
                      "sent", stats)


def nth(action, undo=lambda: None):
    """Do ACTION with each of its allocations failing once, and UNDO it. Return: its results."""
    fault, results = Fault(), []
    for n in range(1, MOST):
        with fault(n):
            result = action()
        if not fault.hit:
            return results
        results.append(result)
        undo(result)
    raise RuntimeError("no end of allocations")


def call(name, *args):
    """Return: the error of a call of libc's, or 0."""
    return ctypes.get_errno() if getattr(libc, name)(*args) else 0


def loading():
    """Each allocation that the module's start makes fails once, devices and namespaces being
    there."""
    if not KO:
        ksft_skip("VTAP_KO does not name the module", "loading")
        return

    def unload():
        return call("syscall", 176, b"vtap", 0)  # delete_module

    if os.path.exists(SUITES):
        put(SUITES, "none")
    with Topology() as t, open(KO, "rb") as f:
        ksft_eq(unload(), 0, "the module is unloaded")
        configure(where=function("do_one_initcall"))

        def load():
            return call("syscall", 313, f.fileno(), b"", 0)  # finit_module
        try:
            seen = nth(load, lambda error: error or unload())
        finally:
            configure()
        ksft_true(set(seen) - {0} == {errno.ENOMEM},
                  f"loading fails {len(seen) - seen.count(0)} times for want of memory, and then "
                  "leaves nothing", seen)
        vtap(f"session add s type gre remote {t.IP4['col']}", t.host)
        ksft_eq([s["state"] for s in vtap_json("session show", t.host)], ["active"],
                "and works in the end")


def namespace():
    """Each allocation that a new namespace costs the module fails once."""
    old = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def leave(error=0):
        if not error and libc.setns(old, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    configure(where=module())
    try:
        seen = nth(lambda: call("unshare", CLONE_NEWNET), leave)
    finally:
        leave()
        configure()
        os.close(old)
    # without the memory of a debugging aid it goes on
    ksft_true(errno.ENOMEM in seen and set(seen) <= {0, errno.ENOMEM},
              f"a new namespace is refused for want of memory, {len(seen) - seen.count(0)} times, "
              "or comes", seen)


class Links:
    """rtnetlink in this thread, so that its allocations can be told from others'. Each call returns
    the error, or 0."""

    def __init__(self, ns):
        with ns.enter():
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)

    def __call__(self, kind, index, flags=0, change=0, attrs=b"", more=0):
        body = struct.pack("BxHiII", 0, 0, index, flags, change) + attrs
        self.sock.send(struct.pack("IHHII", 16 + len(body), kind, 5 | more, 1, 0) + body)
        while True:
            try:
                return -struct.unpack_from("i", self.sock.recv(1 << 16), 16)[0]
            except OSError as e:
                if e.errno != errno.ENOBUFS:
                    raise

    def up(self, index):
        return self(16, index, 1, 1)

    def down(self, index):
        return self(16, index, 0, 1)

    def set(self, index, attr, value):
        return self(16, index, attrs=attribute(attr, value))

    def name(self, index, name):
        return self.down(index) or self.set(index, 3, name.encode() + b"\0") or self.up(index)

    def add(self, index, name):
        """A dummy device."""
        return self(16, index, attrs=attribute(3, name.encode() + b"\0") +
                    attribute(18, attribute(1, b"dummy")), more=0x600)

    def delete(self, index):
        return self(17, index)


def attribute(kind, data):
    """Return: a netlink attribute."""
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def events():
    """Each allocation that the module makes for a device event fails once, those for who listens,
    too: nothing is refused, all is made up for."""
    from lib.nl import Client  # pylint: disable=import-outside-toplevel
    with Topology() as t, Client(t.host) as nl, Client(t.host).subscribe():
        links = Links(t.host)
        for words in (f"session add s type gre remote {t.IP4['col']}",
                      "rule add pref 1 port 'q*' action mirror s",
                      "rule add pref 2 master br0 action mirror s",
                      "rule add pref 3 port vnet0 dir ingress action mirror s"):
            vtap(words, t.host)
        links.add(200, "dd")
        bridge = t.host.links()["br0"]["ifindex"]

        def state():  # later ports stand further behind
            return (sorted((p["name"], p["ingress-hook"], p["egress-hook"])
                           for p in nl.dump("port")),
                    [s["state"] for s in nl.dump("session")])
        for what, action, undo in (
            ("a device that comes", lambda: links.add(201, "q1"), lambda: links.delete(201)),
            ("a new name", lambda: links.name(200, "q0"), lambda: links.name(200, "dd")),
            ("a new master", lambda: links.set(200, 10, struct.pack("I", bridge)),
             lambda: links.set(200, 10, bytes(4))),
            ("a lost master", lambda: links.set(101, 10, bytes(4)),
             lambda: links.set(101, 10, struct.pack("I", bridge))),
            ("an uplink that goes down", lambda: links.down(103), lambda: links.up(103)),
        ):
            event(what, action, undo, state)


def event(what, action, undo, state):
    """One kind of event with its allocations failing. STATE tells what there is."""
    before = state()
    wrong = [] if action() == 0 else ["refused without a fault"]
    after = state()
    undo()
    if not busywait(lambda: state() == before):
        wrong.append(f"undone: {state()}")

    def again(error):
        if error or not busywait(lambda: state() == after):
            wrong.append((error, state()))
        if undo() or not busywait(lambda: state() == before):
            wrong.append(("undone", state()))
    configure(where=module())
    try:
        seen = nth(action, again)
        undo()
    finally:
        configure()
    ksft_true(seen and not wrong, f"{what}: {len(seen)} allocations fail, nothing is refused, and "
              "ports and sessions follow", wrong[:3])
    busywait(lambda: state() == before)


def deferred():
    """Half of the module's allocations fail, in its work queues too, while routes, neighbours and
    ports change. Afterwards all is as if nothing had been, and what is tapped loses nothing
    meanwhile."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as rx:
        col, mac = t.IP4["col"], t.MAC["col"]
        for name, kind in (("four", f"type erspan2 remote {col}"), ("six", "type vxlan key 6 "
                                                                    f"remote {t.IP6['col']}"),
                           ("raw", "type port dev up0")):
            vtap(f"session add {name} {kind}", t.host)
        vtap("rule add pref 1 port 'vnet*' dir ingress action mirror four,six,raw", t.host)
        configure(where=module(), probability=50)
        sent = 0
        try:
            for n in range(12):
                t.host.ip(f"neigh replace {col} lladdr 02:00:00:00:01:0{n % 8} dev up0 nud "
                          "permanent", f"route replace {col} dev up0 mtu {1400 + n}",
                          "link set vnet1 nomaster", "link set vnet1 master br0",
                          "link set vnet0 down", "link set vnet0 name zz", "link set zz name vnet0",
                          "link set vnet0 up", "link set up0 down", "link set up0 up")
                if not busywait(lambda: t.a.running("eth0") and t._forwarding()):
                    raise RuntimeError("the bridge does not forward")
                frames = [t.udp(payload=b"%d" % i * 40) for i in range(sent, sent + 20)]
                tx.send(*frames)
                sent += len(frames)
        finally:
            failed = configure()
        ksft_eq(len(rx.frames(sent)), sent,
                f"{failed} allocations fail: all {sent} frames cross the bridge")
        ksft_true(failed > 50, "and many allocations did fail", failed)
        t.host.ip(f"neigh replace {col} lladdr {mac} dev up0 nud permanent",
                  f"address replace {t.IP6['up0']}/64 dev up0 nodad",
                  f"neigh replace {t.IP6['col']} lladdr {mac} dev up0 nud permanent")
        ksft_true(busywait(lambda: all(s["state"] == "active" and s.get("path_mtu", 1500) >= 1500
                                       for s in vtap_json("-s session show", t.host))),
                  "sessions follow what is there now", lambda: vtap("-s session show",
                                                                    t.host).stdout)
        ksft_true(busywait(lambda: {p["name"]: p["ingress_hook"]
                                    for p in vtap_json("port show", t.host)} ==
                           {"vnet0": "packet", "vnet1": "packet"}), "so do ports",
                  lambda: vtap("port show", t.host).stdout)


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    if not os.path.exists(NTH) or not os.path.isdir(DEBUGFS + "failslab"):
        ksft_skip("the kernel cannot inject faults (CONFIG_FAILSLAB, "
                  "CONFIG_FAULT_INJECTION_DEBUG_FS)", "faults")
        ksft_exit()
    if not confined():
        ksft_skip("the kernel cannot confine faults to the module "
                  "(CONFIG_FAULT_INJECTION_STACKTRACE_FILTER)",
                  "loading, namespaces, events, deferred work")
        ksft_run([commands, copies, softirq])
        ksft_exit()
    ksft_run([commands, copies, softirq, namespace, events, deferred, loading])
    ksft_exit()
