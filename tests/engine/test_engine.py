"""What an engine shows of itself, refuses, and remembers."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from typing import Any

import psycopg
import pytest
import structlog

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.errors import NotRunning
from eventscope.queue.base import QueueError
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings, SettingsError
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Watching, Write
from tests.programs import REPOSITORY
from tests.servers import fresh_database
from tests.waiting import operator, until, until_async


async def test_a_snapshot_tells_what_is(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    app.query("q", target="copies", sql="SELECT $1::int", ids={"notes": "id"})
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        await until(lambda: engine.snapshot().stream.acknowledged_lsn >= app.events[-1].id.end_lsn)
        shown = engine.snapshot()
        row = await (await connection.execute("SELECT pg_current_wal_flush_lsn()::text")).fetchone()
        assert row is not None
    assert shown.app == "engine"
    assert shown.taken_at >= shown.started_at
    stream = shown.stream
    assert (stream.state, stream.detail, stream.next_retry) == ("streaming", "", None)
    assert stream.slot == settings.slot_name
    assert stream.server == f"{connection.info.dbname}@socket"
    assert stream.events == 3
    assert stream.stored_lsn >= app.events[-1].id.end_lsn
    assert stream.received_lsn >= stream.stored_lsn >= stream.acknowledged_lsn
    watch, query = shown.operators
    assert (watch.name, watch.kind, watch.entities) == ("watch", "handler", ("notes",))
    assert (query.name, query.kind, query.entities) == ("q", "query", ("notes",))
    for one in (watch, query):
        assert (one.state, one.depth, one.applied, one.failed) == ("idle", 0, 3, 0)
        assert (one.attempts, one.max_attempts, one.error, one.detail) == (0, 6, None, "")
    assert engine.snapshot().stream.state == "stopped"


async def test_a_backlog_shows_in_the_depth(notes: Write, settings: Settings) -> None:
    app, go_on = EventScope("depth"), asyncio.Event()

    @app.operator(entities=["notes"], events=["update"])
    async def updates(event: Event) -> None:
        raise AssertionError

    @app.operator(entities=["notes"])
    async def slow(event: Event) -> None:
        await go_on.wait()

    async with Engine(app, settings) as engine:
        await notes(*range(5))
        await until(lambda: operator(engine, "slow").depth == 5)
        assert operator(engine, "updates").depth == 0, "only what it will still see"
        go_on.set()
        await engine.settle(60)
        assert operator(engine, "slow").depth == 0


async def test_wait_returns_when_the_engine_is_stopped(notes: Write, settings: Settings) -> None:
    engine = Engine(Watching(), settings)
    async with engine:
        waiting = asyncio.create_task(engine.wait())
    await asyncio.wait_for(waiting, 60)
    assert engine.failure is None


async def test_wait_raises_what_ended_it_and_listeners_come_to_their_end(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine, app.subscribe("notes") as stream:
        await engine.settle(60)
        await connection.execute(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
            " WHERE slot_name = %s", [settings.slot_name],
        )  # fmt: skip
        await _drop_slot(database, settings.slot_name)
        with pytest.raises(SourceError, match=f"slot {settings.slot_name} does not exist any more"):
            await asyncio.wait_for(engine.wait(), 60)
        assert isinstance(engine.failure, SourceError)
        assert engine.snapshot().stream.state == "stopped"
        async with asyncio.timeout(60):
            assert [message async for message in stream] == [], "nobody waits for more"
        with pytest.raises(NotRunning):
            app.subscribe("notes")


async def _drop_slot(database: str, slot: str) -> None:
    """Drop it in a moment between two attempts to read from it."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        while True:
            try:
                await connection.execute("SELECT pg_drop_replication_slot(%s)", [slot])
            except psycopg.errors.ObjectInUse:
                await connection.execute(
                    "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
                    " WHERE slot_name = %s", [slot],
                )  # fmt: skip
            else:
                return


async def test_an_application_without_tables_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="application 'empty' follows no table"):
        async with Engine(EventScope("empty"), settings):
            pass
    assert settings.queue_path is not None
    assert not settings.queue_path.exists()


