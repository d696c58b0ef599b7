"""What a terminal shows that is too small for anything else."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.widget import Widget

LEAST_WIDTH: Final = 60
LEAST_HEIGHT: Final = 15


class TooSmall(Widget):
    """Says how large the terminal is and how large it has to be."""

    def render(self) -> Content:
        """Say it in one line."""
        width, height = self.app.size
        needed = f"need {LEAST_WIDTH}x{LEAST_HEIGHT}"
        return Content(f"terminal too small ({width}x{height}), {needed}")
