"""Putting events into the ring: those of transactions that have ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from eventscope.engine.ring import EventRing
from eventscope.queue.event import QueuedEvent
from eventscope.replication.assembly import Batch, Row
from eventscope.replication.relations import Relation


class RingFilling:
    """Fills a ring with what is appended to the queue.

    Args:
        ring: what it fills.
    """

    def __init__(self, ring: EventRing) -> None:
        self._ring = ring
        self._open: deque[Row] = deque(maxlen=ring.capacity)
        """Rows of a transaction whose end has not come yet."""

    def append(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        """Put the events of the transactions that end in a batch into the ring."""
        rows = self._open
        while rows and batch.rows and rows[-1][0] >= batch.rows[0][0]:
            rows.pop()  # of a transaction that was cut off, and comes again from its beginning
        rows.extend(batch.rows)
        entries = []
        for transaction in batch.transactions:
            while rows and rows[0][0] <= transaction.last_seq:
                seq, version, message = rows.popleft()
                entries.append(QueuedEvent(seq, relations[version], message, transaction))
        self._ring.extend(entries)
