# SPDX-License-Identifier: GPL-2.0
"""What a debug kernel reports: leaked memory, and network namespaces that are still referenced."""
import time

from .ns import NetNS
from .tap import busywait

LEAKS = "/sys/kernel/debug/kmemleak"
SLAB = "/sys/kernel/slab/net_namespace/"


def read(path):
    """Return: the text of a file."""
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def put(path, text):
    """Write TEXT to a file in /sys or /proc."""
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def unreferenced():
    """Return: the report of kmemleak. It lists an object once two scans have found no reference to
    it and it is some seconds old."""
    put(LEAKS, "scan")
    time.sleep(6)
    put(LEAKS, "scan")
    return read(LEAKS)


def namespaces():
    """Return: how many network namespaces have memory, besides the first and one that went: the
    kernel keeps those that went last until the next goes. KASAN gives up what it keeps."""
    put(SLAB + "shrink", "1")
    return max(0, int(read(SLAB + "objects").split()[0]) - 1)


def gone(seconds):
    """Return: True if all network namespaces are freed within SECONDS. Each round deletes one more
    namespace, which makes the kernel free those before it."""
    return busywait(lambda: NetNS("last").remove() or busywait(lambda: namespaces() == 0,
                                                               min(5, seconds), 0.5), seconds)
