"""What every test's database begins with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from eventscope.errors import EventScopeError

Part = str | Path | Callable[[str], Any]
"""SQL, a file of it, or a function that is given the URL of the database to fill."""

Schema = Part | Sequence[Part]

_OF_PSQL: Final = re.compile(r"^\\(?:un)?restrict .*$", re.MULTILINE)
"""What pg_dump writes for psql alone."""


class SchemaError(EventScopeError):
    """A schema that the server does not take; the message says where and why."""


def parts_of(schema: Schema) -> tuple[Part, ...]:
    """The parts of a schema, in order."""
    return (schema,) if isinstance(schema, str | Path) or callable(schema) else tuple(schema)


def fill(url: str, schema: Schema) -> None:
    """Bring a schema into a database.

    Raises:
        SchemaError: a file cannot be read, or the server refuses a statement.
    """
    for part in parts_of(schema):
        if isinstance(part, Path):
            _run(url, _read(part), str(part))
        elif isinstance(part, str):
            _run(url, part, "eventscope_schema")
        else:
            part(url)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SchemaError(f"eventscope_schema: {path}: {error.strerror}") from error


def _run(url: str, text: str, source: str) -> None:
    text = _OF_PSQL.sub("", text)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL(text))
    except psycopg.Error as error:
        at = error.diag.statement_position
        line = f" line {text.count(chr(10), 0, int(at) - 1) + 1}" if at else ""
        message = error.diag.message_primary or error
        raise SchemaError(f"{source}{line}: {message}") from error
