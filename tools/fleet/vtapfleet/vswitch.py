# SPDX-License-Identifier: GPL-2.0
"""The VMs of Open vSwitch: interfaces that somebody, as Nova or libvirt, has given to one."""
import ovs.db.idl

from .policy import MAC
from .text import Nic

SET = {"min": 0, "max": "unlimited"}
# no more than what is asked for, so that any version's database will do
SCHEMA = {"name": "Open_vSwitch", "version": "1.0.0", "tables": {
    "Bridge": {"isRoot": True, "columns": {
        "name": {"type": "string"},
        "ports": {"type": {"key": {"type": "uuid", "refTable": "Port"}, **SET}}}},
    "Port": {"columns": {
        "interfaces": {"type": {"key": {"type": "uuid", "refTable": "Interface"}, **SET}}}},
    "Interface": {"columns": {
        "name": {"type": "string"},
        "external_ids": {"type": {"key": "string", "value": "string", **SET}}}}}}


def nic_of(name, ids, bridge):
    """Return: the network card behind an interface, None if its external ids name no VM."""
    if not ids.get("iface-id") and not ids.get("vm-uuid"):
        return None
    mac = ids.get("attached-mac", "").lower()
    return Nic(name, mac if MAC.fullmatch(mac) else "", uuid=ids.get("vm-uuid", ""),
               network=(bridge,), tag=tuple(sorted(ids.items())))


class Vswitch:
    """Follows the database at REMOTE."""
    name, problem = "openvswitch", None

    def __init__(self, remote):
        helper = ovs.db.idl.SchemaHelper(schema_json=SCHEMA)
        helper.register_all()
        self.idl = ovs.db.idl.Idl(remote, helper, leader_only=False)

    def run(self):
        """Return: the network cards, or None when there is nothing new."""
        before = self.idl.change_seqno
        self.idl.run()
        if self.idl.change_seqno == before or not self.idl.has_ever_connected():
            return None
        nics = [nic_of(interface.name, interface.external_ids, bridge.name)
                for bridge in self.idl.tables["Bridge"].rows.values()
                for port in bridge.ports for interface in port.interfaces]
        return [nic for nic in nics if nic]

    def wait(self, poller):
        """Let POLLER wake up when run() has something to do."""
        self.idl.wait(poller)
