"""What all dialogs have: a window in the middle of the screen, and esc to leave it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

Result = TypeVar("Result")


class Dialog(ModalScreen[Result | None]):
    """A window above the dashboard; its result is None if a person leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="dialog.close", tooltip="Close")
    ]
    AUTO_FOCUS = ""
    TITLE: ClassVar[str] = ""
    HINT: ClassVar[str] = "esc closes"

    def compose(self) -> ComposeResult:
        """Lay out the window."""
        with VerticalScroll(classes="window", can_focus=False) as window:
            window.border_title = self.TITLE
            window.border_subtitle = self.HINT
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        """Lay out what is in the window."""
        yield from ()
