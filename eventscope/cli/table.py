"""Tables for people: with colours on a terminal, whole lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE: Final = 1_000
"""Cells of a line that no terminal cuts."""

Cell = str | Text


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: str = "") -> None:
    """Print rows to stdout under their heads.

    Args:
        heads: the columns' names.
        rows: harmless text.
        right: the names of the columns that hold numbers, which stand at the right, in one text.
    """
    width = None if sys.stdout.isatty() else _WIDE
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    numbers = right.split()
    for head in heads:
        is_last = head == heads[-1]
        table.add_column(
            head, justify="right" if head in numbers else "left", no_wrap=not is_last,
            overflow="fold",
        )  # fmt: skip
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    for line in console.render_lines(table, pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)
