"""Values of columns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as time_of_day
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from eventscope.event import UNCHANGED
from eventscope.inspection.filter import FilterError, parse
from tests.events import (
    a_default_identity_update,
    a_delete,
    a_truncate,
    an_insert,
    an_update,
)


def holding(value: object) -> Any:
    return an_insert(new={"id": 1, "x": value})


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("x:paid", "paid", True),
        ("x:paid", "Paid", True),
        ("x:Paid", "paid", False),
        ("x:paid", "unpaid", False),
        ("x=paid", "paid", True),
        ("x = paid", "paid", True),
        ("x:new,paid", "paid", True),
        ("x:new|paid", "paid", True),
        ("x:p*d", "paid", True),
        ("x:p*d", "paid!", False),
        ("x:*", "paid", True),
        ("x:*", "", True),
        ("x:*", None, False),
        ('x:"*"', "paid", False),
        ('x:""', "", True),
        ("x:/^pa/", "paid", True),
        ("x:/^ai/", "paid", False),
        ('x:"a b"', "a b", True),
        ("x:it's", "it's", True),
        ("x:ada@x.io", "ada@x.io", True),
        ("x:http://x.io/a?b=c", "http://x.io/a?b=c", True),
        ("x:null", None, True),
        ("x:NULL", None, True),
        ("x:null", "null", False),
        ('x:"null"', "null", True),
        ('x:"null"', None, False),
        ("x:null,paid", "paid", True),
        ("x:41", 41, True),
        ("x:41", Decimal("41.00"), True),
        ("x:41.0", 41, True),
        ("x:4.1e1", 41, True),
        ("x:-5", -5, True),
        ("x:0.1", 0.1, True),
        ("x:0.1", Decimal("0.1"), True),
        ("x:0.1", Decimal("0.10000000000000000001"), False),
        (f"x:{10**30}", 10**30, True),
        (f"x:{10**30}", 10**30 + 1, False),
        ("x:01234", "1234", False),
        ("x:1234", "1234", True),
        ("x:nan", float("nan"), True),
        ("x:NaN", Decimal("NaN"), True),
        ("x:true", True, True),
        ("x:t", True, True),
        ("x:false", True, False),
        ("x:f", False, True),
        ("x:1", True, False),
        ("x:2026-07-01", date(2026, 7, 1), True),
        ("x:2026-07-01", datetime(2026, 7, 1, 12, 6, 38, tzinfo=UTC), True),
        ("x:2026-07-01T12:06", datetime(2026, 7, 1, 12, 6, 38, tzinfo=UTC), True),
        ('x:"2026-07-01 12:06"', datetime(2026, 7, 1, 12, 6, 38), True),
        ("x:2026-07-01T12:07", datetime(2026, 7, 1, 12, 6, 38), False),
        ("x:2026-07-01T14:06:38+02:00", datetime(2026, 7, 1, 12, 6, 38, tzinfo=UTC), True),
        ("x:2026-07-01T12:06:38Z", datetime(2026, 7, 1, 12, 6, 38, tzinfo=UTC), True),
        ("x:12:06", time_of_day(12, 6, 38), True),
        ("x:12:07", time_of_day(12, 6, 38), False),
        ("x:550e8400-e29b-41d4-a716-446655440000",
         UUID("550e8400-e29b-41d4-a716-446655440000"), True),
        (r"x:\xcafe", b"\xca\xfe", True),
        ("x:urgent", ["new", "urgent"], True),
        ("x:urgent", ["not urgent"], False),
        ("x:2", [1, 2], True),
        ("x:null", [None], False),
        ("x:2", [[1, 2]], False),
        ("""x:'["new","urgent"]'""", ["new", "urgent"], True),
        ("""x:'{"a":1}'""", {"a": 1}, True),
        ("x:paid", UNCHANGED, False),
        ("x:null", UNCHANGED, False),
        ("x:*", UNCHANGED, False),
        ("x:unchanged", UNCHANGED, False),
        ("not x:paid", UNCHANGED, True),
    ],
)  # fmt: skip
def test_a_value_equals(text: str, value: object, expected: bool) -> None:
    assert parse(text).matches(holding(value)) is expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("x>40", 41, True),
        ("x>41", 41, False),
        ("x>=41", 41, True),
        ("x<41", 41, False),
        ("x<=41", 41, True),
        ("x > 40", 41, True),
        ("x:>40", 41, True),
        ("x>-5", -4, True),
        ("x<-5", -4, False),
        ("x>9", 10, True),
        ("x>40", Decimal("40.000000000000000000000000000000000001"), True),
        ("x>40.00", Decimal("40"), False),
        ("x>0.1", 0.1, False),
        ("x>=0.1", 0.1, True),
        (f"x>{2**63}", 2**63 + 1, True),
        (f"x>{'9' * 5000}", Decimal("1e5000"), True),
        ("x>1e400", Decimal("1e401"), True),
        ("x<1e400", float("inf"), False),
        ("x>1e400", float("inf"), True),
        ("x>1", float("nan"), False),
        ("x<1", Decimal("NaN"), False),
        ("x>40", "41", True),
        ("x>40", "41 euros", False),
        ("x>40", "abc", False),
        ("x>40", "", False),
        ("x>40", None, False),
        ("x<40", None, False),
        ("not x>40", None, True),
        ("x>0", True, False),
        ("x>=0", [1], False),
        ("x>=0", {"a": 1}, False),
        ("x>=0", b"1", False),
        ("x>=0", UNCHANGED, False),
        ("x<=0", UNCHANGED, False),
        ("x>2026-07-01", date(2026, 7, 2), True),
        ("x>2026-07-01", date(2026, 7, 1), False),
        ("x>2026-07-01", datetime(2026, 7, 1, 0, 0, 1), True),
        ("x<2026-07-01", datetime(2026, 6, 30, 23, 59), True),
        ("x>=2026-07-01", datetime(2026, 7, 1, tzinfo=UTC), True),
        ("x>2026-07-01T12:00", datetime(2026, 7, 1, 12, 6, tzinfo=UTC), True),
        ('x>"2026-07-01 12:06:30"', datetime(2026, 7, 1, 12, 6, 31), True),
        ("x>2026-07-01T14:00", datetime(2026, 7, 1, 14, 6, tzinfo=timezone(timedelta(hours=2))),
         True),
        ("x>2026-07-01T13:00Z", datetime(2026, 7, 1, 14, 6, tzinfo=timezone(timedelta(hours=2))),
         False),
        ("x>2026-07-01", "2026-07-02T10:00:00Z", True),
        ("x>2026-07-01", "2026-99-99", False),
        ("x>2026-07-01", "soon", False),
        ("x>2026-07-01", 20260702, False),
        ("x>2026-07-01", "infinity", True),
        ("x<2026-07-01", "-infinity", True),
        ("x>2026-07-01", "12026-07-01 00:00:00", True),
        ("x<2026-07-01", "0044-03-15 BC", True),
        ("x>2026-07-01", "10044-03-15 00:00:00 BC", False),
        ("x<0001-01-02", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), True),
        ("x>12:06", time_of_day(12, 7), True),
        ("x<12:06:30", time_of_day(12, 6), True),
        ("x>12:06", datetime(2026, 7, 1, 13, 0), False),
        ("x>12:06", "13:00:00", True),
    ],
)  # fmt: skip
def test_a_value_lies_beyond_a_limit(text: str, value: object, expected: bool) -> None:
    assert parse(text).matches(holding(value)) is expected


@pytest.mark.parametrize(
    "text",
    [
        "x>abc",
        "x>null",
        "x>40,50",
        "x>4*",
        "x>2026-13-01",
        "x>/4/",
        "x>40->50",
        "x>1:2",
        "x>infinity",
        "x>12026-07-01",
    ],
)
def test_a_limit_must_be_a_number_a_date_or_a_time(text: str) -> None:
    with pytest.raises(FilterError, match="number, date or time"):
        parse(text)


DOCUMENT = {
    "address": {"city": "Lyon", "zip": None},
    "items": [{"qty": 1}, {"qty": 3, "tags": ["a", "b"]}],
    "odd key": {"a.b": "x"},
    "Total": Decimal("41.5"),
    "seen": "2026-07-02T10:00:00Z",
    "ok": True,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("meta.address.city:Lyon", True),
        ("meta.address.city:lyon", True),
        ("meta.address.city:Paris", False),
        ("meta.address.zip:null", True),
        ("meta.address.street:null", False),
        ("not meta.address.street:x", True),
        ("meta.address.city.more:x", False),
        ("meta.items[1].qty:3", True),
        ("meta.items.1.qty:3", True),
        ("meta.items[1].qty>2", True),
        ("meta.items[0].qty>2", False),
        ("meta.items[9].qty>2", False),
        ("meta.items[1].tags[0]:a", True),
        ("meta.items[1].tags:b", True),
        ('meta."odd key"."a.b":x', True),
        ("meta.total>41", True),
        ("meta.TOTAL>41", False),
        ("meta.seen>2026-07-01", True),
        ("meta.ok:true", True),
        ("meta.address:*Lyon*", True),
        ("META.address.city:Lyon", False),
        ("matrix[1][0]:3", True),
        ("matrix[1][1]:3", False),
        ('"matrix".1.0:3', True),
        (f"matrix[{'9' * 5000}]:3", False),
    ],
)
def test_a_path_leads_into_documents_and_arrays(text: str, expected: bool) -> None:
    row = {"id": 1, "meta": DOCUMENT, "matrix": [[1, 2], [3, 4]]}
    assert parse(text).matches(an_insert(new=row)) is expected
    assert parse(text).matches(a_delete(old=row)) is expected


def test_a_deep_array_does_not_exhaust_the_stack() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    assert not parse("x:1 or x>1 or x[0][0]:1 or 1").matches(an_insert(new={"id": 2, "x": deep}))


def test_of_an_insert_or_update_the_new_value_counts() -> None:
    update = an_update(old={"id": 1, "status": "new"}, new={"status": "paid"})
    assert parse("status:paid").matches(update)
    assert not parse("status:new").matches(update)
    assert parse("new.status:paid").matches(update)
    assert parse("old.status:new").matches(update)
    assert not parse("old.status:paid").matches(update)


def test_an_insert_has_no_old_value_and_a_delete_no_new_one() -> None:
    assert not parse("old.status:new").matches(an_insert())
    assert parse("new.status:new").matches(an_insert())
    assert parse("status:new").matches(a_delete())
    assert parse("old.status:new").matches(a_delete())
    assert not parse("new.status:new").matches(a_delete())


def test_old_values_are_compared_too() -> None:
    update = an_update(old={"id": 1, "total": 9}, new={"total": 50})
    assert parse("old.total<10").matches(update)
    assert not parse("old.total>40").matches(update)
    assert parse("total>40").matches(update)


def test_an_old_value_that_the_log_does_not_hold_matches_nothing() -> None:
    update = a_default_identity_update(new={"id": 1, "status": "paid"})
    assert not parse("old.status:paid").matches(update)
    assert not parse("old.status:null").matches(update)
    assert parse("old.id:1").matches(update)
    assert not parse("status:null").matches(a_delete(key_only=True))


def test_a_column_that_does_not_exist_does_not_match_and_its_negation_does() -> None:
    for event in (an_insert(), a_truncate()):
        assert not parse("nothing:null").matches(event)
        assert parse("not nothing:null").matches(event)


def test_columns_are_found_in_either_case_unless_upper_case_is_written() -> None:
    event = an_insert(new={"id": 1, "createdAt": "x"})
    assert parse("createdat:x").matches(event)
    assert parse("createdAt:x").matches(event)
    assert not parse("CreatedAt:x").matches(event)


def test_names_with_signs_go_in_quotes() -> None:
    event = an_insert(new={"id": 1, "my column": "x", "a.b": "y", "50%": 3, 'q"t': "z"})
    assert parse('"my column":x').matches(event)
    assert parse('"a.b":y').matches(event)
    assert parse("'50%'>2").matches(event)
    assert parse(r'"q\"t":z').matches(event)
    assert parse('new."my column":x').matches(event)


@pytest.mark.parametrize(
    "name", ["table", "op", "key", "xid", "lsn", "since", "at", "col", "changed", "state",
             "operator", "attempts", "error", "marked", "old", "new", "and", "not"],
)  # fmt: skip
def test_a_column_with_the_name_of_a_field_is_reached_through_its_side_or_quotes(name: str) -> None:
    old = {"id": 1, name: "before"}
    update = an_update("t", old=old, new={name: "after"})
    assert parse(f"new.{name}:after").matches(update)
    assert parse(f"old.{name}:before").matches(update)
    assert parse(f'"{name}":after').matches(update)
    assert parse(f"new.{name}:before->after").matches(update)


def test_a_column_called_old_may_hold_a_document() -> None:
    event = an_insert(new={"id": 1, "old": {"city": "Lyon"}})
    assert not parse("old.city:Lyon").matches(event)
    assert parse('"old".city:Lyon').matches(event)
    assert parse("new.old.city:Lyon").matches(event)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("key:48213", True),
        ("key:48213.0", True),
        ("key:4821", False),
        ("key:482*", True),
        ("key:1,48213", True),
        ("key:77", True),
    ],
)
def test_a_row_is_found_by_its_key_before_and_after(text: str, expected: bool) -> None:
    update = an_update(old={"id": 77, "status": "48"}, new={"id": 48213})
    assert parse(text).matches(update) is expected


def test_a_key_of_several_columns_is_found_by_one_or_by_all() -> None:
    event = an_insert(new={"a": 12, "b": "x", "c": 3}, key=("a", "b"))
    assert parse("key:12").matches(event)
    assert parse("key:x").matches(event)
    assert parse('key:"12, x"').matches(event)
    assert not parse("key:3").matches(event)


def test_a_deleted_row_is_found_by_its_key() -> None:
    assert parse("key:1").matches(a_delete(key_only=True))
    assert not parse("key:1").matches(a_truncate())
