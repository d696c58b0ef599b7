"""What two sequences have in common, in bounded time.

Source: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986. difflib takes
seconds for texts of a few kilobytes whose words repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

MAX_EDITS: Final = 250
"""Removals and insertions between two sequences that are told apart: the time is its square."""


class Block(NamedTuple):
    """A stretch of both sequences: the same in both, or what one has in place of the other's."""

    is_common: bool
    old: slice
    new: slice


def blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """Split two sequences into what they share and what differs, in their order.

    With more than ``MAX_EDITS`` edits between them all but their common beginning and end differs.
    """
    head = _common(old, new)
    shorter = min(len(old), len(new)) - head
    tail = _common(old[::-1][:shorter], new[::-1][:shorter])
    old_end, new_end = len(old) - tail, len(new) - tail
    matches = _matches(old[head:old_end], new[head:new_end])
    found: list[Block] = []
    at_old = at_new = 0
    for old_at, new_at, length in [
        (0, 0, head),
        *((head + one, head + other, length) for one, other, length in matches),
        (old_end, new_end, tail),
    ]:
        if at_old < old_at or at_new < new_at:
            found.append(Block(False, slice(at_old, old_at), slice(at_new, new_at)))
        at_old, at_new = old_at + length, new_at + length
        if length:
            found.append(Block(True, slice(old_at, at_old), slice(new_at, at_new)))
    return found


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int]]:
    """The stretches of a shortest edit script that are left alone; none if it is too long."""
    trace: list[dict[int, int]] = []
    reach = {1: 0}
    for edits in range(min(len(old) + len(new), MAX_EDITS) + 1):
        trace.append(reach.copy())
        for diagonal in range(-edits, edits + 1, 2):
            x = _step(reach, diagonal, edits)
            y = x - diagonal
            while x < len(old) and y < len(new) and old[x] == new[y]:
                x, y = x + 1, y + 1
            reach[diagonal] = x
            if x >= len(old) and y >= len(new):
                return _walked_back(trace, len(old), len(new))
    return []


def _step(reach: dict[int, int], diagonal: int, edits: int) -> int:
    """How far into the old sequence an edit leads on a diagonal."""
    if _inserts(reach, diagonal, edits):
        return reach[diagonal + 1]
    return reach[diagonal - 1] + 1


def _inserts(reach: dict[int, int], diagonal: int, edits: int) -> bool:
    """Whether the farthest edit onto a diagonal inserts; else it removes."""
    if abs(diagonal) == edits:
        return diagonal == -edits
    return reach[diagonal - 1] < reach[diagonal + 1]


def _walked_back(trace: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int, int]]:
    matches: list[tuple[int, int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        reach, diagonal = trace[edits], x - y
        start = _step(reach, diagonal, edits)
        if x > start:
            matches.append((start, start - diagonal, x - start))
        x = start if _inserts(reach, diagonal, edits) else start - 1
        y = start - diagonal - (1 if x == start else 0)
    return matches[::-1]
