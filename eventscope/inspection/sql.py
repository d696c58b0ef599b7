"""A change as SQL, and the SQL that would undo it.

Values are the texts that PostgreSQL sent, which the types of the columns read again. What the
WAL does not hold is said in a comment, never made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from eventscope.event import UNCHANGED, Change, Event
from eventscope.inspection.diff import identity_remedy
from eventscope.inspection.quoting import identifier, literal, qualified
from eventscope.inspection.text import safe_text

Row = Mapping[str, Any]

_NAMELESS: Final = "-- without them no statement can name the row, as its table has no key"


def change_sql(event: Event) -> str:
    """The statement that makes the change, with comments where it cannot be the very same."""
    return "\n".join(_change(event.in_form("text")))


def undo_sql(event: Event) -> str:
    """The statement that takes the change back, or comments that say why there is none."""
    return "\n".join(_undo(event.in_form("text")))


def _change(event: Event) -> Iterator[str]:
    yield from _hidden(event)
    if event.source.nameless and event.type in ("update", "delete"):
        yield _NAMELESS
        return
    match event.type:
        case "insert":
            yield from _insert(event, event.new_record or {})
        case "update":
            yield from _update(event)
        case "delete":
            yield from _delete(event, event.old_record or {}, is_whole=event.previous is not None)
        case "truncate":
            yield f"TRUNCATE {_table(event)};"
        case "message":
            yield from _emit(event)


def _undo(event: Event) -> Iterator[str]:
    yield from _hidden(event)
    if event.source.nameless and event.type in ("update", "insert"):
        yield _NAMELESS
        return
    match event.type:
        case "insert":
            yield from _delete(event, event.new_record or {}, is_whole=True)
        case "update":
            yield from _update_back(event)
        case "delete":
            if event.previous is not None:
                yield from _insert(event, event.previous)
            else:
                yield from _unknown(event, event.unknown, "the row cannot be inserted again")
        case "truncate":
            yield f"-- the rows that were in {_comment(_table(event))} are not in the WAL:"
            yield "-- only a backup brings them back"
        case "message":
            yield "-- a message cannot be taken back"


def _hidden(event: Event) -> Iterator[str]:
    hidden = (*event.source.masked, *event.source.dropped)
    if hidden and event.type in ("insert", "update", "delete"):
        yield f"-- the application hides {_comment(', '.join(hidden))}, which is left out here"


def _insert(event: Event, row: Row) -> Iterator[str]:
    source = event.source
    fixed = {*source.generated, *source.masked}
    given = {name: value for name, value in row.items() if name not in fixed}
    columns = ", ".join(map(identifier, given))
    insists = "OVERRIDING SYSTEM VALUE " if set(source.identity) & set(given) else ""
    if not given:
        yield f"INSERT INTO {_table(event)} DEFAULT VALUES;"
        return
    yield f"INSERT INTO {_table(event)} ({columns})"
    yield f"{insists}VALUES ({_values(event, given)});"


def _update(event: Event) -> Iterator[str]:
    new, changed, unsure = event.new_record or {}, _changed(event), _unsure(event)
    if unsure:
        yield "-- which of these columns changed is not in the WAL: all are set to what they became"
    elif not changed:
        yield "-- the row was written again, with the same values"
        return
    before: Row = event.previous or event.old_key
    if not before.keys() >= set(event.key_columns):
        yield "-- the row is named by the key that it has since: the one before is not in the WAL"
        before = event.key
    yield from _set(event, {name: new[name] for name in new if name in changed or name in unsure})
    yield f"{_where(event, before, is_whole=event.previous is not None)};"


def _update_back(event: Event) -> Iterator[str]:
    new, changed, unsure = event.new_record or {}, _changed(event), _unsure(event)
    if unsure:
        yield from _unknown(event, unsure, "what they were is not restored")
    elif not changed:
        yield "-- the row was written again, with the same values: there is nothing to undo"
    if changed:
        yield from _set(event, {name: change.old_value for name, change in changed.items()})
        yield f"{_where(event, new, is_whole=UNCHANGED not in new.values())};"


def _delete(event: Event, row: Row, *, is_whole: bool) -> Iterator[str]:
    yield f"DELETE FROM {_table(event)}"  # noqa: S608 - to be copied, never run here
    yield f"{_where(event, row, is_whole=is_whole)};"


def _emit(event: Event) -> Iterator[str]:
    row = event.new_record or {}
    is_text = isinstance((event.in_form("python").new_record or {}).get("content"), str)
    flag = literal(row.get("transactional"), "bool")
    content = f"{literal(row.get('content'))}::{'text' if is_text else 'bytea'}"
    yield f"SELECT pg_logical_emit_message({flag}, {literal(row.get('prefix'))}, {content});"


def _set(event: Event, values: Row) -> Iterator[str]:
    pairs = (f"{identifier(name)} = {_value(event, name, text)}" for name, text in values.items())
    yield f"UPDATE {_table(event)}"
    yield f"SET {', '.join(pairs)}"


def _where(event: Event, row: Row, *, is_whole: bool) -> str:
    """Name a row by its key; without a key, by all that it holds."""
    has_key = 0 < len(event.key_columns) < len(event.source.columns)
    if is_whole and not has_key:
        return _where_like(event, row)
    key = {name: row[name] for name in event.key_columns if name in row} or row
    return "WHERE " + " AND ".join(_equals(event, name, text) for name, text in key.items())


def _where_like(event: Event, row: Row) -> str:
    """Name one of the rows that are alike to the last byte: there may be several."""
    table = _table(event)
    return (
        f"WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {table} AS alike\n"  # noqa: S608
        f"  WHERE alike *= ROW({_values(event, row)})::{table} LIMIT 1)"
    )


def _equals(event: Event, name: str, text: str | None) -> str:
    column = identifier(name)
    if text is None:
        return f"{column} IS NULL"
    if text.startswith("(") and text.endswith(")"):  # may be composite, which no literal is
        return f"{column}::text = {literal(text)}"
    return f"{column} = {_value(event, name, text)}"


def _values(event: Event, row: Row) -> str:
    return ", ".join(_value(event, name, text) for name, text in row.items())


def _value(event: Event, name: str, text: str | None) -> str:
    return literal(text, event.source.columns.get(name, ""))


def _changed(event: Event) -> Mapping[str, Change]:
    """Columns that are known to have changed, without those that nobody can set."""
    changes, fixed = (event.changes or {}).items(), {*event.source.generated, *event.source.masked}
    return {name: change for name, change in changes if name not in fixed}


def _unsure(event: Event) -> list[str]:
    """Columns of an updated row that may have changed, from what nobody knows."""
    new, source = event.new_record or {}, event.source
    fixed = {*source.generated, *source.identity, *source.masked}
    return [
        name
        for name in event.unknown
        if name not in fixed and new.get(name, UNCHANGED) is not UNCHANGED
    ]


def _unknown(event: Event, columns: Iterable[str], consequence: str) -> Iterator[str]:
    yield f"-- the WAL does not hold the old values of {_comment(', '.join(columns))}:"
    yield f"-- {consequence}. To have them from the next change on:"
    yield f"-- {_comment(identity_remedy(event))}"


def _comment(text: str) -> str:
    return safe_text(text, 1_000)


def _table(event: Event) -> str:
    return qualified(event.source.schema, event.source.table)
