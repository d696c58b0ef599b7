"""Filters: one language for ``eventscope tail --where``, the dashboard and saved filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from eventscope.event import Event
from eventscope.inspection.filter.context import Context, NothingKnown
from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.grammar import Grammar
from eventscope.inspection.filter.plan import plan
from eventscope.inspection.filter.predicate import And, Everything, Not, Or, Predicate
from eventscope.inspection.text import safe_text

_NOTHING_KNOWN: Final = NothingKnown()


@dataclass(frozen=True)
class Filter:
    """A filter that has been read; as a string it is a plain sentence that says what it means.

    Two filters are equal if they mean the same, word by word.
    """

    text: str = field(compare=False)
    """As it was written."""
    meaning: Predicate[Any]

    def matches(self, event: Event, context: Context | None = None) -> bool:
        """Whether the event is one of those.

        Args:
            event: its row is decoded only if a term needs it.
            context: marks and deliveries, for a filter that asks for them.
        """
        return self._plan.matches(event, _NOTHING_KNOWN if context is None else context)

    def foretold(self, event: Event) -> bool | None:
        """The answer for every event of the same table and type; None if they may differ."""
        return self.meaning.foretold(event)

    @property
    def is_everything(self) -> bool:
        """Whether it has no term."""
        return isinstance(self.meaning, Everything)

    @cached_property
    def lasting(self) -> bool:
        """Whether the answer about an event stays what it is: nothing about deliveries or now."""
        return all(term.lasting for term in _terms(self.meaning))

    def __str__(self) -> str:
        return safe_text(str(self.meaning))

    @cached_property
    def _plan(self) -> Predicate[Event]:
        return plan(self.meaning)


def parse(text: str, *, delivery: bool = False) -> Filter:
    """Read a filter; one without a term matches every event.

    A regular expression can be written so that it takes forever on some value: filters are a
    person's own words, not a stranger's.

    Args:
        text: what ``reference_table`` describes.
        delivery: whether the caller has a ``Context`` to match with, so that marks and
            deliveries may be asked for.

    Raises:
        FilterError: it cannot be read; the error says where and what would be right.
    """
    try:
        return Filter(text, Grammar(text, delivery=delivery).read())
    except FilterError as error:
        error.text = text
        raise


def _terms(term: Predicate[Any]) -> Iterator[Predicate[Any]]:
    match term:
        case And(terms) | Or(terms):
            for one in terms:
                yield from _terms(one)
        case Not(negated):
            yield from _terms(negated)
        case _:
            yield term
