"""Whatever a table holds, an event says what SELECT says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from eventscope.event import Event
from eventscope.inspection.json_line import json_line
from eventscope.replication.connection import Connection
from tests.replication.oracle import read_json
from tests.replication.random_types import Table, Type, tables
from tests.replication.reading import Reading, reading
from tests.servers import fresh_database

TABLES = 150

Row = dict[str, str | None]


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    with fresh_database(request.getfixturevalue(request.param)) as url:
        yield url


async def test_events_say_in_every_form_what_select_says(session, built_in, settings):
    loop, tables_made, values = asyncio.get_running_loop(), 0, 0
    await session.execute("CREATE TABLE nothing (id int PRIMARY KEY)")
    async with reading(settings, ["nothing"]) as stream:

        async def changed(table: Table) -> None:
            nonlocal tables_made, values
            tables_made += 1
            values += 2 * len(table.types) * len(table.rows)
            await check(session, stream, settings.publication, f"schema_{tables_made}", table)

        @given(tables(built_in))
        @hypothesis_settings(max_examples=TABLES, deadline=None)
        def check_table(table: Table) -> None:
            asyncio.run_coroutine_threadsafe(changed(table), loop).result()

        await asyncio.to_thread(check_table)
    assert values > 20 * TABLES


async def check(
    session: Connection, stream: Reading, publication: str, schema: str, table: Table
) -> None:
    """Insert and update the table's rows and compare the events with what SELECT says."""
    await session.execute(f"CREATE SCHEMA {schema}")
    await session.execute(f"SET search_path = {schema}")
    try:
        for statement in table.ddl:
            await session.execute(statement)
        await session.execute("ALTER TABLE t REPLICA IDENTITY FULL")
        await session.execute(f'ALTER PUBLICATION "{publication}" ADD TABLE t')
        inserted = ", ".join(f"({n}, {', '.join(row)})" for n, row in enumerate(table.rows))
        await session.execute(f"INSERT INTO t VALUES {inserted}")
        old = await selected(session)
        async with session.transaction():
            for n, row in enumerate(table.updates):
                values = ", ".join(f"c{m} = {value}" for m, value in enumerate(row))
                await session.execute(f"UPDATE t SET {values} WHERE id = {n}")
        new = await selected(session)
        events = [event for event in await stream.catch_up() if event.source.schema == schema]
    finally:
        await session.execute(f"DROP SCHEMA {schema} CASCADE")
    assert len(events) == len(old) + len(new)
    for before, after, insert, update in zip(
        old, new, events[: len(old)], events[len(old) :], strict=True
    ):
        check_row(table.types, before, insert, "new_record")
        check_row(table.types, before, update, "previous")
        check_row(table.types, after, update, "new_record")
        differing = {name for name in after if after[name] != before[name]}
        assert set(update.changes) == differing


async def selected(session: Connection) -> list[Row]:
    """The text of every value, as the server prints it."""
    result = (await session.execute("SELECT * FROM t ORDER BY id")).pgresult
    names = [result.fname(n).decode() for n in range(result.nfields)]
    return [
        {
            name: None if (text := result.get_value(row, n)) is None else text.decode()
            for n, name in enumerate(names)
        }
        for row in range(result.ntuples)
    ]


def check_row(types: list[Type], row: Row, event: Event, image: str) -> None:
    """Compare one image of an event, in every form, with the row."""
    assert getattr(event.in_form("text"), image) == row
    python = getattr(event, image)
    line = json_line(event)
    assert line.splitlines() == [line]
    said: dict[str, Any] = dict(dict(read_json(line))[image])
    for n, type_ in enumerate(types):
        name = f"c{n}"
        assert repr(python[name]) == repr(type_.meaning.in_python(row[name])), type_.sql
        wanted = type_.meaning.in_json(row[name])
        assert (type(said[name]), said[name]) == (type(wanted), wanted), type_.sql
