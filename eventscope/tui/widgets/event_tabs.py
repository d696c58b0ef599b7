"""The names of the ways to look at an event."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eventscope.tui.widgets.reading import QUIET, TABS, Tab

_GAP: Final = " "
_HINT: Final = "J/K other events"


class EventTabs(Widget):
    """One line; a click on a name chooses it."""

    class Chosen(Message):
        """A person wants another tab."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self) -> None:
        super().__init__(id="event-tabs")
        self._tab: Tab = "Diff"

    def show(self, tab: Tab) -> None:
        """Mark the tab that is open."""
        if tab != self._tab:
            self._tab = tab
            self.refresh()

    def render(self) -> Content:
        """Put the names in a row."""
        tabs = Content(_GAP).join(
            Content.styled(f" {tab} ", "bold $primary reverse" if tab == self._tab else QUIET)
            for tab in TABS
        )
        gap = self.size.width - tabs.cell_length - len(_HINT)
        return tabs if gap < 2 else Content.assemble(tabs, " " * gap, (_HINT, QUIET))

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the mouse."""
        start = self.styles.padding.left
        for tab in TABS:
            end = start + len(tab) + 2
            if start <= event.x < end:
                self.post_message(self.Chosen(tab))
            start = end + len(_GAP)
