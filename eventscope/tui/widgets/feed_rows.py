"""Rows of the feed as they are drawn, each of them once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, get_args

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.strip import Strip

from eventscope.engine.ring import Entry
from eventscope.tui.cells import fit
from eventscope.tui.symbols import MARK
from eventscope.tui.widgets.delivery_cells import coloured
from eventscope.tui.widgets.feed_columns import Cell, Role, feed_cells

Cursor = Literal["cursor", "cursor-blurred"]
LOOKS: Final = (*get_args(Cursor), *get_args(Role))
"""What a stretch of a row may be; each has a component class ``feed--<look>``."""
_KEPT: Final = 1_000


class FeedRows:
    """Draws rows, and keeps them as long as nothing that they show has changed.

    Args:
        style: gives the style of a look.
    """

    def __init__(self, style: Callable[[str], Style]) -> None:
        self._style = style
        self._styles: dict[str, Style] = {}
        self._drawn: LRUCache[tuple[int, Cursor | None, str, bool], Strip] = LRUCache(_KEPT)
        self._width = 0

    def forget(self) -> None:
        """Draw everything anew, also in other colours."""
        self._styles = {}
        self._drawn.clear()

    def resize(self, width: int) -> None:
        """Draw rows of so many cells from here on."""
        if width != self._width:
            self._width = width
            self._drawn.clear()

    def row(self, entry: Entry, ops: str, cursor: Cursor | None, *, is_marked: bool) -> Strip:
        """Draw a row. Whatever its event holds, this does not fail.

        Args:
            entry: the event.
            ops: what became of it at the operators.
            cursor: how it is shown that the cursor is on it.
            is_marked: whether a person has marked it.
        """
        place = (entry.seq, cursor, ops, is_marked)
        strip = self._drawn.get(place)
        if strip is None:
            strip = self._drawn[place] = self._draw(entry, ops, cursor, is_marked=is_marked)
        return strip

    def blank(self, style: Style) -> Strip:
        """Draw a row that holds nothing."""
        return Strip.blank(self._width, style)

    def _draw(self, entry: Entry, ops: str, cursor: Cursor | None, *, is_marked: bool) -> Strip:
        styles, width = self._looked_up(), self._width
        mark = MARK if is_marked else " "
        cells: list[Cell]
        try:
            cells = feed_cells(entry.event(), width, mark, coloured(ops))
        except Exception:
            cells = [(mark, "mark"), ("<unprintable>", "sign")]
        if cursor is not None:
            text = fit("".join(text for text, _ in cells), width)
            return Strip([Segment(text, styles[cursor])], width)
        segments = [Segment(text, styles[role]) for text, role in cells]
        return Strip(segments).adjust_cell_length(width, styles["value"])

    def _looked_up(self) -> dict[str, Style]:
        if not self._styles:
            self._styles = {look: self._style(look) for look in LOOKS}
        return self._styles
