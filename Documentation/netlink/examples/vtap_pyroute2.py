#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tap ports for a collector from Python, with pyroute2 (Debian: python3-pyroute2).

    vtap_pyroute2.py PORT COLLECTOR    until its standard input ends; PORT may be a pattern

The numbers are those of uapi/linux/vtap.h. Attributes that are not listed here are skipped.
"""
import sys

from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, genlmsg, nla
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.generic import GenericNetlinkSocket

NESTED = 0x8000
SESSION_GET, COMMIT = 1, 13
GRE, MIRROR = 0, 0
TAP = "python"  # its own: rules and sessions of others are left alone


class Stats(nla):
    """Counters of a session."""
    nla_map = ((1, "matched", "uint64"), (2, "sent", "uint64"))


class Session(genlmsg):
    """A session, as session-get answers."""
    nla_map = ((1, "name", "asciiz"), (2, "type", "uint32"), (3, "remote", "ipaddr"),
               (19, "state", "uint32"), (22, "stats", "stats"), (30, "tap", "asciiz"))
    stats = Stats


class Change(nla):
    """One of the changes of a commit."""
    nla_map = ((1, "session-new", "session", NESTED), (4, "session-flush", "session", NESTED),
               (5, "rule-new", "rule", NESTED), (8, "rule-flush", "rule", NESTED))

    class session(nla):  # pylint: disable=invalid-name
        """Attributes of a session."""
        nla_map = Session.nla_map
        stats = Stats

    class rule(nla):  # pylint: disable=invalid-name
        """Attributes of a rule."""
        nla_map = ((2, "pref", "uint32"), (3, "port", "asciiz"), (7, "action", "uint32"),
                   (8, "session", "asciiz"), (19, "tap", "asciiz"))


class Commit(genlmsg):
    """The command that changes anything, and its answer."""
    nla_map = ((1, "change", "change", NESTED), (2, "rules", "uint32"), (3, "first-id", "uint64"))
    change = Change


class Vtap(GenericNetlinkSocket):
    """A socket of the family."""

    def __init__(self):
        super().__init__(ext_ack=True)  # why a request is refused
        self.bind("vtap", Session)

    def ask(self, kind, command, flags, attrs=()):
        """Return: the messages, of class KIND, that answer COMMAND."""
        self.marshal.msg_map[self.prid] = kind
        msg = kind()
        msg["cmd"], msg["version"], msg["attrs"] = command, 1, list(attrs)
        return self.nlm_request(msg, self.prid, NLM_F_REQUEST | flags)

    def commit(self, *changes):
        """Make CHANGES, pairs of a name and attributes: all of them, or none if one is refused."""
        attrs = [("change", {"attrs": [(name, {"attrs": list(values.items())})]})
                 for name, values in changes]
        return self.ask(Commit, COMMIT, NLM_F_ACK, attrs)

    def sessions(self):
        """Return: all sessions."""
        return self.ask(Session, SESSION_GET, NLM_F_DUMP)


def main(port, collector):
    """Tap PORT for COLLECTOR until standard input ends."""
    with Vtap() as vtap:
        reply = vtap.commit(
            ("session-new", {"name": "ids", "type": GRE, "remote": collector, "tap": TAP}),
            ("rule-new", {"pref": 10, "port": port, "action": MIRROR, "session": "ids",
                          "tap": TAP}))
        print("rule", reply[0].get_attr("first-id"), flush=True)
        sys.stdin.read()
        for session in vtap.sessions():
            if session.get_attr("tap") == TAP:
                stats = session.get_attr("stats")
                print("sent", stats.get_attr("sent"), "of", stats.get_attr("matched"))
        vtap.commit(("rule-flush", {"tap": TAP}), ("session-flush", {"tap": TAP}))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except NetlinkError as e:
        sys.exit(f"vtap: {e.args[1]}")
