"""Asking for the name of a file to write."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from eventscope.inspection.text import safe_text


class FileScreen(ModalScreen[Path | None]):
    """One line for a name; nothing that exists is written over.

    Args:
        heading: what is to be written, as harmless text.
        suggested: the name that is there to begin with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="file.cancel", tooltip="Write nothing")
    ]

    name_input = query_one(Input)
    trouble = query_one("#file-trouble", Static)

    def __init__(self, heading: str, suggested: str) -> None:
        super().__init__()
        self._heading = heading
        self._suggested = suggested

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        with Vertical(classes="window") as window:
            window.border_title = Content(self._heading)
            window.border_subtitle = "enter writes · esc cancels"
            yield Input(self._suggested, select_on_focus=False)
            yield Static(id="file-trouble")

    @on(Input.Changed)
    def _say_trouble(self) -> None:
        self.trouble.update(Content(self._trouble()))

    @on(Input.Submitted)
    def _take(self) -> None:
        if not self._trouble():
            self.dismiss(self._path)

    @property
    def _path(self) -> Path:
        return Path(self.name_input.value.strip()).expanduser()

    def _trouble(self) -> str:
        """Why the name cannot be taken; empty if it can."""
        if not self.name_input.value.strip():
            return "A name is needed."
        try:
            if self._path.exists():
                return "There is such a file already."
            if not self._path.parent.is_dir():
                return f"There is no folder {safe_text(str(self._path.parent), 200)}."
        except (OSError, ValueError, RuntimeError) as error:
            return safe_text(str(error), 200)
        return ""
