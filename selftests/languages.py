#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Other programs drive the netlink family: the kernel's own client and Python's pyroute2, by the
examples in the documentation."""
import os
import subprocess
import sys

from lib import (REPO, Collector, KsftSkipEx, Sender, Topology, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, modprobe, udp_frame, vtap_json)
from lib.doc import script, sections

BLOCK, = sections("Documentation/networking/vtap-recipes.rst")["Other languages"]
PYROUTE2 = [sys.executable, f"{REPO}/Documentation/netlink/examples/vtap_pyroute2.py"]


def tapped(t, what):
    """Report whether what VM a sends is copied, once."""
    with Collector(t.col) as rx, Sender(t.a, "eth0") as tx:
        tx.send(frame := udp_frame(t.MAC["b"], t.MAC["a"], "10.9.0.1", "10.9.0.2"))
        ksft_eq([c.frame for c in rx.copies(1)], [frame], what)


def left(t):
    """Return: what is configured."""
    return vtap_json("session show", t.host) + vtap_json("rule show", t.host)


def ynl():
    """The kernel's client, with the specification alone; netlink.py has what it is refused."""
    if "VTAP_YNL" not in os.environ:
        raise KsftSkipEx("VTAP_YNL does not say where it is")
    with Topology() as t:
        p = t.host.sh(script(BLOCK, REPO), env={**os.environ, "YNL": os.environ["VTAP_YNL"]},
                      check=False)
        ksft_true(p.returncode == 0, "ynl: the example works", p.stdout + p.stderr)
        tapped(t, "ynl: and a frame is copied")


def pyroute2():
    """Python's pyroute2, with the classes of the example."""
    with Topology() as t:
        p = t.host.sh([*PYROUTE2, "vnet,", t.IP4["col"]], check=False)
        ksft_true(p.returncode == 1 and "one pattern" in p.stderr,
                  "pyroute2: the kernel's refusal is printed", p.stdout + p.stderr)
        ksft_eq(left(t), [], "pyroute2: and nothing has changed")
        with t.host.popen([*PYROUTE2, "vnet*", t.IP4["col"]], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
            rule = p.stdout.readline()
            tapped(t, "pyroute2: a frame is copied")
            ids = [r["id"] for r in vtap_json("rule show tap python", t.host)]
            out, _ = p.communicate("")
            ksft_eq((rule, out, p.returncode), (f"rule {ids[0]}\n", "sent 1 of 1\n", 0),
                    "pyroute2: it has the rule's id and the counters")
        ksft_eq(left(t), [], "pyroute2: and takes its tap away")


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([ynl, pyroute2])
    ksft_exit()
