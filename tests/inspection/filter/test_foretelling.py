"""What a filter tells of all events of a table and type at once, and whether its answers last."""

from __future__ import annotations

import pytest

from eventscope.event import Event
from eventscope.inspection.filter import parse
from tests.events import a_delete, a_truncate, an_insert, an_update

EVENTS = (
    an_insert("orders"),
    an_update("orders"),
    a_delete("orders"),
    a_truncate("orders"),
    an_update("orders", {"id": 2, "status": "new"}, {"status": "sent"}),
    an_insert("users", {"id": 1, "email": "ada@x.io"}),
    an_update("log", {"id": 1, "status": "new"}, schema="audit"),
)
FILTERS = (
    "", "table:orders", "table:audit.*", "op:update", "-op:update", "table:orders op:insert",
    "table:users or op:delete", "not (table:orders or table:users)", "status:paid",
    "table:orders status:paid", "table:users or status:paid", "-status:paid", "col:status",
    "status:new->paid", "changed>0", "paid", "op:insert -paid", "xid:7412132", "since:5m",
)  # fmt: skip


@pytest.mark.parametrize("text", FILTERS)
@pytest.mark.parametrize("event", EVENTS, ids=repr)
def test_what_is_foretold_comes_true(text: str, event: Event) -> None:
    filter = parse(text)
    foretold = filter.foretold(event)
    if foretold is not None:
        alike = [one for one in EVENTS if (one.name, one.type) == (event.name, event.type)]
        assert {filter.matches(one) for one in alike} == {foretold}


@pytest.mark.parametrize(
    ("text", "foretold"),
    [
        ("table:orders op:update", True),
        ("table:users", False),
        ("table:users status:paid", False),
        ("table:orders status:paid", None),
        ("table:orders or status:paid", True),
        ("-table:users", True),
        ("-status:paid", None),
        ("", True),
    ],
)
def test_a_table_and_a_type_are_all_it_takes(text: str, foretold: bool | None) -> None:
    assert parse(text).foretold(an_update("orders")) is foretold


@pytest.mark.parametrize("text", ["col:status", "status:new->paid", "changed>1"])
def test_an_insert_has_changed_no_column(text: str) -> None:
    assert parse(text).foretold(an_insert()) is False
    assert parse(text).foretold(an_update()) is None


@pytest.mark.parametrize(
    ("text", "lasting"),
    [
        ("table:orders status:paid", True),
        ("", True),
        ("at:12:06", True),
        ("since:5m", False),
        ("marked", False),
        ("table:orders or -state:failed", False),
        ("-(paid (error:Timeout attempts>1))", False),
    ],
)
def test_answers_about_now_do_not_last(text: str, lasting: bool) -> None:
    assert parse(text, delivery=True).lasting is lasting
