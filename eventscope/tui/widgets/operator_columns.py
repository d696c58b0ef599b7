"""The columns of the operator table: one policy for its heads and its rows."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import countdown, fit
from eventscope.tui.symbols import OPERATOR_LOOKS

_STATE: Final = max(len(state) for state in OPERATOR_LOOKS)
_NUMBER: Final = 9
_SHORT_NUMBER: Final = 7
_WIDE: Final = 74


class OperatorRow(NamedTuple):
    """One row: harmless text; ``state`` includes the symbol and takes its tone."""

    symbol: str
    name: str
    state: str
    queued: str
    applied: str
    detail: str


def operator_heads(width: int) -> str:
    """The columns' names."""
    heads = OperatorRow(" ", "operator", "state", "queued", "applied", "")
    return "".join(laid_out(heads, width))


def operator_row(operator: OperatorSnapshot, now: float) -> OperatorRow:
    """What the table says of an operator at ``now``, in seconds since the epoch."""
    return OperatorRow(
        symbol=OPERATOR_LOOKS[operator.state].symbol,
        name=safe_text(operator.name, 100),
        state=operator.state,
        queued=f"{operator.depth:,}",
        applied=f"{operator.applied:,}",
        detail=safe_text(_detail(operator, now), 300),
    )


def laid_out(row: OperatorRow, width: int) -> OperatorRow:
    """Cut and pad the texts so that together they take ``width`` cells."""
    name = min(26, max(12, width // 3 - 6))
    shows_applied = width >= _WIDE
    applied = "  " + fit(row.applied, _NUMBER, right=True) if shows_applied else ""
    number = _NUMBER if shows_applied else _SHORT_NUMBER
    symbol, queued = f" {row.symbol} ", fit(row.queued, number, right=True)
    state = fit(row.state, _STATE)
    used = len(symbol) + name + 1 + _STATE + number + len(applied) + 2
    detail = "  " + fit(row.detail, width - used)
    return OperatorRow(symbol, fit(row.name, name) + " ", state, queued, applied, detail)


def _detail(operator: OperatorSnapshot, now: float) -> str:
    error = _letters(operator) + (operator.error or "")
    match operator.state:
        case "backing-off":
            retry = f"retry {operator.attempts}/{max(1, operator.max_attempts - 1)}"
            if not operator.attempts:
                retry = f"retries {operator.retrying:,} ids"
            return f"{retry} {countdown(operator.next_retry, now)}  {error}".rstrip()
        case "halted":
            return error or operator.detail
        case "waiting" | "paused":
            return operator.detail or error
        case "running" | "idle":
            return _backfill(operator) + (error or operator.detail)


def _letters(operator: OperatorSnapshot) -> str:
    if not operator.dead:
        return ""
    return f"{operator.dead:,} dead letter{'' if operator.dead == 1 else 's'}  "


def _backfill(operator: OperatorSnapshot) -> str:
    backfill = operator.backfill
    if backfill is None:
        return ""
    share = f"{backfill.done / backfill.total:.0%}" if backfill.total else "begins"
    return f"backfill {share}  "
