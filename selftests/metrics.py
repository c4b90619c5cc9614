#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""vtap top and vtap metrics: their numbers are those of show -s, on a terminal, in a file, and
behind node_exporter in Prometheus."""
import collections
import contextlib
import fcntl
import glob
import http.client
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import urllib.parse

from lib import (REPO, VTAP, KsftSkipEx, Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit,
                 ksft_run, ksft_true, sh, vtap, vtap_batch, vtap_json)

FILES = REPO + "/tools/packaging/prometheus/"
LONG = "a-session-with-a-very-long-name"
SETUP = ["session add ids type gre remote 192.0.2.9 key 1",
         f"session add {LONG} tap sec type port dev none",
         "rule add pref 10 port vnet0 dir ingress ip_proto udp action mirror ids",
         f"rule add tap sec pref 5 port vnet0 dir ingress action mirror {LONG}",
         "rule add pref 20 port 'none*' action skip"]
KINDS = {"session": ("tap", "name"), "port": ("name", "direction"), "rule": ("id",),
         "tap": ("name",)}
SAMPLE = re.compile(r'^(vtap_\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (\d+)$')


@contextlib.contextmanager
def bed():
    """A Topology with SETUP; the host's ports are vnet0 alone. Yields it and a function that sends
    N frames through vnet0 and back. The collector answers each copy with an ICMP error."""
    with Topology() as t, Sender(t.a, "eth0") as tx, Sniffer(t.b, "eth0") as rx:
        t.col.sysctl(net__ipv4__icmp_ratelimit=0)
        vtap_batch(t.host, *SETUP)

        def shoot(n):
            tx.send(*[t.udp()] * n)
            if len(rx.frames(n)) < n:
                raise RuntimeError("frames got lost")
        yield t, shoot


def shown(ns, kind):
    """Return: {key: counters} of show -s, with the keys and the names of `top`."""
    found = {}
    for o in vtap_json(f"-s {kind} show", ns):
        if kind == "port":
            found.update({(o["name"], way): o[way] for way in ("ingress", "egress")})
        else:
            counters = o.get("stats", o)
            found[tuple(str(o[k]) for k in KINDS[kind])] = counters
    return found


class Top:
    """`vtap -j top by KIND` in NS, whose rates are summed up."""

    def __init__(self, ns, kind):
        self.kind, self.data, self.sums = kind, "", collections.defaultdict(collections.Counter)
        self.p = ns.popen([VTAP, "-j", "top", "by", kind, "-d", "0.5"], stdout=subprocess.PIPE)
        self.line = None

    def close(self):
        """End it."""
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()

    def read(self):
        """Read a line, and add what it counts. Return: {key: counts} so far."""
        self.line = json.loads(self.p.stdout.readline())
        for row in self.line[self.kind]:
            key = tuple(row[k] for k in KINDS[self.kind])
            self.sums[key].update({k: v * self.line["seconds"] for k, v in row.items()
                                   if isinstance(v, float)})
        return {key: {k: round(v) for k, v in sums.items()} for key, sums in self.sums.items()}


def rates():
    """What top has told of by JSON is what has been counted; without traffic that is nothing."""
    with bed() as (t, shoot):
        shoot(7)
        before = {kind: shown(t.host, kind) for kind in KINDS}
        tops = {kind: Top(t.host, kind) for kind in KINDS}
        try:
            idle = {kind: top.read() for kind, top in tops.items()}
            shoot(300)
            after = {kind: shown(t.host, kind) for kind in KINDS}
            for kind, top in tops.items():
                ksft_eq({k for v in idle[kind].values() for k in v.values()}, {0},
                        f"by {kind}: no rates without traffic")
                want = {key: {k: v - before[kind][key][k] for k, v in after[kind][key].items()
                              if k in next(iter(idle[kind].values()))}
                        for key in after[kind]}
                ksft_true(busywait(lambda w=want, t=top: t.read() == w, step=0),
                          f"by {kind}: each counter of show -s", lambda w=want, t=top:
                          f"got  {t.read()}\nwant {w}")
        finally:
            for top in tops.values():
                top.close()
        ksft_eq(({key[0] for key in after["port"]},
                 after["session"]["sec", LONG]["drop_inactive"],
                 after["session"]["main", "ids"]["sent"]), ({"vnet0"}, 307, 307),
                "the tapped port is there alone, and there was something to count")


def lines():
    """A table fits 80 characters, has names cut with a mark, and is sorted by rate."""
    with bed() as (t, shoot):
        p = {by: t.host.popen([VTAP, "top", "by", by, "-b", "-d", "0.3"], stdout=subprocess.PIPE)
             for by in KINDS}
        tables = {}
        try:
            for by, top in p.items():
                def table(out=top.stdout):
                    rows = []
                    while (line := out.readline().rstrip("\n")):
                        rows.append(line)
                    return rows

                def busy(by=by, table=table):
                    shoot(20)
                    tables[by] = table()
                    return float(re.search(r" ([\d.]+)k? ", tables[by][1] + " ")[1])
                ksft_true(busywait(busy, step=0), f"by {by}: there are rates")
        finally:
            for top in p.values():
                top.kill()
                top.wait()
                top.stdout.close()
        for by, rows in tables.items():
            ksft_true(rows[0].startswith(by.upper() + " ") and max(map(len, rows)) <= 80,
                      f"by {by}: headings, and at most 80 characters", rows)
        ksft_eq(tables["session"][0].split(), "SESSION MATCH SENT BYTES INACT NOMEM MTU RATE XMIT "
                "LOOP FRAME".split(), "drops by cause")
        ksft_eq({row.split()[0] for row in tables["session"][1:]},
                {"ids", ("sec/" + LONG)[:18] + "+"}, "a long name is cut")
        ksft_eq([row.split()[0] + " " + row.split()[1] for row in tables["port"][1:]],
                ["vnet0 ing", "vnet0 egr"], "the port with the higher rate is first")
        ksft_true(any(" pref 10 port vnet0 dir" in row for row in tables["rule"]),
                  "a rule is shown with its words", tables["rule"])


def terminal():
    """On a terminal, keys say what is shown and how it is sorted, and q ends it."""
    with bed() as (t, _):
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        words = [VTAP, "top", "by", "rule", "-d", "60"]
        with t.host.enter():
            bad = subprocess.run(words, stdin=side, stdout=side, stderr=subprocess.PIPE, text=True,
                                 check=False, env={**os.environ, "TERM": "none"})
            p = subprocess.Popen(words, stdin=side, stdout=side, stderr=side,
                                 env={**os.environ, "TERM": "vt100"})
        os.close(side)
        ksft_eq((bad.returncode, bad.stderr),
                (1, 'vtap: terminal "none" is unknown: top -b does without\n'),
                "a terminal that is not known is refused")
        said = ""

        def says(text):
            nonlocal said

            def more():
                nonlocal said
                if select.select([main], [], [], 0)[0]:
                    with contextlib.suppress(OSError):
                        said += os.read(main, 4096).decode()
                return text in re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\x1b[()][0AB]|[\x0e\x0f]", "", said)
            found = busywait(more)
            ksft_true(found, f"the screen has {text!r}", lambda: said)
            said = ""
        try:
            says("top by rule")
            os.write(main, b"s")
            says("NOMEM")
            os.write(main, b">")
            says("SENT,")
            os.write(main, b"p")
            says("vnet0 ing")
            os.write(main, b"q")
            busywait(lambda: says_end(main) or p.poll() is not None)
            ksft_eq(p.wait(timeout=60), 0, "q ends it")
        finally:
            p.kill()
            p.wait()
            os.close(main)


def says_end(fd):
    """Read away what is left on a terminal. Return: False."""
    if select.select([fd], [], [], 0)[0]:
        with contextlib.suppress(OSError):
            os.read(fd, 4096)
    return False


def refusals():
    """What is wrong is refused with what it may be, and writes nothing."""
    with bed() as (t, _), tempfile.TemporaryDirectory(dir="/run") as d:
        for words, code, text in (
                ("top by queue", 2, '"queue" is not a valid value for "by": it is session, port, '
                                    "rule or tap"),
                ("top by", 2, '"by" requires a value'), ("top fast", 2, '"fast" is unknown to'),
                ("top -n 0", 2, '"0" is not a number of refreshes: it is 1 to 4294967295'),
                ("top -n 4294967296", 2, "is not a number of refreshes"),
                ("top -d 0.09", 2, '"0.09" is not a number of seconds: it is 0.1 to 3600'),
                ("top -d 3601", 2, "is not a number of seconds"),
                ("top -d nan", 2, "is not a number of seconds"),
                ("top -d 1s", 2, "is not a number of seconds"),
                (f"metrics {d}/a b", 2, f'unexpected "b" after "metrics {d}/a"'),
                (f"-j metrics {d}/a", 2, "not JSON"),
                (f"metrics {d}/none/a", 1, "No such file"), (f"metrics {d}", 1, "not a regular")):
            p = vtap(words, t.host, None)
            ksft_true((p.returncode, p.stdout, os.listdir(d)) == (code, "", []) and text in p.stderr
                      and p.stderr.count("\n") == 1, f"refuses: {words.replace(d, 'DIR')}", p)
        with t.host.enter():
            for words in (["metrics", d + "/a"], ["top", "-b", "-n", "1"]):
                p = sh([VTAP, *words], check=False, user=65534)
                ksft_true(p.returncode == 1 and "CAP_NET_ADMIN" in p.stderr and not os.listdir(d),
                          f"{words[0]}: not root", p)


def read_metrics(text):
    """Return: {(name, frozenset of labels): value} of what vtap metrics wrote."""
    found = {}
    for line in text.splitlines():
        m = SAMPLE.match(line)
        if not m:
            if not line.startswith("# "):
                raise ValueError(line)
            continue
        labels = frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2]))
        if (m[1], labels) in found:
            raise ValueError("twice: " + line)
        found[m[1], labels] = int(m[3])
    return found


def expected(ns):
    """Return: the same, of what show -s tells in NS."""
    want = {}

    def put(name, value, **labels):
        want["vtap_" + name, frozenset((k, str(v)) for k, v in labels.items())] = value

    for s in vtap_json("-s session show", ns):
        labels = {"tap": s["tap"], "session": s["name"]}
        for key, value in s["stats"].items():
            if key.startswith("drop_"):
                put("session_dropped_frames_total", value, cause=key[5:], **labels)
            elif key == "bytes":
                put("session_sent_bytes_total", value, **labels)
            else:
                put(f"session_{key}_frames_total", value, **labels)
        put("session_icmp_errors_total", s.get("icmp", {}).get("errors", 0), **labels)
        for state in ("active", "resolving", "no-route", "no-device", "loop"):
            put("session_state", int(s["state"] == state), state=state, **labels)
    for r in vtap_json("-s rule show", ns):
        labels = {"tap": r["tap"], "rule": r["id"], "pref": r["pref"]}
        put("rule_frames_total", r["packets"], **labels)
        put("rule_bytes_total", r["bytes"], **labels)
        put("rule_ports", r["ports"], **labels)
    for p in vtap_json("-s port show", ns):
        for way in ("ingress", "egress"):
            for key, value in p[way].items():
                kind = "copies" if key == "dup" else "frames"
                put(f"port_{key}_{kind}_total", value, direction=way, port=p["name"])
    for x in vtap_json("tap show", ns):
        for key in ("rules", "sessions", "ports"):
            put("tap_" + key, x[key], tap=x["name"])
    tool, module = re.match(r"vtap (\S+), module (\S+)", sh([VTAP, "-V"]).stdout).groups()
    put("module_info", 1, tool=tool, version=module)
    return want


def answered(ns, n):
    """Wait until N copies of session ids are answered. Return: whether they are."""
    return busywait(lambda: vtap_json("session show ids", ns)[0].get("icmp", {}).get("errors") == n)


def written():
    """The file has every counter of show -s, and only those; promtool finds nothing wrong."""
    with bed() as (t, shoot), tempfile.TemporaryDirectory(dir="/run") as top:
        d = top + "/node-exporter"
        os.mkdir(d)
        path = d + "/vtap.prom"
        shoot(5)
        ksft_true(answered(t.host, 5), "each copy is answered by an ICMP error")
        vtap(["metrics", path], t.host)
        with open(path, encoding="ascii") as f:
            text = f.read()
        got, want = read_metrics(text), expected(t.host)
        ksft_true(got == want, "every counter of show -s",
                  lambda: f"only there: {got.items() - want.items()}\n"
                          f"missing: {want.items() - got.items()}")
        ksft_eq(got["vtap_session_dropped_frames_total", frozenset(
            {("tap", "sec"), ("session", LONG), ("cause", "inactive")})], 5,
            "a drop is counted under its cause")
        ksft_eq([value for (name, _), value in got.items()
                 if name == "vtap_session_icmp_errors_total"], [5, 0],
                "ICMP errors are counted where copies are answered")
        ksft_eq({dict(labels)["port"] for _, labels in got if "port" in dict(labels)}, {"vnet0"},
                "a port that is not tapped is not there")
        states = collections.Counter()
        for (name, labels), value in got.items():
            if name == "vtap_session_state":
                states[dict(labels)["session"]] += value
        ksft_eq(set(states.values()), {1}, "a session is in one state")
        ksft_eq(vtap("metrics", t.host).stdout, text, "without a file: standard output")
        if shutil.which("promtool"):
            p = sh(["promtool", "check", "metrics"], input=text, check=False)
            ksft_true(p.returncode == 0 and not p.stderr, "promtool check metrics", p)
            p = sh(["promtool", "check", "metrics"], input=text.replace("# HELP", "# "),
                   check=False)
            ksft_true(p.returncode, "and it would find a mistake", p)
            with open(top + "/openmetrics", "w", encoding="ascii") as f:
                f.write(re.sub(r"^(vtap_.*)", r"\1 1700000000", text, flags=re.M))
            p = sh(["promtool", "tsdb", "create-blocks-from", "openmetrics", f.name, top + "/tsdb"],
                   check=False)
            ksft_true(p.returncode == 0, "Prometheus reads it as OpenMetrics, too", p)
        ino = os.stat(path).st_ino
        os.chmod(path, 0o640)
        vtap("rule flush", t.host)
        vtap(["metrics", path], t.host)
        st = os.stat(path)
        ksft_true(st.st_ino != ino and st.st_mode & 0o777 == 0o640 and os.listdir(d) == [
            "vtap.prom"], "the file is replaced as a whole, with the mode that it had", st)
        t.host.sh(["ip", "link", "add", 'v"\\\xe9', "type", "dummy"])
        vtap_batch(t.host, "rule flush tap sec", "rule add pref 1 port 'v\"*' action skip")
        got = {label for _, labels in read_metrics(vtap("metrics", t.host).stdout)
               for label in labels if label[0] == "port"}
        ksft_eq(got, {("port", r'v\"\\\\xc3\\xa9')}, "the name of a device is quoted")
        vtap_batch(t.host, "rule flush", "session flush", "session flush tap sec")
        ksft_eq({name for name, _ in read_metrics(vtap("metrics", t.host).stdout)},
                {"vtap_module_info"}, "without sessions and rules there is the module alone")


class Prometheus:
    """node_exporter, which reads *.prom in DIR, and Prometheus with vtap's rules and console page,
    on loopback in NS."""
    CONFIG = """
        global: {{scrape_interval: 1s, evaluation_interval: 1s}}
        rule_files: [{rules}]
        scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:9100"]}}]}}]
    """

    def __init__(self, ns, d):
        self.ns = ns
        os.mkdir(d + "/consoles")
        shutil.copy(FILES + "vtap.html", d + "/consoles")
        with open(d + "/prometheus.yml", "w", encoding="ascii") as f:
            f.write(self.CONFIG.format(rules=FILES + "vtap-rules.yml"))
        self.log = open(d + "/log", "w+", encoding="utf-8")
        quiet = {"stdout": self.log, "stderr": self.log}
        self.procs = [
            ns.popen(["prometheus-node-exporter", "--web.listen-address=127.0.0.1:9100",
                      "--collector.disable-defaults", "--collector.textfile",
                      f"--collector.textfile.directory={d}"], **quiet),
            ns.popen(["prometheus", f"--config.file={d}/prometheus.yml",
                      "--web.listen-address=127.0.0.1:9090", f"--storage.tsdb.path={d}/data",
                      f"--web.console.templates={d}/consoles", "--web.console.libraries="
                      "/usr/share/doc/prometheus/examples/console_libraries"], **quiet)]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for p in self.procs:
            p.kill()
            p.wait()
        self.log.close()

    def get(self, path):
        """Return: (status, body) of an HTTP request, (0, "") when nobody listens yet."""
        with self.ns.enter(), contextlib.closing(http.client.HTTPConnection(
                "127.0.0.1", 9090, timeout=60)) as conn:
            try:
                conn.request("GET", path)
                r = conn.getresponse()
                return r.status, r.read().decode()
            except ConnectionRefusedError:
                return 0, ""

    def query(self, expr):
        """Return: {(name, frozenset of labels): value} now; without the labels of the target.
        None when it is no query, or Prometheus is not ready."""
        status, body = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        if status != 200:
            return None
        answer = json.loads(body)
        return {(r["metric"].get("__name__"), frozenset(
            (k, v) for k, v in r["metric"].items() if k not in ("__name__", "instance", "job"))):
            float(r["value"][1]) for r in answer["data"]["result"]}


def names_in(path):
    """Return: the metrics that a file names."""
    with open(path, encoding="utf-8") as f:
        return set(re.findall(r"\bvtap_\w+", f.read()))


def server():
    """Prometheus itself: values, alerts, console page, and the queries of the dashboard."""
    if not all(map(shutil.which, ("promtool", "prometheus", "prometheus-node-exporter"))):
        raise KsftSkipEx("prometheus and prometheus-node-exporter are not installed")
    for args in (["check", "rules", "vtap-rules.yml"], ["test", "rules", "vtap-rules-test.yml"]):
        p = sh(["promtool", *args], cwd=FILES, check=False)
        ksft_true(p.returncode == 0, f"promtool {' '.join(args[:2])}", p)
    with bed() as (t, shoot), tempfile.TemporaryDirectory(dir="/run") as d:
        t.host.ip("link set lo up")
        vtap(["metrics", d + "/vtap.prom"], t.host)
        with Prometheus(t.host, d) as prom:
            ksft_true(busywait(lambda: prom.query("vtap_module_info"), 60),
                      "Prometheus has what node_exporter read",
                      lambda: prom.log.seek(0) or prom.log.read())
            shoot(9)
            answered(t.host, 9)
            vtap(["metrics", d + "/vtap.prom"], t.host)
            want = expected(t.host)

            def scraped():
                return prom.query('{__name__=~"vtap_.*"}')
            ksft_true(busywait(lambda: scraped() == want), "its values are those of show -s",
                      lambda: set(scraped().items()) ^ set(want.items()))
            ksft_true(busywait(lambda: prom.query(
                'increase(vtap_session_sent_frames_total{session="ids"}[1m]) > 0')),
                "and it sees them grow")
            ksft_eq(prom.query('vtap_port_seen_frames_total{port="vnet1"}'), {},
                    "a port that is not tapped is not there")

            def alerts():
                found = json.loads(prom.get("/api/v1/alerts")[1])["data"]["alerts"]
                return {a["labels"]["alertname"] for a in found}
            wrong = {"VtapSessionInactive", "VtapRuleWithoutPort", "VtapCollectorUnreachable"}
            ksft_true(busywait(lambda: alerts() == wrong),
                      "alerts of what is wrong here, and no others", alerts)
            status, page = prom.get("/consoles/vtap.html")
            cells = re.findall(r"<td[^>]*>\s*(?:<a [^>]*>)?([^<]*?)\s*<", page)
            ksft_true(status == 200 and {"ids", LONG, "no-device", "active", "vnet0"} <= set(cells)
                      and "vnet1" not in cells, "the console page has sessions and ports",
                      (status, page))
            ksft_true("No sessions" in prom.get("/consoles/vtap.html?instance=x")[1],
                      "of another host it has none")
            there = {name for name, _ in want}
            for path in glob.glob(FILES + "vtap*.*"):
                if not path.endswith("test.yml"):
                    ksft_eq(names_in(path) - there, set(),
                            f"{os.path.basename(path)} names metrics that exist")
            with open(FILES + "vtap-grafana.json", encoding="utf-8") as f:
                exprs = [x["expr"] for p in json.load(f)["panels"] for x in p["targets"]]
            for expr in exprs:
                real = expr.replace("$instance", ".*").replace("$__rate_interval", "1m")
                found = prom.query(real)
                ksft_true(found is not None and (found or " > 0" in real),
                          f"the dashboard's {expr}", found)


if __name__ == "__main__":
    ksft_run([rates, lines, terminal, refusals, written, server])
    ksft_exit()
