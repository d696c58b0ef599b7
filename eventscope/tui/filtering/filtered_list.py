"""The events of the feed that match a filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eventscope.engine.questions import Question
from eventscope.engine.questions.history import Page
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.inspection.filter import Filter
from eventscope.tui.filtering.entry_context import EntryContext
from eventscope.tui.filtering.sieve import Sieve
from eventscope.tui.widgets.feed_window import FeedWindow
from eventscope.tui.widgets.held_list import HeldList

_SLICE: Final = 0.008
"""Seconds of a frame for testing events."""
_SECOND: Final = 1.0


class FilteredList(HeldList):
    """A feed window seen through a filter; without one it is the window itself.

    Args:
        window: every event.
        is_marked: whether a person marked the event of a number in the queue.
    """

    def __init__(
        self, window: FeedWindow, is_marked: Callable[[int], bool] = lambda seq: False
    ) -> None:
        super().__init__()
        self._window = window
        self._listed = window.entries
        self._context = EntryContext(is_marked)
        self._sieve: Sieve | None = None
        self._known_at = 0.0

    @property
    def filter(self) -> Filter | None:
        """What is listed; None: everything."""
        return None if self._sieve is None else self._sieve.filter

    @filter.setter
    def filter(self, filter: Filter | None) -> None:
        self._sieve = None if filter is None else Sieve(filter, self._context)
        self._listed = self._window.entries if self._sieve is None else self._sieve.listed
        self._sift()

    @property
    def total(self) -> int:
        """How many events there are, listed or not."""
        return len(self._window)

    @property
    def untested(self) -> int:
        """How many of them the filter has not been asked about yet."""
        return 0 if self._sieve is None else self._sieve.untested

    @property
    def skipped(self) -> int:
        """How many have come and gone without that, since there is this filter."""
        return 0 if self._sieve is None else self._sieve.skipped

    @property
    def frozen(self) -> bool:
        """Whether nothing new is listed."""
        return self._window.frozen

    def pump(self) -> bool:
        """Take in what is new and test some of what is left; whether the list changed."""
        changed = self._window.pump()
        return changed if self._sieve is None else self._sift()

    def know(self, operators: tuple[OperatorSnapshot, ...], now: float) -> None:
        """Test again what may match no more, or now.

        Args:
            operators: of the last snapshot.
            now: in seconds; filters may ask for the time, and for marks.
        """
        if operators != self._context.operators or now >= self._known_at + _SECOND:
            self._context.operators, self._known_at = operators, now
            if self._sieve is not None and not self._sieve.filter.lasting and self.total:
                self._sieve.test_again(self._window.seq_at(0))

    def freeze(self) -> None:
        """Hold the list as it is."""
        self._window.freeze()

    def follow(self) -> None:
        """Go on to the newest events."""
        self._window.follow()
        self._sift()

    def older(self) -> Question[Page] | None:
        """What to ask for the events before the first; None if there are none to be listed."""
        return self._window.older()

    def add_older(self, page: Page) -> int:
        """Take in the answer; with a filter it is listed as it is tested."""
        count = self._window.add_older(page)
        return count if self._sieve is None else 0

    def _sift(self) -> bool:
        if self._sieve is None or not self.total:
            return False
        first, end = self._window.seq_at(0), self._window.seq_at(-1) + 1
        trimmed = self._sieve.take(first, end)
        return self._sieve.sift(self._window.between, _SLICE) or trimmed
