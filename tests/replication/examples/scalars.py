"""Numbers, moments, binary data and all that is nothing but text."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from uuid import UUID

from tests.replication.examples import INEXACT, Example, numbers, quoted, said, texts


def _integers(*values: int) -> dict[str, int]:
    return {str(value): value for value in values}


def _decimals(*texts: str) -> dict[str, Decimal]:
    return {text: Decimal(text) for text in texts}


def _at(hours: int, minutes: int = 0, seconds: int = 0) -> timezone:
    return timezone(timedelta(hours=hours, minutes=minutes, seconds=seconds))


NUMBERS: list[Example] = [
    *numbers("int2", _integers(-32768, 0, 32767)),
    *numbers("int4", _integers(-(2**31), 2**31 - 1)),
    *numbers("int8", _integers(-(2**63), 2**63 - 1)),
    *numbers("oid", _integers(0, 2**32 - 1)),
    *numbers(
        "numeric",
        _decimals(
            "0", "-0.0000001", "12345678901234567890.123456789", "9" * 1000, "0." + "1" * 1000,
            "1" + "0" * 131_071, "0." + "0" * 16_382 + "1",
        ),
    ),
    *quoted("numeric", _decimals("NaN", "Infinity", "-Infinity")),
    *numbers("numeric(10,2)", _decimals("1.10", "-0.01", "0.00")),
    *numbers("numeric(3,-2)", _decimals("12300")),
    *numbers("numeric(2,5)", _decimals("0.00012")),
    *numbers(
        "float4",
        {
            "0.1": 0.1, "-0": -0.0, "1.6777216e+07": 16777216.0, "1e+06": 1e6, "1e-45": 1e-45,
            "3.4028235e+38": 3.4028235e38, "1.1754944e-38": 1.1754944e-38,
        },
    ),
    *numbers(
        "float8",
        {
            "0.30000000000000004": 0.1 + 0.2, "-0": -0.0, "5e-324": 5e-324, "1e-05": 1e-5, "1": 1.0,
            "1.7976931348623157e+308": 1.7976931348623157e308, "123456789012345": 123456789012345.0,
            "1e+15": 1e15,
        },
    ),
    *[
        example
        for type in ("float4", "float8")
        for example in quoted(type, {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf})
    ],
    *texts("money", "$12.34", "-$1,234,567.89", "-$92,233,720,368,547,758.08"),
    *said("bool", {"t": (True, "true"), "f": (False, "false")}),
]  # fmt: skip

MOMENTS: list[Example] = [
    *quoted(
        "date",
        {
            "0001-01-01": date.min,
            "2024-02-29": date(2024, 2, 29),
            "9999-12-31": date.max,
            "10000-01-01": INEXACT,
            "5874897-12-31": INEXACT,
            "0001-12-31 BC": INEXACT,
            "4713-01-01 BC": INEXACT,
            "infinity": INEXACT,
            "-infinity": INEXACT,
        },
    ),
    *quoted("time", {"00:00:00": time.min, "23:59:59.999999": time.max, "24:00:00": INEXACT}),
    *said("time(3)", {"12:34:56.789": (time(12, 34, 56, 789000), '"12:34:56.789000"')}),
    *quoted(
        "timetz",
        {
            "23:59:59.999999+00:17:30": time(23, 59, 59, 999999, _at(0, 17, 30)),
            "12:00:00-00:00:30": time(12, tzinfo=_at(0, 0, -30)),
            "12:00:00-15:59:59": time(12, tzinfo=_at(-15, -59, -59)),
            "12:00:00+05:30": time(12, tzinfo=_at(5, 30)),
            "24:00:00+00": INEXACT,
        },
    ),
    *said("timetz", {"12:00:00+02": (time(12, tzinfo=_at(2)), '"12:00:00+02:00"')}),
    *said(
        "timestamp",
        {
            "0001-01-01 00:00:00": (datetime.min, '"0001-01-01T00:00:00"'),
            "9999-12-31 23:59:59.999999": (datetime.max, '"9999-12-31T23:59:59.999999"'),
            "2024-02-29 12:34:56.7": (
                datetime(2024, 2, 29, 12, 34, 56, 700000),
                '"2024-02-29T12:34:56.700000"',
            ),
        },
    ),
    *quoted(
        "timestamp",
        {
            "294276-12-31 23:59:59.999999": INEXACT,
            "4713-01-01 00:00:00 BC": INEXACT,
            "infinity": INEXACT,
            "-infinity": INEXACT,
        },
    ),
    *said(
        "timestamptz",
        {
            "0001-01-01 00:00:00+00": (
                datetime.min.replace(tzinfo=UTC),
                '"0001-01-01T00:00:00+00:00"',
            ),
            "9999-12-31 23:59:59.999999+00": (
                datetime.max.replace(tzinfo=UTC),
                '"9999-12-31T23:59:59.999999+00:00"',
            ),
            "2024-07-01 12:00:00+00": (
                datetime(2024, 7, 1, 12, tzinfo=UTC),
                '"2024-07-01T12:00:00+00:00"',
            ),
        },
    ),
    *quoted(
        "timestamptz",
        {
            "10000-01-01 00:59:59.999999+00": INEXACT,
            "0001-12-31 23:00:00+00 BC": INEXACT,
            "infinity": INEXACT,
            "-infinity": INEXACT,
        },
    ),
    *texts(
        "interval",
        "00:00:00", "1 day", "24:00:00", "1 mon", "-1 days +02:03:00", "-00:00:00.000001",
        "1 year 2 mons -3 days +04:05:06.789", "-178000000 years", "999:59:59",
    ),
    *texts("interval second(3)", "00:00:01.235"),
]  # fmt: skip

SINCE_17: list[Example] = texts("interval", "infinity", "-infinity")
"""What PostgreSQL 15 and 16 do not have."""

TEXTS: list[Example] = [
    *texts(
        "text",
        "", " ", "NULL", "null", "a,b", '{"x"}', "O'Reilly \\ \\\\", "a;b", "ü🦆", "\u2003",
        "UNCHANGED", "x" * 100_000, "\x01\x1b[2J\t\r\n",
    ),
    Example("text", "\x7f\x9b\u2028\u202e", "\x7f\x9b\u2028\u202e", r'"\u007f\u009b\u2028\u202e"'),
    *texts("varchar(3)", "", "ü🦆x"),
    *texts("bpchar(5)", "     ", "abc  "),
    *texts("bpchar", "abc  "),
    *texts('"char"', "a", "", r"\377"),
    *texts("name", "a name"),
    *said(
        "bytea",
        {r"\x": (b"", r'"\\x"'), r"\x00ff275c": (b"\x00\xff'\\", r'"\\x00ff275c"')},
    ),
    *quoted(
        "uuid",
        {
            text: UUID(text)
            for text in (
                "00000000-0000-0000-0000-000000000000",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            )
        },
    ),
    *quoted("inet", {text: ip_address(text) for text in ("10.0.0.1", "::1", "::ffff:1.2.3.4")}),
    *quoted(
        "inet", {text: ip_interface(text) for text in ("10.0.0.1/24", "2001:db8::/32", "0.0.0.0/0")}
    ),
    *quoted("cidr", {text: ip_network(text) for text in ("10.0.0.0/8", "1.2.3.4/32", "::/0")}),
    *texts("macaddr", "08:00:2b:01:02:03"),
    *texts("macaddr8", "08:00:2b:01:02:03:04:05"),
    *texts("bit", "1"),
    *texts("bit(3)", "101"),
    *texts("varbit", "", "0" * 70),
    *texts("xml", '<a b="1">x &amp; y</a>', "x,y"),
    *texts("tsvector", "", "'a':1A 'cat' 'fat':2B,3"),
    *texts("tsquery", "'fat' & ( 'rat' | !'cat' ) <-> 'x':*A"),
    *texts("jsonpath", '$."a"[*]?(@."b" > 1)'),
    *texts("point", "(1.5,-2)", "(NaN,Infinity)"),
    *texts("line", "{1,2,3}"),
    *texts("lseg", "[(0,0),(1,1)]"),
    *texts("box", "(2,2),(0,0)", "(1e+300,2),(-0.1,-Infinity)"),
    *texts("path", "[(0,0),(1,1)]", "((0,0),(1,1))"),
    *texts("polygon", "((0,0),(1,1),(2,0))"),
    *texts("circle", "<(0,0),1.5>"),
    *texts("xid", "4294967295"),
    *texts("xid8", "18446744073709551615"),
    *texts("cid", "7"),
    *texts("tid", "(4294967295,65535)"),
    *texts("pg_lsn", "0/0", "FFFFFFFF/FFFFFFFF"),
    *texts("pg_snapshot", "10:20:10,14,15"),
    *texts("txid_snapshot", "10:20:10,14,15"),
    *texts("int2vector", "", "1 2 -3"),
    *texts("oidvector", "", "1 4294967295"),
    *texts("regtype", "-", "integer", "timestamp with time zone"),
    *texts("regclass", "-", "pg_class", "4294967295"),
    *texts("regproc", "now"),
    *texts("regprocedure", "now()"),
    *texts("regoper", "||/"),
    *texts("regoperator", "+(integer,integer)"),
    *texts("regrole", "pg_monitor"),
    *texts("regnamespace", "pg_catalog"),
    *texts("regconfig", "english"),
    *texts("regdictionary", "simple"),
    *texts("regcollation", '"C"'),
    *texts("refcursor", "a cursor"),
    *texts("aclitem", "=r/pg_monitor"),
]  # fmt: skip
