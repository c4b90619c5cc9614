#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""report.py MODULE OUT MISSED - the table of tools/audit/coverage.sh, and the list of lines that were not reached in MISSED."""
import collections
import os
import re
import subprocess
import sys

PAGE, SPAN = 4096, 1 << 20  # as in coverage.c
TRACER = "__sanitizer_cov_trace_pc"
CORE = (".text", ".text.unlikely", ".exit.text")


def lines_of(*command):
    """Return: what COMMAND prints, by lines."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()


def symbol(ko, name):
    """Return: the offset of function NAME in its section."""
    return next(int(line.split()[0], 16) for line in lines_of("nm", ko) if line.split()[-1] == name)


def blocks(ko):
    """Return: (section, address behind the call) of each call of the tracer."""
    found, section = [], None
    for line in lines_of("readelf", "-rW", ko):
        if m := re.match(r"Relocation section '\.rela(\.\S+)'", line):
            section = m[1]
        elif TRACER in line and section in CORE + (".init.text",):
            found.append((section, int(line.split()[0], 16) + 4))
    return found


def source(ko, section, addresses):
    """Return: (file, line, function) of each address of SECTION: the innermost that is in a file of the module."""
    out = lines_of("addr2line", "-a", "-i", "-f", "-e", ko, "-j", section, *[hex(a - 1) for a in addresses])
    chains, i = [], 0
    while i < len(out):
        if out[i].startswith("0x"):
            chains.append([])
            i += 1
            continue
        path, _, line = out[i + 1].partition(":")
        chains[-1].append((os.path.basename(path), int(re.match(r"\d*", line)[0] or 0), out[i], "/kmod/" in path))
        i += 2
    return [next(((f, n, name) for f, n, name, ours in chain if ours), None) for chain in chains]


def reached(ko, out):
    """Return: a function that says whether the block at (section, address) ran."""
    with open(f"{out}/sections", encoding="ascii") as f:
        base = {name: int(at, 16) for name, at in (line.strip().split(":") for line in f)}
    with open(f"{out}/map", "rb") as f:
        ran = f.read()
    end = base[".exit.text"] + symbol(ko, "cleanup_module")

    def ask(section, address):
        if section == ".init.text":
            return ran[address]
        return ran[PAGE + SPAN // 2 + base[section] + address - end]
    return ask


def collect(ko, out):
    """Return: {file: {(line, function): whether it was reached}}."""
    ran = reached(ko, out)
    files = collections.defaultdict(lambda: collections.defaultdict(bool))
    by_section = collections.defaultdict(list)
    for section, address in blocks(ko):
        by_section[section].append(address)
    for section, addresses in by_section.items():
        for address, where in zip(addresses, source(ko, section, addresses)):
            if where:
                name, line, function = where
                files[name][line, function] |= bool(ran(section, address))
    return files


def share(hit, all_):
    return f"{hit:5} of {all_:5}  {100 * hit / all_:5.1f} %"


def table(files):
    """Print functions and lines reached, by file."""
    total = [0, 0, 0, 0]
    print(f"{'':14}{'functions':24}lines that begin a block")
    for name in sorted(files):
        functions = collections.defaultdict(bool)
        for (_, function), hit in files[name].items():
            functions[function] |= hit
        lines = {n: any(files[name][n, f] for m, f in files[name] if m == n) for n, _ in files[name]}
        row = [sum(functions.values()), len(functions), sum(lines.values()), len(lines)]
        total = [a + b for a, b in zip(total, row)]
        print(f"{name:12}{share(*row[:2])}  {share(*row[2:])}")
    print(f"{'all':12}{share(*total[:2])}  {share(*total[2:])}")


def missed(files, ko, path):
    """Write the lines that were not reached to PATH."""
    with open(path, "w", encoding="utf-8") as f:
        for name in sorted(files):
            with open(f"{os.path.dirname(ko)}/{name}", encoding="utf-8") as src:
                text = src.read().splitlines()
            hit = {n for (n, _), yes in files[name].items() if yes}
            for n, function in sorted(set(files[name]) - {k for k in files[name] if k[0] in hit}):
                print(f"{name}:{n}: {function}: {text[n - 1].strip()}", file=f)
    print(f"not reached: {path}")


if __name__ == "__main__":
    KO, OUT, MISSED = sys.argv[1:]
    FILES = collect(KO, OUT)
    table(FILES)
    missed(FILES, KO, MISSED)
