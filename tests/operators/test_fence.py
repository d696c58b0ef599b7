"""Nothing is recomputed before the change that it follows can be seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest

from eventscope import Event
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine
from eventscope.operators.fence import Fence, Snapshot
from tests.conftest import Connection, MakeSettings
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH, counting_comments, tables
from tests.servers import fresh_database, running_server
from tests.waiting import operator, until, until_async, until_state

TABLE = "post_with_comments_counts"
EPOCH = 1 << 32


@pytest.mark.parametrize(
    ("snapshot", "xid", "sees"),
    [
        ("100:100:", 99, True),
        ("100:100:", 100, False),
        ("100:105:100,103", 100, False),
        ("100:105:100,103", 101, True),
        ("100:105:100,103", 103, False),
        ("100:105:100,103", 105, False),
        ("100:105:100,103", 5, True),
        # the counter of 32 bits has gone round once
        (f"{EPOCH + 3}:{EPOCH + 8}:{EPOCH + 3},{EPOCH + 5}", 4, True),
        (f"{EPOCH + 3}:{EPOCH + 8}:{EPOCH + 3},{EPOCH + 5}", 5, False),
        (f"{EPOCH + 3}:{EPOCH + 8}:{EPOCH + 3}", 8, False),
        (f"{EPOCH - 5}:{EPOCH + 8}:{EPOCH - 5}", EPOCH - 5, False),
        (f"{EPOCH - 5}:{EPOCH + 8}:{EPOCH - 5}", EPOCH - 4, True),
        (f"{EPOCH - 5}:{EPOCH + 8}:{EPOCH - 5}", EPOCH - 6, True),
        (f"{EPOCH - 5}:{EPOCH - 2}:", 3, False),
    ],
)
def test_a_snapshot_sees_what_had_ended(snapshot: str, xid: int, sees: bool) -> None:
    assert Snapshot.parse(snapshot).sees(xid) is sees


async def test_the_fence_agrees_with_the_server(connection: Connection, database: str) -> None:
    waited: list[int | None] = []
    fence = Fence(waited.append)
    async with await psycopg.AsyncConnection.connect(database) as other:
        row = await (await other.execute("SELECT txid_current()::text::bigint")).fetchone()
        assert row is not None
        [running] = row
        row = await (await connection.execute("SELECT txid_current()::text::bigint")).fetchone()
        assert row is not None
        [ended] = row
        await fence.wait(connection, ended)
        assert waited == []
        task = asyncio.create_task(fence.wait(connection, running))
        await until(lambda: len(waited) > 3)
        assert not task.done()
        await other.commit()
        await task
    assert set(waited[:-1]) == {running}
    assert waited[-1] is None, "it tells when the wait is over"
    await fence.wait(connection, ended)
    assert waited[-1] is None, "what is long visible is not asked for again"


@pytest.fixture(scope="module")
def waiting_server() -> Iterator[EmbeddedServer]:
    """A server whose commits wait for a standby that does not exist: written, but not visible."""
    with running_server() as server:
        yield server


@pytest.fixture
def database(waiting_server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(waiting_server) as url:
        yield url


@pytest.fixture
async def commits_wait(database: str) -> AsyncIterator[Any]:
    """Call it with True or False."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as admin:

        async def set_to(wait: bool) -> None:
            await admin.execute(
                "ALTER SYSTEM SET synchronous_standby_names = 'ghost'"
                if wait
                else "ALTER SYSTEM RESET synchronous_standby_names"
            )
            await admin.execute("SELECT pg_reload_conf()")
            await until_async(lambda: _is(admin, "ghost" if wait else ""))

        try:
            yield set_to
        finally:
            await set_to(False)


@asynccontextmanager
async def invisible(commits_wait: Any, database: str, statement: str) -> AsyncIterator[int]:
    """A statement whose commit is in the log, but not visible before the block is left.

    Gives the process id of its backend.
    """
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as writer:
        await commits_wait(True)
        commit = asyncio.create_task(writer.execute(statement))  # type: ignore[arg-type]
        try:
            yield writer.info.backend_pid
        finally:
            await commits_wait(False)
            await commit


