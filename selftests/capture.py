#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""vtap capture and its use by Wireshark: each frame with its port and direction, no other tap
disturbed, nothing left behind."""
import contextlib
import json
import os
import pty
import signal
import struct
import subprocess
import tempfile

from lib import (SLOW, VTAP, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, modprobe, sh, udp_frame, vtap, vtap_batch, vtap_json)

# b does not answer
ENDS = Topology.MAC["b"], Topology.MAC["a"], "10.9.0.1", "10.9.0.2"
V6 = Topology.MAC["b"], Topology.MAC["a"], "2001:db8:9::1", "2001:db8:9::2"
EXTCAP = '#!/bin/sh\nexec {} extcap "$@"\n'


def frame(n, size=60, **kw):
    return udp_frame(*ENDS, dport=n, payload=bytes(size), **kw)


WAYS = {1: "in", 2: "out"}


def read(path):
    """Return: (port, direction, bytes) of each frame of a file, in its order."""
    with open(path, "rb") as f:
        data = f.read()
    ports, found, at = [], [], 0
    while at < len(data):
        kind, size, body = *struct.unpack_from("<II", data, at), data[at + 8:]
        if kind == 1:  # an interface, with its name as first option
            ports.append(body[12:12 + struct.unpack_from("<H", body, 10)[0]].decode())
        elif kind == 6:  # a frame; its first option is the flags
            port, _, _, length = struct.unpack_from("<IIII", body)
            option, _, flags = struct.unpack_from("<HHI", body, 20 + (length + 3) // 4 * 4)
            assert option == 2
            found.append((ports[port], WAYS[flags], body[20:20 + length]))
        at += size
    return found


def tshark(path):
    """The same as tshark reads it, which takes some seconds to start."""
    shown = json.loads(sh(["tshark", "-r", path, "-T", "json", "-x"]).stdout)
    layers = [p["_source"]["layers"] for p in shown]
    return [(la["frame"]["frame.interface_id_tree"]["frame.interface_name"],
             WAYS[int(la["frame"]["frame.packet_flags"], 0)], bytes.fromhex(la["frame_raw"][0]))
            for la in layers]


def leftovers(ns):
    """Return: taps, sessions, rules, and devices of captures, that are there."""
    return ([t["name"] for t in vtap_json("tap show", ns) if t["name"].startswith("capture-")],
            [s["name"] for s in vtap_json("session show", ns) if s["name"].startswith("capture")],
            [d for d in ns.links() if d.startswith("capture")])


def main(ns):
    """Return: what the tap main has; what the collector answers comes late."""
    found = [vtap_json(f"{o} show tap main", ns) for o in ("rule", "session")]
    for session in found[1]:
        session.pop("icmp", None)
    return found


NOTHING = ([], [], [])


class Capture:
    """`vtap capture WORDS` in NS that has begun; `with` ends it if it still runs."""

    def __init__(self, ns, *words, **kw):
        self.p = ns.popen([VTAP, "capture", *words], stderr=subprocess.PIPE, **kw)
        self.said = self.p.stderr.readline()
        if "capturing at" not in self.said:
            raise RuntimeError(self.said + self.p.stderr.read())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.kill()
        self.p.wait()
        self.p.stderr.close()

    def end(self, sig=None):
        """Return: exit status and last message, after signal SIG if there is one."""
        if sig:
            self.p.send_signal(sig)
        said = self.p.communicate(timeout=60 * SLOW)[1]
        return self.p.returncode, said.strip()


@contextlib.contextmanager
def bed():
    """A Topology, a sender behind vnet0, and a directory."""
    with Topology() as t, Sender(t.a, "eth0") as tx, tempfile.TemporaryDirectory() as d:
        yield t, tx, d


def done(n, lost=0):
    return 0, f"vtap: frames captured: {n}, lost: {lost}"


def frames():
    """The file has each frame at each port, byte for byte; another tap has all of its copies."""
    with bed() as (t, tx, d), Sniffer(t.col, "eth0") as col:
        path = d + "/a b.pcapng"
        vtap_batch(t.host, "session add s type gre remote 192.0.2.9 key 7",
                   "rule add pref 5 port vnet* action mirror s")
        before, saved = main(t.host), vtap("save", t.host).stdout
        sent = [frame(1), frame(2, 1400), frame(3, vlan=5), udp_frame(*V6, payload=b"six" * 30)]
        with Capture(t.host, "vnet*", "-w", path) as c:
            ksft_eq(c.said, "vtap: capturing at vnet0, vnet1 until interrupted\n",
                    "the ports are told")
            ksft_eq(main(t.host), before, "the other tap is as it was")
            tap, sessions, devices = leftovers(t.host)
            ksft_eq((len(tap), len(sessions), sorted(sessions)), (1, 4, sorted(devices)),
                    "a tap of its own, with a device for each port and direction")
            ksft_eq(vtap("save", t.host).stdout, saved, "which is not saved")
            owner = vtap_json(f"tap show {tap[0]}", t.host)[0]["owner"]
            ksft_eq(tap[0], f"capture-{owner}", "the tap is named by its socket")
            for f in sent:
                tx.send(f)
            copies = col.frames(len(sent))
            ksft_eq([f[42:] for f in copies], sent, "the other tap has a copy of each, once")
            ksft_eq(c.end(signal.SIGINT), done(8), "frames are counted")
        ksft_eq(leftovers(t.host), NOTHING, "nothing is left when the program has ended")
        got = read(path)
        ksft_eq(tshark(path), got, "tshark finds ports and directions where the format has them")
        for port, way in (("vnet0", "in"), ("vnet1", "out")):
            ksft_eq([f for p, w, f in got if (p, w) == (port, way)], sent,
                    f"{way} at {port}: each frame, whole")
        ksft_eq(len(got), 8, "and no other")
        ksft_eq(main(t.host), before, "the other tap stays")
        said = sh(["capinfos", path]).stdout
        ksft_true("pcapng" in said and "nanoseconds" in said and "vtap" in said, "capinfos", said)


def words():
    """Rule words choose frames and ports; a capture stops after COUNT frames."""
    with bed() as (t, tx, d):
        path = d + "/f"
        with Capture(t.host, "master", "br0", "dir", "ingress", "dst_port", "7", "-w", path, "-c",
                     "2") as c:
            tx.send(*[frame(n) for n in (6, 7, 8, 7, 7)])
            ksft_eq(c.end(), done(2), "it ends after two frames")
        ksft_eq(read(path), [("vnet0", "in", frame(7))] * 2, "of those that the words choose")
        there = sorted(d for d in t.host.links() if d != "lo")
        with Capture(t.host, "-w", path) as c:
            ports = c.said.split(" at ")[1].split(" until")[0].split(", ")
            ksft_eq(sorted(ports), there, "without words, all ports")
            c.end(signal.SIGTERM)
        t.host.ip("link set vnet1 down", "link set vnet1 name v*")
        with Capture(t.host, "port", "v*", "-w", path) as c:
            ksft_eq(c.said.split(" at ")[1], "vnet0, v* until interrupted\n",
                    "a name with a * in it")
            ksft_eq({r["port"] for r in vtap_json("rule show", t.host)}, {"vnet0", "v\\*"},
                    "is not taken for a pattern")
            ksft_eq(c.end(signal.SIGHUP), done(0), "SIGHUP ends it")


def killed():
    """However the program ends, nothing is left."""
    with bed() as (t, tx, d):
        with Capture(t.host, "vnet0", "-w", d + "/f") as c:
            ksft_true(leftovers(t.host) != NOTHING, "while it runs, there is something")
            c.p.kill()
            c.p.wait()
            ksft_true(busywait(lambda: leftovers(t.host) == NOTHING), "SIGKILL")
        ksft_eq(vtap_json("rule show", t.host), [], "no rule is left")
        # the reader of the pipe goes
        with Capture(t.host, "vnet0", stdout=subprocess.PIPE) as c:
            c.p.stdout.close()
            c.p.stdout = None
            ksft_eq(c.end(), done(0), "a reader that goes ends it, without a frame")
        ksft_eq(leftovers(t.host), NOTHING, "and nothing is left")
        with Capture(t.host, "vnet0", "-w", d + "/g") as c:
            tap = leftovers(t.host)[0][0]
            vtap_batch(t.host, f"rule flush tap {tap}", f"session flush tap {tap}")
            tx.send(frame(1))
            ksft_eq(c.end(signal.SIGINT), done(0), "a tap that somebody deleted")
        with Capture(t.host, "vnet0", "-w", d + "/h") as c:
            t.host.ip(f"link del {leftovers(t.host)[2][0]}")
            ksft_eq(c.end()[0], 1, "a device that somebody deleted ends it")
        ksft_true(busywait(lambda: leftovers(t.host) == NOTHING), "and nothing is left")


def files():
    """Files that begin after some seconds, and a pipe."""
    with bed() as (t, tx, d):
        with Capture(t.host, "vnet0", "-G", "1", "-W", "2", "-w", d + "/%s.pcapng") as c:
            tx.send(frame(1))
            ksft_eq(c.end(), done(1), "it ends after two files")
        names = sorted(os.listdir(d))
        ksft_eq(len(names), 2, "which are there")
        ksft_eq([len(read(f"{d}/{n}")) for n in names], [1, 0], "the first has the frame")
        with Capture(t.host, "vnet0", "-c", "3", stdout=subprocess.PIPE) as c:
            with subprocess.Popen(["tcpdump", "-nr", "-"], stdin=c.p.stdout,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
                tx.send(*[frame(n) for n in (7, 8, 9)])
                said = reader.communicate()[0].decode()
            ksft_eq(said.count("UDP, length 60"), 3, "tcpdump reads it from a pipe")


def refused():
    """What cannot be captured is refused with the reason, and no file is made or lost."""
    with bed() as (t, _, d):
        keep = d + "/keep"
        with open(keep, "w", encoding="ascii") as f:
            f.write("old")
        own = "which has a tap and rules of its own"
        for line, status, want in (
                ("nosuch", 1, "no device can be captured as nosuch: "),
                ("'l*'", 1, "no device can be captured as l*: there is none"),
                ("master nosuch", 1, "no device can be captured: there is none that"),
                ("vnet0 action skip", 2, f'"action" is unknown to "capture", {own}'),
                ("vnet0 tap sec", 2, f'"tap" is unknown to "capture", {own}'),
                ("vnet0 pref 7", 2, f'"pref" is unknown to "capture", {own}'),
                ("vnet0 dup on", 2, f'"dup" is unknown to "capture", {own}'),
                ("vnet0 vlan_id 4096", 1, "vlan_id"), ("vnet0 ip_prto tcp", 2, '"ip_proto"?'),
                ("vnet0 -x", 2, '"-x" is unknown to "capture", which has -w, -c, -G and -W'),
                ("vnet0 -c", 2, '"-c" requires a value'),
                ("vnet0 -c 0", 2, '"0" is not a valid value for "-c": it is 1 to 4294967295'),
                ("vnet0 -G 31536001", 2, "it is 1 to 31536000"),
                ("vnet0 -W 2", 2, '"-W" requires "-G"'),
                ("vnet0 -G 1", 2, '"-G" requires "-w" with a file whose name has the time'),
                ("vnet0 -w /none/x", 1, "/none/x: No such file or directory")):
            line = line if "-w" in line else f"-w {keep} {line}"
            p = vtap("capture " + line, t.host, ok=False)
            ksft_true(p.returncode == status and want in p.stderr, f"refused: {line}", p.stderr)
        with open(keep, encoding="ascii") as f:
            ksft_eq(f.read(), "old", "a file that was there is as it was")
        terminal, side = pty.openpty()
        with t.host.popen([VTAP, "capture", "vnet0"], stdout=side, stderr=subprocess.PIPE) as p:
            ksft_true("a terminal cannot show a capture" in p.communicate()[1],
                      "refused: to a terminal")
        os.close(terminal)
        os.close(side)
        ksft_true(busywait(lambda: leftovers(t.host) == NOTHING), "nothing is left")


def extcap():
    """Ports are interfaces of Wireshark."""
    with bed() as (t, tx, d):
        os.makedirs(d + "/wireshark/extcap")
        with open(d + "/wireshark/extcap/vtap", "w", encoding="ascii") as f:
            f.write(EXTCAP.format(VTAP))
        os.chmod(f.name, 0o755)
        env = dict(os.environ, XDG_CONFIG_HOME=d)
        shown = t.host.sh(["tshark", "-D"], env=env).stdout
        ksft_true("vtap-vnet0 (vtap: port vnet0)" in shown and " vtap (vtap: " in shown,
                  "tshark -D lists them", shown)
        path = d + "/out.pcapng"
        chosen = "extcap.vtap.words:port 'vnet?' dst_port 8"
        with t.host.popen(["tshark", "-i", "vtap", "-o", chosen, "-c", "2", "-w", path], env=env,
                          stderr=subprocess.PIPE) as p:
            # tshark asks for all interfaces first, and for all their options
            began = busywait(lambda: len(leftovers(t.host)[1]) == 4, timeout=60)
            tx.send(frame(7), frame(8))
            try:
                said = p.communicate(timeout=60 * SLOW)[1]
            finally:
                p.kill()
        ksft_true(began and p.returncode == 0, "tshark captures with rule words", said)
        ksft_eq(sorted(read(path)), [("vnet0", "in", frame(8)), ("vnet1", "out", frame(8))],
                "the frames, with their ports")
        ksft_true(busywait(lambda: leftovers(t.host) == NOTHING), "nothing is left")
        with t.host.popen([VTAP, "extcap", "--capture", "--extcap-interface", "vtap-vnet0",
                           "--fifo", path], stderr=subprocess.PIPE) as p:
            p.stderr.readline()
            tx.send(frame(7))
            busywait(lambda: len(read(path)) == 1)
            p.terminate()
            p.communicate()
        ksft_eq(read(path), [("vnet0", "in", frame(7))], "the interface of a port")


if __name__ == "__main__":
    modprobe("veth", "bridge", "tun")
    ksft_run([frames, words, killed, files, refused, extcap])
    ksft_exit()
