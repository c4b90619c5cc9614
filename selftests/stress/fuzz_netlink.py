#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Netlink fuzzer: messages made from the family's own policies, then broken; KCOV, where the kernel
has it, says which to keep.

fuzz_netlink.py [MESSAGES [SEED]]: a seed repeats a run; without one it is new, and printed. With
KCOV and a module built by `make VTAP_KCOV=1`, VTAP_KO=PATH lists the lines of the netlink files
that no message of the run reached.
"""
import collections
import ctypes
import errno
import fcntl
import os
import random
import re
import socket
import struct
import sys
import time

from lib import (Sender, Sniffer, Topology, ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_true, libc,
                 modprobe, sh, vtap, vtap_json)

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 25000
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
ROUND = 100  # messages between two looks at the state
rng = random.Random(SEED)

NETLINK_GENERIC, GENL_ID_CTRL, CTRL_GETFAMILY, CTRL_GETPOLICY = 16, 16, 3, 10
NLMSG_ERROR, REQUEST, ACK, DUMP, NESTED = 2, 1, 4, 0x300, 0x8000
DUMPS = {"session": 1, "rule": 5, "port": 9, "tap": 14}
SESSION_TAP, RULE_TAP = 30, 19
COMMIT, CHANGE, SESSION_NEW, SESSION_FLUSH, RULE_NEW, RULE_FLUSH = 13, 1, 1, 4, 5, 8
WIDTH = {2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 2, 8: 4, 9: 8}  # of NL_ATTR_TYPE_U8 to _S64
U32, BINARY, STRING, NUL_STRING, NEST = 4, 10, 11, 12, 13
WORDS = (b"s0", b"s1", b"s2", b"s3", b"vnet0", b"vnet1", b"vnet*", b"*", b"up0", b"br0", b"lo",
         b"eth0", b"", b"[", b"a b",
         b"\xff")
RETURN = (struct.pack("HBBI", 6, 0, 0, 0xffff), struct.pack("HBBI", 6, 0, 0, 0),
          struct.pack("HBBIHBBIHBBIHBBI", 0x28, 0, 0, 12, 0x15, 0, 1, 0x800, 6, 0, 0, 1, 6, 0, 0,
                      0))
BLOBS = (bytes([192, 0, 2, 9]), bytes([10, 0, 0, 2]),
         bytes.fromhex("20010db8000900000000000000000009"), b"", *RETURN)
# what a message may be refused with; memory is not short here, so ENOMEM would be a leak or a size
# not checked
REFUSALS = {0, errno.EINVAL, errno.ENOENT, errno.EEXIST, errno.EBUSY, errno.ERANGE,
            errno.EOPNOTSUPP, errno.EMSGSIZE, errno.ENOSPC,
            errno.ENODEV}  # of trace-get, for a name that no device has


def attributes(data):
    """Return: (type, contents) of the attributes in DATA."""
    found = []
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if not 4 <= length <= len(data):
            raise ValueError(f"attribute of {length} bytes in {len(data)}")
        found.append((kind & 0x3fff, data[4:length]))
        data = data[(length + 3) & ~3:]
    return found


def number(data):
    return int.from_bytes(data, sys.byteorder)


class Genl:
    """A generic netlink socket in namespace NS."""

    def __init__(self, ns):
        with ns.enter():
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.sock.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK
        self.sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        self.sock.bind((0, 0))  # events do not go to those without an address
        self.sock.setblocking(False)

    def send(self, kind, cmd, flags, body, lie=0):
        """Send a message whose header says LIE bytes more than there are."""
        body = struct.pack("BBH", cmd, 1, 0) + body
        try:
            self.sock.send(struct.pack("IHHII", (16 + len(body) + lie) & 0xffffffff, kind, flags, 7,
                                       0) + body)
        except OSError:
            return  # what the socket itself refuses

    def replies(self):
        """Return: (error or None, contents) of all that is there: commands and dumps run within
        send() and recv(). Of an error the contents are what the kernel tells about it."""
        got = []
        while True:
            try:
                data = self.sock.recv(1 << 18)
            except BlockingIOError:
                return got
            while len(data) >= 16:
                length, kind = struct.unpack_from("IH", data)
                body = data[16:length]
                if kind == NLMSG_ERROR:
                    got.append((-struct.unpack_from("i", body)[0], body[20:]))
                elif kind > 15:
                    got.append((None, body[4:]))
                data = data[(length + 3) & ~3:]

    def ask(self, *message):
        """Return: contents of the replies."""
        self.send(*message)
        return [body for error, body in self.replies() if error is None]


class Family:
    """What the kernel says of the family: its id, commands, multicast group, and which attributes
    they take."""

    def __init__(self, nl):
        told = dict(attributes(nl.ask(GENL_ID_CTRL, CTRL_GETFAMILY, REQUEST,
                                      struct.pack("HH8s", 9, 2, b"vtap") + bytes(0))[0]))
        self.id = number(told[1])
        self.group = number(dict(attributes(attributes(told[7])[0][1]))[2])
        self.policies, self.ops = collections.defaultdict(dict), {}
        for body in nl.ask(GENL_ID_CTRL, CTRL_GETPOLICY, REQUEST | ACK | DUMP,
                           struct.pack("HHHxx", 6, 1, self.id)):
            for kind, value in attributes(body):
                if kind == 8:  # CTRL_ATTR_POLICY
                    for policy, types in attributes(value):
                        self.policies[policy].update((a, dict(attributes(v)))
                                                     for a, v in attributes(types))
                if kind == 9:  # CTRL_ATTR_OP_POLICY
                    self.ops.update((op, number(dict(attributes(p)).get(1, b"\xff")))
                                    for op, p in attributes(value))


class Maker:
    """Messages: trees of [type, kind, value or subtree] by the policies, changed at random, then
    written out."""

    def __init__(self, family):
        self.family = family
        self.weights = [30 if op == COMMIT else 1 + len(family.policies.get(policy, ()))
                        for op, policy in family.ops.items()]
        # (command, flags, tree), at first two that are accepted: a session, and a rule that names
        # it
        new = ([SESSION_NEW, NEST, [[1, NUL_STRING, b"s0\0"], [2, U32, bytes(4)],
                                    [3, BINARY, BLOBS[0]]]],
               [RULE_NEW, NEST, [[2, U32, struct.pack("I", 1)], [3, NUL_STRING, b"vnet*\0"],
                                 [7, U32, bytes(4)],
                                 [8, NUL_STRING, b"s0\0"]]])
        self.kept = [(COMMIT, REQUEST | ACK, [[CHANGE, NEST, [change]]]) for change in new]
        self.mended = None  # a message without the attribute that it was refused for
        self.bold = 0  # how often a value shall be wrong
        self.ids = [1]  # numbers that name something now

    def integer(self, kind, limits):
        """A number within the limits, at them, just past them, or small."""
        bits = 8 * WIDTH[kind]
        low, high = number(limits.get(4, b"\0")), number(limits[5]) if 5 in limits \
            else (1 << bits) - 1
        if rng.random() < self.bold:
            value = rng.choice((low, high, low - 1, high + 1, rng.randint(low, max(low, high)),
                                rng.getrandbits(bits)))
        elif bits in (32, 64) and rng.random() < 0.3:
            value = rng.choice(self.ids)
        else:
            value = min(high, low + rng.choice((0, 0, 1, 2, rng.randrange(6))))
        return (value & ((1 << bits) - 1)).to_bytes(WIDTH[kind], sys.byteorder)

    def data(self, kind, limits):
        """A string or a blob: one with a meaning, or any of a length at the limits."""
        if rng.random() > self.bold:
            exact = number(limits[6]) if 6 in limits and limits.get(7) == limits[6] else 0
            words = BLOBS if kind == BINARY else WORDS[:4] if rng.random() < 0.6 else WORDS
            value = rng.choice((bytes(exact), rng.randbytes(exact - 1) + b"\2",
                                b"\2" + bytes(exact - 1)) if exact else words)
        else:
            most = number(limits[7]) if 7 in limits else 64
            value = rng.randbytes(rng.choice((0, 1, most, most + 1, 8 * rng.randint(1, 20),
                                              rng.randint(0, most))) & 0x7fff)
        return value + b"\0" if kind == NUL_STRING else value

    def node(self, a, limits, depth):
        """One attribute."""
        kind = number(limits[1])
        if kind in WIDTH:
            return [a, kind, self.integer(kind, limits)]
        if kind == NEST and 8 in limits and depth < 4:
            return [a, kind, self.tree(number(limits[8]), depth + 1)]
        return [a, kind, self.data(kind, limits)]

    def tree(self, policy, depth=0):
        """Attributes of a policy: one, some or all, seldom twice; a list of nests gets several."""
        known = self.family.policies.get(policy, {})
        nests = len(known) > 1 and all(number(limits[1]) == NEST for limits in known.values())
        share = 0 if nests and rng.random() < 0.9 else rng.choice((0, 0.15, 0.3, 0.7, 1))
        chosen = [a for a in known if rng.random() < share] or ([rng.choice(list(known))] if known
                                                                else [])
        made = []
        for a in chosen:
            several = len(known) == 1 and number(known[a][1]) == NEST or rng.random() < 0.1
            made += [self.node(a, known[a], depth) for _ in range(rng.choice((1, 1, 1, 2, 3, 8))
                                                                  if several else 1)]
        if rng.random() < 0.02:
            made.append([rng.randint(0, 40), BINARY, rng.randbytes(rng.randint(0, 20))])
        return made

    def change(self, tree, policy):
        """A copy of TREE with something changed, left out, twice, or moved; or with a part of a
        kept one."""
        tree = list(tree)
        known = self.family.policies.get(policy, {})
        if not tree or not known:
            return self.tree(policy)
        i = rng.randrange(len(tree))
        a, kind, value = tree[i]
        if isinstance(value, list) and a in known and 8 in known[a] and rng.random() < 0.7:
            tree[i] = [a, kind, self.change(value, number(known[a][8]))]
            return tree
        what = rng.randrange(6)
        if what == 0:
            del tree[i]
        elif what == 1:
            tree.append(tree[i])
        elif what == 2:
            rng.shuffle(tree)
        elif what == 3:
            a = rng.choice(list(known))
            tree.append(self.node(a, known[a], 1))
        elif a in known:
            tree[i] = self.node(a, known[a], 1)
        return tree

    def more(self, tree, policy):
        """A copy of TREE with one more attribute; what has to be there is numbered low."""
        known = self.family.policies.get(policy, {})
        absent = [a for a in known if a not in [b for b, *_ in tree]]
        if not absent:
            return tree
        new = absent[int(len(absent) * rng.random() ** 2)]
        return [*tree, self.node(new, known[new], 1)]

    def fewer(self, tree, policy):
        """A copy of TREE with some attributes left out or changed: the fewer there are, the fewer
        contradict each other."""
        if rng.random() < 0.5:
            return self.change(tree, policy)
        return [node for node in tree if rng.random() < 0.6 + 1 / (1 + node[0])]

    def mend(self, tree, offset, policy):
        """A copy of TREE, whose attribute at OFFSET was refused, with another value there or
        none."""
        known = self.family.policies.get(policy, {})
        kept = []
        for a, kind, value in tree:
            size = len(self.write([[a, kind, value]]))
            if 0 < offset < size and isinstance(value, list) and 8 in known.get(a, {}):
                kept.append([a, kind, self.mend(value, offset - 4, number(known[a][8]))])
            elif offset:
                kept.append([a, kind, value])
            elif a in known and rng.random() < 0.5:
                kept.append(self.node(a, known[a], 1))
            offset -= size
        return kept

    def fill(self, tree, offset, policy, do):
        """A copy of TREE in which DO (more or fewer) was done to the change at OFFSET."""
        known, kept = self.family.policies.get(policy, {}), []
        for a, kind, value in tree:
            if not offset and isinstance(value, list) and 8 in known.get(a, {}):
                ops = self.family.policies[number(known[a][8])]
                kept.append([a, kind,
                             [[op, k, do(v, number(ops[op][8])) if op in ops and isinstance(v, list)
                               else v] for op, k, v in value]])
            else:
                kept.append([a, kind, value])
            offset -= len(self.write([[a, kind, value]]))
        return kept

    def after(self, tree, told, policy):
        """A copy of TREE that heeds what the kernel TOLD of its refusal."""
        do = self.more if b"missing" in told.get(1, b"") else self.fewer
        if 2 not in told:  # NLMSGERR_ATTR_OFFS
            return do(tree, policy)
        offset, start = number(told[2]) - 20, 0
        for node in tree:  # a change as a whole was refused
            if start == offset and b"one attribute" not in told.get(1, b""):
                return self.fill(tree, offset, policy, do)
            start += len(self.write([node]))
        return self.mend(tree, offset, policy)

    def write(self, tree):
        """The bytes of TREE."""
        out = b""
        for a, kind, value in tree:
            value = self.write(value) if isinstance(value, list) else value
            value = value[:0xfff0]
            out += struct.pack("HH", 4 + len(value), a | (NESTED if kind == NEST else 0))
            out += value + bytes(-len(value) % 4)
        return out

    def message(self):
        """Return: (command, flags, tree or None, bytes, lie about the length)."""
        self.bold = rng.choice((0, 0.02, 0.3))
        if self.mended:
            cmd, flags, tree = self.mended
            self.mended = None
            return cmd, flags, tree, self.write(tree), 0
        if self.kept and rng.random() < 0.4:
            cmd, flags, tree = rng.choice(self.kept)
            tree = self.change(tree, self.family.ops[cmd])
        else:
            cmd, = rng.choices(list(self.family.ops), self.weights)
            flags = REQUEST | ACK | (DUMP if rng.random() < 0.1 else 0)
            tree = self.tree(self.family.ops[cmd])
        data, lie = self.write(tree), 0
        if rng.random() < 0.15:
            data, tree = self.broken(data), None
            lie = rng.choice((0, 0, 0, -1, -5, 4, 1 << 31))
        if rng.random() < 0.01:
            cmd, tree = rng.randrange(256), None
        return cmd, flags, tree, data, lie

    @staticmethod
    def broken(data):
        """DATA with bytes changed, or its end cut off."""
        data = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            if data:
                data[rng.randrange(len(data))] = rng.choice((0, 1, 3, 4, 5, 0x7f, 0x80, 0xff,
                                                             rng.randrange(256)))
        return bytes(data[:rng.randint(0, len(data))] if rng.random() < 0.3 else data)


def traced(code):
    """Return: the addresses behind the calls that tell KCOV of a block, from the disassembly CODE.
    UML's go by register."""
    holds, calls, call, target = set(), [], False, ""
    line = re.compile(r"^\s*([0-9a-f]+):\s(?:R_X86_64_\w+\s+(\S+)|(\w+) *(.*))", re.M)
    for address, symbol, word, operands in line.findall(code):
        if symbol:
            if symbol.startswith("__sanitizer_cov_trace_pc"):
                call |= target == "call"
                holds |= {target}
            continue
        if call:
            calls.append(address)
        register = re.search(r"%(\w+)$", operands)
        target = "call" if word == "call" else register[1] if register else ""
        call = word == "call" and target == "call" and operands.startswith("*") and operands[
            2:] in holds
        if word != "call":
            holds -= {target}
    return calls


