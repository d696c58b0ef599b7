"""The events of a database as they happen, without a queue and without a trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import Final, Self

import psycopg
import structlog

from eventscope.engine.spool import Spool
from eventscope.engine.tail_source import Selection, TailSource
from eventscope.event import Event, Lsn
from eventscope.operators.backoff import Backoff
from eventscope.queue.base import QueuedEvent
from eventscope.replication.assembly import Assembler, Batch
from eventscope.replication.connection import SourceError, Unreachable, one_line
from eventscope.replication.relations import Relation
from eventscope.replication.stream import Stream
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.tail")

Show = Callable[[Sequence[Event]], Awaitable[None]]
"""Takes the next events, in their order, and returns when it can take more."""

_PULSE: Final = 1.0
"""Seconds between two words to the server, whatever else takes its time."""
_LOOK_AGAIN: Final = 0.05
_QUIET: Final = 10.0
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
        name: names the connections.
        where: says which events to show; by default all.
        limit: the number of events after which it ends.
        until_idle: the seconds without an event to show after which it ends.
    """

    def __init__(
        self,
        settings: Settings,
        selection: Selection | None = None,
        *,
        name: str = "tail",
        where: Callable[[Event], bool] | None = None,
        limit: int | None = None,
        until_idle: float | None = None,
    ) -> None:
        self._source = TailSource(settings, name, selection or Selection())
        self._where = where
        self._left = limit
        self._until_idle = until_idle
        self._spool = Spool()
        self._stream: Stream
        self._assembler: Assembler
        self._relations: dict[int, Relation] = {}
        self._pulse: asyncio.Task[None] | None = None
        self._received = Lsn(0)
        self._showing = False
        self._shown_at = 0.0
        self._goal: Lsn | None = None

    async def __aenter__(self) -> Self:
        """Start listening: what is committed from here on will be shown.

        Raises:
            SourceError: the database cannot be reached, prepared or trusted.
        """
        try:
            await self._attach()
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
        while True:
            began = time.monotonic()
            try:
                await self._follow(show)
                return
            except (Unreachable, psycopg.Error) as error:
                if isinstance(error, psycopg.errors.UndefinedObject) and not self._source.owns:
                    raise SourceError(f"{one_line(error)}: the publication is gone") from error
                reason = one_line(error)
            failures = 1 if time.monotonic() - began > _STEADY else failures + 1
            await self._attach_again(reason, failures)

    async def _follow(self, show: Show) -> None:
        """Show what the stream tells, until it is enough or the stream is lost."""
        while True:
            lost: psycopg.Error | None = None
            try:
                await self._stream.arrived(self._patience())
            except psycopg.Error as error:
                lost = error  # but what came before it did come
            await self._take(show)
            if self._left == 0:
                return
            if lost is not None:
                raise lost
            if await self._idle():
                return

    async def _take(self, show: Show) -> None:
        batch = self._assembler.take()
        self._stream.resume()
        self._relations |= await self._source.describe(batch.relations)
        for transaction in batch.transactions[-1:]:
            self._received = max(self._received, transaction.end_lsn)
        for burst in _bursts(self._committed(batch)):
            events = self._selected(burst)
            if self._left is not None:
                events = events[: self._left]
                self._left -= len(events)
            if events:
                self._showing = True
                await show(events)
                self._showing = False
                self._shown_at, self._goal = time.monotonic(), None
            else:
                await asyncio.sleep(0)  # whatever else there is to do
            if self._left == 0:
                return
        if self._stream.reply_requested:
            self._acknowledge()

    def _committed(self, batch: Batch) -> Iterator[QueuedEvent]:
        """The rows of the transactions that have ended; keeps the others until theirs do."""
        rows = iter(batch.rows)
        for transaction in batch.transactions:
            for seq, version, message in chain(self._spool.drain(), rows):
                yield QueuedEvent(seq, self._relations[version], message, transaction)
                if seq == transaction.last_seq:
                    break
        self._spool.keep(rows)

    def _selected(self, burst: Iterable[QueuedEvent]) -> list[Event]:
        events = (queued.event() for queued in burst if self._source.wants(queued.relation))
        return [event for event in events if self._where is None or self._where(event)]

    def _patience(self) -> float:
        """Seconds after which there is something to do even if nothing comes."""
        if self._until_idle is None:
            return _QUIET
        if self._goal is not None:
            return _LOOK_AGAIN
        return min(_QUIET, max(0.0, self._shown_at + self._until_idle - time.monotonic()))

    async def _idle(self) -> bool:
        """Whether nothing has come for long enough, and nothing is on its way."""
        if self._until_idle is None or time.monotonic() < self._shown_at + self._until_idle:
            return False
        if self._goal is None:
            self._goal = await self._source.position()
        if self._assembler.idle and self._heard >= self._goal:
            return True
        self._acknowledge(ask=True)
        return False

    @property
    def _heard(self) -> Lsn:
        """Every transaction that ended before this has arrived, if none is open."""
        return max(self._stream.server_lsn, self._assembler.passed)

    def _acknowledge(self, *, ask: bool = False) -> None:
        """Tell the server to keep nothing: no connection of ours will ask for it again."""
        if self._assembler.idle:
            self._received = max(self._received, self._heard)
        self._stream.acknowledge(self._received, ask=ask)

    async def _beat(self) -> None:
        """Let the server hear from us, also while whoever reads the events takes his time."""
        while True:
            await asyncio.sleep(_PULSE)
            self._acknowledge(ask=not self._showing)

    async def _attach(self) -> None:
        opened = await self._source.open()
        self._assembler = Assembler(next_seq=1, stored=opened.start, versions={}, next_version=1)
        try:
            self._stream = await Stream.start(
                opened.connection,
                self._assembler,
                slot=opened.slot,
                publication=opened.publication,
                start=opened.start,
            )
        except BaseException as error:
            await opened.connection.close()
            if isinstance(error, psycopg.Error):
                raise SourceError(f"cannot start streaming: {one_line(error)}") from error
            raise
        self._spool.clear()
        self._relations.clear()
        self._received = opened.start
        self._showing = False
        self._shown_at, self._goal = time.monotonic(), None
        self._pulse = asyncio.create_task(self._beat(), name="pulse")

    async def _attach_again(self, reason: str, failures: int) -> None:
        _log.warning(f"connection lost ({reason}); what is committed until it is back is missed")
        while True:
            await self._detach()
            await asyncio.sleep(_RECONNECT.wait(failures))
            try:
                await self._attach()
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

    async def _detach(self) -> None:
        await self._disconnect()
        await self._source.close()

    async def _close(self) -> None:
        await self._disconnect()
        await self._source.withdraw()
        await self._source.close()

    async def _disconnect(self) -> None:
        pulse, self._pulse = self._pulse, None
        if pulse is not None:
            pulse.cancel()
            await self._stream.close()
        self._spool.clear()


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
