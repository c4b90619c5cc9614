#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Suricata on the collector's interface raises the alerts that HTTP through the tapped port must
raise, checksums validated."""
import contextlib
import http.server
import re
import subprocess
import tempfile
import threading

from lib import (Sender, Sniffer, Topology, busywait, ksft_eq, ksft_exit, ksft_run, ksft_true,
                 modprobe, tcp_frame, vtap_batch, vtap_json)

SESSIONS = {"gre": "type gre remote 192.0.2.9", "grekey": "type gre key 5 seq on remote 192.0.2.9",
            "one": "type erspan1 remote 192.0.2.9", "two": "type erspan2 id 7 remote 192.0.2.9",
            "vxlan": "type vxlan key 8 remote 192.0.2.9",
            "gresix": "type gre remote 2001:db8:9::9",
            "twosix": "type erspan2 id 9 remote 2001:db8:9::9",
            "vxlansix": "type vxlan key 10 remote 2001:db8:9::9"}
SILENT = {"three": "type erspan3 id 11 remote 192.0.2.9"}  # which Suricata does not know
CRAFTED = {"right": "type erspan2 id 12 remote 192.0.2.9",
           "broken": "type erspan2 id 13 remote 192.0.2.9"}
CONFIG = """%YAML 1.1
---
vars: {address-groups: {HOME_NET: any, EXTERNAL_NET: any}}
outputs: [{fast: {enabled: yes, filename: fast.log}}]
logging: {default-log-level: notice, outputs: [{console: {enabled: yes}}]}
app-layer:
  protocols: {http: {enabled: yes, libhtp: {default-config: {personality: IDS,
    request-body-limit: 0, response-body-limit: 0}}}}
af-packet: [{interface: eth0, cluster-id: 99, cluster-type: cluster_flow,
  threads: 1, defrag: no, ring-size: 4096}]
decoder: {erspan: {typeI: {enabled: true}}, vxlan: {enabled: true, ports: 4789}}
stream: {checksum-validation: yes, memcap: 32mb, reassembly: {memcap: 64mb, depth: 0}}
defrag: {memcap: 32mb, hash-size: 1024, trackers: 1024, max-frags: 8192, prealloc: yes, timeout: 60}
flow: {memcap: 32mb, hash-size: 1024, prealloc: 100}
"""
RULES = """alert http any any -> any any (msg:"asked {name}"; flow:established,to_server; \
http.uri; content:"/page-{name}."; sid:{sid};)
alert http any any -> any any (msg:"answered {name}"; flow:established,to_client; \
file.data; content:"secret of /page-{name}."; sid:1{sid};)
"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with more than a packet, the words to be found at its end."""

    def do_GET(self):
        """Answer a request."""
        body = b"x" * 5000 + b"secret of " + self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


