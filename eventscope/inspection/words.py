"""What differs between two texts, word by word or line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, zip_longest
from typing import Final, NamedTuple

from eventscope.inspection.paths import MAX_PATHS, PathDiff, Sign
from eventscope.inspection.sequences import Block, blocks
from eventscope.inspection.text import safe_text

MAX_LENGTH: Final = 20_000
"""Characters that may differ for words to be compared."""
MAX_LINES: Final = 50_000
"""Lines that are compared."""

_ALL_DIFFERENT: Final = 2_000
"""Characters that are shown although nothing in them is the same."""
_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")
_CONTEXT: Final = 60
_LINE: Final = 400


class Span(NamedTuple):
    """A stretch of text, and whether the other side differs there."""

    text: str
    differs: bool


Spans = tuple[Span, ...]


def word_diff(old: str, new: str) -> tuple[Spans, Spans] | None:
    """Mark what differs on both sides; None if that is too much to be of use.

    Of what is the same only what is next to a difference is kept.
    """
    head = _common_start(old, new)
    rest = min(len(old), len(new)) - head
    tail = _common_start(old[len(old) - rest :][::-1], new[len(new) - rest :][::-1])
    head, tail = _at_a_word(old, head), _at_a_word(old[::-1], tail)
    middles = old[head : len(old) - tail], new[head : len(new) - tail]
    longest = max(map(len, middles))
    if longest > MAX_LENGTH:
        return None

    old_words, new_words = (_WORD.findall(middle) for middle in middles)
    found = blocks(old_words, new_words)
    if longest > _ALL_DIFFERENT and not any(block.is_common for block in found):
        return None
    spans: tuple[list[Span], list[Span]] = ([], [])
    for is_common, old_at, new_at in found:
        for side, words in zip(spans, (old_words[old_at], new_words[new_at]), strict=True):
            text = "".join(words)
            side.append(Span(_middle(text) if is_common else safe_text(text), not is_common))
    lead, trail = _before(old[:head]), _after(old[len(old) - tail :])
    return _framed(lead, spans[0], trail), _framed(lead, spans[1], trail)


def line_diff(
    old: str, new: str, limit: int = MAX_PATHS
) -> tuple[tuple[PathDiff, ...], bool] | None:
    """Compare two texts line by line; whether there are more than ``limit`` differences is second.

    None if that is of no use: as they have but one line, too many, or none in common.
    """
    old_lines, new_lines = old.split("\n"), new.split("\n")
    if min(len(old_lines), len(new_lines)) < 2 or max(len(old_lines), len(new_lines)) > MAX_LINES:
        return None
    found = blocks(old_lines, new_lines)
    if not any(block.is_common for block in found):
        return None
    changes = list(islice(_changed_lines(old_lines, new_lines, found), limit + 1))
    return tuple(changes[:limit]), len(changes) > limit


def _changed_lines(old: list[str], new: list[str], found: list[Block]) -> Iterator[PathDiff]:
    for is_common, old_at, new_at in found:
        if is_common:
            continue
        for place, (before, after) in enumerate(zip_longest(old[old_at], new[new_at])):
            sign: Sign = "+" if before is None else "-" if after is None else "~"
            number = (old_at.start if after is None else new_at.start) + place + 1
            yield PathDiff(sign, f"line {number:,}", _line(before), _line(after))


def _line(text: str | None) -> str | None:
    return None if text is None else safe_text(text, _LINE)


def _common_start(one: str, other: str) -> int:
    """The length of what two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        half = (low + high + 1) // 2
        if one[low:half] == other[low:half]:
            low = half
        else:
            high = half - 1
    return low


def _at_a_word(text: str, place: int) -> int:
    """Go back to where a word begins, as no word is to be cut in two."""
    while 0 < place < len(text) and _is_letter(text[place - 1]):
        place -= 1
    return place


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"


def _before(text: str) -> str:
    return safe_text(text if len(text) <= _CONTEXT else "…" + text[-_CONTEXT:])


def _after(text: str) -> str:
    return safe_text(text if len(text) <= _CONTEXT else text[:_CONTEXT] + "…")


def _middle(text: str) -> str:
    if len(text) <= 2 * _CONTEXT:
        return safe_text(text)
    return safe_text(f"{text[:_CONTEXT]} … {text[-_CONTEXT:]}")


def _framed(lead: str, middle: list[Span], trail: str) -> Spans:
    spans = [Span(lead, False), *middle, Span(trail, False)]
    return tuple(span for span in spans if span.text)
