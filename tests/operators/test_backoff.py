"""The waits after failures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventscope.operators.backoff import Backoff
from eventscope.settings import Settings


def test_by_default_it_doubles_from_half_a_second_to_ten_seconds_as_in_eventstreamex() -> None:
    backoff = Backoff.of(Settings())
    assert backoff.retries == 5
    expected = [0.5, 1, 2, 4, 8, 10, 10, 10]
    for failures, seconds in enumerate(expected, 1):
        waits = [backoff.wait(failures) for _ in range(200)]
        assert seconds <= min(waits)
        assert max(waits) <= seconds * 1.1
        assert len(set(waits)) > 100, "operators that failed together must not come back together"


@given(
    first=st.floats(0, 60),
    factor=st.floats(1, 1000),
    longest=st.floats(0, 3600),
    failures=st.integers(1, 10_000),
)
def test_no_wait_is_shorter_than_planned_nor_over_a_tenth_longer(
    first: float, factor: float, longest: float, failures: int
) -> None:
    backoff = Backoff(first, factor, longest, retries=5)
    exact = min(first * factor ** min(failures - 1, 64), longest)
    assert exact <= backoff.wait(failures) <= exact * 1.1 + 1e-9


@pytest.mark.parametrize("retries", [0, 1, 7])
def test_the_settings_are_milliseconds(retries: int) -> None:
    backoff = Backoff.of(
        Settings(
            operator_queue_min_restart_time=250,
            operator_queue_backoff_multiplicator=3,
            operator_queue_max_restart_time=2_000,
            operator_queue_max_retries=retries,
        )
    )
    assert backoff == Backoff(first=0.25, factor=3.0, longest=2.0, retries=retries)
