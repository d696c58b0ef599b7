"""When an event was committed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from eventscope.inspection.filter import FilterError, parse
from tests.events import an_insert


@pytest.fixture(autouse=True)
def _in_lyon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A time zone of two hours, without a database of time zones."""
    monkeypatch.setenv("TZ", "XXX-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "minutes", "expected"),
    [
        ("since:5m", 4, True),
        ("since:5m", 6, False),
        ("since:300s", 4, True),
        ("since:1h30m", 89, True),
        ("since:1h30m", 91, False),
        ("since:2d", 47 * 60, True),
        ("since:1w", 8 * 24 * 60, False),
        ("since:5m", -10, True),
        (f"since:{'9' * 9}w", 10**6, True),
    ],
)
def test_a_span_reaches_back_from_now(text: str, minutes: int, expected: bool) -> None:
    event = an_insert(timestamp=datetime.now(UTC) - timedelta(minutes=minutes))
    assert parse(text).matches(event) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at:14:06-14:10", True),
        ("at:14:06", True),
        ("at:14:00-14:06", True),
        ("at:14:00-14:05", False),
        ("at:14:06:38", True),
        ("at:14:06:37", False),
        ("at:14:06:30-14:06:38", True),
        ("at:14:06:39-14:10", False),
        ("at:23:00-14:06", True),
        ("at:15:00-14:05", False),
        ("at:12:06", False),
        ("at:9:00-15:00", True),
        ("at:00:00-23:59", True),
        ("at:01:00,14:06", True),
        ("at:2026-07-01", True),
        ("at:2026-06-30", False),
        ("at:2026-07-01 at:14:00-14:30", True),
    ],
)
def test_times_of_day_are_those_of_the_feed_and_minutes_last_to_their_end(
    text: str, expected: bool
) -> None:
    event = an_insert(timestamp=datetime(2026, 7, 1, 12, 6, 38, 999_999, tzinfo=UTC))
    assert parse(text).matches(event) is expected


def test_a_day_is_a_day_here() -> None:
    event = an_insert(timestamp=datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    assert parse("at:2026-07-01").matches(event)
    assert parse("at:00:30").matches(event)


@pytest.mark.parametrize(
    "text",
    ["since:5", "since:m", "since:5m,6m", "since:>5m", "since:5 m", "since:-5m", "at:25:00",
     "at:12", "at:12:60", "at:12:06-", "at:12:06-12:10-12:20", "at:2026-13-01", "at:>12:06",
     "at:/x/", "at:1206"],
)  # fmt: skip
def test_what_is_no_time_is_answered_with_what_is(text: str) -> None:
    with pytest.raises(FilterError, match=r"(since|at) takes a"):
        parse(text)
