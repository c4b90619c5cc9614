#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What users of ip, tc and nft expect of the vtap tool: options, tables, selectors and names."""
import datetime
import fcntl
import json
import os
import pty
import re
import struct
import tempfile
import termios
import time

import jsonschema

from lib import (VTAP, NetNS, ksft_eq, ksft_exit, ksft_run, ksft_true, modprobe, sh, vtap,
                 vtap_batch, vtap_json)
from lib.cli import CONFIG, Monitor, conf, refused


def monitor_objects():
    """monitor prints only the events of the objects that are named."""
    with NetNS("monitor") as ns, Monitor(ns, objects=["session"]) as one, \
            Monitor(ns, objects=["session", "ru"]) as two:
        ns.ip("link add p0 type dummy")
        vtap("rule add pref 7 port p0 action skip", ns)
        vtap("session add end type port dev none", ns)
        seen = [[" ".join(line.split()[:2]) for line in m.lines("add end") if "probe" not in line]
                for m in (one, two)]
        ksft_eq(seen, [["session add"], ["rule add", "session add"]],
                "session alone, and session with rule")


def oneline():
    """-o prints the counters in the line of their object."""
    with NetNS("oneline") as ns:
        vtap("session add a type port dev none", ns)
        vtap("session add b type port dev none", ns)
        vtap("rule add pref 1 port x action mirror a,b", ns)
        for name, lines in (("session", 2), ("rule", 1)):
            broken = vtap(f"-s {name} show", ns).stdout
            ksft_true(len(broken.splitlines()) > lines, f"{name}: more lines without -o", broken)
            whole = vtap(f"-o -s {name} show", ns).stdout
            ksft_eq(len(whole.splitlines()), lines, f"{name}: a line for each")
            ksft_eq(whole.split(), broken.split(), f"{name}: the same words")


def timestamps():
    """-t prints when an event came, in text and in JSON."""
    with NetNS("time") as ns, Monitor(ns, "-t") as text, Monitor(ns, "-j", "-t") as js:
        started = time.time()
        vtap("session add s type port dev none", ns)
        line = text.lines("session add s ")[-1]
        when = json.loads(js.lines('"name":"s"')[-1])["timestamp"]
        ksft_true(re.fullmatch(r"\[.*\] session add s type port .*", line), "text: in brackets",
                  line)
        for name, stamp in (("text", line[1:line.index("]")]), ("JSON", when)):
            stamp = datetime.datetime.fromisoformat(stamp).timestamp()
            ksft_true(started - 0.001 <= stamp <= time.time(), f"{name}: now", (started, stamp))


def on_terminal(ns, words, **env):
    """Return: what the tool prints on a terminal of 80 columns."""
    term, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 25, 80, 0, 0))
    ns.popen([VTAP, *words.split()], stdout=end, env={**os.environ, **env}).wait()
    os.close(end)
    text = os.read(term, 65536).decode().replace("\r\n", "\n")
    os.close(term)
    return text


def colors():
    """A terminal gets colors unless NO_COLOR is set, others get them when they are asked for; they
    change nothing else."""
    with NetNS("colors") as ns:
        vtap_batch(ns, "session add ids type gre remote 192.0.2.9 local 192.0.2.1 dev up0",
                   "session add six type gre remote 2001:db8::9",
                   "rule add pref 1 port x mac 02:00:00:00:00:01 action mirror ids")
        plain = vtap("session", ns).stdout
        colored = vtap("-color session", ns).stdout
        ksft_eq(re.sub("\033\\[[0-9]*m", "", colored), plain, "-color changes no text")
        ksft_eq(re.findall("\033\\[(3[0-9])m(.*?)\033\\[0m", colored),
                [("36", "ids"), ("35", "192.0.2.9"), ("35", "192.0.2.1"), ("36", "up0"),
                 ("31", "no-device"), ("36", "six"), ("34", "2001:db8::9"), ("31", "no-route")],
                "values have the colors of ip(8)")
        ksft_true("mac \033[33m02:00:00:00:00:01\033[0m" in vtap("-co rule", ns).stdout, "a MAC")
        brief_ = vtap("-color -br session", ns).stdout
        ksft_eq((re.sub("\033\\[[0-9]*m", "", brief_), brief_.count("\033[31m")),
                (vtap("-br session", ns).stdout, 2), "and so have cells of a table")
        for options, env, want in (("", {"NO_COLOR": ""}, colored), ("", {"NO_COLOR": "1"}, plain),
                                   ("-color=auto ", {"NO_COLOR": "1"}, colored),
                                   ("-color=never ", {"NO_COLOR": ""}, plain)):
            ksft_eq(on_terminal(ns, f"{options}session", **env), want,
                    f"a terminal, {options}{env}")
        ksft_eq(vtap("-color=auto session", ns).stdout, plain, "no terminal, -color=auto")
        ksft_eq(vtap("-color -j session", ns).stdout, vtap("-j session", ns).stdout, "not in JSON")


