"""Operators that follow each other without an end are stopped; cascades are not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.replication.hops import LIMIT
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.waiting import operator, until_state

Tx = psycopg.AsyncConnection[Any]


async def test_two_handlers_that_feed_each_other_halt_and_say_why(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute("CREATE TABLE ping (n serial PRIMARY KEY, hop int)")
    await connection.execute("CREATE TABLE pong (n serial PRIMARY KEY, hop int)")
    app = EventScope("circle")

    @app.operator(entities=["ping"])
    async def pings(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        hop = (event.new_record or {})["hop"]
        await tx.execute("INSERT INTO pong (hop) VALUES (%s)", [hop + 1])

    @app.operator(entities=["pong"])
    async def pongs(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        hop = (event.new_record or {})["hop"]
        await tx.execute("INSERT INTO ping (hop) VALUES (%s)", [hop + 1])

    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await connection.execute("INSERT INTO ping (hop) VALUES (0)")
        await engine.settle(60)
        states = {name: operator(engine, name) for name in ("pings", "pongs")}
        [halted] = [state for state in states.values() if state.state == "halted"]
        assert halted.error == (
            f"Circle: what it writes has come back to it through {LIMIT} operators: a circle"
        )
    cursor = await connection.execute(
        "SELECT max(hop), count(*) FROM (TABLE ping UNION ALL TABLE pong) AS written"
    )
    assert await cursor.fetchall() == [(LIMIT, LIMIT + 1)]


async def test_a_cascade_of_three_query_operators_comes_to_its_end(
    connection: Connection, make_settings: MakeSettings
) -> None:
    app, tables = EventScope("cascade"), ("a", "b", "c", "d")
    for table in tables:
        await connection.execute(
            f"CREATE TABLE {table} (id int PRIMARY KEY, n int)"  # type: ignore[arg-type]
        )
    for source, target in pairwise(tables):
        app.query(
            target,
            sql=f"INSERT INTO {target} SELECT id, n + 1 FROM {source} WHERE id = $1"
            " ON CONFLICT (id) DO UPDATE SET n = excluded.n",
            ids={source: "id"},
            delete_with=[source],
        )
    async with Engine(app, make_settings()) as engine:
        for n in range(2 * LIMIT):
            await connection.execute(
                "INSERT INTO a VALUES (1, %s) ON CONFLICT (id) DO UPDATE SET n = excluded.n", [n]
            )
        await engine.settle(60)
        assert {state.state for state in engine.snapshot().operators} == {"idle"}
        assert sum(state.failed for state in engine.snapshot().operators) == 0
        rows = await connection.execute("TABLE d")
        assert await rows.fetchall() == [(1, 2 * LIMIT + 2)]
        await connection.execute("DELETE FROM a")
        await engine.settle(60)
        rows = await connection.execute("TABLE d")
        assert await rows.fetchall() == []


async def hops(engine: Engine) -> list[int]:
    """The hops of everything that is queued."""
    queue = engine._queue
    return [one.transaction.hops for one in await queue.read(0, list(queue.relations), 1000)]


@pytest.fixture(params=["sqlite", "memory"])
def stored(request: pytest.FixtureRequest, make_settings: MakeSettings) -> Settings:
    return make_settings(queue_storage_adapter=request.param, operator_queue_max_retries=0)


@pytest.mark.parametrize("options", [{}, {"batch": 3}])
async def test_a_circle_of_handlers_ends_with_a_word(
    notes: Write, connection: Connection, stored: Settings, options: dict[str, int]
) -> None:
    app = EventScope("circle")

    @app.operator(entities=["notes"], **options)
    async def there(given: Any, tx: Tx) -> None:
        for event in given if options else [given]:
            id = (event.new_record or {})["id"]
            await tx.execute("INSERT INTO others VALUES (%s)", [id + 1])

    @app.operator(entities=["others"], **options)
    async def back(given: Any, tx: Tx) -> None:
        for event in given if options else [given]:
            id = (event.new_record or {})["id"]
            await tx.execute("INSERT INTO notes VALUES (%s, 'x')", [id + 1])

    async with Engine(app, stored) as engine:
        await notes(0)
        state = await until_state(engine, "there", "halted")
        assert state.error == (
            f"Circle: what it writes has come back to it through {LIMIT} operators: a circle"
        )
        await engine.settle(60)
        assert operator(engine, "back").state == "idle"
        assert await hops(engine) == list(range(LIMIT + 1))
    counted = await connection.execute(
        "SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM others)"
    )
    assert await counted.fetchall() == [(LIMIT + 1,)]


async def test_only_what_somebody_may_follow_is_told_of_and_no_feed_shows_it(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    """A query's target that is an entity may be followed by a handler some day."""
    await connection.execute("CREATE TABLE counts (id int PRIMARY KEY, n int)")
    await connection.execute(
        "SELECT pg_create_logical_replication_slot('witness', 'test_decoding')"
    )
    sql = "INSERT INTO counts VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = counts.n + 1"

    async def told() -> int:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_logical_slot_peek_changes('witness', NULL, NULL)"
            " WHERE data LIKE 'message:%prefix: eventscope,%content:hops=1'"
        )
        [(count,)] = await cursor.fetchall()
        return int(count)

    for is_entity in (False, True):
        app = EventScope("cascade")
        app.query("counts", sql=sql, ids={"notes": "id"})
        if is_entity:
            app.entity("counts")
        async with Engine(app, make_settings(), attended=True) as engine:
            await notes(int(is_entity))
            await engine.settle(60)
            shown = [engine.ring.entry(n).event().name for n in range(engine.ring.next)]
            assert shown == (["notes", "counts"] if is_entity else ["notes"])
            assert await hops(engine) == ([0, 0, 1] if is_entity else [0])
        assert await told() == int(is_entity)
    await connection.execute("SELECT pg_drop_replication_slot('witness')")
