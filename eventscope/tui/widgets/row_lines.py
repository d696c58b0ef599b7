"""The whole row of an event, as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from rich.cells import cell_len
from textual.content import Content

from eventscope.event import Event
from eventscope.inspection.diff import VALUE_LIMIT
from eventscope.inspection.nulls import told_apart
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import is_absent, value_text
from eventscope.tui.cells import fit
from eventscope.tui.widgets.diff_lines import SIGN_STYLES
from eventscope.tui.widgets.reading import QUIET, Reading, hanging

_LONGEST_NAME: Final = 24
_LONGEST_TYPE: Final = 14
_WIDE: Final = 64
"""From this width on the types have a place."""


def row_lines(event: Event, width: int, reading: Reading) -> Iterator[Content]:
    """The row after the event, what changed marked; of a delete, the row that it removed."""
    row, changed = event.new_record or event.old_record or {}, event.changes or {}
    if not row:
        yield Content.styled(" the event tells of no row", QUIET)
        return
    names = {name: safe_text(name, 100) for name in row}
    types = {name: safe_text(event.source.columns.get(name, ""), 60) for name in row}
    name_width = min(max(map(cell_len, names.values())), _LONGEST_NAME, max(6, width // 3))
    type_width = min(max(map(cell_len, types.values())), _LONGEST_TYPE) if width >= _WIDE else 0
    side: Literal["old", "new"] = "old" if event.type == "delete" else "new"
    for name, value in row.items():
        value = told_apart(event, name, value, side)
        sign = "~" if name in changed else " "
        lead = Content.assemble(
            (f" {sign} ", SIGN_STYLES["~"]),
            (fit(names[name], name_width), "bold" if name in changed else ""),
            (f"  {fit(types[name], type_width)}  " if type_width else " ", QUIET),
        )
        style = f"italic {QUIET}" if is_absent(value) else "$success" if name in changed else ""
        text = Content.styled(value_text(value, VALUE_LIMIT), style)
        yield from hanging(lead, text, width, wrap=reading.wrap)