def hosts():
    """A collector may be given by its name, which must have one address; the kernel keeps that."""
    with NetNS("hosts") as ns, tempfile.TemporaryDirectory(dir="/run") as d:
        with open(d + "/hosts", "w", encoding="ascii") as f:
            f.write("192.0.2.9 four.example both.example\n2001:db8::9 six.example both.example\n"
                    "192.0.2.8 two.example\n192.0.2.9 two.example\n")
        add = " ; ".join(f"{VTAP} session add {name} type gre key {key} {words}"
                         for key, (name, words) in enumerate((
                             ("a", "remote four.example"), ("b", "remote six.example"),
                             ("c", "local 192.0.2.1 remote both.example"),
                             ("d", "remote both.example"), ("e", "remote two.example"),
                             ("f", "local 192.0.2.1 remote six.example"))))
        p = ns.sh(["unshare", "-m", "sh", "-c", f"mount --bind {d}/hosts /etc/hosts; {add}"],
                  check=False, env={**os.environ, "RES_OPTIONS": "attempts:1 timeout:1"})
        ksft_eq([(s["name"], s["remote"]) for s in vtap_json("session", ns)],
                [("a", "192.0.2.9"), ("b", "2001:db8::9"), ("c", "192.0.2.9")],
                "addresses of names, of the family that local has")
        said = p.stderr.splitlines()
        bad = 'vtap: "{}.example" is not a valid value for "remote": the name '
        ksft_true(len(said) == 3 and p.returncode == 2, "others are refused", p)
        for line, name, addresses in ((said[0], "both", {"192.0.2.9", "2001:db8::9"}),
                                      (said[1], "two", {"192.0.2.8", "192.0.2.9"})):
            text = bad.format(name) + "has several addresses: give one of them, "
            ksft_true(line.startswith(text) and set(line[len(text):].split(" or ")) == addresses,
                      f"{name}.example: both are named", line)
        ksft_true(said[2].startswith(bad.format("six") + "cannot be resolved: "),
                  "no address of this family", said[2])


def brief():
    """-br prints a line of columns for each object, which is cut at the width of a terminal."""
    with NetNS("brief") as ns:
        ns.ip("link add br0 type bridge")
        ns.ip("link add vnet0 master br0 type dummy")
        vtap_batch(ns, "session add ids type erspan2 remote 192.0.2.9 dev up0",
                   "session add a tap sec type port dev up0",
                   "rule add pref 10 port vnet* dir ingress ip_proto tcp dst_port https "
                   "action mirror ids", "rule add pref 200 port x master br0 action skip dup on",
                   "rule add pref 3 mac 02:00:00:00:00:01 src_ip 2001:db8:1234:5678::/64 dst_ip "
                   "2001:db8:8765:4321::/64 action skip")
        port = vtap_json("port show vnet0", ns)[0]
        hooks = f"{port['ingress_hook']}  {port['egress_hook']}"
        for words, want in (
                ("session", ["ids  erspan2  192.0.2.9 dev up0  no-device",
                             "a    port     dev up0            no-device  tap sec"]),
                ("tap", ["main  rules 3  sessions 1  ports 1",
                         "sec   rules 0  sessions 1  ports 0"]),
                ("port", [f"vnet0  {hooks}  br0"]),
                ("-s -d rule show pref 10", [
                    "1  10  vnet*  ingress  mirror ids  ip_proto tcp dst_port 443"]),
                ("rule", ["3  3    mac 02:00:00:00:00:01  both     skip        src_ip "
                          "2001:db8:1234:5678::/64 dst_ip 2001:db8:8765:4321::/64",
                          "1  10   vnet*                  ingress  mirror ids  ip_proto tcp "
                          "dst_port 443",
                          "2  200  x master br0           both     skip        dup on"])):
            ksft_eq(vtap(f"-br {words}", ns).stdout.splitlines(), want, words)
        ksft_eq(vtap("-br -j rule", ns).stdout, vtap("-j rule", ns).stdout, "JSON is as without")
        ksft_eq(vtap("-br rule show pref 9", ns).stdout, "", "no object")
        lines = on_terminal(ns, "-br rule", NO_COLOR="1").splitlines()
        ksft_eq((len(lines), max(map(len, lines)), lines[0][-1], lines[1][-3:]),
                (3, 80, "+", "443"), "80 columns of a terminal")


