#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The documentation's examples work: each block of commands marked "sh" in vtap.rst and README.md, and the manual's."""
import os
import re
import tempfile

import ksft
from ksft import REPO, Topology, eq, ok, vtap, vtap_json

SHELL = "set -euo pipefail\ncd {dir}\nexport PATH={path}:$PATH VM={vm}\n"


def blocks(name):
    """Return: (line number, text) of each block that is to be run."""
    with open(os.path.join(REPO, name), encoding="utf-8") as f:
        lines = f.read().split("\n")
    found, start = [], None
    for number, line in enumerate(lines, 1):
        if start is None:
            start = number if re.fullmatch(r"\.\. code-block:: sh|```sh|\.SH EXAMPLES", line) else None
        elif line and not line.startswith(" ") and end_of_block(lines[start - 1], line):
            found.append((start, "\n".join(lines[start:number - 1])))
            start = None
    return found


def end_of_block(first, line):
    """Return: whether LINE, which is not indented, ends the block that begins with FIRST."""
    return first.startswith("..") or line == "```" or line.startswith(".SH")


def commands(text):
    """Return: the block as a shell script, roff taken away."""
    text = re.sub(r"^\.(nf|fi|EX|EE|PP?)$", "", text, flags=re.M)
    text = re.sub(r"^\.B ", "", text, flags=re.M).replace("\\-", "-").replace("\\(aq", "'")
    return re.sub(r"/etc/vtap/", "./", re.sub(r"^   ", "", text, flags=re.M)).strip()


def run(t, ns, text):
    """Run TEXT in namespace NS of topology T. Return: CompletedProcess."""
    with tempfile.TemporaryDirectory() as tmp:
        head = SHELL.format(dir=tmp, path=os.path.dirname(ksft.VTAP), vm=t.a.name)
        return ns.sh(["bash", "-c", head + text], check=False)


def document(name):
    """Run all blocks of a document, each on a namespace without sessions and rules."""
    found = blocks(name)
    ok(f"{os.path.basename(name)} has examples", found)
    with Topology() as t:
        for number, text in found:
            script = commands(text)
            p = run(t, t.col if script.startswith("# at the collector") else t.host, script)
            ok(f"{os.path.basename(name)}:{number}: {len(script.splitlines())} lines work", p.returncode == 0,
               script + "\n" + p.stdout + p.stderr)
            for tap in vtap_json("tap", t.host):
                vtap(f"rule flush tap {tap['name']}", t.host)
                vtap(f"session flush tap {tap['name']}", t.host)


def manual():
    """vtap(8)"""
    document("tools/vtap/vtap.8")


def rst():
    """vtap.rst"""
    document("Documentation/networking/vtap.rst")


def readme():
    """README.md"""
    document("README.md")


def twin():
    """A wrong command anywhere in a block is noticed."""
    with Topology() as t:
        eq("a word that does not exist fails a block",
           [run(t, t.host, text).returncode != 0 for text in (
               "vtap session show", "vtap session frobnicate\ntrue", "vtap session show nobody | cat")], [False, True, True])


if __name__ == "__main__":
    ksft.modprobe("veth", "bridge")
    ksft.run(twin, manual, rst, readme)
