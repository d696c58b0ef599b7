"""Running a change's SQL does what the change did, and running its undo takes that back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from psycopg import sql

from eventscope.event import Event
from eventscope.inspection.diff import event_diff
from eventscope.inspection.report import diff_report
from eventscope.inspection.sql import change_sql, undo_sql
from eventscope.replication.connection import Connection
from eventscope.tui.widgets.reading import Reading as Way
from eventscope.tui.widgets.row_lines import row_lines
from tests.replication.examples import Example
from tests.replication.examples.compounds import ARRAYS, MADE, TYPES
from tests.replication.random_types import Table, tables
from tests.replication.reading import Reading, reading
from tests.servers import fresh_database

ODD_SESSION = """
    SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Asia/Kathmandu';
    SET standard_conforming_strings = off; SET backslash_quote = off; SET bytea_output = 'escape';
    SET extra_float_digits = 0; SET escape_string_warning = off
"""
RANDOM_TABLES = 40

State = list[tuple[bytes | None, ...]]


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    with fresh_database(request.getfixturevalue(request.param)) as url:
        yield url


async def state(session: Connection, table: str = "t") -> State:
    """Every row, each value as the server prints it, in an order that only they decide."""
    result = (await session.execute(f"SELECT * FROM {table} AS r ORDER BY r::text")).pgresult
    assert result is not None
    return [
        tuple(result.get_value(row, n) for n in range(result.nfields))
        for row in range(result.ntuples)
    ]


async def there_and_back(
    session: Connection, other: Connection, events: Sequence[Event], states: Sequence[State]
) -> None:
    """From the first state run each change, its undo, and the change again.

    The SQL runs in ``other``, whose settings are a stranger's.
    """
    assert await state(session) == states[0]
    for event, before, after in zip(events, states[:-1], states[1:], strict=True):
        for run, wanted in ((change_sql, after), (undo_sql, before), (change_sql, after)):
            statement = run(event)
            await other.execute(statement.encode())
            assert await state(session) == wanted, statement


async def test_every_type_goes_there_and_back(session, connection, settings, built_in):
    await session.execute(TYPES)
    examples: list[Example] = [*built_in, *ARRAYS, *MADE]
    names = [sql.Identifier(f"c{n}") for n in range(len(examples))]
    values = [
        sql.SQL("{}::{}").format(sql.Literal(one.text), sql.SQL(one.type)) for one in examples
    ]
    by_type = {one.type: value for one, value in zip(examples, values, strict=True)}
    others = [by_type[one.type] for one in examples]  # the last example of each one's type
    columns = [
        sql.SQL("{} {}").format(name, sql.SQL(one.type))
        for name, one in zip(names, examples, strict=True)
    ]
    await session.execute(
        sql.SQL("CREATE TABLE t (id int PRIMARY KEY, {})").format(sql.SQL(",").join(columns))
    )
    await session.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    states = [await state(session)]
    async with reading(settings, ["t"]) as stream:
        for statement in (
            sql.SQL("INSERT INTO t VALUES (1, {})").format(sql.SQL(",").join(values)),
            sql.SQL("UPDATE t SET ({}) = ROW({})").format(
                sql.SQL(",").join(names), sql.SQL(",").join(others)
            ),
            sql.SQL("UPDATE t SET id = 2, c0 = NULL"),
            sql.SQL("DELETE FROM t"),
        ):
            await session.execute(statement)
            states.append(await state(session))
        events = await stream.catch_up()
    await connection.execute(ODD_SESSION)
    await there_and_back(session, connection, events, states)


async def test_whatever_the_table_its_changes_go_there_and_back(
    session, connection, built_in, settings
):
    loop, tables_made = asyncio.get_running_loop(), 0
    await session.execute("CREATE TABLE nothing (id int PRIMARY KEY)")
    async with reading(settings, ["nothing"]) as stream:

        async def check(table: Table, has_key: bool) -> None:
            nonlocal tables_made
            tables_made += 1
            schema = f"schema_{tables_made}"
            await session.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}")
            await connection.execute(f"SET search_path = {schema}")
            try:
                for statement in table.ddl:
                    await session.execute(statement)
                if not has_key:
                    await session.execute("ALTER TABLE t DROP CONSTRAINT t_pkey")
                await session.execute("ALTER TABLE t REPLICA IDENTITY FULL")
                await session.execute(f'ALTER PUBLICATION "{settings.publication}" ADD TABLE t')
                await check_rows(session, connection, stream, schema, table)
            finally:
                await session.execute(f"DROP SCHEMA {schema} CASCADE")

        @given(tables(built_in))
        @hypothesis_settings(
            max_examples=RANDOM_TABLES, deadline=None, suppress_health_check=list(HealthCheck)
        )
        def check_table(table: Table) -> None:
            has_key = tables_made % 2 == 0
            asyncio.run_coroutine_threadsafe(check(table, has_key), loop).result()

        await asyncio.to_thread(check_table)
    assert tables_made >= RANDOM_TABLES


async def check_rows(
    session: Connection, other: Connection, stream: Reading, schema: str, table: Table
) -> None:
    states = [await state(session)]
    statements = [f"INSERT INTO t VALUES (1, {', '.join(row)})" for row in table.rows[:1]]
    row = ", ".join(f"c{m} = {value}" for m, value in enumerate(table.updates[0]))
    statements += [f"UPDATE t SET {row}", "DELETE FROM t"]
    for statement in statements:
        await session.execute(statement)
        states.append(await state(session))
    events = [event for event in await stream.catch_up() if event.source.schema == schema]
    await there_and_back(session, other, events, states)


async def made(session, settings, ddl: str, *statements: str) -> tuple[list[Event], list[State]]:
    """What statements did to a table t, event by event, and its states; it is empty afterwards."""
    await session.execute(ddl)
    states = [await state(session)]
    async with reading(settings, ["t"]) as stream:
        for statement in statements:
            await session.execute(statement)
            states.append(await state(session))
        return await stream.catch_up(), states


async def test_of_rows_that_are_alike_only_one_changes(session, connection, settings):
    ddl = "CREATE TABLE t (a int, d json, at timestamptz); ALTER TABLE t REPLICA IDENTITY FULL"
    row = """(1, '{"a": 1}', '2026-07-01 12:00+02')"""
    events, states = await made(
        session, settings, ddl, f"INSERT INTO t VALUES {row}", f"INSERT INTO t VALUES {row}",
        "UPDATE t SET d = NULL WHERE ctid = '(0,1)'", "DELETE FROM t WHERE d IS NULL",
        "DELETE FROM t",
    )  # fmt: skip
    await connection.execute(ODD_SESSION)
    await there_and_back(session, connection, events, states)


async def test_of_alike_rows_in_two_partitions_only_one_changes(session, connection, settings):
    ddl = """
        CREATE TABLE t (a int, b int) PARTITION BY LIST (a);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
        CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
        ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t1 REPLICA IDENTITY FULL;
        ALTER TABLE t2 REPLICA IDENTITY FULL;
        CREATE PUBLICATION events FOR TABLE t WITH (publish_via_partition_root)
    """
    events, states = await made(
        session, settings, ddl, "INSERT INTO t VALUES (1, 1)", "INSERT INTO t VALUES (2, 1)",
        "DELETE FROM t WHERE a = 2", "DELETE FROM t WHERE a = 1",
    )  # fmt: skip
    await there_and_back(session, connection, events, states)


async def test_generated_columns_and_identities_are_respected(session, connection, settings):
    ddl = """
        CREATE TABLE t (
            id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, price numeric, "user" text,
            gross numeric GENERATED ALWAYS AS (price * 1.2) STORED);
    """
    if session.info.server_version >= 180_000:
        ddl += "CREATE PUBLICATION events FOR TABLE t WITH (publish_generated_columns = stored);"
        ddl += "ALTER TABLE t REPLICA IDENTITY FULL"
    statements = ["INSERT INTO t (price) VALUES (10)", "UPDATE t SET price = 20, \"user\" = 'é'"]
    events, states = await made(session, settings, ddl, *statements)
    inserted, updated = events
    if session.info.server_version >= 180_000:
        assert inserted.source.generated == ("gross",)
    assert inserted.source.identity == ("id",)
    await session.execute("DELETE FROM t")
    await connection.execute(change_sql(inserted))
    assert await state(session) == states[1]
    await connection.execute(change_sql(updated))
    assert await state(session) == states[2]
    if updated.previous is not None:
        await connection.execute(undo_sql(updated))
        assert await state(session) == states[1]


async def test_what_is_known_under_the_default_identity_is_done(session, connection, settings):
    ddl = "CREATE TABLE t (id int PRIMARY KEY, a text, big text)"
    big = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300) n)"
    events, states = await made(
        session, settings, ddl, f"INSERT INTO t VALUES (1, 'x', {big})", "UPDATE t SET a = 'y'",
        "UPDATE t SET id = 2", "DELETE FROM t",
    )  # fmt: skip
    for event, after in zip(events, states[1:], strict=True):
        await connection.execute(change_sql(event))
        assert await state(session) == after, change_sql(event)
    _, updated, moved, deleted = events
    assert "big =" not in change_sql(updated), "a value that was not sent again did not change"
    assert undo_sql(updated).splitlines() == [
        "-- the WAL does not hold the old values of a:",
        "-- what they were is not restored. To have them from the next change on:",
        "-- ALTER TABLE public.t REPLICA IDENTITY FULL;",
    ]
    assert undo_sql(moved).endswith("UPDATE public.t\nSET id = 1\nWHERE id = 2;")
    assert "cannot be inserted again" in undo_sql(deleted)
    assert all(line.startswith("--") for line in undo_sql(deleted).splitlines())


async def test_an_index_as_identity_names_the_row(session, connection, settings):
    ddl = """
        CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL UNIQUE, a int);
        ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key
    """
    events, states = await made(
        session, settings, ddl, "INSERT INTO t VALUES (1, 'x', 1)",
        "UPDATE t SET code = 'y', a = 2", "DELETE FROM t",
    )  # fmt: skip
    for event, after in zip(events, states[1:], strict=True):
        await connection.execute(change_sql(event))
        assert await state(session) == after, change_sql(event)


@pytest.mark.parametrize(
    ("type_", "one", "other"),
    [
        ("pair", "(1,\"a, b\")", "(2,)"), ("mood", "so happy", "a,\"b\""),
        ("positive", "1", "2"), ("int[]", "{1,2}", "{}"), ("int4range", "[1,3)", "empty"),
        ("text", "(1)", "it's"), ("float4", "0.1", "NaN"), ("bytea", "\\x00ff", ""),
        ("timestamptz", "2026-07-01 12:00+02", "infinity"), ("money", "$1.50", "-$1.50"),
        ("citext", "Abc", "abd"), ("bool", "t", "f"), ("bpchar(5)", "a", "b"),
    ],
)  # fmt: skip
async def test_a_key_of_any_type_names_the_row(session, connection, settings, type_, one, other):
    await session.execute(TYPES)
    ddl = f"CREATE TABLE t (id {type_} PRIMARY KEY, n int); ALTER TABLE t REPLICA IDENTITY FULL"
    first, second = (sql.Literal(text).as_string(session) for text in (one, other))
    events, states = await made(
        session, settings, ddl, f"INSERT INTO t VALUES ({first}, 1)",
        f"INSERT INTO t VALUES ({second}, 1)", f"UPDATE t SET n = 2 WHERE id = {first}::{type_}",
        f"DELETE FROM t WHERE id = {second}::{type_}", f"UPDATE t SET id = {second}",
        "DELETE FROM t",
    )  # fmt: skip
    await connection.execute(ODD_SESSION)
    await there_and_back(session, connection, events, states)


async def test_odd_names_and_hostile_texts_are_exact(session, connection, settings):
    names = [
        'quo"te',
        "UPPER",
        "order",
        "emoji 🎈",
        "a.b",
        "esc\x1b[2J",
        "back\\slash",
        "bidi\u202e",
    ]
    quoted = [sql.Identifier(name).as_string(session) for name in names]
    columns = ", ".join(f"{name} text" for name in quoted)
    text = "\x1b]52;c;\x07\u202e\u200b🎈\U000e0100\\ ' \" \n\r\t"
    ddl = f"CREATE TABLE t (id text PRIMARY KEY, {columns}); ALTER TABLE t REPLICA IDENTITY FULL"
    events, states = await made(
        session, settings, ddl,
        f"INSERT INTO t (id) VALUES ({sql.Literal(text).as_string(session)})",
        f"UPDATE t SET ({', '.join(quoted)}) = ROW({', '.join(['id'] * len(names))})",
        "DELETE FROM t",
    )  # fmt: skip
    await there_and_back(session, connection, events, states)
    for event in events:
        said = change_sql(event) + undo_sql(event)
        assert not set(said) & {"\x1b", "\x07", "\u202e", "\u200b", "\U000e0100", "\r", "\t"}


async def test_messages_and_truncates_are_said(session, connection, settings):
    await session.execute("CREATE TABLE t (id int PRIMARY KEY)")
    async with reading(settings, ["t"]) as stream:
        await session.execute(r"SELECT pg_logical_emit_message(false, 'p', '\xff00'::bytea)")
        await session.execute("SELECT pg_logical_emit_message(true, 'p', 'it''s'::text)")
        await session.execute("TRUNCATE t")
        events = await stream.catch_up()
        for event in events:
            await connection.execute(change_sql(event))
        again = await stream.catch_up()
    assert [event.type for event in events] == ["message", "message", "truncate"]
    assert [event.new_record for event in again] == [event.new_record for event in events]
    assert all(undo_sql(event).startswith("--") for event in events)


async def test_words_that_need_quotes_are_those_of_the_server(session):
    from eventscope.inspection.quoting import identifier

    cursor = await session.execute("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    words = [word for (word,) in await cursor.fetchall()]
    assert len(words) > 90
    assert [word for word in words if identifier(word) != f'"{word}"'] == []


async def test_a_document_that_is_null_does_not_look_like_no_document(session, settings):
    ddl = "CREATE TABLE t (id int PRIMARY KEY, d jsonb); ALTER TABLE t REPLICA IDENTITY FULL"
    events, _ = await made(
        session, settings, ddl, "INSERT INTO t VALUES (1, 'null')", "UPDATE t SET d = NULL",
        "UPDATE t SET d = 'null'", "DELETE FROM t",
    )  # fmt: skip
    sides = [(column.old, column.new) for event in events for column in event_diff(event).columns]
    shown = [tuple(side and (side.text, side.absent) for side in both) for both in sides]
    null, nothing = ("null", False), ("NULL", True)
    assert shown == [
        (None, ("1", False)), (None, null), (null, nothing), (nothing, null),
        (("1", False), None), (null, None),
    ]  # fmt: skip
    assert "~ d  null → NULL" in diff_report(events[1])
    rows = [line.plain.split()[-1] for line in row_lines(events[2], 80, Way())]
    assert rows == ["1", "null"]
