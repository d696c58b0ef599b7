"""What a text is compared with: a literal, a pattern with wildcards, a regular expression.

Upper and lower case are one unless what is searched for has an upper-case letter.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.lexer import RegexToken, Word

_PLAIN: Final = re.compile(r"[\w.@+:/-]+")


class Pattern(Protocol):
    """A way to compare texts; as a string it goes on from ``is``: ``paid``, ``like pa*``."""

    def equals(self, text: str) -> bool:
        """Whether it describes the whole text; a regular expression need only be found in it."""
        ...

    def found_in(self, text: str) -> bool:
        """Whether it describes some part of the text."""
        ...

    @property
    def quoted(self) -> str:
        """How a sentence mentions it as text."""
        ...


@dataclass(frozen=True)
class Literal:
    """The text itself."""

    text: str

    def equals(self, text: str) -> bool:
        """Whether both are the same."""
        return (text if self._sensitive else text.casefold()) == self._needle

    def found_in(self, text: str) -> bool:
        """Whether the other holds this one."""
        return self._needle in (text if self._sensitive else text.casefold())

    @property
    def quoted(self) -> str:
        """The text in quotes."""
        return f'"{self.text}"'

    def __str__(self) -> str:
        plain = _PLAIN.fullmatch(self.text) and self.text.lower() not in ("null", "or")
        return self.text if plain else self.quoted

    @cached_property
    def _sensitive(self) -> bool:
        return is_sensitive(self.text)

    @cached_property
    def _needle(self) -> str:
        return self.text if self._sensitive else self.text.casefold()


@dataclass(frozen=True)
class Glob:
    """Text with wildcards: ``*`` stands for any text, ``?`` for one character."""

    text: str

    def equals(self, text: str) -> bool:
        """Whether it describes the whole text."""
        return self._whole.fullmatch(text) is not None

    def found_in(self, text: str) -> bool:
        """Whether it describes some part of the text."""
        return self._part.fullmatch(text) is not None

    @property
    def quoted(self) -> str:
        """How a sentence mentions it as text."""
        return f"text like {self.text}"

    def __str__(self) -> str:
        return f"like {self.text}"

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return _wildcards(self.text)

    @cached_property
    def _part(self) -> re.Pattern[str]:
        return _wildcards(f"*{self.text}*")


@dataclass(frozen=True)
class Regex:
    """A regular expression in Python's dialect, found anywhere in a text."""

    text: str

    def equals(self, text: str) -> bool:
        """Whether it is found in the text."""
        return self.compiled.search(text) is not None

    found_in = equals

    @property
    def quoted(self) -> str:
        """How a sentence mentions it as text."""
        return f"text like /{self.text}/"

    def __str__(self) -> str:
        return f"like /{self.text}/"

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The expression; raises what ``re.compile`` does."""
        sensitive = is_sensitive(re.sub(r"\\.|\(\?P", "", self.text))
        with warnings.catch_warnings(action="ignore"):  # what another Python may take it for
            return re.compile(self.text, 0 if sensitive else re.IGNORECASE)


def is_sensitive(text: str) -> bool:
    """Whether upper and lower case are told apart."""
    return any(map(str.isupper, text))


def pattern(value: Word | RegexToken) -> Pattern:
    """What a value of a filter describes; raises FilterError if that cannot be."""
    if isinstance(value, RegexToken):
        return regex(value)
    if value.mixed:
        raise FilterError("put the whole text in quotes", value.column)
    return literal_or_glob(value.text, quoted=value.quoted)


def regex(token: RegexToken) -> Regex:
    """The regular expression of a filter; raises FilterError if it is none."""
    regex = Regex(token.pattern)
    try:
        _ = regex.compiled
    except re.error as error:
        column = token.column + min(error.pos or 0, len(token.pattern))
        raise FilterError(f"no regular expression: {error.msg}", column) from None
    except (OverflowError, RecursionError, MemoryError):
        raise FilterError("no regular expression: it is too large", token.column) from None
    return regex


def literal_or_glob(text: str, *, quoted: bool) -> Literal | Glob:
    """What a text describes: in quotes it has no wildcards."""
    return Literal(text) if quoted or not has_wildcard(text) else Glob(text)


def has_wildcard(text: str) -> bool:
    """Whether some of it stands for other text."""
    return "*" in text or "?" in text


def listed(items: Iterable[object]) -> str:
    """Name alternatives: ``a, b or c``."""
    *most, last = map(str, items)
    return f"{', '.join(most)} or {last}" if most else last


def _wildcards(text: str) -> re.Pattern[str]:
    """Match in time linear to the text: what a ``*`` has taken is not given back."""
    head, *middle = (re.escape(part).replace(r"\?", ".") for part in re.split(r"\*+", text))
    tail = middle.pop() if middle else None
    source = head + "".join(f"(?>.*?{part})" for part in middle)
    if tail is not None:
        source += f".*{tail}"
    return re.compile(source, re.DOTALL if is_sensitive(text) else re.DOTALL | re.IGNORECASE)