async def test_what_is_missing_is_named_and_nothing_is_left_open(
    notes: Write, settings: Settings
) -> None:
    app = EventScope("wrong")
    app.query("counts", sql="SELECT $1", ids={"note": "id"})
    for _ in range(2):  # the second time too: the first has let the queue file go
        with pytest.raises(SourceError, match=r"table note .* did you mean notes\?"):
            async with Engine(app, settings):
                pass
    async with Engine(Watching(), settings) as engine:
        await engine.settle(60)


async def test_the_next_run_goes_on_where_the_last_one_stopped(
    notes: Write, settings: Settings
) -> None:
    runs: list[Watching] = []
    id = 0
    for _ in range(4):
        app = Watching()
        async with Engine(app, settings) as engine:
            for _ in range(25):
                id += 1
                await notes(id)
            if len(runs) % 2:
                await engine.settle(60)
        runs.append(app)
        id += 1
        await notes(id)  # while nobody listens
    last = Watching()
    async with Engine(last, settings) as engine:
        await engine.settle(60)
    runs.append(last)
    assert [seen for app in runs for seen in app.ids] == list(range(1, id + 1))
    events = [event.id for app in runs for event in app.events]
    assert len(set(events)) == len(events)


async def test_a_new_operator_starts_at_now(notes: Write, settings: Settings) -> None:
    first = Watching()
    async with Engine(first, settings) as engine:
        await notes(1, 2)
        await engine.settle(60)
    both = Watching()
    new: list[Any] = []
    both.operator(entities=["notes"], name="new")(new.append)
    async with Engine(both, settings) as engine:
        await notes(3)
        await engine.settle(60)
    assert both.ids == [3]
    assert [(event.new_record or {})["id"] for event in new] == [3]


async def test_operators_have_positions_of_their_own(notes: Write, settings: Settings) -> None:
    def application() -> tuple[EventScope, list[Any], asyncio.Event]:
        app, seen, go_on = EventScope("own"), [], asyncio.Event()

        @app.operator(entities=["notes"], timeout=3600)
        async def slow(event: Event) -> None:
            await go_on.wait()
            seen.append(("slow", (event.new_record or {})["id"]))

        @app.operator(entities=["notes"])
        async def fast(event: Event) -> None:
            seen.append(("fast", (event.new_record or {})["id"]))

        return app, seen, go_on

    app, seen, _ = application()
    async with Engine(app, settings):
        await notes(1, 2)
        await until(lambda: len(seen) == 2)
    assert seen == [("fast", 1), ("fast", 2)]
    app, seen, go_on = application()
    async with Engine(app, settings) as engine:
        go_on.set()
        await engine.settle(60)
    assert seen == [("slow", 1), ("slow", 2)]


