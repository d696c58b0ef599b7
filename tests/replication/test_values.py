"""What a value of PostgreSQL is in Python."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from eventscope.event import Change
from eventscope.inspection.json_line import json_line
from tests.replication.reading import reading

PLUS_5_30 = timezone(timedelta(hours=5, minutes=30))

LOADED: list[tuple[str, str, Any]] = [
    ("boolean", "true", True),
    ("smallint", "-32768", -32768),
    ("integer", "2147483647", 2147483647),
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("oid", "4294967295", 4294967295),
    ("numeric", "12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
    ("numeric(10,2)", "1.10", Decimal("1.10")),
    ("numeric", "'-Infinity'", Decimal("-Infinity")),
    ("real", "0.1", 0.1),
    ("double precision", "0.1::float8 + 0.2", 0.1 + 0.2),
    ("double precision", "'-Infinity'", -math.inf),
    ("text", "'O''Reilly, \\ {\"x\"} ü'", "O'Reilly, \\ {\"x\"} ü"),
    ("text", "''", ""),
    ("varchar(5)", "'abc'", "abc"),
    ("char(5)", "'abc'", "abc  "),
    ("bytea", "'\\x00ff27'", b"\x00\xff'"),
    ("date", "'2024-02-29'", date(2024, 2, 29)),
    ("time", "'23:59:59.999999'", time(23, 59, 59, 999999)),
    ("timetz", "'12:00:00+05:30'", time(12, tzinfo=PLUS_5_30)),
    ("timestamp", "'2024-02-29 12:34:56.789012'", datetime(2024, 2, 29, 12, 34, 56, 789012)),
    (
        "timestamptz",
        "'2024-02-29 12:34:56.7+05:30'",
        datetime(2024, 2, 29, 7, 4, 56, 700000, tzinfo=UTC),
    ),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", UUID("a0eebc999c0b4ef8bb6d6bb9bd380a11")),
    ("jsonb", "'{\"a\": [1, 1.10, null, true]}'", {"a": [1, Decimal("1.10"), None, True]}),
    (
        "json",
        "'[0.1234567890123456789, 12345678901234567890]'",
        [Decimal("0.1234567890123456789"), 12345678901234567890],
    ),
    ("json", "'1e400'", Decimal("1e400")),
    ("inet", "'10.0.0.1'", IPv4Address("10.0.0.1")),
    ("inet", "'10.0.0.1/24'", IPv4Interface("10.0.0.1/24")),
    ("cidr", "'10.0.0.0/8'", IPv4Network("10.0.0.0/8")),
    ("integer[]", "'{1,NULL,-3}'", [1, None, -3]),
    ("integer[]", "'{}'", []),
    ("integer[]", "'{{1,2},{3,4}}'", [[1, 2], [3, 4]]),
    ("double precision[]", "'{1,2}'", [1.0, 2.0]),
    ("text[]", "ARRAY['a,b', 'c\"d', 'NULL', '', '{e}', 'f\\g', NULL]",
     ["a,b", 'c"d', "NULL", "", "{e}", "f\\g", None]),
    ("boolean[]", "'{t,f}'", [True, False]),
    ("numeric[]", "'{1.10,NaN}'", None),
    ("uuid[]", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'",
     [UUID("a0eebc999c0b4ef8bb6d6bb9bd380a11")]),
    ("timestamptz[]", "'{2024-01-01 00:00:00+00}'", [datetime(2024, 1, 1, tzinfo=UTC)]),
    ("jsonb[]", "ARRAY['{\"a\": 1.5}'::jsonb, 'null'::jsonb]", [{"a": Decimal("1.5")}, None]),
    ("int4range", "'[1,5)'", Range(1, 5, "[)")),
    ("int4range", "'empty'", Range(empty=True)),
    ("int4multirange", "'{[1,3),[5,7)}'",
     Multirange([Range(1, 3, "[)"), Range(5, 7, "[)")])),
    ("mood", "'so happy'", "so happy"),
    ("mood[]", "'{\"so happy\",sad,NULL}'", ["so happy", "sad", None]),
    ("positive", "5", 5),
    ("very_positive", "5", 5),
    ("percents", "'{1.5,2}'", [Decimal("1.5"), Decimal("2")]),
    ("a_mood", "'sad'", "sad"),
    ("positive[]", "'{1,2}'", [1, 2]),
    ("pair[]", "ARRAY[ROW(1, 'a b')::pair, NULL]", ['(1,"a b")', None]),
]  # fmt: skip

KEPT_AS_TEXT: list[tuple[str, str, str]] = [
    ("date", "'infinity'", "infinity"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    ("date", "'10000-01-01'", "10000-01-01"),
    ("timestamp", "'-infinity'", "-infinity"),
    ("timestamp", "'0044-03-15 12:00:00 BC'", "0044-03-15 12:00:00 BC"),
    ("timestamptz", "'infinity'", "infinity"),
    ("time", "'24:00:00'", "24:00:00"),
    ("timetz", "'24:00:00+00'", "24:00:00+00"),
    ("interval", "'1 year 2 mons'", "1 year 2 mons"),
    ("interval", "'1 day'", "1 day"),
    ("interval", "'24:00:00'", "24:00:00"),
    ("interval", "'-1 days +02:03:00'", "-1 days +02:03:00"),
    ("interval", "'infinity'", "infinity"),
    ("integer[]", "'[0:1]={1,2}'", "[0:1]={1,2}"),
    ("date[]", "'{2024-01-01,infinity}'", "{2024-01-01,infinity}"),
    ("tsrange", "'[2024-01-01,infinity)'", '["2024-01-01 00:00:00",infinity)'),
    ("json", "'{\"a\": 1, \"a\": 2}'", '{"a": 1, "a": 2}'),
    ("money", "'12.34'::numeric::money", "$12.34"),
    ("point", "'(1.5,2)'", "(1.5,2)"),
    ("bit varying(5)", "B'101'", "101"),
    ("macaddr8", "'08:00:2b:01:02:03:04:05'", "08:00:2b:01:02:03:04:05"),
    ("tsvector", "'cat rat'", "'cat' 'rat'"),
    ("pair", "ROW(1, 'a b')", '(1,"a b")'),
    ("regclass", "'pg_class'", "pg_class"),
]  # fmt: skip

TYPES = """
    CREATE TYPE mood AS ENUM ('sad', 'so happy');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE DOMAIN very_positive AS positive CHECK (value > 1);
    CREATE DOMAIN percents AS numeric[];
    CREATE DOMAIN a_mood AS mood;
