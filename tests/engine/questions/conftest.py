"""A queue of each kind with a past, and somebody who may look into it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eventscope import EventScope
from eventscope.engine.questions import Known
from eventscope.queue.base import Queue
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.sqlite import SqliteQueue
from eventscope.settings import Settings
from tests.queue.batches import ORIGIN, START

RETENTION = {"retention_events": 0, "retention_bytes": 10**9}


@pytest.fixture(params=["sqlite", "memory"])
async def queue(request, tmp_path) -> AsyncIterator[Queue]:
    queue: Queue
    if request.param == "sqlite":
        queue = await SqliteQueue.open(tmp_path / "queue.db", **RETENTION)
    else:
        queue = MemoryQueue(**RETENTION)
    await queue.begin(ORIGIN, START)
    yield queue
    await queue.close()


@pytest.fixture
def known(queue: Queue) -> Known:
    return Known(EventScope("shop"), Settings(), queue, {})
