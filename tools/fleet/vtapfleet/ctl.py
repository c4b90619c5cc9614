# SPDX-License-Identifier: GPL-2.0
"""vtapctl: changes the policy of all hosts, and tells what they have made of it."""
import argparse
import fnmatch
import json
import os
import sys
import tempfile
import time

from . import init, store, tool, words
from .policy import DEFAULTS, Wrong, brief, complete
from .text import specimen

USAGE = """\
vtapctl [OPTIONS] {collector|network|tap} {add|set} NAME WORD VALUE...
       vtapctl [OPTIONS] {collector|network|tap} {show|del} [NAME]
       vtapctl [OPTIONS] [--wait] status
       vtapctl [OPTIONS] vm show [PATTERN]
       vtapctl [OPTIONS] host del NAME
       vtapctl [OPTIONS] {save|apply} FILE
       vtapctl init LOCAL [OTHER,...]"""


class Usage(Exception):
    """The words are no command."""


def checked(vtap):
    """Return: a function that returns its argument, a policy, in full, or raises Wrong."""
    def check(policy):
        policy = complete(policy)
        done, said = tool.apply(specimen(policy), vtap, check=True)
        if not done:
            raise Wrong("\n".join(said))
        return policy
    return check


def card(text):
    """Return: what a host says of a port. A host may have written anything there."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    said = said if isinstance(said, dict) else {}
    lists = {key: said.get(key) for key in ("network", "tap")}
    return {**{key: str(said.get(key, "")) for key in ("vm", "uuid", "mac")},
            **{key: [str(part) for part in value] if isinstance(value, list) else []
               for key, value in lists.items()}}


def shown(text):
    """Return: TEXT, which a host or the owner of a VM has chosen, as a terminal may get it."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def when(seconds):
    """Return: a time of a host as text."""
    try:
        return time.strftime("%F %T", time.localtime(seconds)) if seconds else ""
    except (OverflowError, OSError, ValueError):
        return "?"


def hosts(db):
    """Return: what the hosts say, in the order of their names."""
    found = [{"name": row.name, "generation": row.generation, "applied": row.applied,
              "port": {port: card(text) for port, text in row.port.items()},
              "tap": dict(row.tap), "error": sorted(row.error)} for row in db.rows("Host")]
    return sorted(found, key=lambda host: host["name"])