class Kcov:
    """Which basic blocks this thread ran through; without KCOV none."""
    SIZE, FILE = 1 << 16, "/sys/kernel/debug/kcov"

    def __init__(self):
        self.seen, self.area = set(), None
        try:
            fd = os.open(self.FILE, os.O_RDWR)
        except OSError as e:
            ksft_pr(f"no coverage: {e}")
            return
        fcntl.ioctl(fd, 0x80086301, self.SIZE)  # KCOV_INIT_TRACE
        mmap = libc.mmap  # Python's refuses a file of no size
        mmap.restype, mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p,
                                                        ctypes.c_size_t] + [ctypes.c_int] * 3 + [
                                                            ctypes.c_long]
        self.area = (ctypes.c_uint64 * self.SIZE).from_address(mmap(None, self.SIZE * 8, 3, 1, fd,
                                                                    0))
        fcntl.ioctl(fd, 0x6364, 0)  # KCOV_ENABLE

    def start(self):
        if self.area:
            self.area[0] = 0

    def news(self):
        """Return: how many blocks were entered since start() that never were before."""
        if not self.area:
            return 0
        new = set(self.area[1:1 + min(self.area[0], self.SIZE - 1)]) - self.seen
        self.seen |= new
        return len(new)

    def missed(self, ko, source):
        """Return: (blocks reached, blocks, lines not reached) of the SOURCE file in module KO."""
        with open("/sys/module/vtap/sections/.text", encoding="ascii") as f:
            base = int(f.read(), 16)
        calls = traced(sh(["objdump", "-dr", "-j", ".text", "--no-show-raw-insn", ko]).stdout)
        lines = sh(["addr2line", "-j", ".text", "-e", ko, *calls]).stdout.split("\n")
        here = [(int(a, 16) + base, int(line.split(":")[1].split()[0]))
                for a, line in zip(calls, lines) if re.search(rf"/{source}:\d", line)]
        hit = {line for a, line in here if a in self.seen}
        return sum(a in self.seen for a, _ in here), len(here), sorted({line for _, line in here} -
                                                                       hit)


