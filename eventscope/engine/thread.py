"""The engine on an event loop of its own, in a thread beside a user interface."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from eventscope.app import EventScope
from eventscope.engine.log_ring import LogRing
from eventscope.errors import NotRunning
from eventscope.settings import Settings

if TYPE_CHECKING:
    from eventscope.engine.commands import Command
    from eventscope.engine.core import Engine
    from eventscope.engine.examination import Examination
    from eventscope.engine.questions import Answer, Question
    from eventscope.engine.ring import EventRing
    from eventscope.engine.snapshot import Snapshot

_log = structlog.get_logger("eventscope.engine")


class EngineThread:
    """Runs an engine in a thread; its methods may be called from any other thread.

    One that could not start, or has died, can be begun again. The engine's code is imported in
    that thread, so that a user interface need not wait for it.

    Args:
        app: what to run.
        settings: how.
        read_only: whether its commands are refused; those from other processes are not.
    """

    def __init__(self, app: EventScope, settings: Settings, *, read_only: bool = False) -> None:
        self.read_only = read_only
        self.log = LogRing()
        """What was logged and printed lately, as far as somebody feeds it."""
        self._app = app
        self._settings = settings
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None]
        self._has_begun: threading.Event
        """Whether there is a loop and a task on it."""
        self._started: Future[None] = Future()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether it is up, or has been and is not begun again."""
        return self._started.done() and self._started.exception() is None

    @property
    def error(self) -> BaseException | None:
        """What has kept it from starting, or what it has died of."""
        if self._started.done() and (refusal := self._started.exception()) is not None:
            return refusal
        return self._engine.failure if self._engine is not None else None

    @property
    def waits_for(self) -> str:
        """What keeps it from being up while it starts, if that takes long."""
        return self._engine.waits_for if self._engine is not None else ""

    @property
    def ring(self) -> EventRing:
        """The recent events."""
        return self._running.ring

    def begin(self) -> None:
        """Start, and return at once; what ran before is stopped first."""
        before = self._cancelled()
        self._engine = None
        self._started, self._has_begun = Future(), threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._started, before), name="eventscope engine"
        )
        self._thread.start()

    def start(self) -> None:
        """Start, and return when the engine runs; raises what prevents it."""
        self.begin()
        try:
            self._started.result()
        except BaseException:
            self.stop()
            raise

    def diagnose(self) -> Future[Examination]:
        """Examine what a start depends on, while no engine runs that could be asked."""
        found: Future[Examination] = Future()

        def look() -> None:
            if not found.set_running_or_notify_cancel():
                return
            from eventscope.engine.examination import examine

            try:
                found.set_result(asyncio.run(examine(self._app, self._settings)))
            except BaseException as error:
                found.set_exception(error)

        threading.Thread(target=look, name="eventscope doctor", daemon=True).start()
        return found

    def snapshot(self) -> Snapshot:
        """The engine as it is now, once it has started."""
        return self._running.snapshot()

    def command(self, command: Command) -> Future[str]:
        """Hand over a command; the result is what was done, in one line."""
        if self.read_only:
            from eventscope.engine.commands import CommandRefused

            refused: Future[str] = Future()
            refused.set_exception(CommandRefused("this dashboard is read-only"))
            return refused
        asked = self._running.command(command, by="the dashboard")
        return asyncio.run_coroutine_threadsafe(asked, self._loop)

    def hurry(self) -> None:
        """Have the server be tried at once, if it is out of reach."""
        self._loop.call_soon_threadsafe(self._running.hurry)

    def start_anew(self) -> Path:
        """Move the queue file aside, so that the next start begins with what is committed then.

        Returns:
            Where it is now.

        Raises:
            QueueError: it is in use, by an engine that has come up meanwhile or by another
                process, or cannot be moved.
        """
        from eventscope.queue.aside import set_aside
        from eventscope.queue.base import QueueError

        if not self.started:
            self.stop()
        if self.started:
            if self._thread is None:  # it has come up in the very moment in which it was stopped
                self.begin()
            raise QueueError("the engine could be started meanwhile: its queue file is kept")
        return set_aside(self._settings.queue_file(self._app.name))

    def ask(self, question: Question[Answer]) -> Future[Answer]:
        """Hand over a question."""
        return asyncio.run_coroutine_threadsafe(self._running.ask(question), self._loop)

    def settle(self, timeout: float | None = None) -> Future[None]:
        """Wait until everything committed so far is processed; see ``Engine.settle``."""
        return asyncio.run_coroutine_threadsafe(self._running.settle(timeout), self._loop)

    def stop(self) -> None:
        """Stop the engine, or its start, and wait for its end; idempotent."""
        if (thread := self._cancelled()) is not None:
            thread.join()
            self._thread = None

    def _cancelled(self) -> threading.Thread | None:
        """The thread that runs, told to end."""
        if self._thread is not None:
            self._has_begun.wait()
            with suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        return self._thread

    @property
    def _running(self) -> Engine:
        if self._engine is None:
            raise NotRunning("the engine has not been started")
        return self._engine

    def _run(self, started: Future[None], before: threading.Thread | None) -> None:
        if before is not None:
            before.join()
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._task = self._loop.create_task(self._main(started))
            self._has_begun.set()
            try:
                self._loop.run_until_complete(self._task)
            except BaseException as error:
                if not started.done():
                    started.set_exception(error)
                elif isinstance(error, Exception):
                    _log.error(f"the engine has not ended well: {type(error).__name__}: {error}")

    async def _main(self, started: Future[None]) -> None:
        from eventscope.engine.core import Engine

        self._engine = Engine(self._app, self._settings, attended=True)
        async with self._engine:
            started.set_result(None)
            await asyncio.Event().wait()
