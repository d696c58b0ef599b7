"""Publications that live as long as one program, and what is left of them when it is killed.

The temporary slot that is read through such a publication begins with its name. PostgreSQL drops
that slot with its session, so a publication without a slot is left over. Between the making of
the two a program holds a lock, which whoever looks for leftovers must get first.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import psycopg
from psycopg import sql

from eventscope.replication.connection import Connection, SourceError, one_line
from eventscope.replication.publishable import Table

_PREFIX: Final = "eventscope_tail_"
_LOCK: Final = int.from_bytes(b"evs_tail")
"""The advisory lock: shared by those who make, exclusive for who drops leftovers."""

_AT_ONCE: Final = 500
"""Tables added by one statement, which locks each of them until its end."""

_GENERATED_COLUMNS: Final = 180_000
"""The version from which generated columns can be published. They must be, then: PostgreSQL
refuses updates under REPLICA IDENTITY FULL if one of them is not."""

_LEFTOVERS: Final = """
SELECT pubname FROM pg_publication
WHERE pubname ~ %s AND pg_has_role(pubowner, 'USAGE')
AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE starts_with(slot_name, pubname))
"""


def new_name() -> str:
    """A name that no other publication has."""
    return f"{_PREFIX}{secrets.token_hex(8)}"


@asynccontextmanager
async def making(connection: Connection) -> AsyncIterator[None]:
    """Keep others from taking a publication for a leftover before its slot is there."""
    await connection.execute("SELECT pg_advisory_lock_shared(%s)", (_LOCK,))
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # without a connection there is no lock
            await connection.execute("SELECT pg_advisory_unlock_shared(%s)", (_LOCK,))


async def publish(connection: Connection, name: str, tables: Sequence[Table]) -> None:
    """Make a publication of exactly these tables, in place of one of that name.

    Raises:
        SourceError: the server refuses; with the cure where there is one.
    """
    try:
        await withdraw(connection, name)
        await _make(connection, name)
        for start in range(0, len(tables), _AT_ONCE):
            some = [table.identifier for table in tables[start : start + _AT_ONCE]]
            await connection.execute(
                sql.SQL("ALTER PUBLICATION {} ADD TABLE ONLY {}").format(
                    sql.Identifier(name), sql.SQL(", ONLY ").join(some)
                )
            )
    except psycopg.Error as error:
        raise SourceError(f"cannot publish the tables: {one_line(error)}") from error


async def _make(connection: Connection, name: str) -> None:
    options = "publish_via_partition_root = true"
    if connection.info.server_version >= _GENERATED_COLUMNS:
        options += ", publish_generated_columns = stored"
    statement = sql.SQL("CREATE PUBLICATION {} WITH ({})")
    try:
        await connection.execute(statement.format(sql.Identifier(name), sql.SQL(options)))
    except psycopg.errors.InsufficientPrivilege as error:
        database, role = connection.info.dbname, connection.info.user
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(
            sql.Identifier(database), sql.Identifier(role)
        )
        raise SourceError(
            f"role {role} may not make a publication: run {grant.as_string()},"
            f" or name one that exists with --publication"
        ) from error


async def withdraw(connection: Connection, name: str) -> None:
    """Drop a publication, if it is still there."""
    await connection.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))


async def drop_leftovers(connection: Connection) -> list[str]:
    """Drop the publications of killed programs, as far as the role may; returns their names."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,))
    if await cursor.fetchone() != (True,):
        return []  # somebody else is at it, or making one: the next program will do it
    try:
        cursor = await connection.execute(_LEFTOVERS, (f"^{_PREFIX}[0-9a-f]{{16}}$",))
        names = [name for (name,) in await cursor.fetchall()]
        for name in names:
            await withdraw(connection, name)
        return names
    finally:
        await connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
