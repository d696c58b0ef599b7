"""Where a filter looks in a row: a column, perhaps a place inside its document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from eventscope.event import UNCHANGED, Event
from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.lexer import BARE, Part, Scanner, Word
from eventscope.inspection.filter.patterns import is_sensitive
from eventscope.inspection.filter.values import Operand
from eventscope.inspection.paths import differ

ABSENT: Final = object()
"""Stands for the value of a column that a row does not have or the WAL does not hold."""

_COLUMN: Final = re.compile(r"[^\W\d][\w$-]*")
_INDEXED: Final = re.compile(r"([^\[]*)((?:\[[0-9]+\])+)")


@dataclass(frozen=True, slots=True)
class ColumnPath:
    """A column, and the steps to a place in its JSON or array, counted from 0."""

    column: str
    steps: tuple[str, ...] = ()
    side: Literal["", "old", "new"] = ""
    """The row before or after the event; without a side it is the one after, or the deleted."""

    @classmethod
    def of(cls, word: Word) -> ColumnPath:
        """Read ``status``, ``old.status``, ``meta.address.city``, ``"my column".tags[0]``.

        Raises:
            FilterError: the column's name must be in quotes, or a name is missing.
        """
        parts = word.parts
        side: Literal["", "old", "new"] = ""
        if len(parts) > 1 and not parts[0].quoted and parts[0].text.lower() in ("old", "new"):
            side = "old" if parts[0].text.lower() == "old" else "new"
            parts = parts[1:]
        column, *steps = (step for part in parts for step in _steps(part))
        if not parts[0].quoted and not _COLUMN.fullmatch(column):
            raise FilterError(
                f"no column is called {column} without quotes; text with a sign in it is quoted "
                "as a whole",
                parts[0].column,
            )
        return cls(column, tuple(steps), side)

    def value(self, event: Event) -> Any:
        """The value there, or ABSENT."""
        name = _found(event.source.columns, self.column)
        if name is None:
            return ABSENT
        if self.side == "old":
            return self._inside(_before(event, name))
        row = event.new_record
        if row is None and not self.side:
            row = event.old_record
        return ABSENT if row is None else self._inside(row.get(name, ABSENT))

    def change(self, event: Event) -> tuple[Any, Any] | None:
        """The values before and after, if an update is known to have changed what is there."""
        if event.type != "update":
            return None
        name = _found(event.source.columns, self.column)
        change = (event.changes or {}).get(name) if name is not None else None
        if change is None:
            return None
        old, new = self._inside(change.old_value), self._inside(change.new_value)
        return (old, new) if not self.steps or differ(old, new) else None

    def __str__(self) -> str:
        said = ".".join((self.column, *self.steps))
        return f"{self.side} {said}" if self.side else said

    def _inside(self, value: Any) -> Any:
        for step in self.steps:
            if isinstance(value, Mapping):
                key = _found(value, step)
                value = ABSENT if key is None else value[key]
            elif isinstance(value, list | tuple):
                value = _element(value, step)
            else:
                return ABSENT
        return value


def accepted(value: object, operands: Iterable[Operand]) -> bool:
    """Whether a value is known, and is what one of the operands asks for."""
    if value is ABSENT or value is UNCHANGED:
        return False
    return any(operand.accepts(value) for operand in operands)


def column_values(text: str, event: Event) -> list[Any]:
    """What an event tells of a column, or of a place in it: its value, then the one before.

    Args:
        text: the column as a filter names it before the colon.
        event: is decoded.

    Raises:
        FilterError: that is no column.
    """
    word = Scanner(text).word(BARE)
    if word is None:
        raise FilterError("a column is missing here", 0, text)
    path = ColumnPath.of(word)
    values = [path.value(event), *(path.change(event) or ())]
    return [value for value in values if value is not ABSENT and value is not UNCHANGED]


def _steps(part: Part) -> Iterator[str]:
    """The name and the indexes of ``tags[0][1]``."""
    indexed = None if part.quoted else _INDEXED.fullmatch(part.text)
    name = part.text if indexed is None else indexed[1]
    if not name:
        raise FilterError("a name is missing here", part.column)
    yield name
    if indexed is not None:
        yield from re.findall(r"[0-9]+", indexed[2])


def _found(names: Mapping[str, Any], name: str) -> str | None:
    """The name as it is there; upper and lower case are one unless ``name`` has upper case."""
    if name in names:
        return name
    if is_sensitive(name):
        return None
    folded = name.casefold()
    return next((there for there in names if there.casefold() == folded), None)


def _element(items: Sequence[Any], step: str) -> Any:
    if not (step.isascii() and step.isdecimal() and len(step) < 10):
        return ABSENT
    return items[int(step)] if int(step) < len(items) else ABSENT


def _before(event: Event, name: str) -> Any:
    """A column's value before the event, as far as the WAL tells."""
    if event.type == "delete":
        return (event.old_record or {}).get(name, ABSENT)
    if event.type != "update":
        return ABSENT
    change = (event.changes or {}).get(name)
    if change is not None:
        return change.old_value
    return ABSENT if name in event.unknown else (event.new_record or {}).get(name, ABSENT)
