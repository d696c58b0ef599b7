"""The predicates about where an event stands: its table, its kind, its place in the log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

from eventscope.event import EVENT_TYPES, Event, Lsn
from eventscope.inspection.filter.clause import Clause, Value
from eventscope.inspection.filter.context import Context
from eventscope.inspection.filter.lexer import Part, RegexToken
from eventscope.inspection.filter.measure import Measure
from eventscope.inspection.filter.patterns import (
    Glob,
    Literal,
    Regex,
    listed,
    literal_or_glob,
    regex,
)
from eventscope.inspection.filter.predicate import FieldTerm, Form


@dataclass(frozen=True)
class TableName:
    """A table's name; without a schema it is found in every schema."""

    schema: Literal | Glob | None
    table: Literal | Glob | Regex

    def accepts(self, schema: str, table: str) -> bool:
        """Whether a table is called that."""
        return self.table.equals(table) and (self.schema is None or self.schema.equals(schema))

    def __str__(self) -> str:
        if self.schema is None:
            return str(self.table)
        return str(literal_or_glob(f"{self.schema.text}.{self.table.text}", quoted=False))


@dataclass(frozen=True)
class Table(FieldTerm[Event]):
    """The table, or the prefix of a logical message."""

    help = (
        Form("table:orders,items", "one of these tables, in any schema"),
        Form("table:audit.*", "a schema's tables; * is any text, ? one character"),
        Form('table:shop."Order Items"', "a name with spaces, dots or upper case"),
    )
    field = "table"
    wants = 'names such as orders, audit.* or shop."Order Items"'
    names: tuple[TableName, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read ``table`` or ``schema.table``."""
        return cls(tuple(_table_name(value, clause) for value in clause.alternatives(cls.wants)))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether it is one of the tables."""
        return self.foretold(subject)

    def foretold(self, subject: Event) -> bool:
        """Whether it is one of the tables."""
        source = subject.source
        return self._is_meant(source.schema, source.table)

    def __str__(self) -> str:
        return f"table is {listed(self.names)}"

    @cached_property
    def _is_meant(self) -> Callable[[str, str], bool]:
        """Many events are of few tables: the answers are remembered."""

        @lru_cache(maxsize=1_000)
        def is_meant(schema: str, table: str) -> bool:
            return any(name.accepts(schema, table) for name in self.names)

        return is_meant


@dataclass(frozen=True)
class Op(FieldTerm[Event]):
    """What happened."""

    help = (Form("op:insert,update", f"what happened: {listed(EVENT_TYPES)}"),)
    field = "op"
    wants = listed(EVENT_TYPES)
    types: tuple[str, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read the names of event types."""
        types = []
        for text, value in clause.texts(cls.wants):
            if text.lower() not in EVENT_TYPES:
                raise clause.refusal(f"{cls.wants}, not {text}", value)
            types.append(text.lower())
        return cls(tuple(types))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether it is one of them."""
        return subject.type in self.types

    def foretold(self, subject: Event) -> bool:
        """Whether it is one of them."""
        return subject.type in self.types

    def __str__(self) -> str:
        return f"op is {listed(self.types)}"


@dataclass(frozen=True)
class Xid(FieldTerm[Event]):
    """The transaction."""

    help = (Form("xid:7412132", "the events of a transaction"),)
    field = "xid"
    wants = "numbers of transactions, such as 7412132"
    measure: Measure

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read transaction ids."""
        return cls(Measure.of(clause, cls.wants))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether it belongs to the transaction."""
        return self.measure.accepts(subject.xid)

    def __str__(self) -> str:
        return f"xid {self.measure}"


@dataclass(frozen=True)
class Position(FieldTerm[Event]):
    """The commit's position in the write-ahead log."""

    help = (Form("lsn:>0/16B3748", "committed after a position of the log; also < <= >="),)
    field = "lsn"
    wants = "a position such as 0/16B3748, or a comparison with one: lsn:>0/16B3748"
    measure: Measure

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read positions."""
        return cls(Measure.of(clause, cls.wants, Lsn.parse))

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether its transaction was committed there."""
        return self.measure.accepts(subject.lsn)

    def __str__(self) -> str:
        return f"lsn {self.measure}"


def _table_name(value: Value, clause: Clause) -> TableName:
    if isinstance(value, RegexToken):
        return TableName(None, regex(value))
    if len(value.parts) > 2 or not all(part.text for part in value.parts):
        raise clause.refusal(Table.wants, value)
    *schema, table = map(_name, value.parts)
    return TableName(schema[0] if schema else None, table)


def _name(part: Part) -> Literal | Glob:
    return literal_or_glob(part.text, quoted=part.quoted)
