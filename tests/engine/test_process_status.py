"""How far the rows of an entity are processed, by the time that they tell of themselves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.errors import DeclarationError, NotRunning
from eventscope.queue.base import QueueError
from eventscope.queue.records import ProcessStatus
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.waiting import until

EARLIER, NOON, LATER = (datetime(2024, 5, 1, hour, tzinfo=UTC) for hour in (11, 12, 13))
TABLES = (
    "CREATE TABLE posts (id int PRIMARY KEY, updated_at timestamptz);"
    "CREATE TABLE comments (id int PRIMARY KEY, updated_at timestamptz);"
)


class Stepwise(EventScope):
    """An application with two operators on posts, of which one waits to be let go."""

    def __init__(self) -> None:
        super().__init__("status")
        self.let_go = asyncio.Semaphore(0)
        self.entity("comments")

        @self.operator(entities="posts")
        async def fast(event: Event) -> None: ...

        @self.operator(entities="posts")
        async def stepwise(event: Event) -> None:
            await self.let_go.acquire()


async def test_a_row_is_processed_when_all_who_follow_its_table_have_applied_it(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(TABLES)
    app = Stepwise()
    async with Engine(app, settings):
        await connection.execute("INSERT INTO posts VALUES (1, %s)", [EARLIER])
        await connection.execute("INSERT INTO posts VALUES (2, %s)", [NOON])
        await app.wait_for(await app.token(connection), "fast", timeout=60)
        assert not app.processed("posts", EARLIER)
        app.let_go.release()
        await until(lambda: app.processed("posts", EARLIER))
        assert not app.processed("posts", NOON)
        app.let_go.release()
        await until(lambda: app.processed("public.posts", NOON))


async def test_a_table_does_not_wait_for_the_operators_of_another(
    connection: Connection, settings: Settings
) -> None:
    """In the original, a table that no operator follows is never processed."""
    await connection.execute(TABLES)
    app = Stepwise()
    async with Engine(app, settings):
        await connection.execute("INSERT INTO posts VALUES (1, %s)", [NOON])
        await connection.execute("INSERT INTO comments VALUES (1, %s)", [NOON])
        await until(lambda: app.processed("comments", NOON))
        assert not app.processed("posts", NOON)
        app.let_go.release()


async def test_an_earlier_row_that_is_committed_later_takes_nothing_back(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(TABLES)
    app = Stepwise()
    settings = make_settings(retention_events=0)
    async with Engine(app, settings) as engine:
        for n, moment in enumerate([NOON, EARLIER]):
            app.let_go.release()
            await connection.execute("INSERT INTO posts VALUES (%s, %s)", [n, moment])
            await engine.settle(60)
            assert app.processed("posts", NOON)
    async with Engine(app, settings):
        assert app.processed("posts", NOON)
        assert not app.processed("posts", LATER)


async def test_updates_and_deletes_tell_the_time_of_their_row_as_well(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(TABLES + "ALTER TABLE comments REPLICA IDENTITY FULL")
    await connection.execute(
        "INSERT INTO comments VALUES (1, '2024-05-01 11:00Z'), (2, '2024-05-01 13:00Z')"
    )
    app = Stepwise()
    steps = [
        ("UPDATE comments SET updated_at = '2024-05-01 12:00Z' WHERE id = 1", NOON),
        ("DELETE FROM comments WHERE id = 2", LATER),
    ]
    async with Engine(app, settings) as engine:
        for n, (statement, moment) in enumerate(steps):
            await connection.execute(statement)
            await engine.settle(60)
            assert app.processed("comments", moment), n
            assert not app.processed("comments", moment + timedelta(microseconds=1)), n


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("timestamp", "2024-05-01 12:00"),
        ("timestamptz", "2024-05-01 14:00+02"),
        ("bigint", "1714564800000000"),
    ],
)
async def test_a_row_may_tell_its_time_as_it_likes(
    connection: Connection, settings: Settings, type: str, value: str
) -> None:
    await connection.execute(f"CREATE TABLE posts (id int PRIMARY KEY, updated_at {type})")  # type: ignore[arg-type]
    app = EventScope("status")
    app.entity("posts")
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, %s)", [value])
        await engine.settle(60)
        assert app.processed("posts", NOON)
        assert not app.processed("posts", NOON + timedelta(microseconds=1))


@pytest.mark.parametrize("value", ["infinity", "0044-03-15 BC", None])
async def test_a_row_that_tells_no_time_says_nothing(
    connection: Connection, settings: Settings, value: str | None
) -> None:
    await connection.execute(TABLES)
    app = EventScope("status")
    app.entity("posts")
    app.entity("comments")
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, %s)", [value])
        await engine.settle(60)
        assert not app.processed("posts", datetime(1, 1, 1, tzinfo=UTC))
        await connection.execute("INSERT INTO posts VALUES (2, %s)", [NOON])
        await engine.settle(60)
        assert app.processed("posts", NOON)
        assert not app.processed("posts", None)


async def test_a_backlog_of_many_rows_is_taken_account_of(
    connection: Connection, settings: Settings
) -> None:
    await connection.execute(TABLES)
    app = EventScope("status")
    app.entity("posts")
    async with Engine(app, settings):
        pass
    await connection.execute(
        "INSERT INTO posts SELECT n, %s - n * interval '1 s' FROM generate_series(0, 1999) n",
        [NOON],
    )
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert app.processed("posts", NOON)


def test_a_table_that_there_is_not_is_named() -> None:
    app = EventScope("status")
    app.entity("posts")
    with pytest.raises(DeclarationError, match=r"there is no entity 'post': did you mean 'posts'"):
        app.processed("post", NOON)


async def test_nobody_waits_for_it_when_what_it_knows_cannot_be_kept(
    connection: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connection.execute(TABLES)
    app = EventScope("status")
    app.entity("posts")
    async with Engine(app, settings) as engine:

        async def full(status: ProcessStatus) -> None:
            await asyncio.sleep(0)
            raise QueueError("the disk is full")

        monkeypatch.setattr(engine._queue, "save_process_status", full)
        await connection.execute("INSERT INTO posts VALUES (1, now())")
        token = await app.token(connection)
        waiting = asyncio.create_task(app.wait_for(token, timeout=60))
        with pytest.raises(QueueError, match="disk is full"):
            await engine.settle(20)
        with pytest.raises(NotRunning):
            await asyncio.wait_for(waiting, 20)
