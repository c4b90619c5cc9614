# SPDX-License-Identifier: GPL-2.0
"""Hosts, VMs and collectors in network namespaces."""
import contextlib
import json
import os

from .capture import Sniffer
from .frames import is_numbered, tcp_frame, udp_frame
from .ns import NetNS, ip, sh, vtap, vtap_json
from .tap import busywait


class Topology:
    """Two VMs on a bridge, and a collector.

          a: eth0 10.0.0.1, 2001:db8::1          b: eth0 10.0.0.2, 2001:db8::2
                 |                                     |
        +------ vnet0 -------------- br0 ----------- vnet1 ------+
        | host                                                   |
        +------ up0 192.0.2.1, 2001:db8:9::1 --------------------+
                 |
          col: eth0 192.0.2.9, 2001:db8:9::9

    No frame goes by itself: neighbours are permanent entries (unless NEIGH is False) and IPv6
    configures nothing.
    """
    MAC = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b", "up0": "02:00:00:00:00:01",
           "col": "02:00:00:00:00:09"}
    IP4 = {"a": "10.0.0.1", "b": "10.0.0.2", "up0": "192.0.2.1", "col": "192.0.2.9"}
    IP6 = {"a": "2001:db8::1", "b": "2001:db8::2", "up0": "2001:db8:9::1", "col": "2001:db8:9::9"}

    def __init__(self, mtu=1500, up_mtu=None, neigh=True):
        self.all = self.host, self.a, self.b, self.col = NetNS.many("host", "a", "b", "col")
        try:
            self._build(mtu, up_mtu or mtu, neigh)
        except BaseException:
            self.__exit__()
            raise

    def _build(self, mtu, up_mtu, neigh):
        with open("/proc/sys/net/ipv6/mld_qrv", "w", encoding="ascii") as f:
            # multicast listeners report themselves once, when the device comes up; of all
            # namespaces
            f.write("1")
        h = self.host.name
        pairs = (("vnet0", self.a, "a", mtu), ("vnet1", self.b, "b", mtu),
                 ("up0", self.col, "col", up_mtu))
        near = [f"address {self.MAC['up0']}" if dev == "up0" else "" for dev, *_ in pairs]
        # an index that is not the peer's makes the kernel take up a new carrier at once, not up to
        # a second later
        ip(*[f"link add {dev} index {i} netns {h} mtu {m} {adr} type veth peer name eth0 netns "
             f"{ns.name} mtu {m} address " f"{self.MAC[key]}"
             for i, ((dev, ns, key, m), adr) in enumerate(zip(pairs, near), 101)])
        for ns, key, peer in ((self.a, "a", "b"), (self.b, "b", "a"), (self.col, "col", "up0")):
            ns.ip("link set lo up", *self._addresses("eth0", key, peer, neigh))
        self.host.ip("link set lo up", "link add br0 type bridge forward_delay 0 mcast_snooping 0",
                     *[f"link set {d} addrgenmode none\nlink set {d} up"
                       for d in ("br0", "vnet0", "vnet1")], f"link set br0 mtu {mtu}",
                     "link set vnet0 master br0", "link set vnet1 master br0",
                     *self._addresses("up0", "up0", "col", neigh))
        ends = [(self.host, "vnet0", "vnet1", "up0"), (self.a, "eth0"), (self.b, "eth0"),
                (self.col, "eth0")]
        if not busywait(lambda: all(ns.running(*devs) for ns, *devs in ends)
                        and self._forwarding()):
            raise RuntimeError("the links do not come up")

    def _forwarding(self):
        ports = json.loads(sh(["bridge", "-n", self.host.name, "-j", "link"]).stdout)
        return [p["state"] for p in ports] == ["forwarding"] * 2

    def _addresses(self, dev, key, peer, neigh):
        yield f"link set {dev} addrgenmode none\nlink set {dev} up"
        yield f"address add {self.IP4[key]}/24 dev {dev}"
        yield f"address add {self.IP6[key]}/64 dev {dev} nodad"
        if neigh:
            for address in (self.IP4[peer], self.IP6[peer]):
                yield f"neigh add {address} lladdr {self.MAC[peer]} dev {dev} nud permanent"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        NetNS.remove_all(self.all)

    def _between(self, make, src, dst, version, kw):
        ips = self.IP6 if version == 6 else self.IP4
        return make(self.MAC[dst], self.MAC[src], ips[src], ips[dst], **kw)

    def udp_gso(self):
        """Return: whether this kernel's veth devices take super-frames of UDP."""
        return "tx-udp-segmentation: off [fixed]" not in self.a.sh("ethtool -k eth0").stdout

    def udp(self, src="a", dst="b", version=4, **kw):
        """Return: a UDP frame between two of its hosts."""
        return self._between(udp_frame, src, dst, version, kw)

    def tcp(self, src="a", dst="b", version=4, **kw):
        """Return: a TCP frame between two of its hosts."""
        return self._between(tcp_frame, src, dst, version, kw)


A, P0, INSIDE = "02:00:00:00:00:0a", "02:00:00:00:00:10", "02:00:00:00:00:11"
PARAM = "/sys/module/vtap/parameters/rx_chain"
# what a port of Open vSwitch, bond, team or macvlan has; the module may be built without the chain,
# and then has no PARAM
CHAIN = "chain" if os.path.exists(PARAM) else "packet"
SESSION = "session add s type gre remote 192.0.2.9 key 7"


