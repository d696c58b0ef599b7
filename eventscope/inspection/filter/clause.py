"""One ``field:value`` of a filter, as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.lexer import RegexToken, Word

Value = Word | RegexToken


@dataclass(frozen=True, slots=True)
class Clause:
    """A field, what stands between it and its values, and the values: any of them will do."""

    field: Word
    symbol: str
    """``:``, ``<``, ``<=``, ``>`` or ``>=``."""
    symbol_column: int
    values: tuple[Value, ...]
    targets: tuple[Value, ...] = ()
    """What stands after an arrow."""

    def alternatives(self, wanted: str) -> tuple[Value, ...]:
        """The values of a field that can only be equal to something.

        Raises:
            FilterError: the clause compares or has an arrow.
        """
        if self.symbol != ":":
            raise FilterError(f"{self.field.text} takes {wanted}", self.symbol_column)
        if self.targets:
            raise self.refusal(wanted, self.targets[0])
        return self.values

    def texts(self, wanted: str) -> Iterator[tuple[str, Value]]:
        """The values' texts; raises FilterError if one is a regular expression."""
        for value in self.alternatives(wanted):
            yield self.text_of(value, wanted), value

    def text_of(self, value: Value, wanted: str) -> str:
        """A value's text; raises FilterError if it is a regular expression."""
        if isinstance(value, RegexToken):
            raise self.refusal(wanted, value)
        return value.text

    def refusal(self, wanted: str, value: Value) -> FilterError:
        """The error that says what the field takes instead of a value."""
        return FilterError(f"{self.field.text} takes {wanted}", value.column)
