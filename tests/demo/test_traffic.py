import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from eventscope.demo.traffic import Traffic
from tests.servers import create_blog, fresh_database

TABLES = {
    "users": "id, email, name",
    "user_profiles": "id, user_id, bio, settings",
    "posts": "id, title, body",
    "comments": "id, post_id, parent_id, author_id, body",
    "ratings": "id, comment_id, rating",
}


@asynccontextmanager
async def blog(postgres) -> AsyncIterator[psycopg.AsyncConnection]:
    with fresh_database(postgres) as url:
        create_blog(url)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            yield connection


async def tables_after(postgres, seed: int, steps: int) -> dict[str, list[Any]]:
    async with blog(postgres) as connection:
        traffic = Traffic(connection, seed=seed)
        for _ in range(steps):
            await traffic.step()
        return {table: await rows(connection, table) for table in TABLES}


async def rows(connection, table):
    cursor = await connection.execute(f"select {TABLES[table]} from {table} order by id")
    return await cursor.fetchall()


async def size(connection, table):
    cursor = await connection.execute(f"select count(*) from {table}")
    return (await cursor.fetchone())[0]


async def test_the_seed_decides_everything(postgres):
    first = await tables_after(postgres, seed=7, steps=400)

    assert all(first.values())
    assert await tables_after(postgres, seed=7, steps=400) == first
    assert await tables_after(postgres, seed=8, steps=400) != first


async def test_every_kind_of_change_happens(postgres):
    async with blog(postgres) as connection:
        await connection.execute(
            "select pg_create_logical_replication_slot('all', 'test_decoding')"
        )
        traffic = Traffic(connection, seed=1)
        for _ in range(700):
            await traffic.step()
        cursor = await connection.execute(
            "select distinct split_part(data, ' ', 2), split_part(data, ' ', 3) "
            "from pg_logical_slot_get_changes('all', null, null) where data like 'table %'"
        )
        seen = set(await cursor.fetchall())
        await connection.execute("select pg_drop_replication_slot('all')")

    kinds = ("INSERT:", "UPDATE:", "DELETE:")
    assert seen == {(f"public.{table}:", kind) for table in TABLES for kind in kinds}


async def test_texts_try_what_is_hard_to_show(postgres):
    texts = "\n".join(
        row[-1] for row in (await tables_after(postgres, seed=1, steps=300))["comments"]
    )

    assert "[" in texts
    assert "\n" in texts
    assert any(ord(character) > 0x2000 for character in texts)


async def test_tables_stay_small(postgres, monkeypatch):
    from eventscope.demo import traffic as module

    small = {action: bound._replace(rows=30) for action, bound in module._BOUNDS.items()}
    monkeypatch.setattr(module, "_BOUNDS", small)
    async with blog(postgres) as connection:
        traffic = Traffic(connection, seed=1)
        for _ in range(1_000):
            await traffic.step()

        for table in TABLES:
            assert 0 < await size(connection, table) < 50


async def test_it_goes_on_in_a_database_with_the_rows_of_the_same_seed(postgres):
    async with blog(postgres) as connection:
        for _ in range(3):
            traffic = Traffic(connection, seed=1)
            for _ in range(60):
                await traffic.step()

        assert await size(connection, "comments") > 0


@pytest.mark.parametrize("rate", [50.0, 100.0])
async def test_it_keeps_about_its_rate_until_it_is_stopped(postgres, rate):
    async with blog(postgres) as connection:
        steps = 0
        stop = asyncio.Event()

        class Counted(Traffic):
            async def step(self) -> None:
                nonlocal steps
                await super().step()
                steps += 1
                if steps == 100:
                    stop.set()

        clock = asyncio.get_running_loop().time
        start = clock()
        async with asyncio.timeout(30):
            await Counted(connection).run(rate, stop)

        assert steps == 100
        assert clock() - start > 100 / rate / 2
