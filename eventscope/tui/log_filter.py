"""Which log records are shown: words, ``level:`` and ``operator:``, all of which must fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from eventscope.engine.log_ring import LEVELS, Level, LogRecord

_TERMS: Final = re.compile(r'(level:|operator:)?(?:"([^"]*)"?|(\S+))', re.IGNORECASE)


class LogFilterError(Exception):
    """A filter that cannot be; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a record must have; one that asks for nothing shows everything."""

    words: tuple[str, ...] = ()
    """Parts of what is said, of its details, or of the operator's name; in lower case."""
    levels: frozenset[Level] = frozenset(LEVELS)
    operators: tuple[str, ...] = ()
    """Parts of names, one of which must be in the operator's; in lower case."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a filter; several levels or operators are written with commas between them.

        Raises:
            LogFilterError: it asks for a level that there is not.
        """
        words: list[str] = []
        levels = frozenset(LEVELS)
        operators: tuple[str, ...] = ()
        for name, quoted, plain in _TERMS.findall(text):
            value = (quoted or plain).lower()
            match name.lower():
                case "level:":
                    levels &= {level for one in value.split(",") for level in _levels(one)}
                case "operator:":
                    operators += tuple(filter(None, value.split(",")))
                case _ if value not in ("level:", "operator:"):  # whose value is yet to be written
                    words.append(value)
        return cls(tuple(words), levels, operators)

    @property
    def is_empty(self) -> bool:
        """Whether it shows everything."""
        return self == LogFilter()

    def matches(self, record: LogRecord) -> bool:
        """Whether to show a record."""
        if record.level not in self.levels:
            return False
        operator = (record.operator or "").lower()
        if self.operators and not any(part in operator for part in self.operators):
            return False
        if not self.words:
            return True
        details = (part for detail in record.details for part in detail)
        said = "\n".join((record.message, operator, record.event_id or "", *details)).lower()
        return all(word in said for word in self.words)


def _levels(beginning: str) -> set[Level]:
    """The levels that begin so."""
    found = {level for level in LEVELS if level.startswith(beginning)}
    if not found:
        raise LogFilterError(f"there is no level {beginning}; there are {', '.join(LEVELS)}")
    return found
