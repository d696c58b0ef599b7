"""One event: what happened to which row, when, and what changed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from eventscope.event import Event
from eventscope.tui.widgets.diff_lines import QUIET
from eventscope.tui.widgets.event_lines import event_lines

_NOTHING = "Nothing selected. Events appear here as they happen."


class EventPanel(VerticalScroll, can_focus=True):
    """The event at the feed's cursor."""

    BINDING_GROUP_TITLE = "Event"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "escape", "screen.view('feed')", "Back", id="event.back", tooltip="Back to the feed"
        ),
        Binding("j,down", "scroll_down", show=False, id="event.down", tooltip="Scroll down"),
        Binding("k,up", "scroll_up", show=False, id="event.up", tooltip="Scroll up"),
        Binding(
            "ctrl+d,pagedown", "page_down", show=False, id="event.page_down", tooltip="A page down"
        ),
        Binding("ctrl+u,pageup", "page_up", show=False, id="event.page_up", tooltip="A page up"),
        Binding("g,home", "scroll_home", show=False, id="event.top", tooltip="To the top"),
        Binding("G,end", "scroll_end", show=False, id="event.bottom", tooltip="To the bottom"),
        Binding("J", "screen.next_event(1)", "Next", id="event.next", tooltip="Next event"),
        Binding(
            "K", "screen.next_event(-1)", show=False, id="event.previous", tooltip="Previous event"
        ),
    ]

    def __init__(self) -> None:
        super().__init__(id="event")
        self._body = Static(Content.styled(_NOTHING, QUIET))
        self._event: Event | None = None
        self._count = 0

    def compose(self) -> ComposeResult:
        """Place the text."""
        yield self._body

    @property
    def is_shown(self) -> bool:
        """Whether the panel has a place on the screen."""
        return self.size.width > 0

    def show(self, event: Event | None) -> None:
        """Show another event."""
        if event is not self._event:
            self._event = event
            self.scroll_home(animate=False)
            self._draw()

    def on_resize(self) -> None:
        """Lay the text out anew."""
        self._draw()

    def _draw(self) -> None:
        if self._event is None:
            self._body.update(Content.styled(_NOTHING, QUIET))
            return
        width = max(20, self.scrollable_content_region.width)
        lines = event_lines(self._event, width)
        taller_or_shorter = len(lines) != self._count
        self._count = len(lines)
        self._body.update(Content("\n").join(lines), layout=taller_or_shorter)
