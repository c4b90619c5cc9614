# SPDX-License-Identifier: GPL-2.0
"""The blocks of commands in documents, and a shell that runs them."""
import os
import re

from .ns import REPO, VTAP

SHELL = "set -euo pipefail\ncd {dir}\nexport PATH={path}:/usr/sbin:/usr/bin:/sbin:/bin\n"


def sections(name):
    """Return: the blocks marked "sh" of the reStructuredText document NAME, by the title of their
    section."""
    with open(os.path.join(REPO, name), encoding="utf-8") as f:
        lines = f.read().split("\n")
    found, title, block = {}, None, None
    for line, after in zip(lines, lines[1:] + [""]):
        if block is not None and (not line or line.startswith("   ")):
            block.append(line[3:])
            continue
        block = None
        if line and re.fullmatch(r"(=|-)\1*", after) and len(after) == len(line):
            title = line
        elif line == ".. code-block:: sh":
            block = []
            found.setdefault(title, []).append(block)
    return {title: ["\n".join(block).strip() for block in blocks]
            for title, blocks in found.items()}


def script(text, directory):
    """Return: the command that runs the block TEXT in DIRECTORY, the tool in its path."""
    head = SHELL.format(dir=directory, path=os.path.dirname(VTAP))
    return ["bash", "-c", head + text]
