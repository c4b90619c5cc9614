# SPDX-License-Identifier: GPL-2.0
"""Tests of what needs neither a database nor VMs, and the policy that all tests begin with."""
import json

from tap import ksft_eq, ksft_true
from vtapfleet import policy, text, words
from vtapfleet.agent import Kept
from vtapfleet.domains import nics_of
from vtapfleet.policy import Wrong
from vtapfleet.text import Nic
from vtapfleet.vswitch import nic_of

FIRST = {
    "collector": {"ids": {"type": "erspan2", "remote": "192.0.2.9", "options": {"id": "100"}},
                  "rec": {"type": "gre", "remote": "192.0.2.10"}},
    "network": {"prod": {"bridge": ["br-int", "virbr0"]}},
    "tap": {"web": {"vm": ["web*"], "match": "ip_proto tcp", "collector": ["ids"]},
            "all": {"pref": 200, "network": ["prod"], "collector": ["ids", "rec"]}}}
IDS = "session add ids type erspan2 remote 192.0.2.9 id 100"
REC = "session add rec type gre remote 192.0.2.10"
DOMAIN = """<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>65536</memory>
<os><type>hvm</type></os><devices><interface type='bridge'><mac address='{mac}'/>
<source bridge='{bridge}'/>{target}</interface></devices></domain>"""


def first(**change):
    """Return: FIRST with objects changed: kind_name=row."""
    new = json.loads(json.dumps(FIRST))
    for key, row in change.items():
        kind, _, name = key.partition("_")
        new[kind][name] = row
    return new


def refused(call, *args):
    """Return: what CALL(*ARGS) says when it refuses, "" if it does not."""
    try:
        call(*args)
        return ""
    except Wrong as e:
        return str(e)


def units(_):
    """What a policy may be, whom a tap picks, and what becomes a command."""
    full = policy.complete(FIRST)
    ksft_eq(policy.complete(policy.brief(full)), full, "a policy without its defaults is the same")
    for said, wrong in (
            ("no collector", first(tap_x={"vm": ["a"], "collector": ["none"]})),
            ("no network", first(tap_x={"network": ["none"]})), ("picks no VM", first(tap_x={})),
            ("not a number", first(tap_x={"vm": ["a"], "pref": "1"})),
            ("not true or false", first(tap_x={"vm": ["a"], "enabled": 1})),
            ("not a list", first(tap_x={"vm": "a"})), ("not a list", first(tap_x={"vm": [1]})),
            ("not in 0", first(tap_x={"vm": ["a"], "pref": -1})),
            ("dir", first(tap_x={"vm": ["a"], "dir": "in"})),
            ("mac", first(tap_x={"mac": ["02:00"]})), ("unknown", first(tap_x={"vms": ["a"]})),
            ("at most 8", first(tap_x={"vm": ["a"], "collector": list("abcdefghi")})),
            ("unknown", {"taps": {}}), ("not an object", []), ("not an object", {"tap": []}),
            ("a name has", {"network": {"a b": {"bridge": ["x"]}}}),
            ("bridge is required", first(network_x={})), ("type", first(collector_x={})),
            ("remote is required", first(collector_x={"type": "gre"})),
            ("match", first(tap_x={"vm": ["a"], "match": "filter 'a"})),
            ("not an address", first(collector_x={"type": "gre", "remote": "ids.example"})),
            ("printed", first(tap_x={"vm": ["a"], "match": "vlan_id 1\nrule add"}))):
        ksft_true(said in refused(policy.complete, wrong), f"refused: {said}",
                  lambda w=wrong: refused(policy.complete, w))

    a, b = Nic("vnet0", "02:00:00:00:00:0a", "web1", "u1", ("br-int",), (("env", "prod"),)), \
        Nic("vnet1", "", "db1", "u2", ("br1",))
    for selector, found in (({"vm": ["web*"]}, [a]), ({"vm": ["web*", "d?1"]}, [a, b]),
                            ({"vm": ["u2"]}, [b]), ({"vm": ["web"]}, []), ({}, []),
                            ({"mac": [a.mac]}, [a]), ({"tag": {"env": "prod"}}, [a]),
                            ({"tag": {"env": "test"}}, []), ({"network": ["prod"]}, [a]),
                            ({"vm": ["db*"], "network": ["prod"]}, [])):
        tap = {**policy.DEFAULTS["tap"], **selector}
        ksft_eq([n for n in (a, b) if text.picks(tap, n, full)], found, f"picked by {selector}")

    got = text.compose(full, [b, a])
    ksft_eq(got.lines, [IDS, REC, f"rule add pref 100 port vnet0 mac {a.mac} ip_proto tcp action "
                        "mirror ids", f"rule add pref 200 port vnet0 mac {a.mac} action mirror "
                        "ids,rec"], "the commands of a host, each tap in its order")
    ksft_eq(str(text.compose(full, [a, b])), str(got), "the order of VMs makes no difference")
    ksft_eq(text.compose(full, [b]).lines, [], "no VM that is picked: no session")
    full["tap"]["web"]["enabled"] = False
    ksft_eq(len(text.compose(full, [a]).lines), 3, "a tap that is off has no rules")
    odd = Nic("vnet*", a.mac, "web1")
    got = text.compose(policy.complete(FIRST), [odd])
    ksft_eq((got.lines, len(got.errors)), ([], 1), "no device name becomes a pattern")
    tap = {**policy.DEFAULTS["tap"], "dir": "egress", "collector": ["a", "b"]}
    ksft_eq(text.rule(tap, b), "rule add pref 100 port vnet1 dir egress action mirror a,b",
            "a direction; no address")
    tap = {**policy.DEFAULTS["tap"], "match": "filter 'udp; # x' action"}
    ksft_eq(text.rule(tap, Nic("a b;#\n'")), "rule add pref 100 port 'a b;#\n'\"'\"'' filter "
            "'udp; # x' action action skip", "no text becomes another command")
    line = words.line("tap", "web", policy.complete(FIRST)["tap"]["web"])
    ksft_eq(line, "tap add web vm 'web*' match 'ip_proto tcp' collector ids", "a tap as its words")


