"""Giving a filter a name."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from eventscope.inspection.filter import Filter
from eventscope.inspection.text import safe_text

_LONGEST = 60


class SaveFilterScreen(ModalScreen[str | None]):
    """Asks for the name; its result is that, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="save.close", tooltip="Close")
    ]

    name_input = query_one(Input)

    def __init__(self, filter: Filter) -> None:
        super().__init__()
        self._filter = filter

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        with Vertical(classes="window") as window:
            window.border_title = "Save the filter"
            window.border_subtitle = "enter saves · esc closes"
            yield Static(Content.styled(self._filter.text, "bold"))
            yield Static(Content.styled(str(self._filter), "$foreground-muted"))
            yield Input(placeholder="its name", compact=True, max_length=_LONGEST)

    def on_mount(self) -> None:
        """Begin to ask."""
        self.name_input.focus()

    @on(Input.Submitted)
    def _save(self, event: Input.Submitted) -> None:
        name = safe_text(event.value.strip(), _LONGEST)
        if name:
            self.dismiss(name)
