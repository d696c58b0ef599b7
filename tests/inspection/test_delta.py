from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from eventscope.inspection.delta import delta_text

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (Decimal("41.00"), Decimal("49.90"), "+8.90"),
        (3, 1, "-2"),
        (0.1, 0.3, "+0.2"),
        (1, 1_000_001, "+1,000,000"),
        (NOON, NOON + timedelta(minutes=3, seconds=12), "+3 m 12 s"),
        (NOON, NOON - timedelta(days=400, hours=2, seconds=1), "-400 d 2 h"),
        (NOON, NOON + timedelta(microseconds=1_500), "+1.5 ms"),
        (date(2026, 7, 1), date(2026, 7, 31), "+30 d"),
    ],
)
def test_numbers_and_moments_say_by_how_much(old: Any, new: Any, said: str) -> None:
    assert delta_text(old, new) == said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, 1),
        (False, True),
        ("1", "2"),
        (1.0, float("nan")),
        (float("inf"), 1),
        (Decimal("1E+999999"), Decimal(1)),
        (Decimal("1E-999999"), Decimal(1)),
        (NOON, NOON.replace(tzinfo=None)),
        (NOON, date(2026, 7, 1)),
    ],
)
def test_what_has_no_difference_says_none(old: Any, new: Any) -> None:
    assert delta_text(old, new) == ""
