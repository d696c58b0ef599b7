"""How a filter is evaluated: cheap terms first, delivery terms at one operator."""

from __future__ import annotations

from typing import Any

from eventscope.event import Event
from eventscope.inspection.filter.delivery_terms import DeliveryTerm, SomeDelivery
from eventscope.inspection.filter.predicate import And, Not, Or, Predicate, joined


def plan(term: Predicate[Any]) -> Predicate[Event]:
    """Arrange a filter's terms.

    The delivery terms of an ``and`` speak of the same operator: ``operator:a state:failed`` is
    not what failed elsewhere. A negation alone speaks of all: ``not state:failed`` failed nowhere.
    """
    if _is_about_delivery(term):
        return _of_some_delivery(term)
    match term:
        case And(terms):
            delivery = [one for one in terms if _is_about_delivery(one)]
            parts = [plan(one) for one in terms if not _is_about_delivery(one)]
            if delivery:
                parts.append(plan(joined(And, delivery)))
            return joined(And, sorted(parts, key=_cost))
        case Or(terms):
            return Or(tuple(sorted(map(plan, terms), key=_cost)))
        case Not(negated):
            return Not(plan(negated))
    return term


def _is_about_delivery(term: Predicate[Any]) -> bool:
    match term:
        case And(terms) | Or(terms):
            return all(map(_is_about_delivery, terms))
        case Not(negated):
            return _is_about_delivery(negated)
    return isinstance(term, DeliveryTerm)


def _of_some_delivery(term: Predicate[Any]) -> Predicate[Event]:
    match term:
        case Not(negated):
            return Not(_of_some_delivery(negated))
        case Or(terms):
            return Or(tuple(map(_of_some_delivery, terms)))
        case And(terms) if all(isinstance(one, Not) for one in terms):
            return And(tuple(map(_of_some_delivery, terms)))
    return SomeDelivery(term)


def _cost(term: Predicate[Any]) -> int:
    match term:
        case And(terms) | Or(terms):
            return max(map(_cost, terms))
        case Not(negated):
            return _cost(negated)
    return term.cost
