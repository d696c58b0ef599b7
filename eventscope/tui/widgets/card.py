"""What a pane says when it has nothing else to show."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static


class Card(Vertical):
    """A heading and a few lines in the middle of a pane."""

    def __init__(self, heading: str = "", lines: Sequence[str] = (), *, id: str) -> None:
        super().__init__(id=id)
        self._body = Static(self._content(heading, lines))

    def compose(self) -> ComposeResult:
        """Place the text."""
        yield self._body

    def say(self, heading: str, lines: Sequence[str] = ()) -> None:
        """Say something else; the texts are harmless already."""
        self._body.update(self._content(heading, lines))

    @staticmethod
    def _content(heading: str, lines: Sequence[str]) -> Content:
        text = "\n".join(lines)
        return Content.assemble(
            (heading, "bold"), "\n" if lines else "", (text, "$foreground-muted")
        )
