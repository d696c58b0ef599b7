"""Reading an operator's events from the queue: as many at once as fit, and those behind them ahead.

While the database works for an operator, or its handler does, the next events are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from eventscope.declaration import Operator, QueryOperator
from eventscope.operators.interest import Interest
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent

_FIRST: Final = 50
"""Events that are read at first, when nobody knows how large they are."""
_MOST: Final = 500
"""Events read at once for a handler."""
_MOST_OF_QUERY: Final = 2_000
"""Events that a query operator makes one transaction of: the more, the fewer ids for each."""
_MOST_AS_ARRAY: Final = 5_000
"""The same for one whose SQL takes all ids at once."""
_BYTES: Final = 4 * 1024 * 1024
"""What these are to take of the memory at most, as far as it can be foreseen."""


class _Wanted(NamedTuple):
    after: int
    limit: int
    until: int | None


class _Read(NamedTuple):
    events: Sequence[QueuedEvent]
    to: int
    """How far there are no others."""
    is_full: bool
    """Whether there may be more of them."""


class Reading:
    """Reads the events of the tables that an operator follows, in order.

    Args:
        operator: for whom.
        queue: where they are.
    """

    def __init__(self, operator: Operator, queue: Queue) -> None:
        self._interest = Interest(operator)
        self._queue = queue
        self._limit = _FIRST
        self._most = _most(operator)
        self._wanted: _Wanted | None = None
        self._ahead: asyncio.Task[_Read] | None = None

    async def read(self, after: int, until: int | None) -> tuple[Sequence[QueuedEvent], int]:
        """The next events behind one, and how far the queue holds no others.

        Args:
            after: the event to begin behind.
            until: the last event that is wanted; None: up to the end of the queue.
        """
        wanted = _Wanted(after, self._limit, until)
        ahead, self._ahead = self._ahead, None
        if ahead is not None and self._wanted != wanted:
            await _dropped(ahead)
            ahead = None
        read = await (ahead or self._read(wanted))
        self._limit = self._paced(read.events)
        if read.is_full:
            self._wanted = _Wanted(read.to, self._limit, until)
            self._ahead = asyncio.create_task(self._read(self._wanted))
        return read.events, read.to

    async def close(self) -> None:
        """Give up what is read ahead."""
        if self._ahead is not None:
            await _dropped(self._ahead)

    async def _read(self, wanted: _Wanted) -> _Read:
        # what is appended from here on lies behind, also if it is of a new relation version
        end = self._queue.last_seq if wanted.until is None else wanted.until
        relations = self._followed()
        events = await self._queue.read(wanted.after, relations, wanted.limit, until=end)
        is_full = len(events) == wanted.limit
        return _Read(events, events[-1].seq if is_full else max(wanted.after, end), is_full)

    def _followed(self) -> Collection[int]:
        known, interest = self._queue.relations, self._interest
        return [version for version in known if interest.follows(known[version])]

    def _paced(self, read: Sequence[QueuedEvent]) -> int:
        """How many events to read next: twice as many, if such will fit."""
        size = sum(len(queued.message) for queued in read)
        fitting = _BYTES * len(read) // size if size else self._most
        return max(1, min(2 * self._limit, self._most, fitting))


def _most(operator: Operator) -> int:
    if isinstance(operator, QueryOperator):
        return _MOST_AS_ARRAY if operator.batch else _MOST_OF_QUERY
    return max(_MOST, operator.batch or 0)


async def _dropped(task: asyncio.Task[_Read]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