class Rig:
    """A port p0 with its peer eth0 in namespace a, and a collector; a masters.Kind decides
    what owns p0.

        a: eth0 --- p0 :host: up0 --- eth0 :col
    """

    def __init__(self):
        self.all = self.host, self.a, self.b, self.col = NetNS.many("host", "a", "b", "col")

    def __enter__(self):
        h = self.host.name
        self.add_port()
        self.host.ip("link set lo up", "link add up0 index 102 address 02:00:00:00:00:01 type veth "
                     "peer name eth0 netns " f"{self.col.name}", "link set up0 addrgenmode none",
                     "link set up0 up", "address add 192.0.2.1/24 dev up0",
                     "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev up0 nud permanent")
        self.col.ip("link set eth0 address 02:00:00:00:00:09 addrgenmode none", "link set eth0 up")
        if not busywait(lambda: self.host.running("up0", "p0") and self.col.running("eth0")):
            raise RuntimeError(f"the links of {h} do not come up")
        vtap(SESSION, self.host)
        return self

    def __exit__(self, *exc):
        NetNS.remove_all(self.all)

    def add_port(self):
        """Create p0 and its peer."""
        self.host.ip(f"link add p0 index 101 address {P0} type veth peer name eth0 netns "
                     f"{self.a.name}", "link set p0 addrgenmode none", "link set p0 up")
        self.a.ip(f"link set eth0 address {A} addrgenmode none", "link set eth0 up")

    def tap(self, words="port p0"):
        """Mirror all traffic of the port."""
        vtap(f"rule add pref 10 {words} dir both action mirror s", self.host)

    def untap(self):
        vtap("rule flush", self.host)

    def ports(self, *names):
        """Return: the entries of `vtap port show` for the ports NAMES; {} for a device that is no
        port."""
        shown = {p["name"]: p for p in vtap_json("-s port show", self.host)}
        return tuple(shown.get(name, {}) for name in names)

    def port(self, name="p0"):
        """Return: the entry of `vtap port show` for port NAME."""
        return self.ports(name)[0]

    def hook(self, want, name="p0"):
        """Wait until port NAME uses the ingress hook WANT. Return: the hook in use at the end."""
        seen = []
        busywait(lambda: seen.append(self.port(name).get("ingress_hook")) or seen[-1] == want)
        return seen[-1]

    def copies(self):
        """Return: a capture of the copies at the collector, with their outer headers."""
        return Sniffer(self.col, "eth0", match=lambda f: f[12:14] == b"\x08\x00" and f[23] == 47
                       and is_numbered(f))


@contextlib.contextmanager
def param(path, value):
    """A module parameter that is another one for a while."""
    def write(text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)

    with open(path, encoding="ascii") as f:
        old = f.read()
    write(value)
    try:
        yield
    finally:
        write(old)


VM = "02:00:00:00:01:%02x"


def bridge(ns, name="br0", words=""):
    """Create a bridge in NS."""
    ns.ip(f"link add {name} type bridge forward_delay 0 mcast_snooping 0 {words}",
          f"link set {name} addrgenmode none up")


def wire(ns1, dev1, ns2, dev2, mac1="", mac2=""):
    """Create a veth pair, DEV1 in NS1 and DEV2 in NS2, and set both ends up."""
    one, two = (f"address {m}" if m else "" for m in (mac1, mac2))
    ns1.ip(f"link add {dev1} {one} type veth peer name {dev2} {two} netns {ns2.name}",
           f"link set {dev1} addrgenmode none", f"link set {dev1} up")
    # in one message, the device is up before it knows that it needs no address
    ns2.ip(f"link set {dev2} addrgenmode none", f"link set {dev2} up")


class World:
    """Namespaces NAMES and a collector `col`; host() gives one a session, a bridge br0 and a way to
    the collector."""

    def __init__(self, *names):
        self.all = NetNS.many(*names, "col")
        for name, ns in zip((*names, "col"), self.all):
            setattr(self, name, ns)
        self.hosts = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        NetNS.remove_all(self.all)

    def host(self, ns):
        """Make NS the next host, number N. Its copies arrive at the collector's device eN."""
        self.hosts.append(ns)
        n = len(self.hosts)
        wire(ns, "up0", self.col, f"e{n}", f"02:00:00:00:00:0{n}", f"02:00:00:00:09:0{n}")
        self.col.ip(f"link set e{n} mtu 9000")
        ns.ip("link set up0 mtu 9000", "address add 192.0.2.1/24 dev up0",
              f"neigh replace 192.0.2.9 lladdr 02:00:00:00:09:0{n} dev up0 nud permanent")
        bridge(ns)
        vtap(SESSION, ns)

    def vm(self, host, ns, n, dev=None):
        """Connect namespace NS, VM number N, to the bridge of HOST."""
        dev = dev or f"vnet{n}"
        wire(host, dev, ns, "eth0", mac2=VM % n)
        host.ip(f"link set {dev} master br0")

    def copies(self, match=is_numbered):
        """Return: a capture at the collector for each host."""
        return [Sniffer(self.col, f"e{n + 1}", match=lambda f: f[23:24] == b"\x2f" and match(f))
                for n in range(len(self.hosts))]

    def ready(self):
        """Wait until every port of every bridge forwards."""
        def forwarding(ns):
            return all(p["state"] == "forwarding"
                       for p in json.loads(sh(["bridge", "-n", ns.name, "-j", "link"]).stdout))
        if not busywait(lambda: all(forwarding(ns) and ns.running("up0") for ns in self.hosts)):
            raise RuntimeError("the ports do not forward")
