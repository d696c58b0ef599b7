"""How a person reads an event, and the layout that all its tabs share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from textual.content import Content

Tab = Literal["Diff", "Row", "JSON", "Operators"]
TABS: Final[tuple[Tab, ...]] = get_args(Tab)

QUIET: Final = "$foreground-muted"
CUT: Final = "… v opens it whole"
_MOST_LINES: Final = 8
"""Lines of one value that are shown."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What of an event is shown, and how."""

    tab: Tab = "Diff"
    unchanged: bool = False
    """Whether columns are shown that did not change."""
    split: bool = False
    """Whether old and new stand side by side."""
    wrap: bool = True
    """Whether long values take several lines."""
    all: bool = False
    """Whether all differences within one document are listed."""


def hanging(lead: Content, value: Content, width: int, *, wrap: bool = True) -> Iterator[Content]:
    """Put a value beside its name, so that its later lines begin below its first.

    What is longer than a few lines is cut, with a note that says so.
    """
    indent = lead.cell_length
    lines = wrapped(value, max(8, width - indent), wrap=wrap)
    yield Content.assemble(lead, lines[0])
    for line in lines[1:]:
        yield Content.assemble(" " * indent, line)


def wrapped(value: Content, width: int, *, wrap: bool = True) -> list[Content]:
    """A value in at least one line of a width, and not in many."""
    if not wrap:
        return [value.truncate(width, ellipsis=True)]
    most = (_MOST_LINES + 1) * width
    lines = (value[:most] if len(value) > most else value).wrap(width) or [value]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = [Content.styled(CUT, QUIET)]
    return lines


def indented(text: Content, indent: int, width: int) -> Iterator[Content]:
    """Wrap a text with a margin on its left."""
    return hanging(Content(" " * indent), text, width)
