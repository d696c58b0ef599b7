"""Where foreign text comes in by other ways than the database: dialogs, keys, paste, clipboard."""

from __future__ import annotations

import base64

import pytest
from textual import events
from textual.widgets import Input

from eventscope.settings import Ui
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.backfill import BackfillScreen
from eventscope.tui.screens.breakpoints import BreakpointsScreen
from tests.events import an_insert
from tests.hostile import DRIVING, HOSTILE, IMPOSSIBLE
from tests.tui.driving import screen, until
from tests.tui.scripted import ScriptedEngine, an_operator


def assert_harmless(shown: str) -> None:
    assert not (DRIVING - {"\n"}) & set(shown)


async def test_a_backfill_names_its_operator_as_it_is_called() -> None:
    names = [text for text in HOSTILE.values() if "[" in text]
    engine = ScriptedEngine(*map(an_operator, names))
    app = EventScopeApp(engine)
    async with app.run_test(size=(110, 35)) as pilot:
        for text in names:
            await app.push_screen(BackfillScreen(engine, text))
            await pilot.pause()
            assert_harmless(screen(pilot))
            if text.startswith("["):
                assert text[:20] in screen(pilot), "it is no markup"
            await app.pop_screen()


async def test_a_breakpoint_is_suggested_for_any_table() -> None:
    shorts = [text[:20] for text in (*HOSTILE.values(), *IMPOSSIBLE.values())]
    engine = ScriptedEngine()
    app = EventScopeApp(engine)
    async with app.run_test(size=(110, 35)) as pilot:
        for texts in (shorts[n : n + 6] for n in range(0, len(shorts), 6)):
            suggestion = f"table:{' '.join(texts)}"
            await app.push_screen(BreakpointsScreen(engine, suggestion, print))
            await pilot.pause()
            await until(pilot, lambda: "Breakpoints" in screen(pilot))
            assert_harmless(screen(pilot))
            await app.pop_screen()


@pytest.mark.parametrize("keys", [("b",), ("k", "w"), ("ctrl+p",)], ids=" ".join)
async def test_what_is_pasted_is_harmless_before_it_is_shown(keys: tuple[str, ...]) -> None:
    engine = ScriptedEngine(an_operator("good"))
    engine.emit(an_insert("orders", {"id": 1}))
    app = EventScopeApp(engine)
    async with app.run_test(size=(110, 35)) as pilot:
        await pilot.press(*keys)
        await until(pilot, lambda: isinstance(app.focused, Input))
        line = app.screen.query_one(Input)
        line.value = ""
        app.post_message(events.Paste("\x1b]52;c;x\x07pay\u200bpal\ud800\nmore"))
        await until(pilot, lambda: line.value)
        assert line.value == "␛]52;c;x␇pay<U+200B>pal<U+D800>"
        await pilot.pause()
        assert_harmless(screen(pilot))


async def test_keys_of_the_settings_are_shown_as_they_are_called() -> None:
    keys = ",".join([*(text.replace(",", "") for text in HOSTILE.values()), "question_mark"])
    app = EventScopeApp(ScriptedEngine(an_operator("good")), Ui(keys={"help": keys}))
    async with app.run_test(size=(160, 50)) as pilot:
        shown = screen(pilot)
        await pilot.press("question_mark")
        shown += screen(pilot)
        await pilot.press("escape", "ctrl+p")
        await pilot.press(*"these")
        await until(pilot, lambda: "These keys" in screen(pilot))
        shown += screen(pilot)
    assert "␛" in shown
    assert_harmless(shown)


async def test_half_a_character_does_not_keep_the_rest_from_being_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = EventScopeApp(ScriptedEngine())
    async with app.run_test() as pilot:
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        app.copy_to_clipboard("a\ud800b")
        await pilot.pause()
    assert f"\x1b]52;c;{base64.b64encode(b'a?b').decode()}\a" in written
