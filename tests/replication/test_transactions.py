"""Transactions as they were committed: whole, in commit order, and nothing that was rolled back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from eventscope.demo.embedded import EmbeddedServer
from eventscope.event import Event, Lsn
from eventscope.replication import catalog
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.replication.reading import Reading, reading
from tests.servers import fresh_database, running_server

TABLES = ["posts", "comments"]
MANY = 20_000


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with running_server(settings={"max_prepared_transactions": 10}) as server:
        yield server


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(server) as url:
        yield url


@pytest.fixture
async def tables(connection: Connection) -> None:
    await connection.execute(
        "CREATE TABLE posts (id int PRIMARY KEY, title text);"
        "CREATE TABLE comments (id int PRIMARY KEY, post_id int)"
    )


@pytest.fixture
async def somebody(database: str, tables: None) -> AsyncIterator[Connection]:
    """Another session."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


def told(events: list[Event]) -> list[tuple[str, str, object]]:
    """What happened to which row."""
    return [
        (event.type, event.name, (event.new_record or event.old_record or {}).get("id"))
        for event in events
    ]


async def next_events(read: Reading) -> list[Event]:
    """Wait until events come, whatever the server is busy with."""
    known = len(read.events)
    while len(read.events) == known:
        await read.stream.arrived(10)
        await read.take()
    return read.events[known:]


async def test_changes_come_as_they_were_written_whatever_table_and_kind(
    tables: None, connection: Connection, settings: Settings
) -> None:
    async with reading(settings, TABLES) as read:
        async with connection.transaction():
            await connection.execute("INSERT INTO posts VALUES (1)")
            await connection.execute("INSERT INTO comments VALUES (1, 1)")
            await connection.execute("UPDATE posts SET title = 'x' WHERE id = 1")
            await connection.execute("INSERT INTO posts VALUES (2)")
            await connection.execute("DELETE FROM comments WHERE id = 1")
            await connection.execute("INSERT INTO comments VALUES (1, 2)")
            await connection.execute("UPDATE posts SET id = 3 WHERE id = 1")
        events = await read.catch_up()
    assert told(events) == [
        ("insert", "posts", 1),
        ("insert", "comments", 1),
        ("update", "posts", 1),
        ("insert", "posts", 2),
        ("delete", "comments", 1),
        ("insert", "comments", 1),
        ("update", "posts", 3),
    ]
    assert [event.index for event in events] == list(range(7))
    assert len({(event.xid, event.id.end_lsn, event.timestamp) for event in events}) == 1


async def test_what_a_savepoint_took_back_never_comes(
    tables: None, connection: Connection, settings: Settings
) -> None:
    async with reading(settings, TABLES) as read:
        async with connection.transaction():
            await connection.execute("INSERT INTO posts VALUES (1)")
            async with connection.transaction(force_rollback=True):
                await connection.execute("INSERT INTO posts VALUES (2)")
                async with connection.transaction():
                    await connection.execute("UPDATE posts SET title = 'no'")
            async with connection.transaction():
                await connection.execute("INSERT INTO posts VALUES (3)")
                async with connection.transaction(force_rollback=True):
                    await connection.execute("DELETE FROM posts")
            await connection.execute("INSERT INTO posts VALUES (4)")
        async with connection.transaction(force_rollback=True):
            await connection.execute("INSERT INTO posts VALUES (5)")
        await connection.execute("INSERT INTO posts VALUES (6)")
        events = await read.catch_up()
    assert [id for _, _, id in told(events)] == [1, 3, 4, 6]
    assert [event.index for event in events] == [0, 1, 2, 0]


async def test_a_prepared_transaction_comes_when_it_is_committed(
    somebody: Connection, connection: Connection, settings: Settings
) -> None:
    async with reading(settings, TABLES) as read:
        for id in (1, 2):
            await somebody.execute("BEGIN")
            await somebody.execute("INSERT INTO posts VALUES (%s)", [id])
            await somebody.execute(f"PREPARE TRANSACTION 'shop {id}'")  # type: ignore[arg-type]
        await connection.execute("INSERT INTO posts VALUES (3)")
        assert told(await read.catch_up()) == [("insert", "posts", 3)]
        await connection.execute("COMMIT PREPARED 'shop 2'")
        await connection.execute("ROLLBACK PREPARED 'shop 1'")
        await connection.execute("INSERT INTO posts VALUES (4)")
        events = await read.catch_up()
    assert told(events) == [("insert", "posts", 2), ("insert", "posts", 4)]
    assert events[0].xid < read.events[0].xid, "written before, committed after"
    assert events[0].id.end_lsn > read.events[0].id.end_lsn