def json_errors():
    """With -j a refusal is an object on standard error, and standard output stays empty."""
    with NetNS("errors") as ns, conf("\nsession add s type gre remote 0.0.0.0\n") as path, \
            conf("") as none:
        for args, code, want in (
                (["session", "shwo"], 2, {"error": '"shwo" is not a command of "session": did you '
                                                   'mean "show"?'}),
                (["rule", "del", "99"], 1, {"error": "no rule has this id"}),
                (["apply", path], 1, {"error": "remote is not a usable collector address",
                                      "where": path, "line": 2}),
                (["apply", none], 2, {"where": none})):
            p = ns.sh([VTAP, "-j", *args], check=False)
            found = json.loads(p.stderr)
            ksft_eq((p.returncode, p.stdout, {**found, **want}), (code, "", found), str(args))
        ns.ip("link add p0 type dummy")
        vtap("rule add pref 1 port p0 action skip", ns)
        p = vtap("-j session add loop type port dev p0", ns)
        ksft_true("is tapped" in json.loads(p.stderr)["warning"], "a warning", p)


def schema():
    """`vtap -j OBJECT help` is a JSON Schema with every key that show prints, and no other."""
    with NetNS("schema") as ns, conf(CONFIG) as config:
        ns.ip("link add v00 type dummy")
        vtap(["-b", config], ns)
        vtap("rule add pref 9 port x filter udp sample flow 3 action mirror raw", ns)
        for name in ("session", "rule", "port", "tap"):
            rules = jsonschema.Draft202012Validator(vtap_json(f"{name} help"))
            found = vtap_json(f"-s -d {name} show", ns)
            bad = [e.message for e in rules.iter_errors(found)]
            ksft_true(found and not bad, f"{name}: what show prints is valid", bad)
            ksft_true(not rules.is_valid([{**found[0], "none": 1}]), f"{name}: no other key is")


def services():
    """A service stands for its port, wherever ports are given."""
    with NetNS("services") as ns, conf(
            "session add v type vxlan remote 192.0.2.9 key 1 dport domain\n"
            "rule add pref 1 port x src_port domain-s dst_port https ip_proto tcp action mirror v\n"
            "rule add pref 2 port x tunnel gre inner dst_port ssh action mirror v\n") as path:
        vtap(["apply", path], ns)
        ksft_eq(vtap("save", ns).stdout,
                "session add v type vxlan remote 192.0.2.9 key 1 dport 53\n"
                "rule add pref 1 port x ip_proto tcp src_port 853 dst_port 443 action mirror v\n"
                "rule add pref 2 port x tunnel gre inner dst_port 22 action mirror v\n",
                "save writes numbers")
        ksft_eq(vtap_json("rule show", ns)[0]["match"]["dst_port"], 443, "JSON has a number")
        ksft_eq(vtap(["-d", "apply", path], ns).stdout, "", "nothing to change")
        refused("no service of the protocol", "rule add pref 3 port x dst_port ssh ip_proto udp "
                "action skip".split(), 2, '"ssh" of "dst_port" is no service of udp', ns)
        ksft_eq(len(vtap_json("rule show", ns)), 2, "nothing is made")


