"""An event in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Literal, NamedTuple

from eventscope.event import UNCHANGED, Event, EventType
from eventscope.inspection.paths import path_diff
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import value_text

SYMBOLS: Final[Mapping[EventType, str]] = {
    "insert": "+",
    "update": "~",
    "delete": "-",
    "truncate": "∅",
    "message": "»",
}

Role = Literal["name", "old", "new", "value", "sign"]

_SHORT: Final = 28
"""Characters of a value in a line that tells of several."""
_LONG: Final = 200
_TOLD: Final = 3
"""Columns that are told of a row that only all of them identify."""
_CONSIDERED: Final = 12
"""Columns whose values are looked at: more never fit in a line."""


class Part(NamedTuple):
    """A stretch of the line, and what it is."""

    text: str
    role: Role


class _Phrase(NamedTuple):
    """What is said of one column; without ``old`` it is a value that appeared or went."""

    name: str
    old: str | None
    new: str
    lead: str = ""

    def parts(self, *, alone: bool) -> Iterator[Part]:
        gap = "  " if alone and self.old is not None else " "
        if self.lead:
            yield Part(self.lead, "sign")
        yield Part(f"{self.name}{gap}", "name")
        if self.old is None:
            yield Part(self.new, "value")
        else:
            yield Part(self.old, "old")
            yield Part(" → ", "sign")
            yield Part(self.new, "new")


def table_text(event: Event) -> str:
    """The event's table, with its schema unless that is ``public``."""
    return safe_text(event.name, 130)


def key_text(event: Event, limit: int = 60) -> str:
    """The row's key: ``48213``, or ``12, 3`` if it has several columns; empty if it has none.

    At most ``limit`` characters of each column.
    """
    return ", ".join(value_text(value, limit) for _, value in _key(event))


def named_key(event: Event) -> str:
    """The row's key with its columns' names: ``id=48213``."""
    return " ".join(f"{safe_text(name, 60)}={value_text(value, 60)}" for name, value in _key(event))


def changes_line(event: Event, width: int = 60) -> tuple[Part, ...]:
    """What the event did, as far as ``width`` characters say it.

    ``status  new → paid``; ``qty 1 → 2, total 41.00 → 49.90``; ``title First post, +6``. Where
    the values before an update are unknown: ``now status paid, total 49.90, +6``.
    """
    if event.type == "truncate":
        return (Part("all rows removed", "sign"),)
    if event.type == "message":
        return (Part(_cut(value_text(_row(event).get("content"), _LONG), width), "value"),)
    phrases, total = _update_phrases(event) if event.type == "update" else _row_phrases(event)
    if not phrases:
        return (Part("no column changed", "sign"),) if event.type == "update" else ()
    return tuple(_fitted(phrases, total, width))


def changes_text(event: Event, width: int = 60) -> str:
    """``changes_line`` as plain text."""
    return "".join(part.text for part in changes_line(event, width))


def _row(event: Event) -> Mapping[str, Any]:
    return event.new_record or event.old_record or {}


def _key(event: Event) -> list[tuple[str, Any]]:
    """The key's columns and values.

    Under REPLICA IDENTITY FULL the WAL names every column as key; people look for the id.
    """
    row = _row(event)
    columns: Sequence[str] = event.key_columns
    if len(columns) == len(event.source.columns):
        columns = ["id"] if "id" in row else columns[:_TOLD]
    return [(name, row[name]) for name in columns if name in row]


def _row_phrases(event: Event) -> tuple[list[_Phrase], int]:
    """Say what a row holds beside its key."""
    row = _row(event)
    keys = {name for name, _ in _key(event)}
    names = [name for name in row if name not in keys] or list(row)
    return [_phrase(name, row[name]) for name in names[:_CONSIDERED]], len(names)


def _update_phrases(event: Event) -> tuple[list[_Phrase], int]:
    """Say what is known to have changed, then what may have."""
    changes, row = event.changes or {}, _row(event)
    unknown = [name for name in event.unknown if row.get(name, UNCHANGED) is not UNCHANGED]
    phrases = list(islice(_changed_phrases(event), _CONSIDERED))
    for name in unknown[: _CONSIDERED - len(phrases)]:
        lead = "now " if name == unknown[0] else ""
        phrases.append(_phrase(name, row[name])._replace(lead=lead))
    return phrases, len(changes) + len(unknown)


def _changed_phrases(event: Event) -> Iterator[_Phrase]:
    for column, change in (event.changes or {}).items():
        old, new = change.old_value, change.new_value
        paths = path_diff(old, new)[0] if isinstance(old, Mapping | list) else ()
        if len(paths) == 1 and paths[0].path:
            _, path, before, after = paths[0]
            yield _Phrase(safe_text(column, 60) + path, _bare(before), _bare(after))
        else:
            yield _Phrase(safe_text(column, 60), value_text(old, _LONG), value_text(new, _LONG))


def _phrase(name: str, value: object) -> _Phrase:
    return _Phrase(safe_text(name, 60), None, value_text(value, _LONG))


def _bare(json: str | None) -> str:
    return "∅" if json is None else json.strip('"') or json


def _fitted(phrases: list[_Phrase], total: int, width: int) -> Iterator[Part]:
    """Say as many phrases as fit, at least one, and how many are left."""
    alone = total == 1
    used = 0
    for place, phrase in enumerate(phrases):
        said = _shared(phrase, width) if alone else _shortened(phrase)
        parts = list(said.parts(alone=alone))
        length = sum(len(part.text) for part in parts) + (2 if place else 0)
        left = total - place - 1
        if place and used + length + (len(f", +{left}") if left else 0) > width:
            yield Part(f", +{total - place}", "sign")
            return
        if place:
            yield Part(", ", "sign")
        yield from parts
        used += length
    if total > len(phrases):
        yield Part(f", +{total - len(phrases)}", "sign")


def _shared(phrase: _Phrase, width: int) -> _Phrase:
    """Cut the longer side, or both, so that a change is seen to be one."""
    if phrase.old is None:
        return phrase
    room = width - len(phrase.name) - len("  ") - len(" → ")
    old = max(room // 2, room - len(phrase.new))
    new = max(room // 2, room - len(phrase.old))
    return phrase._replace(old=_cut(phrase.old, old), new=_cut(phrase.new, new))


def _shortened(phrase: _Phrase) -> _Phrase:
    old = None if phrase.old is None else _cut(phrase.old, _SHORT)
    return phrase._replace(old=old, new=_cut(phrase.new, _SHORT))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"
