"""``settle`` returns when everything committed before is processed, and not earlier."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine, core
from eventscope.engine.commands import Pause, Resume, StartBackfill
from eventscope.settings import Settings
from tests.cascades import STEPS, TABLES, a_cascade
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.waiting import operator, until, until_state


async def create_steps(connection: Connection) -> None:
    await connection.execute(TABLES)


async def arrived(connection: Connection) -> int:
    row = await (await connection.execute(f"SELECT count(*) FROM step_{STEPS}")).fetchone()
    return int(row[0]) if row else 0


async def test_a_cascade_is_waited_for_to_its_end(
    connection: Connection, settings: Settings
) -> None:
    await create_steps(connection)
    async with Engine(a_cascade(), settings) as engine:
        for id in range(40):
            await connection.execute("INSERT INTO step_0 VALUES (%s)", [id])
            await engine.settle(60)
            assert await arrived(connection) == id + 1


async def test_a_cascade_after_a_long_backlog_is_waited_for(
    connection: Connection, settings: Settings
) -> None:
    await create_steps(connection)
    async with Engine(a_cascade(), settings):
        pass
    await connection.execute("INSERT INTO step_0 SELECT generate_series(1, 2000)")
    async with Engine(a_cascade(), settings) as engine:
        await engine.settle(60)
        assert await arrived(connection) == 2000


async def test_a_cascade_from_a_backfill_is_waited_for(
    connection: Connection, settings: Settings
) -> None:
    """The backfill is done, and what it has written is still on its way to us."""
    await create_steps(connection)
    await connection.execute("INSERT INTO step_0 SELECT generate_series(1, 100)")
    async with Engine(a_cascade(), settings) as engine:
        reader = engine._reader
        await engine.settle(60)
        await engine.command(Pause("step_1"))
        await engine.command(StartBackfill("step_1"))
        settling = asyncio.create_task(engine.settle(60))
        await reader.server_position()
        position = await reader.server_position()  # behind that which it has asked for
        reader.ask()
        await until(lambda: reader.seen >= position)
        assert reader._intake is not None
        assert reader._intake.stream is not None
        reader._intake.stream._unregister()  # it hears nothing
        await engine.command(Resume("step_1"))
        await until(lambda: engine._workforce.settled)
        for _ in range(3):
            await reader.server_position()
            await asyncio.wait([settling], timeout=2 * core._SETTLE_CHECK)
        assert not settling.done()
        reader._intake.stream._read()
        await settling
        assert await arrived(connection) == 100


async def test_what_was_committed_without_waiting_for_the_disk_is_waited_for(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await connection.execute("SET synchronous_commit = off")
        for id in range(20):
            await notes(id)
            await engine.settle(60)
            assert app.ids[-1:] == [id]


async def test_what_is_received_but_not_stored_is_waited_for(
    notes: Write, settings: Settings
) -> None:
    """The queue is locked for a moment: events have arrived and are nowhere yet."""
    app = Watching()
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert settings.queue_path is not None
        with closing(
            sqlite3.connect(settings.queue_path, isolation_level=None, check_same_thread=False)
        ) as other:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
            await notes(1)
            settling = asyncio.create_task(engine.settle(60))
            position = await engine._reader.server_position()
            await until(lambda: engine._reader.received >= position)
            await engine._reader.server_position()  # time for a hasty settle to return
            assert not settling.done()
            other.execute("ROLLBACK")
        await settling
        assert app.ids == [1]


async def test_nothing_to_do_is_settled_at_once_also_on_an_idle_server(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await engine.settle(60)
        await connection.execute("CREATE TABLE elsewhere AS SELECT generate_series(1, 10000)")
        await engine.settle(60)
        await connection.execute("SELECT pg_switch_wal()")
        await engine.settle(60)
        await connection.execute("CHECKPOINT")
        await engine.settle(60)


async def test_it_raises_after_its_time(notes: Write, settings: Settings) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await engine.command(Pause("watch"))
        await notes(1)
        with pytest.raises(TimeoutError):
            await engine.settle(0.2)
        assert operator(engine, "watch").depth == 1


async def test_it_raises_what_ended_the_engine(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    async with Engine(Watching(), settings) as engine:
        await engine.settle(60)
        settling = asyncio.create_task(engine.settle(60))
        await connection.execute('DROP PUBLICATION "events"')
        await notes(1)
        with pytest.raises(Exception, match="publication"):
            await engine.settle(60)
        with pytest.raises(Exception, match="publication"):
            await engine.wait()
        await asyncio.gather(settling, return_exceptions=True)
        assert engine.snapshot().stream.state == "stopped"
        assert "publication" in engine.snapshot().stream.detail


async def test_it_ends_with_the_engine(notes: Write, settings: Settings) -> None:
    app = Watching()
    async with asyncio.timeout(60):
        async with Engine(app, settings) as engine:
            await engine.command(Pause("watch"))
            await notes(1)
            await until(lambda: operator(engine, "watch").depth)
            settling = asyncio.create_task(engine.settle())
            await until(lambda: not settling.done())
        with pytest.raises(RuntimeError, match="the engine has been stopped"):
            await settling
        await engine.wait()  # returns: nothing went wrong


async def test_it_waits_while_the_server_is_away(
    connection: Connection, postgres: EmbeddedServer, notes: Write, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        for id in range(2, 5):
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'eventscope%'"
            )
            await notes(id)
            await engine.settle(60)
            assert app.ids == list(range(1, id + 1))
    async with await psycopg.AsyncConnection.connect(connection.info.dsn) as look:
        cursor = await look.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'eventscope%%'"
            " AND datname = current_database()",
            [],
        )
        assert await cursor.fetchone() == (0,), "no connection is left behind"


async def test_it_waits_for_the_last_attempt_of_a_failing_one_but_not_for_a_person(
    notes: Write, make_settings: MakeSettings
) -> None:
    app, calls = EventScope("settle"), []

    @app.operator(entities=["notes"])
    async def bad(event: Event) -> None:
        calls.append(event.id)
        raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=3)) as engine:
        await notes(1)
        await engine.settle(60)
        assert len(calls) == 4
        await until_state(engine, "bad", "halted")
