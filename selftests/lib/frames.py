# SPDX-License-Identifier: GPL-2.0
"""Frames as bytes: build them, number them, recognise them."""
import functools
import ipaddress
import struct


def checksum(data):
    """Return: the Internet checksum of DATA."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) & 1)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ether(dst, src, kind, payload, vlan=None):
    """Return: an Ethernet frame, with an 802.1Q tag when VLAN (id, or the whole tag control field)
    is given."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return mac(dst) + mac(src) + tag + struct.pack("!H", kind) + payload


def _packet(proto, l4, at, dst_mac, src_mac, src, dst, vlan, ttl, tos, partial):
    """Return: L4, with its checksum written at offset AT, as an IPv4 or IPv6 packet in an Ethernet
    frame. PARTIAL: with the sum of the pseudo-header only, as a stack leaves it for the device to
    finish."""
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    pseudo = src.packed + dst.packed + struct.pack("!II", len(l4), proto)
    value = 0xffff - checksum(pseudo) if partial else checksum(pseudo + l4) or 0xffff
    l4 = l4[:at] + struct.pack("!H", value) + l4[at + 2:]
    if src.version == 6:
        header = struct.pack("!IHBB", 6 << 28 | tos << 20, len(l4), proto,
                             ttl) + src.packed + dst.packed
        return ether(dst_mac, src_mac, 0x86dd, header + l4, vlan)
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(l4), 1, 0x4000, ttl, proto,
                         0) + src.packed + dst.packed
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return ether(dst_mac, src_mac, 0x0800, header + l4, vlan)


def udp_frame(dst_mac, src_mac, src, dst, sport=1024, dport=4000, payload=b"", vlan=None, ttl=64,
              tos=0, partial=False):
    """Return: a UDP datagram in an Ethernet frame with correct checksums. The addresses decide
    between IPv4 and IPv6."""
    l4 = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return _packet(17, l4, 6, dst_mac, src_mac, src, dst, vlan, ttl, tos, partial)


def tcp_frame(dst_mac, src_mac, src, dst, sport=1024, dport=80, payload=b"", vlan=None, ttl=64,
              tos=0, partial=False, flags=0x10, seq=1, ack=1):
    """Return: the same for a TCP segment with a header of 20 bytes."""
    l4 = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 1024, 0, 0) + payload
    return _packet(6, l4, 16, dst_mac, src_mac, src, dst, vlan, ttl, tos, partial)


def noise(frame):
    """Return: True if FRAME is one that an IPv6 stack sends unasked: router or neighbour discovery
    or a multicast listener report."""
    offset = 14 + 4 * (frame[12:14] == b"\x81\x00")
    if frame[offset - 2:offset] != b"\x86\xdd":
        return False
    kind, offset = frame[offset + 6], offset + 40
    if kind == 0:
        kind, offset = frame[offset], offset + 8 + 8 * frame[offset + 1]
    return kind == 58 and frame[offset] in (130, 131, 132, 133, 134, 143)


# of Debian's golang-github-google-gopacket-dev
CAPTURES = "/usr/share/gocode/src/github.com/google/gopacket/pcap/"


def published_captures(addresses):
    """Return: the frames of published captures. Those of a BSD loopback device get an Ethernet
    header with ADDRESSES in place of their own header."""
    return [f for name in ("dns", "ethernet", "loopback")
            for f in _read_pcap(f"{CAPTURES}test_{name}.pcap", addresses)]


def _read_pcap(path, addresses):
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link, = struct.unpack_from(order + "I", data, 20)
    at, frames = 24, []
    while at < len(data):
        length, = struct.unpack_from(order + "I", data, at + 8)
        packet = data[at + 16:at + 16 + length]
        if link == 0:
            packet = addresses + (b"\x86\xdd" if packet[4] >> 4 == 6 else b"\x08\x00") + packet[4:]
        frames.append(packet)
        at += 16 + length
    return frames


def is_numbered(f):
    """Return: True if F is a frame of numbered(), or contains one."""
    return b"vtap#" in f


@functools.cache
def head(size, dst, src, vlan):
    """Return: the headers of a frame of numbered(). The UDP checksum is 0 (unused), so that it does
    not depend on the number."""
    f = udp_frame(dst, src, "10.9.0.1", "10.9.0.2", payload=bytes(size), vlan=vlan)[:-size]
    return f[:-2] + b"\0\0"


def numbered(n, dst, src, vlan=None):
    """Return: a UDP frame that carries the number N; its IP addresses are not local to any host."""
    more = n % 64
    return head(13 + more, dst, src, vlan) + b"vtap#%08d" % n + b"." * more


def strip_outer(frames):
    """Return: the frames inside FRAMES, which are copies in IPv4 and GRE with a key."""
    return [bytes(f[42:]) for f in frames]


def frame_number(f):
    at = f.index(b"vtap#") + 5
    return int(f[at:at + 8])
