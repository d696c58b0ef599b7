"""Questions about the past that the queue still holds: pages of it, either way from an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eventscope.engine.questions.base import Known
from eventscope.errors import EventScopeError
from eventscope.queue.event import QueuedEvent
from eventscope.replication.relations import Transaction

PAGE: Final = 500
_SLICE: Final = 100
"""Events that are read at once: an operator waits no longer than that for its own."""
_PAGE_BYTES: Final = 4 * 1024 * 1024
"""Beyond that a page has fewer events."""


class NotKept(EventScopeError):
    """What is asked about is not in the queue, or no more; the message says what."""


def event_not_kept() -> NotKept:
    """The event itself is gone."""
    return NotKept("the queue no longer keeps this event")


@dataclass(frozen=True, slots=True)
class Page:
    """Some events in the order of the queue."""

    events: tuple[QueuedEvent, ...]
    reached: int
    """The last number that was looked at, in the direction of reading."""
    left: int
    """How many there are beyond it; 0: this was the last page."""


@dataclass(frozen=True, slots=True)
class EventsBefore:
    """The last events before a number, back to ``first``; without a number: of all."""

    before: int | None = None
    first: int = 1
    limit: int = PAGE

    async def answer(self, known: Known) -> Page:
        """Read backwards, a slice at a time."""
        queue = known.queue
        oldest = max(self.first, queue.oldest_seq)
        end = queue.last_seq if self.before is None else min(self.before - 1, queue.last_seq)
        reached, stop = end + 1, max(oldest, end + 1 - self.limit)
        events: list[QueuedEvent] = []
        size = 0
        while reached > stop and size < _PAGE_BYTES:
            after = max(stop, reached - _SLICE) - 1
            read = await queue.read(after, queue.relations, _SLICE, reached - 1)
            size += sum(len(event.message) for event in read)
            events[:0] = read
            reached = after + 1
        return Page(tuple(events), reached, max(0, reached - oldest))


@dataclass(frozen=True, slots=True)
class EventsAfter:
    """The first events after a number, up to ``last``."""

    after: int
    last: int | None = None
    limit: int = PAGE

    async def answer(self, known: Known) -> Page:
        """Read forwards, a slice at a time."""
        queue = known.queue
        newest = queue.last_seq if self.last is None else min(self.last, queue.last_seq)
        reached = max(self.after, queue.oldest_seq - 1)
        stop = min(newest, reached + self.limit)
        events: list[QueuedEvent] = []
        size = 0
        while reached < stop and size < _PAGE_BYTES:
            end = min(stop, reached + _SLICE)
            read = await queue.read(reached, queue.relations, _SLICE, end)
            size += sum(len(event.message) for event in read)
            events += read
            reached = end
        return Page(tuple(events), reached, max(0, newest - reached))


@dataclass(frozen=True, slots=True)
class TransactionOf:
    """The transaction that an event belongs to."""

    seq: int

    async def answer(self, known: Known) -> Transaction:
        """Look at the event.

        Raises:
            NotKept: it is not kept any more.
        """
        found = await known.queue.read(self.seq - 1, known.queue.relations, 1, self.seq)
        if not found:
            raise event_not_kept()
        return found[0].transaction
