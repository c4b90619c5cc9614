#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The vtap tool against the kernel: its examples, output, files, monitor and exit codes. What needs
no kernel is in its own test.sh."""
import json
import os
import re
import tempfile

import yaml

from lib import (REPO, VTAP, NetNS, Sender, Sniffer, Topology, ksft_eq, ksft_exit, ksft_run,
                 ksft_true, modprobe, sh, vtap, vtap_json)
from lib.cli import CONFIG, Monitor, conf, refused

EXAMPLES = """
    vtap session add ids type erspan2 remote 192.0.2.9 id 100
    vtap session add rec type gre remote 2001:db8::9 key 7 snaplen 256 mtu truncate rate 1gbit
    vtap rule add pref 10 port 'vnet*' dir both ip_proto tcp dst_port 445 action skip
    vtap rule add pref 20 port 'vnet*' dir both src_ip 10.0.0.0/8 action mirror ids,rec
    vtap rule add pref 30 master br0 dir ingress filter 'udp port 53 or icmp' \
        action mirror ids sample 10
    vtap -s session show; vtap port show; vtap -j -p rule show
    timeout 1 vtap monitor || test $? = 124
    vtap save > /etc/vtap/vtap.conf; vtap apply /etc/vtap/vtap.conf
"""
SMALL = "session add s type gre remote 192.0.2.9\n" \
        "rule add pref 1 port vnet0 dir ingress src_ip 10.0.0.1 action mirror s\n" \
        "rule add pref 2 port vnet1 ip_proto udp action skip\n"


def spec():
    """Return: the attribute names of each set of the specification, as the tool writes them,
    without padding."""
    with open(REPO + "/Documentation/netlink/specs/vtap.yaml", encoding="utf-8") as f:
        sets = yaml.load(f, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["attribute-sets"]
    return {s["name"]: {a["name"].replace("-", "_") for a in s["attributes"]} - {"pad"}
            for s in sets}


def everything(ns):
    """Return: sessions and rules of NS, without counters."""
    return vtap_json("session show", ns), vtap_json("rule show", ns)


def examples():
    """The examples of the design and of the manual page run as they stand there."""
    with open(REPO + "/tools/vtap/vtap.8", encoding="utf-8") as f:
        page = f.read().split(".SH EXAMPLES")[1].split(".SH")[0].replace("\\-", "-")
    page = "\n".join(re.findall(r"^\.B (vtap .*)", page, re.M))
    for name, text, more in (("design", EXAMPLES, 0), ("manual page", page, 1)):
        with NetNS("ex") as ns, tempfile.TemporaryDirectory(dir="/run") as etc:
            ns.ip("link add vnet0 type dummy", "link set vnet0 addrgenmode none",
                  "link set vnet0 up", "link add up0 type dummy",
                  "link set up0 up", "address add 192.0.2.1/24 dev up0",
                  "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev up0 nud permanent")
            lines = list(filter(None, map(str.strip, text.splitlines())))
            path = os.path.dirname(VTAP) + ":" + os.environ.get("PATH",
                                                                "/usr/sbin:/usr/bin:/sbin:/bin")
            # one shell for all, which takes as long to start as the tool
            script = "\n".join(f"(set -e; {line}\n) > {etc}/{i} 2> {etc}/{i}.err; "
                               f"echo status $? >> {etc}/{i}" for i, line in enumerate(lines))
            ns.sh(["bash", "-c", script.replace("/etc/vtap", etc)], cwd=etc,
                  env={**os.environ, "PATH": path})
            for i, line in enumerate(lines):
                with open(f"{etc}/{i}", encoding="utf-8") as out, \
                        open(f"{etc}/{i}.err", encoding="utf-8") as errors:
                    # a capture tells its beginning and its end there
                    said = out.read().splitlines(), re.sub(
                        r"^vtap: (capturing at|frames captured:) .*\n", "", errors.read(),
                        flags=re.M)
                ksft_true(said[0][-1] == "status 0" and not said[1], f"{name}: {line}", said)
            sessions, rules = everything(ns)
            ksft_eq(([s["name"] for s in sessions], [r["pref"] for r in rules]),
                    (["ids", "rec", *["acme", "dns"] * more],
                     [10, *[15] * more, 20, 30, *range(50, 54 if more else 50)]),
                    f"{name}: what is there then")
            want = "rule add pref 30 master br0 dir ingress filter 'udp port 53 or icmp' " \
                   "action mirror ids sample 10"
            ksft_true(any(set(want.split()) <= set(line.split())
                          for line in vtap("save", ns).stdout.splitlines()),
                      f"{name}: nothing of a rule got lost", lambda: vtap("save", ns).stdout)


def output():
    """JSON has the names of the specification; text and JSON have counters with -s only, and the
    right ones."""
    names = spec()
    with Topology() as t:
        h = t.host
        with conf(CONFIG) as path:
            vtap(["-b", path], h)
        vtap("rule add pref 1 port vnet0 dir ingress ip_proto udp action mirror raw", h)
        with Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as rx:
            tx.send(*[t.udp()] * 5)
            rx.frames(5)
        plain, full = vtap_json("session show", h), vtap_json("-s session show", h)
        ksft_eq(set().union(*full), names["session"] - {"icmp", "loop_port", "unset"},
                "sessions have all keys of the specification")
        ksft_eq({frozenset(s["stats"]) for s in full}, {frozenset(names["session-stats"])},
                "and their counters")
        ksft_eq(plain, [{k: v for k, v in s.items() if k != "stats"} for s in full],
                "without -s they are as with it, but for the counters")
        raw = {s["name"]: s for s in full}["raw"]
        ksft_eq((raw["stats"]["matched"], raw["stats"]["sent"], raw["stats"]["bytes"]),
                (5, 5, 5 * len(t.udp())), "a counter")
        only = {"key": "gre vx llm", "id": "e2 e3", "index": "e2", "vlan": "e2 e3",
                "seq": "gre off sum ll cut hid", "subheader": "e3",
                "dport": "vx llm", "offload": "gre off sum ll cut hid",
                "csum": "gre off sum ll cut hid"}
        ksft_eq({w: {s["name"] for s in plain if w in s} for w in only if w != "key"},
                {w: set(types.split()) for w, types in only.items() if w != "key"},
                "a session has the words that its type takes")
        ksft_eq({s["name"] for s in plain if "key" in s}, set(only["key"].split()),
                "a key only if it has one")
        text = vtap("-d session show raw", h).stdout
        ksft_true(" ttl 64 " in text and " seq " not in text, "text with defaults: the same", text)
        rules = vtap_json("-d -s rule show", h)
        ksft_eq(set().union(*rules) - names["rule"] - {"bytecode"}, set(),
                "rules have no other keys than the specification")
        ksft_eq(set().union(*[r.get("match", {}) for r in rules]) - names["match"], set(),
                "nor have matches")
        ksft_eq([(r["packets"], r["bytes"]) for r in rules if r["pref"] == 1],
                [(5, 5 * len(t.udp()))], "a rule's counters")
        ksft_true("packets" not in vtap("-j rule show", h).stdout, "without -s none")
        port = vtap_json("-s port show vnet0", h)[0]
        ksft_eq(set(port), names["port"] - {"reason", "rule", "session", "tap", "unseen"},
                "ports have all keys of the specification")
        ksft_eq(set(port["ingress"]), names["port-stats"], "and their counters")
        ksft_true(vtap("-p port show", h).stdout.count("\n") > 5, "-p is JSON over several lines")
        ksft_eq([p["name"] for p in json.loads(vtap("-p port show", h).stdout)],
                [p["name"] for p in vtap_json("port show", h)], "of the same content")
        text = vtap("-s session show raw", h).stdout
        ksft_true(text.startswith("raw type port dev up0 ") and " sent 5 " in text,
                  "text: one session with its counters", text)
        ksft_true("sent" not in vtap("session show raw", h).stdout, "text: no counters without -s")
        found = json.loads(vtap(f"-n {h.name} -j rule show id {rules[0]['id']}").stdout)
        ksft_eq([r["id"] for r in found], [rules[0]["id"]], "-n names the namespace")
        rule = {r["pref"]: r for r in rules}[1]["id"]
        for words, key, want in (
            (f"port show rule {rule}", "name", ["vnet0"]), ("port show session raw", "name",
                                                            ["vnet0", "vnet1"]),
            ("rule show port vnet0", "pref", [0, 1, 5]), ("rule show session raw port vnet0",
                                                          "pref", [1, 5]),
            ("rule show session gre port vnet0", "pref", []), ("rule show session off", "pref", []),
            ("rule show session raw tap main port vnet1", "pref", [5]),
            ("session show type vxlan", "name", ["llm", "vx"]), ("port show tap main", "name",
                                                                 ["vnet0", "vnet1"])):
            ksft_eq([o[key] for o in vtap_json(words, h)], want, words)
        ksft_eq([w for w in vtap("rule show session raw", h).stdout.split() if w == "session"], [],
                "a filter is no word of an object")
        ksft_eq(vtap_json("session show", t.col), [], "another namespace has nothing")


def codes():
    """Exit code 0, 1 when the kernel refuses, 2 for wrong usage; messages name the line of a file.
    More refusals, word for word, are in messages.py."""
    names = spec()
    with NetNS("codes") as ns:
        ksft_eq(vtap("session add s type gre remote 192.0.2.9", ns).returncode, 0, "0: done")
        refused("the kernel's text", ["session", "set", "s", "snaplen", "59"], 1,
                "snaplen is 0 or at least 60", ns)
        refused("no such rule", ["rule", "del", "id", "99"], 1, "no rule has this id", ns)
        refused("not root", ["session"], 1, "it takes CAP_NET_ADMIN", ns, user=65534)
        refused("ports of no such rule", ["port", "show", "rule", "99"], 1, "no rule has this id",
                ns)
        refused("ports of no such session", ["port", "show", "session", "x"], 1,
                "no session has this name", ns)
        refused("no such namespace", ["-n", "vtap-none", "session"], 1, "vtap-none", ns)
        refused("no such word", ["session", "set", "s", "tt", "1"], 2, '"tt"', ns)
        bad = "session add a type gre remote 192.0.2.9\n\nsession del none\n" \
              "session add b type gre remote 192.0.2.9\n"
        with conf(bad) as path:
            refused("batch: a line that the kernel refuses", ["-b", path], 1,
                    f'{path}:3: session "none": no session has this name', ns)
            ksft_eq([s["name"] for s in vtap_json("session show", ns)], ["s"],
                    "batch: then none of its lines is done")
            refused("batch: -force", ["-force", "-b", path], 1,
                    f'{path}:3: session "none": no session has this name', ns)
            ksft_eq([s["name"] for s in vtap_json("session show", ns)], ["s", "a", "b"],
                    "batch: -force does the others")
        with conf("session del s\nsession add c tpye gre\n") as path:
            refused("batch: a line that is wrong", ["-b", path], 2, f"{path}:2: ", ns)
        refused("batch: no such file", ["-b", "/run/none"], 1, "/run/none", ns)
        with ns.enter():
            sh([VTAP, "-b", "-"], input="session flush # all of them\n")
        ksft_eq(vtap_json("session show", ns), [], "batch: from standard input")
        for kind, without in (("session", {"name", "state", "egress", "path_mtu", "loop_port",
                                           "icmp", "stats", "unset"}),
                              ("rule", {"id", "packets", "bytes", "match", "session", "ports",
                                        "unset"})):
            text = vtap(kind + " help").stdout
            words = names[kind] - without - {"filter_text", "sample_flow", "slice_more"}
            words |= names["match"] if kind == "rule" else set()
            words = [w for w in words if not w.endswith(("_mask", "_len", "_max"))]
            missing = [w for w in words if not re.search(r"\b" + w + r"\b", text)]
            ksft_eq(missing, [], f"{kind} help has every word")


def apply():
    """save | apply gives the same again; apply touches only what differs, and nothing when the file
    is wrong."""
    with NetNS("apply") as ns, Monitor(ns) as events:
        ns.ip("link add up0 type dummy")
        with conf(CONFIG) as path:
            vtap(["apply", path], ns)
        saved, before = vtap("save", ns).stdout, everything(ns)
        ksft_eq([len(part) for part in before], [12, 9], "all is there")
        with ns.enter():
            sh([VTAP, "apply", "-"], input=saved)
        ksft_eq(everything(ns), before, "save | apply changes nothing, ids included")
        as_json = vtap("-j save", ns).stdout
        with ns.enter():
            p = sh([VTAP, "-d", "apply", "-"], input=as_json)
        ksft_eq((p.stdout, everything(ns)), ("", before), "nor does -j save | apply")
        vtap("session add fence type port dev none", ns)
        lines = events.lines("fence")
        ksft_eq([line for line in lines if "add" not in line.split()[1]
                 and "change" not in line.split()[1]], [], "and is no event")
        ksft_eq(len([line for line in lines if line.split()[1] == "add"]),
                sum(len(part) for part in before) + 1, "each object was added once")
        for name, text in (("text", saved), ("JSON", as_json)):
            vtap("rule flush", ns)
            vtap("session flush", ns)
            with ns.enter():
                sh([VTAP, "apply", "-"], input=text)
            ksft_eq(vtap("save", ns).stdout, saved,
                    f"{name}: into an empty namespace it makes the same")
        for name, text, code in (("a wrong word", "session add x tpye gre\n", 2),
                                 ("a name twice", SMALL + SMALL[:40] + "\n", 2)):
            with conf(text) as path:
                refused(f"apply: {name}", ["apply", path], code, path + ":", ns)
            ksft_eq(vtap("save", ns).stdout, saved, f"apply: {name}: nothing changed")
        with conf(SMALL.replace("192.0.2.9", "0.0.0.0")) as path:
            refused("apply: what the kernel refuses", ["apply", path], 1,
                    f"{path}:1: remote is not a usable collector address", ns)
        with conf(json.dumps({"sessions": [{"name": "x", "type": "gre", "remote": "0.0.0.0"}]})) \
                as path:
            refused("apply: JSON that the kernel refuses", ["apply", path], 1,
                    f"{path}: sessions[0]: remote is not a usable collector address", ns)
        refused("apply of nothing", ["apply", "/dev/null"], 2, "there is no command in it", ns)
        ksft_eq(vtap("save", ns).stdout, saved, "apply of nothing: nothing changed")
        vtap("-force apply /dev/null", ns)
        ksft_eq(everything(ns), ([], []), "apply of nothing with -force removes all")


def save():
    """save FILE replaces the file as a whole, and never with nothing unless it is told to."""
    with NetNS("save") as ns, tempfile.TemporaryDirectory(dir="/run") as d, conf(CONFIG) as config:
        path = d + "/vtap.conf"

        def content():
            with open(path, encoding="utf-8") as f:
                return f.read()

        vtap(["save", path], ns)
        ksft_eq(content(), "", "nothing into a new file")
        vtap(["apply", config], ns)
        saved = vtap("save", ns).stdout
        os.chmod(path, 0o640)
        os.chown(path, 1, 2)
        os.symlink("vtap.conf", d + "/link")
        vtap(["save", d + "/link"], ns)
        ksft_eq(content(), saved, "the file is what save prints")
        st = os.stat(path)
        ksft_eq((st.st_mode & 0o777, st.st_uid, st.st_gid), (0o640, 1, 2),
                "with its mode and owner")
        ksft_true(os.path.islink(d + "/link"), "a link stays one")
        vtap("rule flush", ns)
        vtap("session flush", ns)
        refused("nothing over something", ["save", path], 1, f"{path}: there is nothing to save",
                ns)
        refused("nothing over something, in JSON", ["-j", "save", path], 1,
                f"{path}: there is nothing to save", ns)
        ksft_eq(content(), saved, "the file is kept")
        vtap(["-force", "save", path], ns)
        ksft_eq(content(), "", "-force empties it")
        refused("a directory", ["save", d], 1, f"{d}: not a regular file", ns)
        refused("no such directory", ["save", d + "/none/x"], 1, "No such file or directory", ns)
        ksft_eq(sorted(os.listdir(d)), ["link", "vtap.conf"], "nothing is left beside it")


def check():
    """-check asks the kernel, and changes nothing, ids and events included."""
    with NetNS("check") as ns, Monitor(ns) as events, conf(CONFIG) as config:
        p = vtap(["-c", "apply", config], ns)
        ksft_eq((p.returncode, p.stdout, p.stderr), (0, "", ""), "a good file")
        ksft_eq(everything(ns), ([], []), "nothing is there")
        vtap(["apply", config], ns)
        before = everything(ns)
        ksft_eq(min(r["id"] for r in before[1]), 1, "rule ids start at 1")
        with conf(SMALL) as path:
            p = vtap(["-c", "-d", "apply", path], ns)
            ksft_true(p.returncode == 0 and "session add s" in p.stdout,
                      "-d prints what would be done", p.stdout + p.stderr)
        ksft_eq(everything(ns), before, "nothing has changed")
        with conf("\n" + SMALL.replace("192.0.2.9", "0.0.0.0")) as path:
            refused("what the kernel refuses", ["-c", "apply", path], 1,
                    f"{path}:2: remote is not a usable collector address", ns)
            with conf(f"include {path}\n") as outer:
                refused("and from an included file", ["-c", "apply", outer], 1, f"{path}:2: remote",
                        ns)
                refused("apply names that file, too", ["apply", outer], 1, f"{path}:2: remote", ns)
                refused("and so does a batch", ["-b", outer], 1, f"{path}:2: remote", ns)
        with conf(f"include {config}\n") as outer:
            p = vtap(["-c", "-d", "apply", outer], ns)
            ksft_eq((p.returncode, p.stdout, p.stderr), (0, "", ""),
                    "a file that includes what is there changes nothing")
        ksft_eq(everything(ns), before, "still nothing has changed")
        vtap("session add fence type port dev none", ns)
        lines = [line for line in events.lines("fence") if "add" not in line.split()[1]
                 and "change" not in line.split()[1]]
        ksft_eq(lines, [], "and nothing was an event")


def boot():
    """What vtap.service runs: start applies, reload changes all or nothing, stop removes what start
    applied."""
    with NetNS("boot") as ns, tempfile.TemporaryDirectory(dir="/run") as d:
        os.makedirs(d + "/etc/vtap.d")
        env = {**os.environ, "VTAP": VTAP, "VTAP_ETC": d + "/etc", "RUNTIME_DIRECTORY": d}

        def service(action, text=None):
            if text is not None:
                with open(d + "/etc/vtap.conf", "w", encoding="utf-8") as f:
                    f.write(text)
            return ns.sh([REPO + "/tools/packaging/vtap-boot", action], check=False, env=env)

        def names():
            return [s["name"] for s in everything(ns)[0]]

        vtap("session add own type gre remote 192.0.2.9", ns)
        ksft_eq(service("start").returncode, 0, "start without a file")
        ksft_eq(service("stop").returncode, 0, "stop after that")
        ksft_eq(names(), ["own"], "leave what there is")
        p = service("start", SMALL)
        ksft_eq((p.returncode, p.stderr), (0, ""), "start")
        ksft_eq(names(), ["s"], "applies the file")
        p = service("reload", SMALL.replace("192.0.2.9", "0.0.0.0"))
        ksft_true(p.returncode == 1 and "vtap.conf:1: remote" in p.stderr,
                  "reload of a wrong file fails and says why", p.stderr)
        ksft_eq(vtap_json("session show", ns)[0]["remote"], "192.0.2.9", "and changes nothing")
        ids = [r["id"] for r in everything(ns)[1]]
        ksft_eq(service("reload", SMALL.replace("192.0.2.9", "192.0.2.8")).returncode, 0, "reload")
        ksft_eq(vtap_json("session show", ns)[0]["remote"], "192.0.2.8", "changes what differs")
        ksft_eq([r["id"] for r in everything(ns)[1]], ids, "and nothing else")
        ksft_eq(service("stop").returncode, 0, "stop")
        ksft_eq(everything(ns), ([], []), "removes all")
        ksft_eq(service("start").returncode, 0, "start again")
        os.remove(d + "/etc/vtap.conf")
        ksft_eq(service("reload").returncode, 0, "reload without the file")
        ksft_eq(everything(ns), ([], []), "removes what it had applied")


def counters_go_on():
    """Apply leaves the counters of what stays."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as rx:
        def send(n):
            tx.send(*[t.udp()] * n)
            ksft_eq(len(rx.frames(n)), n, f"{n} frames arrive")

        def counters():
            return (vtap_json("-s session show", t.host)[0]["stats"]["sent"],
                    {r["pref"]: r["packets"] for r in vtap_json("-s rule show", t.host)})

        with t.host.enter():
            sh([VTAP, "apply", "-"], input=SMALL)
        send(3)
        ksft_eq(counters(), (3, {1: 3, 2: 3}), "before")
        ids = [r["id"] for r in vtap_json("rule show", t.host)]
        with t.host.enter():
            new = SMALL.replace("pref 2 port vnet1", "pref 2 port vnet1 dir egress")
            p = sh([VTAP, "-d", "apply", "-"],
                   input=new.replace("192.0.2.9", "192.0.2.9 ttl 9"))
        send(2)
        now = counters()
        ksft_eq((now[0], now[1][1]), (5, 5),
                "the session, which was changed, and the rule that stayed go on counting")
        ksft_eq(vtap_json("rule show", t.host)[0]["id"], ids[0], "the rule that stayed is the same")
        ksft_true("session set s" in p.stdout and "pref 1" not in p.stdout,
                  "-d tells what was done", p.stdout)


