"""Handlers that work at several events at once, in order for each key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

from eventscope.declaration import HandlerOperator
from eventscope.event import Event
from eventscope.operators.calling import Caller
from eventscope.operators.effect import Passed
from eventscope.operators.handler import Mark
from eventscope.queue.event import Place, QueuedEvent
from eventscope.queue.records import DeadLetter

_AHEAD: Final = 8
"""Events for each that is worked at: what a pause has to wait for."""


class LanesEffect:
    """Calls a handler with up to ``concurrency`` events at a time; those of one key in order.

    An event that fails holds its key and, once what was begun with it is done, the operator. What
    was done beyond it does not come again, but after a restart.

    Args:
        operator: the handler.
        mark: is told of the first event that is under way.
    """

    def __init__(self, operator: HandlerOperator, mark: Mark) -> None:
        self._call_at_once = [Caller(operator) for _ in range(operator.concurrency)]
        self._key = _key_of(operator)
        self._mark = mark
        self._done: set[int] = set()
        """Events beyond the one that has failed."""

    async def apply(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Work through events, keys beside each other."""
        events = events[: _AHEAD * len(self._call_at_once)]
        lanes: dict[Hashable, list[QueuedEvent]] = {}
        for queued in events:
            if queued.seq not in self._done:
                lanes.setdefault(self._key(queued.event()), []).append(queued)
        failures: dict[int, Exception] = {}
        waiting = list(reversed(lanes.values()))
        self._mark(events[0].seq)
        try:
            await asyncio.gather(*(self._work(c, waiting, failures) for c in self._call_at_once))
        finally:
            self._mark(0)
            self._pass(events, passed)
        if failures:
            raise failures[min(failures)]

    async def redo(self, letter: DeadLetter) -> None:
        """Call the handler with an event that was given up."""
        await self._call_at_once[0](letter.event.event())

    async def jump(self, place: Place) -> None:
        """Nothing is noted anywhere but in the queue."""

    async def close(self) -> None:
        """Nothing is held open."""

    async def _work(
        self, call: Caller, waiting: list[list[QueuedEvent]], failures: dict[int, Exception]
    ) -> None:
        """Take one lane after the other, each to its end or its first failure."""
        while waiting:
            for queued in waiting.pop():
                try:
                    await call(queued.event())
                except Exception as error:
                    failures[queued.seq] = error
                    break
                self._done.add(queued.seq)

    def _pass(self, events: Sequence[QueuedEvent], passed: Passed) -> None:
        """Tell of what is done, up to the first event that is not."""
        for queued in events:
            if queued.seq not in self._done:
                return
            self._done.remove(queued.seq)
            passed(queued, 1)


def _key_of(operator: HandlerOperator) -> Callable[[Event], Hashable]:
    """What tells the events of one key from others; by default the row's own key."""
    key = operator.key
    if callable(key):
        return key

    def of_row(event: Event) -> Hashable:
        row: Mapping[str, Any] | None = event.new_record or event.old_record
        if key is not None:
            return (event.name, str((row or {}).get(key)))
        return (event.name, *map(str, event.key.values()))

    return of_row
