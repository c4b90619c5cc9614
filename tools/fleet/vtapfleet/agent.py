# SPDX-License-Identifier: GPL-2.0
"""vtapd: makes the tap of the fleet on this host what the policy asks of the VMs that are here.

What it knows - the last policy, and the last answer of each source of VMs - is one file. The text
that is applied follows from it alone, so that it may be killed at any instant.
"""
import argparse
import contextlib
import dataclasses
import json
import os
import random
import socket
import sys
import tempfile
import time

import ovs.poller
from ovs.db.idl import Transaction

from . import store, tool
from .domains import Domains
from .policy import DEFAULTS
from .text import Nic, compose
from .vswitch import Vswitch

AGAIN = 60      # seconds until a text is applied once more: somebody may have changed the tap


def notify(**words):
    """Tell systemd, if it has started this program."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect("\0" + path[1:] if path[0] == "@" else path)
            s.send("\n".join(f"{k}={v}" for k, v in words.items()).encode())


def log(*lines):
    """Print LINES for the journal."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


class Kept:
    """What is known, and the file that keeps it: generation and policy, None if there has never
    been one, and the network cards by source."""

    def __init__(self, path):
        self.path, self.generation, self.policy, self.nics = path, None, None, {}
        self.problem = None
        try:
            with open(path, encoding="utf-8") as f:
                self._load(json.load(f))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as e:
            log(f"{path}: {e}")

    def _load(self, known):
        nics = {source: [Nic(**dict(n, network=tuple(n["network"]),
                                    tag=tuple(map(tuple, n["tag"])))) for n in found]
                for source, found in known["nics"].items()}
        # a word that the version which wrote the file did not know is as if nobody gave it
        policy = known["policy"] and {kind: {name: {**DEFAULTS[kind], **row} for name, row in
                                             rows.items()}
                                      for kind, rows in known["policy"].items()}
        self.generation, self.policy, self.nics = known["generation"], policy, nics

    def save(self):
        """Write the file, as a whole or not at all."""
        known = {"generation": self.generation, "policy": self.policy,
                 "nics": {source: [dataclasses.asdict(nic) for nic in found]
                          for source, found in self.nics.items()}}
        directory = os.path.dirname(self.path)
        temporary = None
        try:
            os.makedirs(directory, exist_ok=True)
            fd, temporary = tempfile.mkstemp(prefix=".fleet-", dir=directory)
            with os.fdopen(fd, "w", encoding="utf-8") as f:
                json.dump(known, f)
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, self.path)
            self.problem = None
        except OSError as e:
            self.problem = f"{self.path}: {e.strerror}"
            with contextlib.suppress(OSError, TypeError):
                os.unlink(temporary)

    def all_nics(self):
        """Return: the network cards of all sources; of one port that two of them know, one."""
        ports = {}
        for source in sorted(self.nics):
            for nic in self.nics[source]:
                key = nic.port if nic.active else (nic.port, nic.mac)
                ports[key] = _merged(ports[key], nic) if key in ports else nic
        return sorted(ports.values())


def _merged(a, b):
    """Return: what two sources know of the same port; the first one is right about the VM."""
    return Nic(a.port, a.mac or b.mac, a.vm or b.vm, a.uuid or b.uuid,
               tuple(sorted({*a.network, *b.network})), tuple(sorted({**dict(b.tag),
                                                                      **dict(a.tag)}.items())))


