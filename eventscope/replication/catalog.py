"""What the system catalogs tell of tables, types and slots.

Source: PostgreSQL documentation, chapter "System Catalogs".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg import sql

from eventscope.event import Lsn, entity_name, split_entity
from eventscope.replication import pgoutput, values
from eventscope.replication.connection import Connection
from eventscope.replication.pgoutput import RelationMessage
from eventscope.replication.relations import Column, Relation

_TYPES: Final = """
WITH RECURSIVE given AS (
    SELECT * FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY AS g(oid, typmod, place)
), types AS NOT MATERIALIZED (
    SELECT t.oid, t.typname, t.typnamespace, t.typtype, t.typbasetype, t.typdelim,
           e.oid AS element
    FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
), walk AS ( -- from a domain to its base type, and once from an array to its elements
    SELECT place, oid, false AS in_array, 0 AS depth FROM given
    UNION ALL
    SELECT place, CASE typtype WHEN 'd' THEN typbasetype ELSE element END,
           in_array OR typtype <> 'd', depth + 1
    FROM walk JOIN types USING (oid) WHERE typtype = 'd' OR element IS NOT NULL AND NOT in_array
), base AS (
    SELECT DISTINCT ON (place) place, oid, in_array, typdelim
    FROM walk JOIN types USING (oid) ORDER BY place, depth DESC
)
SELECT CASE WHEN named.typtype = 'd' OR nspname NOT IN ('pg_catalog', 'public')
            THEN nspname || '.' ELSE '' END
       || named.typname
       || substr(regexp_replace(format_type(named.oid, given.typmod), zone, ''),
                 1 + length(regexp_replace(format_type(named.oid, NULL), zone, '')))
       || CASE WHEN types.element IS NULL THEN '' ELSE '[]' END,
       base.oid, base.in_array, base.typdelim
FROM given
CROSS JOIN (VALUES (' with(out)? time zone$')) AS z(zone)
LEFT JOIN base USING (place) -- a type may be gone since
LEFT JOIN types ON types.oid = given.oid
LEFT JOIN types named ON named.oid = coalesce(types.element, types.oid)
LEFT JOIN pg_namespace ON pg_namespace.oid = named.typnamespace
ORDER BY place
"""

_PRIMARY_KEY: Final = """
SELECT attname FROM pg_index
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY ((indkey::int[])[:indnkeyatts - 1])
WHERE indrelid = %s AND indisprimary
ORDER BY array_position(indkey::int[], attnum::int)
"""

_ANCESTORS: Final = """
WITH RECURSIVE above AS (
    SELECT inhparent, 1 AS steps FROM pg_inherits WHERE inhrelid = %s
    UNION
    SELECT pg_inherits.inhparent, steps + 1
    FROM above JOIN pg_inherits ON inhrelid = above.inhparent
)
SELECT nspname, relname
FROM above JOIN pg_class ON pg_class.oid = inhparent
JOIN pg_namespace ON pg_namespace.oid = relnamespace
GROUP BY 1, 2 ORDER BY min(steps), 1, 2
"""

_IDENTITY_COLUMNS: Final = """
SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND (
    relreplident = 'f' OR EXISTS (
        SELECT FROM pg_index
        WHERE indrelid = attrelid AND attnum = ANY ((indkey::int[])[:indnkeyatts - 1])
        AND CASE relreplident WHEN 'd' THEN indisprimary WHEN 'i' THEN indisreplident END))
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot as ``pg_replication_slots`` shows it."""

    name: str
    plugin: str | None
    database: str | None
    active_pid: int | None
    confirmed_flush: Lsn | None
    wal_status: str | None


async def slot(connection: Connection, name: str) -> Slot | None:
    """Look a slot up; None if there is none of that name."""
    cursor = await connection.execute(
        "SELECT plugin, database, active_pid, confirmed_flush_lsn::text, wal_status"
        " FROM pg_replication_slots WHERE slot_name = %s",
        (name,),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    plugin, database, active_pid, confirmed, wal_status = row
    flushed = None if confirmed is None else Lsn.parse(confirmed)
    return Slot(name, plugin, database, active_pid, flushed, wal_status)


async def slot_holder(connection: Connection, name: str) -> str:
    """Say who reads from a slot: process, application and address."""
    cursor = await connection.execute(
        "SELECT a.pid, a.application_name, a.client_addr::text"
        " FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid"
        " WHERE s.slot_name = %s",
        (name,),
    )
    row = await cursor.fetchone()
    if row is None:
        return "another session"
    pid, application, address = row
    return f"pid {pid} ({application or 'unnamed'}, {address or 'local socket'})"


async def writers(connection: Connection) -> str:
    """Say who is in a transaction that has written: process, application, since when."""
    cursor = await connection.execute(
        "SELECT pid, application_name, xact_start::timestamptz(0)::text FROM pg_stat_activity"
        " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start"
    )
    found = [
        f"pid {pid} ({application or 'unnamed'}, since {since})"
        for pid, application, since in await cursor.fetchall()
    ]
    return ", ".join(found) or "a prepared transaction"


async def blockers(connection: Connection, pid: int) -> str:
    """Say for whom a session waits: process, application, since when."""
    cursor = await connection.execute(
        "SELECT pid, application_name, xact_start::timestamptz(0)::text FROM pg_stat_activity"
        " WHERE pid = ANY (pg_blocking_pids(%s)) ORDER BY xact_start",
        (pid,),
    )
    found = [
        f"pid {pid} ({application or 'unnamed'}, since {since})"
        for pid, application, since in await cursor.fetchall()
    ]
    return ", ".join(found) or "nobody any more"


async def setting(connection: Connection, name: str) -> str:
    """A server setting's value."""
    cursor = await connection.execute("SELECT current_setting(%s)", (name,))
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


