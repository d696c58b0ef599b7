"""The log view: what is listed, filtered, read and jumped to."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from eventscope.engine.questions.named_event import SeqOf
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.log_record import LogRecordScreen, _lines
from eventscope.tui.widgets.log_columns import log_cells, log_heads
from eventscope.tui.widgets.log_list import LogList
from eventscope.tui.widgets.log_pane import LogFilterField
from tests.tui.driving import dashboard, screen, toasts, until
from tests.tui.logbook import EVENT, a_logbook, a_record
from tests.tui.scripted import ScriptedEngine
from tests.tui.shop import a_shop
from tests.tui.snapshots import assert_looks
from tests.tui.test_hostile_text import HOSTILE, assert_harmless


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = a_shop()
    for record in a_logbook():
        engine.log.add(record)
    return engine


def say(engine: ScriptedEngine, *messages: str) -> None:
    for message in messages:
        engine.log.add(a_record(message))


def records(pilot: Pilot[None]) -> LogList:
    return dashboard(pilot).log_pane.records


def rows(pilot: Pilot[None]) -> list[str]:
    """The rows that are on the screen."""
    listed = records(pilot)
    return [listed.render_line(y).text.rstrip() for y in range(listed.size.height)]


async def opened(pilot: Pilot[None]) -> None:
    await pilot.press("5")
    await until(pilot, lambda: records(pilot).has_focus)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=lambda size: f"{size[0]}")
async def test_it_lists_what_was_logged_and_printed(
    engine: ScriptedEngine, size: tuple[int, int]
) -> None:
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "out of retries" in screen(pilot))
        await assert_looks(pilot, f"log-{size[0]}x{size[1]}")


async def test_new_records_appear_at_the_bottom(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        say(engine, *(f"record {number}" for number in range(100)))
        await until(pilot, lambda: "record 99" in rows(pilot)[-1])
        say(engine, "record 100")
        await until(pilot, lambda: "record 100" in rows(pilot)[-1])


@pytest.mark.parametrize("key", ["k", "up", "pageup", "ctrl+u", "g", "home", "space"])
async def test_reading_holds_it_still_and_newest_lets_it_go(
    engine: ScriptedEngine, key: str
) -> None:
    say(engine, *(f"record {number}" for number in range(100)))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press(key)
        before, cursor = rows(pilot), records(pilot).cursor
        await until(pilot, lambda: " FROZEN " in screen(pilot))
        say(engine, *(f"later {number}" for number in range(10_000)))
        await until(pilot, lambda: "FROZEN +5,000" in screen(pilot))
        assert rows(pilot) == before
        assert records(pilot).cursor == cursor
        await pilot.press("G")
        assert "later 9999" in rows(pilot)[-1]
        await until(pilot, lambda: "FROZEN" not in screen(pilot))


async def test_space_follows_again(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("space", "space")
        say(engine, "and on it goes")
        await until(pilot, lambda: "and on it goes" in screen(pilot))
        assert not dashboard(pilot).feed.frozen, "the key was the log's"


@pytest.mark.parametrize("key", ["down", "j", "pagedown", "ctrl+d", "end"])
async def test_down_from_the_oldest(engine: ScriptedEngine, key: str) -> None:
    say(engine, *(f"record {number}" for number in range(100)))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("g")
        assert records(pilot).cursor == 0
        await pilot.press(key)
        assert records(pilot).cursor != 0


async def test_a_filter_is_live_and_kept(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"operator:mail")
        await until(pilot, lambda: "2 of 7" in screen(pilot))
        await until(pilot, lambda: "out of retries" not in screen(pilot))
        await pilot.press("enter")
        assert records(pilot).has_focus
        say(engine, "nothing of interest")
        engine.log.add(a_record("more mail", operator="send_email"))
        await until(pilot, lambda: "more mail" in rows(pilot)[2])
        await until(pilot, lambda: "3 of 9" in screen(pilot))
        await pilot.press("slash", *" sent")
        await until(pilot, lambda: "1 of 9" in screen(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "3 of 9" in screen(pilot))
        assert records(pilot).has_focus
        await pilot.press("escape")
        await until(pilot, lambda: "made publication" in screen(pilot))
        assert dashboard(pilot).has_class("-log")
        await pilot.press("escape")
        await until(pilot, lambda: dashboard(pilot).feed.has_focus)


async def test_a_filter_that_cannot_be_says_so_and_the_one_before_stays(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"level:e")
        await until(pilot, lambda: "1 of 7" in screen(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "there is no level ex" in screen(pilot))
        await until(pilot, lambda: "out of retries" in screen(pilot))
        await pilot.press("backspace")
        await until(pilot, lambda: "there is no level" not in screen(pilot))


async def test_where_nothing_matches_it_says_so(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash", *"nonsense", "enter")
        await until(pilot, lambda: "No record matches" in screen(pilot))
        await until(pilot, lambda: "0 of 7" in screen(pilot))
        await until(pilot, lambda: "/ nonsense" in screen(pilot))
        await pilot.press("j", "k", "enter", "o", "f")
        assert not isinstance(pilot.app.screen, LogRecordScreen)


async def test_before_anything_was_logged_it_says_so() -> None:
    async with EventScopeApp(ScriptedEngine()).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Nothing was logged yet" in screen(pilot))
        await assert_looks(pilot, "log-empty")


async def test_while_frozen_a_filter_lists_and_counts_what_it_lets_through(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("k")
        cursor = records(pilot).cursor
        await pilot.press("slash", *"mail", "enter")
        await until(pilot, lambda: "2 of 7" in screen(pilot))
        assert records(pilot).cursor == cursor, "which matches"
        say(engine, "some mail", "nothing")
        await until(pilot, lambda: "FROZEN +1" in screen(pilot))


async def test_enter_opens_the_whole_record(engine: ScriptedEngine) -> None:
    engine.log.add(a_record("first\n  second\x1b[31m", operator="send_email", event_id=EVENT,
                            details={"error": "E" * 300}))  # fmt: skip
    app = EventScopeApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "first⏎" in screen(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "  second␛[31m" in screen(pilot))
        await until(pilot, lambda: screen(pilot).count("E") >= 300)
        await until(pilot, lambda: EVENT in screen(pilot))
        await assert_looks(pilot, "log-record")
        await pilot.press("y")
        assert app.clipboard == "first\n  second\x1b[31m"
        await pilot.press("escape")
        assert records(pilot).has_focus
        await until(pilot, lambda: "FROZEN" in screen(pilot))  # what is read stays


async def test_o_goes_to_the_operator_that_said_it(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        view = dashboard(pilot)
        await opened(pilot)
        await pilot.press("o")
        await until(pilot, lambda: view.operators.table.has_focus)
        assert view.operators.selected is not None
        assert view.operators.selected.name == "billing_sync"

        await opened(pilot)
        await pilot.press("k", "enter", "o")
        await until(pilot, lambda: view.operators.table.has_focus)
        assert view.operators.selected.name == "send_email"


async def test_f_goes_to_the_event_that_it_is_about(engine: ScriptedEngine) -> None:
    engine.answers[SeqOf] = 7
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        feed = dashboard(pilot).feed
        for keys in [("f",), ("k", "enter", "f")]:
            await opened(pilot)
            await pilot.press(*keys)
            await until(pilot, lambda: feed.has_focus and feed.cursor == 7)
            await pilot.press("G")
        assert [one for one in engine.asked if isinstance(one, SeqOf)] == [SeqOf(EVENT)] * 2


async def test_an_event_that_is_not_kept_any_more_is_said_to_be_gone(
    engine: ScriptedEngine,
) -> None:
    engine.answers[SeqOf] = None
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("f")
        await until(pilot, lambda: "no longer keeps" in "".join(toasts(pilot)))
        assert dashboard(pilot).has_class("-log")


@pytest.mark.parametrize("key", ["escape", "enter", "q"])
async def test_a_record_is_closed(engine: ScriptedEngine, key: str) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, LogRecordScreen)
        await pilot.press(key)
        assert not isinstance(pilot.app.screen, LogRecordScreen)
        assert pilot.app.is_running


async def test_what_cannot_be_gone_to_is_said(engine: ScriptedEngine) -> None:
    say(engine, "nobody's")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("o", "f")
        await until(pilot, lambda: len(toasts(pilot)) == 2)
        await until(
            pilot,
            lambda: toasts(pilot) == ["No operator has said this.", "This is about no event."],
        )
        engine.log.add(a_record("long ago", operator="gone"))
        await until(pilot, lambda: "long ago" in screen(pilot))
        await pilot.press("o")
        await until(pilot, lambda: "There is no operator gone." in toasts(pilot))


async def test_clicks_select_and_open(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.click(LogList, offset=(30, 2))
        assert records(pilot).cursor == 2
        await pilot.click(LogList, offset=(30, 15))
        assert records(pilot).cursor == 2, "there is no record"
        await pilot.click(LogList, offset=(30, 3), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, LogRecordScreen))


async def test_its_filter_field_shows_its_keys_in_the_help(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(110, 60)) as pilot:
        await opened(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: "To the record's event in the feed" in screen(pilot))
        await until(pilot, lambda: "Filter the log" in screen(pilot))


async def test_typing_numbers_stays_in_the_filter(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("slash", "1", "p", "space", "?")
        assert dashboard(pilot).query_one(LogFilterField).value == "1p ?"
        assert engine.sent == []


@pytest.mark.parametrize("width", range(30, 200, 13))
def test_heads_and_rows_have_the_same_width(width: int) -> None:
    for record in a_logbook():
        assert cell_len("".join(text for text, _ in log_cells(record, width))) == width
    assert cell_len(log_heads(width)) == width


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_part_of_a_record_is_harmful(text: str, width: int) -> None:
    record = a_record(text, operator=text, details={text: text})
    row = "".join(part for part, _ in log_cells(record, width))
    assert_harmless(row)
    assert "\n" not in row
    assert cell_len(row) == width
    for line in _lines(record):
        assert_harmless(line.plain)


async def test_a_screen_full_of_it_stays_alive(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for text in (*HOSTILE, "".join(HOSTILE)):
            engine.log.add(a_record(text, operator=text, details={text: text}))
        await until(pilot, lambda: records(pilot).window.total == len(HOSTILE) + 8)
        drawn = screen(pilot)
        for keys in [("enter",), ("y",), ("o",), ("slash", *'[/]"level:[x]')]:
            await pilot.press(*keys)
            drawn += screen(pilot)
        assert pilot.app.is_running
    assert_harmless(drawn)
