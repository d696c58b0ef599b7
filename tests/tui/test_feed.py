from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from eventscope.event import Event, RowImages
from eventscope.tui.app import EventScopeApp
from tests.events import an_insert, an_update
from tests.tui.driving import dashboard, feed_lines, screen, until
from tests.tui.scripted import ScriptedEngine


def numbered(how_many: int, start: int = 0) -> Iterator[Event]:
    for number in range(start, start + how_many):
        yield an_insert("orders", {"id": number, "status": f"status-{number}"})


async def test_new_events_appear_at_the_bottom() -> None:
    engine = ScriptedEngine()
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Nothing has changed yet" in screen(pilot))
        engine.emit(*numbered(100))
        await until(pilot, lambda: "status-99" in feed_lines(pilot)[-1])
        engine.emit(*numbered(1, 100))
        await until(pilot, lambda: "status-100" in feed_lines(pilot)[-1])
        await until(pilot, lambda: "Nothing has changed yet" not in screen(pilot))
        await until(pilot, lambda: "LIVE" in screen(pilot))


@pytest.mark.parametrize("key", ["k", "up", "pageup", "ctrl+u", "g", "home", "space", "enter"])
async def test_reading_holds_the_feed_still(key: str) -> None:
    engine = ScriptedEngine()
    engine.emit(*numbered(500))
    async with EventScopeApp(engine).run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert not dashboard(pilot).feed.frozen
        await pilot.press(key)
        assert dashboard(pilot).feed.frozen
        await until(pilot, lambda: "FROZEN" in screen(pilot))


async def test_what_is_read_stays_while_the_ring_is_overwritten() -> None:
    engine = ScriptedEngine(capacity=1_000)
    engine.emit(*numbered(1_000))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "k", "pageup")
        before, cursor = feed_lines(pilot), dashboard(pilot).feed.cursor
        for start in range(1_000, 21_000, 500):
            engine.emit(*numbered(500, start))
            await pilot.pause()
        await until(pilot, lambda: "FROZEN +20,000" in screen(pilot))
        assert feed_lines(pilot) == before
        assert dashboard(pilot).feed.cursor == cursor

        await pilot.press("g")
        await until(pilot, lambda: "status-0 " in feed_lines(pilot)[0])  # lost by the ring


async def test_going_to_the_newest_takes_no_frame() -> None:
    engine = ScriptedEngine(capacity=1_000)
    engine.emit(*numbered(1_000))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("g")
        engine.emit(*numbered(20_000, 1_000))
        await pilot.press("G")
        await until(pilot, lambda: "status-20999" in feed_lines(pilot)[-1])
        assert not dashboard(pilot).feed.frozen
        await until(pilot, lambda: "LIVE" in screen(pilot))


async def test_the_cursor_stays_on_its_event_as_it_moves() -> None:
    engine = ScriptedEngine()
    engine.emit(*numbered(100))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        feed = dashboard(pilot).feed
        await pilot.pause()
        for key, expected in [("k", 99), ("k", 98), ("j", 99), ("g", 1), ("j", 2), ("k", 1)]:
            await pilot.press(key)
            assert feed.cursor == expected
        await pilot.press("pagedown")
        assert feed.cursor == feed.size.height
        await pilot.press("k", "pageup")
        assert feed.cursor == 1
        await pilot.press("end")
        assert feed.cursor == 100


async def test_the_newest_event_is_as_far_down_as_one_can_go() -> None:
    engine = ScriptedEngine()
    engine.emit(*numbered(100))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("j")
        assert not dashboard(pilot).feed.frozen
        await pilot.press("k", "j", "j", "j")
        assert dashboard(pilot).feed.cursor == 100
        assert dashboard(pilot).feed.frozen, "only G and space follow again"
        await pilot.press("space")
        assert not dashboard(pilot).feed.frozen


async def test_the_wheel_holds_the_feed_and_lets_it_go() -> None:
    engine = ScriptedEngine()
    engine.emit(*numbered(100))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        feed = dashboard(pilot).feed
        await pilot.pause()
        feed.on_mouse_scroll_up()
        assert feed.frozen
        feed.on_mouse_scroll_down()
        assert not feed.frozen


async def test_a_click_puts_the_cursor_on_its_row() -> None:
    engine = ScriptedEngine()
    engine.emit(*numbered(100))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        feed = dashboard(pilot).feed
        await pilot.pause()
        await pilot.click("#feed", offset=(10, 2))
        assert feed.cursor == 101 - feed.size.height + 2
        assert feed.frozen


async def test_an_event_that_cannot_be_shown_takes_one_row() -> None:
    engine = ScriptedEngine()
    broken = an_update()
    broken._load = lambda form: RowImages(*form)  # raises
    engine.emit(*numbered(3), broken, *numbered(1, 3))
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "<unprintable>" in screen(pilot))
        await until(pilot, lambda: "status-3" in screen(pilot))
        await pilot.press("k")
        await until(pilot, lambda: "<unprintable:" in screen(pilot))


async def test_every_row_has_the_width_of_the_pane() -> None:
    engine = ScriptedEngine()
    wide = ("日本語" * 30, "a\u0301" * 50, "👩‍👩‍👧" * 9, "x")
    numbers = count()
    engine.emit(*(an_insert(text, {"id": next(numbers), text: text}) for text in wide))
    for size in [(60, 15), (80, 24), (120, 30), (240, 40)]:
        async with EventScopeApp(engine).run_test(size=size) as pilot:
            await pilot.pause()
            feed = dashboard(pilot).feed
            widths = {feed.render_line(y).cell_length for y in range(feed.size.height)}
            assert widths == {feed.scrollable_content_region.width}
