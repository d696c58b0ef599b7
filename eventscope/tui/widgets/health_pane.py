"""The health view."""

from __future__ import annotations

from eventscope.tui.attached import AttachedEngine
from eventscope.tui.widgets.pane import Pane


class HealthPane(Pane, can_focus=True):
    """The health view."""

    TITLE = "Health"

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__(engine, id="health-pane")
