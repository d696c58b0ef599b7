from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.event import EVENT_TYPES, UNCHANGED, Event
from eventscope.inspection.summary import (
    SYMBOLS,
    changes_text,
    key_text,
    named_key,
    table_text,
)
from tests.events import (
    a_default_identity_update,
    a_delete,
    a_truncate,
    an_insert,
    an_update,
)

ITEM = {"id": 7, "qty": 1, "total": Decimal("41.00"), "meta": {"city": "Paris"}}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (an_update(), "status  new → paid"),
        (
            an_update(old=ITEM, new={"qty": 2, "total": Decimal("49.90")}),
            "qty 1 → 2, total 41.00 → 49.90",
        ),
        (an_update(old=ITEM, new={"meta": {"city": "Lyon"}}), "meta.city  Paris → Lyon"),
        (an_update(new={}), "no column changed"),
        (an_insert(new=ITEM), 'qty 1, total 41.00, meta {"city":"Paris"}'),
        (an_insert(new={"id": 1, **{f"c{n}": n for n in range(30)}}), None),
        (a_delete(old=ITEM), 'qty 1, total 41.00, meta {"city":"Paris"}'),
        (a_delete(old=ITEM, key_only=True), "id 7"),
        (a_truncate(), "all rows removed"),
        (a_default_identity_update(new=ITEM), 'now qty 1, total 41.00, meta {"city":"Paris"}'),
        (a_default_identity_update(new={"id": 1, "a": 1, "b": UNCHANGED}), "now a 1"),
        (an_insert(new={"id": 7}), "id 7"),
    ],
)
def test_what_is_said(event: Event, said: str | None) -> None:
    text = changes_text(event)
    assert said is None or text == said


def test_what_does_not_fit_is_counted() -> None:
    event = an_insert(new={"id": 1, **{f"column{n}": n for n in range(30)}})
    assert changes_text(event, 30) == "column0 0, column1 1, +28"
    assert len(changes_text(event, 30)) <= 30


@given(st.integers(20, 120), st.integers(2, 40))
def test_a_line_of_short_values_fits(width: int, columns: int) -> None:
    event = an_insert(new={"id": 1, **{f"c{n}": n for n in range(columns)}})
    assert len(changes_text(event, width)) <= width


def test_both_sides_of_a_long_change_are_seen() -> None:
    long, short = "a" * 90, "short"
    both = changes_text(an_update(old={"id": 1, "note": long}, new={"note": "b" * 90}), 40)
    assert len(both) in (39, 40)
    assert "…" in both.partition(" → ")[0]
    assert "b…" in both.partition(" → ")[2]
    to_short = changes_text(an_update(old={"id": 1, "note": long}, new={"note": short}), 40)
    assert to_short.endswith("a… → short")
    assert len(to_short) == 40
    to_long = changes_text(an_update(old={"id": 1, "note": short}, new={"note": long}), 40)
    assert to_long.startswith("note  short → aaa")
    assert len(to_long) == 40


def test_keys() -> None:
    assert key_text(an_update()) == "1"
    assert named_key(an_update()) == "id=1"
    pair = {"order_id": 12, "line": 3, "qty": 1}
    assert key_text(an_insert(new=pair, key=("order_id", "line"))) == "12, 3"
    assert named_key(an_insert(new=pair, key=("order_id", "line"))) == "order_id=12 line=3"
    assert key_text(an_update(key=("id", "status"))) == "1", "under REPLICA IDENTITY FULL"
    joined = an_insert(new={"post_id": 7, "tag_id": 9}, key=("post_id", "tag_id"))
    assert key_text(joined) == "7, 9", "a join table"
    assert key_text(a_truncate()) == ""


def test_tables_are_named_as_users_do() -> None:
    assert table_text(an_insert("orders")) == "orders"
    assert table_text(an_insert("log", schema="audit")) == "audit.log"


def test_every_type_has_a_symbol_of_its_own() -> None:
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)
    assert SYMBOLS.keys() == set(EVENT_TYPES)


def test_nothing_foreign_gets_through() -> None:
    event = an_update("t\x1b]0;x\x07", {"id": "\x9b", "a\x1b": "1"}, {"a\x1b": "\u202e"})
    shown = table_text(event) + key_text(event) + named_key(event) + changes_text(event)
    assert shown.isprintable()
