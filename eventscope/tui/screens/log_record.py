"""One log record, whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from eventscope.engine.log_ring import LogRecord
from eventscope.inspection.text import safe_lines, safe_text
from eventscope.tui.cells import fit
from eventscope.tui.symbols import LEVEL_LOOKS, TONE_COLOURS
from eventscope.tui.toast import toast
from eventscope.tui.widgets.log_columns import clock

Wanted = Literal["operator", "event"]
"""What to go to from a record."""

_QUIET = "$foreground-muted"


class LogRecordScreen(ModalScreen[Wanted | None]):
    """Everything that a record says; gives what to go to next, if anything.

    Args:
        record: which.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close", id="record.close", tooltip="Close"),
        Binding("y", "copy", "Copy", id="record.copy", tooltip="Copy what it says"),
        Binding("o", "dismiss('operator')", "Operator", id="record.operator",
                tooltip="To its operator"),
        Binding("f", "dismiss('event')", "Event", id="record.event",
                tooltip="To its event in the feed"),
    ]  # fmt: skip

    def __init__(self, record: LogRecord) -> None:
        super().__init__()
        self._record = record

    def compose(self) -> ComposeResult:
        """Lay out the record."""
        with VerticalScroll(classes="window") as window:
            window.border_title = "Log record"
            window.border_subtitle = "y copies · o operator · f event · esc closes"
            yield Static(Content("\n").join(_lines(self._record)))

    def action_copy(self) -> None:
        """Copy what it says, as it came."""
        message = self._record.message.encode(errors="replace")  # half a character is none
        self.app.copy_to_clipboard(message.decode())
        toast(self, "Copied the message.", is_problem=False)


def _lines(record: LogRecord) -> Iterator[Content]:
    look = LEVEL_LOOKS[record.level]
    yield Content.assemble(
        (f"{look.symbol} {record.level}", f"bold {TONE_COLOURS[look.tone]}"),
        (f"  {clock(record.at, '%Y-%m-%d %H:%M:%S')}", _QUIET),
    )
    for name, value in (("operator", record.operator), ("event", record.event_id)):
        if value is not None:
            yield Content.assemble((fit(name, 12), _QUIET), safe_text(value))
    yield Content("")
    yield from map(Content, safe_lines(record.message))
    if record.details:
        yield Content("")
    for name, value in record.details:
        for line in safe_lines(value):
            yield Content.assemble((fit(safe_text(name, 40), 12), _QUIET), line)
            name = ""
