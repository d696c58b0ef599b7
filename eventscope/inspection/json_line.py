"""An event as one line of JSON."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from eventscope.event import UNCHANGED, Event, Source

_CONTROLS: Final = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys, that end a line or that turn the text around, as far as they
stand bare in JSON."""


def json_line(event: Event) -> str:
    """Say an event in one line of JSON that is harmless to a terminal.

    Numbers have all their digits, documents stand as they are, and what JSON cannot say is
    PostgreSQL's text. A value that the WAL does not hold is ``"UNCHANGED"``; ``unchanged``, the
    last key, names its columns, and is there only then.
    """
    event = event.in_form("json")
    line: dict[str, Any] = {
        "name": event.name,
        "type": event.type,
        "source": _origin(event.source),
        "new_record": event.new_record,
        "old_record": event.old_record,
        "changes": event.changes,
        "timestamp": event.timestamp.isoformat(),
        "lsn": str(event.lsn),
        "id": str(event.id),
        "xid": event.xid,
        "index": event.index,
        "previous": event.previous,
    }
    new = event.new_record or {}
    if unchanged := [column for column, value in new.items() if value is UNCHANGED]:
        line["unchanged"] = unchanged
    text = msgspec.json.encode(line).decode()
    return text if text.isascii() and "\x7f" not in text else _CONTROLS.sub(_escaped, text)


def _origin(source: Source) -> dict[str, Any]:
    return {
        "name": source.name,
        "version": source.version,
        "db": source.db,
        "schema": source.schema,
        "table": source.table,
        "columns": source.columns,
    }


def _escaped(control: re.Match[str]) -> str:
    return f"\\u{ord(control.group()):04x}"
