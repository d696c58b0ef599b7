"""The predicates that need to know more than the event: marks, and what operators made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from eventscope.event import Event
from eventscope.inspection.filter.clause import Clause
from eventscope.inspection.filter.context import DELIVERY_STATES, Context, Delivery
from eventscope.inspection.filter.measure import Measure
from eventscope.inspection.filter.patterns import Pattern, listed, pattern
from eventscope.inspection.filter.predicate import ROW, FieldTerm, Form, Predicate


@dataclass(frozen=True)
class Marked(Predicate[Event]):
    """A person's mark."""

    help = (Form("marked", 'marked by a person; "marked" is the text'),)
    lasting = False

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether the event is marked."""
        return context.is_marked(subject)

    def __str__(self) -> str:
        return "it is marked"


class DeliveryTerm(FieldTerm[Delivery]):
    """A predicate about one event at one operator."""

    cost = ROW
    lasting = False


@dataclass(frozen=True)
class State(DeliveryTerm):
    """What became of the event."""

    help = (Form("state:failed,retrying", f"at some operator it is {listed(DELIVERY_STATES)}"),)
    field = "state"
    wants = listed(DELIVERY_STATES)
    states: tuple[str, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read the names of states."""
        states = []
        for text, value in clause.texts(cls.wants):
            if text.lower() not in DELIVERY_STATES:
                raise clause.refusal(f"{cls.wants}; a column of that name is new.state:…", value)
            states.append(text.lower())
        return cls(tuple(states))

    def matches(self, subject: Delivery, context: Context) -> bool:
        """Whether the delivery is in one of them."""
        return subject.state in self.states

    def __str__(self) -> str:
        return f"delivery is {listed(self.states)}"


@dataclass(frozen=True)
class OperatorIs(DeliveryTerm):
    """At which operator."""

    help = (Form("operator:billing_* state:failed", "all of it at the same operator"),)
    field = "operator"
    wants = "names of operators, such as billing_sync or billing_*"
    names: tuple[Pattern, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read the names of operators."""
        return cls(tuple(map(pattern, clause.alternatives(cls.wants))))

    def matches(self, subject: Delivery, context: Context) -> bool:
        """Whether it is one of these operators."""
        return any(name.equals(subject.operator) for name in self.names)

    def __str__(self) -> str:
        return f"operator is {listed(self.names)}"


@dataclass(frozen=True)
class Attempts(DeliveryTerm):
    """How often it was tried."""

    help = (Form("attempts>3", "tried more than 3 times; also < <= >= and :"),)
    field = "attempts"
    wants = "a number, such as attempts>3"
    measure: Measure

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read numbers of attempts."""
        return cls(Measure.of(clause, cls.wants))

    def matches(self, subject: Delivery, context: Context) -> bool:
        """Whether it was tried so often."""
        return self.measure.accepts(subject.attempts)

    def __str__(self) -> str:
        return f"number of attempts {self.measure}"


@dataclass(frozen=True)
class ErrorSays(DeliveryTerm):
    """What the last failure said."""

    help = (Form("error:Timeout", "the last failure's text has this in it; also error:/…/"),)
    field = "error"
    wants = "text of an error, such as Timeout"
    sought: tuple[Pattern, ...]

    @classmethod
    def of(cls, clause: Clause) -> Self:
        """Read what to look for."""
        return cls(tuple(map(pattern, clause.alternatives(cls.wants))))

    def matches(self, subject: Delivery, context: Context) -> bool:
        """Whether it says that."""
        error = subject.error or ""
        return bool(error) and any(sought.found_in(error) for sought in self.sought)

    def __str__(self) -> str:
        return f"error says {listed(sought.quoted for sought in self.sought)}"


@dataclass(frozen=True)
class SomeDelivery(Predicate[Event]):
    """Something that is true of the event at one operator or more."""

    cost = ROW
    term: Predicate[Delivery]

    def matches(self, subject: Event, context: Context) -> bool:
        """Whether there is such a delivery."""
        return any(self.term.matches(one, context) for one in context.deliveries(subject))

    def __str__(self) -> str:
        return str(self.term)
