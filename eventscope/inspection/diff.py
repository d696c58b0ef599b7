"""What an event did to its row, column by column, as data for a view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventscope.event import Change, Event
from eventscope.inspection.delta import delta_text
from eventscope.inspection.hstore import hstore
from eventscope.inspection.nulls import told_apart
from eventscope.inspection.paths import MAX_PATHS, PathDiff, Sign, path_diff
from eventscope.inspection.quoting import qualified
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import is_absent, value_text
from eventscope.inspection.words import Span, Spans, line_diff, word_diff

VALUE_LIMIT: Final = 4_000
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
    """The differences inside a document or a long text, instead of both sides."""
    more: bool = False
    """Whether there are more of them."""
    delta: str = ""
    """By how much a number or a moment changed."""
    note: str = ""
    """What is said of a text that is too long to be compared."""


@dataclass(frozen=True, slots=True)
class EventDiff:
    """Everything that is known of what an event did, in the order of the table's columns."""

    columns: tuple[ColumnDiff, ...]
    unchanged: tuple[ColumnDiff, ...]
    """Columns that an update is known to have left alone."""
    current: tuple[ColumnDiff, ...]
    """Columns of an updated row that may have changed: what they were is unknown."""
    unknown: tuple[str, ...]
    """The names of columns whose value before is unknown."""
    remedy: str
    """The SQL that would make it known from now on; empty if nothing is unknown."""


def event_diff(event: Event, limit: int = MAX_PATHS) -> EventDiff:
    """Compare the row before and after an event.

    Args:
        event: what happened.
        limit: the most differences that are listed of one document.
    """
    unknown = event.unknown
    current: tuple[ColumnDiff, ...] = ()
    unchanged: tuple[ColumnDiff, ...] = ()
    if event.type == "update":
        row, changed = event.new_record or {}, event.changes or {}
        current = tuple(_one_sided(event, "+", name, row[name]) for name in unknown if name in row)
        kept = [name for name in row if name not in changed and name not in unknown]
        unchanged = tuple(_one_sided(event, "+", name, row[name]) for name in kept)
    return EventDiff(
        columns=tuple(_columns(event, limit)),
        unchanged=unchanged,
        current=current,
        unknown=tuple(safe_text(name, 100) for name in unknown),
        remedy=identity_remedy(event) if unknown else "",
    )


def identity_remedy(event: Event) -> str:
    """The SQL that makes PostgreSQL write whole old rows of the event's table to the WAL."""
    table = qualified(event.source.schema, event.source.table)
    return safe_text(f"ALTER TABLE {table} REPLICA IDENTITY FULL;", 300)


def _columns(event: Event, limit: int) -> Iterator[ColumnDiff]:
    match event.type:
        case "insert" | "message":
            yield from _whole_row(event, "+", event.new_record)
        case "delete":
            yield from _whole_row(event, "-", event.old_record)
        case "update":
            for column, change in (event.changes or {}).items():
                yield _changed(event, column, change, limit)
        case "truncate":
            pass


def _whole_row(event: Event, sign: Sign, row: Mapping[str, Any] | None) -> Iterator[ColumnDiff]:
    for column, value in (row or {}).items():
        yield _one_sided(event, sign, column, value)


def _one_sided(event: Event, sign: Sign, column: str, value: object) -> ColumnDiff:
    name, kind = _labels(event, column)
    side = _side(told_apart(event, column, value, "old" if sign == "-" else "new"))
    if sign == "-":
        return ColumnDiff(sign, name, kind, old=side)
    return ColumnDiff(sign, name, kind, new=side)


def _changed(event: Event, column: str, change: Change, limit: int) -> ColumnDiff:
    name, kind = _labels(event, column)
    old = _document(kind, told_apart(event, column, change.old_value, "old"))
    new = _document(kind, told_apart(event, column, change.new_value, "new"))
    listed = None
    if _are_documents(old, new):
        listed = path_diff(old, new, limit)
    elif isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) >= _PROSE:
        spans = word_diff(old, new)
        if spans is not None:
            return ColumnDiff("~", name, kind, Side(spans[0]), Side(spans[1]))
        listed = line_diff(old, new, limit)
        if listed is None:
            note = f"text changed: {len(old):,} → {len(new):,} characters"
            return ColumnDiff("~", name, kind, note=note)
    if listed is not None and listed[0]:
        return ColumnDiff("~", name, kind, paths=listed[0], more=listed[1])
    return ColumnDiff("~", name, kind, _side(old), _side(new), delta=delta_text(old, new))


def _document(kind: str, value: object) -> object:
    if kind.endswith("hstore") and isinstance(value, str):
        pairs = hstore(value)
        return value if pairs is None else pairs
    return value


def _are_documents(old: object, new: object) -> bool:
    both_objects = isinstance(old, Mapping) and isinstance(new, Mapping)
    return both_objects or (isinstance(old, list) and isinstance(new, list))


def _labels(event: Event, column: str) -> tuple[str, str]:
    return safe_text(column, 100), safe_text(event.source.columns.get(column, ""), 60)


def _side(value: object) -> Side:
    return Side((Span(value_text(value, VALUE_LIMIT), False),), is_absent(value))
