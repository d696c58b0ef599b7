from __future__ import annotations

import pytest

from eventscope.engine.commands import Pause, Resume, Retry, RetryLetters
from eventscope.engine.snapshot import BackfillSnapshot, StreamState
from eventscope.tui.app import EventScopeApp
from eventscope.tui.screens.failure import FailureScreen
from eventscope.tui.screens.help import HelpScreen
from tests.events import an_update
from tests.tui.driving import dashboard, first_line, screen, toasts, until
from tests.tui.scripted import NOW, ScriptedEngine, an_operator
from tests.tui.shop import a_shop


async def test_narrow_panes_stand_one_above_the_other(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        feed, operators = dashboard(pilot).feed, dashboard(pilot).operators.table
        assert feed.region.width == 80
        assert operators.region.y > feed.region.bottom - 1
        assert operators.region.bottom <= 23
        assert feed.size.height >= 13
        assert not dashboard(pilot).event_pane.panel.is_shown


@pytest.mark.parametrize("size", [(110, 35), (160, 50)])
async def test_wide_panes_stand_side_by_side(engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        await pilot.pause()
        view = dashboard(pilot)
        assert view.operators.table.region.x >= view.feed.region.right
        assert view.event_pane.panel.region.y > view.operators.table.region.y
        assert view.event_pane.panel.region.x >= view.feed.region.right
        await until(pilot, lambda: "UPDATE public.users" in screen(pilot))


async def test_a_narrow_terminal_shows_the_event_alone_and_goes_back(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "k", "k", "enter")
        cursor = dashboard(pilot).feed.cursor
        await until(pilot, lambda: "UPDATE public.orders" in screen(pilot))
        await until(pilot, lambda: "7 unchanged columns hidden" in screen(pilot))
        await until(pilot, lambda: "backing-off" not in screen(pilot))

        await pilot.press("K")
        await until(pilot, lambda: "UPDATE audit.log" not in screen(pilot))
        await pilot.press("J", "escape")
        await until(pilot, lambda: "backing-off" in screen(pilot))
        assert dashboard(pilot).feed.cursor == cursor
        assert dashboard(pilot).feed.has_focus


async def test_growing_wide_while_an_event_is_read(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("k", "enter")
        await pilot.resize_terminal(160, 50)
        await until(pilot, lambda: "backing-off" in screen(pilot))
        await until(pilot, lambda: "INSERT public.orders" in screen(pilot))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "backing-off" not in screen(pilot))
        await until(pilot, lambda: "INSERT public.orders" in screen(pilot))


@pytest.mark.parametrize("size", [(40, 8), (59, 24), (80, 14)])
async def test_a_tiny_terminal_is_told_what_is_needed(
    engine: ScriptedEngine, size: tuple[int, int]
) -> None:
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        await pilot.pause()
        width, height = size
        await until(
            pilot, lambda: f"terminal too small ({width}x{height}), need 60x15" in screen(pilot)
        )
        await pilot.resize_terminal(60, 15)
        await until(pilot, lambda: "too small" not in screen(pilot))


async def test_an_unknown_past_comes_with_its_remedy() -> None:
    async with EventScopeApp(a_shop(6)).run_test(size=(110, 35)) as pilot:
        await pilot.press("k")
        await pilot.press("j")
        await until(pilot, lambda: "old values are not in the WAL" in screen(pilot))
        await until(pilot, lambda: "ALTER TABLE audit.log REPLICA IDENTITY FULL;" in screen(pilot))


async def test_numbers_go_to_panes(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        view = dashboard(pilot)
        for key, pane in [
            ("2", view.operators.table),
            ("3", view.event_pane.panel),
            ("1", view.feed),
        ]:
            await pilot.press(key)
            assert pane.has_focus
        await pilot.press("tab")
        assert view.operators.table.has_focus


async def test_operators_are_shown_with_all_that_matters(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        shown = " ".join(screen(pilot).split())
        assert "● search_index running 12" in shown
        assert "▲ send_email backing-off 318 retry 2/4 in 27s SMTPS" in shown
        assert "× billing_sync halted 1,204 5 tries TimeoutError" in shown
        assert "■ audit_export paused 5,120 paused by you" in shown
        assert "×1 ▲1 ■1" in shown


async def test_p_pauses_and_resumes_the_selected_operator(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: engine.sent == [Pause("search_index")])
        await pilot.press("2", "j", "j", "j", "1", "p")
        await until(pilot, lambda: engine.sent[1:] == [Resume("audit_export")])
        await until(pilot, lambda: "resume: audit_export" in toasts(pilot))


async def test_r_retries_where_there_is_something_to_retry(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "r")
        await until(
            pilot, lambda: "search_index is running: there is nothing to retry." in toasts(pilot)
        )
        assert engine.sent == []
        await pilot.press("j", "r", "j", "r")
        await until(pilot, lambda: engine.sent == [Retry("send_email"), Retry("billing_sync")])


@pytest.mark.parametrize("view", [["4"], ["5"], ["1", "z"]], ids=str)
async def test_where_no_operator_is_seen_its_keys_do_nothing_and_say_so(
    engine: ScriptedEngine, view: list[str]
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "j", *view, "p", "e")
        said = "The operators are not to be seen here: 2 shows which one you would pause."
        await until(pilot, lambda: said in toasts(pilot))
        assert not isinstance(pilot.app.screen, FailureScreen)
        assert engine.sent == []
        await pilot.press("2", "p")
        await until(pilot, lambda: engine.sent == [Pause("send_email")])


async def test_a_refusal_says_why(engine: ScriptedEngine) -> None:
    engine.refusal = "[/] search_index is \x1b[31mbusy"
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: "[/] search_index is ␛[31mbusy" in toasts(pilot))


async def test_e_shows_the_traceback(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "e")
        await until(pilot, lambda: "search_index has no error." in toasts(pilot))
        await pilot.press("j", "j", "e")
        assert isinstance(pilot.app.screen, FailureScreen)
        await until(pilot, lambda: 'File "operators/billing.py", line 31, in bill' in screen(pilot))
        await pilot.press("escape")
        assert dashboard(pilot).operators.table.has_focus


async def test_without_operators_their_keys_say_so() -> None:
    engine = ScriptedEngine()
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "No operators yet" in screen(pilot))
        await pilot.press("p", "r", "e", "space", "3")
        await until(pilot, lambda: "There is no operator to pause." in toasts(pilot))
        await until(pilot, lambda: "There is nothing to freeze yet." in toasts(pilot))
        await until(pilot, lambda: "There is no event yet." in toasts(pilot))
        assert engine.sent == []


async def test_the_cursor_follows_its_operator(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "j")
        engine.operators([an_operator("first"), an_operator("send_email", state="paused")])
        await until(pilot, lambda: "first" in screen(pilot))
        await pilot.press("p")
        await until(pilot, lambda: engine.sent == [Resume("send_email")])


async def test_an_operator_that_will_pause_after_its_event_can_be_resumed(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        engine.operators([an_operator("busy", state="running", paused=True)])
        await until(pilot, lambda: "busy" in screen(pilot))
        await pilot.press("p")
        await until(pilot, lambda: engine.sent == [Resume("busy")])


async def test_help_lists_the_keys_that_are_bound(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(100, 60)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        said = ["Feed", "Read the event", "Everywhere", "Freeze the feed, or follow", "Quit"]
        await until(pilot, lambda: all(words in screen(pilot) for words in said))
        await pilot.press("q")
        assert not isinstance(pilot.app.screen, HelpScreen)
        assert pilot.app.is_running


async def test_every_key_has_an_id_and_says_what_it_does(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        for key in ("1", "2", "3"):
            await pilot.press(key)
            ours = [
                active
                for active in pilot.app.screen.active_bindings.values()
                if type(active.node).__module__.startswith("eventscope")
            ]
            assert len(ours) > 15
            inherited = {"left", "right", "ctrl+pageup", "ctrl+pagedown", "shift+tab"}
            copies = {"ctrl+c", "super+c"}
            for active in ours:
                if active.binding.key not in inherited | copies:
                    assert active.binding.id, active.binding
                    assert active.tooltip, active.binding


async def test_dead_letters_are_counted_and_tried_again(engine: ScriptedEngine) -> None:
    broken = an_operator("counts", dead=2, error="Check: [/few]", traceback="x")
    engine.operators([broken, an_operator("mails", retrying=3, state="backing-off")])
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "2 dead  Check: [/few]" in screen(pilot))
        await until(pilot, lambda: "retries 3 ids" in screen(pilot))
        await pilot.press("2", "R")
        assert engine.sent == [RetryLetters("counts")]
        await pilot.press("down", "R")
        await until(pilot, lambda: "mails has no dead letter." in toasts(pilot))
        assert len(engine.sent) == 1


async def test_a_backfill_shows_how_far_it_is(engine: ScriptedEngine) -> None:
    half = BackfillSnapshot(done=500, total=1000, failed=0, started_at=NOW)
    engine.operators([an_operator("counts", backfill=half)])
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "backfill 50%" in screen(pilot))


@pytest.mark.parametrize(
    ("state", "badge", "said"),
    [
        ("connecting", "CONNECTING", "Connecting to shop@localhost"),
        ("standby", "STANDBY", "takes over as soon as the slot es_shop is free"),
        ("reconnecting", "DOWN retry 5s", "Next attempt in 5s, ctrl+r tries at once."),
        ("stopped", "STOPPED", "The stream has stopped"),
    ],
)
async def test_a_stream_in_trouble(
    engine: ScriptedEngine, state: StreamState, badge: str, said: str
) -> None:
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        engine.stream(state=state, detail="connection refused", next_retry=NOW + 5)
        await until(pilot, lambda: badge in screen(pilot) and said in screen(pilot))
        await until(pilot, lambda: "connection refused" in screen(pilot))
        await until(pilot, lambda: "order_items" in screen(pilot))
        engine.stream(state="streaming", detail="", next_retry=None)
        await until(pilot, lambda: "LIVE" in screen(pilot))
        assert said not in screen(pilot)


async def test_a_database_that_is_down_from_the_start() -> None:
    engine = ScriptedEngine()
    engine.stream(state="reconnecting", detail="Connection refused", next_retry=NOW + 5)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "shop@localhost is out of reach" in screen(pilot))
        await until(pilot, lambda: "Connection refused" in screen(pilot))
        await until(pilot, lambda: "Events already queued are safe." in screen(pilot))


async def test_a_dead_engine_leaves_the_screen_readable(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        engine.error = RuntimeError("database disk image is [/malformed")
        await until(pilot, lambda: "FAILED" in screen(pilot))
        died = "The engine has stopped: RuntimeError: database disk image is [/malformed"
        await until(pilot, lambda: died in screen(pilot))
        await until(pilot, lambda: "order_items" in screen(pilot))
        await pilot.press("k", "enter", "escape", "q")
        await until(pilot, lambda: not pilot.app.is_running)
    assert pilot.app.return_code == 0


async def test_a_long_cause_of_death_is_shown_to_its_end(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        engine.error = RuntimeError(f"{'publication events is gone; ' * 12}restart")
        await until(pilot, lambda: "FAILED" in screen(pilot))
        await until(pilot, lambda: "restart" in screen(pilot))
        await until(pilot, lambda: "q quits" in screen(pilot))
        await until(pilot, lambda: "order_items" in screen(pilot))


async def test_the_status_bar_tells_rate_and_lag(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        engine.stream(events=0)
        engine.at(10)
        dashboard(pilot).draw_state()
        engine.stream(events=1_500)
        engine.at(11)
        dashboard(pilot).draw_state()
        await until(pilot, lambda: "1,500 ev/s" in screen(pilot))
        await until(pilot, lambda: "lag 16 kB" in screen(pilot))
        await until(pilot, lambda: "shop@localhost  es_shop" in screen(pilot))


async def test_what_does_not_fit_is_left_out_of_the_status_bar(engine: ScriptedEngine) -> None:
    engine.stream(server="warehouse@" + "a" * 200)
    async with EventScopeApp(engine).run_test(size=(60, 15)) as pilot:
        await pilot.press("k")
        await until(pilot, lambda: "FROZEN" in first_line(pilot))
        await until(pilot, lambda: first_line(pilot).endswith("×1 ▲1 ■1"))


@pytest.mark.parametrize("theme", ["eventscope", "eventscope-cb", "textual-light", "ansi-dark"])
async def test_every_theme_draws(engine: ScriptedEngine, theme: str) -> None:
    async with EventScopeApp(engine).run_test(size=(120, 30)) as pilot:
        pilot.app.theme = theme
        await pilot.press("k", "2", "e")
        await until(pilot, lambda: "search_index" in screen(pilot))


async def test_a_new_event_of_an_old_row_is_another_event(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(120, 30)) as pilot:
        engine.emit(an_update(new={"status": "shipped"}))
        await until(pilot, lambda: "new → shipped" in screen(pilot))
        engine.emit(an_update(new={"status": "returned"}))
        await until(pilot, lambda: screen(pilot).count("new → returned") == 2)
