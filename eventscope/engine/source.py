"""The source database as the reader needs it: prepared, connected, and asked.

Two connections: one streams, the other answers questions about the catalogs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, Origin, Queue
from eventscope.replication import catalog, provision
from eventscope.replication.connection import (
    Connection,
    SourceError,
    Unreachable,
    connect,
    connect_for_replication,
    conninfo,
    one_line,
)
from eventscope.replication.relations import Relation
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.source")

_SLOT_PATIENCE: Final = 1.0
"""Seconds after which the making of a slot is no longer a matter of course."""

_FLUSH: Final = (
    "SELECT set_config('synchronous_commit', 'local', true),"
    " pg_logical_emit_message(true, 'eventscope', '')"
)
"""A commit that waits for the disk takes those with it that did not."""


class Attached(NamedTuple):
    """A replication connection that is ready to stream, and from where."""

    connection: Connection
    origin: Origin
    checkpoint: Checkpoint
    """To begin at once streaming has started: until then the slot may be another's, and move."""


class SourceDatabase:
    """The database whose changes are read.

    Args:
        app: whose tables are read.
        settings: where it is, and through which publication and slot.
    """

    def __init__(self, app: EventScope, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._catalog: Connection | None = None
        self._catalog_opening = asyncio.Lock()

    async def prepare(self) -> None:
        """Check that everything is there, and make the publication if need be.

        Raises:
            SourceError: it cannot be reached, prepared or trusted.
        """
        connection = await self._connected()
        for drawback in await provision.prepare(connection, self._app, self._settings):
            _log.warning(drawback.line)

    async def attach(self, queue: Queue) -> Attached:
        """Open a replication connection whose slot goes on where the queue has stopped.

        Raises:
            SourceError: it cannot, or only a person can tell how.
            QueueError: the queue belongs to another database or slot.
        """
        catalog_connection = await self._connected()
        settings = self._settings
        replication = await connect_for_replication(self._conninfo("replication"))
        try:
            system_id, timeline, _, database = await _identify(replication)
            origin = Origin(system_id, database, settings.slot_name)
            before = queue.checkpoint
            if before is not None:
                await queue.begin(origin, before)
                if before.timeline != timeline and settings.durable_slot:
                    raise SourceError(
                        f"the server is on timeline {timeline}, this queue was written on "
                        f"{before.timeline}: after a failover or restore nobody can tell what "
                        f"was lost. To start anew from now: move the queue file away"
                    )
            slot = await catalog.slot(catalog_connection, settings.slot_name)
            if slot is not None and settings.durable_slot:
                reached = before.reached if before is not None else None
                provision.check_slot(slot, settings, database, reached)
                start = reached or slot.confirmed_flush or Lsn(0)
            elif before is not None and settings.durable_slot:
                raise provision.slot_gone(settings, before.reached)
            else:
                start = await self._create_slot(replication)
            await queue.discard_open()
            stored = before.stored if before is not None else Lsn(0)
            return Attached(replication, origin, Checkpoint(timeline, stored, start))
        except BaseException:
            await replication.close()
            raise

    async def _create_slot(self, replication: Connection) -> Lsn:
        """Make the slot; says for what it waits if that takes long."""
        creating = asyncio.create_task(provision.create_slot(replication, self._settings))
        try:
            await asyncio.wait([creating], timeout=_SLOT_PATIENCE)
            if not creating.done():
                holders = await catalog.writers(await self._connected())
                _log.warning(
                    f"slot {self._settings.slot_name} can be made only when every transaction "
                    f"that has begun before has ended; waiting for {holders}"
                )
            return await creating
        finally:
            creating.cancel()

    async def describe(self, descriptions: Mapping[int, bytes]) -> dict[int, Relation]:
        """Complete what describes rows, by version, with what the catalogs tell.

        Raises:
            psycopg.OperationalError, Unreachable: they cannot be asked now.
        """
        described = {}
        for version, description in descriptions.items():
            try:
                try:
                    relation = await self._described(description)
                except psycopg.OperationalError:  # it may have died long ago, unnoticed
                    relation = await self._described(description)
            except psycopg.OperationalError:
                raise  # the rows come again when the catalogs can be asked
            except psycopg.Error as error:
                relation = catalog.undescribed(self._settings.database, description)
                _log.warning("types are not known", table=relation.entity, error=one_line(error))
            described[version] = relation
        return described

    async def _described(self, description: bytes) -> Relation:
        connection = await self._connected()
        return await catalog.describe(connection, connection.info.dbname, description)

    async def _connected(self) -> Connection:
        """The connection for catalog queries, opened if need be."""
        async with self._catalog_opening:
            if self._catalog is None or self._catalog.closed:
                self._catalog = await connect(self._conninfo("catalog"))
            return self._catalog

    async def position(self) -> Lsn:
        """The end of the WAL, which by then holds every commit before the call on disk.

        Raises:
            Unreachable: it cannot be asked now.
        """
        connection = await self._connected()
        try:
            await connection.execute(_FLUSH)
            cursor = await connection.execute("SELECT pg_current_wal_flush_lsn()::text")
            row = await cursor.fetchone()
        except psycopg.OperationalError as error:
            raise Unreachable(one_line(error)) from error
        return Lsn.parse(row[0]) if row else Lsn(0)

    async def slot_holder(self) -> str:
        """Say who reads from the slot, if that can be told."""
        try:
            return await catalog.slot_holder(await self._connected(), self._settings.slot_name)
        except (SourceError, psycopg.Error):
            return "another session"

    async def close(self) -> None:
        """Close the connection for questions; it is opened again when there is one."""
        connection, self._catalog = self._catalog, None
        if connection is not None:
            await connection.close()

    def _conninfo(self, purpose: str) -> str:
        return conninfo(self._settings, purpose, self._app.name)


async def _identify(replication: Connection) -> tuple[str, int, str, str]:
    cursor: psycopg.AsyncCursor[Any] = await replication.execute("IDENTIFY_SYSTEM")
    row = await cursor.fetchone()
    if row is None:
        raise SourceError("the server does not identify itself")
    system_id, timeline, position, database = row
    return str(system_id), int(timeline), str(position), str(database)
