"""What the program does wherever the focus is."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from textual.binding import Binding
from textual.color import Color

from eventscope.engine.commands import Pause
from eventscope.settings import SettingsError, Ui
from eventscope.tui.app import EventScopeApp
from eventscope.tui.ascii import AsciiFilter
from eventscope.tui.broken import BrokenApp
from eventscope.tui.memory import Memory
from eventscope.tui.palette import actions
from eventscope.tui.preferences import action_ids, check
from eventscope.tui.screens.help import HelpScreen
from tests.tui.driving import dashboard, lines, screen, toasts, until
from tests.tui.scripted import ScriptedEngine
from tests.tui.snapshots import assert_looks

ENDINGS = ("quit", "suspend_process", "copy_or_quit", "screenshot", "page_event")
"""What ends the program, stops it, or writes a file; each has a test of its own."""


@pytest.mark.parametrize("key", ["ctrl+p", "colon"])
async def test_the_palette_does_what_a_key_of_another_pane_does(
    engine: ScriptedEngine, key: str
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press(key, *"pause or resume the selected")
        await until(pilot, lambda: "Pause or resume the selected operator" in screen(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: engine.sent)
        assert engine.sent == [Pause("search_index")]


async def test_every_action_has_a_place_in_the_palette(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        found = list(actions(pilot.app.screen))
        assert len({action.title for action in found}) == len(found), "each says what it does"
        assert all(action.keys for action in found)


async def test_keys_can_be_given_to_other_actions(engine: ScriptedEngine) -> None:
    ui = Ui(keys={"pause": "ctrl+o"})
    check(ui)
    async with EventScopeApp(engine, ui).run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        assert engine.sent == []
        await pilot.press("ctrl+o")
        assert engine.sent == [Pause("search_index")]
        await pilot.press("question_mark")
        await until(pilot, lambda: "^o" in screen(pilot))


@pytest.mark.parametrize(
    ("ui", "message"),
    [
        (Ui(theme="nrd"), "setting ui.theme: there is no nrd; did you mean nord?"),
        (Ui(keys={"pauze": "x"}), "setting ui.keys: there is no pauze; did you mean pause?"),
        (Ui(keys={"zzzzzzz": "x"}), "there is no zzzzzzz; there are back, "),
    ],
)
def test_what_does_not_exist_is_named_before_the_start(ui: Ui, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        check(ui)
    assert message in str(refused.value)


def test_no_two_actions_share_an_id_but_those_of_a_program_before_the_dashboard() -> None:
    ids = list(action_ids())
    before = [binding.id for binding in BrokenApp.BINDINGS if isinstance(binding, Binding)]
    assert {*before} <= {*ids}
    assert sorted(ids) == sorted([*{*ids}, *filter(None, before)])


@pytest.mark.parametrize("theme", ["eventscope-cb", "textual-light"])
async def test_the_main_screen_in_another_theme(engine: ScriptedEngine, theme: str) -> None:
    async with EventScopeApp(engine, Ui(theme=theme)).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, f"main-{theme}")


async def test_the_main_screen_without_colours(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = EventScopeApp(engine, Ui(theme="ansi-dark"))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.theme == "eventscope", "the terminal's own colours would be black on black"
        await until(pilot, lambda: "LIVE" in screen(pilot))
        colours = {
            colour.triplet
            for strip in app.screen._compositor.render_strips()
            for segment in strip.apply_filter(app.get_line_filters()[-1], Color(0, 0, 0))
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None
        }
        assert colours
        assert all(colour is None or len(set(colour)) == 1 for colour in colours)


async def test_a_theme_that_was_chosen_is_remembered_unless_the_settings_name_one(
    engine: ScriptedEngine,
) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        pilot.app.theme = "nord"
        await until(pilot, lambda: Memory().recall().theme == "nord")
    assert EventScopeApp(engine).theme == "nord"
    assert EventScopeApp(engine, Ui(theme="eventscope-cb")).theme == "eventscope-cb"


async def test_every_key_in_the_help_can_be_pressed(engine: ScriptedEngine) -> None:
    """Whatever is pressed where, the program goes on; what each key does has tests of its own."""
    async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
        view, pressed = dashboard(pilot), set[str]()
        for number in "12345":
            await pilot.press(number)
            await pilot.pause()
            for key, active in list(pilot.app.active_bindings.items()):
                id = active.binding.id
                if id is None or id in pressed or active.binding.action in ENDINGS:
                    continue
                await pilot.press(key)
                pressed.add(id)
                await pilot.pause()
                while pilot.app.screen is not view:
                    await pilot.press("escape")
                await pilot.press("escape", number)
                await pilot.pause()
                assert pilot.app.is_running, key
        assert {"pause", "feed.open", "health.copy", "log.filter", "event.copy"} <= pressed


async def test_ascii_mode_draws_nothing_else(engine: ScriptedEngine) -> None:
    app = EventScopeApp(engine, Ui(ascii=True))
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "search_index" in screen(pilot))
        drawn = "".join(lines(app))
        assert {sign for sign in drawn if not sign.isascii()} == set()
        assert "+- Operators -" in drawn


def test_ascii_mode_keeps_data_where_the_terminal_takes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for encoding, drawn in [("utf-8", "caf\u00e9 > \u6f22"), ("latin-1", "caf? > ??")]:
        with (tmp_path / "out").open("w", encoding=encoding) as out:
            monkeypatch.setattr("sys.__stdout__", out)
            told = AsciiFilter().apply([Segment("caf\u00e9 \u2192 \u6f22")], Color(0, 0, 0))
        assert told[0].text == drawn


async def test_ctrl_c_twice_quits_and_once_says_so(engine: ScriptedEngine) -> None:
    app = EventScopeApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "ctrl+c again to quit" in toasts(pilot))
        assert app.is_running
        await pilot.press("ctrl+c")
        await until(pilot, lambda: app._exit)


async def test_ctrl_s_saves_a_picture(
    engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+s")
        await until(pilot, lambda: any(said.startswith("saved ") for said in toasts(pilot)))
    assert "search_index" in the_only_file(tmp_path)


def the_only_file(folder: Path) -> str:
    (file,) = folder.iterdir()
    return file.read_text()


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_z_gives_a_pane_the_whole_screen(
    engine: ScriptedEngine, size: tuple[int, int]
) -> None:
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        view = dashboard(pilot)
        for key, pane in [("1", view.feed_pane), ("2", view.operators), ("3", view.event_pane)]:
            await pilot.press(key)
            await pilot.pause()
            await pilot.press("z")
            await until(pilot, lambda pane=pane: pane.region.size == (size[0], size[1] - 2))  # type: ignore[misc]
            await pilot.press("z")
        await pilot.press("1")
        await until(pilot, lambda: view.operators.is_shown and view.feed_pane.is_shown)


async def test_help_shows_the_keys_and_the_filter_language(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(100, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        await until(pilot, lambda: "Every version of its row" in screen(pilot))
        await pilot.press("end")
        await until(pilot, lambda: "state:failed" in screen(pilot))
