"""The queue that the settings name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Final, cast

from eventscope.queue.base import Queue
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.sqlite import SqliteQueue
from eventscope.settings import Settings, SettingsError

Open = Callable[[Settings, str], Awaitable[Queue]]
"""The class method ``open`` of an adapter: opens the queue of the application of a name."""

_MEMBERS: Final = {name for kind in Queue.__mro__ for name in vars(kind) if name[0] != "_"}


async def open_queue(settings: Settings, app_name: str) -> Queue:
    """Open the queue that ``queue_storage_adapter`` names.

    ``sqlite``, ``memory``, or ``package.module:Class``: a class that is a ``Queue`` and has an
    async class method ``open(settings, app_name)``.

    Raises:
        SettingsError: there is no such class.
        QueueError: it cannot be opened.
    """
    adapter = settings.queue_storage_adapter
    if adapter == "sqlite":
        return await SqliteQueue.open(
            settings.queue_file(app_name),
            retention_events=settings.retention_events,
            retention_bytes=settings.retention_bytes,
        )
    if adapter == "memory":
        return MemoryQueue(
            retention_events=settings.retention_events, retention_bytes=settings.retention_bytes
        )
    queue = await _opener(adapter)(settings, app_name)
    missing = sorted(name for name in _MEMBERS if not hasattr(queue, name))
    if missing:
        raise SettingsError(
            f"setting queue_storage_adapter: {adapter} is no queue: it has no {', '.join(missing)}"
        )
    return queue


def _opener(adapter: str) -> Open:
    module, _, name = adapter.partition(":")
    try:
        opener = getattr(importlib.import_module(module), name).open
    except Exception as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"setting queue_storage_adapter: cannot use {adapter!r} ({reason}); "
            f"want sqlite, memory or package.module:Class"
        ) from error
    if not inspect.iscoroutinefunction(opener):
        raise SettingsError(
            f"setting queue_storage_adapter: {adapter}.open is no async class method"
        )
    return cast("Open", opener)
