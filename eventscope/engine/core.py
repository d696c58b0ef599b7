"""The engine: one reader, one queue, one runner for each operator."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog

from eventscope.app import EventScope
from eventscope.engine.applied import Applied
from eventscope.engine.broadcast import Broadcast
from eventscope.engine.commands import Command
from eventscope.engine.controls import Controls
from eventscope.engine.loop_watch import LoopWatch
from eventscope.engine.mailbox import Mailbox
from eventscope.engine.progress import EngineProgress
from eventscope.engine.questions import Answer, Known, Question
from eventscope.engine.reader import Reader
from eventscope.engine.resumption import Resumptions
from eventscope.engine.ring import EventRing
from eventscope.engine.ring_filling import RingFilling
from eventscope.engine.slowest import slowest
from eventscope.engine.snapshot import Snapshot, StreamState
from eventscope.engine.snapshots import breakpoint_snapshot, operator_snapshot, stream_snapshot
from eventscope.engine.status import of_running
from eventscope.engine.tracing import tracing
from eventscope.engine.workforce import Workforce
from eventscope.operators import calling
from eventscope.operators.calling import LEAVE
from eventscope.pubsub.adapter import pubsub
from eventscope.pubsub.broker import Broker
from eventscope.queue.adapters import open_queue
from eventscope.queue.base import Queue
from eventscope.replication.assembly import Batch
from eventscope.replication.connection import Unreachable, server_label
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
        patience: seconds that a queue file may be unwritable, as its disk is full, before that
            ends the engine.
    """

    def __init__(
        self,
        app: EventScope,
        settings: Settings | None = None,
        *,
        attended: bool = False,
        patience: float = math.inf,
    ) -> None:
        self.app = app
        self.settings = settings if settings is not None else Settings.load()
        self.ring = EventRing()
        self._ring_filling = RingFilling(self.ring)
        self._attended = attended
        self._patience = patience
        self._server = ""
        self._queue: Queue
        self._reader: Reader
        self._workforce: Workforce
        self._controls: Controls
        self._applied: Applied | None = None
        self._broker: Broker
        self._broadcast: Broadcast
        self._progress: EngineProgress | None = None
        self._working: list[asyncio.Task[None]] = []
        self._tending: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()
        self._loop_watch = LoopWatch()
        self._spans = tracing(self.settings)
        self._failure: Exception | None = None
        self._started_at = time.time()
        self._opened = AsyncExitStack()

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
        try:
            progress = await self._open(self.settings)
        except BaseException:
            await self._close()
            raise
        workforce = self._workforce
        self._queue.be_patient(self._patience)
        self._tending = [
            self._supervise("reader", self._reader.run),
            self._supervise("retention", self._prune),
            self._supervise("broadcast", self._broadcast.run),
            self._supervise("listeners", self._broker.run),
            self._supervise("progress", progress.run),
            self._supervise("process status", progress.statuses.run),
            self._supervise("loop", self._loop_watch.run),
            self._supervise("mailbox", Mailbox(self._queue, self.command, self._report).run),
        ]
        self._working = [
            self._supervise(name, partial(workforce.run, name)) for name in workforce.runners
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything: the reader at once, operators after what they are at."""
        self._workforce.stop()
        self._queue.be_patient(0)
        self._end_waits()
        if self._applied is None:
            await self._stop_tending()
            await self._stop_working()
        else:  # the server is to hear what they have applied
            await self._stop_working()
            self._reader.release()
            await self._stop_tending()
        self._ended.set()
        await self._close()

    @property
    def started(self) -> bool:
        """Whether everything has been up once."""
        return bool(self._tending)

    @property
    def waits_for(self) -> str:
        """What keeps it from being up, while it starts and that takes long."""
        return self._reader.detail if hasattr(self, "_reader") else ""

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
                # before the position, which lies behind the effects of what was done till then
                rested, applied = self._workforce.settled, self._workforce.applied
                try:
                    before = await self._reader.server_position()
                except Unreachable:
                    await self._alive()
                    continue
                while not (self._reader.seen >= before and self._workforce.settled):
                    await self._alive()
                if rested and self._workforce.applied == applied:
                    await self._statuses_reach(self._queue.last_seq)
                    if self._ended.is_set():
                        await self._alive()
                    return

    def snapshot(self) -> Snapshot:
        """The engine as it is now."""
        return Snapshot(
            app=self.app.name,
            taken_at=time.time(),
            started_at=self._started_at,
            stream=stream_snapshot(
                self._reader,
                *self._state,
                server=self._server,
                slot=self.settings.slot_name,
                held_back_by=self._slowest,
            ),
            operators=tuple(map(operator_snapshot, self._workforce.runners.values())),
            orphans=self._workforce.orphans,
            breakpoints=tuple(map(breakpoint_snapshot, self._workforce.breakpoints.all)),
            lost_messages=self._broker.losses.count,
            loop_held=self._loop_watch.held,
        )

    async def command(self, command: Command, by: str = "the program") -> str:
        """Do what a person asks for; returns what was done, in one line.

        Raises:
            CommandRefused: it is not possible now; the message says why.
        """
        return await self._controls.do(command, by)

    def hurry(self) -> None:
        """Try to reach the server at once, if it is out of reach."""
        self._reader.hurry()

    def before_it_closes(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have something done when everything has stopped, and can still be asked."""
        self._opened.push_async_callback(work)

    async def ask(self, question: Question[Answer]) -> Answer:
        """Look up what no snapshot holds."""
        return await question.answer(
            Known(self.app, self.settings, self._queue, self._workforce.runners)
        )

    @property
    def _slowest(self) -> str | None:
        """The operator that the slot is held back for."""
        if self._applied is None:
            return None
        return slowest(self._workforce.runners, self._queue)

    @property
    def _state(self) -> tuple[StreamState, str]:
        """The state of the stream, and why it is in it."""
        if self._failure is not None:
            return "stopped", str(self._failure)
        if trouble := self._queue.trouble:
            return "blocked", trouble
        return self._reader.state, self._reader.detail

    async def _open(self, settings: Settings) -> EngineProgress:
        """Open everything, each thing to be closed before those that it rests on."""
        opened = self._opened.push_async_callback
        self._broker = Broker(self.app, pubsub(settings.pubsub))
        self._queue = await open_queue(settings, self.app.name)
        opened(self._queue.close)
        self._broadcast = Broadcast(self.app, self._queue, self._broker.pubsub)
        self._workforce = workforce = Workforce(
            self.app, settings, self._queue, attended=self._attended, spans=self._spans
        )
        if settings.holds_back:
            self._applied = Applied(self._queue, lambda: workforce.done)
        self._reader = Reader(
            self.app,
            settings,
            self._queue,
            self._on_append,
            on_hold=workforce.claim,
            attended=self._attended,
            applied=self._applied,
        )
        opened(self._reader.close)
        await self._reader.prepare()
        self._server = server_label(settings)
        opened(workforce.close)
        await workforce.start()
        self._controls = Controls(
            self._queue,
            workforce.runners,
            self.app.operators,
            workforce.forget,
            workforce.breakpoints,
        )
        opened(self._broker.close)
        await self._broker.open()
        resumptions = Resumptions.of_engine(self.app, self._queue, self._broadcast)
        self._opened.callback(resumptions.close)
        resumptions.open()
        self._progress = progress = EngineProgress(
            self.app, self._queue, self._reader, workforce.runners
        )
        await progress.open()
        return progress

    async def _report(self) -> str:
        status = await of_running(self.snapshot(), self._queue, os.getpid())
        return msgspec.json.encode(status).decode()

    def _supervise(
        self, name: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        async def supervised() -> None:
            try:
                await work()
            except Exception as error:
                self._failure = self._failure or error
                self._ended.set()
                self._end_waits()
                self._broker.end()
                _log.error(str(error), part=name)

        return asyncio.create_task(supervised(), name=name)

    def _on_append(self, batch: Batch) -> None:
        if self._attended:
            self._ring_filling.append(batch, self._queue.relations)
        if self._spans is not None:
            self._spans.stored(batch.transactions)
        if self._applied is not None:
            self._applied.extend(batch.transactions)
        self._workforce.announce(batch.counts)
        self._broadcast.announce(batch.counts)
        if self._progress is not None:
            self._progress.announce(batch)

    async def _stop_tending(self) -> None:
        for task in self._tending:
            task.cancel()
        await asyncio.gather(*self._tending, return_exceptions=True)

    async def _stop_working(self) -> None:
        """Wait for the operators, cancel them, and leave those who do not heed that."""
        working = set(self._working)
        if working:
            _, working = await asyncio.wait(working, timeout=GRACE)
        for message in (None, LEAVE):
            for task in working:
                task.cancel(message)
            if working:
                _, working = await asyncio.wait(working, timeout=calling.GRACE)
        for task in working:
            _log.warning("the operator does not end, and is left", operator=task.get_name())

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_INTERVAL)
            await self._workforce.save()
            seen = self._queue.last_seq
            await self._broadcast.reach(seen)
            await self._statuses_reach(seen)
            dropped = await self._queue.prune(until=seen)
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

    async def _statuses_reach(self, seq: int) -> None:
        if self._progress is not None:
            await self._progress.statuses.reach(seq)

    def _end_waits(self) -> None:
        if self._progress is not None:
            self._progress.close()

    async def _close(self) -> None:
        self._end_waits()
        await self._opened.aclose()