async def test_twenty_thousand_small_transactions_come_once_each_in_commit_order(
    somebody: Connection, connection: Connection, settings: Settings
) -> None:
    async def commit(session: Connection, ids: range) -> None:
        await session.execute("SET synchronous_commit = off")
        await session.execute(
            f"DO $$ BEGIN FOR n IN {ids.start} .. {ids.stop - 1} LOOP"  # type: ignore[arg-type]
            f" INSERT INTO posts VALUES (n); COMMIT; END LOOP; END $$"
        )

    async with reading(settings, TABLES) as read:
        half = MANY // 2
        await asyncio.gather(commit(connection, range(half)), commit(somebody, range(half, MANY)))
        await connection.execute("SET synchronous_commit = on")
        await connection.execute("INSERT INTO posts VALUES (-1)")  # flushes those before it
        events = await read.catch_up()
    *many, last = [event.new_record["id"] for event in events if event.new_record]
    assert last == -1
    assert sorted(many) == list(range(MANY))
    for mine in (range(half), range(half, MANY)):
        assert [id for id in many if id in mine] == list(mine)
    ends = [event.id.end_lsn for event in events]
    assert ends == sorted(set(ends))


async def test_events_come_while_another_session_keeps_a_transaction_open(
    somebody: Connection, connection: Connection, settings: Settings
) -> None:
    """What the open one may still need stays in the WAL, although we are done with it.

    That is the slot's restart_lsn; confirmed_flush_lsn, which is ours, goes on.
    """
    async with reading(settings, TABLES) as read:
        await somebody.execute("BEGIN")
        await somebody.execute("INSERT INTO posts VALUES (1)")
        opened_at = await read.position()
        for id in (2, 3):
            await connection.execute("INSERT INTO posts VALUES (%s)", [id])
            assert told(await next_events(read)) == [("insert", "posts", id)]
        confirmed = read.events[-1].id.end_lsn
        await connection.execute("CHECKPOINT")  # which logs who is still open
        await read.catch_up()
        read.stream.acknowledge(confirmed, ask=True)
        while (await slot(connection, settings)).confirmed_flush != confirmed:
            await read.stream.arrived(0.05)
        assert await restart_lsn(connection, settings) < opened_at < confirmed
        await somebody.execute("COMMIT")
        assert told(await next_events(read)) == [("insert", "posts", 1)]
        while await restart_lsn(connection, settings) < opened_at:
            await connection.execute("CHECKPOINT")
            await connection.execute("INSERT INTO comments SELECT count(*) FROM comments")
            await next_events(read)
            read.stream.acknowledge(read.events[-1].id.end_lsn)


async def test_events_come_while_another_session_has_written_a_great_deal(
    somebody: Connection, connection: Connection, settings: Settings
) -> None:
    await connection.execute("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'")
    await connection.execute("SELECT pg_reload_conf()")
    async with reading(settings, TABLES) as read:
        await somebody.execute("BEGIN")
        await somebody.execute(
            "INSERT INTO posts SELECT n, repeat('x', 100) FROM generate_series(1, 100000) n"
        )
        await connection.execute("INSERT INTO posts VALUES (0)")
        assert told(await next_events(read)) == [("insert", "posts", 0)]
        await somebody.execute("ROLLBACK")
        await connection.execute("INSERT INTO posts VALUES (-1)")
        assert told(await read.catch_up()) == [("insert", "posts", -1)]


async def slot(connection: Connection, settings: Settings) -> catalog.Slot:
    found = await catalog.slot(connection, settings.slot_name)
    assert found is not None
    return found


async def restart_lsn(connection: Connection, settings: Settings) -> Lsn:
    cursor = await connection.execute(
        "SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = %s",
        [settings.slot_name],
    )
    row = await cursor.fetchone()
    assert row is not None
    return Lsn.parse(row[0])
