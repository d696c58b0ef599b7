"""Joining filters."""

from __future__ import annotations

from eventscope.inspection.filter import Filter, parse
from eventscope.inspection.filter.predicate import And, Or


def narrowed(present: Filter | None, term: str) -> str:
    """A filter for what matches both."""
    if present is None:
        return term
    terms = present.meaning.terms if isinstance(present.meaning, And) else (present.meaning,)
    if parse(term, delivery=True).meaning in terms:
        return present.text
    return f"{_as_term(present)} {term}"


def without(present: Filter | None, term: str) -> str:
    """A filter for what matches the first and not the second."""
    is_single = not isinstance(parse(term, delivery=True).meaning, And | Or)
    return narrowed(present, f"-{term}" if is_single else f"not ({term})")


def _as_term(filter: Filter) -> str:
    return f"({filter.text})" if isinstance(filter.meaning, Or) else filter.text
