"""The source database as the reader needs it: prepared, connected, and asked.

Two connections: one streams, the other answers questions about the catalogs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.engine.succession import Succession
from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, Origin, Queue
from eventscope.replication import (
    catalog,
    history,
    hops,
    masking,
    pgoutput,
    provision,
    publishing,
    tables,
)
from eventscope.replication.connection import (
    Connection,
    SlotInUse,
    SourceError,
    Unreachable,
    connect_for_replication,
    conninfo,
    hang_up,
    identify,
    one_line,
)
from eventscope.replication.doctor import publication as publication_checks
from eventscope.replication.doctor import slot as slot_checks
from eventscope.replication.inquiry import Inquiry
from eventscope.replication.pgoutput import Subject
from eventscope.replication.publishing import Publication
from eventscope.replication.relations import Relation, Transaction
from eventscope.replication.tables import Table
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.source")

_SLOT_PATIENCE: Final = 1.0
"""Seconds after which the making of a slot is no longer a matter of course."""

_VISIBLE: Final = 1.0
"""Seconds after which what the stream tells of is visible to questions, too."""

_NO_LONG_WAIT: Final = "SET lock_timeout = '1s'"
"""The condition of a publication cannot be read while its table is altered."""

_FLUSH: Final = (
    "SELECT set_config('synchronous_commit', 'local', true),"
    f" pg_logical_emit_message(true, '{hops.PREFIX}', '')"
)
"""A commit that waits for the disk takes those with it that did not."""


class Attached(NamedTuple):
    """A replication connection that is ready to stream, and from where."""

    connection: Connection
    origin: Origin
    checkpoint: Checkpoint
    """To begin at once streaming has started: until then the slot may be another's, and move."""
    confirmed: Lsn
    """Where the slot stood when we looked."""
    again: Transaction | None
    """The last stored transaction, if it must come again to show that this is the same WAL."""
    passed: bool
    """Whether another instance has applied what lies between our queue and the slot."""


