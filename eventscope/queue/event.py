"""A row in the queue."""

from __future__ import annotations

from typing import NamedTuple

from eventscope.event import Event
from eventscope.replication.relations import Relation, Transaction, event_of


class QueuedEvent(NamedTuple):
    """A raw row in the queue, which becomes an event when somebody looks."""

    seq: int
    relation: Relation
    message: bytes
    transaction: Transaction

    def event(self) -> Event:
        """Build the event."""
        index = self.seq - self.transaction.first_seq
        return event_of(self.relation, self.message, self.transaction, index)
