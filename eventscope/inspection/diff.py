"""What an event did to its row, column by column, as data for a view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventscope.event import Change, Event
from eventscope.inspection.paths import PathDiff, Sign, path_diff
from eventscope.inspection.quoting import qualified
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import is_absent, value_text
from eventscope.inspection.words import Span, Spans, word_diff

VALUE_LIMIT: Final = 2_000
"""Characters of one value that are shown."""

_PROSE: Final = 24
"""A text of this length is read word by word; a shorter one at a glance."""


@dataclass(frozen=True, slots=True)
class Side:
    """A value before or after: harmless text, with the stretches that differ from the other."""

    spans: Spans
    absent: bool = False
    """NULL or not sent: the text stands for no value."""

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """One column before and after; a side is None where the WAL or the event has none."""

    sign: Sign
    column: str
    type: str
    old: Side | None = None
    new: Side | None = None
    paths: tuple[PathDiff, ...] = ()
    """The differences inside a document, instead of both sides."""
    note: str = ""
    """What is left unsaid: that a text is too long, or that there are more paths."""


@dataclass(frozen=True, slots=True)
class EventDiff:
    """Everything that is known of what an event did, in the order of the table's columns."""

    columns: tuple[ColumnDiff, ...]
    unchanged: int
    """Columns that an update is known to have left alone."""
    current: tuple[ColumnDiff, ...]
    """Columns of an updated row that may have changed: what they were is unknown."""
    unknown: tuple[str, ...]
    """The names of columns whose value before is unknown."""
    remedy: str
    """The SQL that would make it known from now on; empty if nothing is unknown."""


def event_diff(event: Event) -> EventDiff:
    """Compare the row before and after an event."""
    unknown = event.unknown
    columns = tuple(_columns(event))
    current: tuple[ColumnDiff, ...] = ()
    unchanged = 0
    if event.type == "update":
        row = event.new_record or {}
        current = tuple(_one_sided(event, "+", name, row[name]) for name in unknown if name in row)
        unchanged = max(0, len(row) - len(columns) - len(unknown))
    return EventDiff(
        columns=columns,
        unchanged=unchanged,
        current=current,
        unknown=tuple(safe_text(name, 100) for name in unknown),
        remedy=identity_remedy(event) if unknown else "",
    )


def identity_remedy(event: Event) -> str:
    """The SQL that makes PostgreSQL write whole old rows of the event's table to the WAL."""
    table = qualified(event.source.schema, event.source.table)
    return safe_text(f"ALTER TABLE {table} REPLICA IDENTITY FULL;", 300)


def _columns(event: Event) -> Iterator[ColumnDiff]:
    match event.type:
        case "insert" | "message":
            yield from _whole_row(event, "+", event.new_record)
        case "delete":
            yield from _whole_row(event, "-", event.old_record)
        case "update":
            for column, change in (event.changes or {}).items():
                yield _changed(event, column, change)
        case "truncate":
            pass


def _whole_row(event: Event, sign: Sign, row: Mapping[str, Any] | None) -> Iterator[ColumnDiff]:
    for column, value in (row or {}).items():
        yield _one_sided(event, sign, column, value)


def _one_sided(event: Event, sign: Sign, column: str, value: object) -> ColumnDiff:
    name, kind = _labels(event, column)
    side = _side(value)
    if sign == "-":
        return ColumnDiff(sign, name, kind, old=side)
    return ColumnDiff(sign, name, kind, new=side)


def _changed(event: Event, column: str, change: Change) -> ColumnDiff:
    name, kind = _labels(event, column)
    old, new = change.old_value, change.new_value
    if _are_documents(old, new):
        paths, more = path_diff(old, new)
        if paths:
            note = "and more" if more else ""
            return ColumnDiff("~", name, kind, paths=paths, note=note)
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) >= _PROSE:
        spans = word_diff(old, new)
        if spans is None:
            note = f"text changed: {len(old):,} → {len(new):,} characters"
            return ColumnDiff("~", name, kind, note=note)
        return ColumnDiff("~", name, kind, Side(spans[0]), Side(spans[1]))
    return ColumnDiff("~", name, kind, _side(old), _side(new))


def _are_documents(old: object, new: object) -> bool:
    both_objects = isinstance(old, Mapping) and isinstance(new, Mapping)
    return both_objects or (isinstance(old, list) and isinstance(new, list))


def _labels(event: Event, column: str) -> tuple[str, str]:
    return safe_text(column, 100), safe_text(event.source.columns.get(column, ""), 60)


def _side(value: object) -> Side:
    return Side((Span(value_text(value, VALUE_LIMIT), False),), is_absent(value))