async def columns(connection: Connection, entity: str) -> tuple[str, ...] | None:
    """The columns of a table in their order; None if there is no such table."""
    schema, table = split_entity(entity)
    cursor = await connection.execute(
        "SELECT attname FROM pg_attribute"
        " JOIN pg_class ON pg_class.oid = attrelid"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = %s AND relname = %s AND relkind IN ('r', 'p')"
        " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (schema, table),
    )
    found = tuple(name for (name,) in await cursor.fetchall())
    return found or None


async def tables(connection: Connection) -> list[str]:
    """The names of all tables outside the system schemas, as users write them."""
    cursor = await connection.execute(
        "SELECT schemaname, tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
    )
    return [entity_name(schema, table) for schema, table in await cursor.fetchall()]


async def identity_columns(connection: Connection, entity: str) -> frozenset[str]:
    """The columns whose old value every update and delete of a table tells."""
    found = []
    for table in await partitions(connection, entity):
        name = identifier(table).as_string(connection)
        cursor = await connection.execute(_IDENTITY_COLUMNS, (name,))
        found.append(frozenset(column for (column,) in await cursor.fetchall()))
    return frozenset.intersection(*found)


async def partitions(connection: Connection, entity: str) -> list[str]:
    """The tables that hold a table's rows, each with a replica identity of its own."""
    name = identifier(entity).as_string(connection)
    cursor = await connection.execute(
        "SELECT nspname, relname FROM pg_partition_tree(%s::regclass)"
        " JOIN pg_class ON pg_class.oid = relid"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE isleaf",
        (name,),
    )
    found = [entity_name(schema, table) for schema, table in await cursor.fetchall()]
    return found or [entity]


async def describe(connection: Connection, database: str, description: bytes) -> Relation:
    """Complete what describes rows with what the catalogs tell of them."""
    if description[0] == pgoutput.MESSAGE:
        return Relation.of_messages(database, str(pgoutput.subject(description)))
    message = pgoutput.parse_relation(description)
    oids = [column.type_oid for column in message.columns]
    typmods = [column.typmod for column in message.columns]
    cursor = await connection.execute(_TYPES, (oids, typmods))
    types = [
        (name or str(oid), values.built_in(base or oid, in_array=in_array, delimiter=delimiter))
        for oid, (name, base, in_array, delimiter) in zip(
            oids, await cursor.fetchall(), strict=True
        )
    ]
    cursor = await connection.execute(_PRIMARY_KEY, (message.oid,))
    primary_key = tuple(name for (name,) in await cursor.fetchall())
    cursor = await connection.execute(
        "SELECT FROM pg_partitioned_table WHERE partrelid = %s", (message.oid,)
    )
    partitioned = await cursor.fetchone() is not None
    cursor = await connection.execute(_ANCESTORS, (message.oid,))
    ancestors = tuple(entity_name(schema, table) for schema, table in await cursor.fetchall())
    return relation(
        database, message, types, primary_key, partitioned=partitioned, ancestors=ancestors
    )


def undescribed(database: str, description: bytes) -> Relation:
    """What describes rows, as far as it can be understood without the catalogs."""
    message = pgoutput.parse_relation(description)
    types = [
        (values.name(column.type_oid), values.built_in(column.type_oid))
        for column in message.columns
    ]
    return relation(database, message, types, ())


def relation(
    database: str,
    message: RelationMessage,
    types: list[tuple[str, int]],
    primary_key: tuple[str, ...],
    *,
    partitioned: bool = False,
    ancestors: tuple[str, ...] = (),
) -> Relation:
    """Build a relation version from its message and its columns' type names and value types."""
    return Relation(
        database=database,
        oid=message.oid,
        schema=message.schema,
        table=message.table,
        identity=message.identity,
        columns=tuple(
            Column(
                name=column.name,
                type_oid=column.type_oid,
                typmod=column.typmod,
                in_identity=column.in_identity,
                type_name=type_name,
                value_oid=value_oid,
            )
            for column, (type_name, value_oid) in zip(message.columns, types, strict=True)
        ),
        primary_key=primary_key,
        partitioned=partitioned,
        ancestors=ancestors,
    )


def identifier(entity: str) -> sql.Identifier:
    """An entity's name for use in SQL, schema-qualified and quoted."""
    return sql.Identifier(*split_entity(entity))
