# SPDX-License-Identifier: GPL-2.0
"""The netlink family, driven from its specification by the kernel's own YNL client.

VTAP_YNL names the directory tools/net/ynl of a kernel source tree; in one, it is found.
"""
import copy
import errno
import glob
import itertools
import os
import socket
import struct
import sys

import yaml

from .ns import KERNEL, REPO, NetNS
from .tap import ksft_eq

yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # saves a second under emulation
CACHE = os.environ.get("VTAP_CACHE", "/var/cache/vtap")
YNL = os.environ.get("VTAP_YNL") or max(
    glob.glob(REPO + "/tools/net/ynl") or glob.glob(CACHE + "/src/linux-source-*/tools/net/ynl"),
    default="")
# the package has the name that the kernel's own tests import it by: net.ynl.lib
sys.path.append(os.path.dirname(os.path.dirname(YNL)))
from net.ynl.lib import YnlFamily  # noqa: E402 pylint: disable=wrong-import-position
from net.ynl.lib.ynl import Netlink, NlError, NlMsgs  # noqa: E402,F401


class Ynl(YnlFamily):
    """The kernel's client. That of 6.12 cannot decode attributes of type pad: they are skipped."""

    def _decode(self, attrs, space, outer_attrs=None):
        specs = self.attr_sets[space].attrs_by_val
        return super()._decode([a for a in attrs if a.type not in specs
                                or specs[a.type]["type"] != "pad"], space, outer_attrs)


BASE = Ynl(REPO + "/Documentation/netlink/specs/vtap.yaml", schema="")
CHANGES = set(BASE.attr_sets["change"])  # what a commit can do
V4, V6 = bytes([192, 0, 2, 9]), bytes.fromhex("20010db8000900000000000000000009")
GRE = {"type": "gre", "remote": V4}
SKIP = {"pref": 1, "port": "none*", "action": "skip"}
MIRROR = {"pref": 1, "port": "none*", "action": "mirror"}
INVAL, RANGE, NOENT, EXIST, BUSY = errno.EINVAL, errno.ERANGE, errno.ENOENT, errno.EEXIST, \
    errno.EBUSY
LONG15, LONG31 = "abcdefghijklmno", "abcdefghijklmnopqrstuvwxyz01234"
STRICT = KERNEL >= (6, 1)
provoked = set()


