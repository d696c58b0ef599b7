"""What waits for a person, and the command that helps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.engine.status import OperatorStatus

_CURES = {
    "halted": "mend the cause, then eventscope retry; eventscope skip passes over the event",
    "dead letters": "eventscope dead-letters list says why",
    "paused": "eventscope resume lets it go on",
    "orphans": "their events are kept until eventscope forget drops them",
}


def cures(
    operators: Iterable[OperatorSnapshot | OperatorStatus], orphans: Iterable[str] | None
) -> Iterator[str]:
    """Say of whom a person must think, and how to help them; a line for each ailment.

    Args:
        operators: as they are.
        orphans: the operators that the application no longer has, if that is known.
    """
    operators = tuple(operators)
    ailing = {
        "halted": [each.name for each in operators if _has_halted(each)],
        "dead letters": [each.name for each in operators if each.dead],
        "paused": [each.name for each in operators if each.paused],
        "orphans": list(orphans or ()),
    }
    for ailment, names in ailing.items():
        if names:
            yield f"{ailment}: {', '.join(names)}; {_CURES[ailment]}"


def _has_halted(operator: OperatorSnapshot | OperatorStatus) -> bool:
    return operator.halted if isinstance(operator, OperatorStatus) else operator.state == "halted"
