"""Reading the log in a queue file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import aiosqlite

from eventscope.event import Lsn
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.faults import reading
from eventscope.replication.assembly import Counts
from eventscope.replication.relations import Relation, Transaction

TRANSACTION: Final = "first_seq, last_seq, end_lsn, commit_lsn, xid, committed_at, hops"
"""The columns of a transaction, in the order of its fields."""


class LogView(ABC):
    """Reads by a connection of its own, and so waits for nobody."""

    _view: aiosqlite.Connection

    @property
    @abstractmethod
    def path(self) -> Path:
        """The queue file."""

    @property
    @abstractmethod
    def last_seq(self) -> int:
        """The sequence number of the last visible event."""

    @property
    @abstractmethod
    def oldest_seq(self) -> int:
        """The first event that is still kept."""

    @property
    @abstractmethod
    def relations(self) -> Mapping[int, Relation]:
        """Every relation version that queued events are described by."""

    async def counts(self, after: int, until: int | None = None) -> Counts:
        """Count the visible events after ``after``, up to ``until``, by version and kind."""
        rows = await self._seen(
            "SELECT relation, unicode(substr(message, 1, 1)), count(*) FROM event"
            " WHERE seq > ? AND seq <= ? GROUP BY 1, 2",
            (after, self._end(until)),
        )
        return {(relation, kind): count for relation, kind, count in rows}

    async def read(
        self, after: int, relations: Collection[int], limit: int, until: int | None = None
    ) -> list[QueuedEvent]:
        """The first ``limit`` visible events after ``after``, up to ``until``, of some versions."""
        end = self._end(until)
        if not relations or after >= end:
            return []
        known = self.relations
        marks = ", ".join("?" * len(relations))
        rows = await self._seen(
            f"SELECT seq, relation, message FROM event"  # noqa: S608 - marks only
            f" WHERE seq > ? AND seq <= ? AND relation IN ({marks}) ORDER BY seq LIMIT ?",
            (after, end, *relations, limit),
        )
        if not rows:
            return []
        transactions = await self._seen(
            f"SELECT {TRANSACTION} FROM txn"  # noqa: S608 - columns
            " WHERE last_seq BETWEEN ? AND (SELECT min(last_seq) FROM txn WHERE last_seq >= ?)"
            " ORDER BY last_seq",
            (rows[0][0], rows[-1][0]),
        )
        return list(_joined(rows, transactions, known))

    async def place(self, seq: int) -> Place | None:
        """Where in the stream an event is; None if nothing tells it any more."""
        for first, end_lsn in await self._seen(
            "SELECT first_seq, end_lsn FROM txn WHERE last_seq >= ? ORDER BY last_seq LIMIT 1",
            (seq,),
        ):
            if first <= seq:
                return Place(Lsn(end_lsn), seq - first)
        return None

    async def seq_at(self, end_lsn: int, index: int) -> int:
        """The last event at or before a place; if all are behind it, what is before the oldest."""
        for first, last, end in await self._seen(
            "SELECT first_seq, last_seq, end_lsn FROM txn WHERE end_lsn <= ?"
            " ORDER BY last_seq DESC LIMIT 1",
            (end_lsn,),
        ):
            return int(min(first + index, last) if end == end_lsn else last)
        return self.oldest_seq - 1

    async def seq_from_time(self, microseconds: int) -> int:
        """The first event of a transaction that committed then or later."""
        return await self._first_of("committed_at >= ?", microseconds)

    async def seq_from_lsn(self, lsn: int) -> int:
        """The first event whose commit record lies there or later."""
        return await self._first_of("commit_lsn >= ?", lsn)

    async def _first_of(self, condition: str, value: int) -> int:
        [(first,)] = await self._seen(
            f"SELECT min(first_seq) FROM txn WHERE {condition}",  # noqa: S608 - ours
            (value,),
        )
        return self.last_seq + 1 if first is None else max(int(first), self.oldest_seq)

    async def _seen(self, statement: str, parameters: Collection[Any]) -> list[Any]:
        with reading(self.path):
            return list(await self._view.execute_fetchall(statement, parameters))

    def _end(self, until: int | None) -> int:
        return self.last_seq if until is None else min(until, self.last_seq)


def transaction(row: Collection[Any]) -> Transaction:
    """Build a transaction from its columns."""
    first, last, end_lsn, commit_lsn, xid, committed_at, hops = row
    return Transaction(first, last, Lsn(end_lsn), Lsn(commit_lsn), xid, committed_at, hops)


_event = tuple.__new__
"""Makes a QueuedEvent without the detour of a call in Python."""


def _joined(
    rows: list[Any], transactions: Iterable[Any], relations: Mapping[int, Relation]
) -> Iterable[QueuedEvent]:
    """Rows with their transactions; without those that were given up between two statements."""
    following = map(transaction, transactions)
    current = next(following, None)
    for seq, relation, message in rows:
        while current is not None and current.last_seq < seq:
            current = next(following, None)
        if current is not None and current.first_seq <= seq:
            yield _event(QueuedEvent, (seq, relations[relation], message, current))
