#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""rooms.py - no source file is longer than 450 lines, no headers include each other in a circle"""

import glob
import os
import re
import sys

LIMIT = 450
# files that are longer, and may not grow
LONGER = {
    "tools/vtap/apply.c": 551,
    "tools/vtap/words.c": 842,
}


def includes(path):
    with open(path, encoding="utf-8") as f:
        return re.findall(r'^#include "(.*)"', f.read(), re.M)


def circle(graph, path):
    """Return: a circle that PATH leads into, or None."""
    for h in graph.get(path[-1], ()):
        found = path[path.index(h):] + [h] if h in path else circle(graph, path + [h])
        if found:
            return found
    return None


def main():
    """Return: exit status."""
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    bad = []
    for folder in ("kmod", "tools/vtap"):
        files = sorted(f for f in glob.glob(f"{folder}/*.[ch]") if "_gen." not in f)
        for f in files:
            with open(f, encoding="utf-8") as text:
                n = text.read().count("\n")
            if n > LONGER.get(f, LIMIT):
                bad.append(f"{f}: {n} lines, {LONGER.get(f, LIMIT)} at most")
        graph = {os.path.basename(f): includes(f) for f in files}
        ring = next((c for f in sorted(graph) if (c := circle(graph, [f]))), None)
        if ring:
            bad.append(f"{folder}: includes in a circle: {' -> '.join(ring)}")
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
