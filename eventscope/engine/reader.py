"""The reader: from the server into the queue, across lost connections."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.engine.applied import Applied
from eventscope.engine.intake import Intake, Outdated
from eventscope.engine.publication_watch import PublicationWatch
from eventscope.engine.snapshot import StreamState
from eventscope.engine.source import Attached, SourceDatabase
from eventscope.event import Lsn
from eventscope.queue.base import Queue
from eventscope.replication import pgoutput
from eventscope.replication.assembly import Batch
from eventscope.replication.connection import SlotInUse, SystemIdentity, Unreachable, one_line
from eventscope.replication.pgoutput import Subject
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.reader")

_STANDBY_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 30.0
_STEADY: Final = 5.0
"""Seconds that a connection must last for its loss not to count as one more in a row."""


class Reader:
    """Reads the stream into the queue.

    Args:
        app: whose tables are read.
        settings: where, and through which publication and slot.
        queue: what the transactions are appended to.
        on_append: called with each batch when it is durable.
        on_hold: called when the slot has become ours, before anything is read; is told whether
            another instance has applied what lies between the queue and the slot.
        attended: whether a user interface shares the interpreter.
        applied: holds the slot back until everything is; None if what is stored is safe.
    """

    def __init__(
        self,
        app: EventScope,
        settings: Settings,
        queue: Queue,
        on_append: Callable[[Batch], None],
        *,
        attended: bool,
        on_hold: Callable[[SystemIdentity, bool], Awaitable[None]] | None = None,
        applied: Applied | None = None,
    ) -> None:
        self.state: StreamState = "connecting"
        self.detail = ""
        self.next_retry: float | None = None
        self.events = 0
        """Events stored since the start."""
        self._settings = settings
        self._queue = queue
        self._on_append = on_append
        self._on_hold = on_hold
        self._attended = attended
        self._applied = applied
        self._source = SourceDatabase(app, settings, self._waits_for)
        self._watch = PublicationWatch(self._source.look, app, settings)
        self._attached: Attached | None = None
        self._intake: Intake | None = None
        """Of the present connection, or the last one."""
        self._streaming_since: float | None = None
        self._told = ""
        self._hurried = asyncio.Event()
        self._prefixes = app.prefixes
        self._outdated: frozenset[Subject] = frozenset()

    @property
    def received(self) -> Lsn:
        """The server's position as last heard of."""
        heard = self._intake.heard if self._intake is not None else Lsn(0)
        return max(heard, self.stored)

    @property
    def stored(self) -> Lsn:
        """Everything of interest before this is durable here."""
        checkpoint = self._queue.checkpoint
        return checkpoint.reached if checkpoint is not None else Lsn(0)

    @property
    def acknowledged(self) -> Lsn:
        """What the server was told it may forget."""
        return self._intake.sent if self._intake is not None else Lsn(0)

    @property
    def wal_limit(self) -> int | None:
        """Bytes of WAL that the server keeps for the slot at most; None if it knows no limit."""
        return self._source.wal_limit

    @property
    def retained(self) -> int | None:
        """Bytes of WAL that the server keeps for the slot, as of the last look at it."""
        return self._source.retained

    @property
    def server_end(self) -> Lsn:
        """The end of the server's WAL, as of the last look or later."""
        return max(self._source.end, self.received)

    @property
    def current_until(self) -> float | None:
        """What committed before this moment, in seconds since the epoch, is stored.

        It may be later than that, by the server's pauses between two messages. None: it is not
        known, as nothing has been stored yet.
        """
        last, intake = self._queue.last, self._intake
        known = [pgoutput.timestamp(last.committed_at).timestamp()] if last is not None else []
        if intake is not None and intake.abreast_at is not None:
            known.append(intake.abreast_at)
        if self.state == "streaming" and self.seen >= self.server_end:
            known.append(time.time())
        return max(known, default=None)

    @property
    def seen(self) -> Lsn:
        """Every transaction that ended before this is visible in the queue."""
        if self.state != "streaming" or self._intake is None:
            return self.stored
        return max(self.stored, self._intake.passed)

    async def prepare(self) -> None:
        """Check and prepare the database for the first time.

        Raises:
            SourceError: it cannot be reached, prepared or trusted.
        """
        await self._source.prepare()
        with suppress(SlotInUse):
            self._attached = await self._source.attach(self._queue)

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            SourceError: in a state that only a person can mend.
            QueueError: the queue cannot take more.
        """
        failures = 0
        while True:
            try:
                try:
                    await self._stream_once()
                finally:
                    await self._source.close()
            except Outdated as error:
                self._outdated = error.subjects
                _log.info(
                    "a table has other ancestors or another key, or is hidden in other parts,"
                    " reading again from before"
                )
            except SlotInUse as error:
                failures = 0
                if self.state != "standby":
                    self._warn_of_two_queues()
                await self._wait("standby", str(error), _STANDBY_WAIT)
            except Unreachable as error:
                failures = 1 if self._was_steady() else failures + 1
                await self._wait("reconnecting", str(error), _reconnect_wait(failures))

    def hurry(self) -> None:
        """Make the next attempt to connect at once, if one is waited for."""
        self._hurried.set()

    def ask(self) -> None:
        """Ask the server how far it is."""
        if self._intake is not None:
            self._intake.ask()

    def release(self) -> None:
        """Tell the server what it may forget by now."""
        if self._intake is not None:
            self._intake.release()

    async def server_position(self) -> Lsn:
        """The end of the WAL, which by then holds every commit before the call on disk.

        Raises:
            Unreachable: it cannot be asked now.
        """
        return await self._source.position()

    async def close(self) -> None:
        """Close all connections."""
        if self._attached is not None:
            await self._attached.connection.close()
        await self._source.close()
        self.state = "stopped"

    async def _stream_once(self) -> None:
        """Connect, and read until something ends it.

        Raises:
            Unreachable: another attempt may succeed; SlotInUse: when somebody else lets go.
            SourceError: only a person can mend it.
            QueueError: the queue cannot take more.
        """
        self.next_retry = self._streaming_since = None
        if self.state != "standby":
            self.state, self.detail = "connecting", ""
        attached, self._attached = self._attached or await self._source.attach(self._queue), None
        before, earlier = self.stored, self._intake
        self._intake = intake = Intake(
            self._source,
            self._settings,
            self._queue,
            attached,
            self._take_note,
            prefixes=self._prefixes,
            outdated=self._outdated,
            attended=self._attended,
            applied=self._applied,
        )
        self._outdated = frozenset()
        if earlier is not None:
            intake.abreast_at = earlier.abreast_at
        try:
            await intake.start()
            if self._on_hold is not None:
                await self._on_hold(_identity(attached), attached.passed)
            self._streaming_since = time.monotonic()
            self.state, self.detail, self._told = "streaming", "", ""
            if not (earlier is None or self._settings.durable_slot):
                self._name_gap(before, attached.confirmed)
            await self._read(intake)
        except psycopg.errors.ObjectInUse as error:
            raise await self._source.slot_in_use() from error
        except (
            psycopg.errors.UndefinedObject,
            psycopg.errors.ObjectNotInPrerequisiteState,
        ) as error:
            raise await self._source.cause(error) from error
        except psycopg.Error as error:
            is_about_connection = error.sqlstate is None or error.sqlstate[:2] in ("08", "57")
            what = "connection lost" if is_about_connection else "the server ended the stream"
            raise Unreachable(f"{what}: {one_line(error)}") from error
        finally:
            await intake.close()

    async def _read(self, intake: Intake) -> None:
        """Read, and watch the publication meanwhile, until one of them ends."""
        works = [asyncio.create_task(intake.run()), asyncio.create_task(self._watch.run())]
        try:
            ended, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._source.hang_up()
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
        for work in ended:
            work.result()

    def _take_note(self, batch: Batch) -> None:
        self.events += sum(batch.counts.values())
        self._on_append(batch)

    def _was_steady(self) -> bool:
        since = self._streaming_since
        return since is not None and time.monotonic() - since > _STEADY

    async def _wait(self, state: StreamState, reason: str, seconds: float) -> None:
        self.state, self.detail = state, reason
        self._tell(reason)
        self.next_retry = time.time() + seconds
        self._hurried.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()

    def _waits_for(self, reason: str) -> None:
        """Hear what keeps a connection from being made."""
        self.detail = reason
        self._tell(reason)

    def _tell(self, reason: str) -> None:
        """Log why nothing comes; once, however often it is tried."""
        if reason != self._told:
            _log.warning(reason, state=self.state)
        self._told = reason

    def _warn_of_two_queues(self) -> None:
        """Say what a standby would not hear of when it takes over."""
        if self._settings.durable_slot and not self._settings.holds_back:
            _log.warning(
                "standing by with acknowledge = stored: what the other process has stored, but not"
                " applied when it ends, is not sent to this one; set acknowledge = applied for both"
            )

    def _name_gap(self, before: Lsn, after: Lsn) -> None:
        _log.warning(
            f"slot {self._settings.slot_name} is temporary and had to be made again:"
            f" what was committed between {before} and {after} is not seen"
        )


def _identity(attached: Attached) -> SystemIdentity:
    origin, checkpoint = attached.origin, attached.checkpoint
    return SystemIdentity(
        origin.system_id, checkpoint.timeline, attached.confirmed, origin.database
    )


def _reconnect_wait(failures: int) -> float:
    """Seconds before the next attempt: doubling from 0.2, capped, with full jitter above half."""
    planned: float = min(0.1 * 2 ** min(failures, 10), _LONGEST_WAIT)
    return planned * random.uniform(0.5, 1)  # noqa: S311 - no secret
