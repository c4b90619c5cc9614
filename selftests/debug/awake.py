#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Each detector of a debug kernel notices its bug: at the end of a boot it shows that none slept
during the tests.

VTAP_BROKEN names the module with the bugs, VTAP_COMPLAINT the words that run.sh looks for in the
kernel log. Lockdep ends with the first deadlock, and with what KASAN finds: both come after those
that need it.
"""
import ctypes
import os
import re
import subprocess

from lib import (NetNS, busywait, ip, ksft_eq, ksft_exit, ksft_run, ksft_skip, ksft_true, libc,
                 modprobe)
from lib.detect import LEAKS, gone, namespaces, put, unreferenced

MODULE = os.environ.get("VTAP_BROKEN", "")
COMPLAINT = os.environ.get("VTAP_COMPLAINT", "BUG|WARNING|UBSAN|unregister_netdevice")
BUGS = (
    ("PROVE_RCU", "rcu-dereference", "suspicious rcu_dereference_check.* usage"),
    ("PROVE_RCU", "sleep-in-rcu", "ontext switch within RCU read-side"),
    ("DEBUG_ATOMIC_SLEEP", "sleep-in-atomic", "sleeping function called from invalid context"),
    ("DEBUG_PREEMPT", "this-cpu", r"using smp_processor_id\(\) in preemptible"),
    ("RTNL", "rtnl", "RTNL: assertion failed"),
    ("UBSAN", "array-index", "array-index-out-of-bounds in .*broken"),
    ("UBSAN", "shift", "shift-out-of-bounds in .*broken"),
    ("DEBUG_OBJECTS", "active-timer", "ODEBUG: free active .*timer_list"),
    ("DEBUG_LIST", "list", "list_del corruption"),
    ("lockdep", "lock-order", "possible circular locking dependency"),
    ("KASAN", "use-after-free", "KASAN: slab-use-after-free in broken"),
    ("KASAN", "out-of-bounds", "KASAN: slab-out-of-bounds in broken"),
)


def log():
    """Return: the kernel log since the last call."""
    buf = ctypes.create_string_buffer(1 << 20)
    n = libc.klogctl(4, buf, len(buf))  # SYSLOG_ACTION_READ_CLEAR
    return buf.raw[:max(n, 0)].decode(errors="replace")


class Broken:
    """Within `with`, the module is loaded with a bug."""

    def __init__(self, bug, dev=""):
        self.args = f"bug={bug} dev={dev}".encode()

    def __enter__(self):
        with open(MODULE, "rb") as f:
            if libc.syscall(313, f.fileno(), self.args, 0):  # finit_module
                raise OSError(ctypes.get_errno(), "finit_module", self.args)

    def __exit__(self, *exc):
        if libc.syscall(176, b"vtap_broken", os.O_NONBLOCK):  # delete_module
            raise OSError(ctypes.get_errno(), "delete_module")


def bugs():
    """What is told at once; a module that does no harm is the negative twin."""
    log()
    with Broken("none"):
        said = log()
    ksft_true(not re.search(COMPLAINT, said), "nothing is told of a module without a bug",
              said[-2000:])
    for detector, bug, text in BUGS:
        with Broken(bug):
            said = log()
        ksft_true(re.search(text, said) and re.search(COMPLAINT, said),
                  f"{detector} notices {bug}, and so does run.sh", said[-2000:])


def leak():
    """Memory that nobody has an address of."""
    ksft_eq(unreferenced(), "", "kmemleak tells nothing before")
    with Broken("leak"):
        said = unreferenced()
        ksft_true("broken_leak" in said, "kmemleak notices leak, and who made it", said[-2000:])
        put(LEAKS, "clear")


def net_reference():
    """A namespace that nobody can see any more."""
    with NetNS("held") as ns, ns.enter():
        broken = Broken("net-reference")
        broken.__enter__()
    ksft_true(not gone(5), "a namespace that is held is noticed")
    broken.__exit__()
    ksft_true(gone(30), "one that is let go is gone", namespaces)


def dev_reference():
    """A device that somebody holds; who does is told after ten seconds."""
    ip("link add vtapref type dummy")
    log()
    broken, said = Broken("dev-reference", "vtapref"), []
    broken.__enter__()
    with subprocess.Popen(["ip", "link", "del", "vtapref"]):
        busywait(lambda: said.append(log()) or "broken_dev_reference" in "".join(said), 60, 0.5)
        broken.__exit__()
    said = "".join(said)
    ksft_true("broken_dev_reference" in said and re.search(COMPLAINT, said),
              "reference tracker notices dev-reference, and who has it, and so does run.sh",
              said[-2000:])
    log()


if __name__ == "__main__":
    if not MODULE:
        ksft_skip("VTAP_BROKEN does not name the module with the bugs", "detectors")
        ksft_exit()
    modprobe("dummy")
    ksft_run([bugs, leak, net_reference, dev_reference])
    ksft_exit()
