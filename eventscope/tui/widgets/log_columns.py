"""The columns of the log for a pane's width: one policy for its heads and its rows."""

from __future__ import annotations

import time
from typing import Final, Literal, NamedTuple

from eventscope.engine.log_ring import LogRecord
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import fit
from eventscope.tui.symbols import LEVEL_LOOKS, Tone

Role = Tone | Literal["plain", "operator"]
"""What a stretch of a row is; each has a component class ``log--<role>``."""

Cells = list[tuple[str, Role]]


class LogColumns(NamedTuple):
    """The width of each column in cells; 0 leaves it out."""

    time: int
    level: int
    operator: int
    message: int
    event: int


_TIME: Final = len("12:06:38")
_LEVEL: Final = len("▲ warning")


def log_columns(width: int) -> LogColumns:
    """Share ``width`` cells out; what is said takes what the others leave."""
    if width >= 110:
        fixed = LogColumns(_TIME, _LEVEL, 26, 0, 14)
    elif width >= 70:
        fixed = LogColumns(_TIME, _LEVEL, 15, 0, 0)
    else:
        fixed = LogColumns(_TIME, 1, 11, 0, 0)
    gaps = sum(1 for cells in fixed if cells)
    return fixed._replace(message=max(4, width - sum(fixed) - gaps))


def log_heads(width: int) -> str:
    """The columns' names."""
    columns = log_columns(width)
    heads = ("time", "level" if columns.level > 1 else "", "operator", "message", "event")
    cells = zip(heads, columns, strict=True)
    return " ".join(fit(head, cells) for head, cells in cells if cells)


def log_cells(record: LogRecord, width: int) -> Cells:
    """One row of the log: harmless text with its role, together ``width`` cells."""
    columns, look = log_columns(width), LEVEL_LOOKS[record.level]
    level = look.symbol if columns.level == 1 else f"{look.symbol} {record.level}"
    said = safe_text(record.message, columns.message + 1)
    message = fit(said, columns.message)
    details = "  ".join(
        f"{safe_text(name, 40)} {safe_text(value, columns.message + 1)}"
        for name, value in record.details
        if name not in _NO_NEWS
    )
    rest = len(message) - len(message.rstrip()) - 2
    cells: Cells = [
        (fit(clock(record.at), columns.time + 1), "quiet"),
        (fit(level, columns.level + 1), look.tone),
        (fit(safe_text(record.operator or "", 200), columns.operator) + " ", "operator"),
    ]
    if details and rest > 0:
        cells.append((message.rstrip() + "  ", _message_role(record)))
        cells.append((fit(details, rest), "quiet"))
    else:
        cells.append((message, _message_role(record)))
    if columns.event:
        cells.append((" " + fit(record.event_id or "", columns.event), "quiet"))
    return cells


def clock(at: float, form: str = "%H:%M:%S") -> str:
    """A moment as the clock on the wall shows it."""
    return time.strftime(form, time.localtime(at))


def _message_role(record: LogRecord) -> Role:
    return "quiet" if record.level == "debug" else "plain"


_NO_NEWS: Final = frozenset({"printed"})
"""Details that the level tells already."""
