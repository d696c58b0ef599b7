"""The dashboard as a program."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, Final
from weakref import WeakKeyDictionary

import structlog
from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.theme import Theme, ThemeProvider
from textual.widget import Widget
from textual.widgets import Input

from eventscope.inspection.text import safe_lines, safe_text
from eventscope.settings import Ui
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.dress import dress
from eventscope.tui.memory import Memory, Remembered
from eventscope.tui.palette import ActionProvider
from eventscope.tui.prints import Prints, prints_in_log
from eventscope.tui.responsiveness import responsive
from eventscope.tui.screens.greying import GreyingScreen
from eventscope.tui.screens.start import StartScreen
from eventscope.tui.toast import toast
from eventscope.tui.widgets.too_small import LEAST_HEIGHT, LEAST_WIDTH

if TYPE_CHECKING:
    from eventscope.tui.screens.dashboard import Dashboard

WIDE: Final = 110
"""From this width on the panes stand side by side."""

_TWICE: Final = 2.0
"""Seconds within which the second ctrl+c has to come."""

_log = structlog.get_logger("eventscope.tui")

_WIDTHS: Final = [(0, "-too-narrow"), (LEAST_WIDTH, "-narrow"), (WIDE, "-wide")]
_HEIGHTS: Final = [(0, "-too-short"), (LEAST_HEIGHT, "-tall")]


class EventScopeApp(App[None]):
    """Shows an engine until the person quits; starting and stopping it is the caller's.

    Args:
        engine: at work in another thread.
        ui: how it looks and is used.
        alongside: entered when the engine is up, left at the end.
        memory: what is remembered from earlier runs.

    Attributes:
        failure: what the dashboard itself has died of.

    Raises:
        SettingsError: ``ui`` names what does not exist.
    """

    TITLE = "eventscope"
    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = [
        Path(__file__).parent / "styles" / f"{name}.tcss"  # whole, as a subclass lives elsewhere
        for name in ("start", "dialogs")
    ]
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", id="quit", tooltip="Quit"),
        Binding(
            "ctrl+p",
            "command_palette",
            show=False,
            priority=True,
            id="palette",
            tooltip="Commands and themes",
        ),
        Binding("colon", "command_palette", show=False, id="palette.too", tooltip="Commands, too"),
        Binding(
            "ctrl+q",
            "quit",
            show=False,
            priority=True,
            id="quit.always",
            tooltip="Quit, wherever the focus is",
        ),
        Binding(
            "ctrl+r",
            "restart",
            show=False,
            id="restart",
            tooltip="Start a stopped engine, or try a lost server at once",
        ),
        Binding("ctrl+c", "copy_or_quit", show=False, id="copy", tooltip="Copy; twice: quit"),
        Binding("ctrl+z", "suspend_process", show=False, id="suspend", tooltip="To the shell"),
        Binding(
            "ctrl+s", "screenshot", show=False, id="screenshot", tooltip="Save a picture (SVG)"
        ),
    ]
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {
        ActionProvider,
        ThemeProvider,
    }

    def __init__(
        self,
        engine: AttachedEngine,
        ui: Ui | None = None,
        alongside: AbstractContextManager[object] | None = None,
        memory: Memory | None = None,
    ) -> None:
        super().__init__()
        self.ui = ui if ui is not None else Ui()
        self.failure: Exception | None = None
        self.error_console.quiet = True  # it shows the values of variables, rows among them
        self._engine = engine
        self._prints_are_logged = isinstance(sys.stdout, Prints)
        self._alongside = alongside
        self._memory = memory if memory is not None else Memory()
        self._asked_to_quit = 0.0
        self._filter = ""
        """What the feed was filtered by before the engine was started again."""
        self._key_goals: WeakKeyDictionary[events.Key, Widget | None] = WeakKeyDictionary()
        self._while_running = ExitStack()
        dress(self, self.ui, self._memory)

    @on(StartScreen.Started)
    def _open_dashboard(self) -> None:
        if any(isinstance(screen, StartScreen) for screen in self.screen_stack[-1:]):  # or it ends
            self._enter_alongside()
            self.switch_screen(self._dashboard())
            self.call_after_refresh(self._be_quick)

    def action_restart(self) -> None:
        """Start an engine again that has stopped."""
        from eventscope.tui.screens.dashboard import Dashboard

        if self._engine.error is None:
            if self._engine.started:
                self._hurry()
        elif isinstance(self.screen, Dashboard):
            self._filter = self.screen.filter_text
            self.switch_screen(StartScreen(self._engine))

    def _hurry(self) -> None:
        is_down = self._engine.snapshot().stream.state == "reconnecting"
        if is_down:
            self._engine.hurry()
        said = "Trying to reach the server." if is_down else "The engine runs."
        toast(self.screen, said, is_problem=not is_down)

    def on_mount(self) -> None:
        """Open the dashboard, or what stands there until the engine is up.

        Whoever ends the program from outside finds the terminal as it was.
        """
        self.theme_changed_signal.subscribe(self, self._remember_theme)
        is_up = self._engine.started
        self.push_screen(self._dashboard() if is_up else StartScreen(self._engine))
        if is_up:
            self.call_after_refresh(self._be_quick)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)

    def on_ready(self) -> None:
        """Take over from the terminal what Textual has taken."""
        if self._prints_are_logged:  # from here on Textual would have them
            self._while_running.enter_context(prints_in_log())
        if self._engine.started:
            self._enter_alongside()

    def _be_quick(self) -> None:
        """Everything is loaded and drawn."""
        self._while_running.enter_context(responsive())

    def _enter_alongside(self) -> None:
        if self._alongside is not None:
            alongside, self._alongside = self._alongside, None
            self._while_running.enter_context(alongside)

    def _dashboard(self) -> Dashboard:
        """Made when the engine is up: to load it takes longer than to draw the first screen."""
        from eventscope.tui.filtering.history import FilterHistory
        from eventscope.tui.filtering.saved import SavedFilters
        from eventscope.tui.screens.dashboard import Dashboard

        saved = SavedFilters(self.ui.filters, self._memory)
        return Dashboard(self._engine, FilterHistory(self._memory), saved, self._filter)

    def _remember_theme(self, theme: Theme) -> None:
        def remember(kept: Remembered) -> None:
            kept.theme = theme.name

        self._memory.change(remember)

    async def on_event(self, event: events.Event) -> None:
        """Take what is pasted, which may come from anywhere, as harmless text."""
        if isinstance(event, events.InputEvent | events.Paste) and not self.screen_stack:
            return  # the program ends: there is nothing left that it could be meant for
        if isinstance(event, events.Paste):
            event.text = "\n".join(safe_lines(event.text))
        elif isinstance(event, events.Key) and not event.is_forwarded:
            self._key_goals[event] = self.focused
        await super().on_event(event)

    def on_key(self, event: events.Key) -> None:
        """Do what is to be done before a key's binding is looked up, and after the keys before it.

        One that was typed before the focus had moved to an input, for which it was meant, is
        handed on. One that is greyed is told of.
        """
        goal, screen = self.focused, self.screen
        if isinstance(goal, Input) and goal is not self._key_goals.get(event, goal):
            event.prevent_default()
            goal._forward_event(events.Key(event.key, event.character))
        elif isinstance(screen, GreyingScreen) and screen.say_why_greyed(event.key):
            event.prevent_default()

    def get_key_display(self, binding: Binding) -> str:
        """Name a key, which the settings may have chosen."""
        return safe_text(super().get_key_display(binding), 20)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text as it is, but for half characters, which no terminal takes."""
        super().copy_to_clipboard(text.encode(errors="replace").decode())

    def action_copy_or_quit(self) -> None:
        """Copy what is selected; with nothing selected, quit when asked twice."""
        if selected := self.screen.get_selected_text():
            self.copy_to_clipboard(selected)
            toast(self.screen, "Copied.", is_problem=False)
        elif time.monotonic() - self._asked_to_quit < _TWICE:
            self.exit()
        else:
            self._asked_to_quit = time.monotonic()
            toast(self.screen, "ctrl+c again to quit", is_problem=False)

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """Save what is on the screen beside where the program was started."""
        name = filename or f"eventscope-{datetime.now():%Y%m%d-%H%M%S}.svg"
        try:
            saved = self.save_screenshot(name, path or ".")
        except OSError as error:
            toast(self.screen, f"no picture: {error}")
        else:
            toast(self.screen, f"saved {saved}", is_problem=False)

    def _handle_exception(self, error: Exception) -> None:
        """Log what the dashboard dies of, for whoever has started it to tell."""
        if self.failure is None:
            self.failure = error
            _log.error(f"the dashboard has failed: {error!r}", exc_info=error)
        super()._handle_exception(error)

    def on_unmount(self) -> None:
        """Leave the interpreter as it was."""
        self._while_running.close()