def monitor():
    """Changes are printed as they come."""
    with NetNS("monitor") as ns, Monitor(ns) as text, Monitor(ns, "-j") as js:
        vtap("session add s type gre remote 192.0.2.9", ns)
        ksft_eq(text.lines("add s")[-1:],
                ["session add s type gre remote 192.0.2.9 state no-route"], "a new session")
        vtap("rule add pref 7 port 'p*' dir ingress action mirror s", ns)
        ksft_eq(text.lines("rule add"), ["rule add id 1 pref 7 port 'p*' dir ingress action mirror "
                                         "s ports 0"], "a new rule")
        ns.ip("link add p0 index 77 type dummy")
        ksft_eq(text.lines("port add"), ["port add p0 ifindex 77 ingress_hook packet egress_hook "
                                         "none vm_sends ingress"], "a new port")
        vtap("rule set id 1 pref 8", ns)
        ksft_eq(text.lines("rule change"), ["rule change id 1 pref 8 port 'p*' dir ingress action "
                                            "mirror s ports 1"], "a changed rule")
        ns.ip("link del p0")
        ksft_true(text.lines("port del p0"), "a port less")
        vtap("rule flush", ns)
        ksft_true(text.lines("rule del id 1"), "a rule less")
        vtap("session del s", ns)
        ksft_true(text.lines("session del s"), "a session less")
        seen = [json.loads(line) for line in js.lines('"event":"del","name":"s"')]
        seen = [f"{e['object']} {e['event']}" for e in seen]
        want = ["session add", "rule add", "port add", "rule change", "port del", "rule del",
                "session del"]
        ksft_eq(seen, want, "JSON: an object for each")


