"""What every program of ours has: themes, keys, characters as they are wanted, its driver."""

from __future__ import annotations

from typing import Any

from textual.app import App

from eventscope.settings import Ui
from eventscope.tui import ascii
from eventscope.tui.driver import driver_of
from eventscope.tui.memory import Memory
from eventscope.tui.theme import EVENTSCOPE, THEMES


def dress(app: App[Any], ui: Ui, memory: Memory) -> None:
    """Give a program its looks, and a driver that outlives its terminal.

    Args:
        app: the program, before it runs.
        ui: how it is to look; raises SettingsError where that names what does not exist.
        memory: knows the theme that was chosen last.
    """
    app.driver_class = driver_of(app)
    app.animation_level = "none"
    for theme in THEMES:
        app.register_theme(theme)
    chosen = memory.recall().theme or ui.theme
    app.theme = _fitting(app, ui.theme if "theme" in ui.model_fields_set else chosen)
    app.set_keymap(ui.keys)
    if ascii.wanted(ui.ascii):
        app._filters.append(ascii.AsciiFilter())


def _fitting(app: App[Any], theme: str) -> str:
    """Without colours the terminal's own ones are black on black: then it is our theme."""
    known = app.get_theme(theme)
    return EVENTSCOPE.name if known is None or (app.no_color and known.ansi) else theme
