"""The engine beside a user interface."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import warnings
from contextlib import closing
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Pause, Resume
from eventscope.engine.questions.operator import DetailsOf
from eventscope.engine.thread import EngineThread
from eventscope.queue.base import QueueError
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings, SettingsError
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.waiting import PATIENCE, until


def engine_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "eventscope engine"]


async def test_it_runs_in_a_thread_of_its_own_until_it_is_stopped(
    notes: Write, settings: Settings
) -> None:
    app = Watching()
    engine = EngineThread(app, settings)
    await asyncio.to_thread(engine.start)
    try:
        await notes(1, 2)
        await until(lambda: app.ids == [1, 2])
        await until(lambda: engine.ring.next == 2)
        assert [event.new_record["id"] for event in map(engine.ring.get, (0, 1))] == [1, 2]  # type: ignore[union-attr, index]
        assert engine.snapshot().stream.state == "streaming"
        assert engine_threads()
        assert engine.error is None
    finally:
        await asyncio.to_thread(engine.stop)
    assert engine_threads() == []
    assert engine.snapshot().stream.state == "stopped"
    engine.stop()  # once more


async def test_one_that_is_read_only_refuses_commands_and_answers_questions(
    notes: Write, settings: Settings
) -> None:
    engine = EngineThread(Watching(), settings, read_only=True)
    engine.start()
    try:
        with pytest.raises(CommandRefused, match="this dashboard is read-only"):
            engine.command(Pause("watch")).result(60)
        assert not engine.snapshot().operators[0].paused
        assert engine.ask(DetailsOf("watch")).result(60).operator.name == "watch"
    finally:
        await asyncio.to_thread(engine.stop)


async def test_commands_are_handed_over_and_answered(notes: Write, settings: Settings) -> None:
    app = Watching()
    engine = EngineThread(app, settings)
    engine.start()
    try:
        assert engine.command(Pause("watch")).result(60) == "watch is paused"
        assert engine.snapshot().operators[0].state == "paused"
        with pytest.raises(CommandRefused, match="there is no operator who; there are watch"):
            engine.command(Pause("who")).result(60)
        await notes(1)
        await until(lambda: engine.snapshot().operators[0].depth == 1)
        assert engine.command(Resume("watch")).result(60) == "watch goes on"
        await until(lambda: app.ids == [1])
    finally:
        engine.stop()


async def test_a_start_that_fails_raises_why_and_leaves_no_thread(
    notes: Write, make_settings: MakeSettings
) -> None:
    missing = EventScope("wrong")
    missing.entity("nothing")
    for app, settings, error in (
        (EventScope("empty"), make_settings(), SettingsError),
        (missing, make_settings(), SourceError),
        (Watching(), make_settings(url="postgresql://nobody@/x?host=/nowhere"), SourceError),
    ):
        for _ in range(10):  # its end and our hearing of it race
            engine = EngineThread(app, settings)
            with pytest.raises(error):
                engine.start()
            assert engine_threads() == []
            engine.stop()


async def test_what_ends_it_later_is_kept(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    engine = EngineThread(Watching(), settings)
    engine.start()
    try:
        await until(lambda: engine.snapshot().stream.state == "streaming")
        await connection.execute('DROP PUBLICATION "events"')
        await notes(1)
        await until(lambda: engine.error is not None)
        assert "publication" in str(engine.error)
        assert engine.snapshot().stream.state == "stopped"
    finally:
        engine.stop()


async def test_it_is_begun_again_at_once_and_runs_when_what_ran_before_has_ended(
    notes: Write, settings: Settings
) -> None:
    app, called, gate = EventScope("slow"), threading.Event(), threading.Event()

    @app.operator(entities="notes")
    def slow(event: Event) -> None:
        called.set()
        gate.wait(PATIENCE)

    engine = EngineThread(app, settings)
    engine.start()
    try:
        await notes(1)
        await until(called.is_set)
        engine.begin()
        assert len(engine_threads()) == 2, "the one before is not waited for"
        assert not engine.started
        assert engine.error is None
        gate.set()
        await until(lambda: engine.started)
        assert len(engine_threads()) == 1
        await notes(2)
        await until(lambda: engine.snapshot().operators[0].applied)
    finally:
        gate.set()
        await asyncio.to_thread(engine.stop)
    assert engine_threads() == []


async def test_a_queue_file_that_an_engine_works_with_is_not_moved_aside(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Watching()
    engine = EngineThread(app, settings)
    engine.start()
    try:
        with pytest.raises(QueueError, match="could be started meanwhile: its queue file is kept"):
            engine.start_anew()
        await notes(1)
        await until(lambda: app.ids == [1])
        stop = engine.stop

        def stop_when_started() -> None:
            engine._started.result(PATIENCE)
            stop()

        monkeypatch.setattr(engine, "stop", stop_when_started)
        engine.begin()
        with pytest.raises(QueueError, match="is kept"):
            engine.start_anew()
        await until(lambda: engine.started)
        await notes(2)
        await until(lambda: app.ids == [1, 2])
    finally:
        await asyncio.to_thread(engine.stop)


async def test_an_examination_that_nobody_waits_for_any_more_ends_quietly(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    found = EngineThread(Watching(), settings).diagnose()
    found.cancel()
    for thread in threading.enumerate():
        if thread.name == "eventscope doctor":
            await asyncio.to_thread(thread.join)
    assert raised == []


async def test_an_end_that_goes_wrong_is_logged(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = SqliteQueue.close

    async def close_badly(queue: SqliteQueue) -> None:
        await close(queue)
        raise QueueError("no room for the positions")

    monkeypatch.setattr(SqliteQueue, "close", close_badly)
    engine = EngineThread(Watching(), settings)
    engine.start()
    with capture_logs() as logged:
        await asyncio.to_thread(engine.stop)
    assert "the engine has not ended well: QueueError: no room" in logged[-1]["event"]


async def test_nothing_is_left_behind(notes: Write, settings: Settings) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            engine = EngineThread(Watching(), settings)
            engine.start()
            engine.stop()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_the_ring_shows_each_event_once_though_a_transaction_came_twice(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    """The connection is lost in the middle of a transaction whose first part is stored already."""
    app = Watching()
    async with Engine(app, settings, attended=True) as engine:
        await notes(0)
        await engine.settle(60)
        assert settings.queue_path is not None
        with closing(sqlite3.connect(settings.queue_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # the first part waits to be stored
            await connection.execute(
                "INSERT INTO notes SELECT n, repeat('x', 10000) FROM generate_series(1, 2000) n"
            )
            await until(lambda: _received(engine))
            await connection.execute(
                "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                " WHERE slot_name = %s", [settings.slot_name],
            )  # fmt: skip
            other.execute("ROLLBACK")
        await engine.settle(60)
        ids = [event.id for seq in range(engine.ring.first, engine.ring.next)
               if (event := engine.ring.get(seq)) is not None]  # fmt: skip
    assert app.ids == list(range(2001))
    assert ids == [event.id for event in app.events]


def _received(engine: Engine) -> Any:
    intake = engine._reader._intake
    return intake is not None and intake.stream is not None and intake.stream._full


async def test_the_ring_stays_empty_without_a_user_interface(
    notes: Write, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
        assert engine.ring.next == 0


async def test_two_run_beside_each_other(
    notes: Write, make_settings: MakeSettings, connection: Connection, tmp_path: Any
) -> None:
    first = Watching()
    second = Watching()
    one = EngineThread(first, make_settings())
    two = EngineThread(
        second,
        make_settings(
            slot_name=f"{make_settings().slot_name}_2", queue_path=tmp_path / "second.db"
        ),
    )
    one.start()
    two.start()
    try:
        await notes(1)
        await until(lambda: first.ids == second.ids == [1])
    finally:
        one.stop()
        two.stop()
    assert isinstance(connection, psycopg.AsyncConnection)