def unset():
    """no WORD gives a word its default back; apply does so as well, and leaves the object what it
    is."""
    with NetNS("unset") as ns:
        vtap("session add s type gre remote 192.0.2.9 key 7 local 192.0.2.1 dev up0 ttl 9 rate "
             "1mbit burst 1k", ns)
        vtap("session set s no key no local no dev no burst no rate ttl 3", ns)
        ksft_eq(vtap("save", ns).stdout, "session add s type gre remote 192.0.2.9 ttl 3\n",
                "a session")
        vtap("rule add pref 1 port a* master br0 dir egress src_ip 10.0.0.1 filter udp action "
             "mirror s sample flow 9 dup on", ns)
        vtap("rule set id 1 no master no dir no match no filter no sample no dup", ns)
        ksft_eq(vtap("rule show", ns).stdout, "id 1 pref 1 port 'a*' action mirror s ports 0\n",
                "a rule")
        refused("a word without default", ["rule", "set", "id", "1", "no", "pref"], 1,
                "id, tap, pref and action cannot be unset", ns)
        refused("another one", ["session", "set", "s", "no", "remote"], 1,
                "name, tap, type and remote cannot be unset", ns)
        refused("one that is needed", ["rule", "set", "id", "1", "no", "port"], 1,
                "a rule needs port, master or mac", ns)
        more = "session add s type gre remote 192.0.2.9 key 1\n" \
               "rule add pref 1 port a* tcp_flags syn action mirror s\n"
        with conf(more) as path:
            vtap(["apply", path], ns)
        with conf("session add s type gre remote 192.0.2.9\n"
                  "rule add pref 1 port a* action mirror s\n") as path:
            out = vtap(["-d", "apply", path], ns).stdout
        ksft_eq(out, "session set s no key\nrule set id 1 no match\n", "apply: by set")
        ksft_eq(vtap("save", ns).stdout, "session add s type gre remote 192.0.2.9\n"
                "rule add pref 1 port 'a*' action mirror s\n", "and so it is")


