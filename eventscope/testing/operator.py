"""How one operator of an application under test fares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eventscope.engine.questions.dead_letters import LettersOf
from eventscope.engine.questions.operator import DetailsOf

if TYPE_CHECKING:
    from eventscope.engine.questions.dead_letters import Letter
    from eventscope.engine.questions.operator import Attempted
    from eventscope.engine.thread import EngineThread
    from eventscope.operators.state import OperatorState

_ALL: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """One operator at one moment."""

    name: str
    state: OperatorState
    applied: int
    """Events applied since the start."""
    attempts: tuple[Attempted, ...]
    """What it has tried, the oldest first; the last 200 are remembered. Those that failed have an
    ``error``; one attempt of a query may be at several ``events``."""
    dead_letters: tuple[Letter, ...]
    """The events or ids that it gave up, the oldest first, with ``error`` and ``attempts``."""
    error: str | None
    """The last failure in one line, until an attempt succeeds; also that of a dead letter."""


def report(engine: EngineThread, name: str) -> OperatorReport:
    """Look how an operator fares; raises KeyError if there is none of that name."""
    operators = {operator.name: operator for operator in engine.snapshot().operators}
    if name not in operators:
        raise KeyError(f"no operator {name!r}; there are {', '.join(operators) or 'none'}")
    operator = operators[name]
    details = engine.ask(DetailsOf(name, limit=_ALL)).result()
    letters = engine.ask(LettersOf(name, limit=_ALL)).result()
    return OperatorReport(
        name=name,
        state=operator.state,
        applied=operator.applied,
        attempts=details.attempts[::-1],
        dead_letters=tuple(one for one in reversed(letters) if one.next_retry is None),
        error=operator.error,
    )