def selectors():
    """show and del take words, and mean the same objects by them; del deletes all or none."""
    with NetNS("pick") as ns, conf(CONFIG) as config:
        ns.ip("link add v00 type dummy")
        vtap(["-b", config], ns)
        vtap("session add raw tap sec type port dev up0", ns)
        vtap("rule add tap sec pref 5 port y dst_port 80 action mirror raw", ns)
        for words, prefs in (
                ("pref 7", [7, 7, 7]), ("pref 7 tunnel gre", [7]), ("tap sec", [5]),
                ("dst_port http", [5, 5]), ("dst_port 80 ip_proto tcp", [5]), ("dst_port 81", []),
                ("session raw", [0, 5, 5]), ("action mirror raw", [5, 5]), ("port v00", [0]),
                ("dup on", [5]), ("dup off pref 5", [5, 5]), ("mac 02:00:00:00:00:0c", [5]),
                ("src_ip 2001:db8:1::/32", [6, 7]), ("src_ip 2001:db8::1", []),
                ("ip_flags nofrag", [4294967295]), ("tcp_flags syn/syn,ack", [5]),
                ("inner vlan_id 5 src_ip 10.0.0.0/8 dst_port 80-90", [7]), ("dir egress", [0]),
                ("id 3 pref 5", [5]), ("id 3 pref 6", [])):
            ksft_eq([r["pref"] for r in vtap_json(f"rule show {words}", ns)], prefs,
                    f"rule show {words}")
        for words, names in (("dev up0", ["gre", "ll", "llm", "raw", "raw"]), ("mtu drop", ["e1"]),
                             ("remote 2001:db8::9", ["e1"]), ("type gre decap on", ["gre"]),
                             ("raw tap sec dev up0", ["raw"]), ("raw tap sec dev up1", [])):
            ksft_eq(sorted(s["name"] for s in vtap_json(f"session show {words}", ns)), names,
                    f"session show {words}")
        before = vtap_json("rule show", ns)
        refused("nothing to delete", ["rule", "del", "dst_port", "81"], 1,
                'no rule of tap "main" has these words', ns)
        refused("del of no such port", ["rule", "del", "port", "x"], 1, "there is no such device",
                ns)
        ksft_eq(vtap_json("rule show", ns), before, "nothing is deleted")
        gone = {n: [f"rule del id {r['id']}" for r in before if r["pref"] == n] for n in (6, 7)}
        with Monitor(ns) as events:
            ksft_eq(vtap("rule del pref 7", ns).stdout, "3 rules deleted\n", "three at once")
            ksft_eq(vtap("rule del pref 6 src_ip 2001:db8::/32", ns).stdout, "1 rule deleted\n",
                    "one")
            seen = [" ".join(line.split()[:4]) for line in events.lines(gone[6][0])]
            ksft_eq([line for line in seen if "rule del" in line], gone[7] + gone[6],
                    "an event for each")
        left = [r["id"] for r in before if r["pref"] not in (6, 7)]
        ksft_eq([r["id"] for r in vtap_json("rule show", ns)], left, "all others are left")
        ksft_eq(vtap("rule del session raw", ns).stdout, "2 rules deleted\n", "by their session")
        ids = [r["id"] for r in vtap_json("rule show session raw", ns)]
        ksft_eq(len(ids), 1, "what another tap has is left")
        ksft_eq(vtap_json("rule del tap sec", ns), [{"id": i} for i in ids],
                "until it is named; JSON: their ids")
        ksft_eq(vtap_json("rule show tap sec", ns), [], "which are gone")


