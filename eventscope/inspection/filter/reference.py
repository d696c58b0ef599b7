"""The forms of the filter language, for help texts."""

from __future__ import annotations

from typing import Any, Final

from eventscope.inspection.filter.change_terms import Transition
from eventscope.inspection.filter.column_terms import ColumnBeyond, ColumnIs
from eventscope.inspection.filter.delivery_terms import DeliveryTerm, Marked
from eventscope.inspection.filter.grammar import FIELDS
from eventscope.inspection.filter.predicate import And, Form, Not, Or, Predicate
from eventscope.inspection.filter.search import Appears

_ABOUT_EVENTS: Final[tuple[type[Predicate[Any]], ...]] = (
    Appears,
    *(term for term in FIELDS.values() if not issubclass(term, DeliveryTerm)),
    ColumnIs,
    ColumnBeyond,
    Transition,
    And,
    Or,
    Not,
)
_ABOUT_DELIVERY: Final[tuple[type[Predicate[Any]], ...]] = (
    Marked,
    *(term for term in FIELDS.values() if issubclass(term, DeliveryTerm)),
)


def forms(*, delivery: bool = False) -> tuple[Form, ...]:
    """Every form with what it means.

    Args:
        delivery: whether to include marks and deliveries.
    """
    terms = _ABOUT_EVENTS + (_ABOUT_DELIVERY if delivery else ())
    return tuple(form for term in terms for form in term.help)


def field_names(*, delivery: bool = True) -> dict[str, str]:
    """The names that are no columns unless they are in quotes, and what each asks."""
    return {
        name: term.help[0].means
        for name, term in FIELDS.items()
        if delivery or not issubclass(term, DeliveryTerm)
    }


def reference_table(*, delivery: bool = False) -> str:
    """The forms as a table in Markdown."""
    rows = (f"| `{_cell(text)}` | {_prose(means)} |" for text, means in forms(delivery=delivery))
    return "\n".join(("| form | matches |", "|---|---|", *rows))


def reference_text(*, delivery: bool = False) -> str:
    """The forms in two columns of plain text."""
    listed = forms(delivery=delivery)
    width = max(len(form.text) for form in listed)
    return "\n".join(f"{text:<{width}}  {means}" for text, means in listed)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _prose(text: str) -> str:
    return _cell(text).replace("*", r"\*").replace("<", r"\<")