"""


async def test_every_value_reaches_python_exactly_or_as_its_text(connection, settings):
    cases = [*LOADED, *KEPT_AS_TEXT]
    await connection.execute(TYPES)
    columns = ", ".join(f"c{n} {type_}" for n, (type_, _, _) in enumerate(cases))
    await connection.execute(f"CREATE TABLE things (id int PRIMARY KEY, {columns})")
    async with reading(settings, ["things"]) as stream:
        values = ", ".join(value for _, value, _ in cases)
        await connection.execute(f"INSERT INTO things VALUES (1, {values})")
        await connection.execute("INSERT INTO things VALUES (2)")
        full, empty = await stream.catch_up()
    for n, (type_, literal, wanted) in enumerate(cases):
        found = full.new_record[f"c{n}"]
        if type_ == "numeric[]":
            assert [str(number) for number in found] == ["1.10", "NaN"]
            continue
        assert (type_, literal, found) == (type_, literal, wanted)
        assert type(found) is type(wanted)
        assert repr(found) == repr(wanted) or isinstance(found, datetime)
    assert set(empty.new_record.values()) == {2, None}


SAID_IN_JSON: list[tuple[str, str, str]] = [
    ("bigint", "-9223372036854775808", "-9223372036854775808"),
    ("numeric(20,10)", "1.1", "1.1000000000"),
    ("numeric[]", "'{1.10,NaN,-Infinity,NULL}'", '[1.10,"NaN","-Infinity",null]'),
    ("real", "1e20", "1e+20"),
    ("boolean[]", "'{{t},{f}}'", "[[true],[false]]"),
    ("json", 'E\'{"a":\\n 1e400, "a": null}\'', '{"a":  1e400, "a": null}'),
    ("jsonb", "'null'", "null"),
    ("bytea", "'\\x00ff'", r'"\\x00ff"'),
    ("timestamp", "'2024-02-29 12:34:56.789012'", '"2024-02-29T12:34:56.789012"'),
    ("timestamptz", "'2024-02-29 12:34:56+05:30'", '"2024-02-29T07:04:56+00:00"'),
    ("date[]", "'{2024-02-29,infinity}'", '["2024-02-29","infinity"]'),
    ("time", "'24:00'", '"24:00:00"'),
    ("integer[]", "'[0:1]={1,2}'", '"[0:1]={1,2}"'),
    ("mood[]", "'{sad}'", '["sad"]'),
    ("percents", "'{1.50}'", "[1.50]"),
    ("positive[]", "'{1,2}'", "[1,2]"),
    ("pair[]", "ARRAY[ROW(1, 'a b')::pair]", r'["(1,\"a b\")"]'),
    ("box[]", "'{(1,1),(0,0);(2,2),(0,0)}'", '["(1,1),(0,0)","(2,2),(0,0)"]'),
    ("int4range", "'[1,5)'", '"[1,5)"'),
]


async def test_every_value_reaches_json_with_all_that_json_can_say(connection, settings):
    await connection.execute(TYPES)
    columns = ", ".join(f"c{n} {type_}" for n, (type_, _, _) in enumerate(SAID_IN_JSON))
    await connection.execute(f"CREATE TABLE things (id int PRIMARY KEY, {columns})")
    async with reading(settings, ["things"]) as stream:
        values = ", ".join(value for _, value, _ in SAID_IN_JSON)
        await connection.execute(f"INSERT INTO things VALUES (1, {values})")
        (event,) = await stream.catch_up()
    row = msgspec.json.decode(json_line(event), type=dict[str, msgspec.Raw])["new_record"]
    found = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
    for n, (type_, literal, wanted) in enumerate(SAID_IN_JSON):
        assert (type_, literal, bytes(found[f"c{n}"]).decode()) == (type_, literal, wanted)


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
    'audit."My type"': "audit.My type",
    "positive": "public.positive",
    "very_positive[]": "public.very_positive[]",
    "percents": "public.percents",
    "pair": "pair",
    "information_schema.cardinal_number": "information_schema.cardinal_number",
}


async def test_type_names_are_those_of_the_catalog(connection, settings):
    await connection.execute(TYPES)
    await connection.execute(
        "CREATE SCHEMA audit;"
        " CREATE TYPE audit.mood AS ENUM ('calm'); CREATE DOMAIN audit.\"My type\" AS text"
    )
    columns = ", ".join(f"c{n} {type_}" for n, type_ in enumerate(NAMED))
    await connection.execute(f"CREATE TABLE things (id bigint PRIMARY KEY, {columns})")
    async with reading(settings, ["things"]) as stream:
        await connection.execute("INSERT INTO things VALUES (1)")
        (event,) = await stream.catch_up()
    found = dict(zip(NAMED, list(event.source.columns.values())[1:], strict=True))
    assert found == NAMED


async def test_nan_is_nan(connection, settings):
    await connection.execute("CREATE TABLE t (id int PRIMARY KEY, n numeric, f float8)")
    await connection.execute("ALTER TABLE t REPLICA IDENTITY FULL")
    async with reading(settings, ["t"]) as stream:
        await connection.execute("INSERT INTO t VALUES (1, 'NaN', 'NaN')")
        await connection.execute("UPDATE t SET n = 'NaN', f = 'NaN', id = 2")
        inserted, updated = await stream.catch_up()
    assert inserted.new_record["n"].is_nan()
    assert math.isnan(inserted.new_record["f"])
    assert updated.changes == {"id": Change(1, 2)}