SAME = (
    # what is saved, and other words for it
    ("src_ip 10.0.0.0/8,2001:db8::/32 dst_port 80,443,8000-8100",
     "dst_port '{ http, https, 8000-8100 }' src_ip 10.9.9.9/8,2001:db8::/32",
     "src_ip 10.0.0.0/8 dst_port 80,443,8000-8100 or dst_port 80 src_ip 2001:db8::/32 or "
     "dst_port 443,8000-8100 src_ip 2001:db8::/32"),
    ("src_ip 192.0.2.1 or dst_ip 192.0.2.1",),
    ("src_mac 02:00:00:00:00:01,02:00:00:00:00:02 protocol ip,arp,0x1234 vlan_id 1,2 vlan_prio 3",
     "vlan_prio 3 vlan_id 1,2 protocol 0x800,0x806,0x1234 src_mac "
     "02:00:00:00:00:01,02:00:00:00:00:02/ff:ff:ff:ff:ff:ff"),
    # no product
    ("ip_proto tcp dst_port 80,443 or ip_proto udp dst_port 53 or tcp_flags 0x2/0x12 or "
     "tcp_flags 0x1/0x1",
     "dst_port 80,443 ip_proto tcp or dst_port domain ip_proto udp or tcp_flags syn/syn,ack or "
     "tcp_flags fin/fin"),
    ("not src_ip 10.0.0.0/8 not dst_port 80,443",
     "not src_ip 10.0.0.0/8 not dst_port 80 not dst_port 443"),
    ("dst_port 80,443 not src_ip 10.0.0.0/8,10::/16",
     "not src_ip '{10.0.0.0/8, 10::/16}' dst_port 80,443"),
    ("not ip_flags frag not ip_proto icmp,icmpv6 except ip_proto tcp dst_port 22,80 except "
     "vlan_id 7",
     "not ip_flags frag not ip_proto icmp,icmpv6 except dst_port 22 ip_proto tcp except "
     "ip_proto tcp dst_port 80 not vlan_id 7"),
    ("tunnel vxlan tunnel_key 5,6 inner ip_proto tcp dst_port 80,443",
     "inner dst_port 80,443 ip_proto tcp tunnel_key 5,6 tunnel vxlan"),
    ("dst_port 8472 tunnel vxlan inner vlan_id 5 except dst_port 8472 tunnel vxlan inner "
     "dst_port 80,443",
     "tunnel vxlan dst_port 8472 inner not dst_port 80,443 vlan_id 5"),
    ("tunnel gre except tunnel gre inner dst_port 80", "tunnel gre inner not dst_port 80"),
    ("tunnel gre inner dst_port 80 or tunnel vxlan,geneve inner src_port 7,8 except "
     "dst_port 22 except vlan_id 3 ip_proto tcp",
     "tunnel gre inner dst_port 80 or tunnel vxlan inner src_port 7,8 or tunnel geneve "
     "inner src_port 7,8 except dst_port 22 except ip_proto tcp vlan_id 3"),
    ("dst_port " + ",".join(str(n) for n in range(1, 512, 2)),
     "dst_port " + " or dst_port ".join(str(n) for n in range(1, 512, 2))),
)


def lists():
    """Lists, alternatives and exceptions: save, apply and JSON give exactly the same again; however
    they are said, the same is saved."""
    lines = [f"rule add pref {n} port x {same[0]} action skip" for n, same in enumerate(SAME)]
    saved = "\n".join(lines) + "\n"
    rules = jsonschema.Draft202012Validator(vtap_json("rule help"))
    with NetNS("lists") as ns, conf(saved) as path, Monitor(ns) as events:
        vtap(["apply", path], ns)
        ksft_eq(vtap("save", ns).stdout.splitlines(), lines, "save prints what was applied")
        seen = [line for line in events.lines(r"rule add.* pref 11 ") if line.startswith("rule ")]
        ksft_eq([line.split(" ports ")[0] for line in seen],
                [f"rule add id {n + 1} " + line.removeprefix("rule add ")
                 for n, line in enumerate(lines)], "and so does monitor")
        ksft_eq(vtap(["-d", "apply", path], ns).stdout, "", "nothing to change")
        shown = vtap_json("-s -d rule show", ns)
        bad = [e.message for e in rules.iter_errors(shown)]
        ksft_true(not bad, "JSON is valid", bad)
        ksft_eq([(len(r["match"]) if isinstance(r.get("match"), list) else 1,
                  len(r.get("except", []))) for r in shown],
                [(6, 0), (2, 0), (12, 0), (5, 0), (1, 3), (2, 2), (1, 6), (4, 0), (1, 2), (1, 1),
                 (5, 2), (256, 0)], "JSON: an object for each combination and exception")
        ksft_eq((shown[7]["match"][1], shown[9]["except"]),
                ({"tunnel": "vxlan", "tunnel_key": 5, "inner": {"ip_proto": 6, "dst_port": 443}},
                 [{"tunnel": "gre", "inner": {"dst_port": 80}}]), "with plain values")
        for wrong in ({"match": [{"dst_port": 1}]}, {"match": [{"dst_prt": 1}, {}]},
                      {"except": {"dst_port": 1}}, {"except": []}, {"not": "dst_port 80"}):
            ksft_true(not rules.is_valid([{**shown[0], **wrong}]), f"not valid: {wrong}")
        text = vtap("-j save", ns).stdout
        with ns.enter():
            p = sh([VTAP, "-d", "apply", "-"], input=text)
        ksft_eq(p.stdout, "", "JSON: nothing to change")
        vtap("rule flush", ns)
        with ns.enter():
            sh([VTAP, "apply", "-"], input=text)
        ksft_eq(vtap("save", ns).stdout.splitlines(), lines, "JSON makes the same")
        table = vtap("-br rule show pref 5", ns).stdout
        ksft_true("dst_port 80,443 not src_ip 10.0.0.0/8,10::/16" in table and len(table) <= 80,
                  "the table has them, in 80 columns", table)
        for n, same in enumerate(SAME):
            for other in same[1:]:
                words = f"rule add pref {n} port x {other} action skip\n"
                with conf("".join([*(f"{line}\n" for line in lines[:n]), words,
                                   *(f"{line}\n" for line in lines[n + 1:])])) as again:
                    ksft_eq(vtap(["-d", "apply", again], ns).stdout, "",
                            f"the same as {same[0][:60]}: {other[:60]}")


