"""Keys that come in one burst, as from somebody who types fast or pastes: each has its meaning."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot

from eventscope.engine.commands import Pause
from eventscope.tui.app import EventScopeApp
from eventscope.tui.log_filter import LogFilter
from tests.tui.driving import dashboard, screen, until
from tests.tui.scripted import ScriptedEngine


def burst(pilot: Pilot[None], *keys: str) -> None:
    """Send keys before the program has done anything about the first of them."""
    for key in keys:
        character = key if len(key) == 1 else {"slash": "/", "colon": ":"}.get(key)
        pilot.app.post_message(events.Key(key, character))


@pytest.mark.parametrize("before", [(), ("4",), ("2",)])
async def test_a_filter_is_written_whole(engine: ScriptedEngine, before: tuple[str, ...]) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "order_items" in screen(pilot))
        await pilot.press(*before)
        burst(pilot, "slash", *"op", "colon", *"update", "enter")
        await until(pilot, lambda: dashboard(pilot).filter_text == "op:update")
        await until(pilot, lambda: dashboard(pilot).feed.has_focus)
        assert engine.sent == []


async def test_the_filter_of_the_log_is_written_whole(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "order_items" in screen(pilot))
        burst(pilot, "5", "slash", *"prep", "enter")
        records = dashboard(pilot).log_pane.records
        await until(pilot, lambda: records.window.filter == LogFilter.parse("prep"))
        assert engine.sent == []


@pytest.mark.parametrize("event", [events.Key("enter", None), events.Paste("text")])
@pytest.mark.parametrize("forwarded", [False, True])
async def test_what_is_typed_while_the_program_ends_harms_nobody(
    engine: ScriptedEngine, event: events.Event, forwarded: bool
) -> None:
    app = EventScopeApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "order_items" in screen(pilot))
    assert app.screen_stack == []
    if forwarded:
        event._set_forwarded()
    await app.on_event(event)


async def test_keys_behind_the_number_of_a_view_are_for_that_view(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "order_items" in screen(pilot))
        burst(pilot, "4", "2", "j", "p")
        await until(pilot, lambda: engine.sent == [Pause("send_email")])
        burst(pilot, "4", "p")
        await until(pilot, lambda: dashboard(pilot).has_class("-health"))
        await pilot.pause()
        assert len(engine.sent) == 1
