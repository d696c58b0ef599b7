"""The log view."""

from __future__ import annotations

from eventscope.tui.attached import AttachedEngine
from eventscope.tui.widgets.pane import Pane


class LogPane(Pane, can_focus=True):
    """The log view."""

    TITLE = "Log"

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="log-pane")
