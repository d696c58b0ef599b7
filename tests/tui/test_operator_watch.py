"""States that are over in milliseconds do not flicker, and those that matter come at once."""

from __future__ import annotations

from typing import Any

import pytest

from eventscope.operators.state import OperatorState
from eventscope.tui.operator_watch import LASTING, OperatorWatch
from tests.tui.scripted import an_operator


def seen(*looks: tuple[OperatorState, dict[str, Any]]) -> list[OperatorState]:
    """What is shown when a person looks every quarter of a second."""
    watch, shown = OperatorWatch(), []
    for place, (state, given) in enumerate(looks):
        watch.look(an_operator("one", state=state, **given), place / 4)
        shown.append(watch.state)
    return shown


def test_one_that_is_busy_for_milliseconds_is_running() -> None:
    looks = [("idle", {"applied": 3 * place}) for place in range(12)]
    assert seen(*looks) == ["idle", *["running"] * 11]  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["idle", "waiting"])
def test_a_moment_of_rest_is_not_shown(other: OperatorState) -> None:
    shown = seen(*([("running", {}), (other, {})] * 8))
    assert set(shown) == {"running"}


def test_rest_that_lasts_is_shown() -> None:
    shown = seen(("running", {}), *([("idle", {})] * 8))
    assert shown.index("idle") == 1 + LASTING * 4
    assert set(shown[5:]) == {"idle"}


def test_a_try_between_two_waits_is_no_recovery() -> None:
    failing = {"attempts": 2}
    shown = seen(*([("backing-off", failing), ("running", failing)] * 6))
    assert set(shown) == {"backing-off"}


def test_a_recovery_is_shown_at_once() -> None:
    looks = [
        ("backing-off", {"attempts": 2}),
        ("running", {"applied": 1}),
        ("idle", {"applied": 1}),
    ]
    assert seen(*looks)[1] == "running"  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["paused", "halted", "backing-off"])
def test_what_a_person_must_know_of_is_shown_at_once(state: OperatorState) -> None:
    assert seen(("running", {}), (state, {})) == ["running", state]
    assert seen(("idle", {}), (state, {})) == ["idle", state]


@pytest.mark.parametrize("state", ["paused", "halted"])
def test_what_a_person_has_ended_is_over_at_once(state: OperatorState) -> None:
    assert seen((state, {}), ("idle", {})) == [state, "idle"]
    assert seen((state, {}), ("running", {})) == [state, "running"]


def test_the_first_look_is_believed() -> None:
    assert seen(("waiting", {})) == ["waiting"]
