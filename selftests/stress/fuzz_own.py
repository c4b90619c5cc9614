#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Fuzzer of what is ours: frames as a VM may write them, with the headers of our own copies inside
tunnels of every kind, are all copied, and none is taken for a copy.

VTAP_FUZZ_OWN=FRAMES, 20,000 by default; VTAP_SEED=N repeats a run, else the seed is printed.
"""
import ctypes
import os
import random
import socket
import struct

from lib import (Sender, Topology, busywait, ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_true, libc,
                 mac, modprobe, vtap, vtap_json)

FRAMES = int(os.environ.get("VTAP_FUZZ_OWN", "20000"))
SEED = int(os.environ.get("VTAP_SEED", random.randrange(1 << 32)))
BATCH = 500
rng = random.Random(SEED)

HOST, COL, A, B = (socket.inet_aton(a) for a in ("192.0.2.1", "192.0.2.9", "10.0.0.1", "10.0.0.2"))
HOST6, COL6, A6, B6 = (socket.inet_pton(socket.AF_INET6, a)
                       for a in ("2001:db8:9::1", "2001:db8:9::9", "2001:db8::1", "2001:db8::2"))
MACS = [mac(m) for m in Topology.MAC.values()]
# what the sessions of this test put behind their outer IP header: protocol, header
TUNNELS = [
    (47, bytes.fromhex("2000655800000007")),
    (47, bytes.fromhex("000088be")),
    (47, bytes.fromhex("100088be000000011000000500000000")),
    (47, bytes.fromhex("100022eb00000001200000060000000000008000")),
    (17, bytes.fromhex("c00012b5000000000800000000000900")),
    (17, bytes.fromhex("c00012b6000000000800000000000800")),
    # a checksum, which no two copies have in common
    (47, bytes.fromhex("a0006558abcd00000000000b")),
]
SESSIONS = ["gre key 7", "erspan1", "erspan2 id 5", "erspan3 id 6", "vxlan key 9",
            "vxlan key 8 dport 4790", "gre key 11 csum on"]
# others: VXLAN on a port of no session, GENEVE, GRE with IP inside, IP in IP
OTHERS = [(17, bytes.fromhex("c0000035000000000800000000000900")),
          (17, bytes.fromhex("c00017c1000000000000655800000900")),
          (47, bytes.fromhex("00000800")), (47, bytes.fromhex("000086dd")), (4, b""), (41, b"")]


def packet(proto, load, ours, six):
    """An IP packet; OURS: between host and collector, as copies are. Lengths lie now and then, and
    some are fragments."""
    lie, frag = rng.random() < 0.08, rng.random() < 0.08
    if six:
        n = rng.choice((0, 8, len(load) + 99, 65535)) if lie else len(load) + 8 * frag
        kind = 44 if frag else proto
        head = struct.pack("!IHBB", 6 << 28, n, kind, 64) + (HOST6 + COL6
                                                             if ours else A6 + rng.choice((B6, COL6,
                                                                                           HOST6)))
        if frag:
            head += struct.pack("!BBHI", proto, 0, rng.choice((1, 0, 185 << 3)), 1)
        return head + load
    n = rng.choice((0, 20, len(load), 65535)) if lie else 20 + len(load)
    off = rng.choice((0x2000, 1, 0x20b9)) if frag else 0
    first = rng.choice((0x45, 0x45, 0x46, 0x4f)) if lie else 0x45
    return struct.pack("!BBHHHBBH", first, 0, n & 0xffff, 1, off, 64, proto, 0) + \
        (HOST + COL if ours else A + rng.choice((B, COL, HOST))) + load


def tunnel(depth):
    """What is in a frame behind its Ethernet header: tunnels in tunnels.
    Return: EtherType, bytes."""
    six = rng.random() < 0.3
    if not depth:
        load = struct.pack("!HHHH", 1024, 4789, 20, 0) + b"hidden frame"
        return (0x86dd if six else 0x800), packet(17, load, False, six)
    proto, head = rng.choice(TUNNELS) if rng.random() < 0.7 else rng.choice(OTHERS)
    kind, load = tunnel(depth - 1)
    if proto in (4, 41) or head in (OTHERS[2][1], OTHERS[3][1]):
        if proto != 47:
            proto = 41 if kind == 0x86dd else 4
        else:
            head = b"\0\0" + struct.pack("!H", kind)
    else:
        load = rng.choice(MACS) + rng.choice(MACS) + struct.pack("!H", kind) + load
    if proto == 17:
        n = 8 + len(head) - 8 + len(load)
        n = rng.choice((0, 8, 65535)) if rng.random() < 0.05 else n
        head = head[:4] + struct.pack("!H", n & 0xffff) + head[6:]
    return (0x86dd if six else 0x800), packet(proto, head + load, True, six)


def error():
    """An ICMP error that quotes a copy of ours, to somebody who made none."""
    proto, head = rng.choice(TUNNELS)
    if rng.random() < 0.5:
        load = struct.pack("!BBHI", rng.choice((3, 4, 5, 11, 12)), 0, 0, 0) + packet(proto, head,
                                                                                     True, False)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(load), 1, 0, 64, 1,
                         0) + A + rng.choice((B, COL))
        return 0x800, ip + load
    load = struct.pack("!BBHI", rng.choice((1, 2, 3, 4)), 0, 0, 0) + packet(proto, head, True, True)
    return 0x86dd, struct.pack("!IHBB", 6 << 28, len(load), 58,
                               64) + A6 + rng.choice((B6, COL6)) + load


def frame():
    """A frame of VM a to VM b."""
    if rng.random() < 0.05:
        kind, load = error()
    else:
        kind, load = tunnel(rng.randint(0, 4))
        if rng.random() < 0.95:
            # the outermost header is the VM's own: what is ours begins inside it
            proto, head = rng.choice(TUNNELS + OTHERS[:2])
            load = rng.choice(MACS) + rng.choice(MACS) + struct.pack("!H", kind) + load
            kind, load = 0x800, packet(proto, head + load, False, False)
        else:
            load = load[:12] + A + load[16:] if kind == 0x800 else load[:8] + A6 + load[24:]
    return MACS[1] + MACS[0] + struct.pack("!H", kind) + load


class Iovec(ctypes.Structure):
    """struct iovec"""
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class Mmsghdr(ctypes.Structure):
    """struct mmsghdr"""
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.POINTER(Iovec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("len", ctypes.c_uint32)]


def send(sock, frames):
    """Send FRAMES with few system calls."""
    iov = (Iovec * len(frames))(*[Iovec(f, len(f)) for f in frames])
    msgs = (Mmsghdr * len(frames))()
    for i, msg in enumerate(msgs):
        msg.iov, msg.iovlen = ctypes.pointer(iov[i]), 1
    done = 0
    while done < len(frames):
        n = libc.sendmmsg(sock.fileno(), ctypes.byref(msgs, done * ctypes.sizeof(Mmsghdr)),
                          len(frames) - done, 0)
        if n < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        done += n


def fuzz():
    """Frames of a VM with our own headers inside."""
    ksft_pr(f"{FRAMES} frames, seed {SEED}")
    with Topology() as t, Sender(t.a, "eth0") as tx:
        t.host.ip("link add raw0 type dummy", "link set raw0 mtu 9000 addrgenmode none up")
        for i, words in enumerate(SESSIONS):
            vtap(f"session add s{i} type {words} remote 192.0.2.9", t.host)
            vtap(f"session add six{i} type {words} remote 2001:db8:9::9", t.host)
        vtap("session add all type port dev raw0", t.host)
        vtap("session add cut type erspan2 remote 192.0.2.9 id 5 snaplen 60", t.host)
        vtap("rule add pref 1 port vnet0 dir ingress action mirror all,cut", t.host)
        left = FRAMES
        while left:
            frames = [frame() for _ in range(min(left, BATCH))]
            send(tx.sock, frames)
            left -= len(frames)

        def stats():
            return {s["name"]: s["stats"] for s in vtap_json("-s session show", t.host)}
        busywait(lambda: stats()["all"]["sent"] == FRAMES)
        p = {x["name"]: x for x in vtap_json("-s port show", t.host)}["vnet0"]["ingress"]
        ksft_eq({k: p[k] for k in ("seen", "matched", "unmatched", "own", "dup")},
                {"seen": FRAMES, "matched": FRAMES, "unmatched": 0, "own": 0, "dup": 0},
                "every frame is seen and matched, none is own or copied already")
        for name in ("all", "cut"):
            got = stats()[name]
            ksft_true(got["matched"] == got["sent"] == FRAMES,
                      f"session {name}: each frame is copied", got)


def twin():
    """The positive: the same headers outermost are ours."""
    with Topology() as t, Sender(t.a, "eth0") as tx:
        for i, words in enumerate(SESSIONS):
            vtap(f"session add s{i} type {words} remote 192.0.2.9", t.host)
        vtap("session add all type port dev br0", t.host)
        vtap("rule add pref 1 port vnet0 dir ingress action mirror all", t.host)
        frames = []
        for proto, head in TUNNELS:
            load = head + bytes(60)
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(load), 1, 0, 64, proto,
                             0) + HOST + COL + load
            frames.append(MACS[1] + MACS[0] + b"\x08\0" + ip)
        send(tx.sock, frames)

        def seen():
            return {x["name"]: x for x in vtap_json("-s port show", t.host)}["vnet0"]["ingress"]
        ksft_true(busywait(lambda: seen()["own"] == len(frames)),
                  "outermost headers of each session are its own", seen)
        # the last byte of the key, of the session id, of the network identifier
        others = []
        for i, at in ((0, 7), (2, 11), (3, 11), (4, 14), (5, 14), (6, 11)):
            other = bytearray(frames[i])
            other[14 + 20 + at] ^= 1
            others.append(bytes(other))
        send(tx.sock, others)
        ksft_true(busywait(lambda: seen()["matched"] == len(others)),
                  "those of another key or identifier are not", seen)
        ksft_eq(seen()["own"], len(frames), "nor do they count as own")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy")
    ksft_run([fuzz, twin])
    ksft_exit()
