"""Several writers at once, doing whatever they like: in the end every derived table is right."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import psycopg
import pytest

from eventscope.demo.activity import Activity
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Resume
from operators_example import DERIVED, app
from tests.conftest import MakeSettings
from tests.operators.oracle import differing
from tests.operators.workload import transact

WRITERS = 3
ROUNDS = 3
TRANSACTIONS = 40


async def write(url: str, random: Random) -> None:
    """Transactions of one writer; one that loses against another writer is given up."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        activity = Activity(connection, random)
        for _ in range(TRANSACTIONS):
            await transact(connection, activity, random)


async def hold_up(engine: Engine, random: Random, writers: asyncio.Future[Any]) -> None:
    """Pause and resume operators at random while there is writing."""
    names = [operator.name for operator in engine.snapshot().operators]
    while not writers.done():
        name = random.choice(names)
        await engine.command(Pause(name))
        await asyncio.wait([writers], timeout=random.random() / 20)
        await engine.command(Resume(name))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_every_derived_table_equals_its_query_after(
    blog: str, make_settings: MakeSettings, seed: int
) -> None:
    random = Random(seed)
    blog += "&options=-c%20deadlock_timeout%3D10ms"
    connection = await psycopg.AsyncConnection.connect(blog, autocommit=True)
    async with Engine(app, make_settings(url=blog)) as engine, connection:
        for _ in range(ROUNDS):
            writers = asyncio.gather(
                *(write(blog, Random(random.getrandbits(64))) for _ in range(WRITERS))
            )
            await hold_up(engine, random, writers)
            await writers
            await engine.settle(120)
            for table in DERIVED:
                assert await differing(connection, table.name, table.truth) == [], table.name
        failures = {o.name: o.error for o in engine.snapshot().operators if o.state != "idle"}
        assert failures == {}
        assert sum(operator.applied for operator in engine.snapshot().operators) > 100


async def test_a_crowd_of_writers_on_the_same_few_rows(
    blog: str, make_settings: MakeSettings
) -> None:
    """Where a lost update or an early look would show: all count on one row."""
    post = "00000000-0000-0000-0000-000000000001"

    async def comment(url: str) -> None:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            for _ in range(60):
                await connection.execute(
                    "INSERT INTO comments (post_id, body) VALUES (%s, '')", [post]
                )

    connection = await psycopg.AsyncConnection.connect(blog, autocommit=True)
    async with Engine(app, make_settings()) as engine, connection:
        await connection.execute("INSERT INTO posts (id, title, body) VALUES (%s, '', '')", [post])
        await asyncio.gather(*(comment(blog) for _ in range(5)))
        await engine.settle(120)
        row = await (
            await connection.execute("SELECT comments_count FROM post_with_comments_counts")
        ).fetchone()
        assert row == (300,)
