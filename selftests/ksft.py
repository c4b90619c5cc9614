# SPDX-License-Identifier: GPL-2.0
"""Helpers of the self-tests: TAP output, namespaces, frames sent and captured byte for byte, the vtap tool.

A program costs 0.05 to 1 s to start under QEMU's emulation: `ip` commands go in batches, `with ns.enter()` moves
this thread into a namespace instead of starting `ip netns exec`, and tests wait for conditions, never for time.
"""
import contextlib
import ctypes
import fcntl
import ipaddress
import json
import os
import secrets
import select
import shlex
import socket
import struct
import subprocess
import sys
import time
import traceback

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VTAP = os.environ.get("VTAP", REPO + "/tools/vtap/vtap")
KERNEL = tuple(int(n) for n in os.uname().release.split("-")[0].split("+")[0].split(".")[:2])
CLONE_NEWNET = 0x40000000
SLOW = int(os.environ.get("VTAP_SLOW", "1"))  # times that everything may take longer than elsewhere
libc = ctypes.CDLL(None, use_errno=True)


# --- TAP ---

counts = {"ok": 0, "not ok": 0, "skip": 0}


def _result(word, text):
    number = sum(counts.values()) + 1
    print(f"{word} {number} {text}", flush=True)


def note(text):
    """Print TEXT as comment lines."""
    for line in str(text).splitlines():
        print("#", line, flush=True)


def ok(name, cond, why=""):
    """Report a test; WHY (any object, or a function giving it) is shown when COND is false. Return: bool(COND)."""
    _result("ok" if cond else "not ok", name)
    counts["ok" if cond else "not ok"] += 1
    if not cond and why != "":
        note(why() if callable(why) else why)
    return bool(cond)


def eq(name, got, want):
    """Report whether GOT equals WANT, and show both when not."""
    return ok(name, got == want, lambda: f"got  {got!r}\nwant {want!r}")


def skip(name, reason):
    """Report a test that cannot run here."""
    _result("ok", f"{name} # SKIP {reason}")
    counts["skip"] += 1


def done():
    """Print the plan and leave with kselftest's status."""
    print(f"1..{sum(counts.values())}", flush=True)
    if counts["not ok"]:
        sys.exit(1)
    sys.exit(4 if counts["skip"] and not counts["ok"] else 0)


