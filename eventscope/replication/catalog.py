"""What the system catalogs tell of tables, types and slots.

Source: PostgreSQL documentation, chapter "System Catalogs".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, LiteralString

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

_COMPUTED: Final = """
SELECT attname, attgenerated <> '' FROM pg_attribute
WHERE attrelid = %s AND NOT attisdropped AND (attgenerated <> '' OR attidentity = 'a')
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

_SLOTS: Final = """
SELECT coalesce(wal::text, '0/0'), slot_name, plugin, database, active_pid,
       confirmed_flush_lsn::text, wal_status, catalog_xmin::text::bigint,
       coalesce(pg_wal_lsn_diff(wal, restart_lsn), 0)::bigint,
       safe_wal_size, temporary, to_jsonb(s)->>'invalidation_reason'
FROM pg_replication_slots s, (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_flush_lsn() END
) AS server (wal)
"""

# the locks tell it, which every role may see
_WRITERS: Final = """
SELECT DISTINCT pid, application_name, xact_start::timestamptz(0)::text AS since,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds, NULL AS gid
FROM pg_locks LEFT JOIN pg_stat_activity a USING (pid)
WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted AND pid <> pg_backend_pid()
UNION ALL
SELECT NULL, database, prepared::timestamptz(0)::text,
       extract(epoch FROM clock_timestamp() - prepared)::float8, gid
FROM pg_prepared_xacts
ORDER BY seconds DESC NULLS LAST
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
    catalog_xmin: int | None = None
    retained: int = 0
    """Bytes of WAL that the server keeps for it."""
    safe: int | None = None
    """Bytes that may be written before it is in danger of being lost; None for no limit."""
    temporary: bool = False
    invalidation: str | None = None
    """Why it is lost, as PostgreSQL 17 and later say it."""
    end: Lsn = field(default=Lsn(0))
    """The end of the server's WAL on disk when it was looked at."""


async def slot(connection: Connection, name: str) -> Slot | None:
    """Look a slot up; None if there is none of that name."""
    found = await _slots(connection, "WHERE slot_name = %s", name)
    return found[0] if found else None


async def slots(connection: Connection) -> list[Slot]:
    """Every slot of the server, of whatever database."""
    return await _slots(connection, "ORDER BY slot_name")


async def _slots(connection: Connection, which: LiteralString, *values: str) -> list[Slot]:
    cursor = await connection.execute(_SLOTS + which, values)
    found = []
    for end, name, plugin, database, pid, confirmed, *more in await cursor.fetchall():
        flushed = None if confirmed is None else Lsn.parse(confirmed)
        slot = Slot(name, plugin, database, pid, flushed, *more)
        found.append(replace(slot, end=Lsn.parse(end)))
    return found


async def slot_holder(connection: Connection, name: str) -> str:
    """Say who reads from a slot: process, application; if the role may know, whence and since."""
    cursor = await connection.execute(
        "SELECT s.active_pid, a.application_name,"
        " CASE WHEN state IS NOT NULL THEN coalesce(host(client_addr), 'local socket') END,"
        " 'since ' || backend_start::timestamptz(0)::text"
        " FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid"
        " WHERE s.slot_name = %s AND s.active_pid IS NOT NULL",
        (name,),
    )
    row = await cursor.fetchone()
    if row is None:
        return "another session"
    pid, application, *more = row
    return f"pid {pid} ({', '.join(filter(None, (application or 'unnamed', *more)))})"


async def end_session(connection: Connection, slot: str, pid: int) -> bool:
    """End one of our own sessions that reads from a slot; whether there was such a one."""
    cursor = await connection.execute(
        "SELECT pg_terminate_backend(a.pid) FROM pg_replication_slots s"
        " JOIN pg_stat_activity a ON a.pid = s.active_pid"
        " WHERE s.slot_name = %s AND a.pid = %s AND a.usename = session_user",
        (slot, pid),
    )
    return await cursor.fetchone() is not None


@dataclass(frozen=True, slots=True)
class Writer:
    """A transaction that has written and has not ended; a slot cannot be made before it does."""

    pid: int | None
    """None for a prepared transaction."""
    place: str | None
    """The session's application, or the prepared transaction's database."""
    since: str | None
    """When it began; None where the role may not know."""
    seconds: float | None
    gid: str | None
    """The prepared transaction's name."""

    @property
    def name(self) -> str:
        """What people can find it by."""
        who = f"prepared transaction {self.gid!r}" if self.gid else f"pid {self.pid}"
        return _named(who, self.place, self.since)


async def open_writers(connection: Connection) -> list[Writer]:
    """Every other transaction that has written and has not ended, the oldest first."""
    cursor = await connection.execute(_WRITERS)
    return [Writer(*row) for row in await cursor.fetchall()]


async def writers(connection: Connection) -> str:
    """Say who is in a transaction that has written: process, application, since when."""
    found = await open_writers(connection)
    return ", ".join(writer.name for writer in found) or "another transaction"


async def blockers(connection: Connection, pid: int) -> str:
    """Say for whom a session waits: process, application, since when."""
    cursor = await connection.execute(
        "SELECT blocker, application_name, xact_start::timestamptz(0)::text"
        " FROM unnest(pg_blocking_pids(%s)) AS blocker LEFT JOIN pg_stat_activity ON pid = blocker"
        " ORDER BY xact_start",
        (pid,),
    )
    found = [
        _named(f"pid {blocker}", application, since)
        for blocker, application, since in await cursor.fetchall()
        if blocker
    ]
    prepared = [writer.name for writer in await open_writers(connection) if writer.gid]
    return ", ".join(found or prepared) or "nobody any more"


def _named(who: str, place: str | None, since: str | None) -> str:
    more = [place or "unnamed", *([f"since {since}"] if since else [])]
    return f"{who} ({', '.join(more)})"


async def setting(connection: Connection, name: str) -> str:
    """A server setting's value."""
    cursor = await connection.execute("SELECT current_setting(%s)", (name,))
    row = await cursor.fetchone()
    return str(row[0]) if row else ""


async def tables(connection: Connection) -> list[str]:
    """The names of all tables outside the system schemas, as users write them."""
    cursor = await connection.execute(
        "SELECT schemaname, tablename FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
    )
    return [entity_name(schema, table) for schema, table in await cursor.fetchall()]


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
    cursor = await connection.execute(_COMPUTED, (message.oid,))
    return relation(
        database,
        message,
        types,
        primary_key,
        partitioned=partitioned,
        ancestors=ancestors,
        computed=dict(await cursor.fetchall()),
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
    computed: Mapping[str, bool] = MappingProxyType({}),
) -> Relation:
    """Build a relation version from its message and its columns' type names and value types.

    ``computed`` names the columns that the server fills in, and of each whether it is generated
    from others; it is an identity else.
    """
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
                generated=computed.get(column.name) is True,
                is_identity=computed.get(column.name) is False,
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
