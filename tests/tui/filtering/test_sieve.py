from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from eventscope.engine.ring import Entry
from eventscope.event import Event, EventType, RowImages
from eventscope.inspection.filter import parse
from eventscope.tui.filtering import sieve as sieves
from eventscope.tui.filtering.entry_context import EntryContext
from eventscope.tui.filtering.sieve import Sieve
from tests.events import an_event, an_insert, an_update
from tests.tui.scripted import an_operator


@dataclass
class Counted:
    """An entry that knows how often it became an event."""

    seq: int
    held: Event
    looks: list[int] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.held.name,)

    @property
    def type(self) -> EventType:
        return self.held.type

    def event(self) -> Event:
        self.looks.append(self.seq)
        return self.held


class Pile:
    """Entries by number, and a clock that goes on by one with each test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks: list[int] = []
        self.entries: list[Counted] = []
        monkeypatch.setattr(sieves, "perf_counter", lambda: float(len(self.looks)))

    def add(self, *events: Event) -> None:
        start = len(self.entries)
        self.entries += [Counted(seq, event, self.looks) for seq, event in enumerate(events, start)]

    def between(self, start: int, end: int) -> Sequence[Entry]:
        return self.entries[start:end]


@pytest.fixture
def pile(monkeypatch: pytest.MonkeyPatch) -> Pile:
    return Pile(monkeypatch)


def orders(how_many: int, status: Callable[[int], str] = lambda number: "paid") -> list[Event]:
    return [an_insert("orders", {"id": n, "status": status(n)}) for n in range(how_many)]


def a_sieve(text: str, context: EntryContext | None = None) -> Sieve:
    return Sieve(parse(text, delivery=True), context or EntryContext())


def listed(sieve: Sieve) -> list[int]:
    return [entry.seq for entry in sieve.listed]


def test_what_matches_is_listed_in_order(pile: Pile) -> None:
    pile.add(*orders(100, lambda number: "paid" if number % 7 == 0 else "new"))
    sieve = a_sieve("status:paid")
    sieve.take(0, 100)
    assert sieve.sift(pile.between, 1_000)
    assert listed(sieve) == list(range(0, 100, 7))
    assert not sieve.sift(pile.between, 1_000), "there is nothing left to test"


def test_each_event_is_tested_once_as_it_comes(pile: Pile) -> None:
    sieve = a_sieve("status:paid")
    for round in range(1, 6):
        pile.add(*orders(10))
        sieve.take(0, 10 * round)
        sieve.sift(pile.between, 1_000)
    assert sorted(pile.looks) == list(range(50))
    assert listed(sieve) == list(range(50))


def test_a_filter_by_table_and_type_looks_at_one_event_of_each(pile: Pile) -> None:
    pile.add(*orders(1_000), *(an_update("users") for _ in range(1_000)))
    sieve = a_sieve("table:users op:update")
    sieve.take(0, 2_000)
    sieve.sift(pile.between, 1_000)
    assert len(pile.looks) == 2
    assert listed(sieve) == list(range(1_000, 2_000))


def test_the_newest_come_first_and_the_rest_in_later_frames(pile: Pile) -> None:
    pile.add(*orders(100))
    sieve = a_sieve("status:paid")
    sieve.take(0, 100)
    sieve.sift(pile.between, 30)
    assert listed(sieve) == list(range(69, 100))
    assert sieve.untested == 69

    pile.add(*orders(10))
    sieve.take(0, 110)
    sieve.sift(pile.between, 5)
    assert listed(sieve) == [*range(69, 100), *range(104, 110)], "the newest before the backlog"
    assert sieve.untested == 73
    while sieve.untested:
        sieve.sift(pile.between, 30)
    assert listed(sieve) == list(range(110))
    assert sieve.skipped == 0
    assert sorted(pile.looks) == list(range(110))


def test_what_is_dropped_untested_was_skipped(pile: Pile) -> None:
    pile.add(*orders(1_000))
    sieve = a_sieve("status:paid")
    sieve.take(0, 1_000)
    sieve.sift(pile.between, 99)
    assert sieve.take(950, 1_000), "some of what was listed is gone"
    assert listed(sieve) == list(range(950, 1_000))
    assert sieve.skipped == 900
    assert sieve.untested == 0
    sieve.take(960, 1_000)
    assert sieve.skipped == 900, "what was tested was not skipped"


def test_what_has_changed_since_is_listed_or_goes(pile: Pile) -> None:
    pile.add(*orders(20))
    context = EntryContext()
    context.operators = (an_operator("billing", position=-1, failing=7, state="halted"),)
    sieve = a_sieve("state:failed", context)
    sieve.take(0, 20)
    sieve.sift(pile.between, 1_000)
    assert listed(sieve) == [7]

    context.operators = (an_operator("billing", position=8, failing=9, state="halted"),)
    sieve.test_again(0)
    assert listed(sieve) == [7], "what is listed stays until its turn"
    assert sieve.sift(pile.between, 1_000)
    assert listed(sieve) == [9]


def test_testing_again_ends_before_it_begins_anew_and_new_events_go_first(pile: Pile) -> None:
    pile.add(*orders(100))
    sieve = a_sieve("-state:failed")
    sieve.take(0, 100)
    sieve.sift(pile.between, 1_000)
    for _ in range(5):
        sieve.test_again(0)
        sieve.sift(pile.between, 29)
    assert pile.looks.count(0) == 2, "even the oldest has had its second turn"

    pile.looks.clear()
    sieve.test_again(0)
    pile.add(*orders(1))
    sieve.take(0, 101)
    sieve.sift(pile.between, 3)
    assert pile.looks[0] == 100


def test_an_event_that_cannot_be_read_matches_nothing(pile: Pile) -> None:
    broken = an_insert("orders", {"id": 1, "status": "paid"})
    broken.source = None  # type: ignore[assignment]
    pile.add(*orders(2))
    pile.entries.append(Counted(2, broken, pile.looks))
    sieve = a_sieve("col:status or paid")
    sieve.take(0, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Counted, "names", ("orders",))
        sieve.sift(pile.between, 1_000)
    assert listed(sieve) == [0, 1]


def test_older_events_that_are_read_later_are_tested_last(pile: Pile) -> None:
    pile.add(*orders(50, lambda number: "paid" if number % 2 else "new"))
    sieve = a_sieve("status:paid")
    sieve.take(40, 50)
    sieve.sift(pile.between, 5)
    sieve.take(30, 50)
    sieve.sift(pile.between, 10)
    assert sorted(pile.looks) == list(range(33, 50))
    assert sieve.untested == 3
    sieve.sift(pile.between, 1_000)
    assert listed(sieve) == list(range(31, 50, 2))


def test_messages_of_other_prefixes_are_told_apart(
    pile: Pile, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = RowImages({"prefix": "", "content": "x"}, None, False, ())
    pile.add(*(an_event("message", prefix, content, schema="") for prefix in ("audit", "mail")))
    monkeypatch.setattr(Counted, "names", ())  # as of messages that nobody follows
    sieve = a_sieve("table:mail")
    sieve.take(0, 2)
    sieve.sift(pile.between, 1_000)
    assert listed(sieve) == [1]
