#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Turn what tools/bench/bench.py measured into text, JSON and a plot: plot.py BASE count|scale [ROW...] < its output.

With a ROW, only text is printed; else BASE.txt, BASE.json and BASE.svg are written.
"""
import json
import math
import sys
from xml.sax.saxutils import escape

SPDX = "SPDX-License-Identifier: " + "GPL-2.0"
SEGMENTS = 45
COLUMNS = {"rules": ["hit", "random"],
           "hooks": ["untapped", "chain alone", "chain miss", "chain erspan2", "packet alone", "packet miss",
                     "packet erspan2", "netfilter alone", "netfilter miss", "netfilter erspan2",
                     "mirror to erspan"]}
INK, FAINT, OURS, RIVAL = "#222", "#ccc", "#1f6fb2", "#b0762e"


# --- text ---

def grid(header, lines):
    """Return: text of LINES (lists of words) in columns, the first one to the left."""
    every = [header] + lines
    widths = [max(len(line[i]) for line in every) for i in range(len(header))]
    return "\n".join("  ".join(w.ljust(n) if i == 0 else w.rjust(n) for i, (w, n) in enumerate(zip(line, widths))).rstrip()
                     for line in every) + "\n"


def cell(row):
    """Return: what a table says of ROW."""
    if row is None:
        return ""
    if "error" in row:
        return "failed"
    return f"{row['instructions']:.0f}" if row["label"] == "untapped" or row["column"] == "untapped" else f"{row['added']:+.0f}"


def table(rows, name):
    """Return: text of the table NAME, labels downwards and columns as they come."""
    mine = [r for r in rows if r.get("table") == name]
    labels, columns = list(dict.fromkeys(r["label"] for r in mine)), list(dict.fromkeys(r["column"] for r in mine))
    columns = sorted(columns, key=COLUMNS.get(name, columns).index)
    at = {(r["label"], r["column"]): r for r in mine}
    return grid([name] + columns, [[label] + [cell(at.get((label, c))) for c in columns] for label in labels])


def supers(rows):
    """Return: text on super-frames."""
    mine = [r for r in rows if r.get("table") == "super-frames"]
    lines = [[r["column"], f"{r['instructions']:.0f}", f"{r['added']:+.0f}", f"{r['added'] / SEGMENTS:+.0f}"] for r in mine]
    return grid(["super-frames", "all", "added", "a segment"], lines) if mine else ""


def quality(data):
    """Return: text on what failed, how far repetitions differ, and how far the untapped port does from start to end."""
    lines = [f"{name}: {r['error']}" for name, r in data["rows"].items() if "error" in r]
    good = [r for r in data["rows"].values() if "error" not in r]
    small = [r["spread"] for r in good if r["instructions"] < 1e4]
    large = [r["spread"] / r["instructions"] for r in good if r["instructions"] >= 1e4]
    lines.append(f"Largest spread of repetitions: {max(small, default=0)}; " +
                 f"of rows above 10,000, {100 * max(large, default=0):.1f} %")
    lines += [f"The untapped port at the end of the run: {r['added']:+}" for r in good if r["table"] == "again"]
    return "\n".join(lines)


def loads(load):
    """Return: text on loading rules, and memory."""
    lines = []
    for how in ("batch", "apply", "apply again"):
        got, n = load[how], load["rules"]
        lines.append([how, f"{got['tool'] / n:.0f}", f"{got['kernel'] / n:.0f}", f"{(got['tool'] + got['kernel']) / 1e6:.0f}",
                      *[f"{v / 1024:.0f}" for v in got["memory"].values()]])
    kinds = list(load["batch"]["memory"])
    return (f"{load['rules']} rules, {load['cpus']} processors; module {load['module'] / 1024:.0f} KiB\n" +
            grid(["loading", "instructions a rule: tool", "kernel", "millions in all"] + [k + " KiB" for k in kinds], lines))


def hosts(got):
    """Return: text on a host with many ports and rules."""
    return grid([f"{got['ports']} ports, millions of instructions", "no rules", f"{got['rules']} rules"],
                [["a new device", f"{got['no rules'] / 1e6:.2f}", f"{got['device'] / 1e6:.2f}"]])


def text(data):
    """Return: the report."""
    rows = list(data.get("rows", {}).values())
    parts = [f"Linux {data['kernel']}"]
    if rows:
        parts.append("Instructions per packet: untapped, and added (+) to the untapped port of the same source.")
        for name in ("frame size", "rules", "hooks"):
            if any(r.get("table") == name for r in rows):
                parts.append(table(rows, name))
        parts.append(supers(rows))
        parts.append(quality(data))
    if "scale" in data:
        parts.append(grid(["packets/s", "1 processor", "2 processors", "ratio"],
                          [[k, f"{a:.0f}", f"{b:.0f}", f"{b / a:.2f}"] for k, (a, b) in data["scale"].items()]))
    if "load" in data:
        parts.append(loads(data["load"]))
    if "host" in data:
        parts.append(hosts(data["host"]))
    return "\n".join(p.rstrip("\n") + "\n" for p in parts if p)


# --- plot ---

def svg_text(x, y, words, anchor="start", size=12, color=INK, weight="normal"):
    """Return: an SVG text."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{color}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def bars(title, found, y, left=260, width=400):
    """Return: SVG of FOUND (label, value) as bars from Y downwards, and where it ends."""
    top = max((v for _, v in found), default=1)
    out = [svg_text(20, y, title, size=14, weight="bold")]
    for i, (label, value) in enumerate(found):
        line = y + 14 + 22 * i
        out += [svg_text(left - 8, line + 13, label, "end"),
                f'<rect x="{left}" y="{line}" width="{width * value / top:.1f}" height="16" '
                f'fill="{OURS if label.startswith("vtap") else RIVAL}"/>',
                svg_text(left + width * value / top + 6, line + 13, f"{value:,.0f}")]
    return out, y + 14 + 22 * len(found)


