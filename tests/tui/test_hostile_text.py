"""Nothing from the database drives the terminal or the interface."""

from __future__ import annotations

from typing import Any

import pytest

from eventscope.event import Event
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screenshot import screenshot_svg
from tests.events import a_default_identity_update, a_delete, a_truncate, an_insert, an_update
from tests.tui.driving import screen, until
from tests.tui.scripted import ScriptedEngine, an_operator

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
    "\ud800",
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


def an_engine(text: str) -> ScriptedEngine:
    failed = an_operator(text, state="halted", error=text, traceback=f"{text}\n{text}", detail=text)
    engine = ScriptedEngine(failed, an_operator(text + "2", state="waiting", detail=text))
    engine.stream(server=text, slot=text, detail=text, state="standby")
    engine.refusal = text
    return engine


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
async def test_it_is_shown_harmlessly(text: str, size: tuple[int, int]) -> None:
    engine = an_engine(text)
    app = EventScopeApp(engine)
    async with app.run_test(size=size, notifications=True) as pilot:
        drawn = screen(pilot)
        engine.emit(*everything_named(text))
        await pilot.press("k", "j", "p", "r")
        for _ in range(5):
            await pilot.press("enter")
            await pilot.pause()
            drawn += screen(pilot)
            await pilot.press("K", "escape")
        await pilot.press("2", "e")
        drawn += screen(pilot)
        await pilot.press("escape")
        engine.error = RuntimeError(text)
        await until(pilot, lambda: "FAILED" in screen(pilot))
        drawn += screen(pilot) + screenshot_svg(app)
        assert pilot.app.is_running
    assert not set(drawn) & set("\x00\x07\x08\r\x1b\x7f\x9b\x9c\x9d\u200b\u202e\u2066\ufeff\ud800")
