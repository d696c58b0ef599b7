from __future__ import annotations

import gc
import sys

import pytest
from rich.cells import cell_len

from eventscope.tui.app import EventScopeApp
from eventscope.tui.cells import countdown, fit
from eventscope.tui.durations import ago, took
from eventscope.tui.rate import Rate
from eventscope.tui.responsiveness import frames_per_second, responsive
from eventscope.tui.screenshot import screenshot_svg, svg_to_png
from eventscope.tui.symbols import MARK
from eventscope.tui.widgets.delivery_cells import coloured
from eventscope.tui.widgets.feed_columns import feed_cells, feed_heads
from tests.events import an_update
from tests.tui.scripted import ScriptedEngine


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [("ab", 4, "ab  "), ("abcdef", 4, "abc…"), ("日本語", 4, "日 …"), ("ab", 0, ""), ("", 2, "  ")],
)
def test_text_takes_exactly_its_cells(text: str, width: int, fitted: str) -> None:
    assert fit(text, width) == fitted


def test_numbers_stand_on_the_right() -> None:
    assert fit("12", 4, right=True) == "  12"


@pytest.mark.parametrize(
    ("due", "said"),
    [(None, "now"), (99.0, "now"), (103.0, "in 3s"), (160.0, "in 1m 00s"), (225.0, "in 2m 05s")],
)
def test_countdowns(due: float | None, said: str) -> None:
    assert countdown(due, 100.0) == said


@pytest.mark.parametrize("width", range(40, 200, 7))
def test_heads_and_rows_have_the_same_width(width: int) -> None:
    for ops in ("", "sbac"):
        row = feed_cells(an_update(), width, MARK, coloured("✓×▲ "[: len(ops)]))
        assert cell_len("".join(text for text, _ in row)) == width
        assert cell_len(feed_heads(width, ops, "↑ 1,204 older")) == width


def test_a_rate_is_that_of_the_last_second() -> None:
    rate = Rate()
    assert rate.per_second == 0
    for quarter in range(40):
        rate.add(quarter / 4, 100 * quarter)
    assert rate.per_second == pytest.approx(400)
    assert len(rate.sparkline) == 8
    rate.add(10.0, 0)
    assert rate.per_second == 0, "the engine has started anew"


def test_a_line_to_another_machine_gets_fewer_frames() -> None:
    assert frames_per_second({}) == 15
    assert frames_per_second({"SSH_TTY": "/dev/pts/0"}) == 5


def test_the_interpreter_is_left_as_it_was() -> None:
    before = sys.getswitchinterval(), gc.get_threshold()
    with responsive():
        assert sys.getswitchinterval() < before[0]
    assert (sys.getswitchinterval(), gc.get_threshold()) == before


async def test_pictures(engine: ScriptedEngine) -> None:
    app = EventScopeApp(engine)
    async with app.run_test(size=(80, 24)):
        svg = screenshot_svg(app)
    assert "search_index" in svg
    assert svg_to_png(svg).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "<1s"), (27.9, "27s"), (60, "1m"), (3_599, "59m"), (3_600, "1h"), (172_799, "47h"),
     (172_800, "2d")],
)  # fmt: skip
def test_an_age_takes_four_characters(seconds: float, text: str) -> None:
    assert ago(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0.4 ms"), (0.0384, "38 ms"), (1.254, "1.25 s"), (300.0, "5m")],
)
def test_what_something_took_has_three_digits(seconds: float, text: str) -> None:
    assert took(seconds) == text
