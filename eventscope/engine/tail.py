"""The events of a database as they happen, without a queue and without a trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.engine.listening import Listening
from eventscope.engine.tail_source import Selection, TailSource
from eventscope.event import Event, Lsn
from eventscope.operators.backoff import Backoff
from eventscope.queue.event import QueuedEvent
from eventscope.replication.connection import SourceError, Unreachable, one_line
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.tail")

Show = Callable[[Sequence[Event]], Awaitable[None]]
"""Takes the next events, in their order, and returns when it can take more."""

_QUIET: Final = 10.0
_LOOK_AGAIN: Final = 0.05
_STEADY: Final = 5.0
"""Seconds that a connection must last for its loss not to count as one more in a row."""
_RECONNECT: Final = Backoff(first=0.2, factor=2, longest=30, retries=0)
_BURST_EVENTS: Final = 256
_BURST_BYTES: Final = 1024 * 1024


class Tail:
    """Listens to a database from the moment it is entered, and leaves nothing there.

    Args:
        settings: where the database is.
        selection: what to listen to.
        app: names the connections, and what is hidden of a table.
        where: says which events to show; by default all.
        limit: the number of events after which it ends.
        until_idle: the seconds without an event to show after which it ends.
    """

    def __init__(
        self,
        settings: Settings,
        selection: Selection | None = None,
        *,
        app: EventScope | None = None,
        where: Callable[[Event], bool] | None = None,
        limit: int | None = None,
        until_idle: float | None = None,
    ) -> None:
        self._source = TailSource(settings, app or EventScope("tail"), selection or Selection())
        self._where = where
        self._left = limit
        self._until_idle = until_idle
        self._listening: Listening | None = None
        self._shown_at = 0.0
        self._goal: Lsn | None = None

    async def __aenter__(self) -> Self:
        """Start listening: what is committed from here on will be shown.

        Raises:
            SourceError: the database cannot be reached, prepared or trusted.
        """
        try:
            await self._listen()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening, and clean up in the database."""
        await self._close()

    @property
    def tables(self) -> Sequence[str]:
        """The names of the tables that are listened to."""
        return self._source.tables

    async def run(self, show: Show) -> None:
        """Show events until the limit or the idleness that is asked for, else for ever.

        A lost connection is made again; what is committed until then is missed.

        Raises:
            SourceError: in a state that only a person can mend.
            SpoolError: the disk is too small for a transaction.
        """
        failures = 0
        while self._listening is not None:
            began = time.monotonic()
            try:
                await self._follow(self._listening, show)
                return
            except (Unreachable, psycopg.Error) as error:
                if isinstance(error, psycopg.errors.UndefinedObject) and not self._source.owns:
                    raise SourceError(f"{one_line(error)}: the publication is gone") from error
                reason = one_line(error)
            failures = 1 if time.monotonic() - began > _STEADY else failures + 1
            await self._listen_again(reason, failures)

    async def _follow(self, listening: Listening, show: Show) -> None:
        """Show what is heard, until it is enough or the connection is lost."""
        while True:
            lost = await listening.wait(self._patience())
            for burst in _bursts(await listening.take()):
                if events := self._selected(burst):
                    listening.held_up = True
                    await show(events)
                    listening.held_up = False
                    self._shown_at, self._goal = time.monotonic(), None
                await asyncio.sleep(0)  # the pulse must go on, too
                if self._left == 0:
                    return
            if lost is not None:
                raise lost
            if await self._idle(listening):
                return

    def _selected(self, burst: Iterable[QueuedEvent]) -> list[Event]:
        events = (queued.event() for queued in burst if self._source.wants(queued.relation))
        selected = [event for event in events if self._where is None or self._where(event)]
        if self._left is not None:
            selected = selected[: self._left]
            self._left -= len(selected)
        return selected

    def _patience(self) -> float:
        """Seconds after which there is something to do even if nothing comes."""
        if self._until_idle is None:
            return _QUIET
        if self._goal is not None:
            return _LOOK_AGAIN
        return min(_QUIET, max(0.0, self._shown_at + self._until_idle - time.monotonic()))

    async def _idle(self, listening: Listening) -> bool:
        """Whether nothing was shown for long enough, and nothing is on its way."""
        if self._until_idle is None or time.monotonic() < self._shown_at + self._until_idle:
            return False
        if self._goal is None:
            self._goal = await self._source.position()
        return listening.acknowledge(ask=True) >= self._goal

    async def _listen(self) -> None:
        self._listening = await Listening.begin(self._source)
        self._shown_at, self._goal = time.monotonic(), None

    async def _listen_again(self, reason: str, failures: int) -> None:
        _log.warning(f"connection lost ({reason}); what is committed until it is back is missed")
        while True:
            await self._end()
            await self._source.close()
            await asyncio.sleep(_RECONNECT.wait(failures))
            try:
                await self._listen()
            except SourceError as error:
                if not isinstance(error.__cause__, psycopg.OperationalError):
                    raise
                if str(error) != reason:
                    _log.warning(f"{error}; trying again")
                reason = str(error)
                failures += 1
            else:
                _log.warning("listening again; what was committed in between was missed")
                return

    async def _end(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            await listening.end()

    async def _close(self) -> None:
        await self._end()
        await self._source.withdraw()
        await self._source.close()


def _bursts(events: Iterable[QueuedEvent]) -> Iterator[list[QueuedEvent]]:
    """Portions that take neither long nor much room."""
    burst: list[QueuedEvent] = []
    size = 0
    for queued in events:
        burst.append(queued)
        size += len(queued.message)
        if len(burst) >= _BURST_EVENTS or size >= _BURST_BYTES:
            yield burst
            burst, size = [], 0
    if burst:
        yield burst
