"""Queues of each kind, for the tests of what every queue promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from eventscope.queue.base import Queue
from eventscope.queue.sqlite import SqliteQueue
from tests.queue.batches import ORIGIN, START, Writer

OpenQueue = Callable[..., Awaitable[Queue]]


@pytest.fixture(params=["sqlite"])
async def open_queue(request, tmp_path) -> AsyncIterator[OpenQueue]:
    """Opens the one queue of the test, again after it was closed."""
    opened: list[Queue] = []

    async def open_sqlite(*, events: int = 0, bytes: int = 10**9) -> Queue:
        queue = await SqliteQueue.open(
            tmp_path / "queue.db", retention_events=events, retention_bytes=bytes
        )
        opened.append(queue)
        return queue

    yield {"sqlite": open_sqlite}[request.param]
    for queue in opened:
        await queue.close()


@pytest.fixture
async def queue(open_queue) -> Queue:
    queue = await open_queue()
    await queue.begin(ORIGIN, START)
    return queue


@pytest.fixture
def writer() -> Writer:
    return Writer()
