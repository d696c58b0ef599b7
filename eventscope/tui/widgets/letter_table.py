"""The dead letters of an operator, to be tried again or discarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from eventscope.engine.questions.dead_letters import Letter
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import countdown


class LetterTable(DataTable[Text]):
    """One row for each letter; the cursor stays on a letter."""

    BINDING_GROUP_TITLE = "Dead letters"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "cursor_down", show=False, id="letters.down", tooltip="Next letter"),
        Binding("k,up", "cursor_up", show=False, id="letters.up", tooltip="Previous letter"),
        Binding("pagedown", "page_down", show=False, id="letters.page_down", tooltip="A page down"),
        Binding("pageup", "page_up", show=False, id="letters.page_up", tooltip="A page up"),
        Binding("g,home", "scroll_top", show=False, id="letters.first", tooltip="The newest"),
        Binding("G,end", "scroll_bottom", show=False, id="letters.last", tooltip="The oldest"),
        Binding(
            "enter", "screen.open_letter", "Open", id="letters.open", tooltip="All of the letter"
        ),
        Binding(
            "r", "screen.retry_letter", "Retry", id="letters.retry", tooltip="Try this one again"
        ),
        Binding("d", "screen.discard", "Discard", id="letters.discard", tooltip="Forget this one"),
        Binding(
            "D",
            "screen.discard_all",
            "Discard all",
            id="letters.discard_all",
            tooltip="Forget all of them",
        ),
    ]

    def __init__(self) -> None:
        super().__init__(id="letters", cursor_type="row", zebra_stripes=False)
        self._letters: tuple[Letter, ...] = ()
        self._rows: list[tuple[str, ...]] = []

    @property
    def selected(self) -> Letter | None:
        """The letter at the cursor."""
        if not self._letters:
            return None
        return self._letters[min(self.cursor_row, len(self._letters) - 1)]

    def on_mount(self) -> None:
        """Name the columns."""
        self.add_columns("id", "target or event", "table", "tries", "last", "state", "error")

    def show(self, letters: Sequence[Letter], now: float) -> None:
        """Show other letters, at ``now`` in seconds since the epoch."""
        rows = [_row(letter, now) for letter in letters]
        if rows == self._rows:
            return
        at = self.selected
        self._letters, self._rows = tuple(letters), rows
        self.clear()
        for row in rows:
            self.add_row(*(Text(cell, no_wrap=True) for cell in row))
        ids = [letter.id for letter in letters]
        if at is not None and at.id in ids:
            self.move_cursor(row=ids.index(at.id), animate=False)


def _row(letter: Letter, now: float) -> tuple[str, ...]:
    about = letter.event or ""
    if letter.target is not None:
        about = ", ".join(letter.target)
    due = letter.next_retry
    return (
        str(letter.id),
        safe_text(about, 40),
        safe_text(f"{letter.type} {letter.table}" if letter.event else "backfill", 40),
        f"{letter.attempts:,}",
        datetime.fromtimestamp(letter.last_at).strftime("%H:%M:%S"),
        "dead" if due is None else f"retry {countdown(due, now)}",
        safe_text(letter.error, 200),
    )
