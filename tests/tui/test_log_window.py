from __future__ import annotations

from eventscope.engine.log_ring import LogRing
from eventscope.tui.log_filter import LogFilter
from eventscope.tui.widgets.log_window import LogWindow
from tests.tui.logbook import a_record


def filled(ring: LogRing, *numbers: int) -> None:
    for number in numbers:
        ring.add(a_record(f"{number} {'even' if number % 2 == 0 else 'odd'}"))


def listed(window: LogWindow) -> list[int]:
    return [window.at(index)[0] for index in range(len(window))]


def test_it_keeps_no_more_than_the_ring() -> None:
    ring = LogRing(4)
    window = LogWindow(ring)
    for start in range(0, 100, 2):
        filled(ring, start, start + 1)
        assert window.pump()
    assert listed(window) == [96, 97, 98, 99]
    assert window.total == 4
    assert not window.pump(), "nothing is new"


def test_frozen_it_keeps_what_the_ring_drops() -> None:
    ring = LogRing(4)
    window = LogWindow(ring)
    filled(ring, 0, 1)
    window.pump()
    window.freeze()
    filled(ring, *range(2, 12))
    assert not window.pump()
    assert listed(window) == [0, 1]
    assert window.unseen == 4, "as far as they can still be seen"
    window.follow()
    assert listed(window) == [8, 9, 10, 11]


def test_a_filter_lists_and_counts_what_it_lets_through() -> None:
    ring = LogRing(100)
    window = LogWindow(ring)
    filled(ring, *range(6))
    window.pump()
    window.freeze()
    window.use(LogFilter.parse("even"))
    filled(ring, 6, 7, 8)
    window.pump()
    window.pump()
    assert (listed(window), window.unseen, window.total) == ([0, 2, 4], 2, 6)
    window.use(LogFilter())
    assert (listed(window), window.unseen) == ([0, 1, 2, 3, 4, 5], 3)
    assert window.index_of(3) == 3
    assert window.index_of(99) == 5