def sources(_):
    """What libvirt and Open vSwitch say of VMs, and what they do not."""
    def xml(**kw):
        return DOMAIN.format(**{"name": "a", "uuid": "u", "mac": "02:00:00:00:00:0A",
                                "bridge": "br0", "target": "<target dev='vnet3'/>", **kw})
    want = Nic("vnet3", "02:00:00:00:00:0a", "a", "u", ("br0",))
    ksft_eq(nics_of(xml(), True), [want], "a VM that runs has a port")
    ksft_eq([(n.port, n.active) for n in nics_of(xml(target=""), False)], [("vnet*", False)],
            "a VM that does not run has any of libvirt's, to be tapped from its first frame")
    ksft_eq(nics_of(xml(target=""), True), [], "a VM that runs without a device has none")
    for kind, port in (("direct", ["macvtap*"]), ("hostdev", [])):
        text_of = xml(target="").replace("type='bridge'", f"type='{kind}'")
        ksft_eq([n.port for n in nics_of(text_of, False)], port, f"interface of type {kind}")
    tags = "<metadata><t:tags xmlns:t='urn:vtap:tags' env='prod'/><o:x xmlns:o='urn:o' b='c'/>"
    got = nics_of(xml().replace("<os>", tags + "</metadata><os>"), True)
    ksft_eq(got[0].tag, (("env", "prod"),), "tags are those of vtap's own element")
    ids = {"iface-id": "i", "vm-uuid": "u", "attached-mac": "02:00:00:00:00:0A"}
    ksft_eq(nic_of("tap1", ids, "br-int"), Nic("tap1", "02:00:00:00:00:0a", "", "u", ("br-int",),
                                               tuple(sorted(ids.items()))), "external ids")
    ksft_eq(nic_of("up0", {"attached-mac": "02:00:00:00:00:0a"}, "b"), None,
            "an interface that nobody gave to a VM is none of one")
    kept = Kept("/nowhere/fleet.json")
    tags = (("env", "a"), ("x", "y"))
    kept.nics = {"openvswitch": [Nic("vnet3", "", "", "u2", ("br-int",), tags)],
                 "libvirt": [want, Nic("vnet*", "02:00:00:00:00:0b", active=False)]}
    got = {nic.port: nic for nic in kept.all_nics()}
    ksft_eq((sorted(got), got["vnet3"]),
            (["vnet*", "vnet3"], Nic("vnet3", want.mac, "a", "u", ("br-int", "br0"),
                                     tags)), "a port that both know is one")
    ksft_eq(nic_of("t", dict(ids, **{"attached-mac": "x"}), "b").mac, "", "a wrong address is none")