def versions():
    """-V tells two versions, and loads nothing; a word that an older module does not know is
    refused with both."""
    with open(REPO + "/kmod/version.h", encoding="ascii") as f:
        version = re.search(r'VTAP_VERSION\t"(.*)"', f.read())[1]
    ksft_eq(vtap("-V").stdout, f"vtap {version}, module {version}\n", "-V")
    hidden = f"mount -t tmpfs none /sys/module && {VTAP} -V"
    ksft_eq(sh(["unshare", "-m", "sh", "-c", hidden]).stdout,
            f"vtap {version}, module not loaded\n", "-V without the module")
    made = sh(["make", "-s", "-C", REPO, "dkms-install", "-n", "tools="]).stdout
    ksft_true(f"/usr/src/vtap-{version}/dkms.conf" in made
              and f"s/#MODULE_VERSION#/{version}/" in made, "DKMS gets the same", made)
    newer, words = REPO + "/selftests/vtap-newer", "session add s type gre remote 192.0.2.9 csum on"
    text = f"csum is unknown to the module, version {version}, " \
           "which is older than the tool, version 99.9\n"
    with NetNS("newer") as ns, conf("session flush\n" + words) as path:
        for name, args, where in (("a command", words.split(), ""),
                                  ("a file", ["-b", path], f"{path}:2: ")):
            p = ns.sh([newer, *args], check=False)
            ksft_eq((p.returncode, p.stdout, p.stderr), (1, "", f"vtap: {where}{text}"),
                    f"{name} of a newer tool")
        ksft_eq(vtap_json("session show", ns), [], "and nothing is made")
        ns.sh([newer, *words.split()[:-2]])
        ksft_eq([s["name"] for s in vtap_json("session show", ns)], ["s"],
                "what the module knows it takes from a newer tool")


if __name__ == "__main__":
    modprobe("veth", "bridge", "dummy", "tun")
    ksft_run([examples, output, codes, apply, save, check, boot, counters_go_on, monitor, unset,
              versions])
    ksft_exit()
