# SPDX-License-Identifier: GPL-2.0
"""Frames sent into a device, and frames captured byte for byte."""
import contextlib
import errno
import select
import socket
import struct
import time

from .frames import noise
from .ns import one_cpu
from .tap import SLOW


class Frame(bytes):
    """A captured frame as it was on the wire, VLAN tag included. Attributes: status (TP_STATUS_*),
    outgoing, csum_ready (False: its checksum is still to be filled in), vnet (the 10-byte header,
    when asked for)."""
    status = 0
    outgoing = False
    csum_ready = True
    vnet = None


class Sniffer:
    """A capture of device DEV in namespace NS that starts at once. DIRECTION: "in" (received from
    the device), "out", or "both"; MATCH: which frames to keep. `with` closes it."""
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
        """Return: the next waiting frame that the capture keeps, or None."""
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
            elif time.monotonic() > end or not select.select([self.sock], [], [],
                                                             max(0, end - time.monotonic()))[0]:
                break
        dropped = struct.unpack("II", self.sock.getsockopt(self.SOL_PACKET, self.STATISTICS, 8))[1]
        if dropped:
            raise RuntimeError(f"capture of {self.dev} lost {dropped} frames")

    def frames(self, n=0, timeout=10):
        """Return: all frames since the last call, once there are N of them or after TIMEOUT
        seconds. Frames beyond the first N are included, so that a test notices surplus ones."""
        self._wait(lambda: len(self.seen) >= n, timeout)
        while (frame := self._receive()) is not None:
            self.seen.append(frame)
        seen, self.seen = self.seen, []
        return seen

    def until(self, last, timeout=10):
        """Return: the frames before the one for which LAST is true; to show that nothing else came
        before it."""
        self._wait(lambda: self.seen and last(self.seen[-1]), timeout)
        seen, self.seen = self.seen, []
        if not seen or not last(seen[-1]):
            raise RuntimeError(f"the last frame did not come to {self.dev}: "
                               f"{[f.hex() for f in seen][:5]}")
        return seen[:-1]


class Sender:
    """Frames into device DEV of namespace NS, as a program there would send them. With VNET, send()
    takes CSUM (start, offset) to leave the checksum at start + offset of a PARTIAL frame to the
    device, and GSO (type, size, header length)."""
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


class PortSniffer(Sniffer):
    """A capture that continues after its device has been down."""

    def _receive(self):
        while True:
            try:
                return super()._receive()
            except OSError as e:
                if e.errno != errno.ENETDOWN:
                    raise
