"""Tables for people: coloured on a terminal; long lines are left whole, for it to wrap."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventscope.cli.terminal import takes_colours

_WIDE: Final = 5_000
"""Cells of a line: more than any row has, so that no column is cut or left out."""

Cell = str | Text


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: str = "") -> None:
    """Print rows to stdout under their heads.

    Args:
        heads: the columns' names.
        rows: harmless text.
        right: the names of the columns that hold numbers, which stand at the right, in one text.
    """
    console = Console(
        highlight=False,
        markup=False,
        emoji=False,
        width=_WIDE,
        force_terminal=takes_colours(sys.stdout),
    )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    numbers = right.split()
    for head in heads:
        table.add_column(head, justify="right" if head in numbers else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    for line in console.render_lines(table, pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        console.print(text, soft_wrap=True)
