"""What the server itself says has happened, from a slot of another output plugin."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

import psycopg

_LINE: Final = re.compile(r"table (.*?): (INSERT|UPDATE|DELETE|TRUNCATE):")


async def create_reference(connection: psycopg.AsyncConnection[Any], slot: str) -> None:
    """Make the slot."""
    await connection.execute(
        "SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [slot]
    )


async def changes(
    connection: psycopg.AsyncConnection[Any], slot: str, followed: Collection[str]
) -> list[tuple[int, str, str]]:
    """All changes of some tables since, in order: transaction, kind and table."""
    cursor = await connection.execute(
        "SELECT xid::text::bigint, data FROM pg_logical_slot_peek_changes(%s, NULL, NULL)", [slot]
    )
    found = []
    for xid, data in await cursor.fetchall():
        if line := _LINE.match(data):
            names, kind = line.groups()
            tables = [name.removeprefix("public.") for name in names.split(", ")]
            found += [(xid, kind, table) for table in tables if table in followed]
    return found
