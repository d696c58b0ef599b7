"""Names and values as SQL spells them, exactly, and harmless to the terminal they are pasted in.

Source: PostgreSQL documentation, chapters "Lexical Structure" and "SQL Key Words".
"""

from __future__ import annotations

import re
from typing import Final

from eventscope.inspection.text import is_harmless

_PLAIN_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_NUMERIC: Final = frozenset({"int2", "int4", "int8", "numeric"})
"""Types whose values need no quotes to be what they are."""

_WORDS: Final = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast
    check collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user default
    deferrable desc distinct do else end except false fetch for foreign freeze from full grant
    group having ilike in initially inner intersect into is isnull join lateral leading left
    like limit localtime localtimestamp natural not notnull null offset on only or order outer
    overlaps placing primary references returning right select session_user similar some
    symmetric system_user table tablesample then to trailing true union unique user using
    variadic verbose when where window with
"""
_KEYWORDS: Final = frozenset(_WORDS.split())
"""Words that name a column only in quotes."""


def identifier(name: str) -> str:
    """A name, in quotes where it needs them."""
    if _PLAIN_NAME.fullmatch(name) and name not in _KEYWORDS:
        return name
    quoted = name.replace('"', '""')
    if all(map(is_harmless, name)):
        return f'"{quoted}"'
    escaped = quoted.replace("\\", r"\\")
    return 'U&"{}"'.format("".join(map(_escaped_in_name, escaped)))


def qualified(schema: str, table: str) -> str:
    """A table's name with its schema."""
    return f"{identifier(schema)}.{identifier(table)}"


def literal(text: str | None, type_: str = "") -> str:
    """A value of a column, by the text that PostgreSQL sent for it.

    Args:
        text: None is NULL.
        type_: the column's type, as the catalog names it; without one the value is in quotes.
    """
    if text is None:
        return "NULL"
    if type_ == "bool" and text in ("t", "f"):
        return "true" if text == "t" else "false"
    if type_.partition("(")[0] in _NUMERIC and _NUMBER.fullmatch(text):
        return text
    quoted = text.replace("'", "''")
    if "\\" not in text and all(map(is_harmless, text)):
        return f"'{quoted}'"
    return "E'{}'".format("".join(map(_escaped, quoted)))


def _escaped(character: str) -> str:
    if character == "\\":
        return r"\\"
    if is_harmless(character):
        return character
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return rf"\u{code:04x}" if code <= 0xFFFF else rf"\U{code:08x}"


_SHORT: Final = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}


def _escaped_in_name(character: str) -> str:
    if is_harmless(character):
        return character
    code = ord(character)
    return rf"\{code:04x}" if code <= 0xFFFF else rf"\+{code:06x}"