def list_changes():
    """set replaces all alternatives or all exceptions, and leaves the others; apply sets what
    differs; words pick rules by their values."""
    def match(ns):
        return vtap("save", ns).stdout.strip().partition(" port x ")[2].rpartition(" action")[0]

    with NetNS("change") as ns:
        vtap("rule add pref 1 port x dst_port 80,443 not src_ip 10.0.0.0/8 action skip", ns)
        before = vtap_json("rule show", ns)[0]["id"]
        for words, want in (
                ("dst_port 22", "dst_port 22 not src_ip 10.0.0.0/8"),
                ("not vlan_id 7,8", "dst_port 22 not vlan_id 7,8"),
                ("no match", "not vlan_id 7,8"),
                ("dst_ip ::1,::2 except ip_proto tcp dst_port 1",
                 "dst_ip ::1,::2 except ip_proto tcp dst_port 1"),
                ("no except", "dst_ip ::1,::2"),
                ("no match no except", "")):
            vtap(f"rule set 1 {words}", ns)
            ksft_eq(match(ns), want, f"set {words}")
        for want in ("dst_port 80,443", "dst_port 80,443 not vlan_id 1", "not vlan_id 1,2",
                     "src_ip 10.0.0.1 or dst_ip 10.0.0.1 not vlan_id 1,2", "",
                     "tunnel gre inner dst_port 80,443 except vlan_id 1", "dst_port 80"):
            with conf(f"rule add pref 1 port x {want} action skip\n") as path:
                vtap(["apply", path], ns)
            ksft_eq((match(ns), vtap_json("rule show", ns)[0]["id"]), (want, before),
                    f"apply makes it: {want}")
    with NetNS("pick") as ns:
        vtap_batch(ns, *[f"rule add pref {n} port x {words} action skip" for n, words in enumerate((
            "dst_port 80,443", "dst_port 80", "dst_port 443,80 ip_proto tcp not src_ip 10.0.0.1",
            "dst_port 80 or src_port 80", "not src_ip 10.0.0.1,10.0.0.2",
            "except ip_proto tcp vlan_id 7", "tunnel gre inner dst_port 80,443"))])
        for words, prefs in (
                ("dst_port 80", [1]), ("dst_port 80,443", [0, 2]), ("dst_port 443,80", [0, 2]),
                ("dst_port 80,443 ip_proto tcp", [2]), ("not src_ip 10.0.0.1", [2, 4]),
                ("not src_ip 10.0.0.2,10.0.0.1", [4]), ("not src_ip 10.0.0.3", []),
                ("except vlan_id 7 ip_proto tcp", [5]), ("not vlan_id 7", []),
                ("inner dst_port 80,443", [6]), ("inner dst_port 80", []),
                ("dst_port 443", []), ("not src_ip 10.0.0.1 dst_port 80,443", [2])):
            ksft_eq([r["pref"] for r in vtap_json(f"rule show {words}", ns)], prefs,
                    f"rule show {words}")
        ksft_eq(vtap("rule del dst_port 443,80", ns).stdout, "2 rules deleted\n", "rule del")
        ksft_eq([r["pref"] for r in vtap_json("rule show", ns)], [1, 3, 4, 5, 6],
                "deletes those and no other")


if __name__ == "__main__":
    modprobe("bridge", "dummy")
    ksft_run([monitor_objects, timestamps, oneline, brief, colors, hosts, json_errors, schema,
              services, selectors, lists, list_changes])
    ksft_exit()
