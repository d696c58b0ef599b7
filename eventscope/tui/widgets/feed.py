"""The list of recent events, drawn once a frame whatever the rate of events."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollTo, ScrollUp
from textual.strip import Strip

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import Page
from eventscope.engine.ring import Entry, EventRing
from eventscope.inspection.filter import Filter
from eventscope.tui.filtering.filtered_list import FilteredList
from eventscope.tui.marks import Marks
from eventscope.tui.widgets.delivery_cells import DeliveryCells
from eventscope.tui.widgets.event_list import EventList
from eventscope.tui.widgets.feed_rows import LOOKS, Cursor, FeedRows
from eventscope.tui.widgets.feed_window import FeedWindow


class Feed(ScrollView, can_focus=True):
    """Rows of events; any move upwards holds it still, so that what is read never moves.

    The cursor is the number of an event in the queue, not a place on the screen.
    """

    BINDING_GROUP_TITLE = "Feed"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="feed.down", tooltip="Next event"),
        Binding("k,up", "move(-1)", "Up", show=False, id="feed.up", tooltip="Previous event"),
        Binding(
            "pagedown", "move_pages(1.0)", show=False, id="feed.page_down", tooltip="A page down"
        ),
        Binding("pageup", "move_pages(-1.0)", show=False, id="feed.page_up", tooltip="A page up"),
        Binding(
            "ctrl+d", "move_pages(0.5)", show=False, id="feed.half_down", tooltip="Half a page down"
        ),
        Binding(
            "ctrl+u", "move_pages(-0.5)", show=False, id="feed.half_up", tooltip="Half a page up"
        ),
        Binding("g,home", "oldest", show=False, id="feed.oldest", tooltip="The oldest event kept"),
        Binding("G,end", "newest", show=False, id="feed.newest", tooltip="The newest, and follow"),
        Binding("enter", "open", "Open", id="feed.open", tooltip="Read the event"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"feed--{look}" for look in LOOKS}

    class Moved(Message):
        """The cursor is at another event, or the feed was frozen or let go."""

    class Missing(Message):
        """Something is to be asked for: see ``missing``."""

    class Opened(Message):
        """The event at the cursor is to be read."""

    def __init__(self, ring: EventRing, marks: Marks) -> None:
        super().__init__(id="feed")
        self.window = FeedWindow(ring)
        """The newest events, whatever is shown instead of them."""
        self.events = FilteredList(self.window, marks.__contains__)
        """The same, as far as a filter lets them through."""
        self._list: EventList = self.events
        self._behind: list[tuple[EventList, int, int]] = []
        self._marks = marks
        self._cursor = 0
        self._deliveries = DeliveryCells()
        self._rows = FeedRows(lambda look: self.get_component_rich_style(f"feed--{look}"))

    @property
    def listed(self) -> EventList:
        """What is shown."""
        return self._list

    @property
    def restricted(self) -> bool:
        """Whether another list is shown than that of the newest events."""
        return bool(self._behind)

    @property
    def frozen(self) -> bool:
        """Whether the list is held still."""
        return self._list.frozen

    @property
    def unseen(self) -> int:
        """How many events have come since it was frozen."""
        return self.window.unseen

    @property
    def is_empty(self) -> bool:
        """Whether there is no event to show."""
        return len(self._list) == 0

    @property
    def cursor(self) -> int | None:
        """The number in the queue of the event at the cursor: the newest one while following."""
        if self.is_empty:
            return None
        if not self.frozen:
            return self._list.seq_at(-1)
        return self._list.seq_at(self._list.index_of(self._cursor))

    def selected(self) -> Entry | None:
        """The event at the cursor, undecoded."""
        return None if self.cursor is None else self._list.entry(self.cursor)

    def pump(self) -> None:
        """Take in what is new; called once a frame."""
        row = self._cursor_row
        if self._list.pump():
            self._show_changed(row)

    def filter_by(self, filter: Filter | None) -> None:
        """List the newest events that match; where the cursor was, the next one that does."""
        while self.restricted:
            self.leave_list()
        row = self._cursor_row
        self.events.filter = filter
        self._show_changed(row)
        self._tell_moved()

    def show_deliveries(self, deliveries: DeliveryCells) -> None:
        """Show what became of the events at the operators, where that has changed."""
        before, self._deliveries = self._deliveries, deliveries
        top = self.scroll_offset.y
        for index in range(top, min(top + self.size.height, len(self._list))):
            entry = self._list.entry(self._list.seq_at(index))
            if entry is not None and before.text(entry) != deliveries.text(entry):
                self.refresh_line(index)

    def show_list(self, listed: EventList, cursor: int) -> None:
        """Show another list, until it is left again.

        Args:
            listed: it has at least one event.
            cursor: where the cursor is in it.
        """
        self.freeze()
        self._behind.append((self._list, self._cursor, self.scroll_offset.y))
        self._list = listed
        self._cursor = listed.seq_at(listed.index_of(cursor))
        self._show_again(listed.index_of(cursor) - self.size.height // 2)
        self._tell_moved()

    def leave_list(self) -> None:
        """Go back to what was shown before, with the cursor where it was."""
        self._list, self._cursor, top = self._behind.pop()
        self._show_again(top)
        self._tell_moved()

    def missing(self) -> tuple[EventList, Question[Page], bool] | None:
        """What is to be asked for as its place will soon be in sight.

        Returns:
            The list that wants it, the question, and whether it is about what is older.
        """
        top, height = self.scroll_offset.y, self.size.height
        if top < height and (question := self._list.older()):
            return self._list, question, True
        if top + 2 * height > len(self._list) and (question := self._list.newer()):
            return self._list, question, False
        return None

    def add_page(self, listed: EventList, page: Page, *, older: bool) -> None:
        """List what was missing; the rows that are read stay where they are."""
        moved = listed.add_older(page) if older else -listed.add_newer(page)
        if listed is self._list:
            following = not self.frozen
            self._show_again(self.scroll_offset.y + moved)
            if following:
                self._show_newest()
            self._tell_moved()

    def freeze(self) -> None:
        """Hold the list still, with the cursor where it is."""
        if self.frozen or self.is_empty:
            return
        self._list.freeze()
        self._cursor = self._list.seq_at(-1)
        self._tell_moved()

    def follow(self) -> None:
        """Be back at the newest event at once, whatever was shown."""
        if self._behind:
            self._list, *_ = self._behind[0]
            self._behind.clear()
            self._rows.forget()
        self._list.follow()
        self._show_newest()
        self._tell_moved()

    def go_to(self, seq: int) -> bool:
        """Put the cursor on an event; whether it is listed."""
        if self._list.entry(seq) is None:
            return False
        self._move_to(self._list.index_of(seq))
        return True

    def action_newest(self) -> None:
        """Let the list go and be at the newest event at once, or at the last of this list."""
        if self.restricted:
            self._move_to(len(self._list) - 1)
        else:
            self.follow()

    def action_oldest(self) -> None:
        """Go to the oldest event of the list."""
        self._move_to(0)

    def action_move(self, rows: int) -> None:
        """Move the cursor; down from the newest event there is nowhere to go."""
        if self.cursor is not None and (self.frozen or rows < 0):
            self.freeze()
            self._move_to(self._list.index_of(self._cursor) + rows)

    def action_move_pages(self, pages: float) -> None:
        """Move the cursor by a share of what is visible."""
        self.action_move(round(pages * max(2, self.size.height - 1)))

    def action_open(self) -> None:
        """Hold the list still and have the event at the cursor shown."""
        if not self.is_empty:
            self.freeze()
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row; a double click opens it."""
        index = event.y + self.scroll_offset.y
        if index < len(self._list):
            self.freeze()
            self._move_to(index)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_up(self) -> None:
        """Hold the list still under the wheel."""
        self.freeze()

    def on_mouse_scroll_down(self) -> None:
        """Follow again when the wheel goes on past the end."""
        at_end = self.scroll_offset.y >= self.max_scroll_y
        if self.frozen and not self.restricted and at_end:
            self.follow()

    def on_scroll_to(self, _: ScrollTo) -> None:
        """Hold the list still under the dragged scroll bar."""
        self.freeze()

    def on_scroll_up(self, _: ScrollUp) -> None:
        """Hold the list still when the scroll bar is clicked."""
        self.freeze()

    def on_resize(self) -> None:
        """Keep the newest event, or the cursor, in sight."""
        if self.frozen:
            self._scroll_to_cursor()
        else:
            self._show_newest()

    def notify_style_update(self) -> None:
        """Forget rows in the old colours."""
        super().notify_style_update()
        self._rows.forget()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """See whether the end of what is listed comes into sight."""
        super().watch_scroll_y(old_value, new_value)
        self._ask_for_missing()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is visible; its width is looked up once, for that is dear."""
        self._rows.resize(self.scrollable_content_region.width)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one visible row."""
        index = y + self.scroll_offset.y
        if not 0 <= index < len(self._list):
            return self._rows.blank(self.rich_style)
        seq = self._list.seq_at(index)
        entry = self._list.entry(seq)
        if entry is None:
            return self._rows.blank(self.rich_style)
        cursor: Cursor | None = None
        if seq == self.cursor:
            cursor = "cursor" if self.has_focus else "cursor-blurred"
        ops = self._deliveries.text(entry)
        return self._rows.row(entry, ops, cursor, is_marked=seq in self._marks)

    def _show_newest(self) -> None:
        self._resize_list()
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        self.refresh()

    def _show_again(self, top: int) -> None:
        """Show the list as it is now, with one of its rows at the top."""
        self._rows.forget()
        self._resize_list()
        self.scroll_to(y=top, animate=False, force=True)
        self.refresh()

    def _show_changed(self, row: int) -> None:
        """Show a list that has changed, the cursor in the same row as far as that can be."""
        if not self.frozen:
            self._show_newest()
            return
        self._resize_list()
        top = max(0, self._list.index_of(self._cursor) - row)
        self.scroll_to(y=top, animate=False, force=True)
        self._scroll_to_cursor()
        self.refresh()

    @property
    def _cursor_row(self) -> int:
        """Where the cursor is on the screen."""
        return self._list.index_of(self._cursor) - self.scroll_offset.y

    def _resize_list(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._list))

    def _move_to(self, index: int) -> None:
        if self.is_empty:
            return
        self.freeze()
        self.refresh_line(self._list.index_of(self._cursor))
        index = max(0, min(index, len(self._list) - 1))
        self._cursor = self._list.seq_at(index)
        self._scroll_to_cursor()
        self.refresh_line(index)
        self._tell_moved()

    def _tell_moved(self) -> None:
        self.post_message(self.Moved())
        self._ask_for_missing()

    def _ask_for_missing(self) -> None:
        if self.missing() is not None:
            self.post_message(self.Missing())

    def _scroll_to_cursor(self) -> None:
        """Scroll as little as brings the cursor into sight."""
        index, top, height = (
            self._list.index_of(self._cursor),
            self.scroll_offset.y,
            self.size.height,
        )
        if index < top:
            self.scroll_to(y=index, animate=False, force=True)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, force=True)
