"""What a value must be in Python and in JSON, worked out from its text without psycopg."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address, ip_interface, ip_network
from itertools import accumulate
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Multirange
from psycopg.types.range import Range


class Inexact(ValueError):
    """There is no exact Python value: it stays text."""


class Digits(str):
    """A number of JSON, digit by digit."""

    __slots__ = ()


@dataclass(frozen=True)
class Meaning:
    """What the texts of a type mean."""

    python: Callable[[str], Any] = str
    json: Callable[[str], Any] = str
    delimiter: str = ","

    def in_python(self, text: str | None) -> Any:
        """The value in Python."""
        if text is None:
            return None
        try:
            return self.python(text)
        except Inexact:
            return text

    def in_json(self, text: str | None) -> Any:
        """The value as ``read_json`` reads it."""
        return None if text is None else self.json(text)


TEXT = Meaning()


def read_json(line: str) -> Any:
    """Read JSON without losing a digit or a repeated key: objects are tuples of pairs."""
    return json.loads(line, parse_float=Digits, parse_int=Digits, object_pairs_hook=tuple)


def array_of(element: Meaning) -> Meaning:
    """The meaning of arrays."""

    def python(text: str) -> Any:
        if text.startswith("["):
            raise Inexact
        return _each(lambda item: None if item is None else element.python(item), parsed(text))

    def said(text: str) -> Any:
        return text if text.startswith("[") else _each(element.in_json, parsed(text))

    def parsed(text: str) -> Any:
        return parse_array(text, element.delimiter)

    return Meaning(python, said)


def parse_array(text: str, delimiter: str) -> Any:
    """Nested lists of the texts of the elements."""
    characters = iter(text)
    assert next(characters) == "{"
    value = _items(characters, delimiter)
    assert next(characters, None) is None
    return value


def _items(characters: Iterator[str], delimiter: str) -> list[Any]:
    items: list[Any] = []
    item: Any = ""
    quoted = False
    for character in characters:
        if character == "{":
            item = _items(characters, delimiter)
        elif character in (delimiter, "}"):
            if item != "" or quoted:
                items.append(None if item == "NULL" and not quoted else item)
            item, quoted = "", False
            if character == "}":
                return items
        elif character == '"':
            quoted = True
            for inner in characters:
                if inner == '"':
                    break
                item += next(characters) if inner == "\\" else inner
        else:
            item += character
    raise AssertionError("an array without end")


def _each(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    return [_each(function, item) if isinstance(item, list) else function(item) for item in items]


_BOUND = r'("(?:[^"\\]|""|\\.)*"|[^,"\[\]()]*)'
_RANGE = re.compile(rf"empty|([\[(]){_BOUND},{_BOUND}([\])])")


def range_of(subtype: Meaning) -> Meaning:
    """The meaning of a built-in type of ranges."""

    def python(text: str) -> Any:
        match = _RANGE.fullmatch(text)
        assert match is not None
        return _range(subtype, match)

    return Meaning(python)


def multirange_of(subtype: Meaning) -> Meaning:
    """The meaning of a built-in type of multiranges."""
    return Meaning(lambda text: Multirange([_range(subtype, m) for m in _RANGE.finditer(text)]))


def _range(subtype: Meaning, match: re.Match[str]) -> Range[Any]:
    opening, lower, upper, closing = match.groups()
    if opening is None:
        return Range(empty=True)
    bounds = (subtype.python(bound.strip('"')) if bound else None for bound in (lower, upper))
    return Range(*bounds, f"{opening}{closing}")


def _moment(kind: Any) -> Callable[[str], Any]:
    def python(text: str) -> Any:
        if not re.match(r"(\d{4}-\d\d-\d\d|(?!24)\d\d:)", text) or text.endswith("BC"):
            raise Inexact
        return kind.fromisoformat(text)

    return python


def _instant(text: str) -> datetime:
    moment: datetime = _moment(datetime)(text)
    return moment.astimezone(UTC)


def _iso(python: Callable[[str], Any]) -> Meaning:
    def said(text: str) -> str:
        try:
            value: str = python(text).isoformat()
        except Inexact:
            return text
        return value

    return Meaning(python, said)


def _number(text: str) -> str:
    return text if text in ("NaN", "Infinity", "-Infinity") else Digits(text)


def _document(text: str) -> Any:
    if max(accumulate((sign in "[{") - (sign in "]}") for sign in text), default=0) > _DEEPEST:
        raise Inexact
    try:
        return json.loads(text, parse_float=Decimal, object_pairs_hook=_unique)
    except (ValueError, InvalidOperation, RecursionError):
        raise Inexact from None


_DEEPEST = 500
"""What is nested deeper stays text, however deep Python could go just then."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise Inexact
    return dict(pairs)


def _address(text: str) -> Any:
    return ip_interface(text) if "/" in text else ip_address(text)


_INTEGER = Meaning(int, Digits)
_FLOAT = Meaning(float, _number)
_DOCUMENT = Meaning(_document, read_json)

MEANINGS: dict[str, Meaning] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _INTEGER),
    **dict.fromkeys(("float4", "float8"), _FLOAT),
    "numeric": Meaning(Decimal, _number),
    "bool": Meaning(lambda text: text == "t", lambda text: text == "t"),
    "bytea": Meaning(lambda text: bytes.fromhex(text[2:])),
    "uuid": Meaning(UUID),
    "inet": Meaning(_address),
    "cidr": Meaning(ip_network),
    "date": _iso(_moment(date)),
    "time": _iso(_moment(time)),
    "timetz": _iso(_moment(time)),
    "timestamp": _iso(_moment(datetime)),
    "timestamptz": _iso(_instant),
    "json": _DOCUMENT,
    "jsonb": _DOCUMENT,
    "box": Meaning(delimiter=";"),
}
"""By type; any other is its text."""

MEANINGS |= {
    f"{name}{kind}": of(MEANINGS[subtype])
    for name, subtype in {
        "int4": "int4", "int8": "int8", "num": "numeric", "date": "date", "ts": "timestamp",
        "tstz": "timestamptz",
    }.items()
    for kind, of in (("range", range_of), ("multirange", multirange_of))
}  # fmt: skip
