"""A row in the queue."""

from __future__ import annotations

from typing import NamedTuple

from eventscope.event import Event, EventId, EventType, Lsn
from eventscope.replication.pgoutput import EVENT_TYPE_OF
from eventscope.replication.relations import Relation, Transaction, event_of


class Place(NamedTuple):
    """Where in the stream an event is, which is the same in every queue."""

    end_lsn: Lsn
    """The end of its transaction."""
    index: int  # type: ignore[assignment]
    """Its number in it, from 0."""

    @property
    def event_id(self) -> EventId:
        """The name of the event there."""
        return EventId.of(self.end_lsn, self.index)


class QueuedEvent(NamedTuple):
    """A raw row in the queue, which becomes an event when somebody looks."""

    seq: int
    relation: Relation
    message: bytes
    transaction: Transaction

    @property
    def place(self) -> Place:
        """Where in the stream it is."""
        return Place(self.transaction.end_lsn, self.seq - self.transaction.first_seq)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which somebody may follow its table."""
        return self.relation.names

    @property
    def type(self) -> EventType:
        """What happened, told without decoding the row."""
        return EVENT_TYPE_OF[self.message[0]]

    def event(self) -> Event:
        """Build the event."""
        index = self.seq - self.transaction.first_seq
        return event_of(self.relation, self.message, self.transaction, index)
