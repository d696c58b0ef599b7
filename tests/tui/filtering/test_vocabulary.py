from __future__ import annotations

from typing import Any

import pytest

from eventscope.engine.ring import EventRing
from eventscope.event import Event
from eventscope.tui.filtering import vocabulary
from eventscope.tui.filtering.vocabulary import Vocabulary
from tests.events import Listed, an_insert, an_update
from tests.tui.scripted import an_operator


def told(*events: Event, **given: Any) -> Vocabulary:
    ring = EventRing()
    ring.extend([Listed(event, seq) for seq, event in enumerate(events)])
    return Vocabulary(ring, **given)


def test_tables_are_those_of_the_last_events_then_those_that_operators_follow() -> None:
    operators = (an_operator("billing", entities=("orders", "audit.log", "invoices")),)
    words = told(an_insert("orders"), an_insert("Users"), operators=operators)
    assert list(words.tables()) == ["Users", "orders", "audit.log", "invoices"]
    assert list(words.operators()) == ["billing"]


def test_columns_come_with_their_table() -> None:
    words = told(an_insert("orders", {"id": 1, "table": "x"}), an_insert("users", {"e mail": ""}))
    assert words.columns() == {'"e mail"': "users", "id": "orders", '"table"': "orders"}
    assert words.changed_columns() == {'"e mail"': "users", "id": "orders", "table": "orders"}


def test_values_are_recent_and_each_is_told_once() -> None:
    words = told(*(an_update(new={"status": status}) for status in ("paid", "sent", "paid")))
    assert list(words.values("status")) == ["paid", "new", "sent"]
    assert next(iter(words.values("old.status"))) == "new"
    assert list(words.values("colour")) == []
    assert list(words.values("status.")) == []


def test_values_of_a_place_in_a_document() -> None:
    words = told(an_insert(new={"id": 1, "meta": {"city": "Paris"}}))
    assert list(words.values("meta.city")) == ["Paris"]
    assert list(words.values("meta")) == [], "a document is no word"


def test_keys_and_transactions() -> None:
    words = told(an_insert(new={"id": 7}, xid=1), an_insert(new={"id": 8}, xid=2))
    assert list(words.keys()) == ["8", "7"]
    assert list(words.transactions()) == ["2", "1"]


def test_there_is_an_end_to_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return looks / 1_000

    monkeypatch.setattr(vocabulary, "thread_time", clock)
    words = told(*(an_insert(new={"id": 1, "status": "same"}) for _ in range(9_000)))
    assert list(words.values("status")) == ["same"]
    assert looks < 10

    many = told(*(an_insert(new={"id": number}) for number in range(9_000)))
    monkeypatch.undo()
    assert len(list(many.keys())) <= 50


def test_what_cannot_be_shown_is_not_suggested() -> None:
    words = told(an_insert("evil\x1b", {"id": 1, "a\u202eb": "x", "status": "a\x07"}))
    assert list(words.tables()) == []
    assert list(words.columns()) == ["id", "status"]
    assert list(words.values("status")) == []
