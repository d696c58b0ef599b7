"""The examination of a whole source, part by part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventscope.app import EventScope
from eventscope.event import Lsn
from eventscope.replication import catalog, ledger, publishing
from eventscope.replication.connection import (
    Connection,
    SystemIdentity,
    Unreachable,
    connect,
    conninfo,
    one_line,
    server_label,
)
from eventscope.replication.doctor import connection as link
from eventscope.replication.doctor import identity, publication, rights, role, server, slot, tables
from eventscope.replication.doctor.role import Role
from eventscope.replication.finding import Finding
from eventscope.replication.publishable import Tables
from eventscope.replication.publishing import Publication
from eventscope.replication.tables import Table, look_up, named
from eventscope.settings import Settings

_PATIENCE: Final = "-c lock_timeout=5s -c statement_timeout=30s"
"""Nobody is to wait for an examination, and it for nobody."""

Groups = Mapping[str, list[Finding]]
Reached = Callable[[SystemIdentity], Lsn | None]
"""Where a queue goes on from in the stream of a cluster's database; None if it holds nothing."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, by what it is about and in the order of reading."""

    groups: Groups
    identity: SystemIdentity | None = None
    """Whose stream it is; None if that could not be told."""
    is_connected: bool = True
    """Whether there was a session at all."""
    slot: catalog.Slot | None = None
    """The settings' slot; None if there is none, or it could not be looked at."""


async def examine(
    app: EventScope | None, settings: Settings, reached: Reached, *, is_reader: bool = False
) -> Examination:
    """Examine an application's source, or what a role and its settings lead to.

    Args:
        app: what is to be run.
        settings: where and through which publication and slot.
        reached: where the queue goes on from.
        is_reader: whether it is this process that reads from the slot.

    Raises:
        SourceError: the url is not one.
    """
    name = app.name if app is not None else settings.app_name or "doctor"
    where = conninfo(settings, "doctor", name)
    options = conninfo_to_dict(where).get("options")
    where = make_conninfo(where, options=f"{options} {_PATIENCE}")
    try:
        connection = await connect(where)
    except Unreachable as error:
        return Examination({"connection": [link.unreachable(error)]}, is_connected=False)
    try:
        return await _Examiner(connection, where, app, settings).run(reached, is_reader)
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class _Source:
    """What there is for the application to work with."""

    role: Role
    app: EventScope
    tables: dict[str, Table]
    publication: Publication | None

    @property
    def followed(self) -> list[Table]:
        """The tables that the application follows, as far as they exist."""
        return [self.tables[entity] for entity in self.app.entities if entity in self.tables]


class _Examiner:
    """Examines one part after another; a part that cannot be examined is a finding."""

    def __init__(
        self, connection: Connection, where: str, app: EventScope | None, settings: Settings
    ) -> None:
        self._connection = connection
        self._where = where
        self._app = app
        self._settings = settings
        self._identity: SystemIdentity | None = None
        self._slot: catalog.Slot | None = None

    async def run(self, reached: Reached, is_reader: bool) -> Examination:
        """Examine everything."""
        groups = {
            "connection": await _attempt("connection", self._link()),
            "server": await _attempt("server", self._server()),
        }
        try:
            source = await self._look()
        except psycopg.Error as error:
            groups["role"] = [_unexamined("database", error)]
        else:
            groups["role"] = await _attempt("role", self._role(source))
            groups["tables"] = await _attempt("tables", self._tables(source))
            groups["publication"] = await _attempt("publication", self._publication(source))
            if ledger.ledgered(source.app):
                groups["ledger"] = await _attempt("ledger", self._ledger())
        place = reached(self._identity) if self._identity is not None else None
        at_slot = slot.examine(
            self._connection, self._settings, self._slot, place, is_reader=is_reader
        )
        groups["slot"] = await _attempt("slot", at_slot)
        return Examination(groups, self._identity, slot=self._slot)

    async def _link(self) -> list[Finding]:
        label = server_label(self._settings)
        found = await link.examine(self._connection, self._where, label)
        finding, self._identity = await link.replication(self._connection, self._where)
        return [*found, finding]

    async def _server(self) -> list[Finding]:
        self._slot = await catalog.slot(self._connection, self._settings.slot_name)
        return await server.examine(self._connection, self._slot)

    async def _look(self) -> _Source:
        connection, app = self._connection, self._app
        if app is None:
            every = (await Tables.of(connection)).every()
            app = _following(sorted(t.entity for t in (*every.tables, *every.left_out)))
        return _Source(
            role=await role.look_up(connection),
            app=app,
            tables=await look_up(connection, named(app)),
            publication=await publishing.look_up(connection, self._settings.publication),
        )

    async def _role(self, source: _Source) -> list[Finding]:
        checks = rights.examine(self._connection, source.app, source.tables, source.role.name)
        return [role.examine(source.role), *[finding async for finding in checks]]

    async def _tables(self, source: _Source) -> list[Finding]:
        settings = self._settings
        known = await catalog.tables(self._connection)
        version = self._connection.info.server_version
        planned = source.publication or Publication.to_be_made(settings.publication, version)
        identities = list(
            identity.examine(
                source.app, source.followed, planned, set_full=settings.replica_identity == "full"
            )
        )
        if self._app is None:  # nobody has asked to publish them
            if not source.app.entities:
                return [_none_owned(source.role.name, self._connection.info.dbname)]
            identities = [_supposed(finding) for finding in identities]
        return [*tables.examine(source.app, source.tables, known), *identities]

    async def _publication(self, source: _Source) -> list[Finding]:
        found, app, connection = source.publication, source.app, self._connection
        if found is not None:
            if self._app is None:
                app = _following([t for t, table in source.tables.items() if found.has(table)])
            return list(publication.examine(app, source.tables, found, source.role.name))
        name = self._settings.publication
        if self._app is None:
            text = f"publication {name} does not exist"
            return [Finding("publication", "note", text, mend="eventscope setup APP makes it")]
        return [
            publication.to_be_made(
                name,
                source.followed,
                connection.info.server_version,
                source.role.name,
                connection.info.dbname,
                may=source.role.may_create,
            )
        ]

    async def _ledger(self) -> list[Finding]:
        if not self._settings.exactly_once:
            return [ledger.switched_off()]
        return list(ledger.examine(await ledger.look_up(self._connection)))


async def _attempt(part: str, findings: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await findings
    except psycopg.Error as error:
        return [_unexamined(part, error)]


def _unexamined(part: str, error: psycopg.Error) -> Finding:
    return Finding(part, "warning", f"the {part} cannot be examined: {one_line(error)}")


def _none_owned(role: str, database: str) -> Finding:
    return Finding(
        "table",
        "note",
        f"role {role} owns no table of database {database}",
        mend="connect as their owner, or name an application whose tables are to be looked at",
    )


def _supposed(finding: Finding) -> Finding:
    return replace(finding, severity="warning") if finding.severity == "blocking" else finding


def _following(entities: Iterable[str]) -> EventScope:
    app = EventScope("doctor")
    for entity in entities:
        app.entity(entity)
    return app
