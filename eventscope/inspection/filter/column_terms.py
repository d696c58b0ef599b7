"""The predicates about a row: its key and its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from eventscope.event import Event
from eventscope.inspection.filter.change_terms import Transition
from eventscope.inspection.filter.clause import Clause
from eventscope.inspection.filter.column_path import ColumnPath, accepted
from eventscope.inspection.filter.context import Context
from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.lexer import Word
from eventscope.inspection.filter.patterns import listed
from eventscope.inspection.filter.predicate import ROW, FieldTerm, Form, Predicate
from eventscope.inspection.filter.values import Limit, Operand, operand
from eventscope.inspection.values import raw_text


@dataclass(frozen=True)
class Key(FieldTerm[Event]):
    """The row's key, before or after the event."""

    help = (Form("key:48213", "the row's key, before or after; one column of it will do"),)
    field = "key"
    wants = "keys such as 48213"
    cost = ROW
    keys: tuple[Operand, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read keys."""
        return cls(tuple(map(operand, clause.alternatives(cls.wants))))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether a column of the key, or all of it as the feed shows it, is one of them."""
        for values in (list(subject.key.values()), list(subject.old_key.values())):
            if len(values) > 1:
                values.append(", ".join(raw_text(value, 60) for value in values))
            if any(accepted(value, self.keys) for value in values):
                return True
        return False

    def __str__(self) -> str:
        return f"key is {listed(self.keys)}"


@dataclass(frozen=True)
class ColumnIs(Predicate[Event]):
    """A column's value."""

    help = (
        Form("status:paid,shipped", "the column's new value; of a delete the old one"),
        Form("old.status:pending", "the value before; new.status for the value after"),
        Form("email:*@example.com", "a value with wildcards; email:* is any value but NULL"),
        Form("note:null", 'NULL; note:"null" is the text'),
        Form("title:/sale|gift/", "a value in which a regular expression is found"),
        Form("meta.address.city:Lyon", "a value inside JSON; meta.tags[0] or an array by index"),
        Form('"my column":x', 'a name with spaces or signs, or that of a field: "state":x'),
    )
    cost = ROW
    path: ColumnPath
    values: tuple[Operand, ...]

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether the value is one of them."""
        return accepted(self.path.value(subject), self.values)

    def __str__(self) -> str:
        return f"{self.path} is {listed(self.values)}"


@dataclass(frozen=True)
class ColumnBeyond(Predicate[Event]):
    """A column's value compared with a number, a date or a time."""

    help = (
        Form("total>40", "a number, in a text column too; < <= > >=; NULL never matches"),
        Form("old.total<=10", "the value before"),
        Form("created_at>=2026-07-01", "a date or a time; T or quotes: 2026-07-01T12:06"),
        Form("meta.items[0].qty>2", "a value inside JSON"),
    )
    cost = ROW
    path: ColumnPath
    limit: Limit

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether the value is on that side."""
        return accepted(self.path.value(subject), (self.limit,))

    def __str__(self) -> str:
        return f"{self.path} {self.limit}"


def column_term(clause: Clause) -> Predicate[Event]:
    """Read what is asked of a column; raises FilterError."""
    path = ColumnPath.of(clause.field)
    if clause.symbol != ":":
        return ColumnBeyond(path, _limit(clause))
    if clause.targets:
        return Transition.of(path, clause)
    return ColumnIs(path, tuple(map(operand, clause.values)))


def _limit(clause: Clause) -> Limit:
    value, *more = (*clause.values, *clause.targets)
    limit = Limit(clause.symbol, value.text if isinstance(value, Word) else "")
    if more or not limit.is_readable:
        raise FilterError(
            f"after {clause.symbol} comes one number, date or time, such as 40 or 2026-07-01",
            (more[0] if more else value).column,
        )
    return limit
