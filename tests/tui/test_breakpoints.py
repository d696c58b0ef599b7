"""The debugger for events, as its keys work it."""

from __future__ import annotations

from dataclasses import replace

from eventscope.engine.commands import Break, Continue, DropBreakpoint, Step
from eventscope.engine.snapshot import BreakpointSnapshot
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.breakpoints import BreakpointsScreen
from tests.tui.driving import screen, toasts, until
from tests.tui.scripted import ScriptedEngine, an_operator
from tests.tui.snapshots import assert_looks

ONE = BreakpointSnapshot(1, "table:orders op:update", "table is orders and op is update", "")
TWO = BreakpointSnapshot(2, "key:7", "key is 7", "send_email")


async def test_b_sets_a_breakpoint_that_begins_with_the_selected_event(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("b")
        assert isinstance(pilot.app.screen, BreakpointsScreen)
        await until(pilot, lambda: "where table is users and" in screen(pilot))
        await pilot.press("enter")
        assert engine.sent == [Break("table:users op:update")]
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, BreakpointsScreen)


async def test_a_filter_that_cannot_be_read_is_not_sent(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("b", "(", "enter")
        await until(pilot, lambda: "where table" not in screen(pilot))
        assert engine.sent == []


async def test_a_breakpoint_is_dropped_from_the_list(engine: ScriptedEngine) -> None:
    engine.breakpoints(ONE, TWO)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("b")
        await until(pilot, lambda: "send_email" in screen(pilot))
        await assert_looks(pilot, "breakpoints")
        await pilot.press("down", "down", "d")
        assert engine.sent == [DropBreakpoint(2)]
        engine.breakpoints(ONE)
        await until(pilot, lambda: "key:7" not in screen(pilot))


async def test_n_steps_and_c_goes_on_at_the_operator_that_waits(engine: ScriptedEngine) -> None:
    engine.breakpoints(ONE)
    held = an_operator("send_email", state="waiting", held=7, detail="held at breakpoint 1")
    engine.operators([an_operator("search_index"), held])
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "BREAK 1 held" in screen(pilot))
        await pilot.press("n", "c")
        assert engine.sent == [Step("send_email"), Continue("send_email")]
        engine.operators([replace(held, held=None)])
        await pilot.press("n")
        await until(pilot, lambda: any("No operator waits" in said for said in toasts(pilot)))
