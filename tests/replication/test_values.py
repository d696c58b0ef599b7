"""What a value of PostgreSQL is in Python, as text and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args

import psycopg
import pytest
from psycopg import sql
from psycopg.types import TypeInfo

from eventscope.event import Change, Event, Form
from eventscope.inspection.json_line import json_line
from eventscope.replication.connection import Connection, connect, conninfo
from eventscope.replication.values import TEXT, built_in
from eventscope.settings import Settings
from tests.replication.examples import Example
from tests.replication.examples.compounds import ARRAYS, MADE, TYPES
from tests.replication.reading import reading
from tests.servers import fresh_database

ARRAY_TYPES = {
    "int[]", "text[]", "box[]", "percents[]", "percents", "few_percents", "grid", "grid[]",
}  # fmt: skip
"""Arrays themselves, and what has arrays whose elements only the server can tell apart."""

WITHOUT_VALUES = [
    "gtsvector", "pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list",
    "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary",
]  # fmt: skip
"""Types of the catalogs whose values nobody can write."""


@pytest.fixture(params=["postgres", "postgres_15"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    with fresh_database(request.getfixturevalue(request.param)) as url:
        yield url


@pytest.fixture
async def examples(session: Connection, built_in: list[Example]) -> list[Example]:
    await session.execute(TYPES)
    return [*built_in, *ARRAYS, *MADE]


async def only_event(
    session: Connection, settings: Settings, columns: list[tuple[str, sql.Composable]]
) -> tuple[Event, list[str]]:
    """The event of a row with these types and values, and what SELECT says of it."""
    names = [f"c{n}" for n in range(len(columns))]
    definitions = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
        for name, (type_, _) in zip(names, columns, strict=True)
    ]
    await session.execute(sql.SQL("CREATE TABLE t ({})").format(sql.SQL(",").join(definitions)))
    async with reading(settings, ["t"]) as stream:
        values = sql.SQL(",").join(value for _, value in columns)
        await session.execute(sql.SQL("INSERT INTO t VALUES ({})").format(values))
        (event,) = await stream.catch_up()
    result = (await session.execute("TABLE t")).pgresult
    assert result is not None
    selected = [result.get_value(0, n) for n in range(len(columns))]
    return event, [text.decode() for text in selected if text is not None]


def json_of(event: Event) -> list[str]:
    """The row's values as they stand in the event's line."""
    line = json_line(event)
    values: list[str] = []
    start = line.index('"new_record":{"c0":') + len('"new_record":{')
    for name in event.source.columns:
        start += len(f'"{name}":')
        following = line.find(f',"c{len(values) + 1}":', start)
        end = following if following >= 0 else line.index('},"old_record":', start)
        values.append(line[start:end])
        start = end + 1
    return values


def literal(example: Example) -> sql.Composed:
    return sql.SQL("{}::{}").format(sql.Literal(example.text), sql.SQL(example.type))


async def test_every_value_is_exact_in_every_form(session, settings, examples):
    event, selected = await only_event(
        session, settings, [(example.type, literal(example)) for example in examples]
    )
    texts = event.in_form("text").new_record.values()
    for example, select, text, python, said in zip(
        examples, selected, texts, event.new_record.values(), json_of(event), strict=True
    ):
        assert (example.type, text) == (example.type, select) == example[:2]
        wanted = text if example.stays_text else example.python
        assert (example.type, repr(python)) == (example.type, repr(wanted))
        assert (example.type, said) == (example.type, example.json)


async def test_arrays_of_every_type_are_lists_of_such_values(session, settings, examples):
    by_type: dict[str, list[Example]] = {}
    for example in examples:
        if example.type not in ARRAY_TYPES:
            by_type.setdefault(example.type, []).append(example)
    arrays = [
        (f"{type_}[]", sql.SQL("ARRAY[{}, NULL]").format(sql.SQL(",").join(map(literal, examples))))
        for type_, examples in by_type.items()
    ]
    event, selected = await only_event(session, settings, arrays)
    texts = event.in_form("text").new_record.values()
    for (type_, examples), select, text, python, said in zip(
        by_type.items(), selected, texts, event.new_record.values(), json_of(event), strict=True
    ):
        assert (type_, text) == (type_, select)
        inexact = any(example.stays_text for example in examples)
        wanted = text if inexact else [*(example.python for example in examples), None]
        assert (type_, repr(python)) == (type_, repr(wanted))
        assert (type_, said) == (type_, f"[{','.join(example.json for example in examples)},null]")


async def test_null_is_none_whatever_its_type(session, settings, examples):
    types = dict.fromkeys(example.type for example in examples)
    null = sql.SQL("NULL")
    event, _ = await only_event(session, settings, [(type_, null) for type_ in types])
    for form in get_args(Form):
        assert set(event.in_form(form).new_record.values()) == {None}
    assert set(json_of(event)) == {"null"}


async def test_every_type_that_a_column_can_have_is_among_the_examples(session, built_in):
    cursor = await session.execute(
        "SELECT oid::regtype::text FROM pg_type t WHERE typtype IN ('b', 'r', 'm')"
        " AND typnamespace = 'pg_catalog'::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_type WHERE typarray = t.oid) AND typname <> ALL (%s)",
        [WITHOUT_VALUES],
    )
    types = {name for (name,) in await cursor.fetchall()}
    cursor = await session.execute(
        "SELECT DISTINCT name::regtype::text FROM unnest(%s::text[]) AS name",
        [[example.type for example in built_in]],
    )
    with_examples = {name for (name,) in await cursor.fetchall()}
    assert len(types) > 50
    assert types - with_examples <= {"xml"}


@pytest.mark.parametrize("zone", ["Europe/Amsterdam", "America/St_Johns", "Asia/Kathmandu"])
async def test_moments_do_not_depend_on_the_servers_time_zone(session, settings, zone):
    database = session.info.dbname
    await session.execute(
        sql.SQL("ALTER DATABASE {} SET timezone = {}").format(sql.Identifier(database), zone)
    )
    moments = [
        datetime(1883, 11, 18, 12, tzinfo=UTC),  # local mean times, which have seconds
        datetime(1937, 7, 1, tzinfo=UTC),
        datetime(2024, 10, 27, 0, 30, tzinfo=UTC),  # twice the same time of the clock
        datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
    ]
    values = [("timestamptz", sql.Literal(moment.isoformat())) for moment in moments]
    async with await connect(conninfo(settings, "test", "test")) as local:
        event, selected = await only_event(local, settings, values)
    assert [*event.in_form("text").new_record.values()] == selected
    assert not any(text.endswith("+00") for text in selected)
    assert [*event.new_record.values()] == moments
    assert json_of(event) == [f'"{moment.isoformat()}"' for moment in moments]


NAMED = {
    "int": "int4",
    "varchar(20)": "varchar(20)",
    "character varying(5)[]": "varchar(5)[]",
    "char(5)": "bpchar(5)",
    "bpchar": "bpchar",
    "numeric(10,2)": "numeric(10,2)",
    "numeric(3,-2)[]": "numeric(3,-2)[]",
    "timestamp(0)": "timestamp(0)",
    "timestamptz(3)": "timestamptz(3)",
    "time(3)[]": "time(3)[]",
    "timetz(2)": "timetz(2)",
    "time": "time",
    "interval": "interval",
    "interval(3)": "interval(3)",
    "interval second(3)": "interval second(3)",
    "interval day to second(2)[]": "interval day to second(2)[]",
    "bit": "bit(1)",
    "bit varying(5)": "varbit(5)",
    "bit varying": "varbit",
    "double precision": "float8",
    "int2vector": "int2vector",
    "mood": "mood",
    "mood[]": "mood[]",
    "audit.mood": "audit.mood",
    "audit.mood[]": "audit.mood[]",
    'audit."A moment"': "audit.A moment",
    "positive": "public.positive",
    "very_positive[]": "public.very_positive[]",
    "percents": "public.percents",
    "pair": "pair",
    "pair[]": "pair[]",
    "citext": "citext",
    "information_schema.cardinal_number": "information_schema.cardinal_number",
}


async def test_type_names_are_those_of_the_catalog(session, settings, examples):
    event, _ = await only_event(session, settings, [(type_, sql.SQL("NULL")) for type_ in NAMED])
    found = dict(zip(NAMED, event.source.columns.values(), strict=True))
    assert found == NAMED


def test_what_psycopg_was_told_of_a_type_in_another_database_is_not_believed():
    psycopg.adapters.types.add(TypeInfo("numbers", 99_998, 99_999))
    assert built_in(99_998) == TEXT
    assert built_in(99_999) == TEXT
    assert built_in(99_998, in_array=True) == psycopg.adapters.types["text"].array_oid


async def test_nan_is_no_change_of_nan(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, n numeric, f float8)")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 'NaN', 'NaN')")
        await connection.execute("UPDATE t SET n = 'NaN', f = 'NaN', id = 2")
        _, updated = await stream.catch_up()
    assert updated.changes == {"id": Change(1, 2)}
