"""What is wrong with a filter, and where."""

from __future__ import annotations

import unicodedata
from typing import Final

from eventscope.errors import EventScopeError
from eventscope.inspection.text import safe_text

_LEAD: Final = 20
"""Characters before the fault that a picture shows of a filter that does not fit."""


class FilterError(EventScopeError):
    """A filter that cannot be read; the message says what would be right.

    Attributes:
        message: one harmless line.
        column: the offset of the fault in the text, from 0 to the text's length. As a string
            the error counts from 1, as people do.
        text: the whole filter.
    """

    exit_code = 2

    def __init__(self, message: str, column: int, text: str = "") -> None:
        super().__init__(message, column)
        self.message = safe_text(message, 300)
        self.column = column
        self.text = text

    def __str__(self) -> str:
        return f"filter, column {self.column + 1}: {self.message}"

    def picture(self, width: int = 80) -> str:
        """The filter and, in a second line, a caret under the fault, for a terminal.

        Args:
            width: the most characters of the filter that are shown.
        """
        start = 0 if len(self.text) <= width else max(0, self.column - _LEAD)
        before = ("…" if start else "") + safe_text(self.text[start : self.column])
        after = safe_text(self.text[self.column :], max(1, width - len(before)))
        return f"{before}{after}\n{' ' * _cells(before)}^"


def _cells(text: str) -> int:
    """How many cells a terminal gives to harmless text."""
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
