"""What a value of a row is compared with: it equals something, or lies beyond a limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, Protocol

from eventscope.inspection.filter.lexer import RegexToken, Word
from eventscope.inspection.filter.patterns import Literal, Pattern, pattern
from eventscope.inspection.filter.readings import (
    HOLDS,
    SEARCHED,
    WORDS,
    holds,
    moment_of,
    number_of,
    time_of,
)
from eventscope.inspection.values import raw_text

_WORDS_OF_TIME: Final = {
    "<": "is before",
    "<=": "is at or before",
    ">": "is after",
    ">=": "is at or after",
}


class Operand(Protocol):
    """What a value may be; as a string it goes on from ``is``. ``UNCHANGED`` is never given."""

    def accepts(self, value: object) -> bool:
        """Whether the value is that."""
        ...


@dataclass(frozen=True)
class Null:
    """No value."""

    def accepts(self, value: object) -> bool:
        """Whether the value is NULL."""
        return value is None

    def __str__(self) -> str:
        return "NULL"


@dataclass(frozen=True)
class Anything:
    """One side of a transition that does not matter."""

    def accepts(self, value: object) -> bool:
        """Always, for NULL too."""
        return True

    def __str__(self) -> str:
        return "anything"


@dataclass(frozen=True)
class Equal:
    """A value, written as a person would: numbers by value, the rest by their text.

    A date stands for its whole day, a minute for its sixty seconds; a list has what one of its
    elements is.
    """

    pattern: Pattern

    def accepts(self, value: object) -> bool:
        """Whether the value is that; NULL never is."""
        match value:
            case None:
                return False
            case bool():
                return any(map(self.pattern.equals, ("true", "t") if value else ("false", "f")))
            case int() | float() | Decimal() if self._number is not None:
                return number_of(value) == self._number
            case list() | tuple() if any(self._is_element(item) for item in value):
                return True
        text = raw_text(value, SEARCHED)
        return self.pattern.equals(text) or self._is_time_of(value, text)

    def __str__(self) -> str:
        return str(self.pattern)

    def _is_element(self, item: object) -> bool:
        return not isinstance(item, list | tuple | Mapping) and self.accepts(item)

    def _is_time_of(self, value: object, text: str) -> bool:
        if self._time is None or not isinstance(value, dt.date | dt.time):
            return False
        moment = moment_of(self._time)
        if isinstance(value, dt.datetime) and isinstance(moment, dt.datetime) and moment.tzinfo:
            return holds(":", value, moment)
        return text.startswith(self._time)

    @cached_property
    def _number(self) -> Decimal | int | None:
        return number_of(self.pattern.text) if isinstance(self.pattern, Literal) else None

    @cached_property
    def _time(self) -> str | None:
        """The text, where it is a date or a time, as values spell it."""
        if isinstance(self.pattern, Literal):
            text = self.pattern.text.replace("T", " ")
            if moment_of(text) is not None or time_of(text) is not None:
                return text
        return None


@dataclass(frozen=True)
class Limit:
    """A number, a moment or a time of day beyond which a value must lie."""

    symbol: str
    """``<``, ``<=``, ``>`` or ``>=``."""
    text: str

    @property
    def is_readable(self) -> bool:
        """Whether it is a number, a date or a time at all."""
        return self._limit is not None

    def accepts(self, value: object) -> bool:
        """Whether the value lies beyond; never NULL, nor what cannot be compared with it."""
        match self._limit:
            case int() | Decimal():
                number = number_of(value)
                return number is not None and HOLDS[self.symbol](number, self._limit)
            case dt.datetime():
                moment = moment_of(value)
                return moment is not None and holds(self.symbol, moment, self._limit)
            case dt.time():
                time = time_of(value)
                return time is not None and HOLDS[self.symbol](time, self._limit)
        return False

    def __str__(self) -> str:
        words = WORDS if isinstance(self._limit, int | Decimal) else _WORDS_OF_TIME
        return f"{words[self.symbol]} {self.text}"

    @cached_property
    def _limit(self) -> Decimal | int | dt.datetime | dt.time | None:
        for limit in (number_of(self.text), moment_of(self.text), time_of(self.text)):
            if isinstance(limit, int | Decimal | dt.datetime | dt.time):
                return limit
        return None


def operand(value: Word | RegexToken) -> Operand:
    """What ``column:value`` asks for; ``null`` without quotes is NULL."""
    if isinstance(value, Word) and not value.parts[0].quoted and value.text.lower() == "null":
        return Null()
    return Equal(pattern(value))
