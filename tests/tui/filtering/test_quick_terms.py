from __future__ import annotations

import pytest

from eventscope.event import Event
from eventscope.inspection.filter import parse
from eventscope.tui.filtering.narrowing import narrowed, without
from eventscope.tui.filtering.quick_terms import quick_terms
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update

PAID = an_update("orders", {"id": 7, "status": "new", "note": None}, {"status": "paid"})


def test_an_update_suggests_its_place_its_changes_and_its_values() -> None:
    assert [term.text for term in quick_terms(PAID)] == [
        "table:orders", "op:update", "table:orders key:7", "xid:7412132",
        "col:status", "status:new->paid",
        "id:7", "status:paid", "note:null",
    ]  # fmt: skip
    assert [term.key for term in quick_terms(PAID)] == ["t", "o", "r", "x", "", "", "", "", ""]
    assert [term.group for term in quick_terms(PAID)] == [0, 0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    "event",
    [
        PAID,
        an_insert("Order Items", {"id": 1, "My Column": "a b", "table": "x:y", "n": ""}),
        a_delete("log", schema="audit"),
        a_delete(key_only=True),
        a_truncate(),
        a_default_identity_update(),
        an_update(key=("id", "status")),
        an_insert(new={"id": 1, "status": "x"}, key=("id", "status")),
        an_update("orders", {"id": 1, "at": "12:00", "t": "null"}, {"at": "13:00", "t": "/x/"}),
    ],
    ids=repr,
)
def test_the_event_matches_everything_that_it_suggests(event: Event) -> None:
    terms = quick_terms(event)
    assert terms
    for term in terms:
        assert parse(term.text, delivery=True).matches(event), term.text


def test_what_cannot_be_shown_is_not_suggested() -> None:
    event = an_insert("evil\x1b", {"id": "a\x1bb", "a\u202eb": "x", "meta": {"a": 1}})
    assert [term.text for term in quick_terms(event)] == ["op:insert", "xid:7412132"]


@pytest.mark.parametrize(
    ("present", "term", "joined"),
    [
        (None, "op:update", "op:update"),
        ("table:orders", "op:update", "table:orders op:update"),
        ("a or b", "op:update", "(a or b) op:update"),
        ("table:orders op:update", "op:update", "table:orders op:update"),
        ("op:update", "op:update", "op:update"),
    ],
)
def test_narrowing_a_filter(present: str | None, term: str, joined: str) -> None:
    assert narrowed(None if present is None else parse(present), term) == joined


@pytest.mark.parametrize(
    ("present", "term", "joined"),
    [
        (None, "op:update", "-op:update"),
        ("a or b", "status:new->paid", "(a or b) -status:new->paid"),
        ("paid", "table:orders key:7", "paid not (table:orders key:7)"),
    ],
)
def test_excluding_from_a_filter(present: str | None, term: str, joined: str) -> None:
    text = without(None if present is None else parse(present), term)
    assert text == joined
    parse(text)