class Agent:
    """The whole of it: two inputs, a text, and the row of the host."""

    def __init__(self, args):
        self.args = args
        self.kept = Kept(args.state)
        self.store = store.Store(args.db)
        self.sources = []
        if args.libvirt:
            try:
                self.sources.append(Domains(args.libvirt))
            except ImportError:
                log("no libvirt: python3-libvirt is not installed")
        if args.ovs:
            self.sources.append(Vswitch(args.ovs))
        self.seen = None                            # what of the database was read last
        self.text, self.tried, self.done = None, None, False
        self.applied_at = 0                         # wall clock of the last change that was made
        self.said, self.again, self.delay = [], 0, 1
        self.row, self.written, self.writing, self.write, self.due = None, None, None, None, 0

    def learn(self):
        """Take what is new. Return: whether anything is."""
        kept = self.kept
        before = kept.generation, kept.policy, dict(kept.nics)
        self.store.idl.run()
        seen = self.store.idl.change_seqno
        if seen != self.seen and self.store.idl.has_ever_connected() and \
                self.store.generation() is not None:
            self.seen = seen
            kept.generation, kept.policy = self.store.generation(), self.store.policy()
        for source in self.sources:
            nics = source.run()
            if nics is not None:
                kept.nics[source.name] = sorted(nics)
        return before != (kept.generation, kept.policy, kept.nics)

    def act(self, new):
        """Apply the text when it is another, was refused, or some time has passed."""
        late = time.monotonic() >= self.again
        if new or self.kept.problem and late:
            self.kept.save()
        if self.kept.policy is None:
            return
        if new or not self.text:
            self.text = compose(self.kept.policy, self.kept.all_nics())
        changed = str(self.text) != self.tried
        if changed or late:
            self.tried = str(self.text)
            self.done, said = tool.apply(self.text, self.args.vtap)
            if said != self.said:
                log(*said)
            self.said = said
            if changed and self.done:
                self.applied_at = int(time.time())
            self.delay = 1 if changed else min(AGAIN, self.delay * 2)
            self.again = time.monotonic() + (AGAIN if self.done else self.delay)
        self.row = self._row()

    def _row(self):
        """Return: what this host says of itself; after a refusal, the generation and the taps are
        those of the text that is in force."""
        old = self.row or {"generation": -1, "tap": {}}
        taps = {}
        for tap, ports in self.text.ports.items():
            for port in ports:
                taps.setdefault(port, []).append(tap)
        ports = {nic.port: json.dumps({"vm": nic.vm, "uuid": nic.uuid, "mac": nic.mac,
                                       "network": nic.network,
                                       "tap": sorted(taps.get(nic.port, []))})
                 for nic in self.kept.all_nics() if nic.active}
        problems = [s.problem for s in self.sources if s.problem and s.name in self.kept.nics]
        problems += [self.kept.problem] if self.kept.problem else []
        new = {"generation": self.kept.generation,
               "tap": {tap: len(found) for tap, found in self.text.ports.items()}}
        return {"generation": old["generation"], "tap": old["tap"],
                **(new if self.done else {}), "applied": self.applied_at, "port": ports,
                "error": sorted({*self.text.errors, *self.said, *problems})}

    def tell(self):
        """Write the row when it is another, not too often, and by no two hosts at once."""
        if self.write and self.write.commit() != Transaction.INCOMPLETE:
            if self.write.commit() == Transaction.SUCCESS:
                self.written = self.writing
            elif self.write.commit() == Transaction.ERROR:
                log(f"row of host {self.args.name}: {self.write.get_error()}")
            self.write = None
            # a refusal, as of a wrong name, is not asked for again at once
            late = 1 if self.written == self.writing else 10
            self.due = time.monotonic() + self.args.interval * late * random.uniform(1, 1.5)
        connected = self.store.idl.state == self.store.idl.IDL_S_MONITORING
        if self.row and not self.write and connected and time.monotonic() >= self.due and \
                self.row != self.written:
            self.writing = self.row
            self.write = self.store.write_host(self.args.name, self.row)

    def wait(self):
        """Sleep until there is something to do."""
        poller = ovs.poller.Poller()
        self.store.idl.wait(poller)
        for source in self.sources:
            source.wait(poller)
        now, times = time.monotonic(), []
        times += [self.again] if self.kept.policy is not None else []
        times += [self.due] if self.row != self.written and not self.write else []
        times += [now + 10]     # the watchdog's
        poller.timer_wait(max(0, int((min(times) - now) * 1000) + 1))
        poller.block()

    def run(self):
        """Work until killed."""
        ready = {"READY": 1}    # with the kept policy: what starts afterwards may start VMs
        while True:
            self.act(self.learn())
            self.tell()
            status = f"generation {self.kept.generation}, {len(self.kept.all_nics())} ports"
            notify(WATCHDOG=1, STATUS=status, **ready)
            ready = {}
            self.wait()


def main():
    """Run vtapd."""
    p = argparse.ArgumentParser(prog="vtapd", description="Agent of a host: see vtapd(8).")
    p.add_argument("--db", default="unix:/run/vtap/vtap.sock", metavar="REMOTE[,REMOTE...]")
    p.add_argument("--tls", default=store.TLS, metavar="DIRECTORY")
    p.add_argument("--name", default=socket.gethostname())
    p.add_argument("--libvirt", default="qemu:///system", metavar="URI")
    p.add_argument("--ovs", default="unix:/run/openvswitch/db.sock", metavar="REMOTE")
    p.add_argument("--interval", type=float, default=5, metavar="SECONDS")
    p.add_argument("--state", default="/var/lib/vtap/fleet.json", metavar="FILE")
    p.add_argument("--vtap", default="vtap", metavar="PROGRAM")
    args = p.parse_args()
    store.use_tls(args.tls)
    with contextlib.suppress(KeyboardInterrupt):
        Agent(args).run()
