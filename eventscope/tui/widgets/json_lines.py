"""An event as the JSON that operators and ``tail`` have of it, as lines of a given width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from textual.content import Content

from eventscope.event import Event
from eventscope.inspection.report import json_report
from eventscope.tui.widgets.reading import CUT, QUIET, Reading, hanging

_MOST_LINES: Final = 300
_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*"(?=:))|(?P<text>"(?:[^"\\]|\\.)*"?)'
    r"|(?P<number>-?[0-9][0-9.eE+-]*)|(?P<word>true|false|null)|(?P<sign>[{}\[\],:]+)"
)
_STYLES: Final = {"key": "$primary", "text": "", "number": "$warning", "word": "$accent"}


def json_lines(event: Event, width: int, reading: Reading) -> Iterator[Content]:
    """Colour it; what is cut says so."""
    lines = json_report(event).split("\n")
    for line in islice(lines, _MOST_LINES):
        text = line.lstrip(" ")
        lead = Content(" " * (1 + len(line) - len(text)))
        yield from hanging(lead, _coloured(text), width, wrap=reading.wrap)
    if len(lines) > _MOST_LINES:
        rest = f" {len(lines) - _MOST_LINES:,} more lines {CUT}"
        yield Content.styled(rest, QUIET)


def _coloured(text: str) -> Content:
    pieces: list[tuple[str, str]] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces.append((text[end : token.start()], ""))
        pieces.append((token.group(), _STYLES.get(token.lastgroup or "", QUIET)))
        end = token.end()
    return Content.assemble(*pieces, text[end:])
