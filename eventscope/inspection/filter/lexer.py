"""The words and signs of a filter's text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from eventscope.inspection.filter.error import FilterError

BARE: Final = re.compile(r"(?:(?!->)[^\s()|:<>=→.])*")
"""What a word of text, or a column's name, is made of, up to a dot."""
VALUE: Final = re.compile(r"(?:(?!->)[^\s()|,→.])*")
"""What a value is made of, up to a dot."""

_SYMBOL: Final = re.compile(r"\s*(<=|>=|<>|!=|=[=<>]|<|>|=)\s*|:(<=|>=|<|>|=)?")
_ARROW: Final = re.compile(r"\s*(->|→)\s*")
_SPACES: Final = re.compile(r"\s*")
_REGEX: Final = re.compile(r"/((?:[^/\\]|\\.)*)/(?=[\s),|→]|->|$)", re.DOTALL)
_STRING: Final = re.compile(r"""(["'])((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a word between dots."""

    text: str
    quoted: bool
    column: int


@dataclass(frozen=True, slots=True)
class Word:
    """A word; dots in quotes do not divide it."""

    parts: tuple[Part, ...]
    column: int

    @property
    def text(self) -> str:
        """The word without its quotes."""
        return ".".join(part.text for part in self.parts)

    @property
    def quoted(self) -> bool:
        """Whether all of it is in quotes."""
        return len(self.parts) == 1 and self.parts[0].quoted

    @property
    def mixed(self) -> bool:
        """Whether only some of it is in quotes."""
        return len(self.parts) > 1 and any(part.quoted for part in self.parts)


@dataclass(frozen=True, slots=True)
class RegexToken:
    """What stands between two slashes."""

    pattern: str
    column: int


class Scanner:
    """Reads a filter's text from left to right; each method consumes what it finds, or nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.column = 0

    @property
    def at_end(self) -> bool:
        """Whether all of the text has been read."""
        return self.column == len(self.text)

    def sees(self, sign: str) -> bool:
        """Whether the rest begins with the sign."""
        return self.text.startswith(sign, self.column)

    def sees_keyword(self, keyword: str) -> bool:
        """Whether the next word is ``keyword`` and does not name a column."""
        return self._keyword(keyword) is not None

    def skip_spaces(self) -> bool:
        """Go on to what is no space; whether there was one."""
        return self._skip(_SPACES.match(self.text, self.column))

    def take(self, sign: str) -> bool:
        """Read the sign, if it is next."""
        found = self.sees(sign)
        self.column += len(sign) if found else 0
        return found

    def keyword(self, keyword: str) -> bool:
        """Read ``and``, ``or`` or ``not``, if it is the next word."""
        return self._skip(self._keyword(keyword))

    def symbol(self) -> str | None:
        """Read what stands between a field and its value: ``:``, ``<`` and so on; ``:`` for ``=``.

        Raises:
            FilterError: it is one of another language.
        """
        found = _SYMBOL.match(self.text, self.column)
        if found is None:
            return None
        symbol = found[1] or found[2] or ":"
        if symbol in ("<>", "!=", "==", "=>", "=<"):
            raise FilterError('compare with : < <= > or >=, and negate with "not"', found.start(1))
        self._skip(found)
        return ":" if symbol == "=" else symbol

    def arrow(self) -> bool:
        """Read the arrow of a transition."""
        return self._skip(_ARROW.match(self.text, self.column))

    def regex(self) -> RegexToken | None:
        """Read a regular expression between slashes.

        Raises:
            FilterError: a slash, but no such expression.
        """
        if not self.sees("/"):
            return None
        found = _REGEX.match(self.text, self.column)
        if found is None or not found[1]:
            raise FilterError(
                "a regular expression is /…/ with \\/ for a slash in it; text that begins with / "
                "goes in quotes",
                self.column,
            )
        self._skip(found)
        return RegexToken(found[1], found.start(1))

    def word(self, run: re.Pattern[str]) -> Word | None:
        """Read a word, its parts without quotes made of ``run``.

        Raises:
            FilterError: a quote is not closed, or closed in the middle of a word.
        """
        start = self.column
        parts = [self._part(run)]
        while self.take("."):
            parts.append(self._part(run))
        return Word(tuple(parts), start) if self.column > start else None

    def _part(self, run: re.Pattern[str]) -> Part:
        start = self.column
        if self.sees('"') or self.sees("'"):
            found = _STRING.match(self.text, start)
            if found is None:
                raise FilterError("this quote is not closed", start)
            self._skip(found)
            after = run.match(self.text, self.column)
            if after is not None and after.group():
                raise FilterError("a space is missing after the closing quote", self.column)
            return Part(_ESCAPE.sub(_escaped, found[2]), True, start)
        plain = run.match(self.text, start)
        self._skip(plain)
        return Part(self.text[start : self.column], False, start)

    def _keyword(self, keyword: str) -> re.Match[str] | None:
        return re.compile(rf"{keyword}(?=[\s()]|$)", re.IGNORECASE).match(self.text, self.column)

    def _skip(self, found: re.Match[str] | None) -> bool:
        if found is None or found.end() == self.column:
            return False
        self.column = found.end()
        return True


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[1])
