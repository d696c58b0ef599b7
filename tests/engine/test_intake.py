"""What is stored is known to be stored, whatever ends the reader meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from eventscope.engine import Engine, intake
from eventscope.event import Lsn
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.stream import Stream
from eventscope.settings import Settings
from tests.conftest import Connection
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


async def test_the_server_hears_from_a_reader_that_cannot_note_what_holds_nothing_for_it(
    notes: Write, connection: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would end the connection while the disk is full, however little there is to store."""
    monkeypatch.setattr(intake, "FEEDBACK", 0.01)
    monkeypatch.setattr(intake, "_IDLE_ADVANCE", 0.01)
    acknowledge, told = Stream.acknowledge, list[Lsn]()
    waits, go_on = asyncio.Event(), asyncio.Event()

    async def wait(self: SqliteQueue, lsn: Lsn) -> None:
        waits.set()
        await go_on.wait()

    def note(self: Stream, lsn: Lsn, *, ask: bool = False) -> None:
        told.append(lsn)
        acknowledge(self, lsn, ask=ask)

    async with Engine(Watching(), settings):
        monkeypatch.setattr(SqliteQueue, "acknowledge", wait)
        monkeypatch.setattr(Stream, "acknowledge", note)
        await connection.execute("CREATE TABLE of_no_interest (id int)")
        await waits.wait()
        told.clear()
        await until(lambda: len(told) >= 3)
        assert len(set(told)) == 1
        go_on.set()
