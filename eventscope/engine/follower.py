"""Listening to what an engine in another process of this machine reads."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from eventscope.app import EventScope
from eventscope.engine.broadcast import Broadcast
from eventscope.engine.resumption import Resumptions
from eventscope.pubsub.broker import Broker
from eventscope.pubsub.local import LocalPubSub
from eventscope.queue import outside
from eventscope.queue.base import QueueError
from eventscope.queue.event import Place
from eventscope.queue.faults import FileIdentity, file_identity
from eventscope.queue.file_lock import holder
from eventscope.queue.outside import OutsideQueue
from eventscope.settings import Settings, SettingsError

_log = structlog.get_logger("eventscope.listeners")

_LOOK: Final = 0.02
"""Seconds between two looks whether something was written."""
_LOOK_FOR_FILE: Final = 0.2
"""Seconds between two looks whether there is somebody who writes."""
_PATIENCE: Final = 5.0
"""Seconds that a process may need to make a file that can be read."""
_WHOLE: Final = 2**62
"""The number in a transaction of whatever is its last event."""


class Follower:
    """Tells an application's listeners what an engine in another process reads.

    ``async with Follower(app): ...`` opens its queue file, and runs no operator. Within the block
    ``app.subscribe`` hears of what becomes visible in the file from then on, and declared listeners
    are called. The engine may start later, end, and start again.

    Args:
        app: declares the tables and their scopes, as the one that the engine runs.
        settings: by default read from the usual sources; they name the queue file.
    """

    def __init__(self, app: EventScope, settings: Settings | None = None) -> None:
        self.app = app
        self.settings = settings if settings is not None else Settings.load()
        self._path: Path = self.settings.queue_file(app.name)
        self._broker = Broker(app, LocalPubSub())
        self._resumptions = Resumptions(app, self._path, lambda: self._place)
        self._identity: FileIdentity | None = None
        self._position = 0
        """The last event of the file that has been told of."""
        self._place: Place | None = None
        """Where in the stream that is, which another file would call by another number."""
        self._told = ""
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin to follow.

        Raises:
            SettingsError: there is no file through which another process could be followed.
            QueueError: the file cannot be used.
        """
        adapter = self.settings.queue_storage_adapter
        if adapter != "sqlite":
            raise SettingsError(
                f"setting queue_storage_adapter is {adapter}: there is no queue file through which "
                f"another process could be followed"
            )
        await self._look()
        await self._broker.open()
        self._resumptions.open()
        self._tasks = [
            asyncio.create_task(self._run(), name="follower"),
            asyncio.create_task(self._broker.run(), name="listeners"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every stream."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._resumptions.close()
        await self._broker.close()

    async def _look(self) -> None:
        """Find out what has been visible so far; of a file that is yet to be made, nothing."""
        deadline = time.monotonic() + _PATIENCE
        while file_identity(self._path) is not None:
            try:
                async with outside.opened(self._path) as queue:
                    self._identity = queue.identity
                    self._position, self._place = queue.last_seq, Place(queue.end, _WHOLE)
                return
            except QueueError:  # perhaps somebody is making it just now
                if not holder(self._path) or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_LOOK)

    async def _run(self) -> None:
        try:
            while True:
                try:
                    async with outside.opened(self._path) as queue:
                        await self._follow(queue)
                except QueueError as error:
                    self._tell(str(error))
                if file_identity(self._path) is None:
                    self._identity = None  # which the next file may have again
                await asyncio.sleep(_LOOK_FOR_FILE)
        except Exception as error:
            _log.error("listeners hear of nothing more", error=f"{type(error).__name__}: {error}")
            await self._broker.close()

    async def _follow(self, queue: OutsideQueue) -> None:
        """Tell of what comes, until the file is another one, or cannot be seen to change."""
        if not queue.is_current:
            return
        if queue.identity != self._identity:
            self._identity, self._position = queue.identity, await self._same_place(queue)
        broadcast = Broadcast(self.app, queue, self._broker.pubsub, self._position)
        while True:
            if await queue.has_changed():
                await self._catch_up(queue, broadcast)
            if not queue.is_current:
                return
            self._told = ""
            await asyncio.sleep(_LOOK if queue.is_live else _LOOK_FOR_FILE)

    async def _catch_up(self, queue: OutsideQueue, broadcast: Broadcast) -> None:
        while True:
            async with queue.at_once():
                lost = queue.oldest_seq - 1 - broadcast.position
                due = await broadcast.read()
            if lost > 0:
                self._broker.lose(lost)
                _log.warning(
                    f"{lost} events were given up by the queue before listeners could hear of them:"
                    f" raise retention_events if this process may be away for so long"
                )
            await broadcast.publish(due)
            self._position = broadcast.position
            if self._position >= queue.last_seq:
                self._place = Place(queue.end, _WHOLE)
                return
            self._place = due.events[-1].place

    async def _same_place(self, queue: OutsideQueue) -> int:
        """The last event of another file that has been told of."""
        return 0 if self._place is None else await queue.seq_at(*self._place)

    def _tell(self, reason: str) -> None:
        """Log why nothing comes; once, however often it is tried."""
        if reason != self._told:
            _log.warning(reason)
        self._told = reason
