"""What an update changed."""

from __future__ import annotations

from typing import Any

import pytest

from eventscope.event import UNCHANGED
from eventscope.inspection.filter import FilterError, parse
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update

OLD = {
    "id": 1, "status": "pending", "note": None, "price_net": 1, "price_gross": 2,
    "meta": {"address": {"city": "Paris"}, "n": 1, "ok": True},
}  # fmt: skip
NEW = {
    "status": "paid", "note": "x", "price_net": 3,
    "meta": {"address": {"city": "Lyon"}, "n": 1, "ok": 1, "more": 5},
}  # fmt: skip
UPDATE = an_update(old=OLD, new=NEW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("col:status", True),
        ("col:id", False),
        ("col:id,status", True),
        ("col:price_*", True),
        ("col:*", True),
        ("col:nothing", False),
        ("col:/net$/", True),
        ("col:Status", False),
        ("col:meta", True),
        ("col:meta.address", True),
        ("col:meta.address.city", True),
        ("col:meta.n", False),
        ("col:meta.ok", True),
        ("col:meta.more", True),
        ("status:pending->paid", True),
        ("status:pending→paid", True),
        ("status:pending -> paid", True),
        ("status:pending->shipped", False),
        ("status:new->paid", False),
        ("status:new,pending->paid,shipped", True),
        ("status:*->paid", True),
        ("status:pending->*", True),
        ('status:"*"->paid', False),
        ("status:*->*", True),
        ("status:pend*->pa?d", True),
        ("status:/^pen/->/id$/", True),
        ("status:Pending->paid", False),
        ("id:*->*", False),
        ("note:null->x", True),
        ("note:*->x", True),
        ('note:"null"->x', False),
        ("price_net:1->3", True),
        ("price_net:1.0->3.0", True),
        ("new.status:pending->paid", True),
        ('"status":pending->paid', True),
        ("meta.address.city:Paris->Lyon", True),
        ("meta.address.city:*->Lyon", True),
        ("meta.address.city:Lyon->Paris", False),
        ("meta.n:1->1", False),
        ("meta.more:*->5", True),
        ("meta.more:null->5", False),
        ("meta.nothing:*->*", False),
        ("nothing:*->*", False),
        ("changed:4", True),
        ("changed>3", True),
        ("changed>4", False),
        ("changed<=4", True),
        ("changed:1,4", True),
    ],
)
def test_an_update_with_a_known_past(text: str, expected: bool) -> None:
    assert parse(text).matches(UPDATE) is expected


@pytest.mark.parametrize("event", [an_insert(new=OLD), a_delete(old=OLD), a_truncate()])
def test_only_updates_change_something(event: Any) -> None:
    for text in ("col:*", "status:*->*", "changed>0", "changed:0", "changed<9"):
        assert not parse(text).matches(event)


def test_what_may_have_changed_is_not_known_to_have_changed() -> None:
    update = a_default_identity_update(new={"id": 1, "status": "paid", "body": UNCHANGED})
    assert not parse("col:status").matches(update)
    assert not parse("status:*->paid").matches(update)
    assert parse("status:paid").matches(update)


def test_a_number_of_changes_must_hold_whatever_is_unknown() -> None:
    update = a_default_identity_update(new={"id": 1, "a": 1, "b": 2})
    assert parse("changed<3").matches(update)
    assert not parse("changed<2").matches(update)
    assert not parse("changed:0").matches(update)
    assert not parse("changed:0,2").matches(update)
    assert parse("changed>=0").matches(update)
    assert not parse("changed>0").matches(update)


def test_an_update_that_changed_nothing_says_so() -> None:
    assert parse("changed:0").matches(an_update(new={}))


@pytest.mark.parametrize(
    "text",
    ["status:->paid", "status:pending->", "old.status:a->b", "col:old.status", "col:a*.b",
     "col>5", "changed:x", "changed:1->2", "status:a->b->c", "status->paid", "a->b"],
)  # fmt: skip
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)
