# SPDX-License-Identifier: GPL-2.0
"""A collector in Python: it turns captured packets back into the frames that were copied, and
checks every length, checksum and fragment.

It is written for speed, since a VM without KVM decodes tens of thousands of packets here. The
Internet checksum of some bytes is right when the bytes, read as one big number, are a multiple of
65535.
"""
import select
import socket
import struct
import time

from .capture import Sniffer
from .frames import noise
from .tap import SLOW


class Bad(ValueError):
    """A packet that no correct sender makes."""


def sum_ok(data, pseudo=b""):
    """Return: whether the checksum over PSEUDO (of even length) and DATA, checksum field included,
    is right."""
    if len(data) & 1:
        data += b"\0"
    return int.from_bytes(pseudo + data, "big") % 65535 == 0


def _need(cond, what, data=b""):
    if not cond:
        raise Bad(f"{what}: {data[:96].hex()}")


class Copy:
    """One decapsulated copy: frame, kind (gre, erspan1, erspan2, erspan3, vxlan), version (4 or 6)
    of the outer IP header, src, dst, outer (length of the whole outer packet), fragments, csum
    (there is a GRE checksum), key, seq, words (the ERSPAN header), sport, ttl, tos, ident."""
    key = seq = sport = ident = None
    words = ()
    fragments = 1
    csum = False

    @property
    def truncated(self):
        return bool(self.words and self.words[0] & 0x400)

    @property
    def session(self):
        """What tells the sessions of a test apart."""
        number = self.words[0] & 0x3ff if self.words else 0
        return self.kind, self.version, self.key if self.kind in ("gre", "vxlan") else number


