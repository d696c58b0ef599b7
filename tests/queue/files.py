"""Queue files: made, opened and refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventscope.queue.base import QueueError
from eventscope.queue.sqlite import SqliteQueue


async def opened(path: Path, *, events: int = 0) -> SqliteQueue:
    """Open a queue that keeps so many events for history."""
    return await SqliteQueue.open(path, retention_events=events, retention_bytes=10**9)


@asynccontextmanager
async def running(path: Path, *, events: int = 0) -> AsyncIterator[SqliteQueue]:
    """A queue that is open, and closed whatever happens."""
    queue = await opened(path, events=events)
    try:
        yield queue
    finally:
        await queue.close()


async def made(path: Path) -> None:
    """Make an empty queue file."""
    await (await opened(path)).close()


def refused(path: Path, message: str) -> None:
    """A file is refused with a message that names it, and stays as it was, to the byte."""
    before = path.read_bytes()
    with pytest.raises(QueueError, match=message) as raised:
        asyncio.run(opened(path))
    assert str(path) in str(raised.value)
    assert raised.value.exit_code == 3
    assert path.read_bytes() == before
