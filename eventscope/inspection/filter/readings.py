"""What can be compared in a value: a number, a moment, a time of day; and how."""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

SEARCHED: Final = 100_000
"""Characters of a value that are looked at."""

HOLDS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ":": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""What the sign between a field and its value asks."""
WORDS: Final = {
    ":": "is",
    "<": "is below",
    "<=": "is at most",
    ">": "is above",
    ">=": "is at least",
}

_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_BEYOND: Final = re.compile(r"infinity|[0-9]{5,}-[0-9]{2}-[0-9]{2}.*")
_BEFORE: Final = re.compile(r"-infinity|[0-9]{4,}-[0-9]{2}-[0-9]{2}.* BC")
"""Dates that Python does not know, as PostgreSQL writes them."""


def number_of(value: object) -> Decimal | int | None:
    """The number that a value is or spells, exactly; None for what is none, NaN included."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            number = Decimal(repr(value))
        case Decimal():
            number = value
        case str() if len(value) <= SEARCHED and _NUMBER.fullmatch(value):
            try:
                number = Decimal(value)
            except InvalidOperation:  # an exponent beyond all bounds
                return None
        case _:
            return None
    return None if number.is_nan() else number


def moment_of(value: object) -> dt.datetime | float | None:
    """The moment that a value is or spells; an infinity for one that Python does not know."""
    match value:
        case dt.datetime():
            return value
        case dt.date():
            return dt.datetime.combine(value, dt.time())
        case str() if len(value) <= 60:
            return _spelt_moment(value)
    return None


def time_of(value: object) -> dt.time | None:
    """The time of day that a value is or spells, without its time zone."""
    match value:
        case dt.time():
            return value.replace(tzinfo=None)
        case str() if _TIME.fullmatch(value):
            try:
                return dt.time.fromisoformat(value)
            except ValueError:
                return None
    return None


def holds(symbol: str, moment: dt.datetime | float, limit: dt.datetime) -> bool:
    """Compare two moments; by the clock's face if one of them has no time zone."""
    if not isinstance(moment, dt.datetime):
        return HOLDS[symbol](moment, 0)
    if moment.tzinfo is None or limit.tzinfo is None:
        return HOLDS[symbol](moment.replace(tzinfo=None), limit.replace(tzinfo=None))
    return HOLDS[symbol](moment, limit)


def _spelt_moment(text: str) -> dt.datetime | float | None:
    if _MOMENT.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:
            return None
    if _BEYOND.fullmatch(text) and not text.endswith(" BC"):
        return float("inf")
    return float("-inf") if _BEFORE.fullmatch(text) else None
