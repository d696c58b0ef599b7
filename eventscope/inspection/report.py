"""An event as plain text with nothing left out: to copy, and to read in a pager."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from eventscope.event import UNCHANGED, Event
from eventscope.inspection.diff import ColumnDiff, EventDiff, event_diff
from eventscope.inspection.json_line import json_line
from eventscope.inspection.summary import named_key
from eventscope.inspection.text import safe_lines, safe_text
from eventscope.inspection.values import UNCHANGED_TEXT

Row = Mapping[str, Any]

_ALL: Final = 1_000_000
_SHORT: Final = 60


def heading(event: Event) -> list[str]:
    """What happened to which row, when and where in the log."""
    source = event.source
    table = ".".join(safe_text(part, 64) for part in (source.schema, source.table) if part)
    facts = (event.timestamp.isoformat(), f"xid {event.xid}", f"lsn {event.lsn}", f"id {event.id}")
    return [f"{event.type.upper()} {table}  {named_key(event)}".rstrip(), " · ".join(facts)]


def diff_report(event: Event) -> str:
    """What the event did, column by column, with both values whole."""
    diff = event_diff(event, limit=_ALL)
    return "\n".join([*heading(event), "", *_differences(event, diff)])


def row_report(event: Event) -> str:
    """The row after the event, or the one that it removed."""
    texts, changed = _Texts(event, _row), event.changes or {}
    lines = (_named("~" if name in changed else " ", name, texts[name]) for name in _row(event))
    return "\n".join([*heading(event), "", *(line for column in lines for line in column)])


def json_report(event: Event) -> str:
    """What an operator gets, as JSON on many lines; the same tokens as in ``json_line``."""
    return "\n".join(_formatted(json_line(event)))


def _differences(event: Event, diff: EventDiff) -> Iterator[str]:
    old, new = _Texts(event, _old), _Texts(event, _row)
    names = _names(event)
    if event.type == "truncate":
        yield "every row of the table was removed at once"
    for column in diff.columns:
        yield from _column(column, names[column.column], old, new)
    for column in diff.current:
        yield from _named(" ", names[column.column], new[names[column.column]])
    if diff.unknown:
        yield f"the WAL does not hold the old values of {', '.join(diff.unknown)}"
        yield diff.remedy
    if diff.unchanged:
        yield f"unchanged: {', '.join(column.column for column in diff.unchanged)}"


def _names(event: Event) -> dict[str, str]:
    """The columns' own names by those that are shown."""
    return {safe_text(name, 100): name for name in (*event.source.columns, *_old(event))}


def _row(event: Event) -> Row:
    return event.new_record or event.old_record or {}


def _old(event: Event) -> Row:
    if event.type == "delete":
        return event.old_record or {}
    return {name: change.old_value for name, change in (event.changes or {}).items()}


def _column(column: ColumnDiff, name: str, old: _Texts, new: _Texts) -> Iterator[str]:
    if column.paths:
        yield f"~ {column.column}  {column.type}".rstrip()
        for path in column.paths:
            sides = (side for side in (path.old, path.new) if side is not None)
            yield f"  {path.sign} {path.path}  {' → '.join(sides)}"
    elif column.sign != "~":
        yield from _named(column.sign, name, (new if column.sign == "+" else old)[name])
    else:
        before, after = old[name], new[name]
        if max(len(before), len(after)) == 1 and len(before[0]) + len(after[0]) <= _SHORT:
            by = f"  ({column.delta})" if column.delta else ""
            yield f"~ {column.column}  {before[0]} → {after[0]}{by}"
        else:
            yield f"~ {column.column}"
            yield from (f"  - {line}" for line in before)
            yield from (f"  + {line}" for line in after)


def _named(sign: str, name: str, lines: list[str]) -> Iterator[str]:
    shown = safe_text(name, 100)
    if len(lines) == 1:
        yield f"{sign} {shown}  {lines[0]}"
    else:
        yield f"{sign} {shown}"
        yield from (f"    {line}" for line in lines)


class _Texts:
    """The values of a row, each whole in harmless lines; a long document on many."""

    def __init__(self, event: Event, row: Callable[[Event], Row]) -> None:
        self._values = row(event)
        self._texts = row(event.in_form("text"))
        self._json = row(event.in_form("json"))

    def __getitem__(self, column: str) -> list[str]:
        value, text = self._values[column], self._texts[column]
        if text is None:
            return ["NULL"]
        if value is UNCHANGED:
            return [UNCHANGED_TEXT]
        if isinstance(value, bool):
            return ["true" if value else "false"]
        if isinstance(value, Mapping | list | tuple):
            json = bytes(self._json[column]).decode()
            return [safe_text(json, _ALL)] if len(json) <= _SHORT else _formatted(json)
        return safe_lines(str(text), _ALL) if text else ['""']


def _formatted(json: str) -> list[str]:
    with suppress(msgspec.DecodeError, RecursionError):  # nested too deep, or no Unicode
        json = msgspec.json.format(json.encode(), indent=2).decode()
    return safe_lines(json, _ALL)
