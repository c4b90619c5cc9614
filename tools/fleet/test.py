#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""vtapd and vtapctl with a real cluster, libvirt and Open vSwitch's database; no module is needed:
the tool checks the words, and selftests/fleet.py has the rest.

Needs root. The names of functions on the command line run these alone.
"""
import concurrent.futures
import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import time
import uuid

import ovs.stream

from bed import HERE, HOSTS, MEMBERS, Fleet, busywait, sh
from tap import ksft_eq, ksft_exit, ksft_pr, ksft_run, ksft_true
from units import DOMAIN, FIRST, IDS, REC, first, sources, units
from vtapfleet import policy, store, words


def apply(bed, given=None):
    """Make the policy GIVEN, and wait until the hosts have it. Return: generation, hosts."""
    bed.ctl("apply", "-", input=json.dumps(FIRST if given is None else given))
    return bed.status()


def follow(bed):
    """A VM of libvirt: defined, started, tagged, stopped; one of Open vSwitch."""
    conn = bed.conn
    apply(bed, first(tap_env={"pref": 5, "tag": {"env": "prod"}, "collector": ["rec"]}))
    ksft_eq((bed.text("a"), bed.text("b")), ([], []), "no VM, no rules")
    a = {"mac": "02:00:00:00:00:0a", "name": "web1", "uuid": str(uuid.uuid4())}
    domain = conn.defineXML(DOMAIN.format(bridge="virbr0", target="", **a))
    rule = "rule add pref {} port {} mac " + a["mac"]

    def rules(host, *want):
        got = busywait(lambda: bed.text(host) == sorted(want))
        return got or ksft_pr(bed.text(host), bed.log("vtapd-" + host))

    def both(port):
        return [IDS, REC, rule.format(100, port) + " ip_proto tcp action mirror ids",
                rule.format(200, port) + " action mirror ids,rec"]

    ksft_true(rules("a", *both("testnet0")), "defined: the port that it will have")
    ksft_eq(bed.status()[1]["a"]["port"], {}, "and no port yet")
    domain.undefine()
    ksft_true(rules("a"), "undefined: nothing is left")
    target = "<target dev='tap7'/>"
    domain = conn.defineXML(DOMAIN.format(bridge="virbr0", target=target, **a))
    domain.create()
    ksft_true(rules("a", *both("tap7")), "started: its port")
    port = busywait(lambda: bed.status()[1]["a"]["port"])
    ksft_eq(port, {"tap7": {"vm": "web1", "uuid": a["uuid"], "mac": a["mac"],
                            "network": ["virbr0"], "tap": ["all", "web"]}}, "as the host says")
    said = bed.ctl("vm", "show", "we*").stdout
    ksft_true(said.splitlines()[1].split() == ["web1", "a", "tap7", a["mac"], "virbr0", "all,web"],
              "and as vm show prints it", said)
    ksft_eq(bed.ctl("vm", "show", "db*").stdout, "", "there is no other VM")

    def tag(value):
        domain.setMetadata(2, value, "vtap", "urn:vtap:tags", 3)  # ELEMENT, LIVE | CONFIG

    tag("<tags env='prod'/>")
    tagged = [*both("tap7"), rule.format(5, "tap7") + " action mirror rec"]
    ksft_true(rules("a", *tagged), "tagged: one more tap")
    tag("<tags env='test'/>")
    ksft_true(rules("a", *both("tap7")), "another tag: not any more")
    domain.destroy()
    ksft_true(busywait(lambda: not bed.status()[1]["a"]["port"]), "stopped: no port")
    more = "<interface type='bridge'><mac address='02:00:00:00:00:0b'/><source bridge='br9'/>" \
        "<target dev='tap8'/></interface></devices>"
    domain = conn.defineXML(DOMAIN.format(bridge="virbr0", target=target, **a)
                            .replace("</devices>", more))
    ksft_true(rules("a", *both("tap7"), rule.format(100, "tap8").replace("0a", "0b") +
                    " ip_proto tcp action mirror ids"), "a second card, of another network")
    domain.undefine()
    ksft_true(rules("a"), "and no rule when it is undefined")

    bed.vsctl("add-br", "br-int", "--", "add-port", "br-int", "tap1", "--", "add-port", "br-int",
              "up0", "--", "set", "interface", "tap1", "external_ids:iface-id=i",
              "external_ids:vm-uuid=web-u", 'external_ids:attached-mac="02:00:00:00:00:0a"')
    ksft_true(rules("b", *both("tap1")), "Open vSwitch: the VM's interface, not the uplink")
    bed.vsctl("set", "interface", "tap1", "external_ids:env=prod")
    ksft_true(rules("b", *[line.replace("tap7", "tap1") for line in tagged]), "tagged by an id")
    bed.vsctl("del-port", "tap1")
    ksft_true(rules("b"), "removed")
    bed.vsctl("del-br", "br-int")


def reach(bed):
    """Each change of the policy reaches all hosts, and one that changes nothing is none."""
    conn, xml = bed.conn, DOMAIN.format(name="web1", uuid=uuid.uuid4(), bridge="br0",
                                             mac="02:00:00:00:00:0a", target="<target dev='v'/>")
    domain = conn.defineXML(xml)
    domain.create()
    now, hosts = apply(bed)
    ksft_eq(sorted(hosts), sorted(HOSTS), "all hosts say something")
    ksft_eq(apply(bed)[0], now, "the same policy is no new generation")
    for n, change in enumerate((
            "collector set ids id 101", "collector add lab type vxlan remote 192.0.2.11 key 7",
            "tap add dns vm web* match 'filter \"udp port 53\"' pref 3 collector lab",
            "tap set dns collector none", "tap set dns enabled off", "tap del dns",
            "collector del lab", "network set prod bridge br0")):
        bed.ctl(*words.shlex.split(change))
        generation, hosts = bed.status()
        ksft_eq([generation] * len(HOSTS), [host["generation"] for host in hosts.values()],
                f"{change}: at all hosts")
        ksft_eq(generation, now + n + 1, "one generation later")
    ksft_true("session add ids type erspan2 remote 192.0.2.9 id 101" in bed.text("a"),
              "the last text has them", bed.text("a"))
    ksft_eq([line for line in bed.text("a") if "vxlan" in line], [], "and nothing that was deleted")
    said = bed.ctl("--wait", "status").stdout.splitlines()[-1]
    ksft_eq(said, f"3 of 3 hosts at generation {generation}, 1 VMs, 0 errors", "as status says")
    names = [f"at-once{n}" for n in range(4)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: bed.ctl("tap", "add", name, "vm", name, "collector", "ids"),
                      names))
    ksft_eq((bed.status()[0], [n for n in names if n not in bed.ctl("tap").stdout]),
            (generation + 4, []), "four changes at once: none is lost")
    bed.kill("vtapd-c")
    bed.ctl("collector", "set", "ids", "id", "102")
    p = bed.ctl("--timeout", "1", "--wait", "status", ok=False)
    ksft_true("2 of 3 hosts" in p.stdout, "a host that is away is waited for", p.stdout)
    bed.ctl("host", "del", "c")
    ksft_eq(sorted(bed.status()[1]), ["a", "b"], "until it is deleted")
    bed.agent("c")
    ksft_true(busywait(lambda: "c" in bed.status()[1]), "it is back when its agent is")
    domain.destroy()
    domain.undefine()


def references(bed):
    """The server refuses what refers to nothing, a name twice, and values that do not exist."""
    now, _ = apply(bed)
    none, row = ["uuid", str(uuid.uuid4())], {"name": "x", "enabled": True, "dir": "both"}
    where = [["name", "==", "ids"]]
    for said, op in (
            ("referential integrity", {"op": "insert", "table": "Tap",
                                       "row": dict(row, collector=none)}),
            ("referential integrity", {"op": "insert", "table": "Tap",
                                       "row": dict(row, network=none)}),
            ("referential integrity", {"op": "delete", "table": "Collector", "where": where}),
            ("constraint", {"op": "insert", "table": "Tap", "row": dict(row, name="web")}),
            ("constraint", {"op": "insert", "table": "Tap", "row": dict(row, dir="up")}),
            ("constraint", {"op": "insert", "table": "Tap", "row": dict(row, pref=-1)}),
            ("constraint", {"op": "update", "table": "Collector", "where": where,
                            "row": {"type": "sflow"}}),
            ("constraint", {"op": "insert", "table": "Policy", "row": {}})):
        got = bed.transact(op)
        ksft_true(got and said in got[0], f"{said}: {op['table']} {op.get('row', '')}", got)
    ksft_eq(bed.transact({"op": "insert", "table": "Tap", "row": row},
                         {"op": "delete", "table": "Tap", "where": [["name", "==", "x"]]}), [],
            "the same row with no reference is none of these")
    p = bed.ctl("collector", "del", "ids", ok=False)
    ksft_true('there is no collector "ids"' in p.stderr, "vtapctl says which tap needs it",
              p.stderr)
    ksft_eq(bed.status()[0], now, "nothing was changed")


def rights(bed):
    """A host writes its own row and nothing else, and nobody comes in without a certificate."""
    apply(bed)
    there = [["name", "==", "b"]]
    for what, op in (
            ("another host's row", {"op": "update", "table": "Host", "where": there,
                                    "row": {"generation": 99}}),
            ("its deletion", {"op": "delete", "table": "Host", "where": there}),
            ("a row for another", {"op": "insert", "table": "Host", "row": {"name": "z"}}),
            ("a tap", {"op": "insert", "table": "Tap",
                       "row": {"name": "z", "dir": "both"}}),
            ("a tap's deletion", {"op": "delete", "table": "Tap", "where": []}),
            ("a collector", {"op": "update", "table": "Collector", "where": [],
                             "row": {"remote": "192.0.2.66"}}),
            ("the generation", {"op": "mutate", "table": "Policy", "where": [],
                                "mutations": [["generation", "+=", 1]]}),
            ("its rights", {"op": "delete", "table": "RBAC_Role", "where": []}),
            ("its name", {"op": "update", "table": "Host", "where": [["name", "==", "a"]],
                          "row": {"name": "q"}})):
        got = bed.transact(op, host="a")
        ksft_true(got and "permission error" in got[0], f"host a must not write {what}", got)
    ksft_eq(bed.transact({"op": "update", "table": "Host", "where": [["name", "==", "a"]],
                          "row": {"error": "by hand"}}, host="a"), [], "it may write its own row")
    ksft_eq(bed.status()[1]["a"]["error"], ["by hand"], "and that is seen")
    junk = {"applied": 1 << 62, "error": "\x1b[2J",
            "port": ["map", [["p", "{"], ["q", '{"vm": "\\u001b", "tap": 7}'], ["r", "[" * 9999]]]}
    ksft_eq(bed.transact({"op": "update", "table": "Host", "where": [["name", "==", "a"]],
                          "row": junk}, host="a"), [], "it may write what it likes there")
    said = bed.ctl("status").stdout + bed.ctl("vm", "show").stdout
    ksft_true("a: ?[2J" in said and "\x1b" not in said, "which does not hurt who reads it", said)
    bed.kill("vtapd-a")
    bed.agent("a", "--libvirt", bed.uri)
    ksft_true(busywait(lambda: not bed.status()[1]["a"]["error"]), "its agent writes it anew")
    tls = f"{bed.dir}/tls-a"
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
       "-subj", "/CN=a", "-keyout", f"{bed.dir}/key.pem", "-out", f"{bed.dir}/cert.pem")
    for name, d in (("a certificate of its own making", bed.dir), ("its own", tls)):
        p = sh("ip", "netns", "exec", bed.ns("a"), "ovsdb-client", "-t", "5", "-p", f"{d}/key.pem",
               "-c", f"{d}/cert.pem", "-C", f"{tls}/ca.pem", "list-dbs",
               f"ssl:{MEMBERS['m1']}:6642", check=False)
        ksft_eq("vtap" in p.stdout, d == tls, f"host a with {name}")
    store.use_tls(tls)
    with socket.create_server(("127.0.0.1", 0)) as s:
        stream = ovs.stream.Stream.open(f"ssl:127.0.0.1:{s.getsockname()[1]}")[1]
        busywait(lambda: stream.connect() == errno.EAGAIN)
        s.accept()[0].close()
        ksft_true(busywait(lambda: stream.connect() not in (0, errno.EAGAIN)),
                  "a member that dies in the handshake is no reason to die")
    p = sh("openssl", "verify", "-CAfile", f"{tls}/ca.pem", f"{bed.dir}/tls-b/cert.pem",
           check=False)
    ksft_true(p.returncode, "a host's certificate is no member's: it cannot pass for the database")


def refusals(bed):
    """What vtapctl refuses changes nothing; what a kernel refuses is in the row of its host."""
    now, _ = apply(bed)
    for said, line in (
            ('"typ" is unknown', "collector add x type gre remote 192.0.2.1 typ 1"),
            ("not a valid value", "collector set ids snaplen many"),
            ('tap "main"', "collector set ids tap main"),
            ("type", "collector add x remote 192.0.2.1"), ("already", "tap add web vm a"),
            ("required", "tap add x vm a"), ("required", "tap add x collector"),
            ("twice", "tap set web vm a vm b"), ("no tap", "tap set none vm a"),
            ("no tap", "tap del none"), ("no host", "host del none"),
            ("unknown", "tap set web vmm a"), ("not a number", "tap set web pref x"),
            ("KEY=VALUE", "tap set web tag env"), ("on or off", "tap set web enabled 1"),
            ("duplicate", "tap set web match 'port vnet9'"),
            ("duplicate", "tap set web match 'action skip'"),
            ("parse", "tap set web match 'filter \"udp prt 53\"'"),
            ("match", "tap set web match \"filter 'a\""), ("picks no VM", "tap set web vm none"),
            ("no network", "tap set web network nowhere")):
        p = bed.ctl(*words.shlex.split(line), ok=False)
        ksft_true(said in p.stderr and p.returncode == 1, f"{line}: {said}", p.stderr)
    for line in ("", "tap", "tap add", "taps show", "vm list", "status now"):
        p = bed.ctl(*line.split(), ok=None)
        ksft_eq((p.returncode, p.stderr != ""), (0, False) if line == "tap" else (2, True),
                f"usage: {line}")
    ksft_eq(bed.status()[0], now, "nothing was changed")

    bed.vsctl("add-br", "br-int", "--", "add-port", "br-int", "tap1", "--", "set", "interface",
              "tap1", "external_ids:vm-uuid=web-u", "external_ids:iface-id=i")
    ksft_true(busywait(lambda: len(bed.text("b")) == 4), "host b has a VM")
    before = bed.text("b")
    with open(f"{bed.dir}/b/refuse", "w", encoding="ascii") as f:
        f.write("vtap: stdin:3: too many rules\n")
    bed.ctl("tap", "set", "web", "match", "ip_proto udp")
    ksft_true(busywait(lambda: "tap web: too many rules" in bed.ctl("status").stdout),
              "the kernel's reason, and which tap it is about", bed.ctl("status").stdout)
    p = bed.ctl("--timeout", "1", "-j", "--wait", "status", ok=False)
    host = {host["name"]: host for host in json.loads(p.stdout)["host"]}["b"]
    ksft_eq((host["generation"], bed.text("b")), (now, before), "what was in force still is")
    os.unlink(f"{bed.dir}/b/refuse")
    ksft_eq(bed.status()[1]["b"]["error"], [], "it is tried again, and the error goes")
    ksft_true(bed.text("b") != before, "with the new rules")
    bed.vsctl("del-br", "br-int")


def files(bed):
    """The policy to and from a file."""
    now, _ = apply(bed)
    path = f"{bed.dir}/policy.json"
    bed.ctl("save", path)
    with open(path, encoding="utf-8") as f:
        ksft_eq(json.load(f), policy.brief(policy.complete(FIRST)), "saved without defaults")
    bed.ctl("apply", path)
    ksft_eq(bed.status()[0], now, "applied again it changes nothing")
    lines = [line for kind in ("collector", "network", "tap")
             for line in bed.ctl(kind, "show").stdout.splitlines()]
    saved = bed.ctl("save", "-").stdout
    bed.ctl("apply", "-", input="{}")
    ksft_eq(json.loads(bed.ctl("-j", "tap").stdout), {}, "an empty file empties it")
    for line in lines:
        bed.ctl(*words.shlex.split(line))
    ksft_eq(bed.ctl("save", "-").stdout, saved, "show prints the words that make it again")
    for said, given in (("Expecting", "{"), ("not an object", "[]"),
                        ("no collector", '{"tap": {"a": {"vm": ["b"], "collector": ["c"]}}}'),
                        ("duplicate", json.dumps(first(tap_x={"vm": ["a"], "match": "pref 1"})))):
        p = bed.ctl("apply", "-", input=given, ok=False)
        ksft_true(said in p.stderr, f"refused: {said}", p.stderr)
    for words_ in (("apply", "/nowhere"), ("save", "/nowhere/x")):
        ksft_true("/nowhere" in bed.ctl(*words_, ok=False).stderr, f"{words_[0]}: no such file")
    ksft_eq(bed.ctl("save", "-").stdout, saved, "and changed nothing")
    p = sh(f"{HERE}/vtapctl", "--file", f"{bed.dir}/m1.db", "init", "192.0.2.1", check=False)
    ksft_true("exists" in p.stderr, "init keeps a database that is there", p.stderr)
    p = sh(f"{HERE}/vtapctl", "--file", f"{bed.dir}/x.db", "init", "m1", check=False)
    ksft_true("not an address" in p.stderr, "init wants addresses", p.stderr)


def away(bed):
    """Members die one by one: what is tapped stays, VMs are followed, only changes wait."""
    apply(bed)
    conn = bed.conn
    xml = DOMAIN.format(name="web1", uuid=uuid.uuid4(), bridge="br0", mac="02:00:00:00:00:0a",
                        target="<target dev='tap7'/>")
    domain = conn.defineXML(xml)
    leader = next(name for name in MEMBERS if "Role: leader" in sh(
        "ovs-appctl", "-t", f"{bed.dir}/{name}.ctl", "cluster/status", "vtap").stdout)
    rest = [name for name in MEMBERS if name != leader]
    bed.kill(leader)
    bed.ctl("collector", "set", "ids", "id", "55", member=rest[0])
    ksft_true(busywait(lambda: "3 of 3 hosts" in bed.ctl("--wait", "status",
                                                         member=rest[0]).stdout),
              "the leader is dead: changes still reach all")
    for name in rest:
        bed.kill(name)
    domain.create()
    ksft_true(busywait(lambda: any("tap7" in line for line in bed.text("a"))),
              "no member: a VM that starts is tapped by the policy that is known", bed.text("a"))
    text_, count = bed.text("a"), bed.applied("a")
    bed.kill("vtapd-a")
    bed.kill("libvirtd")
    bed.agent("a", "--libvirt", bed.uri)
    ksft_true(busywait(lambda: bed.applied("a") > count), "nor libvirt: applied at the start")
    ksft_eq(bed.text("a"), text_, "what was in force, from the disk")
    bed.libvirtd()
    for name in MEMBERS:
        bed.start_member(name)
    for name in MEMBERS:
        bed.connected(name)
    bed.keep_libvirt()
    bed.ctl("collector", "set", "ids", "id", "56")
    ksft_eq(bed.status()[1]["a"]["error"], [], "all are back: changes reach all")
    ksft_true(busywait(lambda: bed.text("a") == []), "and the VM that went meanwhile has gone",
              bed.text("a"))


def killed(bed):
    """vtapd is killed at any instant: it starts again and changes nothing."""
    bed.vsctl("add-br", "br-int", "--", "add-port", "br-int", "tap1", "--", "set", "interface",
              "tap1", "external_ids:vm-uuid=web-u", "external_ids:iface-id=i")
    apply(bed)
    path = f"{bed.dir}/b-kept/fleet.json"
    for n in range(6):
        bed.ctl("tap", "set", "web", "match", f"vlan_id {n + 1}")
        end = time.monotonic() + 0.05 * n   # an instant, not a condition: before, in and after
        while time.monotonic() < end and f"vlan_id {n + 1} " not in str(bed.text("b")):
            pass
        bed.kill("vtapd-b")
        with open(path, encoding="utf-8") as f:
            json.load(f)
        bed.agent("b", "--ovs", bed.ovs)
        bed.status()
        ksft_true(any(f"vlan_id {n + 1} " in line for line in bed.text("b")),
                  f"killed {50 * n} ms after a change: it is in force afterwards", bed.text("b"))
    left = [name for name in os.listdir(os.path.dirname(path)) if name.startswith(".fleet")]
    ksft_true(len(left) <= 6, "no more files than kills are left")
    text_, row, count = bed.text("b"), bed.status()[1]["b"], bed.applied("b")
    bed.kill("vtapd-b")
    bed.agent("b", "--ovs", bed.ovs)
    ksft_true(busywait(lambda: bed.applied("b") > count), "it applies what it knows")
    ksft_eq(bed.text("b"), text_, "the same text")
    again = bed.status()[1]["b"]
    ksft_eq({**again, "applied": 0}, {**row, "applied": 0}, "the same row")
    bed.kill("vtapd-b")
    with open(path, "w", encoding="ascii") as f:
        f.write('{"nics"')
    bed.agent("b", "--ovs", bed.ovs)
    ksft_true(busywait(lambda: "Expecting" in bed.log("vtapd-b")), "a broken file is named")
    bed.status()
    ksft_true(busywait(lambda: bed.text("b") == text_), "and the database tells it anew")
    os.chmod(os.path.dirname(path), 0o500)     # vtapd cannot write there: it may not override that
    bed.ctl("tap", "set", "web", "match", "vlan_id 99")
    said = bed.status()[1]["b"]["error"]
    ksft_eq(said, [f"{path}: Permission denied"], "no room on the disk: the host says so")
    ksft_true(any("vlan_id 99" in line for line in bed.text("b")), "and does what it should")
    os.chmod(os.path.dirname(path), 0o700)
    bed.ctl("tap", "set", "web", "match", "vlan_id 98")
    ksft_eq(bed.status()[1]["b"]["error"], [], "until there is some again")
    bed.vsctl("del-br", "br-int")


def service(bed):
    """systemd is told when the kept policy is applied; the units and the manuals name what is."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as s:
        s.bind(f"{bed.dir}/notify")
        s.settimeout(20)
        bed.kill("vtapd-c")
        bed.agent("c", NOTIFY_SOCKET=f"{bed.dir}/notify")
        got = s.recv(4096).decode()
    ksft_true("READY=1" in got and "WATCHDOG=1" in got, "sd_notify", got)
    with open(f"/proc/{bed.running['vtapd-c'].pid}/status", encoding="ascii") as f:
        caps = {line.split()[0]: int(line.split()[1], 16) for line in f if line.startswith("Cap")}
    ksft_eq(caps["CapBnd:"], 1 << 12, "all of this ran with CAP_NET_ADMIN alone")
    with open(f"{HERE}/vtapd.service", encoding="utf-8") as f:
        ksft_true("CapabilityBoundingSet=CAP_NET_ADMIN\n" in f.read(), "as its unit has it")
    d = f"{bed.dir}/root"
    sh("make", "-s", "-C", HERE, "install", f"DESTDIR={d}", "PREFIX=/usr")
    os.symlink(f"{d}/usr/lib/vtap/fleet/vtapctl", f"{bed.dir}/vtapctl")
    p = sh(f"{bed.dir}/vtapctl", "--db", bed.socket(), "status", check=False)
    ksft_true("of 3 hosts" in p.stdout, "make install: it finds what it needs", p.stderr)
    sh("make", "-s", "-C", HERE, "uninstall", f"DESTDIR={d}", "PREFIX=/usr")
    left = [name for _, _, names in os.walk(d) for name in names]
    ksft_eq(left, [], "make uninstall leaves nothing")


