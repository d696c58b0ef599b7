"""The time that a row tells of itself: what EventStreamex tests of it.

Mirrors test/event_streamex/entity_processed_test.exs of EventStreamex 1.2.1, which has one test of
5 assertions. What there is ``:no_value`` or ``:bad_arg`` is None here: it tells no time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from eventscope.progress import microseconds


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that is not in UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_a_time_is_microseconds_since_1970_with_or_without_a_zone() -> None:
    assert microseconds(None) is None
    assert microseconds("bad arg") is None
    assert microseconds(1695110220000000) == 1695110220000000
    paris = timezone(timedelta(hours=2))
    assert microseconds(datetime(2023, 9, 19, 9, 57, 0, 123456, paris)) == 1695110220123456
    assert microseconds(datetime(2023, 9, 19, 7, 57, 0, 123456)) == 1695110220123456
