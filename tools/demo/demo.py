#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""demo.py DEV PORT - count what crosses DEV, independently of vtap, until SIGINT.

Prints "ready" when it counts, and at the end "total N SKIPPED SUPER": frames without and with TCP
port PORT, a super-frame counted as the frames that it becomes on a wire, and how many super-frames
there were.
"""
import contextlib
import os
import signal
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../../selftests")
from lib import Sender, Sniffer  # noqa: E402


class Here:
    """The namespace that we are in, for Sniffer."""

    def enter(self):
        return contextlib.nullcontext()


def is_port(frame, port):
    """Return: whether the frame is IPv4 TCP from or to PORT."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return False
    return port in struct.unpack_from("!HH", frame, 14 + 4 * (frame[14] & 15))


def wire_frames(frame):
    """Return: how many frames it is on a wire."""
    _, kind, hlen, size, _, _ = struct.unpack("BBHHHH", frame.vnet)
    if not kind:
        return 1
    if kind & 0x7f == Sender.GSO_TCPV4:
        l4 = 14 + 4 * (frame[14] & 15)
        hlen = l4 + 4 * (frame[l4 + 12] >> 4)
    return -(-(len(frame) - hlen) // size)


def main():
    """Count until SIGINT."""
    dev, port = sys.argv[1], int(sys.argv[2])
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(1))
    count = {False: 0, True: 0}
    supers = 0
    with Sniffer(Here(), dev, "both", match=lambda f: True, vnet=True) as rx:
        print("ready", flush=True)
        last = False
        while not last:
            last = bool(stop)
            for frame in rx.frames(1, timeout=0.2):
                count[is_port(frame, port)] += wire_frames(frame)
                supers += frame.vnet[1] != 0
    print("total", count[False], count[True], supers)


if __name__ == "__main__":
    main()
