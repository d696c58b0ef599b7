"""What the chosen tab says of an event, to scroll through."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from eventscope.event import Event
from eventscope.tui.widgets.event_lines import body_lines
from eventscope.tui.widgets.fate import Fate
from eventscope.tui.widgets.reading import QUIET, Reading

_NOTHING = "Nothing selected. Events appear here as they happen."


class EventPanel(VerticalScroll, can_focus=True):
    """The event at the feed's cursor; the pane that holds it has the tabs' actions."""

    BINDING_GROUP_TITLE = "Event"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "scroll_down", show=False, id="event.down", tooltip="Scroll down"),
        Binding("k,up", "scroll_up", show=False, id="event.up", tooltip="Scroll up"),
        Binding(
            "ctrl+d,pagedown", "page_down", show=False, id="event.page_down", tooltip="A page down"
        ),
        Binding("ctrl+u,pageup", "page_up", show=False, id="event.page_up", tooltip="A page up"),
        Binding("g,home", "scroll_home", show=False, id="event.top", tooltip="To the top"),
        Binding("G,end", "scroll_end", show=False, id="event.bottom", tooltip="To the bottom"),
    ]

    def __init__(self) -> None:
        super().__init__(id="event")
        self._body = Static(Content.styled(_NOTHING, QUIET))
        self._event: Event | None = None
        self._fate = Fate()
        self._reading = Reading()
        self._drawn: list[Content] = []

    def compose(self) -> ComposeResult:
        """Place the text."""
        yield self._body

    @property
    def is_shown(self) -> bool:
        """Whether the panel has a place on the screen."""
        return self.size.width > 0

    def show(self, event: Event | None, fate: Fate, reading: Reading) -> None:
        """Show an event, from its top if it or the tab is another one than before."""
        is_other = event is not self._event or reading.tab != self._reading.tab
        is_same = not is_other and reading == self._reading
        if is_same and (fate == self._fate or reading.tab != "Operators"):
            return  # laying a large event out is dear
        self._event, self._fate, self._reading = event, fate, reading
        if is_other:
            self.scroll_home(animate=False)
        self._draw()

    def on_resize(self) -> None:
        """Lay the text out anew."""
        self._draw()

    def _draw(self) -> None:
        lines = [Content.styled(_NOTHING, QUIET)]
        if self._event is not None:
            width = max(20, self.scrollable_content_region.width)
            lines = body_lines(self._event, self._fate, width, self._reading)
        if lines != self._drawn:
            taller_or_shorter = len(lines) != len(self._drawn)
            self._drawn = lines
            self._body.update(Content("\n").join(lines), layout=taller_or_shorter)