class Decoder:
    """Packets of a collector's wire. MTU: longest IP packet allowed. Fragments wait in PENDING for
    the others."""

    def __init__(self, mtu=1500, any_order=False):
        self.mtu, self.any_order = mtu, any_order
        self.pending = {}
        self.longest = 0

    def __call__(self, packet):
        """Return: the Copy in PACKET, None when it is a fragment that others have yet to follow.
        Raises Bad."""
        c = Copy()
        kind = packet[12:14]
        if kind == b"\x08\x00":
            proto, l4 = self._ipv4(c, packet)
        elif kind == b"\x86\xdd":
            proto, l4 = self._ipv6(c, packet)
        else:
            raise Bad(f"neither IPv4 nor IPv6: {packet[:64].hex()}")
        if l4 is None:
            return None
        if proto == 47:
            self._gre(c, l4)
        elif proto == 17:
            self._vxlan(c, l4)
        else:
            raise Bad(f"protocol {proto}: {packet[:64].hex()}")
        return c

    def _ipv4(self, c, p):
        first, c.tos, total, c.ident, frag, c.ttl, proto, _ = struct.unpack_from("!BBHHHBBH", p, 14)
        _need(first == 0x45 and len(p) == 14 + total, "IPv4 header or length", p)
        _need(total <= self.mtu, f"packet of {total} bytes", p)
        _need(sum_ok(p[14:34]), "IPv4 header checksum", p)
        c.version, c.src, c.dst, c.outer = 4, p[26:30], p[30:34], total
        self.longest = max(self.longest, total)
        if not frag & 0x3fff:
            return proto, p[34:]
        _need(not frag & 0x4000, "fragment with DF", p)
        return proto, self._fragment(c, (p[26:34], proto, c.ident), (frag & 0x1fff) * 8,
                                     frag & 0x2000, p[34:])

    def _ipv6(self, c, p):
        word, length, proto, c.ttl = struct.unpack_from("!IHBB", p, 14)
        _need(word >> 28 == 6 and len(p) == 54 + length, "IPv6 header or length", p)
        _need(40 + length <= self.mtu, f"packet of {40 + length} bytes", p)
        c.version, c.src, c.dst, c.tos, c.outer = 6, p[22:38], p[38:54], word >> 20 & 0xff, 40 + \
            length
        self.longest = max(self.longest, 40 + length)
        if proto != 44:
            return proto, p[54:]
        proto, zero, frag, c.ident = struct.unpack_from("!BBHI", p, 54)
        _need(not zero, "reserved byte of the fragment header", p)
        return proto, self._fragment(c, (p[22:54], proto, c.ident), frag & 0xfff8, frag & 1, p[62:])

    def _fragment(self, c, key, offset, more, data):
        """Return: the whole payload once it is there. Fragments of one copy may come in any
        order."""
        parts = self.pending.setdefault(key, {})
        _need(offset not in parts, "fragment sent twice, or two copies of one id", data)
        _need(not more or len(data) % 8 == 0, "fragment length", data)
        parts[offset] = (data, more)
        whole, last = [], True
        at = 0
        while at in parts and last:
            data, last = parts[at]
            whole.append(data)
            at += len(data)
        if last:
            return None
        _need(len(whole) == len(parts), "fragments overlap")
        del self.pending[key]
        c.fragments = len(whole)
        c.outer += at - len(whole[-1])
        return b"".join(whole)

    def _gre(self, c, p):
        flags, proto = struct.unpack_from("!HH", p)
        _need(not flags & ~0xb000, "GRE flags", p)
        at = 4
        if flags & 0x8000:
            _need(proto == 0x6558 and p[6:8] == b"\0\0" and sum_ok(p), "GRE checksum", p)
            c.csum = True
            at += 4
        if flags & 0x2000:
            c.key, = struct.unpack_from("!I", p, at)
            at += 4
        if flags & 0x1000:
            c.seq, = struct.unpack_from("!I", p, at)
            at += 4
        if proto == 0x6558:
            c.kind = "gre"
        elif proto == 0x88be and c.seq is None:
            c.kind = "erspan1"
        elif proto == 0x88be:
            c.kind, c.words = "erspan2", struct.unpack_from("!2I", p, at)
            _need(c.words[0] >> 28 == 1, "ERSPAN version", p)
            at += 8
        elif proto == 0x22eb:
            c.kind, c.words = "erspan3", struct.unpack_from("!3I", p, at)
            _need(c.words[0] >> 28 == 2 and c.words[2] & 0x8000, "ERSPAN version or P bit", p)
            at += 12
            if c.words[2] & 1:
                c.words += struct.unpack_from("!2I", p, at)
                at += 8
        else:
            raise Bad(f"GRE protocol {proto:#x}: {p[:64].hex()}")
        c.frame = p[at:]

    def _vxlan(self, c, p):
        c.sport, dport, length, csum, flags, vni = struct.unpack_from("!HHHHII", p)
        _need(dport == 4789 and length == len(p) and flags == 0x08000000 and not vni & 0xff,
              "VXLAN header", p)
        if csum or c.version == 6:
            _need(csum and sum_ok(p, c.src + c.dst + struct.pack("!II", length, 17)),
                  "outer UDP checksum", p)
        c.kind, c.key, c.frame = "vxlan", vni >> 8, p[16:]


