# SPDX-License-Identifier: GPL-2.0
"""Sessions of all types, real transfers through a tap, and what the collector received of them."""
import collections
import random
import socket
import struct
import threading

from .decode import Stream, counted, parse_inner
from .ns import vtap, vtap_batch, vtap_json

TYPES = {"gre": "type gre", "greseq": "type gre key 7 seq on", "two": "type erspan2 id 102 index 5",
         "three": "type erspan3 id 103", "vx": "type vxlan key 104"}
DROPS = ("drop_inactive", "drop_nomem", "drop_mtu", "drop_rate", "drop_xmit", "drop_loop",
         "drop_frame")
UDP_SEGMENT, SOL_UDP = 103, 17


def add_sessions(t, words="", versions=(4, 6), types=TYPES):
    """Add a session of each of TYPES for each outer IP version, named after both. Return: their
    names by version."""
    remote = {4: t.IP4["col"], 6: t.IP6["col"]}
    names = {v: [f"{kind}{v}" for kind in types] for v in versions}
    vtap_batch(t.host, *[f"session add {kind}{v} {what} remote {remote[v]} {words}"
                         for v in versions for kind, what in types.items()])
    return names


def mirror(t, port, names, words="dir both"):
    """Mirror the traffic of PORT to the sessions NAMES."""
    vtap_batch(t.host, f"rule add pref 10 port {port} {words} action mirror {','.join(names)}")


def session_stats(t):
    """Return: the counters of the sessions of the host, by session name."""
    return {s["name"]: s["stats"] for s in vtap_json("-s session show", t.host)}


def identity(s):
    """Return: the value of Copy.session for copies of S, a session as `vtap -j` shows it."""
    number = s.get("key") if s["type"] in ("gre", "vxlan") else s.get("id", 0)
    return s["type"], 6 if ":" in s["remote"] else 4, number


def dropped(counters):
    """Return: the drop counters that are not 0."""
    return {name: counters[name] for name in DROPS if counters[name]}


def stop_copying(t):
    """Delete all rules and wait until no copy is in progress. Return: the sessions then."""
    vtap("rule flush", t.host)
    shown = None
    while shown != (now := [s["stats"] for s in vtap_json("-s session show", t.host)]):
        shown = now
    return vtap_json("-s session show", t.host)


def finish(t, rx, timeout=20):
    """Delete all rules. Return: the counters, and the copies that have arrived since the last call,
    both by session name."""
    shown = stop_copying(t)
    names = {identity(s): s["name"] for s in shown}
    by = collections.defaultdict(list)
    for c in rx.copies(sum(s["stats"]["sent"] for s in shown) - rx.taken, timeout):
        by[names.get(c.session, c.session)].append(c)
    return {s["name"]: s["stats"] for s in shown}, by


def receive(listener, got):
    """Accept a connection, read it to its end into GOT, and answer."""
    conn, _ = listener.accept()
    with conn:
        while chunk := conn.recv(1 << 18):
            got.append(chunk)
        conn.sendall(b"done")


def transfer(t, data, version=4, src="a", dst="b", addresses=None, sport=0):
    """Send DATA, or that many random bytes, over TCP from a to b. Return: (bytes, source port)."""
    addr = addresses or (t.IP6 if version == 6 else t.IP4)
    family = socket.AF_INET6 if ":" in addr[src] else socket.AF_INET
    data, got = random.randbytes(data) if isinstance(data, int) else data, []
    with getattr(t, dst).enter():
        listener = socket.create_server((addr[dst], 5001), family=family)
    with getattr(t, src).enter():
        client = socket.socket(family)
    with listener, client:
        client.settimeout(300)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind((addr[src], sport))
        thread = threading.Thread(target=receive, args=(listener, got))
        thread.start()
        client.connect((addr[dst], 5001))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        end = client.recv(16)
        port = client.getsockname()[1]
        thread.join()
    if end != b"done" or b"".join(got) != data:
        raise RuntimeError("the transfer itself failed")
    return data, port


def transfer_sctp(t, data):
    """Send DATA over SCTP and IPv4 from a to b."""
    got = b""
    with t.b.enter():
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    with t.a.enter():
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    with server, client:
        server.bind((t.IP4["b"], 5002))
        server.listen()
        client.connect((t.IP4["b"], 5002))
        conn, _ = server.accept()
        client.sendall(data)
        while len(got) < len(data):
            got += conn.recv(1 << 16)
        conn.close()


def payload(copies, source, port, longest):
    """Check the frames of COPIES, none longer than LONGEST. Return: (Stream, what is wrong as
    text)."""
    stream, wrong = Stream(socket.inet_pton(socket.AF_INET6 if ":" in source else socket.AF_INET,
                                            source), port), []
    for c in copies:
        try:
            info = parse_inner(c.frame)
            if info:
                stream.add(c.frame, info)
            if len(c.frame) > longest:
                wrong.append(f"frame of {len(c.frame)} bytes")
            if c.truncated:
                wrong.append("truncated")
        except (ValueError, struct.error, IndexError) as e:
            wrong.append(str(e))
    if copies and copies[0].seq is not None:
        wrong += filter(None, [counted([c.seq for c in copies])])
    return stream, wrong


def offloads(ns, dev, on):
    """Turn the transmit offloads of DEV on or off, including those for tunnels."""
    features = ("tx", "sg", "tso", "gso", "tx-gre-segmentation", "tx-gre-csum-segmentation",
                "tx-udp_tnl-segmentation",
                "tx-udp_tnl-csum-segmentation")
    ns.sh(["ethtool", "-K", dev] + [w for f in features for w in (f, "on" if on else "off")],
          check=False)


def vlan_devices(t, vid=5):
    """Create a VLAN device in both VMs. Return: the addresses of these devices."""
    addr = {"a": "10.5.0.1", "b": "10.5.0.2"}
    for ns, key, peer in ((t.a, "a", "b"), (t.b, "b", "a")):
        ns.ip(f"link add link eth0 name v5 type vlan id {vid} egress-qos-map 0:3",
              "link set v5 addrgenmode none", "link set v5 up",
              f"address add {addr[key]}/24 dev v5",
              f"neigh add {addr[peer]} lladdr {t.MAC[peer]} dev v5 nud permanent")
    return addr