class Suricata:
    """Suricata on eth0 of namespace NS, with two rules for each of NAMES."""

    def __init__(self, ns, names):
        self.dir = tempfile.TemporaryDirectory(dir="/run")
        d = self.dir.name
        rules = "".join(RULES.format(name=name, sid=100 + i) for i, name in enumerate(names))
        for file, text in (("suricata.yaml", CONFIG), ("t.rules", rules)):
            with open(f"{d}/{file}", "w", encoding="ascii") as f:
                f.write(text)
        self.proc = ns.popen(f"suricata -c {d}/suricata.yaml -S {d}/t.rules -k all -l {d} "
                             "--af-packet=eth0 --runmode single", stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        said = []
        for line in self.proc.stdout:
            said.append(line)
            if "Engine started" in line:
                break
        else:
            raise RuntimeError("suricata: " + "".join(said))
        threading.Thread(target=self.proc.stdout.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.proc.kill()
        self.proc.wait()
        self.dir.cleanup()

    def alerts(self):
        """Return: the messages of the alerts so far."""
        with contextlib.suppress(FileNotFoundError), open(self.dir.name + "/fast.log",
                                                          encoding="ascii") as f:
            return set(re.findall(r"\[1:\d+:\d+\] (\w+ \w+) \[", f.read()))
        return set()


def tap(t, name):
    """Let session NAME alone have what passes vnet0; without a name nobody."""
    rule = [f"rule add pref 10 port vnet0 dir both action mirror {name}"]
    vtap_batch(t.host, "rule flush", *rule if name else [])


def request(t, name):
    """Ask for the page NAME over HTTP."""
    with t.a.enter():
        conn = http.client.HTTPConnection(t.IP4["b"], 80, timeout=60)
        conn.connect()
    conn.request("GET", f"/page-{name}.")
    answer = conn.getresponse().read()
    conn.close()
    if not answer.endswith(f"secret of /page-{name}.".encode()):
        raise RuntimeError("the request itself failed")


def flip(frame):
    """Return: FRAME with a TCP checksum that is wrong."""
    return frame[:50] + bytes([frame[50] ^ 0x55]) + frame[51:]


def conversation(t, name, change):
    """The same request and answer made by hand between addresses that nobody has, each of their two
    frames CHANGEd."""
    end = {"a": ("02:00:00:00:00:65", "10.0.0.101"), "b": ("02:00:00:00:00:66", "10.0.0.102")}
    ask = f"GET /page-{name}. HTTP/1.1\r\nHost: b\r\n\r\n".encode()
    body = f"secret of /page-{name}.".encode()
    tell = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(
        body) + body
    asked, told = 1 + len(ask), 1 + len(tell)
    steps = [("a", 0x02, 0, 0, b""), ("b", 0x12, 0, 1, b""), ("a", 0x10, 1, 1, b""),
             ("a", 0x18, 1, 1, ask),
             ("b", 0x10, 1, asked, b""), ("b", 0x18, 1, asked, tell), ("a", 0x10, asked, told, b""),
             ("a", 0x11, asked, told, b""), ("b", 0x11, told, asked + 1, b""),
             ("a", 0x10, asked + 1, told + 1, b"")]
    sport = 5000 + list(CRAFTED).index(name)
    with Sender(t.a, "eth0") as a, Sender(t.b, "eth0") as b, Sniffer(t.a, "eth0") as at_a, \
            Sniffer(t.b, "eth0") as at_b:
        for who, flags, seq, ack, data in steps:
            peer, tx, rx = ("b", a, at_b) if who == "a" else ("a", b, at_a)
            ports = (sport, 80) if who == "a" else (80, sport)
            frame = tcp_frame(end[peer][0], end[who][0], end[who][1], end[peer][1], *ports, data,
                              flags=flags, seq=seq, ack=ack)
            frame = change(frame) if data else frame
            tx.send(frame)
            rx.match = frame.__eq__
            if not rx.frames(1, timeout=30):
                raise RuntimeError("a frame does not arrive")


def requests(t, noticed):
    """One request for each session, and some that are not to be noticed: when NOTICED says that the
    others were."""
    with t.b.enter():
        server = http.server.HTTPServer((t.IP4["b"], 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [*SILENT, *SESSIONS]:
        tap(t, name)
        request(t, name)
    # until then the last of their packets may be on their way to the tap
    busywait(lambda: noticed(SESSIONS), 60, 0.2)
    tap(t, None)
    request(t, "untapped")
    for name, change in (("right", bytes), ("broken", flip)):
        tap(t, name)
        conversation(t, name, change)
    tap(t, "two")
    request(t, "last")
    server.shutdown()
    server.server_close()


def suricata():
    """One request for each encapsulation; one untapped, one whose checksums are wrong, one in what
    Suricata does not know."""
    sessions = {**SESSIONS, **SILENT, **CRAFTED}
    with Topology() as t, Suricata(t.col, [*sessions, "untapped", "last"]) as ids:
        vtap_batch(t.host, *[f"session add {name} {words}" for name, words in sessions.items()])

        def noticed(names):
            return ids.alerts() >= {f"{what} {name}" for name in names
                                    for what in ("asked", "answered")}

        requests(t, noticed)
        heard = [*SESSIONS, "right", "last"]
        busywait(lambda: noticed(heard), 120, 0.2)
        got = ids.alerts()
        for name in heard:
            ksft_true({f"asked {name}", f"answered {name}"} <= got,
                      f"{name}: the alerts for request and answer", sorted(got))
        ksft_eq({alert.split()[1] for alert in got} - set(heard), set(),
                "no other alert: not untapped, not with wrong checksums, not in ERSPAN III")
        stats = {s["name"]: s["stats"] for s in vtap_json("-s session show", t.host)}
        ksft_true(all(s["sent"] >= 10 for s in stats.values()), "nor for want of copies", stats)
        ksft_true(all(stats[name]["fragmented"] > 0 for name in [*SESSIONS, *SILENT]),
                  "fragments were among the copies", stats)


if __name__ == "__main__":
    modprobe("veth", "bridge")
    ksft_run([suricata])
    ksft_exit()
