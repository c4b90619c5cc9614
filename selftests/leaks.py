#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a debug kernel tells when everything is over: memory that nobody knows, namespaces that somebody holds, and whether
lockdep has looked until now. run.sh runs it after the tests, and again when the module is gone."""
import os
import time

import ksft
from ksft import busywait, eq, ok, skip

LEAKS = "/sys/kernel/debug/kmemleak"
SLAB = "/sys/kernel/slab/net_namespace/"


def read(path):
    """Return: the text of a file."""
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def put(path, text):
    """Write TEXT to a file of the kernel's."""
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def unreferenced():
    """Return: what kmemleak says. An object is told when two scans miss it and it is some seconds old."""
    put(LEAKS, "scan")
    time.sleep(6)
    put(LEAKS, "scan")
    return read(LEAKS)


def namespaces():
    """Return: how many network namespaces have memory, besides the first and one that went: the kernel keeps those that
    went last until the next goes. KASAN gives up what it keeps."""
    put(SLAB + "shrink", "1")
    return max(0, int(read(SLAB + "objects").split()[0]) - 1)


def gone(seconds):
    """Return: whether all namespaces go within so many SECONDS. Each round one goes alone, and has time for that."""
    return busywait(lambda: ksft.Netns("last").remove() or busywait(lambda: namespaces() == 0, min(5, seconds), 0.5), seconds)


def memory():
    """Nothing is lost."""
    if not os.path.exists(LEAKS):
        return skip("memory that is lost", "the kernel has no kmemleak")
    said = unreferenced()
    return ok("kmemleak: nothing is lost", not said, said[:20000])


def held():
    """No namespace is left over. Those of the last test need some time."""
    if not os.path.exists(SLAB + "shrink"):
        return skip("namespaces that are held", "the kernel has no CONFIG_SLUB_DEBUG")
    return ok("no network namespace is held", gone(30), lambda: f"{namespaces()} are")


def lockdep():
    """It ends itself when it has found something, or its tables are full."""
    if not os.path.exists("/proc/lockdep_stats"):
        return skip("lockdep", "the kernel has none")
    stats = dict(line.split(":", 1) for line in read("/proc/lockdep_stats").splitlines() if line.count(":") == 1)
    return eq("lockdep is on", {k.strip(): v.strip() for k, v in stats.items()}.get("debug_locks"), "1")


if __name__ == "__main__":
    ksft.run(memory, held, lockdep)
