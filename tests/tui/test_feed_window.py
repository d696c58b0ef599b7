from __future__ import annotations

from eventscope.engine.questions.history import EventsBefore, Page
from eventscope.engine.ring import EventRing
from eventscope.queue.event import QueuedEvent
from eventscope.tui.widgets.feed_window import FeedWindow
from tests.queue.batches import Writer
from tests.replication import encoder


def rows(first: int, last: int) -> list[QueuedEvent]:
    """Events by their numbers in the queue."""
    writer = Writer(first)
    table = writer.table("orders")
    for seq in range(first, last + 1):
        writer.row(table, encoder.insert(0, [str(seq).encode()]))
    batch, relations = writer.commit().take()
    [transaction] = batch.transactions
    return [QueuedEvent(seq, relations[v], message, transaction) for seq, v, message in batch.rows]


def listed(window: FeedWindow) -> list[int]:
    return [window.seq_at(place) for place in range(len(window))]


def test_what_the_queue_told_first_is_listed_once() -> None:
    ring = EventRing(100)
    window = FeedWindow(ring)
    window.add_older(Page(tuple(rows(1, 30)), 1, 0))
    ring.extend(rows(21, 32))
    window.pump()
    assert listed(window) == list(range(1, 33))


def test_a_page_that_the_ring_has_overtaken_is_of_no_use() -> None:
    ring = EventRing(1_000)
    window = FeedWindow(ring)
    ring.extend(rows(1, 900))
    window.pump()
    assert window.add_older(Page(tuple(rows(501, 900)), 501, 500)) == 0
    assert listed(window) == list(range(1, 901))
    assert window.dropped == 0


def test_older_rows_are_asked_for_while_it_is_held_alone() -> None:
    ring = EventRing(10)
    window = FeedWindow(ring)
    ring.extend(rows(91, 100))
    window.pump()
    assert window.older() is None
    window.freeze()
    assert window.older() == EventsBefore(91)
    window.add_older(Page(tuple(rows(80, 90)), 80, 79))
    assert window.older() == EventsBefore(80)
    assert window.dropped == 79
    window.add_older(Page((), 1, 0))
    assert window.older() is None


def test_following_lets_go_of_what_was_read() -> None:
    ring = EventRing(10)
    window = FeedWindow(ring)
    ring.extend(rows(91, 100))
    window.pump()
    window.freeze()
    window.add_older(Page(tuple(rows(80, 90)), 80, 79))
    ring.extend(rows(101, 112))
    assert not window.pump()
    assert window.unseen == 12
    assert len(window) == 21
    window.follow()
    assert listed(window) == list(range(103, 113))
    assert window.unseen == 0


def test_an_event_is_found_by_its_number_or_the_next_one_is() -> None:
    ring = EventRing(10)
    window = FeedWindow(ring)
    ring.extend([*rows(1, 3), *rows(7, 9)])
    window.pump()
    assert window.index_of(2) == 1
    assert window.index_of(5) == 3
    assert window.index_of(50) == 5
    assert window.entry(5) is None
    event = window.event(8)
    assert event is not None
    assert event.new_record == {"id": "8"}