class Client:
    """A YNL client on a socket of its own in namespace NS (None: this thread's). TO: where ask()
    addresses requests to."""
    to = None

    def __init__(self, ns=None):
        self.y = copy.copy(BASE)
        self.y.async_msg_queue = []
        if ns:
            with ns.enter():
                self._open()
        else:
            self._open()

    def _open(self):
        self.y.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, Netlink.NETLINK_GENERIC)
        for option in (Netlink.NETLINK_CAP_ACK, Netlink.NETLINK_EXT_ACK,
                       Netlink.NETLINK_GET_STRICT_CHK):
            self.y.sock.setsockopt(Netlink.SOL_NETLINK, option, 1)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.y.sock.close()

    def do(self, op, **vals):
        """Send a command, or a commit of one change. Return: the reply, the new rule, None for
        other changes; or NlError."""
        vals = {name.replace("_", "-"): value for name, value in vals.items()}
        if op not in CHANGES:
            return self.y.do(op, vals)
        reply = self.y.do("commit", {"change": [{op: vals}]})
        return self.y.do("rule-get", {"id": reply["first-id"]}) if op == "rule-new" else None

    def dump(self, what, **pick):
        """Return: all objects of a kind, or those that the attributes pick."""
        return self.y.dump(what + "-get", pick)

    def encode(self, op, vals, flags=(), raw=b""):
        """Return: a command, or a commit of one change, with RAW bytes behind the attributes
        VALS."""
        if op not in CHANGES:
            return self.y._encode_message(self.y.ops[op], vals, flags, 7) + raw
        request = self.y._encode_message(self.y.ops["commit"], {"change": [{op: vals}]}, flags, 7)
        (commit, outer), (size, inner) = struct.iter_unpack("HH", request[20:28])
        nests = struct.pack("HHHH", commit + len(raw), outer, size + len(raw), inner)
        return request[:20] + nests + request[28:] + raw

    def ask(self, op, vals, raw=b"", flags=(), header=None):
        """Send what encode() makes, HEADER: bytes in place of the generic header. Return: (errno,
        extack). An attribute is named as seen from the change, None for the change itself."""
        change, request = op if op in CHANGES else "", self.encode(op, vals, flags, raw)
        op = self.y.ops["commit" if change else op]
        request = struct.pack("I", len(request)) + request[4:16] + (header or request[16:20]) + \
            request[20:]
        self.y.sock.sendto(request, self.to) if self.to else self.y.sock.send(request)
        while True:
            for msg in NlMsgs(self.y.sock.recv(1 << 17), attr_space=op.attr_set):
                if msg.done:
                    extack = msg.extack or {}
                    if extack and not raw:
                        self.y._decode_extack(request, op, extack)
                    if change and extack.get("bad-attr"):
                        extack["bad-attr"] = extack["bad-attr"].removeprefix(
                            ".change").removeprefix("." + change) or None
                    return -msg.error, extack

    def subscribe(self):
        self.y.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.y.ntf_subscribe("monitor")
        return self

    def events(self):
        """Return: (name without -ntf, attributes) of the events since the last call."""
        self.y.check_ntf()
        seen, self.y.async_msg_queue = self.y.async_msg_queue, []
        return [(e["name"].removesuffix("-ntf"), e["msg"]) for e in seen]

    def names(self):
        return [name for name, _ in self.events()]

    def state(self):
        """Return: all objects that dumps show, without times."""
        return [[fixed(o) for o in self.dump(what)] for what in ("session", "rule", "port")]

    def reset(self):
        self.do("rule-flush")
        self.do("session-flush")


def fixed(obj):
    """Return: OBJ without the attributes that change by themselves."""
    return {name: value for name, value in obj.items() if name != "since"}


def attr(kind, data, nested=False):
    """Return: an encoded attribute of type KIND with DATA."""
    return struct.pack("HH", 4 + len(data),
                       kind | (0x8000 if nested else 0)) + data + bytes(-len(data) % 4)


def attr_number(space, name):
    return BASE.attr_sets[space][name].value


class Bench:
    """A namespace with a client and a listener, and the state that refused() compares with."""

    def __init__(self):
        self.ns = NetNS("nl")
        self.nl, self.listener = Client(self.ns), Client(self.ns).subscribe()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.nl.__exit__()
        self.listener.__exit__()
        self.ns.remove()

    def settle(self):
        """Take the present state as the one that refused() compares with."""
        self.listener.events()
        self.before = self.nl.state()

    def refused(self, name, want, op, vals, raw=b"", **kw):
        """The request is refused for the reason WANT (errno, text, attribute or None), and changes
        nothing."""
        code, extack = self.nl.ask(op, vals, raw, **kw)
        provoked.add(extack.get("msg"))
        ksft_eq((code, extack.get("msg"), extack.get("bad-attr")), want, f"{name} is refused")
        self.unchanged(name)

    def unchanged(self, name):
        """Report whether the state is as before and no event was sent."""
        before, self.before = self.before, self.nl.state()
        seen = self.listener.names()
        changed = [(a, b) for a, b in itertools.zip_longest(sum(before, []), sum(self.before, []))
                   if a != b]
        ksft_eq((changed[:1], seen), ([], []), f"{name}: nothing changed, no event")


def bench(test):
    """Decorate TEST so that it is called with a Bench."""
    def wrapped():
        with Bench() as b:
            test(b)
    wrapped.__name__ = test.__name__
    return wrapped


BPF = struct.pack("HBBI", 6, 0, 0, 65535)

# and their last attributes
OPS = {"session-get": "tap", "rule-get": "tap", "port-get": "tap", "commit": "change",
       "tap-get": "name", "module-get": "pad", "trace-get": "frame"}
