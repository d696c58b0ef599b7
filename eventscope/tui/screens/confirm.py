"""A question that one key answers, which is not the key that asks it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from eventscope.tui.screens.dialog import Dialog


class Confirm(Dialog[bool]):
    """Asks, and is answered True or left.

    Args:
        question: in harmless text.
        lines: what is to be known before.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes", id="confirm.yes", tooltip="Yes, do it"),
        Binding("n", "dismiss", "No", show=False, id="confirm.no", tooltip="No, leave it"),
    ]
    TITLE = "Confirm"
    HINT = "y does it · esc leaves"

    def __init__(self, question: str, *lines: str) -> None:
        super().__init__()
        self._question = question
        self._lines = lines

    def compose_body(self) -> ComposeResult:
        """Show the question."""
        lines = "".join(f"\n{line}" for line in self._lines)
        yield Static(Content.assemble((self._question, "bold"), (lines, "$foreground-muted")))
