"""Tables of types that nobody would think of, with values to match."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.replication.examples import Example
from tests.replication.oracle import MEANINGS, TEXT, Meaning, array_of


@dataclass(frozen=True, repr=False)
class Type:
    """A type of PostgreSQL, and SQL expressions for values of it."""

    sql: str
    values: SearchStrategy[str]
    meaning: Meaning = TEXT
    ddl: tuple[str, ...] = ()
    """What makes it, after what makes those that it is made of."""
    is_array: bool = False

    def __repr__(self) -> str:
        return self.sql


@dataclass(frozen=True)
class Table:
    """Columns, rows, and what the same rows are updated to; values are SQL expressions."""

    types: Sequence[Type]
    rows: list[tuple[str, ...]]
    updates: list[tuple[str, ...]]

    @property
    def ddl(self) -> list[str]:
        """What makes its types and the table itself, which is called t."""
        columns = "".join(f", c{n} {type_.sql}" for n, type_ in enumerate(self.types))
        types = [statement for type_ in self.types for statement in type_.ddl]
        return [*types, f"CREATE TABLE t (id int PRIMARY KEY{columns})"]


def tables(examples: Sequence[Example]) -> SearchStrategy[Table]:
    """Tables of up to eight columns and rows, of all types that there are examples of."""
    texts: dict[str, list[str]] = {}
    for example in examples:
        if "[" * 1000 not in example.text:  # which the json module cannot read to compare it
            texts.setdefault(example.type, []).append(example.text)
    scalars = st.sampled_from([_scalar(name, some) for name, some in texts.items()])

    @st.composite
    def table(draw: DrawFn) -> Table:
        names = (f"type_{n}" for n in range(1000))
        types = [_type(draw, scalars, names) for _ in range(draw(st.integers(1, 8)))]
        row = st.tuples(*(type_.values | st.just("NULL") for type_ in types))
        rows = draw(st.lists(row, min_size=3, max_size=8))
        return Table(types, rows, draw(st.lists(row, min_size=len(rows), max_size=len(rows))))

    return table()


def _scalar(name: str, texts: list[str]) -> Type:
    values = st.sampled_from(texts).map(lambda text: _cast(text, name))
    if name in _VALUES:
        values |= _VALUES[name]
    return Type(name, values, MEANINGS.get(name.partition("(")[0], TEXT))


def _type(
    draw: DrawFn, scalars: SearchStrategy[Type], names: Iterator[str], depth: int = 2
) -> Type:
    kinds = ["scalar", "scalar", "array", "array", "domain", "enum", "composite"]
    kind = draw(st.sampled_from(kinds)) if depth else "scalar"
    if kind == "scalar":
        return draw(scalars)
    if kind == "enum":
        return _enum(next(names), draw(_LABELS))
    if kind == "composite":
        count = draw(st.integers(1, 3))
        return _composite(
            next(names), [_type(draw, scalars, names, depth - 1) for _ in range(count)]
        )
    inner = _type(draw, scalars, names, depth - 1)
    if kind == "array" and not inner.sql.endswith("[]"):
        return _array(inner)
    return _domain(next(names), inner)


_LABELS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8),
    min_size=1,
    max_size=4,
    unique=True,
)


def _enum(name: str, labels: list[str]) -> Type:
    ddl = f"CREATE TYPE {name} AS ENUM ({', '.join(map(_literal, labels))})"
    return Type(name, st.sampled_from([_cast(label, name) for label in labels]), ddl=(ddl,))


def _composite(name: str, fields: list[Type]) -> Type:
    made = [statement for field in fields for statement in field.ddl]
    attributes = ", ".join(f"f{n} {field.sql}" for n, field in enumerate(fields))
    values = st.tuples(*(field.values | st.just("NULL") for field in fields)).map(
        lambda values: f"ROW({', '.join(values)})::{name}"
    )
    return Type(name, values, ddl=(*made, f"CREATE TYPE {name} AS ({attributes})"))


def _domain(name: str, base: Type) -> Type:
    return Type(
        name,
        base.values.map(lambda value: f"({value})::{name}"),
        base.meaning,
        (*base.ddl, f"CREATE DOMAIN {name} AS {base.sql}"),
        base.is_array,
    )


def _array(element: Type) -> Type:
    name = f"{element.sql}[]"
    items = element.values | st.just("NULL")

    def array(values: Sequence[str]) -> str:
        return f"ARRAY[{', '.join(values)}]::{name}"

    def shifted(values: Sequence[str]) -> str:
        return f"('[0:{len(values) - 1}]=' || {array(values)}::text)::{name}"

    def square(values: Sequence[str]) -> str:
        half = len(values) // 2
        return f"ARRAY[{array(values[:half])}, {array(values[half:])}]"

    plain = st.lists(items, max_size=4).map(array)
    values = plain | st.lists(items, min_size=1, max_size=2).map(shifted)
    if not element.is_array:
        values |= (st.tuples(items, items) | st.tuples(*[items] * 4)).map(square)
    meaning = TEXT if element.is_array else element.meaning
    return Type(name, values, array_of(meaning), element.ddl, is_array=True)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _cast(text: str, type_: str) -> str:
    return f"{_literal(text)}::{type_}"


def _texts(type_: str, values: SearchStrategy[Any]) -> SearchStrategy[str]:
    return values.map(lambda value: _cast(str(value), type_))


def _ranges(name: str, bounds: SearchStrategy[str], kinds: str) -> SearchStrategy[str]:
    def of(pair: list[str], kind: str) -> str:
        return f"{name}({', '.join(pair)}, '{kind}')"

    pairs = st.tuples(bounds, bounds).map(
        lambda p: [f"least({p[0]},{p[1]})", f"greatest({p[0]},{p[1]})"]
    )
    half = bounds.flatmap(lambda bound: st.sampled_from([[bound, "NULL"], ["NULL", bound]]))
    return st.builds(of, pairs | half, st.sampled_from(kinds.split()))


_ANY = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
_STRINGS = st.text(_ANY, max_size=12) | st.text("{}[](),;:\"'\\ NULnul\t\n", max_size=8)
_SPACES = st.sampled_from(["", " ", "\n", "\r\n\t"])
_JSON_NUMBERS = st.builds(
    "{}{}{}".format,
    st.integers(-(10**40), 10**40) | st.integers(-9, 9),
    st.sampled_from(["", ".0", ".10", ".01234567890123456789"]),
    st.sampled_from(["", "e5", "E-5", "e+300"]),
)


def _documents(strings: SearchStrategy[str]) -> SearchStrategy[str]:
    """JSON as people write it, and as they do not."""

    def listed(items: list[str], space: str) -> str:
        return f"[{space}{f'{space},'.join(items)}{space}]"

    def mapped(items: list[tuple[str, str]], space: str) -> str:
        return "{" + f",{space}".join(f"{key}{space}:{item}" for key, item in items) + "}"

    leaves = st.sampled_from(["null", "true", "false"]) | _JSON_NUMBERS | strings
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(listed, st.lists(inner, max_size=3), _SPACES)
            | st.builds(mapped, st.lists(st.tuples(strings, inner), max_size=3), _SPACES)
        ),
        max_leaves=5,
    )


_QUOTED = st.builds(json.dumps, _STRINGS, ensure_ascii=st.booleans())
_DECIMALS = st.builds(
    "{}e{}".format, st.integers(-(10**30), 10**30) | st.integers(-9, 9), st.integers(-40, 40)
) | st.sampled_from(["NaN", "Infinity", "-Infinity"])
_CLOCK = st.times().map(str)
_FAR = st.integers(-2 * 10**17, 9 * 10**18)
_DATES = (st.integers(-800_000, 3_000_000) | st.integers(-2_451_545, 2_145_031_948)).map(
    lambda days: f"('2000-01-01'::date + {days})"
)


def _moments(name: str) -> SearchStrategy[str]:
    return _texts(name, st.datetimes()) | _FAR.map(
        lambda far: f"('2000-01-01 00:00'::{name} + {far} * '1 microsecond'::interval)"
    )


_VALUES: dict[str, SearchStrategy[str]] = {
    "int2": _texts("int2", st.integers(-(2**15), 2**15 - 1)),
    "int4": _texts("int4", st.integers(-(2**31), 2**31 - 1)),
    "int8": _texts("int8", st.integers(-(2**63), 2**63 - 1)),
    "oid": _texts("oid", st.integers(0, 2**32 - 1)),
    "numeric": _texts("numeric", _DECIMALS),
    "float4": _texts("float4", st.floats(width=32)),
    "float8": _texts("float8", st.floats()),
    "money": _texts("money", st.integers(-(10**16), 10**16)),
    "text": _texts("text", _STRINGS),
    "varchar(3)": _texts("varchar(3)", _STRINGS),
    "bpchar(5)": _texts("bpchar(5)", _STRINGS),
    "name": _texts("name", _STRINGS),
    "bytea": _texts("bytea", st.binary(max_size=20).map(lambda some: rf"\x{some.hex()}")),
    "date": _DATES,
    "time": _texts("time", _CLOCK),
    "timetz": _texts(
        "timetz",
        st.builds(
            "{}{}{:02}:{:02}:{:02}".format,
            _CLOCK,
            st.sampled_from("+-"),
            *(st.integers(0, most) for most in (15, 59, 59)),
        ),
    ),
    "timestamp": _moments("timestamp"),
    "timestamptz": _moments("timestamptz"),
    "interval": _texts(
        "interval",
        st.builds(
            "{} mons {} days {} microseconds".format,
            *(st.integers(-most, most) for most in (10**9, 10**9, 10**15)),
        ),
    ),
    "uuid": _texts("uuid", st.uuids()),
    "inet": _texts(
        "inet",
        st.ip_addresses()
        | st.builds("{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32))
        | st.builds("{}/{}".format, st.ip_addresses(v=6), st.integers(0, 128)),
    ),
    "cidr": _texts(
        "cidr",
        st.builds(
            lambda address, bits: ip_network((address, bits), strict=False),
            st.ip_addresses(),
            st.integers(0, 32),
        ),
    ),
    "varbit": _texts("varbit", st.text("01", max_size=20)),
    "json": _texts(
        "json", _documents(_QUOTED | st.builds(json.dumps, st.text(max_size=5)))
    ),
    "jsonb": _texts("jsonb", _documents(_QUOTED)),
    "point": _texts("point", st.builds("({},{})".format, st.floats(), st.floats())),
}  # fmt: skip

for _prefix, _bounds, _kinds in (
    ("int4", _VALUES["int4"], "[)"),
    ("int8", _VALUES["int8"], "[)"),
    ("date", _VALUES["date"], "[)"),
    ("num", _VALUES["numeric"], "[) (] () []"),
    ("ts", _VALUES["timestamp"], "[) (] () []"),
    ("tstz", _VALUES["timestamptz"], "[) (] () []"),
):
    _some = _ranges(f"{_prefix}range", _bounds, _kinds)
    _VALUES[f"{_prefix}range"] = _some
    _VALUES[f"{_prefix}multirange"] = st.lists(_some, max_size=3).map(
        lambda ranges, name=f"{_prefix}multirange": f"{name}({', '.join(ranges)})"
    )
