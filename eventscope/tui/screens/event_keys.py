"""The keys that act upon the selected event, whichever pane has the focus."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.getters import query_one

from eventscope.engine.ring import Entry
from eventscope.tui.pager import NoPager, page
from eventscope.tui.screens.breakpoint_keys import BreakpointKeys
from eventscope.tui.screens.copy_menu import Copied, CopyMenu
from eventscope.tui.toast import toast
from eventscope.tui.widgets.event_pane import EventPane
from eventscope.tui.widgets.feed import Feed
from eventscope.tui.widgets.feed_pane import FeedPane


class EventKeys(BreakpointKeys):
    """A screen with a feed and the event at its cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "y", "copy_event", "Copy", id="event.copy", tooltip="Copy the event: JSON, key, SQL …"
        ),
        Binding(
            "v",
            "page_event",
            show=False,
            id="event.pager",
            tooltip="Read the event whole in $PAGER",
        ),
    ]

    feed_pane = query_one(FeedPane)
    feed = query_one(Feed)
    event_pane = query_one(EventPane)

    def action_copy_event(self) -> None:
        """Ask what is to be copied."""
        if entry := self._selected_event("copy"):
            self.feed.freeze()
            self.app.push_screen(CopyMenu(entry.event()), self._copy)

    def action_page_event(self) -> None:
        """Read the event in the pager, as far as the open tab tells it."""
        if entry := self._selected_event("read"):
            self.feed.freeze()
            try:
                page(self.app, self.event_pane.whole_text(entry))
            except NoPager as problem:
                toast(self, str(problem))

    def action_retry_event(self) -> None:
        """Have the operators that failed at the selected event try it again."""
        self.feed_pane.action_retry()

    def _copy(self, copied: Copied | None) -> None:
        if copied is not None:
            self.app.copy_to_clipboard(copied.text)
            size = f"{len(copied.text):,} characters"
            toast(self, f"Copied {copied.what}, {size}.", is_problem=False)

    def _selected_event(self, verb: str) -> Entry | None:
        entry = self.feed.selected()
        if entry is None:
            toast(self, f"There is no event to {verb} yet.")
        return entry
