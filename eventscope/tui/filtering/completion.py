"""How a filter that is being written can go on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from eventscope.event import EVENT_TYPES
from eventscope.inspection.filter import DELIVERY_STATES, field_names

MOST: Final = 8
"""Suggestions at a time."""

_SYMBOL: Final = re.compile(r":(?:<=|>=|<|>|=)?|<=|>=|<|>(?!=)|=")
_LEAD: Final = re.compile(r"[-!]*")
_QUOTES: Final = "\"'"


class Words(Protocol):
    """Where suggestions come from."""

    def tables(self) -> Iterable[str]:
        """Names of tables."""
        ...

    def operators(self) -> Iterable[str]:
        """Names of operators."""
        ...

    def columns(self) -> Mapping[str, str]:
        """Names of columns, and the table of each."""
        ...

    def changed_columns(self) -> Mapping[str, str]:
        """The same, as ``col:`` has them."""
        ...

    def values(self, column: str) -> Iterable[str]:
        """Values of a column."""
        ...

    def keys(self) -> Iterable[str]:
        """Keys of rows."""
        ...

    def transactions(self) -> Iterable[str]:
        """Numbers of transactions."""
        ...


class Suggestion(NamedTuple):
    """What the word at the cursor may become."""

    text: str
    about: str


class Completion(NamedTuple):
    """Suggestions for the text from ``start`` to the cursor."""

    start: int
    suggestions: tuple[Suggestion, ...]
    goes_on: bool
    """Whether that text is the beginning of one of them."""


def complete(text: str, cursor: int, words: Words) -> Completion:
    """Suggest how the word before the cursor goes on, the most likely first."""
    before = text[:cursor]
    start = term_start(before)
    lead = _LEAD.match(before, start)
    start = start if lead is None else lead.end()
    term = before[start:]
    symbol = _symbol(term)
    if symbol is None:
        return _completion(start, term, _beginnings(words))
    value_start = symbol.end() + _value_start(term[symbol.end() :])
    known = _values(term[: symbol.start()], words)
    return _completion(start + value_start, term[value_start:], known)


def term_start(text: str) -> int:
    """Where the term begins that goes on until the end of a text."""
    start, quote, previous = 0, "", " "
    place = 0
    while place < len(text):
        character = text[place]
        if quote:
            if character == "\\":
                place += 1
            elif character == quote:
                quote = ""
        elif character in _QUOTES and (previous.isspace() or previous in "(:,|.<>=→-!"):
            quote = character
        elif character.isspace() or character in "()":
            start = place + 1
        previous = character
        place += 1
    return start


def _beginnings(words: Words) -> Iterator[Suggestion]:
    fields = field_names()
    for name in fields:
        yield Suggestion(f"{name}:", fields[name])
    for name, table in words.columns().items():
        yield Suggestion(f"{name}:", f"column of {table}")
    yield Suggestion("marked", "marked by a person")


def _values(field: str, words: Words) -> Iterator[Suggestion]:
    match field.lower():
        case "table":
            yield from _all(words.tables(), "table")
        case "op":
            yield from _all(EVENT_TYPES, "operation")
        case "state":
            yield from _all(DELIVERY_STATES, "state")
        case "operator":
            yield from _all(words.operators(), "operator")
        case "col":
            for name, table in words.changed_columns().items():
                yield Suggestion(name, f"column of {table}")
        case "key":
            yield from _all(words.keys(), "recent key")
        case "xid":
            yield from _all(words.transactions(), "recent transaction")
        case name if name not in field_names():
            yield from _all(words.values(field), "recent value")


def _all(texts: Iterable[str], about: str) -> Iterator[Suggestion]:
    return (Suggestion(text, about) for text in texts)


def _completion(start: int, word: str, known: Iterable[Suggestion]) -> Completion:
    """Those that begin with the word, then those that have it inside; not what is there already."""
    typed, is_quoted = word.lstrip(_QUOTES).casefold(), word[:1] in tuple(_QUOTES)
    begin: list[Suggestion] = []
    hold: list[Suggestion] = []
    for suggestion in known:
        text = suggestion.text.lstrip(_QUOTES).casefold()
        if suggestion.text == word or (is_quoted and suggestion.text[0] not in _QUOTES):
            continue
        if text.startswith(typed):
            begin.append(suggestion)
        elif typed in text:
            hold.append(suggestion)
    return Completion(start, tuple([*begin, *hold][:MOST]), bool(typed and begin))


def _symbol(term: str) -> re.Match[str] | None:
    """What stands between the term's field and its value."""
    field = re.match(r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s:<>=\"'])*", term)
    return None if field is None else _SYMBOL.match(term, field.end())


def _value_start(values: str) -> int:
    """Where the last of several values begins."""
    start, quote = 0, ""
    for place, character in enumerate(values):
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character in ",|→" or (character == ">" and values[place - 1 : place] == "-"):
            start = place + 1
    return start
