"""Testing a stream of events against a filter, a little at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final, NamedTuple

from eventscope.engine.ring import Entry
from eventscope.event import EventType
from eventscope.inspection.filter import Filter
from eventscope.tui.filtering.entry_context import EntryContext
from eventscope.tui.widgets.held_list import seq_of

Between = Callable[[int, int], Sequence[Entry]]
"""The entries from a number up to another, without it, in order."""

_UNASKED: Final = object()
_GLANCES: Final = 256
"""Entries whose answer is foretold that are passed without looking at the clock."""


class Span(NamedTuple):
    """Numbers from ``start`` up to ``end``, without it."""

    start: int
    end: int


class Sieve:
    """The entries that match a filter, in order; each is tested once, the newest first.

    What is dropped from the list before its turn was skipped, and is counted.
    """

    def __init__(self, filter: Filter, context: EntryContext) -> None:
        self.filter = filter
        self.listed: list[Entry] = []
        self.skipped = 0
        self._context = context
        self._untested: list[Span] = []
        self._again = Span(0, 0)
        self._first = self._end = 0
        self._foretold: dict[tuple[tuple[str, ...], EventType], bool | None] = {}

    @property
    def untested(self) -> int:
        """How many entries still wait for their first turn."""
        return sum(span.end - span.start for span in self._untested)

    def take(self, first: int, end: int) -> bool:
        """Note which numbers there are now; whether some that were listed are gone."""
        if first < self._first:
            self._untested.insert(0, Span(first, self._first))
        start = max(first, self._end)
        if start < end:
            self._untested.append(Span(start, end))
        self._first, self._end = first, max(self._end, end)
        kept = [Span(max(first, span.start), span.end) for span in self._untested]
        kept = [span for span in kept if span.start < span.end]
        if kept != self._untested:
            before, self._untested = self.untested, kept
            self.skipped += before - self.untested
        self._again = Span(max(first, self._again.start), self._again.end)
        gone = bisect_left(self.listed, first, key=seq_of)
        del self.listed[:gone]
        return gone > 0

    def test_again(self, first: int) -> None:
        """Have everything tested once more, when there is time, unless that is under way."""
        if self._again.start >= self._again.end:
            self._again = Span(first, self._end)

    def sift(self, between: Between, seconds: float) -> bool:
        """Test for about so long; whether something was found, or matches no more."""
        deadline, changed = perf_counter() + seconds, False
        while perf_counter() < deadline:
            if self._untested:
                span = self._untested.pop()
                rest, found = self._sift(span, between, deadline)
                if rest.start < rest.end:
                    self._untested.append(rest)
            elif self._again.start < self._again.end:
                self._again, found = self._sift(self._again, between, deadline)
            else:
                break
            changed |= found
        return changed

    def _sift(self, span: Span, between: Between, deadline: float) -> tuple[Span, bool]:
        """Test the end of a span; returns the rest of it, and whether the list changed."""
        entries = between(span.start, span.end)
        matching, tested = self._test(entries, deadline)
        start = span.start if tested == len(entries) else entries[-tested].seq
        first = bisect_left(self.listed, start, key=seq_of)
        last = bisect_left(self.listed, span.end, first, key=seq_of)
        changed = self.listed[first:last] != matching
        if changed:
            self.listed[first:last] = matching
        return Span(span.start, start), changed

    def _test(self, entries: Sequence[Entry], deadline: float) -> tuple[list[Entry], int]:
        """Test from the last entry backwards, at least one; returns the matching, and how many."""
        matching: list[Entry] = []
        foretold, tested = self._foretold, 0
        for entry in reversed(entries):
            answer = foretold.get((entry.names, entry.type), _UNASKED)
            tested += 1
            if answer is True:
                matching.append(entry)
            elif answer is not False:
                if self._matches(entry, is_first=answer is _UNASKED):
                    matching.append(entry)
                if perf_counter() > deadline:
                    break
            if not tested % _GLANCES and perf_counter() > deadline:
                break
        matching.reverse()
        return matching, tested

    def _matches(self, entry: Entry, *, is_first: bool) -> bool:
        """Ask the filter; an event that cannot be read matches nothing."""
        self._context.entry = entry
        try:
            event = entry.event()
            if is_first:
                # Messages of several prefixes may be told apart by their content alone.
                answer = None if entry.type == "message" else self.filter.foretold(event)
                self._foretold[entry.names, entry.type] = answer
            return self.filter.matches(event, self._context)
        except Exception:
            return False
