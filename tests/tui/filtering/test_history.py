from __future__ import annotations

import pytest

from eventscope.tui.filtering.history import FilterHistory
from eventscope.tui.memory import Memory


@pytest.fixture
def history() -> FilterHistory:
    history = FilterHistory(Memory())
    for text in ("one", "two", "three"):
        history.add(text)
    history.begin()
    return history


def test_going_back_and_forth_ends_where_it_began(history: FilterHistory) -> None:
    assert history.newer() is None
    assert [history.older("dra"), history.older("three"), history.older("two")] == [
        "three", "two", "one",
    ]  # fmt: skip
    assert history.older("one") is None
    assert [history.newer(), history.newer(), history.newer()] == ["two", "three", "dra"]
    assert history.newer() is None


def test_what_is_in_the_bar_already_is_passed_over(history: FilterHistory) -> None:
    assert history.older("three") == "two"


def test_it_is_kept_for_the_next_run(history: FilterHistory) -> None:
    later = FilterHistory(Memory())
    later.begin()
    assert later.older("") == "three"


def test_what_is_used_again_is_the_latest_and_there_once(history: FilterHistory) -> None:
    history.add("one")
    history.add("")
    assert Memory().recall().filter_history == ["two", "three", "one"]


def test_there_is_an_end_to_it() -> None:
    history = FilterHistory(Memory())
    for number in range(130):
        history.add(str(number))
    assert Memory().recall().filter_history == [str(number) for number in range(30, 130)]
