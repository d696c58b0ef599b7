"""The reader: from the server into the queue, and back to the server what is safe there."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psycopg
import structlog

from eventscope import failpoints
from eventscope.app import EventScope
from eventscope.engine.snapshot import StreamState
from eventscope.engine.source import Attached, SourceDatabase
from eventscope.event import Lsn
from eventscope.queue.base import Queue
from eventscope.replication.assembly import Assembler, Batch
from eventscope.replication.connection import SourceError, Unreachable, one_line
from eventscope.replication.stream import Stream
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.reader")

_FEEDBACK: Final = 10.0
"""Seconds after which the server hears from us at the latest."""
_IDLE_ADVANCE: Final = 1.0
"""Seconds between two acknowledgements of WAL that holds nothing for us."""
_STANDBY_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_STEADY: Final = 5.0
"""Seconds that a connection must last for its loss not to count as one more in a row."""
_SLICE: Final = 0.005
"""Seconds of work after which the reader rests while somebody looks at a user interface."""


class Reader:
    """Reads the stream into the queue, across lost connections.

    Args:
        app: whose tables are read.
        settings: where, and through which publication and slot.
        queue: what the transactions are appended to.
        on_append: called with each batch when it is durable.
        attended: whether a user interface shares the interpreter.
    """

    def __init__(
        self,
        app: EventScope,
        settings: Settings,
        queue: Queue,
        on_append: Callable[[Batch], None],
        *,
        attended: bool,
    ) -> None:
        self.state: StreamState = "connecting"
        self.detail = ""
        self.next_retry: float | None = None
        self.events = 0
        """Events stored since the start."""
        self._settings = settings
        self._queue = queue
        self._on_append = on_append
        self._attended = attended
        self._source = SourceDatabase(app, settings)
        self._attached: Attached | None = None
        self._stream: Stream | None = None
        self._assembler: Assembler | None = None
        self._storing = False
        self._sent = Lsn(0)
        self._sent_at = self._advanced_at = 0.0
        self._told = ""

    @property
    def received(self) -> Lsn:
        """The server's position as last heard of."""
        heard = self._stream.server_lsn if self._stream is not None else Lsn(0)
        return max(heard, self.stored)

    @property
    def stored(self) -> Lsn:
        """Everything of interest before this is durable here."""
        checkpoint = self._queue.checkpoint
        return checkpoint.reached if checkpoint is not None else Lsn(0)

    @property
    def acknowledged(self) -> Lsn:
        """What the server was told it may forget."""
        return self._sent

    @property
    def seen(self) -> Lsn:
        """Every transaction that ended before this is visible in the queue."""
        if self.state != "streaming" or self._assembler is None or self._stream is None:
            return self.stored
        if self._storing or not self._assembler.idle:
            return self.stored
        return max(self.stored, self._stream.server_lsn, self._assembler.passed)

    async def prepare(self) -> None:
        """Check and prepare the database for the first time.

        Raises:
            SourceError: it cannot be reached, prepared or trusted.
        """
        await self._source.prepare()
        self._attached = await self._source.attach(self._queue)

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            SourceError: in a state that only a person can mend.
            QueueError: the queue cannot take more.
        """
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._stream_once()
            except psycopg.errors.ObjectInUse:
                await self._stand_by()
                failures = 0
                continue
            except Unreachable as error:
                reason = str(error)
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                raise SourceError(one_line(error)) from error
            except psycopg.errors.UndefinedObject as error:
                raise SourceError(
                    f"{one_line(error)}: the publication or slot is gone, or was made after "
                    f"what the slot has to tell"
                ) from error
            except psycopg.Error as error:
                reason = f"connection lost: {one_line(error)}"
            finally:
                await self._disconnect()
            failures = 1 if time.monotonic() - began > _STEADY else failures + 1
            await self._wait("reconnecting", reason, _reconnect_wait(failures))

    def ask(self) -> None:
        """Ask the server how far it is."""
        if self._stream is not None:
            with suppress(psycopg.Error):  # which the stream itself will meet
                self._stream.acknowledge(self._sent, ask=True)

    async def server_position(self) -> Lsn:
        """The end of the WAL, which by then holds every commit before the call on disk.

        Raises:
            Unreachable: it cannot be asked now.
        """
        return await self._source.position()

    async def close(self) -> None:
        """Close all connections."""
        await self._disconnect()
        if self._attached is not None:
            await self._attached.connection.close()
        self.state = "stopped"

    async def _stream_once(self) -> None:
        """Connect, and read until something ends it."""
        self.next_retry = None
        if self.state != "standby":
            self.state, self.detail = "connecting", ""
        attached, self._attached = self._attached or await self._source.attach(self._queue), None
        start = attached.checkpoint.reached
        try:
            self._assembler = assembler = Assembler(
                next_seq=self._queue.last_seq + 1,
                stored=start,
                versions=self._queue.latest_versions,
                next_version=max(self._queue.relations, default=0) + 1,
            )
            self._storing = False
            self._stream = stream = await Stream.start(
                attached.connection,
                assembler,
                slot=self._settings.slot_name,
                publication=self._settings.publication,
                start=start,
                slice=_SLICE if self._attended else None,
            )
        except BaseException:
            await attached.connection.close()
            raise
        await self._queue.begin(attached.origin, attached.checkpoint)
        self.state, self.detail, self._told = "streaming", "", ""
        _log.info("streaming", slot=self._settings.slot_name, start=str(start))
        self._acknowledge(stream, self.stored)
        while True:
            ahead = self.seen > self.stored
            await stream.arrived(_IDLE_ADVANCE if ahead else _FEEDBACK)
            batch = assembler.take()
            stream.resume()
            if batch:
                self._storing = True
                await self._store(batch)
                self._storing = False
            await self._advance(stream)

    async def _store(self, batch: Batch) -> None:
        await self._queue.append(batch, await self._source.describe(batch.relations))
        failpoints.hit(failpoints.AFTER_APPEND)
        self.events += sum(batch.counts.values())
        self._on_append(batch)

    async def _advance(self, stream: Stream) -> None:
        """Acknowledge what is safe, also WAL that holds nothing for us."""
        now = time.monotonic()
        seen = self.seen
        if seen > self.stored and (
            stream.reply_requested or now - self._advanced_at >= _IDLE_ADVANCE
        ):
            await self._queue.acknowledge(seen)
            self._advanced_at = now
        due = stream.reply_requested or now - self._sent_at >= _FEEDBACK
        if self.stored > self._sent or due:
            self._acknowledge(stream, self.stored, ask=due and not stream.reply_requested)

    def _acknowledge(self, stream: Stream, lsn: Lsn, *, ask: bool = False) -> None:
        stream.acknowledge(lsn, ask=ask)
        self._sent, self._sent_at = lsn, time.monotonic()
        failpoints.hit(failpoints.AFTER_ACKNOWLEDGE)

    async def _disconnect(self) -> None:
        stream, self._stream, self._assembler = self._stream, None, None
        if stream is not None:
            await stream.close()
        await self._source.close()

    async def _stand_by(self) -> None:
        """The slot is somebody else's: say whose, and wait for its end."""
        holder = await self._source.slot_holder()
        reason = f"slot {self._settings.slot_name} is in use by {holder}"
        await self._wait("standby", reason, _STANDBY_WAIT)

    async def _wait(self, state: StreamState, reason: str, seconds: float) -> None:
        if reason != self._told:
            _log.warning(reason, state=state)
        self._told = reason
        self.state, self.detail = state, reason
        self.next_retry = time.time() + seconds
        await asyncio.sleep(seconds)


def _reconnect_wait(failures: int) -> float:
    """Seconds before the next attempt: doubling from 0.2, capped, with full jitter above half."""
    planned: float = min(0.1 * 2 ** min(failures, 10), _LONGEST_WAIT)
    return planned * random.uniform(0.5, 1)  # noqa: S311 - no secret
