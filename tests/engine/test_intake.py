"""What is stored is known to be stored, whatever ends the reader meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from eventscope.engine import Engine
from eventscope.queue.sqlite import SqliteQueue
from eventscope.settings import Settings
from tests.engine.conftest import Watching, Write
from tests.waiting import until


async def test_a_batch_is_stored_and_announced_or_neither_though_its_reader_is_cancelled(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = SqliteQueue.append
    stored: list[int] = []

    async def cancelled_append(self: SqliteQueue, *batch) -> None:  # type: ignore[no-untyped-def]
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__qualname__", "") == "Intake.run":
                task.cancel()
        await append(self, *batch)
        stored.append(self.last_seq)

    monkeypatch.setattr(SqliteQueue, "append", cancelled_append)
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: stored)
        await until(lambda: engine.snapshot().stream.events)
        await until(lambda: app.ids == [1])
