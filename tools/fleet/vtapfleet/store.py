# SPDX-License-Identifier: GPL-2.0
"""The policy in its database: read, watched and written through Open vSwitch's IDL."""
import errno
import os
import ssl
import sys
import time

import ovs.db.idl
import ovs.jsonrpc
import ovs.poller
import ovs.stream
from ovs.db.idl import Transaction

from .policy import DEFAULTS, Wrong, empty

HERE = os.path.dirname(os.path.realpath(__file__))
POLICY_TABLES = {"Collector": "collector", "Network": "network", "Tap": "tap"}
TLS = "/etc/vtap/tls"


def schema():
    """Return: the path of the schema: beside this directory, in the tree and installed."""
    return os.path.join(os.path.dirname(HERE), "vtap.ovsschema")


def use_tls(directory):
    """Connect to ssl: remotes with the key and certificates in DIRECTORY."""
    ovs.stream.Stream.ssl_set_private_key_file(f"{directory}/key.pem")
    ovs.stream.Stream.ssl_set_certificate_file(f"{directory}/cert.pem")
    ovs.stream.Stream.ssl_set_ca_cert_file(f"{directory}/ca.pem")
    ovs.stream.Stream.register_method("ssl", TlsStream)


class TlsStream(ovs.stream.SSLStream):
    """The library's own lets an error through when a member dies in the handshake, or is none."""
    said = None

    def connect(self):
        """Connect. Return: 0, or an error number, EAGAIN if it goes on."""
        try:
            return super().connect()
        except OSError as e:
            if str(e) != TlsStream.said:    # it is tried again and again
                TlsStream.said = str(e)
                print(f"{self.name}: {e}", file=sys.stderr, flush=True)
            return errno.EPROTO if isinstance(e, ssl.SSLError) else e.errno or errno.EPROTO


class HostRow(Transaction):
    """Writes the row of a host without reading the table.

    Rows of hosts are not watched by hosts: with N of them that would be N * N updates. A monitor of
    the own row alone could not share what the server has ready for all others.
    """

    def __init__(self, idl, name, row):
        super().__init__(idl)
        self._row = dict(row, name=name)

    def commit(self):
        """Send it once. Return: the status, as of any transaction."""
        if self._status == Transaction.UNCOMMITTED:
            row = {column: ["map", list(value.items())] if isinstance(value, dict) else
                   ["set", list(value)] if isinstance(value, (list, set)) else value
                   for column, value in self._row.items()}
            msg = ovs.jsonrpc.Message.create_request("transact", [
                "vtap",
                {"op": "delete", "table": "Host",
                 "where": [["name", "==", self._row["name"]]]},
                {"op": "insert", "table": "Host", "row": row}])
            self._request_id = msg.id
            # pylint: disable=protected-access
            if self.idl._session.is_connected() and not self.idl._session.send(msg):
                self.idl._outstanding_txns[msg.id] = self
                self._status = Transaction.INCOMPLETE
            else:
                self._status = Transaction.TRY_AGAIN
            self.idl.txn = None
        return self._status


