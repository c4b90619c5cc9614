# SPDX-License-Identifier: GPL-2.0
"""The vtap tool as a user has it: files, refusals and `vtap monitor`."""
import contextlib
import itertools
import json
import os
import re
import select
import subprocess
import tempfile

from .ns import VTAP, sh, vtap
from .tap import busywait, ksft_true

CONFIG = r"""
    # every word once, and all that needs quoting
    session add gre type gre remote 192.0.2.9 local 192.0.2.1 dev up0 key 0 ttl 1 tos 4 \
        snaplen 60 mtu truncate seq on rate 2.5gbit pps 7 burst 64k decap on \
        seed 18446744073709551615
    session add off type gre remote 192.0.2.9 offload on
    session add sum type gre remote 192.0.2.9 csum on
    session add cut type gre remote 192.0.2.9 slice l4 +64
    session add hid type gre remote 192.0.2.9 mask l3
    session add ll type gre remote fe80::9%up0 csum on
    session add llm type vxlan remote ff02::9%up0 dev up0 key 1
    session add e1 type erspan1 remote 2001:db8::9 mtu drop
    session add e2 type erspan2 remote 192.0.2.9 id 1023 index 5 vlan strip
    session add e3 type erspan3 remote 192.0.2.9 subheader on
    session add vx type vxlan remote 192.0.2.9 key 16777215 dport 8472
    session add raw type port dev "up0"
    rule add pref 0 port 'v*[0-9]?' dir ingress action mirror gre,e1,e2,e3,vx,raw
    rule add pref 0 master br0 dir egress action skip
    rule add pref 5 mac 02:00:00:00:00:0c action mirror raw dup on
    rule add pref 5 port x src_mac 02:00:00:00:00:01/ff:ff:ff:00:00:00 dst_mac 02:00:00:00:00:02 \
        vlan_id 0 vlan_prio 7 protocol ip src_ip 10.0.0.0/8 dst_ip 10.1.2.3 ip_proto tcp \
        src_port 1-1024 dst_port 80 tcp_flags syn/syn,ack action skip
    rule add pref 6 port x src_ip 2001:db8::/32 icmp_type 128 icmp_code 0 action skip
    rule add pref 7 port x src_ip 2001:db8::/32 dst_port 8472 tunnel vxlan tunnel_key 77 \
        inner vlan_id 5 src_ip 10.0.0.0/8 dst_port 80-90 action skip
    rule add pref 7 port x tunnel gre inner src_mac 02:00:00:00:00:00/ff:00:00:00:00:00 \
        tcp_flags syn/syn,ack ip_flags nofrag action skip
    rule add pref 7 port x tunnel geneve tunnel_key 0 action skip
    rule add pref 4294967295 port x ip_flags nofrag action skip
"""


@contextlib.contextmanager
def conf(text):
    """A file with TEXT, its lines without the blanks in front."""
    with tempfile.NamedTemporaryFile("w", dir="/run", suffix=".conf") as f:
        f.write(re.sub("^ +", "", text, flags=re.M))
        f.flush()
        yield f.name


def refused(name, args, code, text, ns, **kw):
    """Report whether the command fails with CODE and says TEXT, on standard error only."""
    with ns.enter():
        p = sh([VTAP, *args], check=False, **kw)
    ksft_true(p.returncode == code and text in p.stderr and not p.stdout, f"{name}: exit {code}",
              (args, p))


class Monitor:
    """`vtap monitor` in NS, listening. text: all that it has printed."""

    def __init__(self, ns, *options, objects=()):
        self.ns = ns
        self.p = ns.popen([VTAP, *options, "monitor", *objects], stdout=subprocess.PIPE)
        self.text, self.taken, self.probes = "", 0, 0
        os.set_blocking(self.p.stdout.fileno(), False)
        if not busywait(self._listens, step=0):
            raise RuntimeError("vtap monitor is silent")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.terminate()
        self.p.wait()
        self.p.stdout.close()

    def _listens(self):
        """Cause an event. Return: the lines up to it; then no older event is on its way any
        more."""
        self.probes += 1
        vtap(f"session add probe{self.probes} type port dev none", self.ns)
        vtap(f"session del probe{self.probes}", self.ns)
        return self.lines(rf"del.*probe{self.probes}\b", 0.5)

    def _read(self):
        while select.select([self.p.stdout], [], [], 0)[0] and (more := self.p.stdout.read()):
            self.text += more
        return self.text

    def lines(self, last, timeout=30):
        """Return: the lines up to the first one with LAST in it, or [] when there is none; the next
        call begins behind them."""
        line = re.compile(f"^.*{last}.*\n", re.M)
        found = busywait(lambda: line.search(self._read(), self.taken), timeout)
        if not found:
            return []
        lines = self.text[self.taken:found.end()].splitlines()
        self.taken = found.end()
        return lines

    def events(self):
        """Return: all events so far; of one that was started with -j."""
        complete = self._read().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def states(self, name):
        """Return: the states of session NAME in the order of its events, without repetitions."""
        states = [e["state"] for e in self.events()
                  if e["object"] == "session" and e["name"] == name]
        return [state for state, _ in itertools.groupby(states)]
