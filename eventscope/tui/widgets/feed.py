"""The list of recent events, drawn once a frame whatever the rate of events."""

from __future__ import annotations

from typing import ClassVar, Final, get_args

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollTo, ScrollUp
from textual.strip import Strip

from eventscope.engine.ring import Entry, EventRing
from eventscope.tui.cells import fit
from eventscope.tui.widgets.feed_columns import Role, feed_cells
from eventscope.tui.widgets.feed_window import FeedWindow

_ROLES: Final[tuple[Role, ...]] = get_args(Role)
_CACHED_ROWS: Final = 1_000


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
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "feed--cursor",
        "feed--cursor-blurred",
        *(f"feed--{role}" for role in _ROLES),
    }

    class Moved(Message):
        """The cursor is at another event, or the feed was frozen or let go."""

    class Opened(Message):
        """The event at the cursor is to be read."""

    def __init__(self, ring: EventRing) -> None:
        super().__init__(id="feed")
        self._window = FeedWindow(ring)
        self._cursor = 0
        self._strips: LRUCache[tuple[int, bool, bool], Strip] = LRUCache(_CACHED_ROWS)
        self._width = 0
        self._looks: dict[str, Style] = {}

    @property
    def frozen(self) -> bool:
        """Whether the list is held still."""
        return self._window.frozen

    @property
    def unseen(self) -> int:
        """How many events have come since it was frozen."""
        return self._window.unseen

    @property
    def is_empty(self) -> bool:
        """Whether there is no event to show."""
        return len(self._window) == 0

    @property
    def cursor(self) -> int | None:
        """The number in the queue of the event at the cursor: the newest one while following."""
        if self.is_empty:
            return None
        return self._cursor if self.frozen else self._window.seq_at(-1)

    def selected(self) -> Entry | None:
        """The event at the cursor, undecoded."""
        return None if self.cursor is None else self._window.entry(self.cursor)

    def pump(self) -> None:
        """Take in what is new; called once a frame."""
        if self._window.pump():
            self._show_newest()

    def freeze(self) -> None:
        """Hold the list still, with the cursor where it is."""
        if self.frozen or self.is_empty:
            return
        self._window.freeze()
        self._cursor = self._window.seq_at(-1)
        self.post_message(self.Moved())

    def action_newest(self) -> None:
        """Let the list go and be at the newest event at once."""
        self._window.follow()
        self._show_newest()
        self.post_message(self.Moved())

    def action_oldest(self) -> None:
        """Go to the oldest event of the list."""
        self._move_to(0)

    def action_move(self, rows: int) -> None:
        """Move the cursor; down from the newest event there is nowhere to go."""
        if self.cursor is not None and (self.frozen or rows < 0):
            self.freeze()
            self._move_to(self._window.index_of(self._cursor) + rows)

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
        if index < len(self._window):
            self.freeze()
            self._move_to(index)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_up(self) -> None:
        """Hold the list still under the wheel."""
        self.freeze()

    def on_mouse_scroll_down(self) -> None:
        """Follow again when the wheel goes on past the end."""
        if self.frozen and self.scroll_offset.y >= self.max_scroll_y:
            self.action_newest()

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
        self._looks = {}
        self._strips.clear()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is visible; its width is looked up once, for that is dear."""
        width = self.scrollable_content_region.width
        if width != self._width:
            self._strips.clear()
            self._width = width
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one visible row. Whatever its event holds, this must not fail."""
        index, width = y + self.scroll_offset.y, self._width
        if not 0 <= index < len(self._window):
            return Strip.blank(width, self.rich_style)
        seq = self._window.seq_at(index)
        place = (seq, seq == self.cursor, self.has_focus)
        strip = self._strips.get(place)
        if strip is None:
            strip, is_final = self._draw(seq, width)
            if is_final:
                self._strips[place] = strip
        return strip

    def _draw(self, seq: int, width: int) -> tuple[Strip, bool]:
        try:
            event = self._window.event(seq)
            cells = [] if event is None else feed_cells(event, width)
        except Exception:
            event, cells = None, [("<unprintable>", "sign")]
        looks = self._role_styles()
        if seq == self.cursor:
            look = looks["cursor" if self.has_focus else "cursor-blurred"]
            text = fit("".join(text for text, _ in cells), width)
            return Strip([Segment(text, look)], width), event is not None
        segments = [Segment(text, looks[role]) for text, role in cells]
        return Strip(segments).adjust_cell_length(width, looks["value"]), event is not None

    def _role_styles(self) -> dict[str, Style]:
        if not self._looks:
            looks = ("cursor", "cursor-blurred", *_ROLES)
            self._looks = {look: self.get_component_rich_style(f"feed--{look}") for look in looks}
        return self._looks

    def _show_newest(self) -> None:
        self._resize_list()
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        self.refresh()

    def _resize_list(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._window))

    def _move_to(self, index: int) -> None:
        if self.is_empty:
            return
        self.freeze()
        self.refresh_line(self._window.index_of(self._cursor))
        index = max(0, min(index, len(self._window) - 1))
        self._cursor = self._window.seq_at(index)
        self._scroll_to_cursor()
        self.refresh_line(index)
        self.post_message(self.Moved())

    def _scroll_to_cursor(self) -> None:
        """Scroll as little as brings the cursor into sight."""
        index, top, height = (
            self._window.index_of(self._cursor),
            self.scroll_offset.y,
            self.size.height,
        )
        if index < top:
            self.scroll_to(y=index, animate=False, force=True)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, force=True)
