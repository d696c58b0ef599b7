"""Documents, arrays, ranges, and the types that users make."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from tests.replication.examples import INEXACT, Example, quoted, said, texts

TYPES = """
    CREATE EXTENSION hstore; CREATE EXTENSION citext;
    CREATE SCHEMA audit;
    CREATE TYPE mood AS ENUM ('sad', 'so happy', '', 'NULL', 'a,"b"', '{\\}');
    CREATE TYPE audit.mood AS ENUM ('calm');
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE nest AS (numbers int[], pair pair, pairs pair[], document jsonb);
    CREATE TYPE textrange AS RANGE (subtype = text);
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE DOMAIN very_positive AS positive CHECK (value > 1);
    CREATE DOMAIN percents AS numeric(5,2)[];
    CREATE DOMAIN few_percents AS percents CHECK (cardinality(value) < 9);
    CREATE DOMAIN a_mood AS mood;
    CREATE DOMAIN a_pair AS pair;
    CREATE DOMAIN a_box AS box;
    CREATE DOMAIN a_document AS json;
    CREATE DOMAIN audit."A moment" AS timestamptz(0);
""" + "".join(
    f"""
    CREATE TYPE {name};
    CREATE FUNCTION {name}_in(cstring) RETURNS {name}
        LANGUAGE internal IMMUTABLE STRICT AS 'box_in';
    CREATE FUNCTION {name}_out({name}) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'box_out';
    CREATE TYPE {name} (INPUT = {name}_in, OUTPUT = {name}_out, LIKE = box, DELIMITER = '{sign}');
    """
    for name, sign in (("tile", ";"), ("grid", ":"))
)


def _documents(values: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """Documents that stand in JSON as PostgreSQL prints them."""
    return {text: (python, text) for text, python in values.items()}


def _nested(levels: int) -> list[Any]:
    """A list in a list in a list."""
    document: list[Any] = []
    for _ in range(levels - 1):
        document = [document]
    return document


DOCUMENTS: list[Example] = [
    *said("json", {'{"a":\n1,\r\n\t"b" : []}': ({"a": 1, "b": []}, '{"a": 1,  \t"b" : []}')}),
    *said(
        "json",
        _documents(
            {
                "  null ": None,
                "0.1234567890123456789": Decimal("0.1234567890123456789"),
                "[1e400, -0.0, 1E5, 0.10]": [
                    Decimal("1e400"), Decimal("-0.0"), Decimal("1E5"), Decimal("0.10"),
                ],
                "12345678901234567890": 12345678901234567890,
                r'{"\ud83d": ["\u0000", "\ude00", "\n\\"]}': {"\ud83d": ["\0", "\ude00", "\n\\"]},
                '{"": {}}': {"": {}},
                '"NaN"': "NaN",
                "true": True,
                '{"a": 1, "a": 2}': INEXACT,
                "1e9999999999999999999": INEXACT,
                "9" * 5000: INEXACT,
                "[" * 500 + "]" * 500: _nested(500),
                "[" * 501 + "]" * 501: INEXACT,
                "[" * 3000 + "]" * 3000: INEXACT,
                "[" + "[], " * 600 + '"]"]': [*([[]] * 600), "]"],
                r'["\"' + "[" * 600 + '"]': ['"' + "[" * 600],
            }
        ),
    ),
    *said(
        "jsonb",
        _documents(
            {
                "null": None,
                '{"a": [1, 1.10, null, true], "b": {"": "é🦆\\n"}}': {
                    "a": [1, Decimal("1.10"), None, True], "b": {"": "é🦆\n"},
                },
                "1" + "0" * 400: 10**400,
                '"null"': "null",
                "[]": [],
            }
        ),
    ),
]  # fmt: skip


def _moment(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


RANGES: list[Example] = [
    *quoted(
        "int4range",
        {
            "[1,5)": Range(1, 5, "[)"),
            "(,)": Range(None, None, "()"),
            "(,6)": Range(None, 6, "()"),
            "empty": Range(empty=True),
        },
    ),
    *quoted("int8range", {"[9223372036854775806,9223372036854775807)":
                          Range(9223372036854775806, 9223372036854775807, "[)")}),
    *quoted(
        "numrange",
        {
            "[1.10,NaN)": Range(Decimal("1.10"), Decimal("NaN"), "[)"),
            "(-Infinity,Infinity]": Range(Decimal("-Infinity"), Decimal("Infinity"), "(]"),
        },
    ),
    *quoted(
        "daterange",
        {
            "[2024-01-01,)": Range(date(2024, 1, 1), None, "[)"),
            "[2024-01-01,infinity)": INEXACT,
            '["0044-03-15 BC",2024-01-01)': INEXACT,
        },
    ),
    *quoted("tsrange", {'["2024-01-01 00:00:00","2024-01-02 00:00:00")':
                        Range(datetime(2024, 1, 1), datetime(2024, 1, 2), "[)"),
                        '["2024-01-01 00:00:00",infinity)': INEXACT}),
    *quoted("tstzrange", {'["2024-01-01 00:00:00+00","2025-01-01 00:00:00+00"]':
                          Range(_moment(2024), _moment(2025), "[]")}),
    *quoted("int4multirange", {"{}": Multirange([]), "{[1,3),[5,)}":
                               Multirange([Range(1, 3, "[)"), Range(5, None, "[)")])}),
    *quoted("int8multirange", {"{(,0)}": Multirange([Range(None, 0, "()")])}),
    *quoted("nummultirange", {"{[1.5,2.50]}":
                              Multirange([Range(Decimal("1.5"), Decimal("2.50"), "[]")])}),
    *quoted("datemultirange", {"{[2024-01-01,infinity)}": INEXACT}),
    *quoted("tsmultirange", {'{("2024-01-01 00:00:00",)}':
                             Multirange([Range(datetime(2024, 1, 1), None, "()")])}),
    *quoted("tstzmultirange", {'{("2024-01-01 00:00:00+00",)}':
                               Multirange([Range(_moment(2024), None, "()")])}),
]  # fmt: skip

ARRAYS: list[Example] = [
    *said(
        "int[]",
        {
            "{}": ([], "[]"),
            "{1,NULL,-3}": ([1, None, -3], "[1,null,-3]"),
            "{{1,2},{3,4}}": ([[1, 2], [3, 4]], "[[1,2],[3,4]]"),
            "{{{{{{1},{2}}}}}}": ([[[[[[1], [2]]]]]], "[[[[[[1],[2]]]]]]"),
        },
    ),
    *quoted("int[]", {"[0:1]={1,2}": INEXACT, "[-1:0][0:1]={{1,2},{3,4}}": INEXACT}),
    *said(
        "text[]",
        {
            r'{"","NULL",NULL,"null","a,b","{","}","\"","\\","a b"," ",ü,a;b}': (
                ["", "NULL", None, "null", "a,b", "{", "}", '"', "\\", "a b", " ", "ü", "a;b"],
                r'["","NULL",null,"null","a,b","{","}","\"","\\","a b"," ","ü","a;b"]',
            ),
        },
    ),
    *said("box[]", {"{{(1,1),(0,0)};{NULL}}": ([["(1,1),(0,0)"], [None]],
                                               '[["(1,1),(0,0)"],[null]]')}),
]  # fmt: skip

MADE: list[Example] = [
    *texts("mood", "so happy", "", "NULL", 'a,"b"', "{\\}"),
    *texts("audit.mood", "calm"),
    *texts("a_mood", "sad"),
    *texts("pair", '(1,"a b")', "(,)", '(1,"")'),
    *texts("a_pair", "(1,x)"),
    *texts("nest", r'("{1,2}","(1,x)","{""(1,\\""a,b\\"")""}","{""a"": 1}")'),
    *texts("textrange", '["a,b","c""d")'),
    *texts("textmultirange", '{[a,b),["c d",)}'),
    *said("positive", {"5": (5, "5")}),
    *said("very_positive", {"5": (5, "5")}),
    *said("percents", {"{1.50,NaN}": ([Decimal("1.50"), Decimal("NaN")], '[1.50,"NaN"]')}),
    *said("percents[]", {'{"{1.50,NaN}"}': (["{1.50,NaN}"], '["{1.50,NaN}"]')}),
    *said("few_percents", {"{1.50}": ([Decimal("1.50")], "[1.50]")}),
    *texts("a_box", "(1,1),(0,0)"),
    *texts("tile", "(1,1),(0,0)"),
    *texts("grid", "(1,1),(0,0)"),
    *texts("grid[]", "{(1,1),(0,0):(2,2),(0,0)}"),
    *said("a_document", {'{"a": 1.10}': ({"a": Decimal("1.10")}, '{"a": 1.10}')}),
    *said('audit."A moment"', {"2024-01-01 00:00:00+00":
                               (_moment(2024), '"2024-01-01T00:00:00+00:00"')}),
    *texts("citext", "AbC"),
    *texts("hstore", r'"a"=>"1", "b"=>NULL, "q\""=>"x,y"'),
]  # fmt: skip
