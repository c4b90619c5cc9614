# SPDX-License-Identifier: GPL-2.0
"""vtapctl init: the database of a member, with the rights of hosts in it from the beginning."""
import ipaddress
import json
import os
import subprocess
import tempfile

from .policy import Wrong
from .store import schema

CLIENTS, MEMBERS = 6642, 6644
# what a host may write: its own row, and nothing else
HOST_COLUMNS = ["generation", "applied", "port", "tap", "error"]
ROLE = "host"


def rows(port):
    """Return: the first transaction. Hosts connect to PORT; their certificates name their row."""
    return ["vtap",
            {"op": "insert", "table": "RBAC_Permission", "uuid-name": "host", "row": {
                "table": "Host", "authorization": "name", "insert_delete": True,
                "update": ["set", HOST_COLUMNS]}},
            {"op": "insert", "table": "RBAC_Role", "row": {
                "name": ROLE, "permissions": ["map", [["Host", ["named-uuid", "host"]]]]}},
            {"op": "insert", "table": "Connection", "uuid-name": "hosts", "row": {
                "target": f"pssl:{port}:[::]", "role": ROLE}},
            {"op": "insert", "table": "Policy", "row": {
                "generation": 0, "connections": ["named-uuid", "hosts"]}}]


def member(text):
    """Return: the address of a member with its port, as the members connect to each other."""
    try:
        address = ipaddress.ip_address(text)
        return f"ssl:[{address}]:{MEMBERS}" if address.version == 6 else f"ssl:{address}:{MEMBERS}"
    except ValueError:
        if text.count(":") >= 2 and text.split(":")[0] in ("ssl", "tcp"):
            return text
        raise Wrong(f"\"{text}\" is not an address") from None


def _run(*words):
    p = subprocess.run(words, text=True, capture_output=True, check=False)
    if p.returncode:
        raise Wrong(p.stderr.strip() or f"{words[0]}: exit status {p.returncode}")


def init(path, local, others, port=CLIENTS):
    """Make the file PATH of the member LOCAL: the first one of a cluster, or one that joins
    OTHERS."""
    if os.path.exists(path):
        raise Wrong(f"{path} exists")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    try:
        if others:
            _run("ovsdb-tool", "join-cluster", path, "vtap", member(local),
                 *[member(other) for other in others])
            return
        with tempfile.TemporaryDirectory() as d:
            _run("ovsdb-tool", "create", f"{d}/first.db", schema())
            _run("ovsdb-tool", "transact", f"{d}/first.db", json.dumps(rows(port)))
            _run("ovsdb-tool", "create-cluster", path, f"{d}/first.db", member(local))
    except OSError as e:
        raise Wrong(f"{e.filename}: {e.strerror}") from None
