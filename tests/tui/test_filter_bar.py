"""Filtering the feed as a person does it: with keys, and by what is on the screen."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from eventscope.settings import Ui
from eventscope.tui.app import EventScopeApp
from eventscope.tui.memory import Memory
from eventscope.tui.screens.help import HelpScreen
from eventscope.tui.widgets.filter_bar import FilterBar
from tests.events import an_insert, an_update
from tests.tui.driving import dashboard, feed_lines, screen, toasts, until
from tests.tui.scripted import ScriptedEngine, an_operator
from tests.tui.shop import a_shop
from tests.tui.snapshots import assert_looks

_NAMES = {
    " ": "space", ":": "colon", "-": "minus", ">": "greater_than_sign", "/": "slash",
    "(": "left_parenthesis", ")": "right_parenthesis", "_": "underscore", '"': "quotation_mark",
}  # fmt: skip


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*(_NAMES.get(character, character) for character in text))


def bar(pilot: Pilot[None]) -> FilterBar:
    return dashboard(pilot).feed_pane.bar


def tables(pilot: Pilot[None]) -> set[str]:
    """The tables of the rows on the screen."""
    rows = [line.split() for line in feed_lines(pilot) if line.strip()]
    return {row[2] for row in rows}


async def until_counted(pilot: Pilot[None], counts: str) -> None:
    await until(pilot, lambda: counts in screen(pilot))


async def test_the_feed_is_filtered_while_one_types(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users op:delete")
        await until_counted(pilot, "8 of 60")
        assert tables(pilot) == {"users"}
        await until(pilot, lambda: "table is users and op is delete" in screen(pilot))

        await pilot.press(*["backspace"] * len(" op:delete"))
        await until_counted(pilot, "17 of 60")
        await pilot.press("enter")
        assert dashboard(pilot).feed.has_focus
        await until(pilot, lambda: "/ table:users" in screen(pilot))
        await until(pilot, lambda: "17 of 60" in screen(pilot))


async def test_new_events_are_filtered_as_they_come(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await pilot.press("enter")
        await until_counted(pilot, "17 of 60")
        engine.emit(an_insert("orders"), an_insert("users", {"id": 7, "email": "new@x.io"}))
        await until_counted(pilot, "18 of 62")
        await until(pilot, lambda: "new@x.io" in feed_lines(pilot)[-1])
        assert not dashboard(pilot).feed.frozen


async def test_what_cannot_be_read_is_marked_and_changes_nothing(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await until_counted(pilot, "17 of 60")
        await typed(pilot, " op:")
        await until(pilot, lambda: "^ a value is missing here" in screen(pilot))
        at = screen(pilot).splitlines()
        caret = next(line for line in at if "^ a value" in line).index("^")
        written = next(line for line in at if line.startswith(" / "))
        assert caret == written.index("op:") + len("op:")
        await until(pilot, lambda: "17 of 60" in screen(pilot))

        await pilot.press("enter")
        assert bar(pilot).is_open, "there is nothing to keep"
        await typed(pilot, "wrong")
        await until(pilot, lambda: "not wrong" in screen(pilot))
        await assert_looks(pilot, "filter-error")
        await until(pilot, lambda: "17 of 60" in screen(pilot))


async def test_escape_in_the_bar_brings_back_what_held_before(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await pilot.press("enter", "slash")
        assert bar(pilot).input.value == "table:users"
        await typed(pilot, " op:delete")
        await until_counted(pilot, "8 of 60")
        await pilot.press("escape")
        await until_counted(pilot, "17 of 60")
        assert dashboard(pilot).feed.has_focus
        await until(pilot, lambda: "/ table:users" in screen(pilot))


async def test_escape_in_the_feed_clears_the_filter(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await pilot.press("enter")
        await until_counted(pilot, "17 of 60")
        await pilot.press("escape")
        await until(pilot, lambda: "17 of 60" not in screen(pilot))
        assert len(tables(pilot)) > 1
        assert not bar(pilot).display


async def test_escape_leaves_a_transaction_before_it_clears_the_filter(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await pilot.press("enter", "k", "m", "M")
        await until(pilot, lambda: "marked events" in screen(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "marked events" not in screen(pilot))
        await until(pilot, lambda: "17 of 60" in screen(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "17 of 60" not in screen(pilot))


async def test_nothing_that_matches_is_said_with_the_sentence(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:orders status:lost")
        await pilot.press("enter")
        said = "Nothing matches: table is orders and status is lost"
        await until(pilot, lambda: said in screen(pilot))
        await until(pilot, lambda: "0 of 60 events" in screen(pilot))
        await until(pilot, lambda: "esc clears the filter" in screen(pilot))
        await assert_looks(pilot, "filter-nothing")
        await pilot.press("escape")
        assert said not in screen(pilot)


async def test_the_cursor_stays_at_its_event_or_at_the_next_that_matches(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        feed = dashboard(pilot).feed
        await pilot.press("g", "j", "j")
        assert feed.cursor == 3
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await until_counted(pilot, "17 of 60")
        assert feed.cursor == 4
        await pilot.press("escape")
        await until(pilot, lambda: "17 of 60" not in screen(pilot))
        assert feed.cursor == 3


async def test_tab_completes_and_goes_on_to_the_next_suggestion(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await until(pilot, lambda: "one of these tables" in screen(pilot))
        await typed(pilot, "tab")
        await pilot.press("tab")
        assert bar(pilot).input.value == "table:"
        await until(pilot, lambda: "order_items  table" in screen(pilot))
        await assert_looks(pilot, "filter-completion")
        values = []
        for key in ("tab", "tab", "shift+tab"):
            await pilot.press(key)
            values.append(bar(pilot).input.value)
        assert values == ["table:users", "table:orders", "table:users"]
        await typed(pilot, " status:p")
        await pilot.press("tab")
        assert bar(pilot).input.value == "table:users status:pending"
        await pilot.press("tab")
        assert bar(pilot).input.value == "table:users status:paid"
        await typed(pilot, " nothing-like-that")
        await pilot.press("tab")
        assert bar(pilot).input.has_focus, "there is nothing to complete, and nowhere to go"


async def test_operators_and_states_are_completed(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "operator:bil")
        await pilot.press("tab")
        await typed(pilot, " state:f")
        await pilot.press("tab")
        assert bar(pilot).input.value == "operator:billing_sync state:failed"


async def test_earlier_filters_come_back_in_the_next_run(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        for text in ("table:users", "table:orders"):
            await pilot.press("slash", "ctrl+u")
            await typed(pilot, text)
            await pilot.press("enter")
            await until(pilot, lambda: not bar(pilot).is_open)
    async with EventScopeApp(a_shop()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "op:")
        await pilot.press("up", "up")
        assert bar(pilot).input.value == "table:users"
        await until_counted(pilot, "17 of 60")
        await pilot.press("down", "down")
        assert bar(pilot).input.value == "op:"
    assert Memory().recall().filter_history == ["table:users", "table:orders"]


async def test_a_filter_about_deliveries_follows_the_operators() -> None:
    engine = ScriptedEngine(an_operator("billing", position=0))
    engine.emit(*(an_insert("orders", {"id": number}) for number in range(1, 11)))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "state:failed")
        await pilot.press("enter")
        await until_counted(pilot, "0 of 10")
        engine.operators([an_operator("billing", position=3, failing=4, state="halted")])
        await until_counted(pilot, "1 of 10")
        assert dashboard(pilot).feed.cursor == 4
        engine.operators([an_operator("billing", position=10)])
        await until_counted(pilot, "0 of 10")


async def test_a_filter_about_marks_follows_the_marks(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "m", "slash")
        await typed(pilot, "marked")
        await pilot.press("enter")
        await until_counted(pilot, "1 of 60")


async def test_a_filter_is_saved_under_a_name_and_chosen_again(engine: ScriptedEngine) -> None:
    ui = Ui(filters={"failed": "state:failed"})
    async with EventScopeApp(engine, ui).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Save the filter" in screen(pilot))
        await typed(pilot, "people")
        await pilot.press("enter")
        await until(pilot, lambda: any("saved as people" in said for said in toasts(pilot)))
        await pilot.press("escape")
        assert bar(pilot).filter is None

        await pilot.press("F")
        await until(pilot, lambda: "people" in screen(pilot))
        await until(pilot, lambda: "settings" in screen(pilot))
        await assert_looks(pilot, "filter-saved")
        await pilot.press("j", "enter")
        await until_counted(pilot, "17 of 60")
        assert bar(pilot).filter is not None


async def test_what_is_saved_is_what_is_written_however_fast_it_is_typed(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventscope.tui.widgets.filter_bar._DEBOUNCE", 3_600)
    monkeypatch.setattr("eventscope.tui.widgets.filter_bar._PAUSE", 3_600)
    async with EventScopeApp(engine, Ui()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        assert bar(pilot).filter is None
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "Save the filter" in screen(pilot))
        await typed(pilot, "people")
        await pilot.press("enter")
        await until(pilot, lambda: Memory().recall().filters == {"people": "table:users"})


async def test_what_cannot_be_read_is_not_saved_as_something_else(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine, Ui()).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users op:")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any("not a filter yet" in said for said in toasts(pilot)))
        await until(pilot, lambda: "Save the filter" not in screen(pilot))


async def test_a_saved_filter_can_be_had_in_the_bar_and_forgotten(engine: ScriptedEngine) -> None:
    ui = Ui(filters={"users": "table:users"})
    async with EventScopeApp(engine, ui).run_test(size=(80, 24)) as pilot:
        await pilot.press("F", "d")
        await until(pilot, lambda: any("stands in the settings" in said for said in toasts(pilot)))
        await pilot.press("escape", "slash", "ctrl+o")
        await until(pilot, lambda: "Saved filters" in screen(pilot))
        await pilot.press("enter")
        await until_counted(pilot, "17 of 60")
        assert bar(pilot).input.value == "table:users"
        Memory().change(lambda kept: kept.filters.update(mine="op:update"))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "mine" in screen(pilot))
        await pilot.press("down", "delete")
        await until(pilot, lambda: "mine" not in screen(pilot))
        assert Memory().recall().filters == {}


async def test_a_saved_filter_that_cannot_be_read_is_there_to_be_mended(
    engine: ScriptedEngine,
) -> None:
    ui = Ui(filters={"broken": "table:"})
    async with EventScopeApp(engine, ui).run_test(size=(80, 24)) as pilot:
        await pilot.press("F", "enter")
        await until(pilot, lambda: "a value is missing here" in screen(pilot))
        assert bar(pilot).input.has_focus


async def test_there_must_be_a_filter_to_save(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", "ctrl+s")
        await until(pilot, lambda: "There is no filter to save." in toasts(pilot))


async def test_f1_in_the_bar_tells_its_keys_and_the_language(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(100, 40)) as pilot:
        await pilot.press("slash", "f1")
        assert isinstance(pilot.app.screen, HelpScreen)
        await until(pilot, lambda: "Save under a name" in screen(pilot))
        await until(pilot, lambda: "Filters" in screen(pilot))


async def test_the_bar_opens_from_every_view_but_the_log(engine: ScriptedEngine) -> None:
    """The log has a filter of its own."""
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        for key in ("2", "4", "enter"):
            await pilot.press(key, "slash")
            await until(pilot, lambda: bar(pilot).input.has_focus)
            await pilot.press("escape")
            await until(pilot, lambda: dashboard(pilot).feed.has_focus)


async def test_a_click_elsewhere_keeps_what_holds(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "table:users")
        await until_counted(pilot, "17 of 60")
        await pilot.click("#feed", offset=(10, 2))
        await until(pilot, lambda: not bar(pilot).is_open)
        await until(pilot, lambda: "17 of 60" in screen(pilot))


@pytest.mark.parametrize("hostile", ["\x1b]0;owned\x07", "\u202etable", "[/]", "a\nb"])
async def test_what_is_pasted_is_harmless(engine: ScriptedEngine, hostile: str) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        bar(pilot).input.insert_text_at_cursor(hostile)
        await until(pilot, lambda: bar(pilot).input.value)
        await pilot.press("enter", "1")
        await pilot.pause()
        assert not {"\x1b", "\x07", "\u202e", "\n"} & set(bar(pilot).input.value)
        assert not {"\x1b", "\x07", "\u202e"} & set(screen(pilot))


async def test_hostile_words_are_not_suggested() -> None:
    engine = ScriptedEngine()
    engine.emit(an_update("orders\x1b[2J", {"id": 1, "\u202ex": 1, "status": "\x07"}, {"id": 2}))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        for text in ("table:", "", "status:"):
            await pilot.press("slash", "ctrl+u")
            await typed(pilot, text)
            await pilot.press("tab", "tab", "tab")
            await pilot.pause()
            assert not {"\x1b", "\x07", "\u202e"} & set(screen(pilot))
            await pilot.press("escape")


async def test_a_breakpoint_begins_with_the_filter(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await typed(pilot, "status:paid")
        await pilot.press("enter", "b")
        await until(pilot, lambda: "where status is paid" in screen(pilot))
