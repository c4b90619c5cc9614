# SPDX-License-Identifier: GPL-2.0
"""The VMs of libvirt: which devices their network cards are, and the tags in their metadata."""
import contextlib
import os
import select
import threading
import time
import xml.etree.ElementTree as ET

from .text import Nic

TAGS = "urn:vtap:tags"
# libvirt's own names, for the VM that does not run yet: it is tapped from its first frame
PATTERNS = {"direct": "macvtap*"}


def nics_of(xml, active):
    """Return: the network cards of a domain from its XML."""
    domain = ET.fromstring(xml)
    tags = {}
    for e in domain.iterfind("metadata/*"):
        if e.tag.startswith(f"{{{TAGS}}}"):
            tags.update(e.attrib)
    nics = []
    for e in domain.iterfind("devices/interface"):
        def of(path, name, e=e):
            found = e.find(path)
            return found.get(name) if found is not None else None

        port = of("target", "dev")
        if not port and not active and e.get("type") != "hostdev":
            port = PATTERNS.get(e.get("type"), "vnet*")
        mac = of("mac", "address")
        if not port or not mac:
            continue
        network = {of("source", key) for key in ("network", "bridge", "dev")} - {None}
        nics.append(Nic(port, mac.lower(), domain.findtext("name", ""),
                        domain.findtext("uuid", ""), tuple(sorted(network)),
                        tuple(sorted(tags.items())), active))
    return nics


class Domains:
    """Follows libvirt at URI. Nothing is kept: after each event all domains are read anew."""
    name = "libvirt"

    def __init__(self, uri):
        import libvirt  # pylint: disable=import-outside-toplevel
        self.libvirt, self.uri, self.conn = libvirt, uri, None
        self.problem, self.retry, self.delay = None, 0, 1
        self.pipe = os.pipe()
        for fd in self.pipe:
            os.set_blocking(fd, False)
        libvirt.registerErrorHandler(lambda *args: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=self._events, daemon=True).start()

    def _events(self):
        try:
            while True:
                self.libvirt.virEventRunDefaultImpl()
        finally:    # without events nothing would be noticed: start anew
            os._exit(1)

    def _wake(self, *_):
        with contextlib.suppress(BlockingIOError):
            os.write(self.pipe[1], b"x")

    def _connect(self):
        lv = self.libvirt
        conn = lv.openReadOnly(self.uri)
        conn.registerCloseCallback(self._wake, None)
        for event in (lv.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lv.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                      lv.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                      lv.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE):
            conn.domainEventRegisterAny(None, event, self._wake, None)
        with contextlib.suppress(lv.libvirtError):  # drivers in this process have none
            conn.setKeepAlive(5, 3)
        self.conn, self.delay = conn, 1
        self._wake()

    def run(self):
        """Return: the network cards, or None when there is nothing new."""
        try:
            if not self.conn:
                if time.monotonic() < self.retry:
                    return None
                self._connect()
            if not self._woken():
                return None
            nics = []
            for domain in self.conn.listAllDomains():
                with contextlib.suppress(self.libvirt.libvirtError):
                    nics += nics_of(domain.XMLDesc(), bool(domain.isActive()))
            if not self.conn.isAlive():
                raise self.libvirt.libvirtError("the connection has ended")
            self.problem = None
            return nics
        except self.libvirt.libvirtError as e:
            self.problem = f"libvirt: {e}"
            with contextlib.suppress(self.libvirt.libvirtError):
                if self.conn:
                    self.conn.close()
            self.conn = None
            self.retry, self.delay = time.monotonic() + self.delay, min(30, self.delay * 2)
            return None

    def _woken(self):
        try:
            return os.read(self.pipe[0], 65536)
        except BlockingIOError:
            return b""

    def wait(self, poller):
        """Let POLLER wake up when run() has something to do."""
        poller.fd_wait(self.pipe[0], select.POLLIN)
        if not self.conn:
            poller.timer_wait(max(0, int((self.retry - time.monotonic()) * 1000)))
