"""The dead letters of one operator: what it gave up, and what it still retries by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from eventscope.event import EventId
from eventscope.operators.backoff import Backoff
from eventscope.operators.failure import Failure, Reports
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import DeadLetter, Target


class Letters:
    """Keeps letters in the queue, where they outlive the process.

    A letter of a query operator is about a target id, and any success for that id ends it. One of
    a handler is about an event.
    """

    def __init__(self, operator: str, queue: Queue, backoff: Backoff, reports: Reports) -> None:
        self._operator = operator
        self._queue = queue
        self._backoff = backoff
        self._reports = reports
        self._known: dict[int, _Known] = {}
        self._ids: dict[Target, int] = {}
        self._last: DeadLetter | None = None
        self._changing = asyncio.Lock()
        """Keeps what is known in step with the queue."""

    async def load(self) -> None:
        """Read what earlier runs have left, or a person has changed."""
        async with self._changing:
            letters = await self._queue.letters(self._operator)
            self._known, self._ids, self._last = {}, {}, None
            for letter in letters:
                self._know(letter)

    def __contains__(self, id: int) -> bool:
        return id in self._known

    @property
    def last(self) -> DeadLetter | None:
        """The one that failed last."""
        return self._last

    @property
    def dead(self) -> int:
        """How many wait for a person."""
        return sum(known.next_retry is None for known in list(self._known.values()))

    @property
    def retrying(self) -> int:
        """How many are still tried again without being asked for."""
        return len(self._known) - self.dead

    @property
    def events(self) -> Mapping[int, bool]:
        """The events that they are about, and of each whether it waits for a person."""
        return {known.seq: known.next_retry is None for known in list(self._known.values())}

    @property
    def next_retry(self) -> float | None:
        """When the first of those is due, in seconds since the epoch."""
        times = [known.next_retry for known in list(self._known.values())]
        return min((at for at in times if at is not None), default=None)

    @property
    def first_retried(self) -> int | None:
        """The first event of which an id is still tried again."""
        known = list(self._known.values())  # others may ask from another thread
        retried = (one.seq for one in known if one.next_retry is not None)
        return min((seq for seq in retried if seq), default=None)  # a backfill's are about none

    async def due(self) -> DeadLetter | None:
        """The first of those whose time has come."""
        async with self._changing:
            first = self.next_retry
            if first is None or first > time.time():
                return None
            id = next(id for id, known in self._known.items() if known.next_retry == first)
            letter = await self._queue.letter(id)
            if letter is None:  # a person has just discarded it
                self._forget(id)
            return letter

    async def failed(self, target: Target | None, event: QueuedEvent, failure: Failure) -> None:
        """Note a failed attempt at an id, which is tried again later unless it was the last."""
        known = self._of(target, event)
        attempts = 1 if known is None else known.attempts + 1
        if attempts > self._backoff.retries:
            await self.give_up(target, event, failure, attempts)
            return
        wait = self._backoff.wait(attempts)
        self._reports.retry(event, failure, attempts, wait, target)
        await self._put(target, event, failure, attempts, time.time() + wait)

    async def give_up(
        self, target: Target | None, event: QueuedEvent, failure: Failure, attempts: int
    ) -> None:
        """Leave an event or an id to a person."""
        self._reports.failed(event, failure, attempts, target)
        await self._put(target, event, failure, attempts, None)

    async def healed(self, targets: Iterable[Target]) -> None:
        """Note that ids are up to date."""
        if self._ids:
            for id in [self._ids[target] for target in targets if target in self._ids]:
                await self.drop(id)

    async def passed(self, events: Container[int]) -> None:
        """Note that events, given by their sequence numbers, have taken effect."""
        known = self._known.items()
        for id in [id for id, one in known if one.target is None and one.seq in events]:
            await self.drop(id)

    async def redone(self, event: str) -> None:
        """Note that an event, given by its id, has been tried again with success."""
        known = self._known.items()
        for id in [id for id, one in known if one.target is None and one.event == event]:
            await self.drop(id)

    def hurry(self) -> None:
        """Let those that are tried again by themselves be due now."""
        for id, known in self._known.items():
            if known.next_retry is not None:
                self._known[id] = known._replace(next_retry=0.0)

    async def drop(self, id: int) -> None:
        """Remove a letter, if it is still there."""
        async with self._changing:
            await self._queue.drop_letter(id)
            if id in self._known:
                self._forget(id)

    async def _put(
        self,
        target: Target | None,
        event: QueuedEvent,
        failure: Failure,
        attempts: int,
        next_retry: float | None,
    ) -> None:
        async with self._changing:
            self._know(
                await self._queue.put_letter(
                    self._operator,
                    target,
                    event,
                    attempts=attempts,
                    error=failure.error,
                    traceback=failure.traceback,
                    next_retry=next_retry,
                )
            )

    def _of(self, target: Target | None, event: QueuedEvent) -> _Known | None:
        if target is not None:
            return self._known.get(self._ids.get(target, 0))
        letters = self._known.values()
        return next((one for one in letters if one.target is None and one.seq == event.seq), None)

    def _know(self, letter: DeadLetter) -> None:
        if self._last is None or letter.last_at >= self._last.last_at:
            self._last = letter
        self._known[letter.id] = _Known(
            letter.target,
            letter.event.seq,
            letter.event.place.event_id,
            letter.attempts,
            letter.next_retry,
        )
        if letter.target is not None:
            self._ids[letter.target] = letter.id

    def _forget(self, id: int) -> None:
        known = self._known.pop(id)
        if self._last is not None and self._last.id == id:
            self._last = None
        if known.target is not None:
            self._ids.pop(known.target, None)


class _Known(NamedTuple):
    """What must be at hand of a letter; the rest may be large."""

    target: Target | None
    seq: int
    event: EventId
    attempts: int
    next_retry: float | None
