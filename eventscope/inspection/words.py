"""What differs between two texts, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from eventscope.inspection.text import safe_text

MAX_LENGTH: Final = 2_000
"""Characters that may differ: beyond, comparing words takes seconds."""

_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")
_CONTEXT: Final = 60


class Span(NamedTuple):
    """A stretch of text, and whether the other side differs there."""

    text: str
    differs: bool


Spans = tuple[Span, ...]


def word_diff(old: str, new: str) -> tuple[Spans, Spans] | None:
    """Mark what differs on both sides; None if more than ``MAX_LENGTH`` characters do.

    Of a long common beginning or end only what is next to the difference is kept.
    """
    old_words, new_words = _WORD.findall(old), _WORD.findall(new)
    head = _common(old_words, new_words)
    tail = _common(old_words[head:][::-1], new_words[head:][::-1])
    before = old_words[:head]
    after = old_words[len(old_words) - tail :]
    old_middle = old_words[head : len(old_words) - tail]
    new_middle = new_words[head : len(new_words) - tail]
    if max(sum(map(len, old_middle)), sum(map(len, new_middle))) > MAX_LENGTH:
        return None

    old_spans: list[Span] = []
    new_spans: list[Span] = []
    matcher = SequenceMatcher(None, old_middle, new_middle, autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        _append(old_spans, old_middle[old_from:old_to], tag != "equal")
        _append(new_spans, new_middle[new_from:new_to], tag != "equal")

    lead, trail = _shortened_head("".join(before)), _shortened_tail("".join(after))
    return _framed(lead, old_spans, trail), _framed(lead, new_spans, trail)


def _common(one: list[str], other: list[str]) -> int:
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length


def _append(spans: list[Span], words: list[str], differs: bool) -> None:
    if words:
        spans.append(Span(safe_text("".join(words)), differs))


def _shortened_head(text: str) -> str:
    return safe_text(text if len(text) <= _CONTEXT else "…" + text[-_CONTEXT:])


def _shortened_tail(text: str) -> str:
    return safe_text(text if len(text) <= _CONTEXT else text[:_CONTEXT] + "…")


def _framed(lead: str, middle: list[Span], trail: str) -> Spans:
    spans = [Span(lead, False), *middle, Span(trail, False)]
    return tuple(span for span in spans if span.text)
