"""What operators do with events: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/operators_test.exs of EventStreamex 1.2.1, which has 10 tests. There
one event is in work at any time and an operator that gives up halts all; here each has a place of
its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Retry
from eventscope.operators.failures import RetryStatus
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.shop import counting_comments, tables
from tests.waiting import operator, until, until_state

BASE, OTHER, MISSING = 1, 2, 3
"""Ids of posts."""


class Heard:
    """An error logger that keeps what it is told."""

    told: list[tuple[str, str, str, RetryStatus]]

    def on_retry(self, name: str, event: Event, error: BaseException, status: RetryStatus) -> None:
        self.told.append(("retry", name, str(error), status))

    def on_failed(self, name: str, event: Event, error: BaseException, status: RetryStatus) -> None:
        self.told.append(("failed", name, str(error), status))


@pytest.fixture
def failing(make_settings: MakeSettings) -> Settings:
    """One retry, after 100 ms, of which an error logger is told."""
    Heard.told = []
    return make_settings(
        error_logger_adapter=f"{__name__}:Heard",
        operator_queue_max_retries=1,
        operator_queue_min_restart_time=100,
    )


@pytest.fixture
async def shop(connection: Connection) -> Connection:
    """Posts, comments, and the table that one makes of them."""
    await connection.execute(tables())
    await connection.execute("ALTER TABLE posts REPLICA IDENTITY FULL")
    return connection


async def derived(connection: Connection) -> list[tuple[Any, ...]]:
    rows = await connection.execute(
        "SELECT id, title, comments_count FROM post_with_comments_counts ORDER BY id"
    )
    return await rows.fetchall()


# failures


async def _fails_twice_and_again_when_it_is_let_go(engine: Engine, error: str) -> None:
    """One retry and the end, told with their waits; then the same from the beginning."""
    for _ in range(2):
        await until(lambda: [what for what, *_ in Heard.told] == ["retry", "failed"])
        state = await until_state(engine, "bad", "halted")
        assert (state.attempts, state.max_attempts) == (2, 2)
        (one, _, first, status), (two, _, second, last) = Heard.told
        assert (one, first, status.curr_retries) == ("retry", error, 0)
        assert 100 <= status.curr_time_to_wait <= 110
        assert (two, second, last.curr_retries) == ("failed", error, 1)
        assert 200 <= last.curr_time_to_wait <= 220
        Heard.told.clear()
        await engine.command(Retry("bad"))


async def test_an_operator_that_raises_is_retried_and_halts_and_does_so_again_when_it_is_restarted(
    shop: Connection, failing: Settings
) -> None:
    """The original's scheduler goes down with it; here nobody else does."""
    app, others = EventScope("original"), list[str]()

    @app.operator(entities="posts")
    async def bad(event: Event) -> None:
        raise ValueError("oops")

    @app.operator(entities="posts")
    async def good(event: Event) -> None:
        others.append(event.id)

    async with Engine(app, failing) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a')")
        await _fails_twice_and_again_when_it_is_let_go(engine, "oops")
        await until(lambda: others)


async def test_an_operator_that_says_that_it_failed_is_treated_the_same(
    shop: Connection, failing: Settings
) -> None:
    """The original returns ``{:error, :oops}``; here it raises, and what it returns is ignored."""
    app, returned = EventScope("original"), list[str]()

    @app.operator(entities="posts")
    def bad(event: Event) -> None:
        raise RuntimeError("oops")

    @app.operator(entities="posts")
    def returning(event: Event) -> tuple[str, str]:
        returned.append(event.id)
        return ("error", "oops")

    async with Engine(app, failing) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a')")
        await _fails_twice_and_again_when_it_is_let_go(engine, "oops")
        await until_state(engine, "returning", "idle")
        assert (len(returned), operator(engine, "returning").failed) == (1, 0)


# what it listens to


async def test_an_event_type_that_an_operator_does_not_listen_to_is_ignored(
    shop: Connection, settings: Settings
) -> None:
    app, seen = EventScope("original"), list[str]()

    @app.operator(entities="posts", events=["insert", "delete"])
    async def listening(event: Event) -> None:
        seen.append(event.type)

    async with Engine(app, settings) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a')")
        await shop.execute("UPDATE posts SET title = 'b'")
        await shop.execute("DELETE FROM posts")
        await engine.settle(60)
    assert seen == ["insert", "delete"]


