"""The truth that a derived table must equal."""

from __future__ import annotations

from typing import Any

import psycopg


async def differing(
    connection: psycopg.AsyncConnection[Any], table: str, truth: str
) -> list[tuple[Any, ...]]:
    """The rows that a table lacks or should not have, duplicates included."""
    found = []
    for sign, left, right in (("-", truth, f"TABLE {table}"), ("+", f"TABLE {table}", truth)):
        query = f"SELECT '{sign}', * FROM (({left}) EXCEPT ALL ({right})) AS differing"
        cursor = await connection.execute(query)  # type: ignore[call-overload]
        found += await cursor.fetchall()
    return found
