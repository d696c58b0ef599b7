"""The event at the feed's cursor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.getters import query_one

from eventscope.engine.ring import Entry
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.widgets.event_panel import EventPanel
from eventscope.tui.widgets.pane import Pane


class EventPane(Pane):
    """One event: what happened to which row, when, and what changed."""

    TITLE = "Event"

    panel = query_one(EventPanel)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="event-pane")

    def compose(self) -> ComposeResult:
        """Place the event."""
        yield EventPanel()

    def show_event(self, entry: Entry | None) -> None:
        """Show another event."""
        self.panel.show(None if entry is None else entry.event())
