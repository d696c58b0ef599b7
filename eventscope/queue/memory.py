"""The queue in memory: for tests, and for applications that need no more than what is to come.

What it holds ends with the process. Unless the slot is held back until operators have applied
what it sends, events that were stored here and not applied are lost then.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Final

from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, Origin, QueueError
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.log_head import LogHead
from eventscope.queue.memory_desk import MemoryDesk
from eventscope.replication.assembly import Batch, Counts, Row
from eventscope.replication.relations import Relation, Transaction

_ROW: Final = 200
"""Bytes that a row takes beside its message."""


class MemoryQueue(LogHead, MemoryDesk):
    """A queue that ends with its process, and has no file.

    Args:
        retention_events: events kept after every operator has passed them.
        retention_bytes: size of all events beyond which fewer are kept.
    """

    def __init__(self, *, retention_events: int, retention_bytes: int) -> None:
        LogHead.__init__(self, "the queue in memory")
        MemoryDesk.__init__(self)
        self._retention_events = retention_events
        self._retention_bytes = retention_bytes
        self._oldest_seq = 1
        self._rows: list[Row] = []
        """From ``oldest_seq`` on without gaps, those of an open transaction at the end."""
        self._transactions: list[Transaction] = []

    @property
    def path(self) -> None:
        """None: it lies in no file."""
        return None

    @property
    def trouble(self) -> str:
        """Nothing: there is always room."""
        return ""

    def be_patient(self, seconds: float = math.inf) -> None:
        """Do nothing: no write waits."""

    @property
    def oldest_seq(self) -> int:
        """The first event that is still kept."""
        return self._oldest_seq

    async def begin(self, origin: Origin, checkpoint: Checkpoint) -> None:
        """Start the log at a checkpoint, or move it there if nothing lies between."""
        self._check(origin)
        self._has_begun(origin, checkpoint)

    async def append(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        """Store a batch."""
        if batch.rows:
            first, next_seq = batch.rows[0][0], self._oldest_seq + len(self._rows)
            if first != next_seq or batch.rows[-1][0] != first + len(batch.rows) - 1:
                raise QueueError(f"the queue in memory wants event {next_seq} next, not {first}")
        self._rows += batch.rows
        self._transactions += batch.transactions
        self._has_stored(batch, relations)

    async def acknowledge(self, lsn: Lsn) -> None:
        """Note what the server may forget."""
        self._has_acknowledged(lsn)

    async def discard_open(self) -> None:
        """Drop the rows of a transaction whose end never came."""
        del self._rows[self._place_in_rows(self.last_seq + 1) :]

    async def position(self, operator: str) -> int:
        """Where an operator stands; a new one starts at the end of the log."""
        if await self.operator(operator) is None:
            await self.advance(operator, self.last_seq)
        return self._operators[operator].position

    async def counts(self, after: int, until: int | None = None) -> Counts:
        """Count the visible events after ``after``, up to ``until``, by version and kind."""
        places = self._places(after, until)
        return dict(Counter((self._rows[n][1], self._rows[n][2][0]) for n in places))

    async def read(
        self, after: int, relations: Collection[int], limit: int, until: int | None = None
    ) -> list[QueuedEvent]:
        """The first ``limit`` visible events after ``after``, up to ``until``, of some versions."""
        wanted, events = frozenset(relations), list[QueuedEvent]()
        number = bisect_left(self._transactions, after + 1, key=_last_seq)
        for place in self._places(after, until):
            seq, version, message = self._rows[place]
            if len(events) >= limit:
                break
            if version in wanted:
                while self._transactions[number].last_seq < seq:
                    number += 1
                transaction = self._transactions[number]
                events.append(QueuedEvent(seq, self._relations[version], message, transaction))
        return events

    async def place(self, seq: int) -> Place | None:
        """Where in the stream an event is; None if nothing tells it any more."""
        number = bisect_left(self._transactions, seq, key=_last_seq)
        for transaction in self._transactions[number : number + 1]:
            if transaction.first_seq <= seq:
                return Place(transaction.end_lsn, seq - transaction.first_seq)
        return None

    async def seq_at(self, end_lsn: int, index: int) -> int:
        """The last event at or before a place; if all are behind it, what is before the oldest."""
        number = bisect_right(self._transactions, end_lsn, key=lambda known: known.end_lsn)
        if not number:
            return self._oldest_seq - 1
        first, last, end, *_ = self._transactions[number - 1]
        return min(first + index, last) if end == end_lsn else last

    async def seq_from_time(self, microseconds: int) -> int:
        """The first event of a transaction that committed then or later."""
        return self._first_of(lambda known: known.committed_at >= microseconds)

    async def seq_from_lsn(self, lsn: int) -> int:
        """The first event whose commit record lies there or later."""
        return self._first_of(lambda known: known.commit_lsn >= lsn)

    async def prune(self, until: int | None = None) -> int:
        """Give up history that no operator needs and retention no longer keeps."""
        needs = (record.needs_after for record in self._operators.values())
        passed = min(needs, default=self.last_seq)
        passed = passed if until is None else min(passed, until)
        end = min(passed, self.last_seq - self._history(), self.last_seq)
        dropped = max(end + 1 - self._oldest_seq, 0)
        del self._rows[:dropped]
        self._oldest_seq += dropped
        # the last one is the checkpoint, and those at which operators stand tell their places
        needed = bisect_left(self._transactions, min(passed, end + 1), key=_last_seq)
        del self._transactions[: min(needed, len(self._transactions) - 1)]
        if unused := self._superseded:
            self._forget(unused - {version for _, version, _ in self._rows})
        return dropped

    async def close(self) -> None:
        """Nothing is to be released."""

    def _places(self, after: int, until: int | None) -> range:
        """Where the visible rows of a range lie."""
        end = self.last_seq if until is None else min(until, self.last_seq)
        return range(self._place_in_rows(after + 1), self._place_in_rows(end + 1))

    def _place_in_rows(self, seq: int) -> int:
        return max(seq - self._oldest_seq, 0)

    def _first_of(self, is_it: Callable[[Transaction], bool]) -> int:
        first = next((known.first_seq for known in self._transactions if is_it(known)), None)
        return self.last_seq + 1 if first is None else max(first, self._oldest_seq)

    def _history(self) -> int:
        """How many events to keep: half as many while they are too large."""
        size = sum(len(message) + _ROW for _, _, message in self._rows)
        if size <= self._retention_bytes:
            return self._retention_events
        return min(self._retention_events, len(self._rows) // 2)


def _last_seq(transaction: Transaction) -> int:
    return transaction.last_seq
