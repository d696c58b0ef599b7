"""One event: what happened to which row, when, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from eventscope.event import Event
from eventscope.inspection.diff import event_diff
from eventscope.inspection.summary import named_key
from eventscope.inspection.text import safe_text
from eventscope.tui.widgets.diff_lines import QUIET, diff_lines, indented

_NOTHING = "Nothing selected. Events appear here as they happen."


class EventPanel(VerticalScroll, can_focus=True):
    """The event at the feed's cursor."""

    BINDING_GROUP_TITLE = "Event"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.show_feed", "Back", id="event.back", tooltip="Back to the feed"),
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
        try:
            lines = [*_header(self._event, width), Content(""), *_changes(self._event, width)]
        except Exception as error:
            lines = [Content(safe_text(f"<unprintable: {error!r}>", 300))]
        self._body.update(Content("\n").join(lines))


def _header(event: Event, width: int) -> Iterator[Content]:
    source = event.source
    table = f"{safe_text(source.schema, 64)}.{safe_text(source.table, 64)}"
    title = Content.assemble(
        (f"{event.type.upper()} ", "bold"), (table, "bold $primary"), f"  {named_key(event)}"
    )
    yield from indented(title, 1, width)
    time = event.timestamp.astimezone().strftime("%H:%M:%S.%f")[:-3]
    facts = [time, f"xid {event.xid}", f"lsn {event.lsn}"]
    if event.type == "update":
        facts.append(f"{len(event.changes or {})} of {len(source.columns)} columns")
    yield from indented(Content.styled(" · ".join(facts), QUIET), 1, width)


def _changes(event: Event, width: int) -> Iterator[Content]:
    if event.type == "truncate":
        yield Content.styled(" every row of the table was removed at once", QUIET)
        return
    diff = event_diff(event)
    if event.type == "update" and not diff.columns and not diff.unknown:
        yield Content.styled(" the row was written again, with the same values", QUIET)
    yield from diff_lines(diff, width)
