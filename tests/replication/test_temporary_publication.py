"""Publications of a program's own: who they are taken from, and who not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eventscope.replication import provision, temporary_publication
from eventscope.replication.connection import Connection, connect, connect_for_replication, conninfo
from eventscope.replication.publishable import Tables
from eventscope.settings import Settings
from tests.engine.tailing import publications
from tests.replication.reading import role_url


@pytest.fixture
async def tables(connection) -> list[str]:
    names = [f"t{n}" for n in range(7)]
    for name in names:
        await connection.execute(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    return names


@asynccontextmanager
async def another(database: str) -> AsyncIterator[Connection]:
    connection = await connect(database)
    try:
        yield connection
    finally:
        await connection.close()


async def publish(connection) -> str:
    name = temporary_publication.new_name()
    chosen, _ = (await Tables.of(connection)).every()
    await temporary_publication.publish(connection, name, chosen)
    return name


async def test_it_has_exactly_the_tables_however_many(tables, connection, monkeypatch):
    monkeypatch.setattr(temporary_publication, "_AT_ONCE", 3)
    name = await publish(connection)
    cursor = await connection.execute(
        "SELECT tablename FROM pg_publication_tables WHERE pubname = %s ORDER BY 1", [name]
    )
    assert [table for (table,) in await cursor.fetchall()] == tables


async def test_it_takes_the_place_of_the_one_before(tables, connection):
    name = temporary_publication.new_name()
    for _ in range(2):
        await temporary_publication.publish(
            connection, name, (await Tables.of(connection)).every()[0]
        )
    assert await publications(connection) == [name]
    await temporary_publication.withdraw(connection, name)
    await temporary_publication.withdraw(connection, name)
    assert await publications(connection) == []


async def test_one_without_a_slot_is_left_over(tables, connection):
    name = await publish(connection)
    await connection.execute("CREATE PUBLICATION mine; CREATE PUBLICATION eventscope_tail_mine")
    assert await temporary_publication.drop_leftovers(connection) == [name]
    assert await publications(connection) == ["eventscope_tail_mine", "mine"]


async def test_one_that_is_read_is_not(tables, connection, database):
    name = await publish(connection)
    settings = Settings(url=database, slot_name=f"{name}_2", durable_slot=False)
    reader = await connect_for_replication(conninfo(settings, "test", "test"))
    try:
        await provision.create_slot(reader, settings)
        assert await temporary_publication.drop_leftovers(connection) == []
    finally:
        await reader.close()
    assert await publications(connection) == [name]


async def test_one_that_is_being_made_is_not(tables, connection, database):
    async with another(database) as maker, another(database) as other_maker:
        async with temporary_publication.making(maker):
            name = await publish(maker)
            async with temporary_publication.making(other_maker):
                pass
            assert await temporary_publication.drop_leftovers(connection) == []
        assert await temporary_publication.drop_leftovers(connection) == [name]


async def test_one_whose_maker_died_is_left_over(tables, connection, database):
    async with another(database) as maker, temporary_publication.making(maker):
        name = await publish(maker)
        await connection.execute("SELECT pg_terminate_backend(%s, 5000)", [maker.info.backend_pid])
    assert await temporary_publication.drop_leftovers(connection) == [name]


async def test_somebody_else_s_is_his_to_drop(tables, connection, database):
    name = await publish(connection)
    await connection.execute("CREATE ROLE guest LOGIN")
    try:
        async with another(role_url(database, "guest")) as guest:
            assert await temporary_publication.drop_leftovers(guest) == []
    finally:
        await connection.execute("DROP ROLE guest")
    assert await publications(connection) == [name]
