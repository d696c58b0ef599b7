"""A filter that cannot be read: where, and what would be right."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventscope.errors import EventScopeError
from eventscope.event import UNCHANGED
from eventscope.inspection.filter import Filter, FilterError, forms, parse
from eventscope.inspection.filter.grammar import FIELDS, MAX_DEPTH
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update


def error_of(text: str) -> FilterError:
    with pytest.raises(FilterError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("(a", 0, "not closed"),
        ("a (b (c)", 2, "not closed"),
        ("a)", 1, "closes nothing"),
        ("()", 1, "a term is missing"),
        ("a and", 5, "a term is missing"),
        ("a or or b", 5, "a term is missing"),
        ("and a", 0, "a term is missing"),
        ("not", 3, "a term is missing"),
        ("a -", 3, "a term is missing"),
        ('a "b', 2, "quote is not closed"),
        ("a 'b\\'", 2, "quote is not closed"),
        ('"a"b', 3, "a space is missing"),
        ("table:", 6, "a value is missing"),
        ("table: orders", 6, "no space before a value"),
        ("op:insert,", 10, "a value is missing"),
        ("op:insert, update", 10, "no space before a value"),
        (":x", 0, "a column or a field is missing"),
        (">5", 0, "a column or a field is missing"),
        ("status!=paid", 6, 'put "not" before'),
        ("status != paid", 7, 'negate with "not"'),
        ("status<>paid", 6, 'negate with "not"'),
        ("status==paid", 6, "compare with"),
        ("a|b", 1, 'put "or" between'),
        ("a | b", 2, 'put "or" between'),
        ("a || b", 2, 'put "or" between'),
        ("a && b", 2, 'put "and" between'),
        ("f(x)", 1, "a space or quotes are missing"),
        ("->x", 0, "before an arrow"),
        ("a->b", 1, "a change is written"),
        ("/(/", 1, "no regular expression"),
        ("x:/a[/", 4, "no regular expression"),
        ("/a{99999999999999}/", 1, "no regular expression: it is too large"),
        (f"/{'(' * 5000}/", 1, "no regular expression"),
        ("/abc", 0, "a regular expression is"),
        ("//", 0, "a regular expression is"),
        ("https://x.io", 6, "a regular expression is"),
        ("12:06", 0, "quoted as a whole"),
        ("a%b:5", 0, "quoted as a whole"),
        ("meta..x:1", 5, "a name is missing"),
        (".x:1", 0, "a name is missing"),
        ('a."b"', 0, "put the whole text in quotes"),
        ("(" * (MAX_DEPTH + 1) + "a", MAX_DEPTH + 1, "nested more than"),
        ("(" * 100_000, MAX_DEPTH + 1, "nested more than"),
        ("not " * 100_000, 4 * (MAX_DEPTH + 1), "nested more than"),
        ("!" * 100_000, MAX_DEPTH + 1, "nested more than"),
    ],
)
def test_an_error_points_at_its_place(text: str, column: int, message: str) -> None:
    error = error_of(text)
    assert message in error.message
    assert error.column == column


def test_nesting_has_room_for_people() -> None:
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH).matches(an_insert("a"))


def test_an_error_is_one_line_with_its_column_and_ends_a_command_with_2() -> None:
    error = error_of("table:orders op:upsert")
    assert isinstance(error, EventScopeError)
    assert error.exit_code == 2
    assert str(error) == (
        "filter, column 17: op takes insert, update, delete, truncate or message, not upsert"
    )


def test_a_picture_has_a_caret_under_the_fault() -> None:
    assert error_of("table:orders op:upsert").picture() == (
        "table:orders op:upsert\n"
        "                ^"
    )  # fmt: skip


def test_the_caret_stands_right_under_wide_and_combining_characters() -> None:
    assert error_of("日本 e\u0301 )").picture().splitlines()[1] == " " * 7 + "^"


def test_a_picture_of_a_long_filter_shows_the_surroundings_of_the_fault() -> None:
    first, second = error_of("x" * 200 + " op:upsert " + "y" * 200).picture(60).splitlines()
    assert len(first) <= 60
    assert first[second.index("^") :].startswith("upsert")
    assert first.startswith("…x")
    assert first.endswith("y…")


def test_pictures_and_messages_are_harmless_to_a_terminal() -> None:
    error = error_of("a\x1b[31m\n op:\x1b[2J\u202e")
    first, second = error.picture().splitlines()
    assert "\x1b" not in f"{error}{error.picture()}"
    assert "\u202e" not in f"{error}{error.picture()}"
    assert first[second.index("^") :].startswith("␛[2J")


ROWS: list[dict[str, Any]] = [
    {
        "id": 1, "status": "new", "total": Decimal("41.00"), "meta": {"a": [1, {"b": None}]},
        "data": b"\xff\x00", "day": date(2026, 7, 1), "at": datetime(2026, 7, 1, tzinfo=UTC),
    },
    {
        "id": 2**80, "status": None, "total": Decimal("NaN"), "meta": [float("nan")],
        "data": UNCHANGED, "day": "infinity", "at": datetime.min,
    },
    {"id": "x", "total": Decimal("1E+999999999"), "meta": {"a": Decimal("1E+999999999")}},
]  # fmt: skip
EVENTS = [
    a_truncate(),
    *(build(row) for row in ROWS for build in (
        lambda row: an_insert(new=row), lambda row: a_delete(old=row),
        lambda row: an_update(old=ROWS[0], new=row), lambda row: a_default_identity_update(new=row),
    )),
]  # fmt: skip

PIECES = st.one_of(
    st.sampled_from([
        *(form.text for form in forms(delivery=True)), *FIELDS,
        *"()!-:=<>,|*?/\\'\"→. \n", "->", " and ", " or ", " not ", "old.", "new.", "null", "[0]",
        "status", "total", "meta", "day", "data", "0", "41", "1e999999999999999999999", "/(a|b/",
        "2026-07-01", "2026-99-99T99:99", "99:99", "5m", "0/1", "\u202e", "\ud800", "ẞ", "İ",
    ]),
    st.text(max_size=5),
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)), st.booleans())
@example("x>1e999999999999999999999", False)
@example("x:1e999999999999999999999", False)
@example("\ud800:\udfff", False)
@example("/[[a]/", False)
@settings(max_examples=1_000, deadline=None)
def test_any_text_is_a_filter_or_an_error_within_it(text: str, delivery: bool) -> None:
    outcome = read(text, delivery)
    assert "\n" not in str(outcome)
    if isinstance(outcome, FilterError):
        assert 0 <= outcome.column <= len(text)
        assert outcome.message
        assert outcome.picture().count("\n") == 1
    else:
        assert all(outcome.matches(event) in (True, False) for event in EVENTS)
        assert outcome == read(text, delivery)


def read(text: str, delivery: bool) -> Filter | FilterError:
    try:
        return parse(text, delivery=delivery)
    except FilterError as error:
        return error
