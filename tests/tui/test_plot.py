from __future__ import annotations

from dataclasses import replace

import pytest

from eventscope.tui.cells import elapsed
from eventscope.tui.history import History
from eventscope.tui.plot import each, plot
from tests.tui.scripted import ScriptedEngine, an_operator


def test_a_plot_fills_what_is_known_from_the_right() -> None:
    assert plot([0, 4, 8], 5, 1, span=5) == ["  ▁▅█"]
    assert plot([0, 8, 16], 5, 2, span=5) == ["   ▁█", "  ▁██"]
    assert plot([], 3, 2, span=3) == ["   ", "   "]


def test_what_is_always_zero_is_a_thin_line() -> None:
    assert plot([0, 0, 0], 3, 2, span=3) == ["   ", "▁▁▁"]


def test_a_column_stands_for_the_highest_of_its_values() -> None:
    assert plot([1, 8, 1, 1, 4, 1], 3, 1, span=6) == ["█▂▅"]
    assert each(3, 6) == 2
    assert each(4, 6) == 2
    assert each(0, 6) == 1


def test_columns_keep_what_they_stand_for_while_values_come() -> None:
    """Else peaks would flicker from one look to the next."""
    values = [0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0]
    shapes = [
        plot(values[count - 6 : count], 3, 1, span=6, count=count)[0] for count in range(6, 9)
    ]
    assert shapes == ["▁█▁", "█▁▁", "█▁▁"]


def test_less_than_there_is_to_show_is_cut_on_the_left() -> None:
    assert plot([8, 0, 0, 0], 2, 1, span=2) == ["▁▁"]
    assert plot([1], 0, 1, span=5) == [""]


def test_a_sample_is_taken_once_a_second() -> None:
    history, engine = History(), ScriptedEngine(an_operator("slow", depth=7))
    for quarter in range(9):
        engine.at(quarter / 4)
        engine.stream(events=100 * quarter)
        history.look(engine.snapshot())
    assert [sample.rate for sample in history.samples] == [400, 400]
    assert history.samples[0].backlog == 7
    assert history.samples[0].lag == 16_000


def test_a_clock_that_is_set_back_and_counts_that_begin_anew_are_survived() -> None:
    history, engine = History(), ScriptedEngine()
    for at, events in [(0, 0), (1, 100), (-3600, 100), (-3599, 50), (-3598, 60)]:
        engine.at(at)
        engine.stream(events=events)
        history.look(engine.snapshot())
    assert [sample.rate for sample in history.samples] == [100, 0, 10]
    assert history.samples[-1].backlog == 0


def test_no_more_than_ten_minutes_are_kept() -> None:
    history, engine = History(), ScriptedEngine()
    snapshot = engine.snapshot()
    for second in range(700):
        history.look(replace(snapshot, taken_at=snapshot.taken_at + second))
    assert (len(history.samples), history.taken) == (600, 699)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "0s"), (3.4, "3s"), (125, "2m 05s"), (18_720, "5h 12m"), (100_000, "1d 03h")],
)
def test_elapsed(seconds: float, told: str) -> None:
    assert elapsed(seconds) == told
