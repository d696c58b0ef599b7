"""A column's value as short text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from eventscope.event import UNCHANGED
from eventscope.inspection.text import safe_text

UNCHANGED_TEXT: Final = "(unchanged, not sent)"
_MAX_DEPTH: Final = 40
_HEX_SHOWN: Final = 8
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def value_text(value: object, limit: int = 200) -> str:
    """Show a value in one harmless line of at most ``limit`` characters."""
    return safe_text(_text(value, limit), limit)


def json_text(value: object, limit: int = 200) -> str:
    """Show a value as compact JSON: unlike in ``value_text``, strings are in quotes."""
    return safe_text(_joined(_json_pieces(value, limit), limit), limit)


def raw_text(value: object, limit: int) -> str:
    """The first ``limit`` characters of a value's text, as it is: to search in, never to show."""
    match value:
        case str():
            return value[:limit]
        case bytes() | bytearray() | memoryview():
            return rf"\x{bytes(value[: limit // 2]).hex()}"
        case _:
            return _text(value, limit)[:limit]


def is_absent(value: object) -> bool:
    """Whether there is no value to show: NULL, or one that the WAL does not repeat."""
    return value is None or value is UNCHANGED


def bytes_text(count: int) -> str:
    """A number of bytes for people: ``712 B``, ``1.2 kB``, ``42 MB``."""
    size, unit = float(count), 0
    while abs(size) >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    digits = 1 if unit and abs(size) < 10 else 0
    return f"{size:.{digits}f} {_UNITS[unit]}"


def _text(value: object, limit: int) -> str:
    match value:
        case None:
            return "NULL"
        case _ if value is UNCHANGED:
            return UNCHANGED_TEXT
        case bool():
            return "true" if value else "false"
        case str():
            return _string_text(value[: limit + 1])
        case bytes() | bytearray() | memoryview():
            return _binary_text(bytes(value[:_HEX_SHOWN]), len(value))
        case dt.datetime():
            return value.isoformat(sep=" ")
        case dt.date() | dt.time():
            return value.isoformat()
        case Decimal():
            return _decimal_text(value, limit)
        case Mapping() | list() | tuple():
            return _joined(_json_pieces(value, limit), limit)
        case _:
            return str(value)


def _decimal_text(value: Decimal, limit: int) -> str:
    """Write out the digits, unless most of them are zeros that ``1E+999999`` does not write."""
    return format(value, "f") if abs(value.adjusted()) <= limit else str(value)


def _string_text(text: str) -> str:
    """Quote only what would be taken for something else, or for nothing."""
    looks_like_else = text in ("", "NULL", UNCHANGED_TEXT) or text != text.strip(" ")
    return f'"{text}"' if looks_like_else else text


def _binary_text(start: bytes, length: int) -> str:
    more = "…" if length > len(start) else ""
    return rf"\x{start.hex()}{more} ({bytes_text(length)})"


def _joined(pieces: Iterable[str], limit: int) -> str:
    """Join no more than is shown: a document of megabytes costs no more than a short one."""
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > limit:
            break
    return text


def _json_pieces(value: Any, limit: int, depth: int = 0) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        yield "…"
    elif isinstance(value, Mapping):
        yield "{"
        for place, (key, item) in enumerate(value.items()):
            yield f"{',' if place else ''}{_quoted(str(key)[:limit])}:"
            yield from _json_pieces(item, limit, depth + 1)
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for place, item in enumerate(value):
            yield "," if place else ""
            yield from _json_pieces(item, limit, depth + 1)
        yield "]"
    elif value is None:
        yield "null"
    elif isinstance(value, bool | int | float | Decimal):
        yield _text(value, limit)
    else:
        yield _quoted(value[:limit] if isinstance(value, str) else _text(value, limit))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