def small_frames(at):
    """Return: what to show of frames of 64 bytes."""
    wanted = [("miss", "64", "vtap: rule that does not match"), ("tc flower miss", "64", "tc flower: rule that does not match"),
              ("gre", "64", "vtap: rule + GRE"), ("erspan2", "64", "vtap: rule + ERSPAN II"),
              ("vxlan", "64", "vtap: rule + VXLAN"), ("tc matchall gretap", "64", "tc matchall + mirred + gretap"),
              ("tc matchall erspan", "64", "tc matchall + mirred + erspan"),
              ("tc flower erspan", "64", "tc flower + mirred + erspan"),
              ("ovs", "chain erspan2", "vtap on Open vSwitch: ERSPAN II"),
              ("ovs", "mirror to erspan", "Open vSwitch mirror + erspan")]
    return [(title, at[key, column]["added"]) for key, column, title in wanted if (key, column) in at]


def super_frames(at):
    """Return: what to show of super-frames, for each segment."""
    wanted = [("gre", "vtap: rule + GRE"), ("erspan2", "vtap: rule + ERSPAN II"), ("vxlan", "vtap: rule + VXLAN"),
              ("tc matchall gretap", "tc matchall + mirred + gretap"), ("tc matchall erspan", "tc matchall + mirred + erspan")]
    return [(title, at["super", column]["added"] / SEGMENTS) for column, title in wanted if ("super", column) in at]


def curves(rows, y, left=80, width=560, height=240):
    """Return: SVG of added instructions by number of rules, both logarithmic, from Y downwards, and where it ends."""
    series = {}
    for r in rows:
        if r.get("table") == "rules" and " " in r["label"]:
            kind, n = r["label"].rsplit(" ", 1)
            series.setdefault((kind, r["column"]), []).append((int(n), max(r["added"], 1)))
    names = {("rules", "hit"): ("vtap, one flow", OURS, ""), ("rules", "random"): ("vtap, each packet a new flow", OURS, "6 4"),
             ("tc flower", "hit"): ("tc flower, a priority for each rule", RIVAL, "")}
    low, high = 2, math.ceil(math.log10(max(v for s in series.values() for _, v in s)))

    def place(n, v):
        return (left + width * math.log10(n) / 4, y + 20 + height * (high - math.log10(v)) / (high - low))

    out = [svg_text(20, y, "Added instructions per packet, by number of rules (none matches, 16 masks)", size=14, weight="bold")]
    for e in range(low, high + 1):
        line = place(1, 10 ** e)[1]
        out += [f'<path d="M{left} {line:.1f}h{width}" stroke="{FAINT}"/>', svg_text(left - 8, line + 4, f"{10 ** e:,}", "end")]
    for e in range(5):
        out.append(svg_text(place(10 ** e, 1)[0], y + height + 38, f"{10 ** e:,}", "middle"))
    for i, (key, (title, color, dash)) in enumerate(names.items()):
        points = [place(*p) for p in series.get(key, [])]
        out.append(f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}" fill="none" stroke="{color}" '
                   f'stroke-width="2" stroke-dasharray="{dash}"/>')
        out += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{color}"/>' for a, b in points]
        legend = y + 58 + height + 18 * i
        out += [f'<path d="M{left} {legend - 4}h40" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>',
                svg_text(left + 48, legend, title)]
    return out, y + 58 + height + 18 * len(names)


def svg(data):
    """Return: the plot."""
    rows = list(data["rows"].values())
    at = {(r["label"], r["column"]): r for r in rows if "error" not in r}
    out, y = bars("Added instructions per packet, 64 bytes", small_frames(at), 24)
    more, y = bars("Added instructions per segment of a 64 KB super-frame, cut in software", super_frames(at), y + 36)
    last, y = curves(rows, y + 36)
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {SPDX} -->\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" width="740" height="{y + 10}" viewBox="0 0 740 {y + 10}" '
            f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(out + more + last) +
            "\n</svg>\n")


# --- main ---

def save(path, words):
    """Write WORDS to PATH."""
    with open(path, "w", encoding="utf-8") as f:
        f.write(words)


def main(base, mode, *wanted):
    """Read a run, print or write it. Return: the exit status."""
    lines = [line for line in sys.stdin if line.startswith("{")]
    if not lines:
        print("plot.py: no results", file=sys.stderr)
        return 1
    data = json.loads(lines[-1])
    print(text(data), end="")
    if not wanted and mode == "count":
        save(base + ".txt", f"# {SPDX}\n{text(data)}")
        save(base + ".json", json.dumps({"license": SPDX, **data}, indent=1) + "\n")
        save(base + ".svg", svg(data))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
