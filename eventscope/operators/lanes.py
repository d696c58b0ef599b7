"""Handlers that work at several events at once, in order for each key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from eventscope.declaration import HandlerOperator
from eventscope.event import UNCHANGED, Event
from eventscope.operators.calling import Caller
from eventscope.operators.effect import Passed
from eventscope.operators.handler import Mark, marked
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import DeadLetter

_AHEAD: Final = 8
"""Events for each that is worked at: what one slow key lets others be ahead of it."""

Lane = list[tuple[int, Event]]
"""Events of one key with their sequence numbers, in order."""


class LanesEffect:
    """Calls a handler with up to ``concurrency`` events at a time; those of one key in order.

    An event that fails holds its key and, once what was begun with it is done, the operator. What
    was done beyond it does not come again, but after a restart.

    Args:
        operator: the handler.
        mark: is told of the first event that is under way.
        called_away: whether nothing more is to be begun.
    """

    def __init__(
        self, operator: HandlerOperator, mark: Mark, called_away: Callable[[], bool]
    ) -> None:
        self._callers = [Caller(operator) for _ in range(operator.concurrency)]
        self._lane_of = _lane_of(operator)
        self._mark = mark
        self._called_away = called_away
        self._done: set[int] = set()
        """Events beyond the first that is not done."""
        self._next: Place | None = None
        """Where that one is."""

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Work through events, keys beside each other."""
        events = events[: _AHEAD * len(self._callers)]
        lanes, count = self._lanes(events)
        events = deque(events[:count])
        failures: dict[int, Exception] = {}
        self._next = events[0].place
        self._mark(events[0].seq)
        try:
            await asyncio.gather(
                *(self._work(call, lanes, failures, events, passed) for call in self._callers)
            )
        finally:
            self._mark(0)
            self._pass(events, passed)
        if events and events[0].seq in failures:
            raise failures[events[0].seq]

    async def redo(self, letter: DeadLetter) -> None:
        """Call the handler with an event that was given up."""
        with marked(self._mark, letter.event):
            await self._callers[0](letter.event.event())

    async def jump(self, place: Place) -> None:
        """Nothing is noted anywhere but in the queue; what is replayed was not done."""
        if self._next is not None and place < self._next:
            self._done.clear()

    async def close(self) -> None:
        """Nothing is held open."""

    def _lanes(self, events: Sequence[QueuedEvent]) -> tuple[deque[Lane], int]:
        """The lanes of the first events, and how many those are.

        An event that concerns more than one key, or whose key cannot be told, comes alone.
        """
        lanes: dict[Hashable, Lane] = {}
        for count, queued in enumerate(events):
            event = queued.event()
            try:
                lane = self._lane_of(event)
                known = lanes.setdefault(lane, [])
            except Exception:
                if count == 0:
                    raise
                return deque(lanes.values()), count
            if lane is None:
                if count == 0:
                    return deque([[(queued.seq, event)]]), 1
                del lanes[lane]
                return deque(lanes.values()), count
            if queued.seq not in self._done:
                known.append((queued.seq, event))
        return deque(lanes.values()), len(events)

    async def _work(
        self,
        call: Caller,
        lanes: deque[Lane],
        failures: dict[int, Exception],
        events: deque[QueuedEvent],
        passed: Passed,
    ) -> None:
        """Take one lane after the other, each to its end or its first failure."""
        while lanes:
            for seq, event in lanes.popleft():
                if self._called_away():
                    return
                try:
                    await call(event)
                except Exception as error:
                    failures[seq] = error
                    break
                self._done.add(seq)
                self._pass(events, passed)

    def _pass(self, events: deque[QueuedEvent], passed: Passed) -> None:
        """Tell of what is done, up to the first event that is not."""
        while events and events[0].seq in self._done:
            queued = events.popleft()
            self._done.remove(queued.seq)
            self._next = events[0].place if events else None
            passed(queued, 1)


def _lane_of(operator: HandlerOperator) -> Callable[[Event], Hashable]:
    """What tells the events of one key from others; None for an event of more than one."""
    key = operator.key
    if callable(key):
        return lambda event: None if event.type == "truncate" else (key(event),)
    return _of_row if key is None else lambda event: _of_column(event, key)


def _of_row(event: Event) -> Hashable:
    if event.type == "truncate" or event.key_changed:
        return None
    return (event.name, *map(str, event.key.values()))


def _of_column(event: Event, column: str) -> Hashable:
    if event.type == "truncate" or column in (event.changes or ()):
        return None
    if event.type == "update" and column in event.unknown and column not in event.key_columns:
        return None  # it may have been another one
    row = event.new_record or event.old_record or {}
    if column not in row and column not in event.source.columns:
        raise LookupError(f"key names column {column!r}, which {event.name} does not have")
    value = row.get(column, UNCHANGED)
    return None if value is UNCHANGED else (str(value),)