async def test_a_table_that_an_operator_does_not_listen_to_is_ignored(
    shop: Connection, settings: Settings
) -> None:
    app, seen = EventScope("original"), list[str]()
    app.entity("comments")

    @app.operator(entities="posts")
    async def listening(event: Event) -> None:
        seen.append(event.name)

    async with Engine(app, settings) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a')")
        await shop.execute("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(60)
    assert seen == ["posts"]


async def test_two_events_are_worked_on_by_two_operators_and_processed_when_both_are_done(
    shop: Connection, settings: Settings
) -> None:
    """There the second event waits until both have done the first; here the faster one goes on."""
    await shop.execute("ALTER TABLE posts ADD COLUMN updated_at timestamptz")
    app = EventScope("original")
    working: dict[str, list[Any]] = {"one": [], "two": []}
    let_go = {name: asyncio.Semaphore(0) for name in working}

    def listening(name: str) -> None:
        @app.operator(entities=["posts", "comments"], name=name)
        async def work(event: Event) -> None:
            working[name].append((event.name, (event.new_record or {})["id"]))
            await let_go[name].acquire()

    listening("one")
    listening("two")
    async with Engine(app, settings) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a', '2023-09-19 07:57Z')")
        await shop.execute("INSERT INTO comments VALUES (7, 1)")
        first, second = ("posts", 1), ("comments", 7)
        await until(lambda: working == {"one": [first], "two": [first]})
        await until(lambda: [operator(engine, name).depth for name in working] == [2, 2])
        let_go["one"].release()
        await until(lambda: working["one"] == [first, second])
        assert working["two"] == [first]
        assert not app.processed("posts", 1695110220000000)
        let_go["two"].release()
        await until(lambda: app.processed("posts", 1695110220000000))
        await until(lambda: working["two"] == [first, second])
        for semaphore in let_go.values():
            semaphore.release()
        await engine.settle(60)
        assert [operator(engine, name).depth for name in working] == [0, 0]
        # its rows tell no time
        assert not app.processed("comments", 0)


# query operators


async def test_a_query_counts_children_once_there_is_a_base_row(
    shop: Connection, settings: Settings
) -> None:
    async with Engine(counting_comments(), settings) as engine:
        steps: list[tuple[str, list[tuple[Any, ...]]]] = [
            ("SET session_replication_role = replica", []),
            (f"INSERT INTO comments VALUES (90, {BASE})", []),
            ("DELETE FROM comments WHERE id = 90", []),
            (f"INSERT INTO posts VALUES ({BASE}, 'a')", [(BASE, "a", 0)]),
            (f"INSERT INTO comments VALUES (91, {BASE})", [(BASE, "a", 1)]),
            (f"INSERT INTO comments VALUES (92, {BASE})", [(BASE, "a", 2)]),
            ("DELETE FROM comments WHERE id = 91", [(BASE, "a", 1)]),
            (f"INSERT INTO comments VALUES (93, {MISSING})", [(BASE, "a", 1)]),
        ]
        for statement, rows in steps:
            await shop.execute(statement)
            await engine.settle(60)
            assert await derived(shop) == rows, statement


async def test_a_query_follows_the_title_of_its_base_row(
    shop: Connection, settings: Settings
) -> None:
    async with Engine(counting_comments(), settings) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a')")
        await engine.settle(60)
        await shop.execute("UPDATE posts SET title = 'b'")
        await engine.settle(60)
        assert await derived(shop) == [(1, "b", 0)]


async def test_the_delete_of_a_base_row_deletes_what_a_query_made_of_it(
    shop: Connection, settings: Settings
) -> None:
    async with Engine(counting_comments(), settings) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a'), (2, 'b')")
        await shop.execute("INSERT INTO comments VALUES (91, 1), (92, 2)")
        await engine.settle(60)
        assert await derived(shop) == [(1, "a", 1), (2, "b", 1)]
        await shop.execute("DELETE FROM posts WHERE id = 1")
        await engine.settle(60)
        assert await derived(shop) == [(2, "b", 1)]


async def test_the_delete_of_a_child_computes_anew_and_deletes_nothing(
    shop: Connection, settings: Settings
) -> None:
    async with Engine(counting_comments(), settings) as engine:
        await shop.execute("INSERT INTO posts VALUES (1, 'a')")
        await shop.execute("INSERT INTO comments VALUES (91, 1)")
        await engine.settle(60)
        assert await derived(shop) == [(1, "a", 1)]
        await shop.execute("DELETE FROM comments")
        await engine.settle(60)
        assert await derived(shop) == [(1, "a", 0)]


# functions


async def test_a_function_may_run_several_queries_and_others_for_each_event_type(
    shop: Connection, settings: Settings
) -> None:
    app = EventScope("original")

    @app.operator(entities="posts")
    async def post_with_comments_counts(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        new, old = event.new_record, event.old_record
        if new is not None and event.type == "insert":
            await tx.execute(
                "INSERT INTO post_with_comments_counts VALUES (%s, %s, 0)",
                [new["id"], new["title"]],
            )
            await tx.execute(
                "UPDATE post_with_comments_counts SET comments_count ="
                " (SELECT count(*) FROM comments WHERE post_id = %(id)s) WHERE id = %(id)s",
                {"id": new["id"]},
            )
        elif new is not None and event.type == "update":
            await tx.execute(
                "UPDATE post_with_comments_counts SET title = %s WHERE id = %s",
                [new["title"], new["id"]],
            )
        elif old is not None:
            await tx.execute("DELETE FROM post_with_comments_counts WHERE id = %s", [old["id"]])

    async with Engine(app, settings) as engine:
        async with shop.transaction():
            await shop.execute("INSERT INTO posts VALUES (1, 'a')")
            await shop.execute("INSERT INTO comments VALUES (91, 1)")
        steps: list[tuple[str, list[tuple[Any, ...]]]] = [
            ("SELECT", [(1, "a", 1)]),
            ("UPDATE posts SET title = 'b'", [(1, "b", 1)]),
            ("DELETE FROM posts", []),
        ]
        for statement, rows in steps:
            await shop.execute(statement)
            await engine.settle(60)
            assert await derived(shop) == rows, statement
