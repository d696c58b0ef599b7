"""Numbers over time as a filled area of block characters."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_STEPS: Final = len(_BLOCKS) - 1


def plot(
    values: Sequence[float], width: int, height: int, *, span: int, count: int | None = None
) -> list[str]:
    """Draw values, the newest on the right, each column the highest of those that it stands for.

    Args:
        values: oldest first; what is not known yet stays blank.
        width: cells in a line.
        height: lines; the highest value takes all of them, and zero a thin line.
        span: how many values the width shows at least.
        count: how many values there ever were, so that columns keep what they stand for.

    Returns:
        The lines, from the top.
    """
    tops = _tops(values, width, span, len(values) if count is None else count)
    highest = max(tops, default=0)
    levels = [1 + round(top / highest * (height * _STEPS - 1)) if highest else 1 for top in tops]
    return [
        "".join(_BLOCKS[max(0, min(level - floor * _STEPS, _STEPS))] for level in levels).rjust(
            width
        )
        for floor in reversed(range(height))
    ]


def each(width: int, span: int) -> int:
    """How many values a column stands for, so that ``width`` of them show ``span`` or more."""
    return max(1, ceil(span / width)) if width > 0 else 1


def _tops(values: Sequence[float], width: int, span: int, count: int) -> list[float]:
    """The highest value of each column."""
    columns: dict[int, float] = {}
    for number, value in enumerate(values, count - len(values)):
        column = number // each(width, span)
        columns[column] = max(value, columns.get(column, 0.0))
    return list(columns.values())[-width:] if width > 0 else []