class Store:
    """A connection to the database, with the policy and, if HOSTS, what hosts say."""

    def __init__(self, remote, hosts=False):
        helper = ovs.db.idl.SchemaHelper(location=schema())
        for table, kind in POLICY_TABLES.items():
            helper.register_columns(table, ["name", *DEFAULTS[kind]])
        helper.register_columns("Policy", ["generation"])
        if hosts:
            helper.register_table("Host")
        self.idl = ovs.db.idl.Idl(remote, helper, leader_only=False)

    def rows(self, table):
        """Return: all rows of a table."""
        return list(self.idl.tables[table].rows.values())

    def generation(self):
        """Return: the policy's generation, None as long as the database has not been seen."""
        rows = self.rows("Policy")
        return rows[0].generation if rows else None

    def policy(self):
        """Return: the policy as plain objects."""
        policy = empty()
        for table, kind in POLICY_TABLES.items():
            for row in self.rows(table):
                policy[kind][row.name] = {word: _plain(getattr(row, word))
                                          for word in DEFAULTS[kind]}
        return policy

    def write_host(self, name, row):
        """Begin to write the row of a host. Return: the transaction, see commit()."""
        write = HostRow(self.idl, name, row)
        write.commit()
        return write

    def wait(self, cond, timeout):
        """Follow the database until COND() is true. Return: its last value."""
        end = time.monotonic() + timeout
        while True:
            self.idl.run()
            value = self.idl.has_ever_connected() and cond()
            left = end - time.monotonic()
            if value or left <= 0:
                return value
            poller = ovs.poller.Poller()
            self.idl.wait(poller)
            poller.timer_wait(max(1, int(left * 1000)))
            poller.block()

    def change(self, make, timeout):
        """Make the policy what MAKE(policy) returns, in one transaction; MAKE is asked again when
        somebody else was faster.

        Return: the new generation, or the old one if nothing had to be changed.
        """
        end = time.monotonic() + timeout
        while True:
            if not self.wait(lambda: self.generation() is not None, end - time.monotonic()):
                raise Wrong("the database does not answer, or is not made by vtapctl init")
            have = self.policy()
            want = make(have)
            if want == have:
                return self.generation()
            before = self.idl.change_seqno
            txn = self._compose(want)
            if self._commit(txn, end):
                return txn.get_increment_new_value()
            self.wait(lambda seen=before: self.idl.change_seqno != seen,
                      min(1, end - time.monotonic()))

    def _commit(self, txn, end):
        """Return: whether TXN is done, False if it has to be tried again."""
        if txn.commit() == Transaction.INCOMPLETE:
            self.wait(lambda: txn.commit() != Transaction.INCOMPLETE, end - time.monotonic())
        status = txn.commit()
        if status == Transaction.INCOMPLETE:
            raise Wrong("the database does not answer; the change may yet be made")
        if status == Transaction.TRY_AGAIN and time.monotonic() < end:
            return False
        if status not in (Transaction.SUCCESS, Transaction.UNCHANGED):
            raise Wrong(f"the database refuses it: {txn.get_error()}")
        return True

    def _compose(self, want):
        """Return: the transaction that makes the tables WANT, unless the policy changes first."""
        txn = Transaction(self.idl)
        policy = self.rows("Policy")[0]
        policy.verify("generation")
        policy.increment("generation")
        made = {}
        for table, kind in POLICY_TABLES.items():    # referenced ones come first
            there = {row.name: row for row in self.rows(table)}
            made[kind] = {name: there.get(name) or txn.insert(self.idl.tables[table])
                          for name in want[kind]}
            for name, fields in want[kind].items():
                row = made[kind][name]
                fields = dict(fields, name=name)
                for word, value in fields.items():
                    if word in made and word != kind:
                        value = [made[word][other] for other in value]
                    if name not in there or _plain(getattr(row, word)) != fields[word]:
                        setattr(row, word, value)
            for name in there.keys() - want[kind].keys():
                there[name].delete()
        return txn

    def delete_host(self, name, timeout):
        """Delete the row of a host."""
        end = time.monotonic() + timeout
        while True:
            rows = [row for row in self.rows("Host") if row.name == name]
            if not rows:
                raise Wrong(f"there is no host \"{name}\"")
            before = self.idl.change_seqno
            txn = Transaction(self.idl)
            rows[0].delete()
            if self._commit(txn, end):
                return
            self.wait(lambda seen=before: self.idl.change_seqno != seen,
                      min(1, end - time.monotonic()))


def _plain(value):
    """Return: the VALUE of a column as policies have it: rows as their names, in order."""
    if isinstance(value, dict):
        return dict(sorted((str(k), str(v)) for k, v in value.items()))
    if isinstance(value, list):
        return sorted(getattr(part, "name", part) for part in value)
    return value
