# SPDX-License-Identifier: GPL-2.0
"""A policy as plain objects: what the database has, what is kept on disk, and what a file says.

{"collector": {NAME: {...}}, "network": {NAME: {...}}, "tap": {NAME: {...}}}; the keys are the
columns of the schema and the words of vtapctl.
"""
import ipaddress
import re
import shlex

TYPES = ("gre", "erspan1", "erspan2", "erspan3", "vxlan", "port")
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
SELECTORS = ("vm", "mac", "network", "tag")
# what a word is when nobody gives it; its type is that of the value
DEFAULTS = {
    "collector": {"type": "", "remote": "", "options": {}},
    "network": {"bridge": []},
    "tap": {"enabled": True, "pref": 100, "vm": [], "mac": [], "network": [], "tag": {},
            "dir": "both", "match": "", "collector": []},
}


class Wrong(Exception):
    """The policy, or a word for it, is refused; the message is for the user."""


def empty():
    """Return: a policy without anything."""
    return {kind: {} for kind in DEFAULTS}


def _typed(where, value, default):
    """Refuse VALUE unless it has the type of DEFAULT."""
    names = {bool: "true or false", int: "a number", str: "a text", list: "a list of texts",
             dict: "an object of texts"}
    kind = type(default)
    parts = value if isinstance(value, list) else \
        [*value, *value.values()] if isinstance(value, dict) else []
    if type(value) is not kind or not all(isinstance(part, str) for part in parts):
        raise Wrong(f"{where}: not {names[kind]}")
    for text in parts if parts else [value]:
        if isinstance(text, str) and not text.isprintable():
            raise Wrong(f"{where}: {text!r} has characters that cannot be printed")


def _collector(where, row):
    if row["type"] not in TYPES:
        raise Wrong(f"{where}: type: one of {', '.join(TYPES)}, not \"{row['type']}\"")
    try:
        if row["remote"]:
            ipaddress.ip_address(row["remote"])
        elif row["type"] != "port":
            raise Wrong(f"{where}: remote is required")
    except ValueError:
        raise Wrong(f"{where}: remote: \"{row['remote']}\" is not an address") from None


def _network(where, row):
    if not row["bridge"] or "" in row["bridge"]:
        raise Wrong(f"{where}: bridge is required")


def _tap(where, row, policy):
    row["mac"] = sorted(mac.lower() for mac in row["mac"])
    for mac in row["mac"]:
        if not MAC.fullmatch(mac):
            raise Wrong(f"{where}: mac: \"{mac}\" is not an address")
    if not 0 <= row["pref"] <= 0xffffffff:
        raise Wrong(f"{where}: pref: {row['pref']} is not in 0 to 4294967295")
    if row["dir"] not in ("both", "ingress", "egress"):
        raise Wrong(f"{where}: dir: one of both, ingress, egress, not \"{row['dir']}\"")
    if not any(row[selector] for selector in SELECTORS):
        raise Wrong(f"{where}: picks no VM: one of {', '.join(SELECTORS)} is required; "
                    "vm '*' is all of them")
    try:
        shlex.split(row["match"])
    except ValueError as e:
        raise Wrong(f"{where}: match: {e}") from None
    if len(row["collector"]) > 8:
        raise Wrong(f"{where}: collector: {len(row['collector'])} are given, at most 8")
    for kind in ("network", "collector"):
        for name in row[kind]:
            if name not in policy[kind]:
                raise Wrong(f"{where}: there is no {kind} \"{name}\"")


def complete(given):
    """Check GIVEN, a policy in which defaults may be left out.

    Return: it in full, lists in order. Whether the words of vtap are right is not known here.
    """
    policy = empty()
    _typed_objects("policy", given, DEFAULTS)
    for kind, defaults in DEFAULTS.items():
        rows = given.get(kind, {})
        _typed_objects(kind, rows, None)
        for name, row in rows.items():
            where = f"{kind} {name}"
            if not re.fullmatch(r"[A-Za-z0-9_.:@-]{1,31}", name):
                raise Wrong(f"{where}: a name has 1 to 31 letters, digits and characters _.:@-")
            _typed_objects(where, row, defaults)
            full = {word: row.get(word, default) for word, default in defaults.items()}
            for word, value in full.items():
                _typed(f"{where}: {word}", value, defaults[word])
                full[word] = sorted(set(value)) if isinstance(value, list) else \
                    dict(sorted(value.items())) if isinstance(value, dict) else value
            policy[kind][name] = full
    for name, row in policy["collector"].items():
        _collector(f"collector {name}", row)
    for name, row in policy["network"].items():
        _network(f"network {name}", row)
    for name, row in policy["tap"].items():
        _tap(f"tap {name}", row, policy)
    return policy


def _typed_objects(where, value, known):
    """Refuse VALUE unless it is an object, with keys of KNOWN."""
    if not isinstance(value, dict):
        raise Wrong(f"{where}: not an object")
    for key in value:
        if known is not None and key not in known:
            raise Wrong(f"{where}: \"{key}\" is unknown; there are {', '.join(known)}")


def brief(policy):
    """Return: POLICY without defaults, as a file has it."""
    return {kind: {name: {word: value for word, value in row.items()
                          if value != DEFAULTS[kind][word]}
                   for name, row in sorted(rows.items())}
            for kind, rows in policy.items()}
