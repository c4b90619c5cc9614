#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""rooms.py - no source file is longer than 450 lines, no headers include each other in a circle,
no calls lead round, no self-test imports another one, and the developers' text lists each file

In kmod/, a file and its own header are one: the header has the fast half. In tools/vtap/, neither
functions nor variables may be used in a circle.
"""

import glob
import os
import re
import sys

LIMIT = 450


def includes(path):
    with open(path, encoding="utf-8") as f:
        return re.findall(r'^#include "(.*)"', f.read(), re.M)


def code(path):
    """Return: the text of a file without comments, strings and characters."""
    with open(path, encoding="utf-8") as f:
        return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', " ", f.read(),
                      flags=re.S)


def uses(paths):
    """Return: for each source file, the other ones whose functions and variables it names."""
    text = {p: code(p) for p in paths if p.endswith(".c")}
    place = {}
    for p, c in text.items():
        for m in re.finditer(r"^(?!static\b|extern\b|typedef\b|return\b)[a-z][\w \t*]*[ *](\w+)"
                             r"(?:\[\w*\])?(?:\(| = |;).*", c, re.M):
            if not re.search(r"\).*;$", m[0]):
                place[m[1]] = p
    graph = {}
    for p, c in text.items():
        names = set(re.findall(r"(?<![.>\w])\w+", c))
        graph[p] = sorted({place[n] for n in names if n in place} - {p})
    return graph


def circle(graph, path):
    """Return: a circle that PATH leads into, or None."""
    for h in graph.get(path[-1], ()):
        found = path[path.index(h):] + [h] if h in path else circle(graph, path + [h])
        if found:
            return found
    return None


def functions(path):
    """Yield (name, body) of each function that PATH defines."""
    with open(path, encoding="utf-8") as f:
        text = re.sub(r'/\*.*?\*/|//.*?$|"(?:\\.|[^"\\])*"', "", f.read(), flags=re.S | re.M)
    for m in re.finditer(r"^(?!static_assert)[a-z_][^;{}#=]*?\b(\w+)\([^;{}#]*?\)\s*\{(.*?)^\}",
                         text, re.M | re.S):
        yield m[1], m[2]


def calls(files):
    """Return: {file: {file that it calls: how}}. Where a header has a stand-in for a part that is
    left out, the part itself counts."""
    every = [(f, name, body) for f in files for name, body in functions(f)]
    where, graph = {}, {f: {} for f in files}
    for f, name, _ in every:
        if f.endswith(".c") or name not in where:
            where[name] = f
    for f, name, body in every:
        for called in re.findall(r"\b(\w+)\s*\(", body):
            to = where.get(called, f)
            if to != f:
                graph[f].setdefault(to, f"{name}() -> {called}()")
    return graph


def way(graph, start, end):
    """Return: the shortest way from START to END in GRAPH as a list, or None."""
    come, queue = {start: None}, [start]
    for at in queue:
        for to in graph[at]:
            if to == end:
                path = [at]
                while come[path[0]] is not None:
                    path.insert(0, come[path[0]])
                return path + [end]
            if to not in come:
                come[to] = at
                queue.append(to)
    return None


def round_trips(graph):
    """Yield a line for each call that leads back to where it came from through another room."""
    for f in sorted(graph):
        for to, how in graph[f].items():
            back = to[:-2] != f[:-2] and way(graph, to, f)
            if back:
                yield f"{how} leads back: {' -> '.join([f] + back)}"


def selftests():
    """Return: what is wrong with the self-tests: what they share belongs in selftests/lib."""
    bad = []
    programs = [f for d in ("", "stress/", "debug/")
                for f in sorted(glob.glob(f"selftests/{d}*.py"))]
    names = {os.path.basename(f)[:-3] for f in programs}
    for f in programs:
        with open(f, encoding="utf-8") as text:
            used = set(re.findall(r"^\s*(?:import|from)\s+(\w+)", text.read(), re.M))
        bad += [f"{f}: imports the test {name}.py" for name in sorted(used & names)]
    for f in sorted(glob.glob("selftests/lib/*.py")):
        with open(f, encoding="utf-8") as text:
            n = text.read().count("\n")
        if n > LIMIT:
            bad.append(f"{f}: {n} lines, {LIMIT} at most")
    return bad


def unlisted():
    """Return: files of the module that the text for developers leaves out."""
    with open("Documentation/development.rst", encoding="utf-8") as f:
        listed = set(re.findall(r"``(?:kmod/)?(\w+)\.", f.read()))
    return [f"{f}: is not listed in Documentation/development.rst"
            for f in sorted(glob.glob("kmod/*.[ch]")) if os.path.basename(f)[:-2] not in listed]


def main():
    """Return: exit status."""
    os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    bad = selftests() + unlisted()
    for folder in ("kmod", "tools/vtap"):
        files = sorted(f for f in glob.glob(f"{folder}/*.[ch]") if "_gen." not in f)
        for f in files:
            with open(f, encoding="utf-8") as text:
                n = text.read().count("\n")
            if n > LIMIT:
                bad.append(f"{f}: {n} lines, {LIMIT} at most")
        graph = {os.path.basename(f): includes(f) for f in files}
        ring = next((c for f in sorted(graph) if (c := circle(graph, [f]))), None)
        if ring:
            bad.append(f"{folder}: includes in a circle: {' -> '.join(ring)}")
        if folder == "tools/vtap":
            graph = uses(files)
            ring = next((c for f in sorted(graph) if (c := circle(graph, [f]))), None)
            if ring:
                bad.append(f"{folder}: uses in a circle: {' -> '.join(ring)}")
    bad += round_trips(calls([f for f in sorted(glob.glob("kmod/*.[ch]"))
                              if "_gen." not in f and "test" not in f]))
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