class Run:
    """The rig and what is counted."""

    def __init__(self, t):
        self.t, self.nl, self.listener = t, Genl(t.host), Genl(t.host)
        self.family = Family(self.nl)
        self.listener.sock.setsockopt(270, 1, self.family.group)  # NETLINK_ADD_MEMBERSHIP
        self.maker, self.kcov = Maker(self.family), Kcov()
        self.errors, self.events, self.wrong = collections.Counter(), 0, []
        self.frames = [t.udp(payload=b"u"), t.tcp(version=6, payload=b"t" * 1000),
                       t.udp(payload=b"v", vlan=5)]
        self.tx = Sender(t.a, "eth0")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for s in (self.nl.sock, self.listener.sock, self.tx.sock):
            s.close()

    def dump(self, what):
        """Return: attributes of each object, as the kernel tells them."""
        return [attributes(body) for body in self.nl.ask(self.family.id, DUMPS[what],
                                                         REQUEST | DUMP, b"")]

    def one(self):
        """One message, and its replies, which have to be well-formed."""
        cmd, flags, tree, data, lie = self.maker.message()
        self.kcov.start()
        self.nl.send(self.family.id, cmd, flags, data, lie)
        new = self.kcov.news()
        for error, body in self.nl.replies():
            told = dict(attributes(body))
            if error is not None:
                if error and tree and rng.random() < 0.95:
                    self.maker.mended = cmd, flags, self.maker.after(tree, told,
                                                                     self.family.ops[cmd])
                self.errors[error] += 1
                if error not in REFUSALS:
                    self.wrong.append((cmd, flags, data.hex(), errno.errorcode.get(error, error)))
                elif not error and tree and rng.random() < 0.1:
                    new = 1
        if new and tree:
            self.maker.kept.append((cmd, flags, tree))
            if len(self.maker.kept) > 1000:
                self.maker.kept.pop(rng.randrange(1000))

    def look(self):
        """Send frames through what the messages made, and see that it hangs together. Return:
        sessions and rules."""
        self.tx.send(*self.frames)
        sessions, rules = self.dump("session"), self.dump("rule")
        names = [(dict(s)[SESSION_TAP], dict(s)[1]) for s in sessions]
        used = {(dict(r)[RULE_TAP], value) for r in rules for kind, value in r if kind == 8}
        ids = [number(dict(r)[1]) for r in rules]
        self.maker.ids = [*ids[-5:], 1]
        taps = [dict(t)[1] for t in self.dump("tap")]
        if set(taps) != {dict(r)[RULE_TAP] for r in rules} | {tap for tap, _ in names}:
            self.wrong.append(("taps", taps))
        prefs = [(taps.index(dict(r)[RULE_TAP]), number(dict(r)[2])) for r in rules]
        if len(set(names)) != len(names) or len(set(ids)) != len(ids) or used - set(names) \
                or prefs != sorted(prefs):
            self.wrong.append(("state", names, ids, used - set(names), prefs))
        self.events += sum(len(attributes(body)) > 0 for _, body in self.listener.replies())
        return len(sessions), len(rules)


