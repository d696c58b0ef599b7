from __future__ import annotations

import pytest

from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.quick_filter import QuickFilterScreen
from tests.tui.driving import dashboard, screen, toasts, until
from tests.tui.scripted import ScriptedEngine
from tests.tui.snapshots import assert_looks


@pytest.mark.parametrize(
    ("key", "filter"),
    [
        ("t", "table:orders"),
        ("o", "op:update"),
        ("r", "table:orders key:48605"),
        ("x", "xid:7412188"),
    ],
)
async def test_a_letter_filters_by_what_the_event_is(
    engine: ScriptedEngine, key: str, filter: str
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "k", "k", "f")
        await until(pilot, lambda: "this transaction" in screen(pilot))
        await pilot.press(key)
        await until(pilot, lambda: f"/ {filter}" in screen(pilot))
        assert dashboard(pilot).feed.events.filter is not None
        assert dashboard(pilot).feed.cursor == 57, "the event is among them"


async def test_the_menu_offers_changes_and_values(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "k", "k", "f")
        await until(pilot, lambda: "status:pending->paid" in screen(pilot))
        await assert_looks(pilot, "quick-filter")
        await pilot.press("j", "down", "k", "j", "j", "j", "j", "enter")
        await until(pilot, lambda: "/ status:pending->paid" in screen(pilot))


async def test_filters_add_up(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "k", "k", "f", "t")
        await until(pilot, lambda: "/ table:orders" in screen(pilot))
        await pilot.press("f", "o")
        await until(pilot, lambda: "/ table:orders op:update" in screen(pilot))
        await pilot.press("f", "minus")
        await until(pilot, lambda: "/ table:orders op:update -table:orders" in screen(pilot))
        await until(pilot, lambda: "Nothing matches" in screen(pilot))
        await pilot.press("f")
        await until(pilot, lambda: "There is no event to filter by." in toasts(pilot))


async def test_one_alone_replaces_what_held(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "k", "k", "f", "t", "f", "j", "equals_sign")
        await until(pilot, lambda: "/ op:update " in screen(pilot))


async def test_escape_changes_nothing(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "f")
        assert isinstance(pilot.app.screen, QuickFilterScreen)
        await pilot.press("escape")
        assert dashboard(pilot).feed.events.filter is None
        assert dashboard(pilot).feed.has_focus


async def test_a_long_menu_scrolls_on_a_small_screen(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(60, 15)) as pilot:
        await pilot.press("k", "k", "k", "f")
        await until(pilot, lambda: "this table" in screen(pilot))
        await until(pilot, lambda: "created_at" not in screen(pilot))
        await pilot.press("up")
        await until(pilot, lambda: "created_at" in screen(pilot))
