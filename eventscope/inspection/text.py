"""The one boundary that text from outside crosses before anybody sees it."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_MARKS: Final = 4
"""Combining marks in a row that are kept: enough for every script, too few to smear a screen."""


class _Replacements(dict[int, str]):
    """What stands for each character, for ``str.translate``; only ASCII is remembered."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        return character if is_harmless(character) else f"<U+{code:04X}>"


def is_harmless(character: str) -> bool:
    """Whether a character neither commands a terminal nor hides, reorders or formats anything."""
    category = unicodedata.category(character)
    return (category[0] != "C" or category == "Co") and ord(character) not in _INVISIBLE


_INVISIBLE: Final = frozenset(
    {0x034F, 0x115F, 0x1160, 0x2028, 0x2029, 0x3164, 0xFFA0, *range(0xE0100, 0xE01F0)}
    | set(range(0xFE00, 0xFE0F))
    | {*range(0x1F1E6, 0x1F200), *range(0x1F3FB, 0x1F400)}
)
"""Letters and marks that show nothing, line separators and variation selectors; the halves of
flags and the tones of skin, on whose width terminals do not agree."""

_REPLACEMENTS: Final = _Replacements(
    {
        **{code: chr(code) for code in range(0x20, 0x7F)},
        **{code: chr(0x2400 + code) for code in range(0x20)},
        ord("\n"): "⏎",
        0x7F: "␡",
        0xFE0F: "",  # asks for a coloured emoji, on whose width terminals do not agree
    }
)
_PLAIN: Final = re.compile(r"[ -~]*")
_MARK_RUNS: Final = re.compile(rf"[^\x00-\u02ff]{{{MAX_MARKS + 1},}}")


def safe_text(text: str, limit: int = 10_000) -> str:
    """Make foreign text harmless to a terminal and to a reader: one line, nothing hidden.

    Control characters become visible signs (``␛``, ``⏎``), everything that hides, reorders or
    formats becomes its code point (``<U+202E>``), and marks piled on one letter are thinned out.

    Args:
        text: anything, lone surrogates included.
        limit: the most characters to return; what is longer ends in ``…``.
    """
    start = text[:limit]
    if not _PLAIN.fullmatch(start):
        start = _MARK_RUNS.sub(_thin_out, start.translate(_REPLACEMENTS))
    if len(text) > limit or len(start) > limit:
        return start[: limit - 1] + "…"
    return start


def safe_lines(text: str, limit: int = 10_000) -> list[str]:
    """Make foreign text of several lines harmless, line by line; a traceback, for one."""
    return [safe_text(line.expandtabs(4), limit) for line in text.split("\n")]


def _thin_out(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in run.group():
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)
