"""One dead letter: the event or the target, and what went wrong."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from eventscope.engine.questions.dead_letters import LetterDetails
from eventscope.inspection.summary import changes_text, key_text, table_text
from eventscope.inspection.text import safe_lines, safe_text
from eventscope.tui.screens.dialog import Dialog


class LetterScreen(Dialog[None]):
    """All of a dead letter."""

    TITLE = "Dead letter"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "dismiss", "Close", show=False, id="letter.close", tooltip="Close"),
        Binding("j,down", "scroll(1)", show=False, id="letter.down", tooltip="Down"),
        Binding("k,up", "scroll(-1)", show=False, id="letter.up", tooltip="Up"),
    ]

    def __init__(self, details: LetterDetails) -> None:
        super().__init__()
        self._details = details

    def compose_body(self) -> ComposeResult:
        """Show it."""
        yield Static(self._report())

    def action_scroll(self, lines: int) -> None:
        """Scroll the window."""
        self.query_one(".window").scroll_relative(y=lines, animate=False)

    def _report(self) -> Content:
        letter, event = self._details.letter, self._details.event
        about = ""
        if letter.target is not None:
            about = f"target {safe_text(', '.join(letter.target), 200)}\n"
        happened = Content("")
        if letter.event is not None:
            happened = Content.assemble(
                (f"{event.type.upper()} ", "bold"), (table_text(event), "bold $primary"),
                f" {key_text(event)}  {changes_text(event, 200)}\n",
                (f"event {letter.event}\n", "$foreground-muted"),
            )  # fmt: skip
        tries = f"letter {letter.id} · {letter.attempts} attempts\n\n"
        return Content.assemble(
            (about, "bold"), happened, (tries, "$foreground-muted"),
            (safe_text(letter.error, 2_000), "$error"), "\n\n",
            "\n".join(safe_lines(self._details.traceback.rstrip(), 500)),
        )  # fmt: skip
