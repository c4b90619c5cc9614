#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The tapped frame is only read: zero-copy senders keep their pages. Frames that a device has yet
to encrypt are not copied unencrypted in part, and raw copies keep their protocol."""
import contextlib
import os
import random
import socket
import struct

from lib import (SLOW, Sender, Sniffer, Topology, busywait, ether, ksft_eq, ksft_exit, ksft_run,
                 ksft_skip, ksft_true, modprobe, one_cpu, sh, vtap, vtap_batch, vtap_json)
from lib.traffic import SOL_UDP, UDP_SEGMENT, session_stats, transfer

SO_ZEROCOPY, MSG_ZEROCOPY, IP_RECVERR = 60, 0x4000000, 11
SO_EE_ORIGIN_ZEROCOPY = 5


def dummies(ns, *names):
    """Make devices of type dummy in namespace NS."""
    ns.ip(*[f"link add {n} type dummy\nlink set {n} addrgenmode none\nlink set {n} up"
            for n in names])


def completions(s, n):
    """Return: the codes of N zero-copy sends by socket S: whether the kernel had to copy."""
    codes = []

    def read():
        with contextlib.suppress(BlockingIOError):
            flags = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
            for level, kind, data in s.recvmsg(0, 512, flags)[1]:
                if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
                    _, origin, _, code, _, low, high = struct.unpack_from("=IBBBBII", data)
                    if origin == SO_EE_ORIGIN_ZEROCOPY:
                        codes.extend([code] * (high - low + 1))
        return len(codes) >= n

    busywait(read)
    return codes


def lend(t, sizes, data):
    """Send DATA by zero copy over d0, in segments of SIZES, 0 for none. Return: the codes."""
    codes = []
    with t.a.enter():
        for size in sizes:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
                s.setsockopt(SOL_UDP, UDP_SEGMENT, size)
                s.connect(("198.51.100.9", 4000))
                for at in range(0, len(data), 20000):
                    s.send(data[at:at + 20000] if size else data[at:at + 1000], MSG_ZEROCOPY)
                codes += completions(s, len(range(0, len(data), 20000)))
    return codes


def zerocopy():
    """The pages of a zero-copy sender stay its own, and the copies are whole."""
    data = random.randbytes(100000)
    want = [data[i:i + 1000] for step in (1000, 20000) for i in range(0, len(data), step)]
    with Topology() as t:
        dummies(t.a, "d0", "d1")
        t.a.ip("address add 198.51.100.1/24 dev d0",
               "neigh add 198.51.100.9 lladdr 02:00:00:00:00:99 dev d0 nud permanent")
        plain = lend(t, (1000, 0), data)
        ksft_eq((len(plain), set(plain)), (10, {0}), "untapped: nothing is copied")
        # what decap makes of a super-frame of UDP is the kernel's to cut
        for words in ("", "decap on", "snaplen 200"):
            vtap_batch(t.a, f"session add s type port dev d1 {words}",
                       "rule add pref 10 port d0 dir egress ip_proto udp action mirror s")
            with Sniffer(t.a, "d1", "out") as rx:
                codes = lend(t, (1000, 0), data)
                got = [f[42:] for f in rx.frames(len(want))]
            ksft_eq(codes, plain, f"{words or 'plain'}: tapped: nothing is copied")
            limit = 200 - 42 if "snaplen" in words else 1000
            ksft_true(got == [w[:limit] for w in want], f"{words or 'plain'}: every copy is whole",
                      len(got))
            vtap("rule flush", t.a)
            vtap("session flush", t.a)


def esp_state(src, dst, spi, mode):
    """Return: commands of `ip` for the security association from SRC to DST."""
    key = "0x" + "11" * 20
    return [f"xfrm state add src {src} dst {dst} proto esp spi {spi} reqid 1 mode {mode} "
            f"aead rfc4106(gcm(aes)) {key} 128"]


def esp_path(t, mode="transport"):
    """Let a and b talk in ESP."""
    ends = t.IP4["a"], t.IP4["b"]
    for ns, (me, other) in ((t.a, ends), (t.b, ends[::-1])):
        for at, (src, dst) in enumerate((ends, ends[::-1])):
            ns.ip(*esp_state(src, dst, 0x100 + at, mode))
        for way, src, dst in (("out", me, other), ("in", other, me)):
            tunnel = f"src {src} dst {dst} " if mode == "tunnel" else ""
            ns.ip(f"xfrm policy add src {src} dst {dst} dir {way} "
                  f"tmpl {tunnel}proto esp reqid 1 mode {mode}")


def esp():
    """ESP that is encrypted only below the hook counts as drop_frame; elsewhere it is copied."""
    if not modprobe("esp4"):
        ksft_skip("the kernel has none", "ESP")
        return
    for late in (False, True):
        loaded = os.path.exists("/sys/module/esp4_offload")
        if not late and loaded and sh("modprobe -r esp4_offload", check=False).returncode:
            ksft_skip("esp4_offload cannot be removed", "ESP that is encrypted before the hook")
            continue
        if late and not modprobe("esp4_offload"):
            ksft_skip("the kernel lacks esp4_offload", "ESP that is encrypted below the hook")
            continue
        for mode in ("transport", "tunnel"):
            what = f"{mode} mode, encrypted {'below' if late else 'before'} the hook"
            with Topology() as t:
                esp_path(t, mode)
                dummies(t.a, "d1")
                dummies(t.host, "d1")
                for ns, port, way in ((t.a, "eth0", "egress"), (t.host, "vnet0", "ingress")):
                    vtap_batch(ns, "session add s type port dev d1",
                               f"rule add pref 10 port {port} "
                               f"dir {way} src_ip {t.IP4['a']} action mirror s")
                hook = vtap_json("port show eth0", t.a)[0]["egress_hook"]
                with Sniffer(t.b, "eth0") as far, Sniffer(t.a, "d1", "out") as out:
                    transfer(t, 200000)
                    wire = [f for f in far.frames(1) if f[23] == 50]
                    here, copies = counted(t.a, out)
                    there = stats_of(t.host)
                ksft_true(len(wire) > 10 and there["drop_frame"] == 0 < there["sent"],
                          f"{what}: the connection is in ESP", (len(wire), there))
                if late and hook != "packet":
                    ksft_true(here["drop_frame"] == here["matched"] > 10 and not copies,
                              f"{what}: each frame is counted, none is copied", here)
                else:
                    ksft_true(here["sent"] == here["matched"] > 10 and len(copies) == here["sent"]
                              and {f[23] for f in copies} == {50}, f"{what}: each frame is copied",
                              here)


def stats_of(ns):
    """Return: the counters of the only session of a namespace, once they stay as they are."""
    shown = None
    while shown != (now := vtap_json("-s session show", ns)[0]["stats"]):
        shown = now
    return shown


def counted(ns, rx):
    """Return: the counters of the only session of NS and its copies at RX, once they agree: the
    last frames of a connection may still be on their way."""
    copies, now = [], {}

    def agree():
        now.update(stats_of(ns))
        copies.extend(rx.frames(0))
        return len(copies) == now["sent"]
    busywait(agree)
    return now, copies


def devices():
    """MACsec and TLS that a device does need such a device."""
    for what in ("MACsec", "TLS"):
        ksft_skip("no device of these kernels does it: no netdevsim",
                  f"{what} that a device encrypts")


def llc():
    """Raw copies have the protocol that the kernel gives to such a frame when it receives it."""
    a, b = Topology.MAC["a"], Topology.MAC["b"]
    frames = {
        "LLC": (ether(b, a, 40, b"\x42\x42\3" + bytes(37)), 0x0004),
        "SNAP": (ether(b, a, 40, b"\xaa\xaa\3" + bytes(37)), 0x0004),
        "Novell": (ether(b, a, 40, b"\xff\xff" + bytes(38)), 0x0001),
        "no LLC header": (ether(b, a, 0, b""), 0x0004),
        "the longest length": (ether(b, a, 1535, bytes(60)), 0x0004),
        "the lowest EtherType": (ether(b, a, 1536, bytes(60)), 1536),
        "ARP": (ether(b, a, 0x0806, bytes(46)), 0x0806),
        "a tag": (ether(b, a, 0x88b5, bytes(46), 5), 0x8100),
    }
    with Topology() as t, Sender(t.a, "eth0") as tx:
        dummies(t.host, "d1")
        vtap_batch(t.host, "session add s type port dev d1",
                   "rule add pref 10 port vnet0 dir ingress action mirror s")
        with t.host.enter(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
            s.bind(("d1", 3))
            s.settimeout(10 * SLOW)
            for name, (frame, want) in frames.items():
                tx.send(frame)
                data, addr = s.recvfrom(1 << 16)
                ksft_eq((data, hex(addr[1])), (frame, hex(want)),
                        f"{name}: the frame and its protocol")
        ksft_eq(session_stats(t)["s"]["sent"], len(frames), "all are counted")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy", "8021q")
    with one_cpu():
        ksft_run([zerocopy, esp, devices, llc])
        ksft_exit()