def flushed(run):
    """Flush all taps by one commit. Return: whether nothing is left."""
    names = [dict(t)[1] for t in run.dump("tap")]
    # rules first, which hold sessions
    changes = [[CHANGE, NEST, [[flush, NEST, [[kind, BINARY, name]]]]]
               for flush, kind in ((RULE_FLUSH, RULE_TAP), (SESSION_FLUSH, SESSION_TAP))
               for name in names]
    run.nl.send(run.family.id, COMMIT, REQUEST | ACK, run.maker.write(changes))
    if [error for error, _ in run.nl.replies() if error is not None] != [0]:
        return False
    return not any(run.dump(what) for what in DUMPS)


def report(run, most, seconds):
    """Figures, and the lines that no message reached."""
    kept = f", {len(run.kcov.seen)} blocks reached" if run.kcov.area else ""
    ksft_pr(f"{MESSAGES} messages in {seconds:.1f} s, {run.errors[0]} accepted, {run.events} "
            f"events, at most {most[0]} sessions " f"and {most[1]} rules{kept}")
    ksft_pr("answers: " + ", ".join(f"{errno.errorcode.get(e, 'ok')} {n}"
                                    for e, n in run.errors.most_common()))
    if run.kcov.seen and os.environ.get("VTAP_KO"):
        for source in ("netlink.c", "nl_change.c", "nl_attr.c", "nl_msg.c"):
            reached, blocks, lines = run.kcov.missed(os.environ["VTAP_KO"], source)
            ksft_pr(f"{source}: {reached} of {blocks} blocks reached; "
                    f"not reached: {' '.join(map(str, lines))}")


