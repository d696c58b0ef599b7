"""The engine: one reader, one queue, one runner for each operator."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

import structlog

from eventscope.app import EventScope, HandlerOperator, Operator
from eventscope.engine.broadcast import Broadcast
from eventscope.engine.commands import Command, CommandRefused, Pause, Resume, Retry
from eventscope.engine.loop_watch import watch_loop
from eventscope.engine.reader import Reader
from eventscope.engine.ring import EventRing
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot, StreamSnapshot
from eventscope.operators.backoff import Backoff
from eventscope.operators.effect import Effect
from eventscope.operators.failures import error_logger
from eventscope.operators.handler import HandlerEffect
from eventscope.operators.query import QueryEffect
from eventscope.operators.runner import Runner
from eventscope.pubsub.adapter import pubsub
from eventscope.pubsub.broker import Broker
from eventscope.queue.base import Queue
from eventscope.queue.event import QueuedEvent
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.assembly import Batch, Row
from eventscope.replication.connection import Unreachable, conninfo, server_label
from eventscope.settings import Settings, SettingsError

_log = structlog.get_logger("eventscope.engine")

GRACE: Final = 5.0
"""Seconds that operators have to finish what they are at when the engine stops."""
_PRUNE_INTERVAL: Final = 15.0
_SETTLE_CHECK: Final = 0.05


class Engine:
    """Runs an application in the caller's event loop.

    ``async with Engine(app): ...`` starts everything; leaving the block stops it.

    Args:
        app: what to run.
        settings: by default read from the usual sources.
        attended: whether a user interface shares the interpreter; the engine then gives way to
            it after every few milliseconds of work, and fills ``ring``.
    """

    def __init__(
        self, app: EventScope, settings: Settings | None = None, *, attended: bool = False
    ) -> None:
        self.app = app
        self.settings = settings if settings is not None else Settings.load()
        self.ring = EventRing()
        self._attended = attended
        self._open_rows: deque[Row] = deque(maxlen=self.ring.capacity)
        self._server = ""
        self._queue: Queue
        self._reader: Reader
        self._broker: Broker
        self._broadcast: Broadcast
        self._runners: dict[str, Runner] = {}
        self._working: list[asyncio.Task[None]] = []
        self._tending: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        self._failure: Exception | None = None
        self._started_at = time.time()

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            SettingsError: the application or its settings cannot work.
            QueueError: the queue file cannot be used.
            SourceError: the database cannot be reached, prepared or trusted.
        """
        if not (self.app.entities or self.app.operators):
            raise SettingsError(
                f"application {self.app.name!r} follows no table: declare one with app.entity()"
            )
        settings = self.settings
        self._broker = Broker(self.app, pubsub(settings.pubsub))
        self._queue = await SqliteQueue.open(
            settings.queue_file(self.app.name),
            retention_events=settings.retention_events,
            retention_bytes=settings.retention_bytes,
        )
        self._broadcast = Broadcast(self.app, self._queue, self._broker.pubsub)
        self._reader = Reader(
            self.app, settings, self._queue, self._on_append, attended=self._attended
        )
        try:
            await self._reader.prepare()
            self._server = server_label(settings)
            await self._start_runners()
            await self._broker.open()
        except BaseException:
            await self._close()
            raise
        self._tending = [
            self._supervise("reader", self._reader.run),
            self._supervise("retention", self._prune),
            self._supervise("broadcast", self._broadcast.run),
            self._supervise("listeners", self._broker.run),
            self._supervise("loop", watch_loop),
        ]
        self._working = [
            self._supervise(runner.operator.name, runner.run) for runner in self._runners.values()
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything: the reader at once, operators after what they are at."""
        for runner in self._runners.values():
            runner.stop()
        for task in self._tending:
            task.cancel()
        if self._working:
            await asyncio.wait(self._working, timeout=GRACE)
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._tending, *self._working, return_exceptions=True)
        self._ended.set()
        await self._close()

    @property
    def started(self) -> bool:
        """Whether everything has been up once."""
        return bool(self._tending)

    @property
    def failure(self) -> Exception | None:
        """What ended the engine from within, if something has."""
        return self._failure

    async def wait(self) -> None:
        """Wait until the engine has ended; raises what ended it from within."""
        await self._ended.wait()
        if self._failure is not None:
            raise self._failure

    async def settle(self, timeout: float | None = None) -> None:
        """Wait until everything committed so far is processed, cascades included.

        An operator that has halted is not waited for.

        Raises:
            TimeoutError: after ``timeout`` seconds.
            SourceError: the engine has ended in a state that only a person can mend.
            RuntimeError: the engine has been stopped.
        """
        async with asyncio.timeout(timeout):
            while True:
                applied = self._applied()  # before the position, which lies behind its effects
                try:
                    before = await self._reader.server_position()
                except Unreachable:
                    await self._alive()
                    continue
                while not (self._reader.seen >= before and self._settled()):
                    await self._alive()
                if self._applied() == applied:
                    return

    def snapshot(self) -> Snapshot:
        """The engine as it is now."""
        reader = self._reader
        return Snapshot(
            app=self.app.name,
            taken_at=time.time(),
            started_at=self._started_at,
            stream=StreamSnapshot(
                state="stopped" if self._failure is not None else reader.state,
                detail=str(self._failure) if self._failure is not None else reader.detail,
                next_retry=reader.next_retry,
                server=self._server,
                slot=self.settings.slot_name,
                received_lsn=reader.received,
                stored_lsn=reader.seen,
                acknowledged_lsn=reader.acknowledged,
                events=reader.events,
            ),
            operators=tuple(_operator_snapshot(runner) for runner in self._runners.values()),
        )

    async def command(self, command: Command) -> str:
        """Do what a person asks for; returns what was done, in one line.

        Raises:
            CommandRefused: it is not possible now; the message says why.
        """
        runner = self._runners.get(command.operator)
        if runner is None:
            raise CommandRefused(f"there is no operator {command.operator}")
        name = runner.operator.name
        match command:
            case Pause():
                if runner.paused:
                    raise CommandRefused(f"{name} is paused already")
                runner.pause()
                done = f"{name} is paused"
            case Resume():
                if not runner.paused:
                    raise CommandRefused(f"{name} is not paused")
                runner.resume()
                done = f"{name} goes on"
            case Retry():
                if runner.state not in ("backing-off", "halted", "waiting"):
                    raise CommandRefused(f"nothing to retry: {name} is {runner.state}")
                runner.retry()
                done = f"{name} tries again"
        _log.info(done, command=type(command).__name__.lower(), operator=name)
        return done

    async def _start_runners(self) -> None:
        backoff = Backoff.of(self.settings)
        logger = error_logger(self.settings.error_logger_adapter)
        for operator in self.app.operators:
            runner = Runner(operator, self._queue, backoff, logger)
            await runner.start(self._effect(operator, runner))
            self._runners[operator.name] = runner

    def _effect(self, operator: Operator, runner: Runner) -> Effect:
        where = conninfo(self.settings, operator.name, self.app.name)
        if isinstance(operator, HandlerOperator):
            return HandlerEffect(operator, where, runner.waits_for)
        return QueryEffect(operator, where, runner.waits_for)

    def _supervise(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        async def supervised() -> None:
            try:
                await work()
            except Exception as error:
                _log.error(str(error), part=name)
                self._failure = self._failure or error
                self._ended.set()

        return asyncio.create_task(supervised(), name=name)

    def _on_append(self, batch: Batch) -> None:
        if self._attended:
            self._show(batch)
        for runner in self._runners.values():
            runner.announce(batch.counts)
        self._broadcast.announce(batch.counts)

    def _show(self, batch: Batch) -> None:
        """Put the events of ended transactions into the ring."""
        rows, relations = self._open_rows, self._queue.relations
        while rows and batch.rows and rows[-1][0] >= batch.rows[0][0]:
            rows.pop()  # of a transaction that was cut off, and comes again from its beginning
        rows.extend(batch.rows)
        entries = []
        for transaction in batch.transactions:
            while rows and rows[0][0] <= transaction.last_seq:
                seq, version, message = rows.popleft()
                entries.append(QueuedEvent(seq, relations[version], message, transaction))
        self.ring.extend(entries)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_INTERVAL)
            for runner in self._runners.values():
                if runner.settled:
                    await runner.save()
            await self._broadcast.reach(self._queue.last_seq)
            dropped = await self._queue.prune()
            if dropped:
                _log.debug("history dropped", events=dropped)

    async def _alive(self) -> None:
        """Let the engine work on for a moment; raises what has ended it."""
        self._reader.ask()
        try:
            async with asyncio.timeout(_SETTLE_CHECK):
                await self.wait()
        except TimeoutError:
            return
        raise RuntimeError("the engine has been stopped")

    def _applied(self) -> int:
        return sum(runner.applied for runner in self._runners.values())

    def _settled(self) -> bool:
        return all(runner.settled or runner.state == "halted" for runner in self._runners.values())

    async def _close(self) -> None:
        for runner in self._runners.values():
            await runner.close()
        await self._broker.close()
        await self._reader.close()
        await self._queue.close()


def _operator_snapshot(runner: Runner) -> OperatorSnapshot:
    operator = runner.operator
    return OperatorSnapshot(
        name=operator.name,
        kind=operator.kind,
        entities=operator.entities,
        state=runner.state,
        depth=runner.depth,
        attempts=runner.attempts,
        max_attempts=runner.backoff.retries + 1,
        next_retry=runner.next_retry,
        error=runner.error,
        traceback=runner.traceback,
        applied=runner.applied,
        failed=runner.failed,
        paused=runner.paused,
        detail=runner.detail,
    )