class SourceDatabase:
    """The database whose changes are read.

    Args:
        app: whose tables are read.
        settings: where it is, and through which publication and slot.
        on_wait: called with what it waits for, when that takes long; by default it is logged.
    """

    def __init__(
        self,
        app: EventScope,
        settings: Settings,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._on_wait = on_wait or _say
        self._inquiry = Inquiry(settings, app.name)
        self._succession = Succession(settings, app.name)
        self.wal_limit: int | None = None
        """Bytes of WAL that the server keeps for the slot at most, as of the last look."""
        self.retained: int | None = None
        """Bytes of WAL that it keeps for the slot, as of the last look."""
        self.end = Lsn(0)
        """The end of the server's WAL, as of the last look."""
        self._own_pid: int | None = None
        self._holder = "another session"
        """Who had the slot when it was in use."""

    async def prepare(self) -> None:
        """Check that everything is there, and make the publication if need be.

        Raises:
            SourceError: it cannot be reached, prepared or trusted.
        """
        connection = await self._connected()
        try:
            drawbacks = await provision.prepare(connection, self._app, self._settings)
        except psycopg.Error as error:
            raise SourceError(f"cannot prepare the database: {one_line(error)}") from error
        for drawback in drawbacks:
            _log.warning(drawback.line)

    async def attach(self, queue: Queue) -> Attached:
        """Open a replication connection whose slot goes on where the queue has stopped.

        Raises:
            SourceError: it cannot, or only a person can tell how.
            QueueError: the queue belongs to another database or slot.
        """
        replication = await connect_for_replication(self._conninfo("replication"))
        try:
            return await self._attach(replication, queue)
        except BaseException as error:
            await replication.close()
            if isinstance(error, psycopg.OperationalError):
                raise Unreachable(f"connection lost: {one_line(error)}") from error
            raise

    async def _attach(self, replication: Connection, queue: Queue) -> Attached:
        settings, before, last = self._settings, queue.checkpoint, queue.last
        server = await identify(replication)
        origin = Origin(server.system_id, server.database, settings.slot_name)
        if before is not None:
            await queue.begin(origin, before)
            if settings.durable_slot:
                history.check_timeline(server, before.timeline, settings.slot_name)
            history.check_position(server, before.reached, settings.slot_name)
        slot, passed = await self._slot(), False
        if slot is not None and settings.durable_slot:
            reached = before.reached if before is not None else None
            passed = await self._is_passed(slot, reached)
            trusted = None if passed else reached
            provision.check_slot(slot, settings, server.database, trusted)
            confirmed = slot.confirmed_flush or Lsn(0)
            start = history.restart_at(confirmed, last)
        elif before is not None and settings.durable_slot:
            raise provision.slot_gone(settings, before.reached)
        else:
            start = confirmed = await self._create_slot(replication)
        await queue.discard_open()
        stored = before.stored if before is not None else Lsn(0)
        again = last if start < stored else None
        checkpoint = Checkpoint(server.timeline, stored, start)
        return Attached(replication, origin, checkpoint, confirmed, again, passed)

    async def _is_passed(self, slot: catalog.Slot, reached: Lsn | None) -> bool:
        async with self._inquiry.asking() as connection:
            await self._succession.look(connection, slot, self._own_pid)
            return await self._succession.has_passed(connection, slot, reached)

    async def hold(self, attached: Attached) -> None:
        """See, when the slot is ours alone, that it has not moved since ``attach`` looked.

        Raises:
            Unreachable: it has; where it stands now is to be judged anew.
        """
        slot = await self._slot()
        if slot is None or slot.confirmed_flush != attached.confirmed:
            raise Unreachable(f"slot {self._settings.slot_name} moved while we took it")
        self._measure(slot)
        self._own_pid = attached.connection.info.backend_pid

    async def cause(self, error: psycopg.Error) -> SourceError:
        """Find out why the server refuses to stream from the slot.

        Raises:
            SourceError: found, or Unreachable: it cannot be asked now.
        """
        settings, said = self._settings, one_line(error)
        published, slot = await self._publication_and_slot()
        if published is not None and isinstance(error, psycopg.errors.UndefinedObject):
            await asyncio.sleep(_VISIBLE)
            published, slot = await self._publication_and_slot()
        if published is None:
            gone = publication_checks.gone(settings.publication, settings.slot_name)
            return SourceError(gone.line)
        if slot is None:
            raise Unreachable(said)  # the next attempt has its own words for that
        provision.check_slot(slot, settings, slot.database or "", None)
        if isinstance(error, psycopg.errors.UndefinedObject):
            older = slot_checks.older(settings.slot_name, settings.publication, said)
            return SourceError(older.line)
        return SourceError(said)

    async def _publication_and_slot(self) -> tuple[Publication | None, catalog.Slot | None]:
        async with self._inquiry.asking() as connection:
            return (
                await publishing.look_up(connection, self._settings.publication),
                await catalog.slot(connection, self._settings.slot_name),
            )

    async def look(self) -> tuple[Publication | None, dict[str, Table]]:
        """The publication as it is now, and the followed tables that exist, by name.

        It is noted, too, what the server keeps for the slot.

        Raises:
            Unreachable: it cannot be asked now.
        """
        async with self._inquiry.asking() as connection:
            await connection.execute(_NO_LONG_WAIT)
            slot = await catalog.slot(connection, self._settings.slot_name)
            if slot is not None:
                self._measure(slot)
            return (
                await publishing.look_up(connection, self._settings.publication),
                await tables.look_up(connection, self._app.entities),
            )

    def _measure(self, slot: catalog.Slot) -> None:
        self.wal_limit = None if slot.safe is None else max(0, slot.retained + slot.safe)
        self.retained, self.end = slot.retained, slot.end

    async def _slot(self) -> catalog.Slot | None:
        async with self._inquiry.asking() as connection:
            return await catalog.slot(connection, self._settings.slot_name)

    async def _create_slot(self, replication: Connection) -> Lsn:
        """Make the slot; says for what it waits if that takes long."""
        settings = self._settings
        creating = asyncio.create_task(provision.create_slot(replication, settings))
        try:
            while not (await asyncio.wait([creating], timeout=_SLOT_PATIENCE))[0]:
                async with self._inquiry.asking() as connection:
                    holders = await catalog.writers(connection)
                self._on_wait(
                    f"slot {settings.slot_name} can be made only when every transaction"
                    f" that has begun before has ended; waiting for {holders}"
                )
            return await creating
        except psycopg.errors.DuplicateObject as error:
            slot = await self._slot()
            if settings.durable_slot or slot is None or slot.active_pid is not None:
                raise await self.slot_in_use() from error
            raise SourceError(
                f"slot {slot.name} exists already, and is not temporary: name another with"
                f" slot_name, or set durable_slot = true to read from it"
            ) from error
        finally:
            if not creating.done():  # before the connection is closed
                hang_up(replication)
                creating.cancel()
                await asyncio.gather(creating, return_exceptions=True)

    async def describe(self, descriptions: Mapping[int, bytes]) -> dict[int, Relation]:
        """Complete what describes rows, by version, with what the catalogs tell.

        Raises:
            Unreachable: they cannot be asked now; the rows come again when they can.
        """
        described = {}
        for version, description in descriptions.items():
            try:
                try:
                    relation = await self._described(description)
                except Unreachable:  # the connection may have died long ago, unnoticed
                    relation = await self._described(description)
            except psycopg.Error as error:
                relation = self._concealed(
                    catalog.undescribed(self._settings.database, description)
                )
                _log.warning("types are not known", table=relation.entity, error=one_line(error))
            described[version] = relation
        return described

    async def outdated(
        self, repeated: Mapping[int, bytes], known: Mapping[int, Relation]
    ) -> frozenset[Subject]:
        """Find the tables that are not any more as their versions describe them.

        Args:
            repeated: what the stream has said again of them, by version.
            known: the versions.

        Raises:
            Unreachable: the catalogs cannot be asked now.
        """
        found = set()
        for version, description in repeated.items():
            with suppress(psycopg.ProgrammingError):
                now = await self._described(description)
                if now != known.get(version, now) and await self._exists(now):
                    found.add(pgoutput.subject(description))
        return frozenset(found)

    async def _exists(self, relation: Relation) -> bool:
        """Whether a table is still there: what is gone has no catalogs to be described by."""
        async with self._inquiry.asking() as connection:
            cursor = await connection.execute(
                "SELECT FROM pg_class WHERE oid = %s", (relation.oid,)
            )
            return await cursor.fetchone() is not None

    async def _described(self, description: bytes) -> Relation:
        async with self._inquiry.asking() as connection:
            relation = await catalog.describe(connection, connection.info.dbname, description)
            await self._check_hidden(connection, relation)
        return self._concealed(relation)

    def is_concealed(self, relation: Relation) -> bool:
        """Whether nothing is in a relation version that is to be hidden."""
        return self._concealed(relation) == relation

    def _concealed(self, relation: Relation) -> Relation:
        return masking.conceal(relation, self._app.concealment(relation.names))

    async def _check_hidden(self, connection: Connection, relation: Relation) -> None:
        """See that what is to be hidden has no other name since.

        Before a column was added the table did not have it; now it must.
        """
        names = relation.names
        lacking = masking.lacking(relation, self._app.concealment(names))
        if not lacking or set(names).isdisjoint(self._app.entities):
            return
        now = (await tables.look_up(connection, [relation.entity])).get(relation.entity)
        for column in sorted(lacking.difference(now.columns if now is not None else lacking)):
            raise SourceError(
                f"table {relation.entity} has no column {column} any more, which the application"
                f" hides: if it has another name now, correct mask or drop"
            )

    async def position(self) -> Lsn:
        """The end of the WAL, which by then holds every commit before the call on disk.

        Raises:
            Unreachable: it cannot be asked now.
        """
        async with self._inquiry.asking() as connection:
            await connection.execute(_FLUSH)
            cursor = await connection.execute("SELECT pg_current_wal_flush_lsn()::text")
            row = await cursor.fetchone()
        return Lsn.parse(row[0]) if row else Lsn(0)

    async def slot_in_use(self) -> SlotInUse:
        """The error for a slot that is somebody else's, saying whose if that can be told.

        If it is a session of our own that we have lost, and the server has not noticed, then
        that one is ended.
        """
        name = self._settings.slot_name
        with suppress(SourceError, psycopg.Error):
            async with self._inquiry.asking() as connection:
                slot = await catalog.slot(connection, name)
                if slot is not None and slot.active_pid is not None:  # it may have just ended
                    self._holder = await catalog.slot_holder(connection, name)
                pid = self._own_pid
                if pid is not None and await catalog.end_session(connection, name, pid):
                    self._holder = f"a session that we have lost, pid {pid}, which is ended now"
        return SlotInUse(f"slot {name} is in use by {self._holder}")

    def hang_up(self) -> None:
        """Let nobody wait for an answer any longer."""
        self._inquiry.hang_up()

    async def close(self) -> None:
        """Close the connection for questions; it is opened again when there is one."""
        await self._inquiry.close()

    async def _connected(self) -> Connection:
        """The connection for questions, for what may take its time."""
        return await self._inquiry.opened()

    def _conninfo(self, purpose: str) -> str:
        return conninfo(self._settings, purpose, self._app.name)


def _say(text: str) -> None:
    _log.warning(text)
