from __future__ import annotations

import pytest

from eventscope.engine.questions.history import Page
from eventscope.engine.ring import EventRing
from eventscope.inspection.filter import Filter, parse
from eventscope.tui.filtering.filtered_list import FilteredList
from eventscope.tui.widgets.feed_window import FeedWindow
from tests.events import Listed, an_insert
from tests.tui.scripted import an_operator

PAID = parse("status:paid")


def an_entry(seq: int) -> Listed:
    return Listed(an_insert("orders", {"id": seq, "status": "paid" if seq % 2 else "new"}), seq)


@pytest.fixture
def ring() -> EventRing:
    ring = EventRing(100)
    ring.extend([an_entry(seq) for seq in range(1_000, 1_020)])
    return ring


def a_list(ring: EventRing, filter: Filter | None) -> FilteredList:
    events = FilteredList(FeedWindow(ring))
    events.pump()
    events.filter = filter
    settle(events)
    return events


def settle(events: FilteredList) -> None:
    """Let it test everything, however slow the machine is."""
    for _ in range(50):
        events.pump()
    assert not events.untested


def listed(events: FilteredList) -> list[int]:
    return [events.seq_at(place) for place in range(len(events))]


def test_without_a_filter_it_is_the_window_itself(ring: EventRing) -> None:
    events = a_list(ring, None)
    assert listed(events) == list(range(1_000, 1_020))
    assert events.filter is None


def test_a_filter_lets_through_what_matches_and_can_be_taken_away(ring: EventRing) -> None:
    events = a_list(ring, PAID)
    assert listed(events) == list(range(1_001, 1_020, 2))
    assert events.total == 20
    assert events.entry(1_000) is None, "it is not listed"
    assert events.entry(1_001) is not None
    events.filter = None
    assert len(events) == 20


def test_while_it_is_held_nothing_new_is_listed(ring: EventRing) -> None:
    events = a_list(ring, PAID)
    events.freeze()
    ring.extend([an_entry(seq) for seq in range(1_020, 1_300)])
    events.pump()
    assert listed(events) == list(range(1_001, 1_020, 2)), "also what the ring has lost"
    events.filter = parse("status:new")
    settle(events)
    assert listed(events) == list(range(1_000, 1_020, 2)), "another filter finds what was held"

    events.follow()
    settle(events)
    assert listed(events) == list(range(1_200, 1_300, 2))
    assert events.skipped == 0, "what came while it was held was never to be listed"


def test_the_past_is_filtered_too(ring: EventRing) -> None:
    events = a_list(ring, PAID)
    events.freeze()
    assert events.older() is not None
    page = Page(tuple(an_entry(seq) for seq in range(990, 1_000)), 990, 7)  # type: ignore[arg-type]
    assert events.add_older(page) == 0, "it is listed when it has been tested"
    settle(events)
    assert listed(events) == list(range(991, 1_020, 2))
    assert events.total == 30


def test_deliveries_are_looked_at_again_when_they_have_changed(ring: EventRing) -> None:
    events = a_list(ring, parse("state:failed", delivery=True))
    operator = an_operator("billing", position=1_004, failing=1_005, state="halted")
    events.know((operator,), 1.0)
    settle(events)
    assert listed(events) == [1_005]
    events.know((an_operator("billing", position=1_020),), 1.1)
    settle(events)
    assert listed(events) == []


def test_marks_are_looked_at_again_after_a_second(ring: EventRing) -> None:
    marks: set[int] = set()
    events = FilteredList(FeedWindow(ring), marks.__contains__)
    events.pump()
    events.know((), 1.0)
    events.filter = parse("marked", delivery=True)
    settle(events)
    marks.add(1_003)
    events.know((), 1.5)
    settle(events)
    assert listed(events) == []
    events.know((), 2.0)
    settle(events)
    assert listed(events) == [1_003]
