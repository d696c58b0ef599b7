"""Prepare the source: check it, make the publication, find or make the slot.

The order matters: a publication made after the slot is invisible to what the slot decodes first.
Nothing that exists is dropped or made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog
from psycopg import sql

from eventscope.app import EventScope
from eventscope.event import Lsn
from eventscope.replication import catalog, ledger, publishing
from eventscope.replication.catalog import Slot
from eventscope.replication.connection import Connection, SourceError, one_line
from eventscope.replication.doctor import identity, publication, server, tables
from eventscope.replication.doctor import slot as slot_checks
from eventscope.replication.finding import Finding, refuse
from eventscope.replication.publishing import Publication
from eventscope.replication.tables import Table, look_up, named
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.provision")

_MADE_BY_ANOTHER: Final = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.DuplicateTable,
    psycopg.errors.UniqueViolation,
)
"""What a server says when another instance was making the same thing, and was faster."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that must be there: how to make it, if it is not."""

    told: str
    """What was done, or found there, as people are told it."""
    sql: str = ""
    """The statement that does it; empty if nothing is to be done."""
    replicates: bool = False
    """Whether the role must be one that may replicate."""
    denied: str = ""
    """Why this role cannot do it, and what then; empty if it can."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes to publish what an application follows."""

    steps: tuple[Step, ...]
    drawbacks: tuple[Finding, ...]
    """What will work at a price."""


async def check_server(connection: Connection) -> None:
    """Check that the server writes what logical replication needs."""
    refuse(await server.essentials(connection))


async def check_tables(connection: Connection, app: EventScope) -> None:
    """Check that every table and column the application names is there."""
    found = await look_up(connection, named(app))
    refuse(tables.examine(app, found, await catalog.tables(connection)))


async def plan(connection: Connection, app: EventScope, settings: Settings) -> Plan:
    """Find out what is to be done before the application's tables can be read.

    Raises:
        SourceError: it cannot be done; naming the cause and the cure.
    """
    await check_server(connection)
    await check_tables(connection, app)
    found = await look_up(connection, app.entities)
    followed = list(found.values())
    name, version = settings.publication, connection.info.server_version
    there = await publishing.look_up(connection, name)
    planned = there or Publication.to_be_made(name, version)
    full = settings.replica_identity == "full"

    def identified(tables: Iterable[Table]) -> Iterator[Finding]:
        return identity.examine(app, tables, planned, set_full=full)

    refuse(identified(table for table in followed if there is None or not there.has(table)))
    refuse(publication.needed(app, followed, planned))
    return Plan(
        steps=(
            *(await _ledger_steps(connection, app, settings)),
            *(_identity_steps(app, followed, planned) if full else ()),
            *_publication_steps(name, app.entities, found, there, version),
        ),
        drawbacks=tuple(f for f in identified(followed) if f.severity in ("warning", "blocking")),
    )


async def prepare(
    connection: Connection, app: EventScope, settings: Settings
) -> tuple[Finding, ...]:
    """Check everything and make what is missing, but for the slot; returns what has a price.

    Raises:
        SourceError: it cannot be done; naming the cause and the cure.
    """
    try:
        return await _prepare(connection, app, settings)
    except SourceError as error:
        if not isinstance(error.__cause__, _MADE_BY_ANOTHER):
            raise
        return await _prepare(connection, app, settings)


async def _prepare(
    connection: Connection, app: EventScope, settings: Settings
) -> tuple[Finding, ...]:
    found = await plan(connection, app, settings)
    for step in found.steps:
        await run(connection, step)
        if step.sql:
            _log.info(step.told)
    return found.drawbacks


async def run(connection: Connection, step: Step) -> None:
    """Do a step; raises SourceError naming who can."""
    if not step.sql:
        return
    if step.denied:
        raise SourceError(step.denied)
    try:
        await connection.execute(step.sql.encode())
    except psycopg.Error as error:
        raise SourceError(
            f"cannot prepare the database: {one_line(error)}; have its owner run: {step.sql}"
        ) from error


async def ensure_publication(connection: Connection, name: str, entities: Sequence[str]) -> None:
    """Make the publication with exactly these tables, or add those that it lacks."""
    found = await look_up(connection, entities)
    there = await publishing.look_up(connection, name)
    version = connection.info.server_version
    for step in _publication_steps(name, entities, found, there, version):
        await run(connection, step)


async def _ledger_steps(connection: Connection, app: EventScope, settings: Settings) -> list[Step]:
    if not (settings.exactly_once and ledger.ledgered(app)):
        return []
    table = await ledger.look_up(connection)
    blocking = [f for f in ledger.examine(table) if f.severity == "blocking"]
    refuse(finding for finding in blocking if not ledger.is_grantable(finding))
    if blocking:
        return [Step(finding.found, finding.sql, denied=finding.line) for finding in blocking]
    missing = ledger.creation(table)
    if not missing:
        return [Step(f"table {ledger.NAME} is there")]
    if table.later:
        return [Step(f"added {', '.join(table.later)} to table {ledger.NAME}", missing)]
    return [Step(f"made table {ledger.NAME}", missing)]


def _identity_steps(
    app: EventScope, followed: Iterable[Table], planned: Publication
) -> Iterator[Step]:
    for table in followed:
        for part in identity.to_identify(app, table, planned):
            yield Step(f"set REPLICA IDENTITY FULL on {part.name}", identity.full([part]))


def _publication_steps(
    name: str,
    entities: Sequence[str],
    found: Mapping[str, Table],
    there: Publication | None,
    version: int,
) -> Iterator[Step]:
    if there is None:
        made = f"made publication {name} of {', '.join(entities)}"
        yield Step(made, publishing.creation(name, entities, version))
        return
    yield Step(f"publication {name} is there")
    missing = [e for e in entities if e not in found or not there.has(found[e])]
    if missing:
        added = f"added {', '.join(missing)} to publication {name}"
        yield Step(added, publishing.addition(name, missing))


async def create_slot(replication: Connection, settings: Settings) -> Lsn:
    """Make the slot; returns the position from which it tells everything.

    Raises:
        SourceError: the server has no slot to give, or refuses.
        psycopg.errors.DuplicateObject: there is one of that name.
        psycopg.OperationalError: the connection is lost.
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
    except (psycopg.errors.DuplicateObject, psycopg.OperationalError):
        raise
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
    found = slot_checks.distrust(slot, settings, database, acknowledged)
    refuse([found] if found is not None else [])


def slot_gone(settings: Settings, reached: Lsn) -> SourceError:
    """The error for a queue whose slot has been dropped."""
    return SourceError(slot_checks.missing(settings, reached).line)
