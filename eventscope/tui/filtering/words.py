"""Names and values as words of the filter language: in quotes where it needs them."""

from __future__ import annotations

import re
from typing import Final

from eventscope.event import UNCHANGED, Event
from eventscope.inspection.filter import field_names
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import raw_text

_PLAIN_VALUE: Final = re.compile(r"(?:(?!->)[^\s()|,→*?\"'/\\])+")
_PLAIN_NAME: Final = re.compile(r"[^\W\d][\w$-]*")
_LONGEST: Final = 60


def column_word(name: str) -> str | None:
    """A column's name before a colon, or None if it cannot be shown."""
    is_plain = _PLAIN_NAME.fullmatch(name) and name.lower() not in field_names()
    return _word(name, is_plain=bool(is_plain))


def changed_word(name: str) -> str | None:
    """A column's name after ``col:``."""
    return _word(name, is_plain=bool(_PLAIN_NAME.fullmatch(name)))


def table_word(schema: str, table: str) -> str | None:
    """A table's name after ``table:``, with its schema unless that is ``public``."""
    parts = [table] if schema in ("", "public") else [schema, table]
    words = [_word(part, is_plain=bool(_PLAIN_NAME.fullmatch(part))) for part in parts]
    return None if None in words else ".".join(filter(None, words))


def event_table(event: Event) -> str | None:
    """An event's table after ``table:``."""
    return table_word(event.source.schema, event.source.table)


def value_word(value: object) -> str | None:
    """A value after a colon; None if it is too long, too complex or cannot be shown."""
    if value is None:
        return "null"
    if value is UNCHANGED or isinstance(value, dict | list | tuple | bytes | bytearray):
        return None
    text = raw_text(value, _LONGEST + 1)
    if text == '""' and value == "":
        text = ""
    is_plain = _PLAIN_VALUE.fullmatch(text) and text.lower() != "null"
    return _word(text, is_plain=bool(is_plain))


def _word(text: str, *, is_plain: bool) -> str | None:
    if len(text) > _LONGEST or safe_text(text) != text:
        return None
    return text if is_plain else '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
