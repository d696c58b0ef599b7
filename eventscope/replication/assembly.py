"""From the messages of the stream to batches of raw rows and whole transactions."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from eventscope.event import Lsn
from eventscope.replication import hops, pgoutput
from eventscope.replication.pgoutput import Begin, ProtocolError, Subject
from eventscope.replication.publishable import OWN_SCHEMA
from eventscope.replication.relations import Transaction

"""The prefix of logical messages that are our own, and no events."""

Row = tuple[int, int, bytes]
"""Sequence number, relation version, raw message."""

Counts = dict[tuple[int, int], int]
"""Number of rows by relation version and kind of message."""


@dataclass(slots=True)
class Batch:
    """What arrived since the last batch: rows, and the transactions that ended with them.

    The rows after the last transaction belong to one that is still open.
    """

    relations: dict[int, bytes] = field(default_factory=dict)
    """New relation versions: raw Relation messages, or what stands for them, by version."""
    repeated: dict[int, bytes] = field(default_factory=dict)
    """Versions that the server has described again in the same words, as it does when it cannot
    exclude that something has changed, be it something that the words do not tell."""
    rows: list[Row] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    counts: Counts = field(default_factory=dict)
    """Of the rows of the ended transactions, also those in earlier batches."""
    size: int = 0
    """Bytes of all rows."""

    def __bool__(self) -> bool:
        return bool(self.rows or self.transactions or self.relations)


class Assembler:
    """Turns messages into batches, numbering rows without gaps.

    Transactions that ended before ``stored`` are skipped: after a server crash what was
    acknowledged may come again. On one timeline a commit record that begins before the end of
    the last stored one is stored already.

    Args:
        next_seq: the sequence number of the next row.
        stored: the end of the last transaction that is stored.
        versions: the latest relation version of each table, as its id and raw message, by oid;
            the same of logical messages, by prefix.
        prefixes: the prefixes of logical messages that somebody follows; all others are described
            by one version, however many they are.
        next_version: the id of the next new relation version.
        again: the last stored transaction, if the server has been asked to send it again.
    """

    def __init__(
        self,
        *,
        next_seq: int,
        stored: Lsn,
        versions: Mapping[Subject, tuple[int, bytes]],
        next_version: int,
        prefixes: Container[str] = (),
        again: Transaction | None = None,
    ) -> None:
        self._seq = next_seq
        self._stored = stored
        self._versions = dict(versions)
        self._next_version = next_version
        self._prefixes = prefixes
        self._own: set[Subject] = set()
        """Our own tables, which a publication of everything has too: no events."""
        self._batch = Batch()
        self._begin: Begin | None = None
        self._skipping = False
        self._first_seq = next_seq
        self._hops = 0
        self._counts: Counts = {}
        self.awaited = again
        """The transaction that must come again first, until it has."""
        self.passed = Lsn(0)
        """The end of the last transaction that held nothing for us."""

    @property
    def idle(self) -> bool:
        """Whether no transaction is open and nothing waits to be stored."""
        return self._begin is None and not self._batch

    @property
    def size(self) -> int:
        """Bytes that wait to be stored."""
        return self._batch.size

    def take(self) -> Batch:
        """Hand over what has arrived and start a new batch."""
        batch, self._batch = self._batch, Batch()
        return batch

    def feed(self, message: bytes) -> None:
        """Take the next message; raises ProtocolError if it cannot come here."""
        kind = message[0] if message else 0
        if kind in (pgoutput.INSERT, pgoutput.UPDATE, pgoutput.DELETE):
            if not self._skipping:
                self._add(kind, pgoutput.row_relation(message), message)
        elif kind == pgoutput.BEGIN:
            self._open(pgoutput.parse_begin(message))
        elif kind == pgoutput.COMMIT:
            self._close(pgoutput.parse_commit(message).end_lsn)
        elif kind == pgoutput.RELATION:
            self._describe(message)
        elif kind == pgoutput.TRUNCATE:
            if not self._skipping:
                for oid in pgoutput.parse_truncate(message).relations:
                    self._add(kind, oid, message)
        elif kind == pgoutput.MESSAGE:
            self._add_message(message)
        elif kind not in (pgoutput.TYPE, pgoutput.ORIGIN):
            raise ProtocolError(f"unknown message {chr(kind)!r}")

    def _open(self, begin: Begin) -> None:
        if self._begin is not None:
            raise ProtocolError("a transaction began inside another")
        self._begin = begin
        self._skipping = begin.commit_lsn < self._stored
        self._first_seq = self._seq
        self._hops = 0
        self._counts = {}

    def _add_message(self, message: bytes) -> None:
        """Take a logical message: part of a transaction, or one on its own."""
        said = pgoutput.parse_message(message)
        alone = self._begin is None
        if said.prefix == hops.PREFIX:
            self._hops = max(self._hops, hops.read(said.content))
            return
        if alone:
            if said.transactional:
                raise ProtocolError("a transactional message outside of a transaction")
            begin = Begin(said.lsn, pgoutput.microseconds(time.time()), xid=0)
            if said.lsn <= self._stored:
                self._recognise(begin, said.lsn)
                return
            self._open(begin)
        if not self._skipping:
            subject = said.prefix if said.prefix in self._prefixes else ""
            self._describe(pgoutput.describing(subject))
            self._add(pgoutput.MESSAGE, subject, message)
        if alone:
            self._close(said.lsn)

    def _add(self, kind: int, subject: Subject, message: bytes) -> None:
        version = self._versions.get(subject)
        if version is None or self._begin is None:
            if subject in self._own:
                return
            raise ProtocolError(f"a row of the undescribed table with oid {subject}")
        counted = (version[0], kind)
        self._counts[counted] = self._counts.get(counted, 0) + 1
        batch = self._batch
        batch.rows.append((self._seq, version[0], message))
        batch.size += len(message)
        self._seq += 1

    def _close(self, end_lsn: Lsn) -> None:
        begin, self._begin = self._begin, None
        if begin is None:
            raise ProtocolError("a commit without a transaction")
        if self._skipping or self._seq == self._first_seq:
            self._recognise(begin, end_lsn)
            self._skipping = False
            self.passed = end_lsn
            return
        self._stored = end_lsn
        batch = self._batch
        batch.transactions.append(
            Transaction(
                first_seq=self._first_seq,
                last_seq=self._seq - 1,
                end_lsn=end_lsn,
                commit_lsn=begin.commit_lsn,
                xid=begin.xid,
                committed_at=begin.committed_at,
                hops=self._hops,
            )
        )
        for counted, count in self._counts.items():
            batch.counts[counted] = batch.counts.get(counted, 0) + count

    def _recognise(self, begin: Begin, end_lsn: Lsn) -> None:
        """See whether a transaction that is passed over is the one that must come again.

        The time of a message on its own is that of its arrival, which differs.
        """
        known = self.awaited
        if known is None or (known.xid, known.end_lsn) != (begin.xid, end_lsn):
            return
        if known.committed_at == begin.committed_at or begin.xid == 0:
            self.awaited = None

    def _describe(self, description: bytes) -> None:
        subject = pgoutput.subject(description)
        if _is_own(description):
            self._own.add(subject)
            self._versions.pop(subject, None)
            return
        known = self._versions.get(subject)
        if known is None or known[1] != description:
            self._versions[subject] = (self._next_version, description)
            self._batch.relations[self._next_version] = description
            self._next_version += 1
        elif description[0] == pgoutput.RELATION:
            self._batch.repeated[known[0]] = description


def _is_own(description: bytes) -> bool:
    if description[0] != pgoutput.RELATION:
        return False
    return pgoutput.parse_relation(description).schema == OWN_SCHEMA
