"""The columns of the operator table: one policy for its heads and its rows."""

from __future__ import annotations

from typing import Final, NamedTuple

from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import countdown, fit
from eventscope.tui.durations import ago
from eventscope.tui.operator_watch import OperatorWatch
from eventscope.tui.symbols import OPERATOR_LOOKS

_STATE: Final = max(len(state) for state in OPERATOR_LOOKS)
_QUEUED: Final = 8
_OLDEST: Final = 7
_RATE: Final = 9
_BARS: Final = 8
_TRIES: Final = 6
_WIDE: Final = 100
_WELL: Final = ("running", "idle", "waiting")
"""The states in which the pace is worth more than what else could be said in a narrow row."""


class OperatorRow(NamedTuple):
    """One row: harmless text; the symbol, the state and ``attempts`` take the state's tone."""

    symbol: str
    name: str
    state: str
    queued: str
    oldest: str
    rate: str
    bars: str
    attempts: str
    detail: str
    """What is wrong or under way."""
    retry: str = ""
    """When it tries again, which stands before ``detail``."""


HEADS: Final = OperatorRow(
    " ", "operator", "state", "queued", "oldest", "rate", "", "tries", "retry, error"
)


def operator_heads(width: int) -> str:
    """The columns' names."""
    heads = HEADS if width >= _WIDE else HEADS._replace(rate="", attempts="", detail="")
    return "".join(laid_out(heads, width))


def operator_row(operator: OperatorSnapshot, watch: OperatorWatch, now: float) -> OperatorRow:
    """What the table says of an operator at ``now``, in seconds since the epoch."""
    rate = watch.rate.per_second
    return OperatorRow(
        symbol=OPERATOR_LOOKS[watch.state].symbol,
        name=safe_text(operator.name, 100),
        state=watch.state,
        queued=f"{operator.depth:,}",
        oldest="" if operator.oldest_at is None else ago(now - operator.oldest_at),
        rate=f"{rate:,.0f}/s" if rate >= 1 else "",
        bars=watch.rate.sparkline if watch.rate.is_moving else "",
        attempts=f"{operator.attempts}/{operator.max_attempts}" if operator.attempts else "",
        detail=safe_text(operator_detail(operator), 300),
        retry=operator_retry(operator, now),
    )


def laid_out(row: OperatorRow, width: int) -> tuple[str, ...]:
    """Cut and pad the texts so that together they take ``width`` cells.

    Returns:
        The symbol, the name, the state, the numbers, the bars, the attempts and the detail.
    """
    name = min(width // 4 - 1, 34) if width >= _WIDE else max(12, width // 3 - 6)
    symbol, state = f" {row.symbol} ", fit(row.state, _STATE)
    numbers = fit(row.queued, _QUEUED, right=True) + fit(row.oldest, _OLDEST, right=True)
    if width >= _WIDE:
        numbers += fit(row.rate, _RATE, right=True)
        bars, attempts = "  " + fit(row.bars, _BARS), fit(row.attempts, _TRIES, right=True)
        detail = "  ".join(filter(None, (row.retry, row.detail)))
    else:
        tries = f"{row.attempts.partition('/')[0]} tries" if row.attempts and not row.retry else ""
        bars = "  ".join(filter(None, (row.bars, row.rate))) if row.state in _WELL else ""
        bars, attempts = f"  {bars}" if bars else "", ""
        detail = "  ".join(filter(None, (row.retry, tries, row.detail)))
    used = 3 + name + 1 + _STATE + sum(map(len, (numbers, bars, attempts)))
    detail = "  " + fit(detail, width - used - 2)
    return symbol, fit(row.name, name) + " ", state, numbers, bars, attempts, detail


def operator_retry(operator: OperatorSnapshot, now: float) -> str:
    """Which retry comes when, while it waits for one."""
    if operator.state != "backing-off":
        return ""
    retry = f"retry {operator.attempts}/{max(1, operator.max_attempts - 1)}"
    if not operator.attempts:
        retry = f"retries {operator.retrying:,} ids"
    return f"{retry} {countdown(operator.next_retry, now)}"


def operator_detail(operator: OperatorSnapshot) -> str:
    """What is wrong or under way, in one line."""
    error = operator.error or ""
    said = error or operator.detail
    if operator.state in ("waiting", "paused"):
        said = operator.detail or error
    return "  ".join(filter(None, (_under_way(operator), _letters(operator), said)))


def _letters(operator: OperatorSnapshot) -> str:
    if not operator.dead:
        return ""
    return f"{operator.dead:,} dead"


def _under_way(operator: OperatorSnapshot) -> str:
    return "  ".join(
        f"{name} {progress.done / progress.total:.0%}" if progress.total else f"{name} begins"
        for name, progress in (("backfill", operator.backfill), ("replay", operator.replay))
        if progress is not None
    )