async def test_a_temporary_slot_sees_all_from_the_start_and_is_gone_afterwards(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    settings = make_settings(durable_slot=False)
    for first in (1, 11):
        app = Watching()
        async with Engine(app, settings) as engine:
            await notes(first)
            await engine.settle(60)
        assert app.ids == [first]
        await notes(first + 1)  # nobody hears of this

    async def is_gone() -> bool:
        cursor = await connection.execute(
            "SELECT FROM pg_replication_slots WHERE slot_name = %s", [settings.slot_name]
        )
        return await cursor.fetchone() is None

    await until_async(is_gone)  # the server notices the end of a connection in its own time


@pytest.mark.parametrize("name", ["reader", "retention", "x" * 200, "ünï \n'", "{[%s]}"])
async def test_an_operator_may_have_any_name(notes: Write, settings: Settings, name: str) -> None:
    app = Watching(name)
    app.query(f"q {name}", target="copies", sql="SELECT $1::int", ids={"notes": "id"})
    async with asyncio.timeout(60), Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    assert app.ids == [1]


async def test_an_engine_that_is_left_at_once_leaves_nothing_behind(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            async with Engine(Watching(), settings):
                pass
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    cursor = await connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'eventscope%'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await cursor.fetchone() == (0,)


async def test_a_queue_file_in_use_by_another_process_is_refused_by_its_name(
    notes: Write, settings: Settings
) -> None:
    assert settings.queue_path is not None
    settings.queue_path.touch()
    hold = (
        "import sys; from pathlib import Path; from eventscope.queue.file_lock import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", hold, str(settings.queue_path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        with pytest.raises(QueueError) as caught:
            async with Engine(Watching(), settings):
                pass
        assert str(caught.value) == (
            f"queue file {settings.queue_path} is in use by process {holder.pid}; "
            f"stop it, or name another file with queue_path"
        )
    finally:
        assert holder.stdin is not None
        holder.stdin.close()
        await holder.wait()
    async with Engine(Watching(), settings) as engine:
        await engine.settle(60)


async def test_a_queue_file_in_use_by_this_process_is_refused_too(
    notes: Write, settings: Settings
) -> None:
    async with Engine(Watching(), settings):
        with pytest.raises(QueueError, match=f"in use by process {os.getpid()}"):
            async with Engine(Watching(), settings):
                pass


async def test_a_file_that_is_no_queue_is_refused_and_left_as_it_is(
    notes: Write, settings: Settings
) -> None:
    assert settings.queue_path is not None
    settings.queue_path.write_bytes(b"something of great value" * 400)
    with pytest.raises(QueueError, match="it was left as it is"):
        async with Engine(Watching(), settings):
            pass
    assert settings.queue_path.read_bytes() == b"something of great value" * 400


async def test_a_queue_of_another_database_is_refused(
    notes: Write, settings: Settings, make_settings: MakeSettings, postgres: Any
) -> None:
    async with Engine(Watching(), settings) as engine:
        await engine.settle(60)
    with fresh_database(postgres) as other:
        async with await psycopg.AsyncConnection.connect(other, autocommit=True) as connection:
            await connection.execute("CREATE TABLE notes (id int PRIMARY KEY)")
        settings = make_settings(url=other, slot_name=f"{settings.slot_name}_2")
        with pytest.raises(QueueError, match="name another with queue_path"):
            async with Engine(Watching(), settings):
                pass


async def test_a_queue_that_cannot_grow_blocks_the_engine_with_a_reason_and_loses_nothing(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        log = engine._queue._log  # type: ignore[attr-defined]
        await log.execute(("PRAGMA max_page_count = 1", ()))
        await connection.execute(
            "INSERT INTO notes SELECT n, repeat('x', 1000) FROM generate_series(2, 500) n"
        )
        await until(lambda: engine.snapshot().stream.state == "blocked")
        assert "database or disk is full" in engine.snapshot().stream.detail
        assert app.ids == [1]
        await log.execute(("PRAGMA max_page_count = 1000000", ()))
        await engine.settle(60)
        assert engine.snapshot().stream.state == "streaming"
    assert app.ids == list(range(1, 501))


async def test_a_slot_that_waits_for_an_open_transaction_says_for_which(
    notes: Write, database: str, settings: Settings
) -> None:
    app = Watching()
    engine = Engine(app, settings)
    async with await psycopg.AsyncConnection.connect(
        database, application_name="somebody"
    ) as open_one:
        await open_one.execute("INSERT INTO notes VALUES (1)")
        with structlog.testing.capture_logs() as logged:
            starting = asyncio.create_task(engine.__aenter__())
            await until(lambda: any("waiting for" in line["event"] for line in logged))
        [line] = [line["event"] for line in logged if "waiting for" in line["event"]]
        assert f"pid {open_one.info.backend_pid} (somebody, since 2" in line
        await open_one.commit()
        await starting
    try:
        await notes(2)
        await engine.settle(60)
        assert app.ids[-1] == 2
    finally:
        await engine.__aexit__(None, None, None)


async def test_types_are_known_though_the_idle_catalog_connection_was_cut(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await connection.execute("CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN small AS smallint")
    app = Watching()
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        await connection.execute("ALTER TABLE notes ADD mood mood, ADD small small")
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'eventscope engine catalog'"
        )
        await connection.execute("INSERT INTO notes VALUES (1, 'x', 'good', 7)")
        await until(lambda: app.events)
    [event] = app.events
    assert event.source.columns == {
        "id": "int4", "text": "text", "mood": "mood", "small": "public.small",
    }  # fmt: skip
    assert event.new_record == {"id": 1, "text": "x", "mood": "good", "small": 7}
    assert event.key_columns == ("id",)
