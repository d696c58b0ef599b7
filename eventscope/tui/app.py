"""The dashboard as a program."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType

from eventscope.tui.attached import AttachedEngine
from eventscope.tui.responsiveness import responsive
from eventscope.tui.screens.dashboard import Dashboard
from eventscope.tui.theme import EVENTSCOPE, THEMES
from eventscope.tui.widgets.too_small import LEAST_HEIGHT, LEAST_WIDTH

WIDE: Final = 110
"""From this width on the panes stand side by side."""

_WIDTHS: Final = [(0, "-too-narrow"), (LEAST_WIDTH, "-narrow"), (WIDE, "-wide")]
_HEIGHTS: Final = [(0, "-too-short"), (LEAST_HEIGHT, "-tall")]


class EventScopeApp(App[None]):
    """Shows an engine until the person quits; starting and stopping it is the caller's.

    Args:
        engine: at work in another thread.
    """

    TITLE = "eventscope"
    CSS_PATH = Path(__file__).with_name("app.tcss")
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
        Binding("ctrl+q", "quit", show=False, priority=True, id="quit.always", tooltip="Quit"),
    ]

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__()
        self._engine = engine
        self._while_running = ExitStack()
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = EVENTSCOPE.name

    def get_default_screen(self) -> Dashboard:
        """Open the dashboard."""
        return Dashboard(self._engine)

    def on_mount(self) -> None:
        """Leave in order when somebody else ends the program, with the terminal as it was."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)

    def on_ready(self) -> None:
        """Everything is loaded and drawn: from here on, be quick."""
        self._while_running.enter_context(responsive())

    def on_unmount(self) -> None:
        """Leave the interpreter as it was."""
        self._while_running.close()
