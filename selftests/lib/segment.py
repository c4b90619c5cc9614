# SPDX-License-Identifier: GPL-2.0
"""A reference segmenter: the frames that a network device makes of a super-frame."""
import struct

from .frames import checksum

CWR, ECE, ACK, PSH, FIN = 0x80, 0x40, 0x10, 0x08, 0x01


def segments(frame, mss):
    """Return: the frames that a device makes of FRAME, with MSS bytes of payload each."""
    l3 = 18 if frame[12:14] == b"\x81\x00" else 14
    ipv4 = frame[l3] >> 4 == 4
    l4 = l3 + (20 if ipv4 else 40)
    tcp = frame[l3 + (9 if ipv4 else 6)] == 6
    start = l4 + ((frame[l4 + 12] >> 4) * 4 if tcp else 8)
    data = frame[start:]
    return [segment(bytearray(frame[:start]), l3, l4, at, data[at:at + mss],
                    (at // mss, at + mss >= len(data))) for at in range(0, len(data), mss)]


def segment(head, l3, l4, at, data, where):
    """Return: the segment with DATA, AT bytes behind the start; WHERE: (its number, whether it is
    the last)."""
    number, last = where
    ipv4, length = head[l3] >> 4 == 4, len(head) - l4 + len(data)
    tcp = head[l3 + (9 if ipv4 else 6)] == 6
    if ipv4:
        ident, = struct.unpack_from("!H", head, l3 + 4)
        struct.pack_into("!HH", head, l3 + 2, 20 + length, (ident + number) & 0xffff)
        struct.pack_into("!H", head, l3 + 10, 0)
        struct.pack_into("!H", head, l3 + 10, checksum(bytes(head[l3:l4])))
    else:
        struct.pack_into("!H", head, l3 + 4, length)
    if tcp:
        seq, = struct.unpack_from("!I", head, l4 + 4)
        struct.pack_into("!I", head, l4 + 4, (seq + at) & 0xffffffff)
        head[l4 + 13] &= ~((CWR if number else 0) | (0 if last else PSH | FIN))
    else:
        struct.pack_into("!H", head, l4 + 4, length)
    field = l4 + (16 if tcp else 6)
    struct.pack_into("!H", head, field, 0)
    pseudo = bytes(head[l3 + 12:l4] if ipv4 else head[l3 + 8:l4])
    pseudo += struct.pack("!II", length, 6 if tcp else 17)
    struct.pack_into("!H", head, field, checksum(pseudo + bytes(head[l4:]) + data) or 0xffff)
    return bytes(head) + data
