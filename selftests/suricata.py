#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Suricata at the collector raises the alerts that HTTP through the tapped port must raise, checksums validated."""
import http.client
import http.server
import os
import re
import struct
import tempfile
import threading

import ksft
from ksft import Sniffer, Topology, eq, ok, sh
from faithful import configure
from paths import is_copy

SESSIONS = {"gre": "type gre remote 192.0.2.9", "grekey": "type gre key 5 seq on remote 192.0.2.9",
            "one": "type erspan1 remote 192.0.2.9", "two": "type erspan2 id 7 remote 192.0.2.9",
            "vxlan": "type vxlan key 8 remote 192.0.2.9",
            "gresix": "type gre remote 2001:db8:9::9", "twosix": "type erspan2 id 9 remote 2001:db8:9::9",
            "vxlansix": "type vxlan key 10 remote 2001:db8:9::9"}
CONFIG = """%YAML 1.1
---
vars: {address-groups: {HOME_NET: any, EXTERNAL_NET: any}}
outputs: [{fast: {enabled: yes, filename: fast.log}}]
logging: {default-log-level: error, outputs: [{console: {enabled: yes}}]}
app-layer:
  protocols: {http: {enabled: yes, libhtp: {default-config: {personality: IDS, request-body-limit: 0, response-body-limit: 0}}}}
decoder: {erspan: {typeI: {enabled: true}}, vxlan: {enabled: true, ports: 4789}}
stream: {checksum-validation: yes, memcap: 32mb, reassembly: {memcap: 64mb, depth: 0}}
defrag: {memcap: 32mb, hash-size: 1024, trackers: 1024, max-frags: 8192, prealloc: yes, timeout: 60}
flow: {memcap: 32mb, hash-size: 1024, prealloc: 100}
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


def requests(t, names, rx):
    """Send an HTTP request for each session, tapped by that one alone. Return: the copies of each."""
    with t.b.enter():
        server = http.server.HTTPServer((t.IP4["b"], 80), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    copies = {}
    for name in names:
        if name != "untapped":
            configure(t.host, "rule flush", f"rule add pref 10 port vnet0 dir both action mirror {name}")
        else:
            configure(t.host, "rule flush")
        with t.a.enter():
            conn = http.client.HTTPConnection(t.IP4["b"], 80, timeout=30)
            conn.connect()
        conn.request("GET", f"/page-{name}.")
        answer = conn.getresponse().read()
        conn.close()
        if not answer.endswith(f"/page-{name}.".encode()):
            raise RuntimeError("the request itself failed")
        copies[name] = rx.frames(0 if name == "untapped" else 14, timeout=1)
    server.shutdown()
    server.server_close()
    return copies


def write_pcap(path, frames):
    """Write FRAMES with times that count up."""
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack("=IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(frame), len(frame)) + frame)


def flip(frame):
    """Return: FRAME, an ERSPAN II copy, with an inner TCP checksum that is wrong."""
    at = 14 + 20 + 16 + 14 + 20 + 16
    return frame if len(frame) < at + 2 else frame[:at] + bytes([frame[at] ^ 0x55, frame[at + 1]]) + frame[at + 2:]


def alerts(frames, names):
    """Return: the messages of the alerts that FRAMES raise."""
    with tempfile.TemporaryDirectory() as d:
        rules = []
        for i, name in enumerate(names):
            rules.append(f'alert http any any -> any any (msg:"asked {name}"; flow:established,to_server; '
                         f'http.uri; content:"/page-{name}."; sid:{100 + 2 * i};)')
            rules.append(f'alert http any any -> any any (msg:"answered {name}"; flow:established,to_client; '
                         f'file.data; content:"secret of /page-{name}."; sid:{101 + 2 * i};)')
        for file, text in (("suricata.yaml", CONFIG), ("t.rules", "\n".join(rules) + "\n")):
            with open(f"{d}/{file}", "w", encoding="ascii") as f:
                f.write(text)
        write_pcap(f"{d}/wire.pcap", frames)
        p = sh(f"suricata -c {d}/suricata.yaml -S {d}/t.rules -k all -l {d} -r {d}/wire.pcap --runmode single",
               check=False, timeout=300)
        if p.returncode or not os.path.exists(f"{d}/fast.log"):
            raise RuntimeError(f"suricata: exit status {p.returncode}: {p.stdout}{p.stderr}")
        with open(f"{d}/fast.log", encoding="ascii") as f:
            return set(re.findall(r"\[1:\d+:\d+\] (\w+ \w+) \[", f.read()))


def suricata():
    """One request for each encapsulation, one untapped, one whose checksums are made wrong."""
    names = list(SESSIONS) + ["broken", "untapped"]
    with Topology() as t, Sniffer(t.col, "eth0", match=is_copy) as rx:
        configure(t.host, *[f"session add {name} {words}" for name, words in SESSIONS.items()],
                  "session add broken type erspan2 id 11 remote 192.0.2.9")
        copies = requests(t, names, rx)
    copies["broken"] = [flip(f) for f in copies["broken"]]
    got = alerts([f for name in names for f in copies[name]], names)
    for name in SESSIONS:
        ok(f"{name}: the alerts for request and answer", {f"asked {name}", f"answered {name}"} <= got,
           f"{len(copies[name])} {sorted(got)}")
    eq("no other alert: neither untapped nor with wrong checksums", {a.split()[1] for a in got} - set(SESSIONS), set())
    ok("fragments were among the copies", any(f[20:22] == b"\x20\0" for f in copies["two"]), len(copies["two"]))


if __name__ == "__main__":
    ksft.modprobe("veth", "bridge")
    ksft.run(suricata)