def parse_inner(frame, cut=False):
    """Check the lengths and checksums of FRAME; CUT: only those of what is there.
    Return: (protocol, source, destination, offset of the transport header, end of the IP packet),
    or None when not IP."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    kind, at = frame[at:at + 2], at + 2
    if kind == b"\x08\x00":
        head = (frame[at] & 15) * 4
        total, _, frag = struct.unpack_from("!HHH", frame, at + 2)
        _need(sum_ok(frame[at:at + head]), "inner IPv4 header checksum", frame)
        proto, src, dst, end, l4 = frame[at + 9], frame[at + 12:at +
                                                        16], frame[at + 16:at +
                                                                   20], at + total, at + head
        frag &= 0x3fff
    elif kind == b"\x86\xdd":
        length, proto = struct.unpack_from("!HB", frame, at + 4)
        src, dst, end, l4 = frame[at + 8:at + 24], frame[at + 24:at + 40], at + 40 + length, at + 40
        frag = proto == 44
    else:
        return None
    if not cut:
        _need(len(frame) == end or (len(frame) == 60 > end),
              f"inner frame of {len(frame)} bytes, IP packet to {end}", frame)
        if proto in (6, 17) and not frag:
            unused = proto == 17 and frame[l4 + 6:l4 + 8] == b"\0\0" and len(src) == 4
            _need(unused or sum_ok(frame[l4:end], src + dst + struct.pack("!II", end - l4, proto)),
                  f"inner checksum of protocol {proto}", frame)
    return proto, src, dst, l4, end


class Stream:
    """TCP payload of one direction put together again from frames, in whatever order and however
    often they come."""

    def __init__(self, src, sport):
        self.src, self.sport = src, sport
        self.start, self.parts, self.segments = None, {}, 0

    def add(self, frame, info):
        """Take the payload of FRAME, of which inner() said INFO, when it belongs to the stream."""
        proto, src, _, l4, end = info
        if proto != 6 or src != self.src:
            return
        sport, _, seq, _, offset, flags = struct.unpack_from("!HHIIBB", frame, l4)
        if sport != self.sport:
            return
        if flags & 2:
            self.start = seq + 1 & 0xffffffff
        data = frame[l4 + (offset >> 4) * 4:end]
        if data:
            self.segments += 1
            self.parts[seq] = max(data, self.parts.get(seq, b""), key=len)

    def data(self):
        """Return: the payload up to the first gap."""
        if self.start is None:
            return b""
        out, have = [], 0
        for at, data in sorted(((seq - self.start) & 0xffffffff, data)
                               for seq, data in self.parts.items()):
            if at > have:
                break
            out.append(data[have - at:])
            have = max(have, at + len(data))
        return b"".join(out)


def counted(numbers):
    """Return: what is wrong with sequence numbers that should count one by one; empty when nothing
    is. CPUs may send a few of them in another order than they took them."""
    missing = set(range(min(numbers), min(numbers) + len(numbers))) - set(numbers)
    return f"{len(numbers)} numbers from {min(numbers)}, missing {sorted(missing)[:9]}" if missing \
        else ""


class Collector(Sniffer):
    """The wire of a collector: packets are kept by the kernel until copies() decodes them. BAD:
    what did not decode; OTHERS: packets of other protocols; TAKEN: number of copies so far."""

    def __init__(self, ns, dev="eth0", mtu=1500, buffer=192 << 20):
        super().__init__(ns, dev)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, buffer)  # SO_RCVBUFFORCE
        self.decode = Decoder(mtu)
        self.bad, self.others = [], []
        self.taken = 0

    def _next(self, end):
        """Return: the next received packet of GRE or UDP or fragment, None after END."""
        while True:
            try:
                data, addr = self.sock.recvfrom(1 << 17)
            except BlockingIOError:
                if time.monotonic() > end or not select.select([self.sock], [], [],
                                                               max(0, end - time.monotonic()))[0]:
                    return None
                continue
            if addr[2] == 4:
                continue
            if data[{b"\x08\x00": 23, b"\x86\xdd": 20}.get(data[12:14], 0)] not in (17, 44, 47):
                self.others += [] if noise(data) else [data]
                continue
            return data

    def copies(self, n, timeout=10):
        """Return: the copies that come until there are N of them or TIMEOUT seconds have passed,
        and those that are there beyond N. What cannot be decoded is described in BAD."""
        out, end = [], time.monotonic() + timeout * SLOW
        while (packet := self._next(end if len(out) < n else 0)) is not None:
            try:
                c = self.decode(packet)
                if c:
                    out.append(c)
            except (Bad, struct.error, IndexError) as e:
                self.bad.append(f"{e} ({packet[:32].hex()})")
        self.taken += len(out)
        lost = struct.unpack("II", self.sock.getsockopt(self.SOL_PACKET, self.STATISTICS, 8))[1]
        if lost:
            raise RuntimeError(f"capture of {self.dev} lost {lost} packets")
        if self.decode.pending:
            self.bad.append(f"{len(self.decode.pending)} packets whose fragments did not all come")
        return out
