"""What the feed shows beside the newest events: the past, a transaction, a row, what is marked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from eventscope.engine.commands import Retry, RetryLetters
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.file import FileScreen
from tests.events import an_insert
from tests.queue.batches import Writer
from tests.replication import encoder
from tests.tui.driving import dashboard, feed_lines, screen, toasts, until
from tests.tui.past import an_engine_with_a_past, numbered, one_row_among_others
from tests.tui.scripted import ScriptedEngine, an_operator
from tests.tui.shop import a_shop
from tests.tui.snapshots import assert_looks


def listed(pilot: Pilot[None]) -> list[int]:
    """The numbers of the events that are listed."""
    shown = dashboard(pilot).feed.listed
    return [shown.seq_at(place) for place in range(len(shown))]


async def test_it_begins_with_what_the_queue_holds() -> None:
    engine = await an_engine_with_a_past(numbered(30), shown=0)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "status-30" in feed_lines(pilot)[-1])
        await until(pilot, lambda: "Nothing has changed yet" not in screen(pilot))
        assert not dashboard(pilot).feed.frozen


async def test_scrolling_up_past_the_ring_reads_on_from_the_queue() -> None:
    engine = await an_engine_with_a_past(numbered(3_000), shown=1_000)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "status-3000" in screen(pilot))
        await pilot.press("k", "g")
        for _ in range(60):
            top = feed_lines(pilot)[0]
            await pilot.press("k")
            await pilot.pause()
            if "status-1 " in top:
                break
            await pilot.press("g")
        await until(pilot, lambda: "status-1 " in feed_lines(pilot)[0])
        assert listed(pilot) == list(range(1, 3_001)), "without a gap"
        await until(pilot, lambda: "older" not in screen(pilot))
        await pilot.press("G")
        await until(pilot, lambda: "status-3000" in feed_lines(pilot)[-1])
        assert len(listed(pilot)) == 1_000, "what was read is let go of again"


async def test_a_list_that_holds_all_it_may_says_what_it_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eventscope.tui.widgets.feed_window._MOST", 1_300)
    engine = await an_engine_with_a_past(numbered(3_000), shown=1_000)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "status-3000" in screen(pilot))
        await pilot.press("k", "g")
        await until(pilot, lambda: len(listed(pilot)) >= 1_300)
        left = 3_000 - len(listed(pilot))
        await until(pilot, lambda: f"↑ {left:,} not listed" in screen(pilot))
        await pilot.press("G")
        await until(pilot, lambda: "not listed" not in screen(pilot))


async def test_rows_stay_where_they_are_while_older_ones_are_read() -> None:
    engine = await an_engine_with_a_past(numbered(3_000), shown=1_000)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "status-3000" in screen(pilot))
        await pilot.press("k", "g")
        await until(pilot, lambda: len(listed(pilot)) > 1_400)
        await until(pilot, lambda: "status-2001" in feed_lines(pilot)[0])
        assert dashboard(pilot).feed.cursor == 2_001
        await pilot.press("k")
        await until(pilot, lambda: "status-2000" in feed_lines(pilot)[0])


async def test_what_the_ring_has_dropped_is_counted() -> None:
    engine = ScriptedEngine(capacity=1_000)
    engine.emit(*(an_insert() for _ in range(1_000)))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "older" not in screen(pilot))
        engine.emit(*(an_insert() for _ in range(1_234)))
        await until(pilot, lambda: "↑ 1,234 older" in screen(pilot))


async def test_x_shows_the_transaction_and_esc_leads_back() -> None:
    engine = await an_engine_with_a_past(numbered(500, in_one=5), shown=500)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "status-500" in screen(pilot))
        await pilot.press("k", "k", "pageup")
        cursor, rows = dashboard(pilot).feed.cursor, feed_lines(pilot)
        assert cursor is not None
        await pilot.press("x")
        await until(pilot, lambda: " · 5 events · esc back" in screen(pilot))
        await until(pilot, lambda: "transaction" in screen(pilot))
        first = (cursor - 1) // 5 * 5 + 1
        assert listed(pilot) == list(range(first, first + 5))
        assert dashboard(pilot).feed.cursor == cursor
        await pilot.press("j", "escape")
        await until(pilot, lambda: "esc back" not in screen(pilot))
        assert dashboard(pilot).feed.cursor == cursor
        await until(pilot, lambda: feed_lines(pilot) == rows)


async def test_a_huge_transaction_is_read_as_it_is_looked_at() -> None:
    engine = await an_engine_with_a_past(numbered(20_000, in_one=20_000), shown=10)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "x")
        await until(pilot, lambda: "20,000 events" in screen(pilot))
        assert len(listed(pilot)) < 2_000
        for _ in range(100):
            await pilot.press("g")
            await pilot.pause()
            if 1 in listed(pilot):
                break
        assert 1 in listed(pilot)
        assert len(listed(pilot)) <= 10_000, "what is far away is let go of"
        for _ in range(100):
            await pilot.press("G")
            await pilot.pause()
            if 20_000 in listed(pilot):
                break
        assert 20_000 in listed(pilot)
        await until(pilot, lambda: "20,000 events" in screen(pilot))  # G stays in the transaction
        await pilot.press("space")
        await until(pilot, lambda: "20,000 events" not in screen(pilot))
        assert not dashboard(pilot).feed.frozen


async def test_h_shows_every_version_of_the_row_with_what_each_has_changed() -> None:
    engine = await an_engine_with_a_past(one_row_among_others(), shown=3)
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        await pilot.press("k", "h")
        await until(
            pilot, lambda: "history · 4 versions of orders id=7 · esc back" in screen(pilot)
        )
        assert listed(pilot) == [1, 102, 103, 104]
        await until(pilot, lambda: "status  paid → shipped" in feed_lines(pilot)[2])
        await until(pilot, lambda: "~ status paid → shipped" in screen(pilot))
        await pilot.press("k")
        await until(pilot, lambda: "~ status new → paid" in screen(pilot))
        await until(pilot, lambda: "old values are not in the WAL" not in screen(pilot))
        await pilot.press("G")
        await until(pilot, lambda: "- status shipped" in screen(pilot))


async def test_a_history_at_a_glance() -> None:
    engine = await an_engine_with_a_past(one_row_among_others(), shown=3)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "m", "h")
        await until(pilot, lambda: "4 versions" in screen(pilot))
        await assert_looks(pilot, "feed-history")
        await pilot.press("w")
        assert isinstance(pilot.app.screen, FileScreen)
        pilot.app.screen.name_input.value = "no/seven.jsonl"
        await assert_looks(pilot, "feed-write")


async def test_a_history_that_cannot_be_told_says_why() -> None:
    writer = Writer()
    writer.row(writer.table("orders"), encoder.truncate([0])).commit()
    engine = await an_engine_with_a_past(writer, shown=1)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("h")
        await until(pilot, lambda: "orders has no key by which" in "".join(toasts(pilot)))
        assert not dashboard(pilot).feed.restricted


async def test_what_is_no_longer_kept_says_so() -> None:
    engine = await an_engine_with_a_past(numbered(5), shown=5)
    assert engine.queue is not None
    await engine.queue.advance("someone", 5)
    await engine.queue.prune()
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        gone = "the queue no longer keeps this event"
        for key in "xh":
            await pilot.press(key)
            await until(pilot, lambda: gone in toasts(pilot))
            pilot.app.clear_notifications()


async def test_marked_events_are_kept_and_listed_alone() -> None:
    engine = await an_engine_with_a_past(numbered(50), shown=50)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "No event is marked: m marks one." in toasts(pilot))
        await pilot.press("k", "m", "k", "k", "m")
        await until(
            pilot, lambda: [line[0] for line in feed_lines(pilot)][-4:] == ["◆", " ", "◆", " "]
        )
        marks = dashboard(pilot).feed_pane.marks
        assert 49 in marks
        assert 47 in marks
        await pilot.press("M")
        await until(pilot, lambda: "marked events · 2 · esc back" in screen(pilot))
        assert listed(pilot) == [47, 49]
        await pilot.press("m")
        assert 47 not in marks
        await pilot.press("M")
        await until(pilot, lambda: "marked events" not in screen(pilot))
        assert dashboard(pilot).feed.cursor == 47


async def test_e_goes_from_trouble_to_trouble() -> None:
    engine = await an_engine_with_a_past(numbered(300), shown=200)
    failing = an_operator("billing", state="backing-off", position=149, failing=150)
    engine.operators([failing, an_operator("counts", letters={250: True, 120: False, 20: True})])
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        feed = dashboard(pilot).feed
        await pilot.press("e")
        await until(
            pilot, lambda: "No operator has failed at an event after this one." in toasts(pilot)
        )
        for key, expected in [("E", 250), ("E", 150), ("E", 120), ("e", 150), ("e", 250)]:
            await pilot.press(key)
            assert feed.cursor == expected
        await pilot.press("E", "E", "E")
        await until(pilot, lambda: feed.cursor == 20)
        await pilot.press("E")
        await until(
            pilot, lambda: "No operator has failed at an event before this one." in toasts(pilot)
        )


async def test_trouble_that_is_no_longer_listed_is_shown_where_it_is() -> None:
    engine = await an_engine_with_a_past(numbered(3_000), shown=1_000)
    engine.operators([an_operator("counts", position=3_000, letters={700: True})])
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "status-3000" in screen(pilot))
        await pilot.press("E")
        await until(pilot, lambda: "around event" in screen(pilot))
        await until(pilot, lambda: 699 in listed(pilot) and 701 in listed(pilot))
        assert dashboard(pilot).feed.cursor == 700
        await until(
            pilot, lambda: any("status-700 " in line and "×" in line for line in feed_lines(pilot))
        )


async def test_r_retries_what_failed_at_the_selected_event() -> None:
    engine = await an_engine_with_a_past(numbered(10), shown=10)
    assert engine.queue is not None
    [event] = await engine.queue.read(5, engine.queue.relations, 1)
    given = {"attempts": 3, "error": "x", "traceback": "", "next_retry": None}
    letter = await engine.queue.put_letter("counts", ("7",), event, **given)  # type: ignore[arg-type]
    failing = an_operator("billing", state="halted", position=5, failing=6)
    engine.operators([failing, an_operator("counts", position=10, letters={6: True})])
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "r")
        nothing = "No operator has failed at this event: there is nothing to retry."
        await until(pilot, lambda: nothing in toasts(pilot))
        await pilot.press("E", "r")
        await until(pilot, lambda: len(engine.sent) == 2)
        assert engine.sent == [RetryLetters("counts", letter.id), Retry("billing")]


async def test_nothing_is_retried_where_nothing_may_be_changed() -> None:
    engine = await an_engine_with_a_past(numbered(10), shown=10)
    engine.read_only = True
    engine.operators([an_operator("billing", state="halted", position=5, failing=6)])
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("E", "r")
        await until(pilot, lambda: "read-only" in "".join(toasts(pilot)).lower())
        assert engine.sent == []


async def test_w_writes_the_listed_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def files() -> list[Path]:
        return list(tmp_path.iterdir())

    engine = await an_engine_with_a_past(one_row_among_others(), shown=3)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "h")
        await until(pilot, lambda: "4 versions" in screen(pilot))
        await pilot.press("w")
        assert isinstance(pilot.app.screen, FileScreen)
        await until(pilot, lambda: "Write 4 events as JSON lines" in screen(pilot))
        pilot.app.screen.name_input.value = "seven.jsonl"
        await pilot.press("enter")
        await until(pilot, lambda: "4 events written to seven.jsonl" in toasts(pilot))
        lines = (tmp_path / "seven.jsonl").read_text().splitlines()
        assert [json.loads(line)["type"] for line in lines] == [
            "insert",
            "update",
            "update",
            "delete",
        ]
        assert (tmp_path / "seven.jsonl").stat().st_mode & 0o777 == 0o600

        await pilot.press("w")
        assert isinstance(pilot.app.screen, FileScreen)
        suggested = pilot.app.screen.name_input.value
        assert suggested.endswith(".jsonl")
        pilot.app.screen.name_input.value = "seven.jsonl"
        await until(pilot, lambda: "There is such a file already." in screen(pilot))
        pilot.app.screen.name_input.value = "nowhere/x"
        await until(pilot, lambda: "There is no folder nowhere." in screen(pilot))
        pilot.app.screen.name_input.value = " "
        await pilot.press("enter")
        await until(pilot, lambda: "A name is needed." in screen(pilot))
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, FileScreen)
        assert [file.name for file in files()] == ["seven.jsonl"]


async def test_deliveries_change_while_nothing_else_does() -> None:
    engine = a_shop()
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k")
        await until(pilot, lambda: "✓ ×■✓" in screen(pilot))
        operators = engine.snapshot().operators
        engine.operators(replace(one, position=60, failing=None) for one in operators)
        await until(pilot, lambda: "✓ ✓✓✓" in screen(pilot) and "×■" not in screen(pilot))
        await until(pilot, lambda: "ssbap" in screen(pilot))


async def test_many_operators_are_summed_up() -> None:
    engine = a_shop()
    done = [an_operator(f"operator_{n}", position=60) for n in range(8)]
    engine.operators([*done, an_operator("broken", state="halted", position=56, failing=57)])
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "8✓" in screen(pilot))
        await until(pilot, lambda: "operators" in screen(pilot).splitlines()[1])
        await until(
            pilot, lambda: any(line.rstrip("▃ ").endswith("1· 8✓") for line in feed_lines(pilot))
        )
