"""The screen of one operator: what it tried, what it gave up, what it is; all of it live."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import TabbedContent

from eventscope.engine.commands import DiscardLetters, Pause, Retry, RetryLetters
from eventscope.engine.questions.dead_letters import LetterOf, LettersOf
from eventscope.engine.questions.operator import DetailsOf
from eventscope.engine.snapshot import BackfillSnapshot, ReplaySnapshot
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens import operator as operator_screen
from eventscope.tui.screens.backfill import BackfillScreen
from eventscope.tui.screens.discard import DiscardScreen
from eventscope.tui.screens.failure import FailureScreen
from eventscope.tui.screens.help import HelpScreen
from eventscope.tui.screens.letter import LetterScreen
from eventscope.tui.screens.operator import OperatorScreen
from eventscope.tui.screens.replay import ReplayScreen
from eventscope.tui.screens.skip import SkipScreen
from eventscope.tui.widgets.letter_table import LetterTable
from eventscope.tui.widgets.operator_table import OperatorTable
from tests.tui.driving import dashboard, screen, toasts, until
from tests.tui.operators import a_filled_query, a_shop_that_answers, details, letters
from tests.tui.scripted import NOW, ScriptedEngine
from tests.tui.snapshots import assert_looks

TO_BILLING = ("2", "j", "j", "enter")
TO_LETTERS = (*TO_BILLING, "2")


@pytest.fixture
def engine() -> ScriptedEngine:
    return a_shop_that_answers()


async def test_enter_opens_it_and_escape_leads_back(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        for leaving in ("escape", "q"):
            await pilot.press(*TO_BILLING)
            await until(pilot, lambda: isinstance(pilot.app.screen, OperatorScreen))
            await pilot.press(leaving)
            await until(pilot, lambda: dashboard(pilot).operators.table.has_focus)
        assert pilot.app.is_running


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("operator-attempts-80x24", TO_BILLING),
        ("operator-letters-80x24", TO_LETTERS),
        ("operator-definition-80x24", (*TO_BILLING, "3")),
    ],
)
async def test_each_tab(engine: ScriptedEngine, name: str, keys: tuple[str, ...]) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        await assert_looks(pilot, name)


async def test_attempts_and_latencies_are_told(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(120, 40)) as pilot:
        await pilot.press(*TO_BILLING)
        await until(pilot, lambda: "p99 1.25 s" in screen(pilot))
        shown = " ".join(screen(pilot).split())
        assert "p50 4.2 ms p95 38 ms p99 1.25 s" in shown
        assert "1,204 queued · oldest 3m · 1,120 applied · 5 failed attempts" in shown
        assert "0/16B3748/0 1 5.00 s × TimeoutError: the billing service did not" in shown
        assert shown.count("✓ done") == 19


async def test_it_is_live(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_screen, "_DETAILS_INTERVAL", 0.05)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        engine.answers[DetailsOf] = replace(details(), attempts=())
        engine.answers[LettersOf] = letters(1)
        engine.operators(
            replace(one, dead=1, depth=7_777) if one.name == "billing_sync" else one
            for one in engine.snapshot().operators
        )
        await until(pilot, lambda: "7,777 queued" in screen(pilot))
        await until(pilot, lambda: "It has tried nothing since the start." in screen(pilot))
        await until(pilot, lambda: "Dead letters (1)" in screen(pilot))


async def test_tabs_by_number_and_by_arrow(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        tabs = pilot.app.screen.query_one(TabbedContent)
        ways = [
            ("2", "dead-letters"), ("3", "definition"), ("1", "attempts"),
            ("right", "dead-letters"), ("l", "definition"), ("tab", "attempts"),
            ("left", "definition"), ("h", "dead-letters"), ("shift+tab", "attempts"),
        ]  # fmt: skip
        for key, tab in ways:
            await pilot.press(key)
            await until(pilot, lambda tab=tab: tabs.active == tab)  # type: ignore[misc]


async def test_the_definition_of_a_query_has_its_sql_in_colour() -> None:
    engine = a_filled_query()
    async with EventScopeApp(engine).run_test(size=(100, 40)) as pilot:
        await pilot.press("2", "enter", "3")
        await until(pilot, lambda: "INSERT INTO post_with" in screen(pilot))
        shown = " ".join(screen(pilot).split())
        assert "kind query, keeps post_with_comments_counts up to date" in shown
        assert "ids posts: id comments: Sql(coalesce(post_id, 0))" in shown
        assert "delete_with posts" in shown
        assert "on_failure dead_letter" in shown
        strips = pilot.app.screen._compositor.render_strips()
        [line] = [strip for strip in strips if "INSERT INTO" in strip.text]
        assert len({segment.style.color for segment in line if segment.text.strip()}) > 1


async def test_the_definition_of_a_handler(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(100, 40)) as pilot:
        await pilot.press(*TO_BILLING, "3")
        await until(pilot, lambda: "customer_id" in screen(pilot))
        shown = " ".join(screen(pilot).split())
        assert "entities orders events insert, update timeout 5 s a call" in shown
        assert "concurrency 4 key customer_id batch single events on_failure halt" in shown


async def test_a_letter_is_read_tried_again_and_discarded(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_LETTERS)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LetterScreen))
        await until(pilot, lambda: 'File "operators/billing.py", line 31' in screen(pilot))
        await until(pilot, lambda: "event 0/16B3748/0" in screen(pilot))
        await pilot.press("j", "k", "escape")

        await pilot.press("down", "r")
        await until(pilot, lambda: engine.sent == [RetryLetters("billing_sync", 2)])
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, DiscardScreen))
        await until(
            pilot, lambda: "forgets its dead letter 2 for good: 0/16B3747/0" in screen(pilot)
        )
        await pilot.press("d", "enter")
        assert len(engine.sent) == 1, "another key, or the same, is not enough"
        await pilot.press(*"iscard", "enter")
        await until(pilot, lambda: engine.sent[1:] == [DiscardLetters("billing_sync", 2)])


async def test_all_letters_are_tried_again_or_discarded(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_LETTERS)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        await pilot.press("R")
        await until(pilot, lambda: engine.sent == [RetryLetters("billing_sync")])
        await pilot.press("D")
        await until(pilot, lambda: "forgets 3 dead letters for good." in screen(pilot))
        await pilot.press("escape")
        assert len(engine.sent) == 1
        await pilot.press("D", *"discard", "enter")
        await until(pilot, lambda: engine.sent[1:] == [DiscardLetters("billing_sync")])


async def test_the_cursor_stays_on_its_letter(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_screen, "_DETAILS_INTERVAL", 0.05)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_LETTERS)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        await pilot.press("j")
        engine.answers[LettersOf] = letters(9)
        engine.operators(
            replace(one, dead=9) if one.name == "billing_sync" else one
            for one in engine.snapshot().operators
        )
        await until(pilot, lambda: "Dead letters (9)" in screen(pilot))
        await until(pilot, lambda: "0/16B3740/0" in screen(pilot))
        await pilot.press("r")
        await until(pilot, lambda: engine.sent == [RetryLetters("billing_sync", 2)])
        table = pilot.app.screen.query_one(LetterTable)
        moves = [
            ("g", 9), ("j", 8), ("down", 7), ("k", 8), ("up", 9), ("G", 1), ("home", 9),
            ("end", 1), ("pageup", 9), ("pagedown", 1),
        ]  # fmt: skip
        for key, letter in moves:
            await pilot.press(key)
            assert table.selected is not None
            assert table.selected.id == letter, key


async def test_a_letter_that_has_gone_meanwhile_is_not_opened(engine: ScriptedEngine) -> None:
    engine.answers[LetterOf] = None
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_LETTERS)
        await until(pilot, lambda: "Dead letters (3)" in screen(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "The letter is there no more." in toasts(pilot))


async def test_of_many_letters_the_newest_are_listed(engine: ScriptedEngine) -> None:
    engine.operators(
        replace(one, dead=1_234) if one.name == "billing_sync" else one
        for one in engine.snapshot().operators
    )
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_LETTERS)
        await until(pilot, lambda: "The newest 3 of 1,234:" in screen(pilot))
        await until(pilot, lambda: "Dead letters (1,234)" in screen(pilot))


async def test_a_double_click_opens_it(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: dashboard(pilot).operator)
        await pilot.click(OperatorTable, offset=(5, 2), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, OperatorScreen))
        await until(pilot, lambda: "1,120 applied" in screen(pilot))


async def test_without_letters_it_says_so() -> None:
    async with EventScopeApp(a_filled_query()).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter", "2")
        await until(pilot, lambda: "No dead letters." in screen(pilot))


async def test_its_keys_act_upon_this_operator(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(100, 24)) as pilot:
        await pilot.press(*TO_BILLING, "p", "r")
        await until(pilot, lambda: engine.sent == [Pause("billing_sync"), Retry("billing_sync")])
        for key, kind in [
            ("e", FailureScreen), ("S", SkipScreen), ("T", ReplayScreen),
            ("question_mark", HelpScreen),
        ]:  # fmt: skip
            await pilot.press(key)
            await until(pilot, lambda kind=kind: isinstance(pilot.app.screen, kind))  # type: ignore[misc]
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(pilot.app.screen, OperatorScreen))
        await pilot.press("B")
        await until(
            pilot,
            lambda: (
                "billing_sync is a handler: only a query's target can be filled." in toasts(pilot)
            ),
        )


async def test_progress_is_a_bar() -> None:
    half = BackfillSnapshot(done=500, total=1_000, failed=0, started_at=NOW)
    engine = a_filled_query(backfill=half)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: "500 of 1,000 ids" in screen(pilot))
        await until(pilot, lambda: "50%" in screen(pilot))
        await pilot.press("B")
        await until(pilot, lambda: isinstance(pilot.app.screen, BackfillScreen))
        await pilot.press("escape")
        [one] = engine.snapshot().operators
        engine.operators([replace(one, backfill=None, replay=ReplaySnapshot(3, 4))])
        await until(pilot, lambda: "3 of 4 events" in screen(pilot))
        engine.operators([replace(one, backfill=None)])
        await until(pilot, lambda: "3 of 4 events" not in screen(pilot))


async def test_a_question_that_fails_does_not_end_the_dashboard(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_screen, "_DETAILS_INTERVAL", 0.05)
    engine.answers[DetailsOf] = engine.answers[LettersOf] = RuntimeError("[/] \x1b broken")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING)
        await until(pilot, lambda: "RuntimeError: [/] ␛ broken" in toasts(pilot))
        asked = len(engine.asked)
        await until(pilot, lambda: len(engine.asked) > asked + 4)
        await until(pilot, lambda: toasts(pilot).count("RuntimeError: [/] ␛ broken") == 1)  # once
        await pilot.press("escape")
        assert pilot.app.is_running
