"""Somebody changes the publication while it is read, and PostgreSQL says nothing: we do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
import structlog

from eventscope import EventScope
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine, publication_watch
from eventscope.replication.connection import SourceError
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.engine.conftest import Watching, Write
from tests.servers import fresh_database
from tests.waiting import until


@pytest.fixture(autouse=True)
def _watched_closely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication_watch, "LOOK_INTERVAL", 0.05)


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    server: EmbeddedServer = request.getfixturevalue(request.param)
    with fresh_database(server) as url:
        yield url


@pytest.fixture
async def logged() -> AsyncIterator[list[Any]]:
    with structlog.testing.capture_logs() as logged:
        yield logged


async def until_said(logged: list[Any], words: str) -> None:
    await until(lambda: any(words in line["event"] for line in logged))


async def what_ends(engine: Engine) -> str:
    """The error that ends a running engine, which its snapshot tells too."""
    with pytest.raises(SourceError) as raised:
        await asyncio.wait_for(engine.wait(), 60)
    shown = engine.snapshot().stream
    assert (shown.state, shown.detail) == ("stopped", str(raised.value))
    assert raised.value.exit_code == 3
    return shown.detail


def following(*tables: str) -> EventScope:
    app = EventScope("publication")
    for table in tables:
        app.entity(table)
    return app


@pytest.mark.parametrize(
    ("statement", "named_as"),
    [
        (
            "ALTER PUBLICATION events SET TABLE other",
            "publication events does not have notes any more: its changes are not seen; run"
            ' ALTER PUBLICATION "events" ADD TABLE "public"."notes"; then start again',
        ),
        (
            "ALTER PUBLICATION events ADD TABLE other; DROP TABLE notes",
            "table notes does not exist any more",
        ),
        (
            "ALTER PUBLICATION events ADD TABLE other; ALTER TABLE notes RENAME TO remarks",
            "table notes does not exist any more",
        ),
        (
            "DROP TABLE notes; CREATE TABLE notes (id int PRIMARY KEY, text text)",
            "publication events does not have notes any more",
        ),
        (
            "ALTER PUBLICATION events SET (publish = 'insert, truncate')",
            "publication events leaves out update, delete: operator watch follows that; run"
            " ALTER PUBLICATION \"events\" SET (publish = 'insert, update, delete, truncate')",
        ),
        ("DROP PUBLICATION events", "publication events does not exist any more"),
    ],
)
async def test_rows_that_will_not_come_any_more_are_named_though_none_is_written(
    notes: Write, connection: Connection, settings: Settings, statement: str, named_as: str
) -> None:
    await connection.execute("CREATE TABLE other (id int PRIMARY KEY)")
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
        await connection.execute(statement.encode())
        assert named_as in await what_ends(engine)


async def test_a_lock_on_a_table_does_not_keep_us_from_looking(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    await connection.execute("CREATE TABLE other (id int PRIMARY KEY)")
    async with (
        Engine(following("notes", "other"), settings) as engine,
        await psycopg.AsyncConnection.connect(database) as somebody,
    ):
        await engine.settle(60)
        await somebody.execute("LOCK TABLE notes")
        await connection.execute("ALTER PUBLICATION events DROP TABLE other")
        assert "does not have other any more" in await what_ends(engine)


async def test_a_lock_that_we_do_wait_for_holds_nothing_up(
    notes: Write,
    connection: Connection,
    database: str,
    settings: Settings,
    logged: list[Any],
) -> None:
    """The condition of a row filter cannot be read while the table is locked."""
    await connection.execute(
        "CREATE TABLE other (id int PRIMARY KEY);"
        "CREATE PUBLICATION events FOR TABLE notes WHERE (id > 0), other"
    )
    async with (
        Engine(following("notes", "other"), settings) as engine,
        await psycopg.AsyncConnection.connect(database) as somebody,
    ):
        await engine.settle(60)
        await somebody.execute("LOCK TABLE notes")
        await until_said(logged, "the publication cannot be watched")
        await connection.execute("INSERT INTO other VALUES (1)")  # of which nothing is known yet
        await engine.settle(60)
        assert engine.snapshot().stream.events == 1
        await somebody.rollback()
        await connection.execute("ALTER PUBLICATION events DROP TABLE other")
        assert "does not have other any more" in await what_ends(engine)


PARTITIONED = """
CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
CREATE TABLE log_2 PARTITION OF log_1 FOR VALUES FROM (0) TO (5);
CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM (10) TO (20);
"""


@pytest.mark.parametrize("made_for", ["TABLE log", "ALL TABLES", "TABLES IN SCHEMA public"])
async def test_partitions_that_are_told_under_another_name_than_before_are_read_on(
    connection: Connection, settings: Settings, made_for: str
) -> None:
    await connection.execute(
        f"{PARTITIONED} CREATE PUBLICATION events FOR {made_for}"
        " WITH (publish_via_partition_root = true)".encode()
    )
    async with Engine(following("log"), settings, attended=True) as engine:
        await connection.execute("INSERT INTO log VALUES (1), (11)")
        await engine.settle(60)
        await connection.execute("ALTER PUBLICATION events SET (publish_via_partition_root = off)")
        await connection.execute("INSERT INTO log VALUES (2), (12)")
        await engine.settle(60)
        names = [event.name for n in range(4) if (event := engine.ring.get(n)) is not None]
    assert names == ["log", "log", "log_2", "log_3"]


@pytest.mark.parametrize(
    ("made_for", "partition"),
    [("TABLE log", "log_2"), ("ALL TABLES", "log_3"), ("TABLES IN SCHEMA public", "log_2")],
)
async def test_a_partition_that_is_told_under_the_name_of_the_whole_is_named(
    connection: Connection, settings: Settings, made_for: str, partition: str
) -> None:
    await connection.execute(f"{PARTITIONED} CREATE PUBLICATION events FOR {made_for}".encode())
    app = following(partition)
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        await connection.execute("ALTER PUBLICATION events SET (publish_via_partition_root = on)")
        said = f"tells of {partition} by the name of a table that it is a partition of"
        assert said in await what_ends(engine)


async def test_a_table_that_was_away_for_a_moment_is_named(
    notes: Write, connection: Connection, settings: Settings, logged: list[Any]
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await until(lambda: engine._reader._watch._before)
        async with connection.transaction():
            await connection.execute("ALTER PUBLICATION events DROP TABLE notes")
            await connection.execute("ALTER PUBLICATION events ADD TABLE notes")
        await until_said(logged, "table notes was taken out of publication events and put in again")
        await notes(1)
        await engine.settle(60)
    assert app.ids == [1]


async def test_a_publication_that_was_made_again_meanwhile_is_read_on(
    notes: Write, connection: Connection, settings: Settings, logged: list[Any]
) -> None:
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        await until(lambda: engine._reader._watch._before)
        async with connection.transaction():
            await connection.execute("DROP PUBLICATION events")
            await connection.execute("CREATE PUBLICATION events FOR TABLE notes")
        await until_said(logged, "publication events was dropped and made again")
        await notes(2)
        await engine.settle(60)
    assert app.ids == [1, 2]


async def test_what_was_written_while_there_was_no_publication_is_named_as_lost(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    """Also after it has been made again: what the slot has to tell of first is older."""
    async with Engine(Watching(), settings) as engine:
        await notes(1)
        await engine.settle(60)
        async with connection.transaction():
            await connection.execute("DROP PUBLICATION events")
            await connection.execute("INSERT INTO notes VALUES (2)")
        assert "publication events does not exist any more" in await what_ends(engine)
    for _ in range(2):
        async with Engine(Watching(), settings) as engine:
            assert "is older than publication events" in await what_ends(engine)


async def test_a_table_that_a_publication_lacks_at_the_start_is_added_and_that_is_said(
    notes: Write, connection: Connection, settings: Settings, logged: list[Any]
) -> None:
    await connection.execute("CREATE PUBLICATION events")
    app = Watching()
    async with Engine(app, settings) as engine:
        await until_said(logged, "added notes to publication events")
        await notes(1)
        await engine.settle(60)
    assert app.ids == [1]


async def test_a_publication_that_never_told_of_some_changes_is_named_and_read(
    notes: Write, connection: Connection, settings: Settings, logged: list[Any]
) -> None:
    await connection.execute("CREATE PUBLICATION events FOR TABLE notes WITH (publish = 'insert')")
    app = Watching()
    async with Engine(app, settings) as engine:
        await until_said(
            logged, "events leaves out update, delete, truncate: operator watch follows that"
        )
        await notes(1)
        await engine.settle(60)
    assert app.ids == [1]


@pytest.mark.parametrize("made_for", ["TABLE notes", "ALL TABLES"])
async def test_a_table_that_joins_while_running_needs_no_restart(
    notes: Write, connection: Connection, settings: Settings, made_for: str
) -> None:
    await connection.execute(f"CREATE PUBLICATION events FOR {made_for}".encode())
    async with Engine(Watching(), settings, attended=True) as engine:
        await engine.settle(60)
        await connection.execute("CREATE TABLE other (id int PRIMARY KEY)")
        if made_for != "ALL TABLES":
            await connection.execute("ALTER PUBLICATION events ADD TABLE other")
        await connection.execute("INSERT INTO other VALUES (1)")
        await engine.settle(60)
        event = engine.ring.get(0)
    assert event is not None
    assert event.name == "other"


async def test_a_table_made_again_is_followed_by_its_name(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await connection.execute("CREATE PUBLICATION events FOR ALL TABLES")
    app = Watching()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        async with connection.transaction():
            await connection.execute("DROP TABLE notes")
            await connection.execute("CREATE TABLE notes (id int PRIMARY KEY, more text)")
        await notes(2)
        await engine.settle(60)
    assert app.ids == [1, 2]
    assert app.events[1].new_record == {"id": 2, "more": "x"}
