"""Why a person cannot have something done to an operator now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeGuard, get_args

from eventscope.engine.snapshot import OperatorSnapshot

Deed = Literal[
    "pause",
    "pause_all",
    "retry",
    "retry_letters",
    "show_failure",
    "open_operator",
    "skip",
    "backfill",
    "replay",
    "open_letter",
    "retry_letter",
    "discard",
    "discard_all",
    "step",
    "continue",
]
"""What can be done to operators, or be looked at."""
_DEEDS: Final[tuple[Deed, ...]] = get_args(Deed)
_LOOKS: Final[tuple[Deed, ...]] = ("show_failure", "open_operator", "open_letter")

READ_ONLY: Final = "This dashboard is read-only: it was started with --read-only."

_RETRIED: Final = ("backing-off", "halted", "waiting")


def is_deed(action: str) -> TypeGuard[Deed]:
    """Whether an action is about operators."""
    return action in _DEEDS


def why_not(
    deed: Deed,
    operator: OperatorSnapshot | None,
    operators: Sequence[OperatorSnapshot],
    *,
    read_only: bool,
    is_seen: bool = True,
) -> str | None:
    """Why it is not possible now, in one sentence for a person; None if it is.

    Args:
        deed: what is wanted.
        operator: to which operator; None if there is none.
        operators: all there are.
        read_only: whether nothing may be changed.
        is_seen: whether the person can see which operator it is.
    """
    if read_only and deed not in _LOOKS:
        return READ_ONLY
    if deed == "pause_all":
        return None if operators else "There is no operator to pause."
    if deed in ("step", "continue"):
        is_held = any(one.held is not None for one in operators)
        return None if is_held else "No operator waits at a breakpoint. b sets one."
    if operator is None:
        return f"There is no operator to {_VERBS[deed]}."
    if not is_seen:
        return f"The operators are not to be seen here: 2 shows which one you would {_VERBS[deed]}."
    return _why_not_now(deed, operator)


def _why_not_now(deed: Deed, operator: OperatorSnapshot) -> str | None:
    name = operator.name
    if deed == "retry" and operator.state not in _RETRIED:
        return f"{name} is {operator.state}: there is nothing to retry."
    if deed == "retry_letters" and not operator.dead:
        return f"{name} has no dead letter."
    if deed in _OF_LETTERS and not operator.dead + operator.retrying:
        return f"{name} has no dead letter."
    if deed == "show_failure" and operator.error is None:
        return f"{name} has no error."
    if deed == "skip" and operator.failing is None:
        return f"{name} fails at no event: there is nothing to skip."
    if deed == "backfill" and operator.kind != "query":
        return f"{name} is a handler: only a query's target can be filled."
    return None


_OF_LETTERS: Final[tuple[Deed, ...]] = ("open_letter", "retry_letter", "discard", "discard_all")
_VERBS: Final[dict[Deed, str]] = {
    "pause": "pause",
    "retry": "retry",
    "retry_letters": "retry",
    "show_failure": "show",
    "open_operator": "show",
    "skip": "skip an event of",
    "backfill": "backfill",
    "replay": "replay events to",
    "open_letter": "show a dead letter of",
    "retry_letter": "retry",
    "discard": "discard dead letters of",
    "discard_all": "discard dead letters of",
}