async def _is(admin: psycopg.AsyncConnection[Any], value: str) -> bool:
    async with await psycopg.AsyncConnection.connect(admin.info.dsn, autocommit=True) as fresh:
        row = await (await fresh.execute("SHOW synchronous_standby_names")).fetchone()
    return row == (value,)


async def test_an_operator_waits_for_a_commit_that_is_not_visible_yet(
    connection: Connection, database: str, make_settings: MakeSettings, commits_wait: Any
) -> None:
    await connection.execute(tables())
    app = counting_comments()
    plain: list[Event] = []
    audited: list[str] = []
    app.operator(entities=["posts"], name="plain")(plain.append)

    @app.operator(entities=["posts"])
    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        cursor = await tx.execute("SELECT title FROM posts WHERE id = 1")
        audited.extend(title for (title,) in await cursor.fetchall())

    local = f"{database}&options=-c%20synchronous_commit%3Dlocal"
    async with Engine(app, make_settings(url=local)) as engine:
        await connection.execute("SET synchronous_commit = local")
        await connection.execute("INSERT INTO posts VALUES (1, 'old')")
        await engine.settle(60)
        await connection.execute("RESET synchronous_commit")
        update = "UPDATE posts SET title = 'new' WHERE id = 1"
        async with invisible(commits_wait, database, update) as pid:
            for name in (TABLE, "audit"):
                await until_state(engine, name, "waiting")
            cursor = await connection.execute(
                "SELECT backend_xid::text FROM pg_stat_activity WHERE pid = %s", [pid]
            )
            xid = (await cursor.fetchone() or [None])[0]
            await until(lambda: len(plain) == 2)  # the reader and others go on
            for name in (TABLE, "audit"):
                state = operator(engine, name)
                assert state.detail == f"transaction {xid} is not visible yet"
                assert (state.depth, state.failed) == (1, 0)
            assert engine.snapshot().stream.state == "streaming"
            rows = await connection.execute(f"SELECT title FROM {TABLE}")
            assert await rows.fetchall() == [("old",)]
            assert audited == ["old"]
        await engine.settle(60)
        assert await differing(connection, TABLE, TRUTH) == []
        assert audited == ["old", "new"]
        assert operator(engine, TABLE).detail == ""


async def test_an_operator_is_not_said_to_wait_once_the_wait_is_over(
    connection: Connection, database: str, make_settings: MakeSettings, commits_wait: Any
) -> None:
    await connection.execute(tables())
    app, called, go_on = counting_comments(), asyncio.Event(), asyncio.Event()

    @app.operator(entities=["posts"], timeout=3600)
    async def slow(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        called.set()
        await go_on.wait()

    async with Engine(app, make_settings()) as engine:
        insert = "INSERT INTO posts VALUES (1, 'x')"
        async with invisible(commits_wait, database, insert):
            await until_state(engine, "slow", "waiting")
        await called.wait()
        assert operator(engine, "slow").state == "running"
        assert operator(engine, "slow").detail == ""
        go_on.set()
        await engine.settle(60)


async def test_the_engine_stops_while_an_operator_waits_for_a_commit(
    connection: Connection, database: str, make_settings: MakeSettings, commits_wait: Any
) -> None:
    await connection.execute(tables())
    async with (
        AsyncExitStack() as stack,
        asyncio.timeout(60),
        Engine(counting_comments(), make_settings()) as engine,
    ):
        insert = "INSERT INTO posts VALUES (1, 'x')"
        await stack.enter_async_context(invisible(commits_wait, database, insert))
        await until_state(engine, TABLE, "waiting")
    async with Engine(counting_comments(), make_settings()) as engine:
        await engine.settle(60)
        assert await differing(connection, TABLE, TRUTH) == [], "the event came again"


async def test_many_small_commits_are_all_seen(
    connection: Connection, database: str, make_settings: MakeSettings
) -> None:
    """Where the race is most likely: one commit at a time, each followed at once."""
    await connection.execute(tables())
    async with Engine(counting_comments(), make_settings()) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, 'x'), (2, 'y'), (3, 'z')")
        for n in range(300):
            await connection.execute("INSERT INTO comments (post_id) VALUES (%s)", [n % 3 + 1])
        await engine.settle(60)
        assert await differing(connection, TABLE, TRUTH) == []
