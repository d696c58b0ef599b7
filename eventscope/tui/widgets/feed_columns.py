"""The columns of the feed for a pane's width: one policy for its heads and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from eventscope.event import Event
from eventscope.inspection.summary import SYMBOLS, changes_line, key_text, table_text
from eventscope.tui.cells import fit
from eventscope.tui.symbols import Tone

Role = Literal[
    "mark", "time", "insert", "update", "delete", "truncate", "message", "table", "key", "name",
    "old", "new", "value", "sign", "xid", Tone,
]  # fmt: skip
"""What a stretch of a row is; each has a component class ``feed--<role>``."""

Cell = tuple[str, Role]
Cells = list[Cell]


class FeedColumns(NamedTuple):
    """The width of each column in cells; 0 leaves it out."""

    time: int
    operation: int
    table: int
    key: int
    changes: int
    xid: int
    ops: int


_TIME: Final = len("12:06:38")
_TIME_MS: Final = len("12:06:38.412")
_OPERATION: Final = len("truncate")


def feed_columns(width: int, ops: int = 0) -> FeedColumns:
    """Share ``width`` cells out; what the event did takes what the others leave.

    Args:
        width: cells of a row, without its mark.
        ops: cells that tell what became of the event at the operators.
    """
    if width >= 110:
        fixed = FeedColumns(_TIME_MS, _OPERATION, 26, 12, 0, 10, ops)
    elif width >= 70:
        fixed = FeedColumns(_TIME, 1, width // 4, 8, 0, 0, ops)
    else:
        fixed = FeedColumns(0, 1, 13, 6, 0, 0, ops)
    gaps = sum(1 for cells in fixed if cells)
    return fixed._replace(changes=max(4, width - sum(fixed) - gaps))


def feed_heads(width: int, ops: str, note: str = "") -> str:
    """The columns' names.

    Args:
        width: cells of a row.
        ops: the name of the last column, as wide as that is.
        note: what is said at the end of the widest one, where there is room.
    """
    columns = feed_columns(width - 1, len(ops))
    room = columns.changes - len("changes") - 2
    changes = "changes" + note.rjust(room + 2) if len(note) <= room else "changes"
    operation = "" if columns.operation == 1 else "event"
    heads = ("time", operation, "table", "key", changes, "xid", ops)
    cells = zip(heads, columns, strict=True)
    return " " + " ".join(fit(head, cells) for head, cells in cells if cells)


def feed_cells(event: Event, width: int, mark: str = "", ops: Sequence[Cell] = ()) -> Cells:
    """One row of the feed: harmless text with its role, together ``width`` cells.

    Args:
        event: what it tells of.
        width: its cells.
        mark: what stands before it.
        ops: what stands in the last column.
    """
    columns = feed_columns(width - len(mark), sum(len(text) for text, _ in ops))
    operation = SYMBOLS[event.type] if columns.operation == 1 else event.type
    cells: Cells = [(mark, "mark")] if mark else []
    if columns.time:
        # Cutting the microseconds is quicker than formatting, and this runs for each new row.
        time = event.timestamp.astimezone().strftime("%H:%M:%S.%f")
        cells.append((fit(time[: columns.time], columns.time + 1), "time"))
    cells.append((fit(operation, columns.operation + 1), event.type))
    cells.append((fit(table_text(event), columns.table) + " ", "table"))
    cells.append((fit(key_text(event), columns.key) + " ", "key"))
    cells += _fitted(changes_line(event, columns.changes), columns.changes)
    if columns.xid:
        cells.append((" " + fit(str(event.xid), columns.xid), "xid"))
    if columns.ops:
        cells += [(" ", "value"), *ops]
    return cells


def _fitted(parts: Sequence[tuple[str, Role]], width: int) -> Cells:
    """Cut the line where it ends, keeping the roles of what stays."""
    whole = fit("".join(text for text, _ in parts), width)
    cells: Cells = []
    for text, role in parts:
        cells.append((whole[: len(text)], role))
        whole = whole[len(text) :]
    cells.append((whole, "sign"))
    return [(text, role) for text, role in cells if text]
