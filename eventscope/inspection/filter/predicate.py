"""What a filter is made of: predicates, joined by ``and``, ``or`` and ``not``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Generic, NamedTuple, Self, TypeVar

from eventscope.inspection.filter.clause import Clause
from eventscope.inspection.filter.context import Context

Subject = TypeVar("Subject")

META: Final = 0
"""The cost of looking at what an event tells without its row."""
ROW: Final = 1
"""The cost of looking at its row, which must be decoded."""
SEARCH: Final = 2
"""The cost of searching its values."""


class Form(NamedTuple):
    """An example of what can be written, and what it matches."""

    text: str
    means: str


class Predicate(ABC, Generic[Subject]):
    """A question about an event, or about its delivery; as a string it is a plain sentence."""

    help: ClassVar[tuple[Form, ...]] = ()
    """The ways to write it."""
    cost: ClassVar[int] = META
    lasting: ClassVar[bool] = True
    """Whether the answer about an event stays what it is."""

    @abstractmethod
    def matches(self, subject: Subject, context: Context) -> bool:
        """Whether the answer is yes."""

    def foretold(self, subject: Subject) -> bool | None:
        """The answer for every event of the same table and type; None if they may differ."""
        return None

    @abstractmethod
    def __str__(self) -> str: ...


class FieldTerm(Predicate[Subject]):
    """A predicate that is written with the name of a field."""

    field: ClassVar[str]
    wants: ClassVar[str]
    """What the field takes, for whoever gave it something else."""

    @classmethod
    @abstractmethod
    def of(cls, clause: Clause) -> Self:
        """Read the field's values; raises FilterError."""


@dataclass(frozen=True)
class Everything(Predicate[Any]):
    """The filter without a term."""

    def matches(self, subject: Any, context: Context) -> bool:
        """Always."""
        return True

    def foretold(self, subject: Any) -> bool:
        """Always."""
        return True

    def __str__(self) -> str:
        return "every event"


@dataclass(frozen=True)
class And(Predicate[Subject]):
    """All of several terms."""

    help = (
        Form("table:orders op:update", "both; the word and may stand between them"),
        Form("paid (table:orders or table:items)", "parentheses group; and binds before or"),
    )
    terms: tuple[Predicate[Subject], ...]

    def matches(self, subject: Subject, context: Context) -> bool:
        """Whether every term does."""
        for term in self.terms:  # noqa: SIM110 a generator costs more than the terms
            if not term.matches(subject, context):
                return False
        return True

    def foretold(self, subject: Subject) -> bool | None:
        """No if one term says no, yes if all say yes."""
        answers = {term.foretold(subject) for term in self.terms}
        return False if False in answers else None if None in answers else True

    def __str__(self) -> str:
        return " and ".join(
            f"({term})" if isinstance(term, Or) else str(term) for term in self.terms
        )


@dataclass(frozen=True)
class Or(Predicate[Subject]):
    """At least one of several terms."""

    help = (Form("table:orders or table:items", "either"),)
    terms: tuple[Predicate[Subject], ...]

    def matches(self, subject: Subject, context: Context) -> bool:
        """Whether some term does."""
        for term in self.terms:  # noqa: SIM110
            if term.matches(subject, context):
                return True
        return False

    def foretold(self, subject: Subject) -> bool | None:
        """Yes if one term says yes, no if all say no."""
        answers = {term.foretold(subject) for term in self.terms}
        return True if True in answers else None if None in answers else False

    def __str__(self) -> str:
        return " or ".join(map(str, self.terms))


@dataclass(frozen=True)
class Not(Predicate[Subject]):
    """What a term does not match, be it for lack of the column."""

    help = (Form("not table:orders", "the opposite; also -table:orders and !table:orders"),)
    term: Predicate[Subject]

    def matches(self, subject: Subject, context: Context) -> bool:
        """Whether the term does not."""
        return not self.term.matches(subject, context)

    def foretold(self, subject: Subject) -> bool | None:
        """The opposite of the term's answer."""
        answer = self.term.foretold(subject)
        return None if answer is None else not answer

    def __str__(self) -> str:
        return f"not ({self.term})"


def joined(kind: type[And[Any]] | type[Or[Any]], terms: list[Predicate[Any]]) -> Predicate[Any]:
    """Join terms; one alone stays as it is, and what is joined alike becomes one."""
    if len(terms) == 1:
        return terms[0]
    flat: list[Predicate[Any]] = []
    for term in terms:
        flat += term.terms if isinstance(term, kind) else (term,)
    return kind(tuple(flat))