def run(*tests):
    """Call each function of TESTS; one that raises counts as failed. Then done()."""
    wanted = sys.argv[1:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test()
        except Exception as e:  # pylint: disable=broad-except
            ok(test.__name__, False, traceback.format_exc() + (getattr(e, "stderr", None) or ""))
    done()


def busywait(cond, timeout=10, step=0.02):
    """Call COND until it is true or TIMEOUT seconds have passed. Return: its last value."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = cond()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)


@contextlib.contextmanager
def one_cpu(cpu=None):
    """Inside, this thread stays on CPU, or where it is: what is sent by different ones may overtake."""
    cpus = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):  # when the CPU goes away
        os.sched_setaffinity(0, {libc.sched_getcpu() if cpu is None else cpu})
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cpus)


# --- commands and namespaces ---

def sh(cmd, check=True, timeout=120, **kw):
    """Run CMD (words, or one string without shell syntax). Return: CompletedProcess with text output."""
    words = shlex.split(cmd) if isinstance(cmd, str) else cmd
    return subprocess.run(words, check=check, timeout=timeout * SLOW, text=True, stdin=kw.pop("stdin", None if "input" in kw else
                          subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)


def ip(*lines, ns=None):
    """Run `ip` commands in one process, in namespace NS."""
    text = "\n".join(line.strip() for part in lines for line in part.splitlines() if line.strip())
    sh(["ip"] + (["-n", ns.name] if ns else []) + ["-batch", "-"], input=text + "\n")


def modprobe(*names):
    """Load modules. Return: whether all of them are there."""
    return sh(["modprobe", "-a", *names], check=False).returncode == 0


class Netns:
    """A network namespace with a random name; `with` removes it. Netns.many() creates several at the cost of one."""

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
        """Start CMD in the background; the caller ends it (Popen is a context manager that only waits)."""
        with self.enter():
            return subprocess.Popen(shlex.split(cmd) if isinstance(cmd, str) else cmd, text=True, **kw)

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
            flags = [struct.unpack("16xH14x", fcntl.ioctl(s, 0x8913, a))[0] for a in ask]  # SIOCGIFFLAGS
            return all(f & 0x40 for f in flags)  # IFF_RUNNING

    def icmp_errors(self):
        """Return: how many ICMP errors of each kind the namespace has received."""
        kinds = ("DestUnreachs", "PktTooBigs", "TimeExcds", "ParmProbs", "ParmProblems", "Redirects")
        with self.enter():
            with open("/proc/net/snmp", encoding="ascii") as f:
                pairs = zip(*[line.split() for line in f if line.startswith("Icmp:")])
                pairs = [("Icmp" + name, value) for name, value in pairs]
            with open("/proc/net/snmp6", encoding="ascii") as f:
                pairs += [line.split() for line in f if line.startswith("Icmp6")]
        return {name: int(n) for name, n in pairs if name.partition("In")[2] in kinds and n != "0"}

    def links(self):
        """Return: `ip -s link` of the namespace, by device name."""
        return {d["ifname"]: d for d in json.loads(sh(["ip", "-n", self.name, "-j", "-d", "-s", "link"]).stdout)}


def vtap(args, ns=None, ok=True):  # pylint: disable=redefined-outer-name
    """Run the vtap tool in namespace NS. OK: True raises when it fails, False when it does not, None takes both.
    Return: CompletedProcess."""
    p = (ns.sh if ns else sh)([VTAP] + (shlex.split(args) if isinstance(args, str) else list(args)), check=False)
    if ok is not None and ok != (p.returncode == 0):
        raise AssertionError(f"vtap {args}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p


def vtap_json(args, ns=None):
    """Return: what `vtap -j ARGS` printed, decoded."""
    return json.loads(vtap("-j " + args, ns).stdout)


# --- frames ---

def checksum(data):
    """Return: the Internet checksum of DATA."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) & 1)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ether(dst, src, kind, payload, vlan=None):
    """Return: an Ethernet frame, with an 802.1Q tag when VLAN (id, or the whole tag control field) is given."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return mac(dst) + mac(src) + tag + struct.pack("!H", kind) + payload


def _packet(proto, l4, at, dst_mac, src_mac, src, dst, vlan, ttl, tos, partial):
    """Return: L4, its checksum at offset AT filled in, as an IPv4 or IPv6 packet in an Ethernet frame. PARTIAL: with
    the sum of the pseudo-header only, as a stack leaves it for the device to finish."""
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    pseudo = src.packed + dst.packed + struct.pack("!II", len(l4), proto)
    value = 0xffff - checksum(pseudo) if partial else checksum(pseudo + l4) or 0xffff
    l4 = l4[:at] + struct.pack("!H", value) + l4[at + 2:]
    if src.version == 6:
        header = struct.pack("!IHBB", 6 << 28 | tos << 20, len(l4), proto, ttl) + src.packed + dst.packed
        return ether(dst_mac, src_mac, 0x86dd, header + l4, vlan)
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(l4), 1, 0x4000, ttl, proto, 0) + src.packed + dst.packed
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ether(dst_mac, src_mac, 0x0800, header + l4, vlan)


def udp_frame(dst_mac, src_mac, src, dst, sport=1024, dport=4000, payload=b"", vlan=None, ttl=64, tos=0,
              partial=False):
    """Return: a UDP datagram in IPv4 or IPv6, by the addresses, in an Ethernet frame, with right checksums."""
    l4 = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return _packet(17, l4, 6, dst_mac, src_mac, src, dst, vlan, ttl, tos, partial)


def tcp_frame(dst_mac, src_mac, src, dst, sport=1024, dport=80, payload=b"", vlan=None, ttl=64, tos=0,
              partial=False, flags=0x10, seq=1, ack=1):
    """Return: the same for a TCP segment of 20 bytes of header."""
    l4 = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 1024, 0, 0) + payload
    return _packet(6, l4, 16, dst_mac, src_mac, src, dst, vlan, ttl, tos, partial)


def noise(frame):
    """Return: whether FRAME is what an IPv6 stack sends by itself: router discovery and multicast listener reports."""
    offset = 14 + 4 * (frame[12:14] == b"\x81\x00")
    if frame[offset - 2:offset] != b"\x86\xdd":
        return False
    kind, offset = frame[offset + 6], offset + 40
    if kind == 0:
        kind, offset = frame[offset], offset + 8 + 8 * frame[offset + 1]
    return kind == 58 and frame[offset] in (130, 131, 132, 133, 134, 143)


class Frame(bytes):
    """A captured frame as on the wire, VLAN tag in place. Attributes: status (TP_STATUS_*), outgoing, csum_ready
    (False: its checksum is still to be filled in), vnet (the 10-byte header, when asked for)."""
    status = 0
    outgoing = False
    csum_ready = True
    vnet = None


class Sniffer:
    """Capture of device DEV in namespace NS, from now on. DIRECTION: "in" (received from the device), "out", or "both";
    MATCH: which frames to keep. `with` closes it."""
    SOL_PACKET, AUXDATA, VNET_HDR, STATISTICS = 263, 8, 15, 6
    CSUMNOTREADY, VLAN_VALID, VLAN_TPID_VALID = 1 << 3, 1 << 4, 1 << 6

    def __init__(self, ns, dev, direction="in", match=lambda f: not noise(f), vnet=False):
        self.direction, self.match, self.vnet, self.dev = direction, match, vnet, dev
        self.seen = []
        with ns.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        self.sock.setsockopt(self.SOL_PACKET, self.AUXDATA, 1)
        if vnet:
            self.sock.setsockopt(self.SOL_PACKET, self.VNET_HDR, 1)
        self.sock.bind((dev, 3))  # ETH_P_ALL
        self.sock.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def _receive(self):
        """Return: the next frame that is waiting and wanted, or None."""
        while True:
            try:
                data, control, _, addr = self.sock.recvmsg(1 << 17, 256)
            except BlockingIOError:
                return None
            vnet, data = (data[:10], data[10:]) if self.vnet else (None, data)
            status = 0
            for level, kind, aux in control:
                if (level, kind) == (self.SOL_PACKET, self.AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", aux[:20])
                    if status & self.VLAN_VALID:
                        tpid = tpid if status & self.VLAN_TPID_VALID else 0x8100
                        data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
            frame = Frame(data)
            frame.status, frame.vnet, frame.outgoing = status, vnet, addr[2] == 4
            frame.csum_ready = not status & self.CSUMNOTREADY
            if self.direction in ("both", "out" if frame.outgoing else "in") and self.match(frame):
                return frame

    def _wait(self, enough, timeout):
        end = time.monotonic() + timeout * SLOW
        while not enough():
            frame = self._receive()
            if frame is not None:
                self.seen.append(frame)
            elif time.monotonic() > end or not select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
                break
        dropped = struct.unpack("II", self.sock.getsockopt(self.SOL_PACKET, self.STATISTICS, 8))[1]
        if dropped:
            raise RuntimeError(f"capture of {self.dev} lost {dropped} frames")

    def frames(self, n=0, timeout=10):
        """Return: all frames since the last call, once there are N of them or after TIMEOUT seconds; those that came
        beyond N as well, so that too many are noticed."""
        self._wait(lambda: len(self.seen) >= n, timeout)
        while (frame := self._receive()) is not None:
            self.seen.append(frame)
        seen, self.seen = self.seen, []
        return seen

    def until(self, last, timeout=10):
        """Return: the frames before the one for which LAST is true; to show that nothing else came before it."""
        self._wait(lambda: self.seen and last(self.seen[-1]), timeout)
        seen, self.seen = self.seen, []
        if not seen or not last(seen[-1]):
            raise RuntimeError(f"the last frame did not come to {self.dev}: {[f.hex() for f in seen][:5]}")
        return seen[:-1]


class Sender:
    """Frames into device DEV of namespace NS, as a program there would send them. With VNET, send() takes CSUM (start,
    offset) to leave the checksum at start + offset of a PARTIAL frame to the device, and GSO (type, size, header
    length)."""
    GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4 = 1, 3, 4, 5  # the last since 6.2

    def __init__(self, ns, dev, vnet=False):
        self.vnet = vnet
        with ns.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        if vnet:
            self.sock.setsockopt(Sniffer.SOL_PACKET, Sniffer.VNET_HDR, 1)
        self.sock.bind((dev, 0))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, *frames, csum=None, gso=None):
        header = b""
        if self.vnet:
            kind, size, length = gso or (0, 0, 0)
            header = struct.pack("BBHHHH", 1 if csum else 0, kind, length, size, *(csum or (0, 0)))
        with one_cpu() if len(frames) > 1 else contextlib.nullcontext():
            for frame in frames:
                self.sock.send(header + frame)


# --- topology ---

class Topology:
    """Two VMs on a bridge, and a collector.

          a: eth0 10.0.0.1, 2001:db8::1          b: eth0 10.0.0.2, 2001:db8::2
                 |                                     |
        +------ vnet0 -------------- br0 ----------- vnet1 ------+
        | host                                                   |
        +------ up0 192.0.2.1, 2001:db8:9::1 --------------------+
                 |
          col: eth0 192.0.2.9, 2001:db8:9::9

    No frame goes by itself: neighbours are permanent entries (unless NEIGH is False) and IPv6 configures nothing.
    """
    MAC = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b", "up0": "02:00:00:00:00:01", "col": "02:00:00:00:00:09"}
    IP4 = {"a": "10.0.0.1", "b": "10.0.0.2", "up0": "192.0.2.1", "col": "192.0.2.9"}
    IP6 = {"a": "2001:db8::1", "b": "2001:db8::2", "up0": "2001:db8:9::1", "col": "2001:db8:9::9"}

    def __init__(self, mtu=1500, up_mtu=None, neigh=True):
        self.all = self.host, self.a, self.b, self.col = Netns.many("host", "a", "b", "col")
        try:
            self._build(mtu, up_mtu or mtu, neigh)
        except BaseException:
            self.__exit__()
            raise

    def _build(self, mtu, up_mtu, neigh):
        with open("/proc/sys/net/ipv6/mld_qrv", "w", encoding="ascii") as f:
            f.write("1")  # multicast listeners report themselves once, when the device comes up; of all namespaces
        h = self.host.name
        pairs = (("vnet0", self.a, "a", mtu), ("vnet1", self.b, "b", mtu), ("up0", self.col, "col", up_mtu))
        near = [f"address {self.MAC['up0']}" if dev == "up0" else "" for dev, *_ in pairs]
        # an index that is not the peer's makes the kernel take up a new carrier at once, not up to a second later
        ip(*[f"link add {dev} index {i} netns {h} mtu {m} {adr} type veth peer name eth0 netns {ns.name} mtu {m} address "
             f"{self.MAC[key]}" for i, ((dev, ns, key, m), adr) in enumerate(zip(pairs, near), 101)])
        for ns, key, peer in ((self.a, "a", "b"), (self.b, "b", "a"), (self.col, "col", "up0")):
            ns.ip("link set lo up", *self._addresses("eth0", key, peer, neigh))
        self.host.ip("link set lo up", "link add br0 type bridge forward_delay 0 mcast_snooping 0",
                     *[f"link set {d} addrgenmode none\nlink set {d} up" for d in ("br0", "vnet0", "vnet1")],
                     f"link set br0 mtu {mtu}", "link set vnet0 master br0", "link set vnet1 master br0",
                     *self._addresses("up0", "up0", "col", neigh))
        ends = [(self.host, "vnet0", "vnet1", "up0"), (self.a, "eth0"), (self.b, "eth0"), (self.col, "eth0")]
        if not busywait(lambda: all(ns.running(*devs) for ns, *devs in ends) and self._forwarding()):
            raise RuntimeError("the links do not come up")

    def _forwarding(self):
        ports = json.loads(sh(["bridge", "-n", self.host.name, "-j", "link"]).stdout)
        return [p["state"] for p in ports] == ["forwarding"] * 2

    def _addresses(self, dev, key, peer, neigh):
        yield f"link set {dev} addrgenmode none\nlink set {dev} up"
        yield f"address add {self.IP4[key]}/24 dev {dev}\naddress add {self.IP6[key]}/64 dev {dev} nodad"
        if neigh:
            for address in (self.IP4[peer], self.IP6[peer]):
                yield f"neigh add {address} lladdr {self.MAC[peer]} dev {dev} nud permanent"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        Netns.remove_all(self.all)

    def _between(self, make, src, dst, version, kw):
        ips = self.IP6 if version == 6 else self.IP4
        return make(self.MAC[dst], self.MAC[src], ips[src], ips[dst], **kw)

    def udp_gso(self):
        """Return: whether this kernel's veth devices take super-frames of UDP."""
        return "tx-udp-segmentation: off [fixed]" not in self.a.sh("ethtool -k eth0").stdout

    def udp(self, src="a", dst="b", version=4, **kw):
        """Return: a UDP frame between two of its hosts."""
        return self._between(udp_frame, src, dst, version, kw)

    def tcp(self, src="a", dst="b", version=4, **kw):
        """Return: a TCP frame between two of its hosts."""
        return self._between(tcp_frame, src, dst, version, kw)
