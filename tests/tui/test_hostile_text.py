"""Nothing from the database drives the terminal or the interface."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from rich.cells import cell_len

from eventscope.declaration import QueryOperator
from eventscope.engine.commands import CommandRefused
from eventscope.engine.questions.attempts import Letter, OperatorAttempts
from eventscope.engine.questions.dead_letters import LetterDetails, LetterOf, LettersOf
from eventscope.engine.questions.operator import (
    Attempted,
    Blocking,
    BlockingEvent,
    DetailsOf,
    ReplayOf,
)
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.event import Event
from eventscope.ids import Sql
from eventscope.inspection.filter import DELIVERY_STATES, Delivery
from eventscope.operators.timeline import Attempt
from eventscope.tui.app import EventScopeApp
from eventscope.tui.operator_watch import OperatorWatch
from eventscope.tui.screens.copy_menu import CHOICES
from eventscope.tui.screenshot import screenshot_svg
from eventscope.tui.symbols import OPERATOR_LOOKS, STREAM_BADGES
from eventscope.tui.widgets.event_lines import body_lines, header_lines, whole_text
from eventscope.tui.widgets.fate import Fate
from eventscope.tui.widgets.feed_columns import feed_cells
from eventscope.tui.widgets.notice import failure_text, stream_trouble
from eventscope.tui.widgets.operator_columns import laid_out, operator_row
from eventscope.tui.widgets.operator_lines import (
    attempt_lines,
    definition_lines,
    head_lines,
    sql_content,
)
from eventscope.tui.widgets.reading import TABS, Reading
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update
from tests.tui.driving import dashboard, screen, until
from tests.tui.operators import details, letters
from tests.tui.scripted import NOW, STREAM, ScriptedEngine, an_operator

NO_UNICODE = "\ud800"
"""What no server sends, but a document may hold."""

HOSTILE = [
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[31mred",
    "\x9b31m\x9d0;owned\x9c",
    "\x07\x08\r\n\x00\x7f",
    "user\u202egnp.exe\u2066",
    "pay\u200bpal\ufeff",
    "[/]",
    "[@click=app.quit]click[/]",
    "[bold red]x",
    "[",
    "\\[",
    "$primary",
    NO_UNICODE,
    "a" + "\u0301" * 99,
    "日本語" * 200,
    "x" * 100_000,
    "",
]


def everything_named(text: str) -> list[Event]:
    name: dict[str, Any] = {"key": ("id",), "schema": text or "public"}
    row = {
        "id": text,
        text: text,
        "meta": {text: text, "list": [text]},
        "note": f"long note {text}",
    }
    other = {text: text + "!", "meta": {text: text + "!"}, "note": f"long note {text} changed"}
    return [
        an_insert(text, row, **name),
        a_delete(text, row, **name),
        a_truncate(text, **name),
        a_default_identity_update(text, row, **name),
        an_update(text, row, other, columns=dict.fromkeys(row, text), **name),
    ]


def an_operator_named(text: str) -> OperatorSnapshot:
    return an_operator(text, state="halted", error=text, traceback=f"{text}\n{text}", detail=text)


def a_fate(text: str) -> Fate:
    """What became of an event at an operator of such a name and errors, in every state."""
    attempt = Attempt(1, 1, NOW, 0.5, text, f"{text}\n{text}")
    letter = Letter((text, text), 3, text, text, NOW, NOW + 9)
    operator = an_operator_named(text)
    deliveries = tuple((Delivery(text, state, 1, text), operator) for state in DELIVERY_STATES)
    return Fate(deliveries, NOW, {text: OperatorAttempts((attempt,), (letter,))})


def assert_harmless(shown: str) -> None:
    found = set(shown) & set("\x00\x07\x08\r\x1b\x7f\x9b\x9c\x9d\u200b\u202e\u2066\ufeff\ud800")
    assert not found


@pytest.mark.parametrize("width", [20, 80, 160])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_part_of_an_event_is_harmful(text: str, width: int) -> None:
    fate = a_fate(text)
    for event in everything_named(text):
        row = "".join(cell for cell, _ in feed_cells(event, width))
        assert_harmless(row)
        assert "\n" not in row
        said = header_lines(event, fate, width)
        for tab, split in product(TABS, (False, True)):
            reading = Reading(tab, unchanged=True, split=split, all=True)
            said += body_lines(event, fate, width, reading)
        for line in said:
            assert_harmless(line.plain)
            assert text == NO_UNICODE or cell_len(line.plain) <= max(width, 40)
            assert text == NO_UNICODE or "unprintable" not in line.plain


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_for_a_clipboard_or_a_pager_is_harmful(text: str) -> None:
    if text == NO_UNICODE:
        text = "\ue000"
    fate = a_fate(text)
    for event in everything_named(text):
        for tab in TABS:
            assert_harmless(whole_text(event, fate, tab).replace("\n", ""))
        for key, choice in CHOICES.items():
            copied = choice.text(event).replace("\n", "")
            is_json = key == "j"  # which must stay what it is, if only it commands nothing
            assert_harmless(re.sub("[\u200b\ufeff]", "", copied) if is_json else copied)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_part_of_the_engine_state_is_harmful(text: str) -> None:
    for state in OPERATOR_LOOKS:
        operator = replace(an_operator_named(text), state=state)
        row = laid_out(operator_row(operator, OperatorWatch(), NOW), 80)
        assert_harmless("".join(row))
        assert cell_len("".join(row)) == 80
    for stream_state in STREAM_BADGES:
        heading, lines = stream_trouble(
            replace(STREAM, state=stream_state, server=text, slot=text, detail=text), NOW
        )
        assert_harmless(heading + "".join(lines))
    assert_harmless(failure_text(RuntimeError(text)))


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_part_of_an_operator_is_harmful(text: str) -> None:
    watch = OperatorWatch()
    failed = Attempted(None, 1, NOW, 0.1, text)
    query = QueryOperator(
        text, text, text, {text: (text, Sql(text))}, (text,), (text,), (), alias=text
    )
    shown = [
        head_lines(an_operator_named(text), watch, None, NOW),
        attempt_lines([failed]),
        definition_lines(query),
        sql_content(text),
    ]
    for content in shown:
        assert_harmless(content.plain)


async def test_the_screen_of_one_operator_stays_alive() -> None:
    joined = "".join(HOSTILE[:14])
    engine = ScriptedEngine(replace(an_operator_named(joined), dead=3, failing=1))
    event = an_update(new={"status": joined})
    hostile = [replace(one, error=joined, table=joined, target=(joined,)) for one in letters()]
    engine.answers = {
        DetailsOf: details(),
        LettersOf: tuple(hostile),
        LetterOf: LetterDetails(hostile[0], event, joined),
        BlockingEvent: Blocking(event, joined),
        ReplayOf: CommandRefused(joined),
    }
    async with EventScopeApp(engine).run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: dashboard(pilot).operator)
        await pilot.press("2", "enter")
        drawn = screen(pilot)
        for keys in [
            ("2", "enter"), ("escape", "d"), ("escape", "D"), ("escape", "S"), ("escape", "T", "x"),
            ("escape", "3"), ("P",), ("escape", "1"),
        ]:  # fmt: skip
            await pilot.press(*keys)
            await pilot.pause(0.2)
            drawn += screen(pilot)
        assert "Dead letters (3)" in drawn
        assert pilot.app.is_running
    assert_harmless(drawn)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_a_screen_full_of_it_stays_alive(size: tuple[int, int]) -> None:
    engine = ScriptedEngine(*(an_operator_named(text) for text in HOSTILE))
    joined = "".join(HOSTILE[:12])
    engine.stream(server=joined, slot=joined, detail=joined, state="standby")
    engine.refusal = joined
    app = EventScopeApp(engine)
    async with app.run_test(size=size, notifications=True) as pilot:
        drawn = screen(pilot)
        for text in HOSTILE:
            engine.emit(*everything_named(text))
        for keys in [("k", "p"), ("2", "r"), ("e",), ("escape",), ("1", "g", "enter"), ("J", "J")]:
            await pilot.press(*keys)
            drawn += screen(pilot)
        engine.error = RuntimeError(joined)
        await until(pilot, lambda: "FAILED" in screen(pilot))
        drawn += screen(pilot) + screenshot_svg(app)
        assert app.is_running
    assert_harmless(drawn)
