"""One connection's stream into the queue, and back to the server what is safe there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import structlog

from eventscope import failpoints
from eventscope.engine.applied import Applied
from eventscope.engine.source import Attached, SourceDatabase
from eventscope.event import Lsn
from eventscope.queue.base import Queue
from eventscope.replication import history
from eventscope.replication.assembly import Assembler, Batch
from eventscope.replication.masking import Masking
from eventscope.replication.pgoutput import Subject
from eventscope.replication.relations import Relation
from eventscope.replication.stream import Stream
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.reader")

FEEDBACK: Final = 10.0
"""Seconds after which the server hears from us at the latest."""
_IDLE_ADVANCE: Final = 1.0
"""Seconds between two acknowledgements of WAL that holds nothing for us."""
_SLICE: Final = 0.005
"""Seconds of work after which the reader rests while somebody looks at a user interface."""


class Outdated(Exception):
    """Tables are not any more as the queue describes them; what came of them is to come again."""

    def __init__(self, subjects: frozenset[Subject]) -> None:
        super().__init__(subjects)
        self.subjects = subjects


class Intake:
    """Appends what comes over one connection to the queue.

    Args:
        source: the database that the connection leads to.
        settings: naming slot and publication.
        queue: what the transactions are appended to.
        prefixes: the prefixes of logical messages that somebody follows.
        outdated: the tables whose latest description does not hold any more.
        attached: the connection, and where to begin.
        on_append: called with each batch when it is durable.
        attended: whether a user interface shares the interpreter.
        applied: holds the slot back until everything is; None if what is stored is safe.
    """

    def __init__(
        self,
        source: SourceDatabase,
        settings: Settings,
        queue: Queue,
        attached: Attached,
        on_append: Callable[[Batch], None],
        *,
        prefixes: frozenset[str],
        outdated: frozenset[Subject],
        attended: bool,
        applied: Applied | None = None,
    ) -> None:
        self.sent = attached.confirmed
        """What the server was told it may forget."""
        self.stream: Stream | None = None
        self.abreast_at: float | None = None
        """When it was last known that all is stored that the server has, in seconds since the
        epoch."""
        self._source = source
        self._settings = settings
        self._queue = queue
        self._attached = attached
        self._on_append = on_append
        self._attended = attended
        self._applied = applied
        self._assembler = Assembler(
            next_seq=queue.last_seq + 1,
            stored=attached.checkpoint.stored,
            versions={
                subject: latest
                for subject, latest in queue.latest_versions.items()
                if subject not in outdated and source.is_concealed(queue.relations[latest[0]])
            },
            prefixes=prefixes,
            next_version=max(queue.relations, default=0) + 1,
            again=attached.again,
        )
        self._masking = Masking()
        for version, description in queue.latest_versions.values():
            self._masking.learn(version, description, queue.relations[version])
        self._storing = False
        self._sent_at = self._advanced_at = 0.0

    @property
    def heard(self) -> Lsn:
        """The server's position as last heard of."""
        return self.stream.server_lsn if self.stream is not None else Lsn(0)

    @property
    def passed(self) -> Lsn:
        """Of every transaction that ended before this, nothing is still to be stored."""
        if self._storing or not self._assembler.idle or self._assembler.awaited is not None:
            return Lsn(0)
        return max(self.heard, self._assembler.passed)

    async def start(self) -> None:
        """Start streaming, and with it the queue's next part.

        Raises:
            Unreachable: somebody has moved the slot meanwhile.
            psycopg.Error: the server refuses.
            QueueError: the queue cannot take it.
        """
        start = self._attached.checkpoint.acknowledged
        self.stream = await Stream.start(
            self._attached.connection,
            self._assembler,
            slot=self._settings.slot_name,
            publication=self._settings.publication,
            start=start,
            slice=_SLICE if self._attended else None,
        )
        await self._source.hold(self._attached)
        await self._queue.begin(self._attached.origin, self._attached.checkpoint)
        _log.info("streaming", slot=self._settings.slot_name, start=str(start))
        self._acknowledge(self.stream, self.sent)

    async def run(self) -> None:
        """Read until cancelled, or until something ends it.

        Raises:
            Unreachable: the catalogs cannot be asked.
            Outdated: a table has changed in what its description in the stream does not tell.
            psycopg.Error: the stream has ended; with the server's SQLSTATE if it said why.
            SourceError: the server does not hold what was read before.
            QueueError: the queue cannot take more.
        """
        stream, assembler = self.stream, self._assembler
        if stream is None:
            raise RuntimeError("not started")
        while True:
            ahead = self.passed > self._stored or self.sent < self._stored
            await stream.arrived(_IDLE_ADVANCE if ahead else FEEDBACK)
            batch = assembler.take()
            stream.resume()
            if batch:
                failpoints.hit(failpoints.AFTER_RECEIVE)
            self._check_history(batch)
            if batch or batch.repeated:
                self._storing = True
                await self._check_descriptions(batch)
                if batch:
                    await self._store(batch)
                self._storing = False
            await self._advance(stream)

    def ask(self) -> None:
        """Ask the server how far it is."""
        if self.stream is not None:
            self.stream.acknowledge(self.sent, ask=True)

    def release(self) -> None:
        """Tell the server at once what it may forget."""
        if self.stream is not None and self._safe > self.sent:
            self._acknowledge(self.stream, self._safe)

    async def close(self) -> None:
        """Close the connection; idempotent."""
        if self.stream is not None:
            await self.stream.close()
        else:
            await self._attached.connection.close()

    @property
    def _stored(self) -> Lsn:
        checkpoint = self._queue.checkpoint
        return checkpoint.reached if checkpoint is not None else Lsn(0)

    @property
    def _safe(self) -> Lsn:
        """What the server may forget."""
        if self._assembler.awaited is not None:
            return self.sent
        applied = self._applied
        if applied is None or applied.everything:
            return self._stored
        return max(self.sent, min(self._stored, applied.lsn))

    def _check_history(self, batch: Batch) -> None:
        """See to it that our last transaction comes again before anything new does."""
        awaited = self._assembler.awaited
        if awaited is not None and (batch.rows or self.heard >= awaited.end_lsn):
            raise history.is_another(awaited, self._settings.slot_name)

    async def _check_descriptions(self, batch: Batch) -> None:
        """See to it that rows are described as their table is now; raises Outdated if not."""
        outdated = await self._source.outdated(batch.repeated, self._queue.relations)
        if outdated:
            raise Outdated(outdated)

    async def _store(self, batch: Batch) -> None:
        relations = await self._source.describe(batch.relations)
        for version, description in batch.relations.items():
            self._masking.learn(version, description, relations[version])
        batch.rows = self._masking.rows(batch.rows)
        await self._to_the_end(self._append(batch, relations))

    async def _to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Do all of it, also if cancelled: what is stored must be known to be.

        The server hears from us meanwhile, or it would give us up while the queue is blocked.
        """
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait([task], timeout=FEEDBACK))[0]:
                if self.stream is not None:
                    self.stream.acknowledge(self.sent)
        except asyncio.CancelledError:
            await asyncio.gather(task, return_exceptions=True)
            raise
        task.result()

    async def _append(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        await self._queue.append(batch, relations)
        failpoints.hit(failpoints.AFTER_APPEND)
        self._on_append(batch)

    async def _advance(self, stream: Stream) -> None:
        """Acknowledge what is safe, also WAL that holds nothing for us."""
        now = time.monotonic()
        passed, applied = self.passed, self._applied
        if passed >= max(self.heard, self._source.end):
            self.abreast_at = time.time()
        is_free = applied is None or applied.everything
        if (is_free and passed > self._stored) and (
            stream.reply_requested or now - self._advanced_at >= _IDLE_ADVANCE
        ):
            await self._to_the_end(self._queue.acknowledge(passed))
            self._advanced_at = now
        safe = self._safe
        due = stream.reply_requested or now - self._sent_at >= FEEDBACK
        if safe > self.sent or due:
            self._acknowledge(stream, safe, ask=due and not stream.reply_requested)

    def _acknowledge(self, stream: Stream, lsn: Lsn, *, ask: bool = False) -> None:
        stream.acknowledge(lsn, ask=ask)
        self.sent, self._sent_at = lsn, time.monotonic()
        failpoints.hit(failpoints.AFTER_ACKNOWLEDGE)
