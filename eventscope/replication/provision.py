"""Prepare the source: check it, make the publication, find or make the slot.

The order matters: a publication made after the slot is invisible to what the slot decodes first.
Nothing that exists is dropped or made anew.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from eventscope.app import EventScope, QueryOperator
from eventscope.event import Lsn, entity_name
from eventscope.replication import catalog
from eventscope.replication.catalog import Slot, identifier
from eventscope.replication.connection import Connection, SourceError, one_line
from eventscope.settings import Settings


async def check_server(connection: Connection) -> None:
    """Check that the server writes what logical replication needs."""
    wal_level = await catalog.setting(connection, "wal_level")
    if wal_level != "logical":
        raise SourceError(
            f"wal_level is {wal_level}, but must be logical: run"
            f" ALTER SYSTEM SET wal_level = 'logical'; and restart the server"
        )


async def check_tables(connection: Connection, app: EventScope) -> None:
    """Check that every table and column the application names is there."""
    for entity in app.entities:
        await _columns(connection, entity, "which the application follows")
    for operator in app.operators:
        if isinstance(operator, QueryOperator):
            place = f"of operator {operator.name}"
            target = await _columns(connection, operator.target, f"the target {place}")
            _check_column(operator.target, operator.id, target, place)
            for entity, column in operator.ids.items():
                found = await _columns(connection, entity, f"followed by operator {operator.name}")
                _check_column(entity, column, found, f"in ids {place}")


async def ensure_publication(connection: Connection, name: str, entities: Sequence[str]) -> None:
    """Make the publication with exactly these tables, or add those that it lacks."""
    row = await (
        await connection.execute(
            "SELECT puballtables FROM pg_publication WHERE pubname = %s", (name,)
        )
    ).fetchone()
    if row is None:
        tables = sql.SQL(", ").join(identifier(entity) for entity in entities)
        await _run(
            connection,
            sql.SQL(
                "CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)"
            ).format(sql.Identifier(name), tables),
        )
        return
    if not row[0]:
        missing = await _unpublished(connection, name, entities)
        if missing:
            tables = sql.SQL(", ").join(identifier(entity) for entity in missing)
            await _run(
                connection,
                sql.SQL("ALTER PUBLICATION {} ADD TABLE {}").format(sql.Identifier(name), tables),
            )


async def unidentifiable(connection: Connection, name: str, entities: Sequence[str]) -> list[str]:
    """Find the tables that publishing would break: those without any replica identity.

    PostgreSQL refuses updates and deletes on a published table whose rows it cannot identify.
    """
    return [
        entity
        for entity in await _unpublished(connection, name, entities)
        if not await catalog.identity_columns(connection, entity)
    ]


async def unidentified(connection: Connection, app: EventScope) -> dict[str, tuple[str, str]]:
    """Find the mapping columns whose old values the WAL does not tell.

    Returns the column and the operator, by table.
    """
    found: dict[str, tuple[str, str]] = {}
    for operator in app.operators:
        if isinstance(operator, QueryOperator):
            for entity, column in operator.ids.items():
                if column not in await catalog.identity_columns(connection, entity):
                    found.setdefault(entity, (column, operator.name))
    return found


async def identify_fully(connection: Connection, entities: Collection[str]) -> None:
    """Set REPLICA IDENTITY FULL on these tables, or on their partitions if they have any."""
    for entity in entities:
        for table in await catalog.partitions(connection, entity):
            await _run(
                connection,
                sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(identifier(table)),
            )


async def create_slot(replication: Connection, settings: Settings) -> Lsn:
    """Make the slot; returns the position from which it tells everything.

    Raises:
        SourceError: the server has no slot to give, or refuses.
    """
    command = sql.SQL("CREATE_REPLICATION_SLOT {} {} LOGICAL pgoutput NOEXPORT_SNAPSHOT").format(
        sql.Identifier(settings.slot_name), sql.SQL("" if settings.durable_slot else "TEMPORARY")
    )
    try:
        cursor = await replication.execute(command)
    except psycopg.errors.ConfigurationLimitExceeded as error:
        raise SourceError(
            f"{one_line(error)}: drop a slot that nobody uses, or raise max_replication_slots"
        ) from error
    except psycopg.Error as error:
        raise SourceError(f"cannot create slot {settings.slot_name}: {one_line(error)}") from error
    row = await cursor.fetchone()
    if row is None:
        raise SourceError(f"cannot create slot {settings.slot_name}: the server said nothing")
    return Lsn.parse(row[1])


def check_slot(slot: Slot, settings: Settings, database: str, acknowledged: Lsn | None) -> None:
    """Check that a slot can be trusted to go on where we stopped.

    Args:
        slot: as the server shows it.
        settings: naming the slot.
        database: the database we are connected to.
        acknowledged: the most that we ever told the server it may forget; None if nothing yet.

    Raises:
        SourceError: naming the finding.
    """
    if slot.plugin != "pgoutput":
        raise SourceError(
            f"slot {slot.name} belongs to {slot.plugin or 'physical replication'}, "
            f"not to pgoutput; name another with slot_name"
        )
    if slot.database != database:
        raise SourceError(
            f"slot {slot.name} belongs to database {slot.database}, not to {database}; "
            f"name another with slot_name"
        )
    if slot.wal_status == "lost":
        raise SourceError(
            f"slot {slot.name} is lost: the server has removed WAL that it needed "
            f"(max_slot_wal_keep_size). {_anew(settings)}"
        )
    confirmed = slot.confirmed_flush or Lsn(0)
    if acknowledged is not None and confirmed > acknowledged:
        raise SourceError(
            f"slot {slot.name} was advanced to {confirmed} by somebody else; this queue has come "
            f"to {acknowledged}, and what lies between is lost. {_anew(settings)}"
        )


def slot_gone(settings: Settings, reached: Lsn) -> SourceError:
    """The error for a queue whose slot has been dropped."""
    return SourceError(
        f"slot {settings.slot_name} does not exist any more; this queue has come to {reached}, "
        f"and what was committed since is lost. {_anew(settings)}"
    )


def _anew(settings: Settings) -> str:
    return (
        f"To start anew from now: drop the slot if it exists"
        f" (SELECT pg_drop_replication_slot('{settings.slot_name}')) and move the queue file away"
    )


async def _columns(connection: Connection, entity: str, role: str) -> tuple[str, ...]:
    found = await catalog.columns(connection, entity)
    if found is None:
        near = difflib.get_close_matches(entity, await catalog.tables(connection), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SourceError(f"table {entity} does not exist ({role}){hint}")
    return found


def _check_column(entity: str, column: str, found: tuple[str, ...], place: str) -> None:
    if column not in found:
        raise SourceError(
            f"table {entity} has no column {column} ({place}); it has {', '.join(found)}"
        )


async def _unpublished(connection: Connection, name: str, entities: Sequence[str]) -> list[str]:
    published = await _names(
        connection,
        "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s"
        " UNION SELECT nspname, relname FROM pg_publication_rel"
        " JOIN pg_publication ON pg_publication.oid = prpubid"
        " JOIN pg_class ON pg_class.oid = prrelid"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pubname = %s",
        (name, name),
    )
    return [entity for entity in entities if entity not in published]


async def _names(connection: Connection, query: LiteralString, values: Sequence[str]) -> set[str]:
    cursor = await connection.execute(query, values)
    return {entity_name(schema, table) for schema, table in await cursor.fetchall()}


async def _run(connection: Connection, statement: sql.Composed) -> None:
    try:
        await connection.execute(statement)
    except psycopg.Error as error:
        raise SourceError(
            f"cannot prepare the database: {one_line(error)};"
            f" have its owner run: {statement.as_string(connection)}"
        ) from error