def documented(bed):
    """The commands of the text are tests; each word of a policy is in the manual."""
    apply(bed, {})
    with open(f"{HERE}/../../Documentation/networking/vtap-fleet.rst", encoding="utf-8") as f:
        lines = [line.strip() for line in f if line.startswith("   vtapctl ")]
    done = 0
    for line in lines:
        given = words.shlex.split(line.partition("  #")[0])[1:]
        if given[0] not in ("init", "host") and "ssl:" not in line:
            bed.ctl(*[f"{bed.dir}/{w}" if w.endswith(".json") else w for w in given])
            done += 1
    ksft_true(done >= 8, f"{done} commands of the text work")
    ksft_true(bed.status()[0] > 0, "and the hosts take what they make")
    with open(f"{HERE}/vtapctl.8", encoding="utf-8") as f:
        manual = f.read()
    for kind, defaults in policy.DEFAULTS.items():
        ksft_eq([w for w in defaults if w != "options" and f" {w} " not in
                 manual.replace("\n", " ").replace('"', " ")], [], f"the words of a {kind}")
    for program in ("vtapd", "vtapctl"):
        said = subprocess.run([f"{HERE}/{program}", "--help"], capture_output=True, text=True,
                              check=True).stdout
        with open(f"{HERE}/{program}.8", encoding="utf-8") as f:
            manual = f.read().replace("\\-", "-")
        options = {word.strip("[],") for word in said.split() if word.strip("[").startswith("--")}
        ksft_eq([o for o in sorted(options - {"--help"}) if o not in manual], [],
                f"the options of {program}")


if __name__ == "__main__":
    if os.getuid():
        raise SystemExit("test.py: needs root")
    with Fleet() as fleet:
        try:
            ksft_run([units, sources, follow, reach, references, rights, refusals, files, killed,
                      service, documented, away], (fleet,))
        finally:
            if "-v" in sys.argv:
                for running in sorted(fleet.running):
                    ksft_pr(running, fleet.log(running))
    ksft_exit()
