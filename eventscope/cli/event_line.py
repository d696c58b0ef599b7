"""One line an event, for people."""

from __future__ import annotations

from typing import Final

from rich.color import ColorSystem
from rich.style import Style

from eventscope.event import Event
from eventscope.tui.widgets.feed_columns import Role, feed_cells

_STYLES: Final[dict[Role, Style]] = {
    "time": Style(dim=True),
    "xid": Style(dim=True),
    "name": Style(dim=True),
    "old": Style(dim=True),
    "sign": Style(dim=True),
    "insert": Style(color="green"),
    "update": Style(color="yellow"),
    "delete": Style(color="red"),
    "truncate": Style(color="red"),
    "table": Style(color="blue"),
    "message": Style(color="blue"),
}
"""The dashboard's colours, in those that the terminal's user has chosen."""


def event_line(event: Event, width: int, *, coloured: bool) -> str:
    """Say an event in at most ``width`` cells, as the dashboard's feed does.

    Nothing in it can drive a terminal but the colours, if there are to be any.
    """
    cells = feed_cells(event, width)
    if not coloured:
        return "".join(text for text, _ in cells).rstrip()
    return "".join(
        _STYLES.get(role, Style.null()).render(text, color_system=ColorSystem.STANDARD)
        for text, role in cells
    )
