"""How a status looks to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from rich.text import Text

from eventscope.cli.cures import cures
from eventscope.cli.table import Cell, print_table
from eventscope.engine.status import BackfillStatus, OperatorStatus, Status
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import countdown
from eventscope.tui.symbols import OPERATOR_LOOKS, Look, Tone

_STYLES: Final[Mapping[Tone, str]] = {
    "good": "green",
    "quiet": "dim",
    "warning": "yellow",
    "bad": "bold red",
    "held": "magenta",
    "busy": "blue",
}
_LOOKS: Final[Mapping[str, Look]] = dict(OPERATOR_LOOKS.items())
_NOBODY_TELLS: Final = Look("–", "quiet")
_LONGEST: Final = 10_000
"""Characters of a cure, which names all whom it helps."""
_HEADS: Final = ("OPERATOR", "STATE", "QUEUED", "DEAD", "RETRYING", "POSITION", "")


def print_status(status: Status) -> None:
    """Print a status to stdout: the stream in a line, the operators in a table, the cures."""
    print(safe_text(" · ".join(_head(status))))
    if status.operators:
        rows = [_row(operator, status.taken_at) for operator in status.operators]
        print_table(_HEADS, rows, right="QUEUED DEAD RETRYING")
    for cure in cures(status.operators, status.orphans):
        print(safe_text(cure, _LONGEST))


def _head(status: Status) -> Iterator[str]:
    stream = status.stream
    yield status.app or status.queue
    yield f"process {status.process}" if status.process is not None else "stopped"
    if status.process is not None:
        yield f"{stream.state} {stream.server or ''}".rstrip()
    if stream.slot is not None:
        yield f"slot {stream.slot}"
    if stream.stored_lsn is not None:
        yield f"stored {stream.stored_lsn}"
    if stream.lag_bytes is not None:
        yield f"lag {stream.lag_bytes:,} bytes"
    if status.process is not None and stream.detail:
        yield stream.detail


def _row(operator: OperatorStatus, now: datetime) -> tuple[Cell, ...]:
    state = operator.state
    look = _LOOKS.get(state, _NOBODY_TELLS)
    return (
        safe_text(operator.name, 100),
        Text(f"{look.symbol} {state}", _STYLES[look.tone]),
        f"{operator.depth:,}" if operator.depth is not None else "",
        Text(f"{operator.dead:,}", "bold red") if operator.dead else "0",
        f"{operator.retrying:,}",
        operator.position or "",
        safe_text("; ".join(_details(operator, now)), 1_000),
    )


def _details(operator: OperatorStatus, now: datetime) -> Iterator[str]:
    if operator.paused is not None:
        yield f"paused {operator.paused}"
    if operator.halted:
        yield f"halted after {operator.attempts} attempts"
    elif operator.next_retry is not None:
        yield f"next retry {countdown(operator.next_retry.timestamp(), now.timestamp())}"
    if operator.error is not None:
        at = f" at {operator.failed_at}" if operator.failed_at is not None else ""
        yield f"{operator.error}{at}"
    if operator.replaying:
        yield "replaying"
    if operator.backfill is not None:
        yield _backfill(operator.backfill)
    if operator.detail and operator.state == "waiting":
        yield operator.detail


def _backfill(backfill: BackfillStatus) -> str:
    total = f" of {backfill.total:,}" if backfill.total is not None else ""
    failed = f", {backfill.failed:,} failed" if backfill.failed else ""
    return f"backfill {backfill.done:,}{total} ids{failed}"