def fuzz():
    """Random messages leave a family that answers, with a state that hangs together and can be
    flushed."""
    with Topology() as t, Run(t) as run:
        start, most, clean = time.monotonic(), (0, 0), True
        for n in range(1, MESSAGES + 1):
            run.one()
            if n % ROUND == 0:
                most = max(most, run.look())
                if rng.random() < 0.2:
                    clean &= flushed(run)
        report(run, most, time.monotonic() - start)
        ksft_true(not run.wrong,
                  f"{MESSAGES} random messages, seed {SEED}: each refusal is one that is meant",
                  run.wrong[:3])
        ksft_true(run.errors[0] > MESSAGES / 100,
                  "enough of them are accepted, so the fuzzer gets behind the checks", run.errors)
        ksft_true(flushed(run) and clean, "whatever they made is flushed by one commit")
        with Sniffer(t.col, "eth0", match=lambda f: f[23:24] == b"\x2f") as rx:
            vtap(f"session add s type gre remote {t.IP4['col']}", t.host)
            vtap("rule add pref 1 port vnet0 dir ingress action mirror s", t.host)
            run.tx.send(run.frames[0])
            ksft_eq([f[38:] for f in rx.frames(1)], [run.frames[0]],
                    "a session and a rule work as before")
        ksft_eq(vtap_json("-s session show", t.host)[0]["stats"]["sent"], 1,
                "the session counts its one copy")


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    modprobe("veth", "bridge")
    ksft_run([fuzz])
    ksft_exit()
