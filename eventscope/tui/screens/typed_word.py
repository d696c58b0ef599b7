"""A question about what cannot be undone: a word has to be typed."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from eventscope.tui.screens.dialog import Dialog
from eventscope.tui.toast import toast


class TypedWord(Dialog[bool]):
    """Asks, and is answered True by the word and enter, or left.

    Args:
        title: what is to be done.
        told: what it means, in harmless text.
        word: has to be typed.
    """

    def __init__(self, title: str, told: Content, word: str) -> None:
        super().__init__()
        self._told = told
        self._word = word
        self._title = title

    def compose_body(self) -> ComposeResult:
        """Show what it means, and where to type."""
        yield Static(self._told)
        yield Static(
            Content.assemble(
                ("\nType ", "$foreground-muted"), (self._word, "bold $warning"),
                (" and press enter.", "$foreground-muted"),
            )
        )  # fmt: skip
        yield Input(placeholder=self._word, compact=True)

    def on_mount(self) -> None:
        """Name it, and be ready to type."""
        self.query_one(".window").border_title = self._title
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _confirm(self, submitted: Input.Submitted) -> None:
        if submitted.value.strip() == self._word:
            self.dismiss(True)
        else:
            toast(self, f"Type {self._word}, or press esc to leave it.")
