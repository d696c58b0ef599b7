"""The list of log records, drawn once a frame whatever their number."""

from __future__ import annotations

from typing import ClassVar, Final, get_args

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollTo, ScrollUp
from textual.strip import Strip

from eventscope.engine.log_ring import LogRecord, LogRing
from eventscope.event import EventId
from eventscope.tui.cells import fit
from eventscope.tui.log_filter import LogFilter
from eventscope.tui.screens.log_record import LogRecordScreen, Wanted
from eventscope.tui.symbols import Tone
from eventscope.tui.toast import toast
from eventscope.tui.widgets.log_columns import log_cells
from eventscope.tui.widgets.log_window import LogWindow

_ROLES: Final = ("plain", "operator", *get_args(Tone))


class LogList(ScrollView, can_focus=True):
    """Rows of records; any move upwards holds it still, so that what is read never moves.

    The cursor is the sequence number of a record, not a place on the screen.
    """

    BINDING_GROUP_TITLE = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False, id="log.down", tooltip="Next record"),
        Binding("k,up", "move(-1)", show=False, id="log.up", tooltip="Previous record"),
        Binding("pagedown", "move_pages(1.0)", show=False, id="log.page_down",
                tooltip="A page down"),
        Binding("pageup", "move_pages(-1.0)", show=False, id="log.page_up", tooltip="A page up"),
        Binding("ctrl+d", "move_pages(0.5)", show=False, id="log.half_down",
                tooltip="Half a page down"),
        Binding("ctrl+u", "move_pages(-0.5)", show=False, id="log.half_up",
                tooltip="Half a page up"),
        Binding("g,home", "oldest", show=False, id="log.oldest", tooltip="The oldest record kept"),
        Binding("G,end", "newest", show=False, id="log.newest", tooltip="The newest, and follow"),
        Binding("enter", "open", "Open", id="log.open", tooltip="Read the record"),
        Binding("o", "go('operator')", "Operator", id="log.operator",
                tooltip="To the record's operator"),
        Binding("f", "go('event')", "Event", id="log.event",
                tooltip="To the record's event in the feed"),
        Binding("space", "toggle_freeze", "Freeze", id="log.freeze",
                tooltip="Freeze the log, or follow"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--cursor",
        "log--cursor-blurred",
        *(f"log--{role}" for role in _ROLES),
    }

    class OperatorWanted(Message):
        """Somebody wants to see an operator."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class EventWanted(Message):
        """Somebody wants to see an event."""

        def __init__(self, id: EventId) -> None:
            super().__init__()
            self.id = id

    def __init__(self, ring: LogRing) -> None:
        super().__init__(id="log")
        self.window = LogWindow(ring)
        self._cursor = 0

    @property
    def cursor(self) -> int | None:
        """The sequence number of the record at the cursor: the newest one while following."""
        if not len(self.window):
            return None
        return self._cursor if self.window.frozen else self.window.at(-1)[0]

    @property
    def selected(self) -> LogRecord | None:
        """The record at the cursor."""
        return None if self.cursor is None else self.window.at(self._index)[1]

    def pump(self) -> None:
        """Take in what is new."""
        if self.window.pump():
            self._show_newest()

    def use(self, filter: LogFilter) -> None:
        """List what a filter lets through."""
        cursor = self.cursor
        self.window.use(filter)
        if self.window.frozen and cursor is not None and len(self.window):
            self._cursor = self.window.at(self.window.index_of(cursor))[0]
            self._resize_list()
            self._scroll_to_cursor()
            self.refresh()
        else:
            self._show_newest()

    def action_move(self, rows: int) -> None:
        """Move the cursor; down from the newest record there is nowhere to go."""
        if self.cursor is not None and (self.window.frozen or rows < 0):
            self._move_to(self._index + rows)

    def action_move_pages(self, pages: float) -> None:
        """Move the cursor by a share of what is visible."""
        self.action_move(round(pages * max(2, self.size.height - 1)))

    def action_oldest(self) -> None:
        """Go to the oldest record."""
        self._move_to(0)

    def action_newest(self) -> None:
        """Let the list go and be at the newest record."""
        self.window.follow()
        self._show_newest()

    def action_toggle_freeze(self) -> None:
        """Hold the list still, or follow again."""
        if self.window.frozen:
            self.action_newest()
        else:
            self._freeze()

    def action_open(self) -> None:
        """Read the record at the cursor."""
        record = self.selected
        if record is not None:
            self._freeze()
            self.app.push_screen(LogRecordScreen(record), lambda wanted: self._go(record, wanted))

    def action_go(self, wanted: Wanted) -> None:
        """Go to the operator or the event of the record at the cursor."""
        if self.selected is not None:
            self._go(self.selected, wanted)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a double click opens it."""
        index = event.y + self.scroll_offset.y
        if index < len(self.window):
            self._move_to(index)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_up(self) -> None:
        """Hold the list still under the wheel."""
        self._freeze()

    def on_mouse_scroll_down(self) -> None:
        """Follow again when the wheel goes on past the end."""
        if self.window.frozen and self.scroll_offset.y >= self.max_scroll_y:
            self.action_newest()

    def on_scroll_to(self, _: ScrollTo) -> None:
        """Hold the list still under the dragged scroll bar."""
        self._freeze()

    def on_scroll_up(self, _: ScrollUp) -> None:
        """Hold the list still when the scroll bar is clicked."""
        self._freeze()

    def on_resize(self) -> None:
        """Keep the newest record, or the cursor, in sight."""
        if self.window.frozen:
            self._scroll_to_cursor()
        else:
            self._show_newest()

    def render_line(self, y: int) -> Strip:
        """Draw one visible row. Whatever its record holds, this must not fail."""
        index, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if not 0 <= index < len(self.window):
            return Strip.blank(width, self.rich_style)
        seq, record = self.window.at(index)
        cells = log_cells(record, width)
        if seq == self.cursor:
            look = self.get_component_rich_style(
                "log--cursor" if self.has_focus else "log--cursor-blurred"
            )
            return Strip([Segment(fit("".join(text for text, _ in cells), width), look)], width)
        segments = [
            Segment(text, self.get_component_rich_style(f"log--{role}")) for text, role in cells
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    @property
    def _index(self) -> int:
        return self.window.index_of(self._cursor) if self.window.frozen else len(self.window) - 1

    def _go(self, record: LogRecord, wanted: Wanted | None) -> None:
        if wanted == "operator":
            if record.operator is None:
                toast(self, "No operator has said this.")
            else:
                self.post_message(self.OperatorWanted(record.operator))
        elif wanted == "event":
            if record.event_id is None:
                toast(self, "This is about no event.")
            else:
                self.post_message(self.EventWanted(record.event_id))

    def _freeze(self) -> None:
        """Hold the list still, with the cursor where it is."""
        if not self.window.frozen and self.cursor is not None:
            self._cursor = self.cursor
            self.window.freeze()

    def _move_to(self, index: int) -> None:
        if self.cursor is not None:
            self._freeze()
            index = max(0, min(index, len(self.window) - 1))
            self._cursor = self.window.at(index)[0]
            self._scroll_to_cursor()
            self.refresh()

    def _show_newest(self) -> None:
        self._resize_list()
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        self.refresh()

    def _resize_list(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.window))

    def _scroll_to_cursor(self) -> None:
        """Scroll as little as brings the cursor into sight."""
        index, top, height = self._index, self.scroll_offset.y, max(1, self.size.height)
        self.scroll_to(y=min(index, max(top, index - height + 1)), animate=False, force=True)
