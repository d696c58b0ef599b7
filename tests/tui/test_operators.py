"""Operators: their table, what can be done to them, and why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input, ProgressBar
from textual.widgets._footer import FooterKey

from eventscope.engine.commands import (
    CancelBackfill,
    Command,
    CommandRefused,
    Pause,
    Replay,
    Resume,
    Retry,
    RetryLetters,
    Skip,
    StartBackfill,
)
from eventscope.engine.questions.operator import BlockingEvent, ReplayOf
from eventscope.engine.snapshot import BackfillSnapshot, ReplaySnapshot
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.backfill import BackfillScreen
from eventscope.tui.screens.confirm import Confirm
from eventscope.tui.screens.failure import FailureScreen
from eventscope.tui.screens.operator import OperatorScreen
from eventscope.tui.screens.replay import ReplayScreen
from eventscope.tui.screens.skip import SkipScreen
from tests.tui.driving import dashboard, first_line, screen, toasts, until
from tests.tui.operators import a_filled_query, a_shop_that_answers
from tests.tui.scripted import NOW, ScriptedEngine, an_operator
from tests.tui.snapshots import assert_looks

TO_BILLING = ("2", "j", "j")


@pytest.fixture
def engine() -> ScriptedEngine:
    return a_shop_that_answers()


def greyed(app: EventScopeApp) -> set[str]:
    return {key.key for key in app.screen.query(FooterKey) if key.has_class("-disabled")}


async def test_the_table_tells_depth_age_rate_retry_attempts_and_error() -> None:
    wide = an_operator(
        "send_email",
        state="backing-off",
        depth=318,
        attempts=2,
        next_retry=NOW + 27,
        error="SMTPServerDisconnected",
        oldest_at=NOW - 190,
        applied=100,
    )
    engine = ScriptedEngine(wide)
    async with EventScopeApp(engine).run_test(size=(108, 30)) as pilot:
        for second in range(1, 4):
            engine.operators([replace(wide, applied=100 + 50 * second)])
            engine.at(second)
            dashboard(pilot).draw_state()
        await until(pilot, lambda: "50/s" in screen(pilot))
        shown = " ".join(screen(pilot).split())
        assert "▲ send_email backing-off 318 3m 50/s" in shown
        assert "▇▇▇ 2/5 retry 2/4 in 24s SMTPSe" in shown
        assert "operator state queued oldest rate tries retry, error" in shown


async def test_a_narrow_table_has_bars_and_rate_for_who_is_well() -> None:
    engine = ScriptedEngine(an_operator("busy", applied=0))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        engine.operators([an_operator("busy", state="running", applied=1_200)])
        engine.at(1)
        await until(pilot, lambda: "1,200/s" in screen(pilot))
        await until(pilot, lambda: "● busy" in screen(pilot))


async def test_five_operators_have_their_rows_at_80x24(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await assert_looks(pilot, "operators-80x24")


async def test_p_pauses_all_and_resumes_all_once_confirmed_by_another_key(
    engine: ScriptedEngine,
) -> None:
    others = ["search_index", "send_email", "billing_sync", "post_with_comments_counts"]
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        for leaving in ("P", "n", "escape"):
            await pilot.press("P", leaving)
        await pilot.press("escape")
        assert engine.sent == []
        await pilot.press("P")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await until(pilot, lambda: "Pause 4 operators?" in screen(pilot))  # one is paused already
        await pilot.press("y")
        await until(pilot, lambda: engine.sent == [Pause(name) for name in others])
        await until(pilot, lambda: "4 operators paused" in toasts(pilot))

        paused = [replace(one, paused=True) for one in engine.snapshot().operators]
        engine.operators(paused)
        engine.sent.clear()
        await pilot.press("P")
        await until(pilot, lambda: "Resume 5 operators?" in screen(pilot))
        await pilot.press("y")
        await until(pilot, lambda: engine.sent == [Resume(one.name) for one in paused])


async def test_skip_names_the_event_and_wants_the_word(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING, "S")
        await until(pilot, lambda: isinstance(pilot.app.screen, SkipScreen))
        await until(pilot, lambda: "billing_sync will never see this event" in screen(pilot))
        await until(pilot, lambda: "UPDATE orders 1  status  new → paid" in screen(pilot))
        await until(pilot, lambda: "TimeoutError: the billing service" in screen(pilot))
        await pilot.press("y", "enter")
        await until(pilot, lambda: "Type skip, or press esc to leave it." in toasts(pilot))
        assert engine.sent == []
        await pilot.press("backspace", *"skip", "enter")
        event = engine.answers[BlockingEvent].event
        await until(pilot, lambda: engine.sent == [Skip("billing_sync", event.id)])

        await pilot.press("S")
        await until(pilot, lambda: isinstance(pilot.app.screen, SkipScreen))
        await pilot.press("escape")
        assert len(engine.sent) == 1


async def test_an_event_that_has_gone_meanwhile_is_not_skipped(engine: ScriptedEngine) -> None:
    engine.answers[BlockingEvent] = None
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING, "S")
        said = "billing_sync fails at no event that is still kept."
        await until(pilot, lambda: said in toasts(pilot))


async def test_a_replay_begins_at_the_event_of_the_feed(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", *TO_BILLING, "T")
        chosen = dashboard(pilot).chosen_event
        assert chosen is not None
        await until(pilot, lambda: "1,234 events" in screen(pilot))
        await until(pilot, lambda: "0/16B3748/0 to 0/16B3800/2" in screen(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: engine.sent == [Replay("billing_sync", chosen)])


async def test_a_replay_can_begin_and_end_anywhere(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING, "T")
        await until(pilot, lambda: "Where does it begin?" in screen(pilot))
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, ReplayScreen)
        await pilot.press(*"nonsense")
        await until(pilot, lambda: "'nonsense' is no point of the stream" in screen(pilot))
        await pilot.press("enter")
        assert engine.sent == []

        first, last = pilot.app.screen.query(Input)
        first.value, last.value = "0/16B3748", "2026-11-26T14:00"
        await until(pilot, lambda: "1,234 events" in screen(pilot))
        await pilot.press("tab", "enter")
        ends = Replay("billing_sync", "0/16B3748", "2026-11-26T14:00:00+00:00")
        await until(pilot, lambda: engine.sent == [ends])


async def test_what_cannot_be_replayed_is_said_in_the_dialog(engine: ScriptedEngine) -> None:
    engine.answers[ReplayOf] = CommandRefused("the queue holds no event [/] \x1b")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", *TO_BILLING, "T", "enter")
        await until(pilot, lambda: "the queue holds no event [/] ␛" in screen(pilot))
        assert engine.sent == []


async def test_a_replay_shows_how_far_it_is() -> None:
    engine = ScriptedEngine(an_operator("mails", replay=ReplaySnapshot(done=1, total=4)))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "replay 25%" in screen(pilot))


async def test_a_backfill_is_begun_at_a_pace_or_without() -> None:
    engine = a_filled_query()
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: dashboard(pilot).operator)
        await pilot.press("2", "B")
        await until(pilot, lambda: isinstance(pilot.app.screen, BackfillScreen))
        assert not pilot.app.screen.query_one(ProgressBar).display
        await pilot.press("0", "enter")
        await until(pilot, lambda: "A pace is a number above 0, or nothing." in toasts(pilot))
        await pilot.press("backspace", *"250", "enter")
        name = "post_with_comments_counts"
        await until(pilot, lambda: engine.sent == [StartBackfill(name, 250.0)])
        await pilot.press("B", "enter")
        await until(pilot, lambda: engine.sent[1:] == [StartBackfill(name, None)])


async def test_a_backfill_under_way_is_shown_slowed_down_and_ended() -> None:
    half = BackfillSnapshot(done=500, total=1_000, failed=2, started_at=NOW - 30)
    engine = a_filled_query(backfill=half)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "B")
        await until(pilot, lambda: "500 of 1,000 ids · 2 failed" in screen(pilot))
        await until(pilot, lambda: "about 30s left" in screen(pilot))
        await until(pilot, lambda: "50%" in screen(pilot))
        await assert_looks(pilot, "backfill-80x24")
        await pilot.press("r", "9", "enter")
        name = "post_with_comments_counts"
        await until(pilot, lambda: engine.sent == [StartBackfill(name, 9.0)])
        await pilot.press("B", "c")
        await until(pilot, lambda: engine.sent[1:] == [CancelBackfill(name)])

        await pilot.press("B")
        engine.operators([an_operator(name)])
        await until(pilot, lambda: "The backfill has ended." in screen(pilot))


async def test_what_is_not_possible_now_is_greyed_and_says_why(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(120, 30)) as pilot:
        app = pilot.app
        assert isinstance(app, EventScopeApp)
        await pilot.press("2")
        await until(pilot, lambda: greyed(app) == {"S", "r", "e"})
        await pilot.press("S", "e", "R", "r")
        said = toasts(pilot)
        assert "search_index fails at no event: there is nothing to skip." in said
        assert "search_index has no error." in said
        assert "search_index has no dead letter." in said
        assert "search_index is running: there is nothing to retry." in said
        await pilot.press("j", "j")
        await until(pilot, lambda: greyed(app) == {"B"})
        await pilot.press("B")
        await until(
            pilot,
            lambda: (
                "billing_sync is a handler: only a query's target can be filled." in toasts(pilot)
            ),
        )
        assert engine.sent == []


COMMANDS: list[tuple[str, Command]] = [
    ("p", Pause("billing_sync")),
    ("r", Retry("billing_sync")),
    ("R", RetryLetters("billing_sync")),
]


@pytest.mark.parametrize(("key", "command"), COMMANDS)
async def test_keys_act_at_once(engine: ScriptedEngine, key: str, command: Command) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(*TO_BILLING, key)
        await until(pilot, lambda: engine.sent == [command])


async def test_read_only_refuses_everything_and_says_so(engine: ScriptedEngine) -> None:
    engine.read_only = True
    async with EventScopeApp(engine).run_test(size=(110, 30)) as pilot:
        app = pilot.app
        assert isinstance(app, EventScopeApp)
        await pilot.press(*TO_BILLING)
        await until(pilot, lambda: "READ-ONLY" in first_line(pilot))
        await until(pilot, lambda: greyed(app) == {"S", "T", "B", "p", "r"})
        for key in "pPrRSBT":
            app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: any("read-only" in said for said in toasts(pilot)))
            assert not app.screen.is_modal
        dashboard(pilot).send(Pause("billing_sync"))  # whoever else might
        await pilot.press("e")
        assert isinstance(app.screen, FailureScreen), "looking is allowed"
        await pilot.press("escape", "enter", "2")
        await until(pilot, lambda: isinstance(app.screen, OperatorScreen))
        await until(pilot, lambda: "READ-ONLY" in first_line(pilot))
        for key in "pPrRSBTdD":
            app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: any("read-only" in said for said in toasts(pilot)))
            assert not app.screen.is_modal
        assert engine.sent == []


async def test_the_palette_says_why_something_is_not_done(engine: ScriptedEngine) -> None:
    engine.read_only = True
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *"hold all operators")
        await until(pilot, lambda: "Hold all operators, or let all go on" in screen(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: any("read-only" in said for said in toasts(pilot)))
        assert engine.sent == []


async def test_the_cursor_moves_by_every_key_of_the_table() -> None:
    engine = ScriptedEngine(*(an_operator(f"op{place:02}") for place in range(12)))
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        moves = [
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", 11), ("g", 0), ("end", 11),
            ("home", 0), ("pagedown", 5), ("ctrl+d", 10), ("pageup", 5), ("ctrl+u", 0),
        ]  # fmt: skip
        for key, place in moves:
            await pilot.press(key)
            selected = dashboard(pilot).operator
            assert selected is not None
            assert selected.name == f"op{place:02}", key
