# SPDX-License-Identifier: GPL-2.0
"""The devices that can own a port: bridges, Open vSwitch, bonds, teams and devices on top of it."""
from .ns import modprobe
from .tap import busywait, ksft_skip
from .topo import CHAIN, INSIDE, P0

BOND_UP = 60  # seconds that LACP may take


class Kind:
    """A device that can own a port. `inside`: the device behind it; `hook`: what vtap has to use;
    `gap`: the master gives its handler away before it says so, and frames that come until then are
    nobody's; `upper`: a device on top of p0."""
    name, hook, inside, mac, vlan, modules, gap = "veth", "packet", "p0", P0, None, ("veth",), False
    module, upper = None, False

    def up(self, r):
        """Create the master."""

    def attach(self, r):
        """Make p0 its port."""

    def ready(self, r):
        """Wait until it forwards."""

    def release(self, r):
        """Release p0."""

    def down(self, r):
        """Delete the master while p0 is still its port."""


class Linked(Kind):
    """A master for `ip link set master`."""
    inside, mac, words = "m0", INSIDE, ""

    def up(self, r):
        r.host.ip(f"link add m0 address {INSIDE} type {self.words}", "link set m0 addrgenmode none",
                  "link set m0 up")

    def attach(self, r):
        if self.module == "bonding":
            r.host.ip("link set p0 down")
        r.host.ip("link set p0 master m0", "link set p0 up")

    def ready(self, r):
        if self.module != "team" and not busywait(lambda: r.host.running("m0"), BOND_UP):
            raise RuntimeError(f"{self.name} does not come up")

    def release(self, r):
        r.host.ip("link set p0 nomaster", "link set p0 up")

    def down(self, r):
        r.host.ip("link del m0", "link set p0 up")


class Bridge(Linked):
    name = module = "bridge"
    words = "bridge forward_delay 0 mcast_snooping 0"


class Bond(Linked):
    name, module, hook = "bond active-backup", "bonding", CHAIN
    words = "bond mode active-backup miimon 10"


class Lacp(Bond):
    name, words = "bond 802.3ad", "bond mode 802.3ad miimon 10 lacp_rate fast"


class Team(Linked):
    """Without a mode, which is a module of its own, a team passes on what it receives and sends
    nothing."""
    name, module, hook = "team", "team", CHAIN
    words = "team"

    def attach(self, r):
        r.host.ip("link set p0 down", "link set p0 master m0", "link set p0 up")


class Macvlan(Kind):
    name, module, hook, inside, mac = "macvlan", "macvlan", CHAIN, "m0", INSIDE
    upper = True
    words = "macvlan mode bridge"

    def attach(self, r):
        r.host.ip(f"link add m0 link p0 {'address ' + INSIDE if self.mac == INSIDE else ''} type "
                  f"{self.words}", "link set m0 addrgenmode none", "link set m0 up")

    def release(self, r):
        r.host.ip("link del m0")

    down = release


class Ipvlan(Macvlan):
    name, module, hook, mac = "ipvlan", "ipvlan", "packet", P0
    words = "ipvlan mode l2"

    def attach(self, r):
        super().attach(r)
        r.host.ip("address add 10.9.0.2/32 dev m0")


class Vlan(Macvlan):
    name, module, hook, mac, vlan = "VLAN device", "8021q", "packet", P0, 7
    words = "vlan id 7"


class Ovs(Kind):
    """The Open vSwitch datapath with two flows, without its daemons."""
    name, module, hook, inside, mac, gap = "Open vSwitch", "openvswitch", CHAIN, "m0", INSIDE, True

    def dp(self, r, *words):
        r.host.sh(["ovs-dpctl", *words])

    def up(self, r):
        self.dp(r, "add-dp", "m0")
        for src, dst in ((0, 1), (1, 0)):  # which name the port by number, there or not
            self.dp(r, "add-flow", "m0", f"in_port({src}),eth(),eth_type(0x0800),ipv4(frag=no)",
                    str(dst))
        r.host.ip(f"link set m0 address {INSIDE} addrgenmode none", "link set m0 up")

    def attach(self, r):
        self.dp(r, "add-if", "m0", "p0,port_no=1")

    def release(self, r):
        self.dp(r, "del-if", "m0", "p0")

    def down(self, r):
        self.dp(r, "del-dp", "m0")


KINDS = (Kind, Bridge, Ovs, Bond, Lacp, Team, Macvlan, Ipvlan, Vlan)


def kinds():
    """Return: one of each that this kernel has; the debug kernel in User-Mode Linux has no
    ipvlan."""
    there = []
    for kind in KINDS:
        with open("/proc/kallsyms", encoding="ascii") as f:
            builtin = {"ipvlan": "ipvlan_link_new"}.get(kind.module, "")
            if modprobe(*([kind.module] if kind.module else [])) or not builtin \
                    or f" {builtin}" in f.read():
                there.append(kind())
            else:
                ksft_skip("not in this kernel", kind.name)
    return there
