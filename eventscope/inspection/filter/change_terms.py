"""The predicates about what an update changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from eventscope.event import Event
from eventscope.inspection.filter.clause import Clause, Value
from eventscope.inspection.filter.column_path import ABSENT, ColumnPath, accepted
from eventscope.inspection.filter.context import Context
from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.lexer import RegexToken, Word
from eventscope.inspection.filter.measure import Measure
from eventscope.inspection.filter.patterns import Pattern, has_wildcard, listed, pattern
from eventscope.inspection.filter.predicate import ROW, FieldTerm, Form, Predicate
from eventscope.inspection.filter.values import Anything, Operand, operand


@dataclass(frozen=True)
class ColumnChanged(FieldTerm[Event]):
    """A column that an update is known to have changed."""

    help = (
        Form("col:status,total", "an update changed one of these columns; also col:price_*"),
        Form("col:meta.address", "an update changed this part of a JSON column"),
    )
    field = "col"
    wants = "names of columns, such as status, price_* or meta.address"
    cost = ROW
    columns: tuple[Pattern | ColumnPath, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read names of columns."""
        return cls(tuple(map(_column, clause.alternatives(cls.wants))))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether one of them changed."""
        changes = subject.changes
        if not changes:
            return False
        return any(
            column.change(subject) is not None
            if isinstance(column, ColumnPath)
            else any(map(column.equals, changes))
            for column in self.columns
        )

    def foretold(self, subject: Event) -> bool | None:
        """No for what is no update."""
        return None if subject.type == "update" else False

    def __str__(self) -> str:
        return f"{listed(self.columns)} changed"


@dataclass(frozen=True)
class ChangedCount(FieldTerm[Event]):
    """How many columns an update changed."""

    help = (Form("changed>5", "an update changed more than 5 columns; also < <= >= and :"),)
    field = "changed"
    wants = "a number of columns, such as changed>5; a column that changed is col:name"
    cost = ROW
    measure: Measure

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read numbers of columns."""
        return cls(Measure.of(clause, cls.wants))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether it is so many, whatever happened to the columns whose past is unknown."""
        if subject.type != "update":
            return False
        known = len(subject.changes or ())
        possible = known + len(subject.unknown)
        return self.measure.accepts(known) and (
            possible == known or (self.measure.symbol != ":" and self.measure.accepts(possible))
        )

    def foretold(self, subject: Event) -> bool | None:
        """No for what is no update."""
        return None if subject.type == "update" else False

    def __str__(self) -> str:
        return f"number of changed columns {self.measure}"


@dataclass(frozen=True)
class Transition(Predicate[Event]):
    """A change from a value to another."""

    help = (
        Form("status:pending->paid", "an update changed the column so; also →"),
        Form("status:*->paid,shipped", "from anything, NULL too"),
    )
    cost = ROW
    path: ColumnPath
    old: tuple[Operand, ...]
    new: tuple[Operand, ...]

    @classmethod
    def of(cls, path: ColumnPath, clause: Clause) -> Self:
        """Read the values on both sides of the arrow; raises FilterError."""
        if path.side == "old":
            raise FilterError("a change has both values: status:pending->paid", clause.field.column)
        return cls(path, _side(clause.values), _side(clause.targets))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether an update is known to have changed the value so."""
        change = self.path.change(subject)
        return (
            change is not None and _is_side(change[0], self.old) and _is_side(change[1], self.new)
        )

    def foretold(self, subject: Event) -> bool | None:
        """No for what is no update."""
        return None if subject.type == "update" else False

    def __str__(self) -> str:
        return f"{self.path} went from {listed(self.old)} to {listed(self.new)}"


def _column(value: Value) -> Pattern | ColumnPath:
    if isinstance(value, RegexToken) or len(value.parts) == 1:
        return pattern(value)
    if has_wildcard(value.text):
        raise FilterError("a wildcard stands for columns, not for parts of JSON", value.column)
    path = ColumnPath.of(value)
    if path.side:
        raise FilterError(f"a change has both values: col:{path.column}", value.column)
    return path


def _side(values: tuple[Value, ...]) -> tuple[Operand, ...]:
    return tuple(
        Anything()
        if isinstance(value, Word) and value.text == "*" and not value.quoted
        else operand(value)
        for value in values
    )


def _is_side(value: object, operands: tuple[Operand, ...]) -> bool:
    """Whether one side of a change is accepted; a document may lack the place then."""
    return Anything() in operands if value is ABSENT else accepted(value, operands)
