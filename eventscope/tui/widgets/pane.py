"""A part of the dashboard that shows what the engine tells of itself."""

from __future__ import annotations

from typing import ClassVar

from textual.containers import Vertical

from eventscope.engine.snapshot import Snapshot
from eventscope.tui.attached import AttachedEngine


class Pane(Vertical):
    """Shows snapshots while it has a place on the screen.

    Args:
        engine: what it may ask and command; it shows only what the dashboard hands it.
    """

    TITLE: ClassVar[str] = ""
    """What its border says."""

    def __init__(self, engine: AttachedEngine, *, id: str) -> None:
        super().__init__(id=id)
        self.engine = engine
        self.border_title = self.TITLE

    @property
    def is_shown(self) -> bool:
        """Whether it has a place on the screen."""
        return self.size.width > 0

    def focus_first(self) -> None:
        """Give the focus to it, or to what it holds."""
        first = self if self.can_focus else next((w for w in self.query() if w.focusable), None)
        if first is not None:
            self.screen.set_focus(first)  # at once: the next key is meant for it
            self.show(self.engine.snapshot())

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot; called a few times a second while it is shown."""
