"""The names of a list's columns, in the line above it."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget


class ColumnHeads(Widget):
    """One line that is laid out by the same function as the list's rows."""

    def __init__(self, heads: Callable[[int], str], *, id: str) -> None:
        super().__init__(id=id)
        self._heads = heads

    def render(self) -> Content:
        """Lay the names out for the present width."""
        return Content(self._heads(self.size.width))
