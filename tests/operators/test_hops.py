"""Operators that follow each other without an end are stopped; cascades are not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.replication.hops import LIMIT
from tests.conftest import Connection, MakeSettings
from tests.waiting import operator


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
