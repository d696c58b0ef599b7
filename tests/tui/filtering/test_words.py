from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from eventscope.inspection.filter import parse
from eventscope.tui.filtering.words import changed_word, column_word, table_word, value_word
from tests.events import an_insert, an_update

NAMES = [
    "status", "Status", "my column", "a.b", 'say "hi"', "back\\slash", "table", "STATE", "old",
    "null", "or", "été", "日本", "1st", "a-b", "a->b", "x*", "it's", "a,b", "a|b", "(a)", "a:b",
]  # fmt: skip
VALUES: list[Any] = [
    *NAMES, "", " ", "NULL", "paid", "41.00", "a/b", "/x/", "a\\b", "2026-07-01", "12:06", "x=1",
    None, True, False, 0, -7, Decimal("49.90"), 1.5, dt.date(2026, 7, 1), UUID(int=7),
    dt.datetime(2026, 7, 1, 12, 6, 38, 412_000, tzinfo=dt.UTC), "→", "a→b", "what?", "…",
    "-x", "!x",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_found_by_its_word(name: str) -> None:
    event = an_insert(new={"id": 1, name: "x", "other": "y"})
    assert parse(f"{column_word(name)}:x").matches(event)
    assert not parse(f"{column_word(name)}:y").matches(event)


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_column_is_found_by_its_word(name: str) -> None:
    event = an_update(old={"id": 1, name: "x"}, new={name: "y"})
    assert parse(f"col:{changed_word(name)}").matches(event)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", ["public", "audit", "My Schema"])
def test_a_table_is_found_by_its_word(schema: str, name: str) -> None:
    filter = parse(f"table:{table_word(schema, name)}")
    assert filter.matches(an_insert(name, schema=schema))
    assert not filter.matches(an_insert(f"{name}x", schema=schema))


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_found_by_its_word(value: Any) -> None:
    filter = parse(f"v:{value_word(value)}")
    assert filter.matches(an_insert(new={"id": 1, "v": value}))
    assert not filter.matches(an_insert(new={"id": 1, "v": "another"}))


def test_plain_words_have_no_quotes() -> None:
    assert [value_word(value) for value in ("paid", "41.00", 7)] == ["paid", "41.00", "7"]
    assert column_word("total") == "total"
    assert table_word("audit", "log") == "audit.log"


@pytest.mark.parametrize("hostile", ["a\x1b[31m", "a\u202eb", "a\nb", "x" * 61, "\x00"])
def test_what_cannot_be_shown_or_is_long_has_no_word(hostile: str) -> None:
    assert value_word(hostile) is None
    assert column_word(hostile) is None
    assert changed_word(hostile) is None
    assert table_word("public", hostile) is None
    assert table_word(hostile, "orders") is None


@pytest.mark.parametrize("value", [{"a": 1}, [1], b"x"])
def test_documents_have_no_word(value: object) -> None:
    assert value_word(value) is None