def table(*rows):
    """Print ROWS in columns."""
    rows = [[shown(cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def vms(found):
    """Return: how many VMs are on hosts FOUND."""
    return len({nic["uuid"] or nic["vm"] or (host["name"], port)
                for host in found for port, nic in host["port"].items()})


def status(db, args):
    """Print what the hosts have made of the policy. Return: the exit status."""
    def agreed():
        return all(row.generation == db.generation() for row in db.rows("Host"))

    done = db.wait(agreed, args.timeout if args.wait else 0)
    found, now = hosts(db), db.generation()
    errors = sum(len(host["error"]) for host in found)
    if args.json:
        print(json.dumps({"generation": now, "host": found}))
    else:
        rows = [(h["name"], h["generation"] if h["generation"] >= 0 else "",
                 when(h["applied"]), vms([h]), sum(map(bool, h["tap"].values())),
                 len(h["error"])) for h in found]
        if rows:
            table(("HOST", "GENERATION", "APPLIED", "VMS", "TAPS", "ERRORS"), *rows)
        for host in found:
            for error in host["error"]:
                print(shown(f"{host['name']}: {error}"))
        there = sum(host["generation"] == now for host in found)
        print(f"{there} of {len(found)} hosts at generation {now}, {vms(found)} VMs, "
              f"{errors} errors")
    return int(args.wait and not done)


def vm_show(db, args, pattern="*"):
    """Print the ports of VMs whose name or UUID PATTERN matches."""
    found = [dict(nic, host=host["name"], port=port)
             for host in hosts(db) for port, nic in sorted(host["port"].items())
             if any(fnmatch.fnmatchcase(name, pattern) for name in (nic["vm"], nic["uuid"]))]
    if args.json:
        print(json.dumps(found))
    elif found:
        table(("VM", "HOST", "PORT", "MAC", "NETWORK", "TAPS"),
              *[(nic["vm"] or nic["uuid"], nic["host"], nic["port"], nic["mac"],
                 ",".join(nic["network"]), ",".join(nic["tap"])) for nic in found])


def show(db, args, kind, name=None):
    """Print the objects of a kind, or one of them."""
    rows = db.policy()[kind]
    if name is not None and name not in rows:
        raise Wrong(f"there is no {kind} \"{name}\"")
    rows = {name: rows[name]} if name is not None else dict(sorted(rows.items()))
    if args.json:
        print(json.dumps(rows))
    else:
        for key, row in rows.items():
            print(words.line(kind, key, row))


def save(db, path):
    """Write the policy to a file, as a whole or not at all."""
    text = json.dumps(brief(db.policy()), indent=2) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    temporary = None
    try:
        fd, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.realpath(path)))
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(temporary, os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644)
        os.replace(temporary, os.path.realpath(path))
    except OSError as e:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise Wrong(f"{path}: {e.strerror}") from None


def load(path):
    """Return: the policy in a file."""
    try:
        with open(0 if path == "-" else path, encoding="utf-8") as f:
            return json.load(f)
    except OSError as e:
        raise Wrong(f"{path}: {e.strerror}") from None
    except ValueError as e:
        raise Wrong(f"{path}: {e}") from None


def command(db, args):
    """Run the command in ARGS. Return: the exit status."""
    first, rest = args.words[0], args.words[1:]
    check = checked(args.vtap)

    def change(make):
        db.change(lambda policy: check(make(policy)), args.timeout)

    match first, rest:
        case "status", []:
            return status(db, args)
        case "vm", ["show"] | ["show", _]:
            vm_show(db, args, *rest[1:])
        case "host", ["del", name]:
            db.delete_host(name, args.timeout)
        case "save", [path]:
            save(db, path)
        case "apply", [path]:
            given = load(path)
            change(lambda _: given)
        case kind, ["add" | "set" as verb, name, *more] if kind in DEFAULTS:
            change(lambda policy: words.put(policy, kind, name, more, verb == "add"))
        case kind, ["del", name] if kind in DEFAULTS:
            change(lambda policy: words.drop(policy, kind, name))
        case kind, [] | ["show"] | ["show", _] if kind in DEFAULTS:
            show(db, args, kind, *rest[1:])
        case _:
            raise Usage(f"\"{' '.join(args.words)}\" is no command")
    return 0


def run(args):
    """Connect if need be, and run the command. Return: the exit status."""
    if args.words[0] == "init":
        if not 2 <= len(args.words) <= 3:
            raise Usage("init: the address of this member, and those of the others")
        others = [other for other in "".join(args.words[2:]).split(",") if other]
        init.init(args.file, args.words[1], others, args.port)
        return 0
    store.use_tls(args.tls)
    db = store.Store(args.db, hosts=args.words[0] in ("status", "vm", "host"))
    if not db.wait(lambda: db.generation() is not None, args.timeout):
        raise Wrong(f"{args.db}: the database does not answer")
    return command(db, args)


def main():
    """Run vtapctl. Return: the exit status."""
    p = argparse.ArgumentParser(prog="vtapctl", usage=USAGE)
    p.add_argument("--db", metavar="REMOTE[,REMOTE...]",
                   default=os.environ.get("VTAP_DB", "unix:/run/vtap/vtap.sock"))
    p.add_argument("--tls", default=store.TLS, metavar="DIRECTORY")
    p.add_argument("--timeout", type=float, default=60, metavar="SECONDS")
    p.add_argument("--wait", action="store_true")
    p.add_argument("-j", "--json", action="store_true")
    p.add_argument("--vtap", default="vtap", metavar="PROGRAM")
    p.add_argument("--file", default="/var/lib/vtap/vtap.db")
    p.add_argument("--port", type=int, default=init.CLIENTS)
    p.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    args = p.parse_args()
    try:
        if not args.words:
            raise Usage("a command is required")
        return run(args)
    except Usage as e:
        print(f"vtapctl: {e}; see vtapctl(8)", file=sys.stderr)
        return 2
    except Wrong as e:
        for line in str(e).splitlines():
            print(f"vtapctl: {line}", file=sys.stderr)
        return 1
