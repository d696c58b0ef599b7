"""Queues of each kind, for the tests of what every queue promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from eventscope.queue.base import Queue
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.sqlite import SqliteQueue
from tests.queue.batches import ORIGIN, START, Writer

OpenQueue = Callable[..., Awaitable[Queue]]
Reopen = Callable[[Queue], Awaitable[Queue]]


@pytest.fixture(params=["sqlite", "memory"])
async def open_queue(request, tmp_path) -> AsyncIterator[OpenQueue]:
    """Opens queues of one kind, those in a file all in the same."""
    opened: list[Queue] = []

    async def open_queue(*, events: int = 0, bytes: int = 10**9) -> Queue:
        retention = {"retention_events": events, "retention_bytes": bytes}
        queue: Queue
        if request.param == "sqlite":
            queue = await SqliteQueue.open(tmp_path / "queue.db", **retention)
        else:
            queue = MemoryQueue(**retention)
        opened.append(queue)
        return queue

    yield open_queue
    for queue in opened:
        await queue.close()


@pytest.fixture
def reopen(open_queue) -> Reopen:
    """Takes a queue up again, as the next process does, if there is one that can."""

    async def reopen(queue: Queue) -> Queue:
        if queue.path is None:
            await queue.discard_open()
            return queue
        await queue.close()
        return await open_queue()

    return reopen


@pytest.fixture
async def queue(open_queue) -> Queue:
    queue = await open_queue()
    await queue.begin(ORIGIN, START)
    return queue


@pytest.fixture
def writer() -> Writer:
    return Writer()
