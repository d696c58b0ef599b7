"""Table, kind, transaction, position: what an event tells without its row."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest

from eventscope.event import EVENT_TYPES, RowImages
from eventscope.inspection.filter import FilterError, parse
from tests.events import a_delete, a_truncate, an_event, an_insert, an_update


def unreadable(schema: str = "public", table: str = "orders", **given: Any) -> Any:
    """An update whose row must not be looked at."""
    event = an_event("update", table, RowImages({}, {}, False, ()), schema=schema, **given)

    def load(*_: object) -> RowImages:
        raise AssertionError("the row was decoded")

    event._load = load
    return event


@pytest.mark.parametrize(
    ("text", "schema", "table", "expected"),
    [
        ("table:orders", "public", "orders", True),
        ("table:orders", "audit", "orders", True),
        ("table:orders", "public", "orders_old", False),
        ("table:public.orders", "public", "orders", True),
        ("table:public.orders", "audit", "orders", False),
        ("table:audit.*", "audit", "orders", True),
        ("table:audit.*", "public", "audit", False),
        ("table:*.orders", "audit", "orders", True),
        ("table:order*", "audit", "orders", True),
        ("table:order?", "public", "orders", True),
        ("table:order?", "public", "order", False),
        ("table:users,orders", "public", "orders", True),
        ("table:users|orders", "public", "orders", True),
        ("table:users,items", "public", "orders", False),
        ("table:/^ord/", "audit", "orders", True),
        ("table:/^ord/", "audit", "my_orders", False),
        ('table:"my table"', "public", "my table", True),
        ('table:"a.b"', "public", "a.b", True),
        ("table:a.b", "public", "a.b", False),
        ('table:"audit"."Order Items"', "audit", "Order Items", True),
        ('table:audit."Order Items"', "audit", "Order Items", True),
        ('table:"order*"', "public", "orders", False),
        ("table:ORDERS", "public", "orders", False),
        ("table:orders", "public", "Orders", True),
        ("TABLE:orders", "public", "orders", True),
    ],
)
def test_a_table_is_named_with_or_without_its_schema(
    text: str, schema: str, table: str, expected: bool
) -> None:
    assert parse(text).matches(unreadable(schema, table)) is expected


def test_a_message_is_found_by_its_prefix() -> None:
    row = {"prefix": "app.audit", "content": "x", "transactional": True}
    message = an_event("message", "app.audit", RowImages(row, None, False, ()), schema="")
    assert parse('table:"app.audit"').matches(message)
    assert parse("prefix:app.*").matches(message)
    assert parse("op:message").matches(message)
    assert not parse("op:message").matches(an_insert())


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_every_kind_of_event_has_its_name(type: Any) -> None:
    events = [an_event(kind, "orders", RowImages({}, {}, False, ())) for kind in EVENT_TYPES]
    assert [event.type for event in events if parse(f"op:{type}").matches(event)] == [type]


def test_several_kinds_are_alternatives() -> None:
    chosen = parse("op:insert,delete")
    assert chosen.matches(an_insert())
    assert chosen.matches(a_delete())
    assert not chosen.matches(an_update())
    assert not chosen.matches(a_truncate())
    assert parse("op:INSERT|delete") == chosen


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(FilterError) as caught:
        parse("op:insert,upsert")
    assert caught.value.column == len("op:insert,")
    assert all(name in caught.value.message for name in EVENT_TYPES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("xid:7412132", True),
        ("xid:7412133", False),
        ("xid:1,7412132", True),
        ("xid:>7412131", True),
        ("xid>7412132", False),
        ("xid <= 7412132", True),
        (f"xid<{'9' * 5000}", True),
    ],
)
def test_a_transaction_is_named_by_its_number(text: str, expected: bool) -> None:
    assert parse(text).matches(unreadable(xid=7412132)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lsn:0/16B3748", True),
        ("lsn:0/16b3748", True),
        ("lsn:0/16B3749", False),
        ("lsn:>0/16B3748", False),
        ("lsn:>=0/16B3748", True),
        ("lsn:<1/0", True),
        ("lsn<=0/16B3748", True),
        ("lsn<0/16B3748", False),
    ],
)
def test_a_position_is_compared_as_a_number(text: str, expected: bool) -> None:
    assert parse(text).matches(unreadable(lsn=0x16B3748)) is expected


@pytest.mark.parametrize(
    "text",
    ["lsn:5", "lsn:>0/", "xid:x", "xid:1.5", "xid:>1,2", "xid:1->2", "table:a.b.c", "table:.a",
     "table>5", "op:update->insert", "op>insert", "lsn:/x/", "op:/x/"],
)  # fmt: skip
def test_what_a_field_does_not_take_is_answered_with_what_it_takes(text: str) -> None:
    with pytest.raises(FilterError, match=" takes "):
        parse(text)


def test_cheap_terms_are_asked_first() -> None:
    assert not parse("paid status:paid table:items").matches(unreadable(table="orders"))
    assert not parse("(paid or changed>1) op:insert").matches(unreadable())
    assert not parse("(op:insert or paid) table:items").matches(unreadable(table="orders"))
    assert parse("paid or status:paid or op:update").matches(unreadable())
    assert parse("not (paid xid:5)").matches(unreadable(xid=6))


def test_a_column_that_the_table_does_not_have_needs_no_row() -> None:
    assert not parse("missing:1").matches(unreadable(columns={"id": "int8"}))
    assert not parse("missing:1->2").matches(unreadable(columns={"id": "int8"}))


@pytest.mark.parametrize("text", ["table:orders op:update", "op:insert or table:ord*", "xid:>5"])
def test_ten_thousand_events_cost_milliseconds(text: str) -> None:
    filter, events = parse(text), [unreadable() for _ in range(10_000)]
    spent = []
    for _ in range(5):
        start = process_time()
        assert all(map(filter.matches, events))
        spent.append(process_time() - start)
    assert min(spent) < 0.03
