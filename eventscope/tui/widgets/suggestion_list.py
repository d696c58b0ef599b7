"""How the word at the cursor may go on."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from eventscope.inspection.text import safe_text
from eventscope.tui.cells import fit
from eventscope.tui.filtering.completion import Suggestion

_WIDEST: Final = 56


class SuggestionList(Widget):
    """A few lines over the feed, right above the word; it takes no focus and no place."""

    def __init__(self) -> None:
        super().__init__(id="suggestions")
        self._suggestions: tuple[Suggestion, ...] = ()
        self._chosen: int | None = None
        self.display = False

    def show(self, suggestions: tuple[Suggestion, ...], cell: int, chosen: int | None) -> None:
        """Show others.

        Args:
            suggestions: none hides the list.
            cell: where their word begins, from the left edge of the bar.
            chosen: which of them is in the input now.
        """
        self._suggestions, self._chosen = suggestions, chosen
        self.display = bool(suggestions)
        if suggestions:
            width = min(self._text_width + self._about_width + 4, self._room)
            self.styles.width, self.styles.height = width, len(suggestions)
            x = max(0, min(cell - 1, self._room - width))
            self.styles.offset = (x, -len(suggestions))
        self.refresh()

    def render(self) -> Content:
        """Draw the lines."""
        return Content("\n").join(
            self._line(suggestion, is_chosen=place == self._chosen)
            for place, suggestion in enumerate(self._suggestions)
        )

    def _line(self, suggestion: Suggestion, *, is_chosen: bool) -> Content:
        about_width = self.size.width - self._text_width - 4
        text = f" {fit(safe_text(suggestion.text, 100), self._text_width)}"
        about = fit(safe_text(suggestion.about, 100), max(0, about_width))
        if is_chosen:
            look = "$block-cursor-foreground on $block-cursor-background"
            return Content.styled(f"{text}  {about} ", look)
        return Content.assemble(text, ("  " + about + " ", "$foreground-muted"))

    @property
    def _room(self) -> int:
        parent = self.parent
        return min(_WIDEST, parent.size.width) if isinstance(parent, Widget) else _WIDEST

    @property
    def _text_width(self) -> int:
        widest = max(cell_len(suggestion.text) for suggestion in self._suggestions)
        return min(widest, self._room // 2)

    @property
    def _about_width(self) -> int:
        return max(cell_len(suggestion.about) for suggestion in self._suggestions)
