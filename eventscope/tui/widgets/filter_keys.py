"""Filtering the feed: the keys, the bar, and what they do to the list."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.getters import query_one

from eventscope.engine.snapshot import Snapshot
from eventscope.inspection.filter import Filter
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.filtering.history import FilterHistory
from eventscope.tui.filtering.quick_terms import quick_terms
from eventscope.tui.filtering.saved import SavedFilters
from eventscope.tui.filtering.vocabulary import Vocabulary
from eventscope.tui.screens.quick_filter import QuickFilterScreen
from eventscope.tui.screens.save_filter import SaveFilterScreen
from eventscope.tui.screens.saved_filters import SavedFiltersScreen
from eventscope.tui.toast import toast
from eventscope.tui.widgets.feed_keys import FeedKeys
from eventscope.tui.widgets.filter_bar import FilterBar
from eventscope.tui.widgets.filter_input import FilterInput


class FilterKeys(FeedKeys):
    """A pane with a feed and a filter bar below it.

    Args:
        engine: whose events and operators a filter can be completed with.
        history: what was filtered by before.
        saved: filters with names.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "quick_filter", show=False, id="filter.quick", tooltip="Filter by this event"),
        Binding("F", "saved_filters", show=False, id="filter.saved", tooltip="Saved filters"),
    ]

    bar = query_one(FilterBar)

    def __init__(
        self, engine: AttachedEngine, history: FilterHistory, saved: SavedFilters, *, id: str
    ) -> None:
        super().__init__(engine, id=id)
        self._history = history
        self._saved = saved

    def new_bar(self) -> FilterBar:
        """The bar, to be placed below the feed."""
        return FilterBar(self._vocabulary, self._history)

    def open_filter(self) -> None:
        """Write a filter."""
        self.bar.open()

    def show_filtered(self) -> bool:
        """Say how many events match; whether there are some that do not, and no others."""
        events = self.feed.events
        self.bar.show_counts(events)
        return not len(events) and events.total > 0 and not events.untested

    def show(self, snapshot: Snapshot) -> None:
        """Test what may have changed since the last snapshot."""
        self.feed.events.know(snapshot.operators, snapshot.taken_at)

    @property
    def nothing_matches(self) -> tuple[str, list[str]]:
        """What to say then: a heading and lines."""
        events = self.feed.events
        return (
            f"Nothing matches: {self.bar.filter}",
            [f"0 of {events.total:,} events", "esc clears the filter."],
        )

    def action_quick_filter(self) -> None:
        """Offer what the event at the cursor suggests."""
        entry = self.feed.selected()
        if entry is None:
            toast(self, "There is no event to filter by.")
            return
        self.feed.freeze()
        menu = QuickFilterScreen(quick_terms(entry.event()), self.bar.filter)
        self.app.push_screen(menu, self._filter_by)

    def action_saved_filters(self) -> None:
        """Offer the saved filters."""
        self.app.push_screen(SavedFiltersScreen(self._saved), self._filter_by)

    def action_leave(self) -> None:
        """Show what was shown before, at last everything."""
        if self.feed.restricted:
            super().action_leave()
        else:
            self.bar.put("")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There must be something to go back from."""
        if action == "leave":
            return self.feed.restricted or self.bar.filter is not None
        return super().check_action(action, parameters)

    @on(FilterBar.Filtered)
    def _filter(self, event: FilterBar.Filtered) -> None:
        self._apply(event.filter)

    @on(FilterBar.Left)
    def _return(self) -> None:
        self.feed.focus()

    @on(FilterInput.Asked)
    def _answer(self, event: FilterInput.Asked) -> None:
        match event.what:
            case "saved":
                self.action_saved_filters()
            case "save":
                self._save()

    def _save(self) -> None:
        filter, problem = self.bar.filter, self.bar.problem
        if problem is not None:
            toast(self, f"This is not a filter yet: {problem}")
            return
        if filter is None:
            toast(self, "There is no filter to save.")
            return

        def save(name: str | None) -> None:
            if name is not None:
                self._saved.save(name, filter.text)
                toast(self, f"saved as {name}: F in the feed lists it", is_problem=False)

        self.app.push_screen(SaveFilterScreen(filter), save)

    def _filter_by(self, text: str | None) -> None:
        if text is not None:
            self.bar.put(text)

    def _apply(self, filter: Filter | None) -> None:
        self.feed.filter_by(filter)
        self.bar.show_counts(self.feed.events)
        self.refresh_bindings()

    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.engine.ring, self.engine.snapshot().operators)
