"""Which operator some code works for, and at which event: whose words its words are."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from typing import Any, Final, NamedTuple

from eventscope.declaration import HandlerOperator
from eventscope.event import Event, EventId


class Whereabouts(NamedTuple):
    """An operator, and what it has been given."""

    operator: str
    given: Event | Sequence[Event] | None = None
    """An event or a list of them; None between events."""

    @property
    def event_id(self) -> EventId | None:
        """The event, the first of a list; None between events."""
        first = self.given if self.given is None or isinstance(self.given, Event) else self.given[0]
        return None if first is None else first.id


WHEREABOUTS: Final = ContextVar[Whereabouts | None]("whereabouts", default=None)
"""Of the present task or thread; None where nobody has asked for it, or no operator works."""


def located(operator: HandlerOperator) -> HandlerOperator:
    """The same handler, with its whereabouts known to all that it calls."""
    name, function = operator.name, operator.function

    @wraps(function)
    async def awaited(given: Any, **more: Any) -> Any:
        before = WHEREABOUTS.get()
        WHEREABOUTS.set(Whereabouts(name, given))
        try:
            return await function(given, **more)
        finally:
            WHEREABOUTS.set(before)

    @wraps(function)
    def called(given: Any) -> Any:
        WHEREABOUTS.set(Whereabouts(name, given))  # of a thread that ends with this call
        return function(given)

    return replace(operator, function=awaited if operator.is_async else called)
