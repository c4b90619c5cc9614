#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The examples in the documentation work: each block marked "sh" in vtap.rst and README.md, those
of the manual page, and the test in development.rst."""
import os
import re
import tempfile

from lib import (REPO, VTAP, Topology, ksft_eq, ksft_exit, ksft_run, ksft_true, modprobe, sh,
                 vtap, vtap_json)

SHELL = "set -euo pipefail\ncd {dir}\nexport PATH={path}:$PATH VM={vm}\n"


def blocks(name):
    """Return: (line number, text) of each block that is to be run."""
    with open(os.path.join(REPO, name), encoding="utf-8") as f:
        lines = f.read().split("\n")
    found, start = [], None
    for number, line in enumerate(lines, 1):
        if start is None:
            start = number if re.fullmatch(r"\.\. code-block:: sh|```sh|\.SH EXAMPLES",
                                           line) else None
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
        head = SHELL.format(dir=tmp, path=os.path.dirname(VTAP), vm=t.a.name)
        return ns.sh(["bash", "-c", head + text], check=False)


def document(name):
    """Run all blocks of a document, each on a namespace without sessions and rules."""
    found = blocks(name)
    ksft_true(found, f"{os.path.basename(name)} has examples")
    with Topology() as t:
        for number, text in found:
            script = commands(text)
            p = run(t, t.col if script.startswith("# at the collector") else t.host, script)
            ksft_true(p.returncode == 0,
                      f"{os.path.basename(name)}:{number}: {len(script.splitlines())} lines work",
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


def new_test():
    """The test in development.rst runs as it stands there; made to expect nothing, it fails."""
    with open(os.path.join(REPO, "Documentation/development.rst"), encoding="utf-8") as f:
        text = f.read()
    block = re.search(r"\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)", text)[1]
    program = re.sub(r"^   ", "", block, flags=re.M)
    env = dict(os.environ, PYTHONPATH=os.path.join(REPO, "selftests"))
    for text, want in ((program, 0), (program.replace("[frame]", "[]"), 1)):
        p = sh(["/usr/bin/python3", "-c", text], env=env, check=False)
        ksft_eq((p.returncode, p.stdout.splitlines()[-1:]), (want, ["1..1"]),
                f"development.rst: the new test ends with status {want}")


def twin():
    """A wrong command anywhere in a block is noticed."""
    with Topology() as t:
        texts = ("vtap session show", "vtap session frobnicate\ntrue",
                 "vtap session show nobody | cat")
        ksft_eq([run(t, t.host, text).returncode != 0 for text in texts], [False, True, True],
                "a word that does not exist fails a block")


if __name__ == "__main__":
    modprobe("veth", "bridge", "tun")
    ksft_run([new_test, twin, manual, rst, readme])
    ksft_exit()
