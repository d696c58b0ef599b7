from __future__ import annotations

import pytest

from eventscope.engine.deliveries import deliveries, delivery_state, troubled
from eventscope.inspection.filter import Delivery
from tests.events import Listed, a_truncate, an_insert
from tests.tui.scripted import an_operator


@pytest.mark.parametrize(
    ("state", "operator"),
    [
        ("done", an_operator("a", position=7)),
        ("queued", an_operator("a", position=6)),
        ("held", an_operator("a", position=6, held=7)),
        ("held", an_operator("a", position=3, state="paused")),
        ("retrying", an_operator("a", position=6, failing=7, state="backing-off")),
        ("failed", an_operator("a", position=6, failing=7, state="halted")),
        ("failed", an_operator("a", position=9, letters={7: True})),
        ("retrying", an_operator("a", position=9, letters={7: False})),
    ],
)
def test_what_became_of_an_event_is_told_by_a_snapshot(state: str, operator) -> None:
    assert delivery_state(7, operator) == state
    assert troubled([operator]) == ({7} if state in ("failed", "retrying") else set())


def test_an_operator_is_asked_about_what_concerns_it_alone() -> None:
    operators = [
        an_operator("a", position=7),
        an_operator("b", entities=("users",)),
        an_operator("c", events=("truncate",)),
    ]
    assert list(deliveries(Listed(an_insert("orders"), 7), operators)) == [Delivery("a", "done")]
    truncated = Listed(a_truncate("orders"), 8)
    assert [one.operator for one in deliveries(truncated, operators)] == ["a", "c"]


def test_what_a_backfill_failed_at_is_no_event() -> None:
    assert troubled([an_operator("a", letters={0: True})]) == set()
