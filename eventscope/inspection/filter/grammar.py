"""The grammar: a filter's text becomes predicates."""

from __future__ import annotations

from typing import Any, Final

from eventscope.inspection.filter.change_terms import ChangedCount, ColumnChanged
from eventscope.inspection.filter.clause import Clause, Value
from eventscope.inspection.filter.column_terms import Key, column_term
from eventscope.inspection.filter.delivery_terms import (
    Attempts,
    DeliveryTerm,
    ErrorSays,
    Marked,
    OperatorIs,
    State,
)
from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.event_terms import Op, Position, Table, Xid
from eventscope.inspection.filter.lexer import BARE, VALUE, Scanner, Word
from eventscope.inspection.filter.patterns import pattern
from eventscope.inspection.filter.predicate import (
    And,
    Everything,
    FieldTerm,
    Not,
    Or,
    Predicate,
    joined,
)
from eventscope.inspection.filter.search import Appears
from eventscope.inspection.filter.time_terms import At, Since

MAX_DEPTH: Final = 50
"""How deep parentheses and negations may be nested."""

FIELDS: Final[dict[str, type[FieldTerm[Any]]]] = {
    term.field: term
    for term in (
        Table, Op, Key, Xid, Position, Since, At, ColumnChanged, ChangedCount,
        State, OperatorIs, Attempts, ErrorSays,
    )
}  # fmt: skip
"""The names that are no columns unless they are in quotes."""


class Grammar:
    """Reads one filter."""

    def __init__(self, text: str, *, delivery: bool) -> None:
        self._scanner = Scanner(text)
        self._delivery = delivery

    def read(self) -> Predicate[Any]:
        """Read all of the text; raises FilterError without it."""
        self._scanner.skip_spaces()
        if self._scanner.at_end:
            return Everything()
        term = self._alternatives(0)
        if not self._scanner.at_end:
            raise FilterError("this ) closes nothing", self._scanner.column)
        return term

    def _alternatives(self, depth: int) -> Predicate[Any]:
        terms = [self._conjunction(depth)]
        while self._scanner.keyword("or"):
            terms.append(self._conjunction(depth))
        return joined(Or, terms)

    def _conjunction(self, depth: int) -> Predicate[Any]:
        terms = [self._negation(depth)]
        while self._scanner.keyword("and") or self._goes_on():
            terms.append(self._negation(depth))
        return joined(And, terms)

    def _goes_on(self) -> bool:
        scanner = self._scanner
        return not (scanner.at_end or scanner.sees(")") or scanner.sees_keyword("or"))

    def _negation(self, depth: int) -> Predicate[Any]:
        scanner = self._scanner
        scanner.skip_spaces()
        if depth > MAX_DEPTH:
            raise FilterError(f"nested more than {MAX_DEPTH} deep", scanner.column)
        if scanner.keyword("not") or scanner.take("!") or self._takes_minus():
            return Not(self._negation(depth + 1))
        if scanner.sees("("):
            return self._group(depth)
        term = self._term()
        self._end_term()
        return term

    def _takes_minus(self) -> bool:
        return not self._scanner.sees("->") and self._scanner.take("-")

    def _group(self, depth: int) -> Predicate[Any]:
        opened = self._scanner.column
        self._scanner.take("(")
        term = self._alternatives(depth + 1)
        if not self._scanner.take(")"):
            raise FilterError("this ( is not closed", opened)
        self._scanner.skip_spaces()
        return term

    def _term(self) -> Predicate[Any]:
        scanner = self._scanner
        if any(map(scanner.sees_keyword, ("and", "or"))):
            raise FilterError("a term is missing here; as text this word is quoted", scanner.column)
        if (regex := scanner.regex()) is not None:
            return Appears(pattern(regex))
        word = scanner.word(BARE)
        if word is None:
            raise FilterError(self._missing(), scanner.column)
        at = scanner.column
        symbol = scanner.symbol()
        if symbol is not None:
            return self._field(word, symbol, at)
        if word.text.lower() == "marked" and not word.quoted:
            self._need_delivery(word, 'the text "marked" goes in quotes')
            return Marked()
        if word.text in ("&", "&&") and not word.quoted:
            raise FilterError('put "and" between terms, or nothing', word.column)
        return Appears(pattern(word))

    def _field(self, word: Word, symbol: str, at: int) -> Predicate[Any]:
        if word.text.endswith("!") and not word.parts[-1].quoted:
            raise FilterError('put "not" before the term: not status:paid', at - 1)
        values = self._values()
        targets = self._values() if self._scanner.arrow() else ()
        clause = Clause(word, symbol, at, values, targets)
        term = None if word.quoted else FIELDS.get(word.text.lower())
        if term is None:
            return column_term(clause)
        if issubclass(term, DeliveryTerm):
            self._need_delivery(word, f"a column of that name is new.{word.text}:…")
        return term.of(clause)

    def _values(self) -> tuple[Value, ...]:
        values = [self._value()]
        while self._scanner.take(",") or self._scanner.take("|"):
            values.append(self._value())
        return tuple(values)

    def _value(self) -> Value:
        scanner = self._scanner
        value = scanner.regex() or scanner.word(VALUE)
        if value is None:
            at = scanner.column
            ends = not scanner.skip_spaces() or scanner.at_end
            raise FilterError("a value is missing here" if ends else "no space before a value", at)
        return value

    def _need_delivery(self, word: Word, instead: str) -> None:
        if not self._delivery:
            raise FilterError(
                f"{word.text} is known only where operators run, not of a bare stream of events; "
                f"{instead}",
                word.column,
            )

    def _missing(self) -> str:
        """What to say where a term should begin."""
        scanner = self._scanner
        if scanner.at_end or scanner.sees(")"):
            return "a term is missing here"
        if scanner.sees("|"):
            return 'put "or" between terms'
        if scanner.sees("->") or scanner.sees("→"):
            return "before an arrow comes column:value, as in status:pending->paid"
        return "a column or a field is missing here, as in status:paid or table:orders"

    def _end_term(self) -> None:
        """Make sure that a term is over, and go on to the next one."""
        scanner = self._scanner
        if scanner.skip_spaces() or scanner.at_end or scanner.sees(")"):
            return
        if scanner.sees("|"):
            raise FilterError('put "or" between terms, and text with | in quotes', scanner.column)
        if scanner.sees("->") or scanner.sees("→"):
            raise FilterError("a change is written status:pending->paid", scanner.column)
        raise FilterError("a space or quotes are missing here", scanner.column)
