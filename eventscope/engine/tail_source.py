"""The source database as ``Tail`` needs it: from now on, and leaving nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.engine.source import SourceDatabase
from eventscope.event import Lsn
from eventscope.replication import catalog, provision, temporary_publication
from eventscope.replication.connection import (
    Connection,
    SourceError,
    Unreachable,
    connect,
    connect_for_replication,
    one_line,
)
from eventscope.replication.publishable import Table, Tables, published
from eventscope.replication.relations import Relation
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.tail")

_GRACE: Final = 5.0
"""Seconds that the server gets to drop our publication at the end."""
_PATIENCE: Final = 1.0
"""Seconds after which the making of a publication is no longer a matter of course."""
_NAMED: Final = 20
"""Tables that are named one by one."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to listen to."""

    tables: tuple[str, ...] = ()
    """Their names; none means every table that can be listened to."""
    publication: str | None = None
    """An existing one to listen through, instead of one of our own."""
    messages: bool = True
    """Whether to listen to logical messages, too."""


class Opened(NamedTuple):
    """A replication connection, and the slot and publication that are ready for it."""

    connection: Connection
    slot: str
    publication: str
    start: Lsn


class TailSource(SourceDatabase):
    """A database that is read through a temporary slot and a publication of its own.

    Args:
        settings: where it is.
        app: names the connections, and what is hidden of a table.
        selection: what to listen to.
    """

    def __init__(self, settings: Settings, app: EventScope, selection: Selection) -> None:
        super().__init__(app, settings.model_copy(update={"durable_slot": False}))
        self.tables: Sequence[str] = ()
        """The names of the tables that are listened to."""
        self._selection = selection
        self._name = temporary_publication.new_name()
        self._published = False
        self._slots = 0
        self.owns = selection.publication is None
        """Whether it listens through a publication of its own."""

    async def open(self) -> Opened:
        """Make what it takes to listen from now on; it can be done again and again.

        Raises:
            SourceError: the database cannot be reached, prepared or trusted.
        """
        connection = await self._connected()
        try:
            await provision.check_server(connection)
            tables = await Tables.of(connection)
            if self._selection.publication is not None:
                self.tables = await self._found(connection, tables)
                return await self._open_slot(self._selection.publication)
            chosen = self._chosen(connection, tables)
            self.tables = [table.entity for table in chosen]
            with suppress(psycopg.ProgrammingError):  # what somebody else has dropped meanwhile
                await temporary_publication.drop_leftovers(connection)
            async with temporary_publication.making(connection):
                await self._publish(connection, chosen)
                return await self._open_slot(self._name)
        except psycopg.Error as error:
            raise SourceError(f"cannot prepare the database: {one_line(error)}") from error

    def wants(self, relation: Relation) -> bool:
        """Whether what a relation describes is listened to."""
        if not relation.schema:  # logical messages
            return self._selection.messages
        through_others = self._selection.publication is not None and self._selection.tables
        return not through_others or not set(self.tables).isdisjoint(relation.names)

    async def position(self) -> Lsn:
        """The end of the WAL now; raises Unreachable if it cannot be asked."""
        try:
            return await super().position()
        except Unreachable:  # the connection may have died long ago, unnoticed
            return await super().position()

    async def withdraw(self) -> None:
        """Drop the publication of our own."""
        if not self._published:
            return
        try:
            async with asyncio.timeout(_GRACE):
                try:
                    await temporary_publication.withdraw(await self._connected(), self._name)
                except psycopg.OperationalError:  # the same
                    await temporary_publication.withdraw(await self._connected(), self._name)
        except (TimeoutError, SourceError, psycopg.Error) as error:
            _log.warning(
                f"publication {self._name} could not be dropped ({one_line(error)}): the next"
                f" tail does it, or DROP PUBLICATION {self._name}"
            )

    def _chosen(self, connection: Connection, tables: Tables) -> Sequence[Table]:
        if self._selection.tables:
            return tables.named(self._selection.tables)
        chosen, left_out = tables.every()
        if left_out and self._slots == 0:
            _log.warning(
                f"not listening to {_listed(left_out)}: without a primary key or REPLICA IDENTITY"
                f" FULL, PostgreSQL would refuse their UPDATEs and DELETEs once they are published"
            )
        if not chosen:
            raise SourceError(
                f"role {connection.info.user} owns no table of database"
                f" {connection.info.dbname} that could be published:"
                f" connect as their owner, or name a publication with --publication"
            )
        return chosen

    async def _found(self, connection: Connection, tables: Tables) -> Sequence[str]:
        """The tables to listen to through a publication that is not our own."""
        publication = self._selection.publication or ""
        there = await published(connection, publication)
        wanted = [tables.find(name) for name in self._selection.tables]
        for table in wanted:
            if not any(kin.entity in there for kin in tables.kin(table)):
                raise SourceError(f"publication {publication} does not have table {table.entity}")
        return [table.entity for table in wanted] or there

    async def _publish(self, connection: Connection, tables: Sequence[Table]) -> None:
        """Make the publication of our own; says for what it waits if that takes long."""
        self._published = True
        publishing = asyncio.create_task(
            temporary_publication.publish(connection, self._name, tables)
        )
        try:
            await asyncio.wait([publishing], timeout=_PATIENCE)
            if not publishing.done():
                _log.warning(
                    "tables can be published only while nobody alters, vacuums or indexes them;"
                    f" waiting for {await self._blockers(connection.info.backend_pid)}"
                )
            await publishing
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    async def _blockers(self, pid: int) -> str:
        connection = await connect(self._conninfo("question"))
        try:
            return await catalog.blockers(connection, pid)
        finally:
            await connection.close()

    async def _open_slot(self, publication: str) -> Opened:
        """Connect for replication, and make a temporary slot there."""
        self._slots += 1
        slot = f"{self._name}_{self._slots}"  # the one before may still wait for its timeout
        self._settings = self._settings.model_copy(update={"slot_name": slot})
        replication = await connect_for_replication(self._conninfo("replication"))
        try:
            start = await self._create_slot(replication)
        except BaseException:
            await replication.close()
            raise
        return Opened(replication, slot, publication, start)


def _listed(tables: Sequence[Table]) -> str:
    names = [table.entity for table in tables[:_NAMED]]
    more = len(tables) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
