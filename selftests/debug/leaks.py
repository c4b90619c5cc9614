#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a debug kernel tells when everything is over: memory that nobody knows, namespaces that
somebody holds, and whether lockdep has looked until now. run.sh runs it after the tests, and again
when the module is gone."""
import os

from lib import ksft_eq, ksft_exit, ksft_run, ksft_skip, ksft_true
from lib.detect import LEAKS, SLAB, gone, namespaces, read, unreferenced


def memory():
    """Nothing is lost."""
    if not os.path.exists(LEAKS):
        return ksft_skip("the kernel has no kmemleak", "memory that is lost")
    said = unreferenced()
    return ksft_true(not said, "kmemleak: nothing is lost", said[:20000])


def held():
    """No namespace is left over. Those of the last test need some time."""
    if not os.path.exists(SLAB + "shrink"):
        return ksft_skip("the kernel has no CONFIG_SLUB_DEBUG", "namespaces that are held")
    return ksft_true(gone(30), "no network namespace is held", lambda: f"{namespaces()} are")


def lockdep():
    """It ends itself when it has found something, or its tables are full."""
    if not os.path.exists("/proc/lockdep_stats"):
        return ksft_skip("the kernel has none", "lockdep")
    stats = dict(line.split(":", 1) for line in read("/proc/lockdep_stats").splitlines()
                 if line.count(":") == 1)
    return ksft_eq({k.strip(): v.strip() for k, v in stats.items()}.get("debug_locks"), "1",
                   "lockdep is on")


if __name__ == "__main__":
    ksft_run([memory, held, lockdep])
    ksft_exit()
