"""The words that a filter can be completed with: what the last events and the operators tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import thread_time
from typing import Any, Final

from eventscope.engine.ring import Entry, EventRing
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.event import Event, split_entity
from eventscope.inspection.filter import FilterError, column_values
from eventscope.tui.filtering.words import (
    changed_word,
    column_word,
    event_table,
    table_word,
    value_word,
)

_GLANCED: Final = 2_000
"""The last events whose tables are looked at."""
_READ: Final = 500
"""The last events whose values are looked at, as far as ``_SECONDS`` go."""
_SECONDS: Final = 0.005  # of this thread alone: a busy machine is no reason to suggest less
_VALUES: Final = 40


class Vocabulary:
    """Looks nothing up before it is asked.

    Args:
        ring: the recent events.
        operators: of the last snapshot.
    """

    def __init__(self, ring: EventRing, operators: Sequence[OperatorSnapshot] = ()) -> None:
        self._ring = ring
        self._operators = operators

    def operators(self) -> Iterable[str]:
        """The names of operators."""
        return _told(value_word(operator.name) for operator in self._operators)

    def tables(self) -> Iterable[str]:
        """Tables with events, the latest first, then those that operators follow."""
        seen = [event_table(event) for event in self._one_of_each()]
        followed = [
            table_word(*split_entity(name))
            for operator in self._operators
            for name in operator.entities
        ]
        return _told([*seen, *followed])

    def columns(self, word: Callable[[str], str | None] = column_word) -> Mapping[str, str]:
        """The columns of these tables, and the table of each."""
        columns: dict[str, str] = {}
        for event in self._one_of_each():
            for name in event.source.columns:
                told = word(name)
                if told is not None:
                    columns.setdefault(told, event_table(event) or "")
        return columns

    def changed_columns(self) -> Mapping[str, str]:
        """The same, as ``col:`` has them."""
        return self.columns(changed_word)

    def values(self, column: str) -> Iterable[str]:
        """Recent values of a column, or of a place in its document."""
        return self._recent(lambda event: column_values(column, event))

    def keys(self) -> Iterable[str]:
        """Recent keys."""
        return self._recent(lambda event: event.key.values())

    def transactions(self) -> Iterable[str]:
        """Recent transactions."""
        return self._recent(lambda event: [event.xid])

    def _recent(self, values: Callable[[Event], Iterable[Any]]) -> Iterable[str]:
        """Words of values, the latest first."""
        words: dict[str, None] = {}
        deadline = thread_time() + _SECONDS
        for entry in self._last(_READ):
            try:
                found = [value_word(value) for value in values(entry.event())]
            except FilterError:  # half a column's name
                break
            words.update(dict.fromkeys(word for word in found if word is not None))
            if len(words) >= _VALUES or thread_time() > deadline:
                break
        return words

    def _one_of_each(self) -> Iterator[Event]:
        """An event of each table among the last ones."""
        seen: set[tuple[str, ...]] = set()
        for entry in self._last(_GLANCED):
            if entry.names not in seen:
                seen.add(entry.names)
                yield entry.event()

    def _last(self, count: int) -> Iterator[Entry]:
        newest = self._ring.next
        return reversed(self._ring.between(newest - count, newest))


def _told(words: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(word for word in words if word is not None))
