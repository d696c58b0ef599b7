"""The engine on an event loop of its own, in a thread beside a user interface."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import suppress

from eventscope.app import EventScope
from eventscope.engine.commands import Command
from eventscope.engine.core import Engine
from eventscope.engine.log_ring import LogRing
from eventscope.engine.questions import Answer, Question
from eventscope.engine.ring import EventRing
from eventscope.engine.snapshot import Snapshot
from eventscope.settings import Settings


class EngineThread:
    """Runs an engine in a thread; its methods may be called from any other thread.

    Args:
        app: what to run.
        settings: how.
    """

    def __init__(self, app: EventScope, settings: Settings) -> None:
        self.log = LogRing()
        """What was logged and printed lately, as far as somebody feeds it."""
        self._engine = Engine(app, settings, attended=True)
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="eventscope engine")

    @property
    def ring(self) -> EventRing:
        """The recent events."""
        return self._engine.ring

    @property
    def error(self) -> Exception | None:
        """What the engine has died of, if it has."""
        return self._engine.failure

    def start(self) -> None:
        """Start, and return when the engine runs; raises what prevents it."""
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self.stop()
            raise

    def snapshot(self) -> Snapshot:
        """The engine as it is now."""
        return self._engine.snapshot()

    def command(self, command: Command) -> Future[str]:
        """Hand over a command; the result is what was done, in one line."""
        asked = self._engine.command(command, by="the dashboard")
        return asyncio.run_coroutine_threadsafe(asked, self._loop)

    def ask(self, question: Question[Answer]) -> Future[Answer]:
        """Hand over a question."""
        return asyncio.run_coroutine_threadsafe(self._engine.ask(question), self._loop)

    def stop(self) -> None:
        """Stop the engine and wait for its end; idempotent."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._engine:
            self._started.set_result(None)
            await self._stop.wait()
