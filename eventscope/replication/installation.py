"""What an application leaves in its source database: made ahead of any run, and taken away.

Both are planned first, as statements that can be read and run by somebody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import psycopg
from psycopg import sql

from eventscope.app import EventScope
from eventscope.replication import catalog, ledger, provision, publishing
from eventscope.replication.connection import Connection, SourceError, connect, conninfo
from eventscope.replication.doctor.connection import may_not_replicate, replication
from eventscope.replication.doctor.identity import needs, scoped
from eventscope.replication.doctor.publication import unfollowed
from eventscope.replication.doctor.slot import distrust, dropping
from eventscope.replication.finding import refuse, statement
from eventscope.replication.provision import Plan, Step
from eventscope.replication.publishing import Publication
from eventscope.replication.tables import Table, look_up
from eventscope.settings import Settings

_PATIENCE: Final = 1.0
"""Seconds after which a statement is no longer a matter of course."""


async def plan_setup(app: EventScope, settings: Settings) -> Plan:
    """Find out what is missing: the right to replicate, ledger, identities, publication, slot.

    Raises:
        SourceError: the source cannot be reached, or cannot be set up; with the cure.
    """
    where = conninfo(settings, "setup", app.name)
    async with await connect(where) as connection:
        found = await provision.plan(connection, app, settings)
        slot = await _slot(connection, settings)
        return replace(
            found, steps=(*await _right_to_replicate(connection, where), *found.steps, slot)
        )


async def plan_teardown(app: EventScope, settings: Settings, *, force: bool) -> list[Step]:
    """Find out what is there to be dropped, the slot first.

    Args:
        app: whose tables may be in the publication.
        settings: naming slot and publication.
        force: drop a publication that has other tables, too.

    Raises:
        SourceError: the slot is in use, or something is not this application's alone.
    """
    async with await _connect(app, settings) as connection:
        followed = list((await look_up(connection, app.entities)).values())
        there = await publishing.look_up(connection, settings.publication)
        return [
            await _slot_to_drop(connection, settings),
            _publication_to_drop(settings.publication, there, followed, force=force),
            *await _ledger_to_drop(connection, settings.slot_name),
            *_identities_to_leave(app, followed),
        ]


async def carry_out(
    app: EventScope,
    settings: Settings,
    steps: Iterable[Step],
    *,
    on_done: Callable[[Step], None],
    on_wait: Callable[[str], None],
) -> None:
    """Do what was planned, step by step.

    Args:
        app: naming the session.
        settings: of the source.
        steps: what to do.
        on_done: called with each step that is done, or was before.
        on_wait: called with whom it waits for, when that takes long.

    Raises:
        SourceError: a step failed; those before it are done.
    """
    async with await _connect(app, settings) as connection:
        for step in steps:
            running = asyncio.create_task(provision.run(connection, step))
            waits_for = ""
            try:
                while not (await asyncio.wait([running], timeout=_PATIENCE))[0]:
                    found = await _obstacle(app, settings, connection)
                    if found != waits_for:
                        on_wait(found)
                    waits_for = found
                await running
            except SourceError as error:
                if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                    refuse([may_not_replicate(connection.info.user)] if step.replicates else [])
                raise
            finally:
                running.cancel()
            on_done(step)


async def _right_to_replicate(connection: Connection, conninfo: str) -> list[Step]:
    """What somebody else must do before this role can stream, whoever has made the slot."""
    finding, _ = await replication(connection, conninfo)
    if finding.severity != "blocking":
        return []
    if not finding.sql:
        refuse([finding])
    return [Step(finding.found, finding.sql, denied=finding.line)]


async def _slot(connection: Connection, settings: Settings) -> Step:
    name = settings.slot_name
    if not settings.durable_slot:
        return Step(f"slot {name} is temporary: each run makes its own")
    slot = await catalog.slot(connection, name)
    if slot is None:
        create = "SELECT pg_create_logical_replication_slot({}, 'pgoutput')"
        return Step(f"made slot {name}", statement(create, sql.Literal(name)), replicates=True)
    provision.check_slot(slot, settings, connection.info.dbname, None)
    return Step(f"slot {name} is there")


async def _slot_to_drop(connection: Connection, settings: Settings) -> Step:
    name = settings.slot_name
    slot = await catalog.slot(connection, name)
    if slot is None:
        return Step(f"there is no slot {name}")
    if slot.wal_status != "lost":
        foreign = distrust(slot, settings, connection.info.dbname, None)
        refuse([foreign] if foreign is not None else [])
    if slot.active_pid is not None:
        holder = await catalog.slot_holder(connection, name)
        raise SourceError(f"slot {name} is in use by {holder}: stop that first")
    return Step(f"dropped slot {name}", dropping(name), replicates=True)


def _publication_to_drop(
    name: str, there: Publication | None, followed: Sequence[Table], *, force: bool
) -> Step:
    if there is None:
        return Step(f"there is no publication {name}")
    if not there.owned:
        return Step(f"left publication {name}, which belongs to {there.owner}")
    others = unfollowed(there, followed)
    if others and not force:
        raise SourceError(
            f"publication {name} has {', '.join(others)}, which the application does not follow:"
            f" to drop it all the same, give --force"
        )
    return Step(
        f"dropped publication {name}", statement("DROP PUBLICATION {}", sql.Identifier(name))
    )


async def _ledger_to_drop(connection: Connection, slot: str) -> list[Step]:
    table = await ledger.look_up(connection)
    if table.owner is None:
        return []
    if not table.schema_usable or table.lacking:
        return [Step(f"left table {ledger.NAME}, which belongs to {table.owner}")]
    slots = await ledger.slots(connection)
    if table.owned and slots <= {slot}:
        return [Step(f"dropped table {ledger.NAME}", ledger.end(table))]
    whose = f"has rows of {', '.join(sorted(slots - {slot}))}" if table.owned else ""
    return [
        *(
            [Step(f"deleted the rows of {slot} from {ledger.NAME}", ledger.removal(slot))]
            if slot in slots
            else []
        ),
        Step(f"left table {ledger.NAME}, which {whose or f'belongs to {table.owner}'}"),
    ]


def _identities_to_leave(app: EventScope, followed: Iterable[Table]) -> Iterator[Step]:
    for table in followed:
        full = [part.name for part in table.parts if part.replica_identity == "f"]
        if full and (needs(app, table) or scoped(app, table.name)):
            yield Step(f"left REPLICA IDENTITY FULL on {', '.join(full)}: nobody knows who set it")


async def _obstacle(app: EventScope, settings: Settings, waiting: Connection) -> str:
    """Say who keeps a statement from its end."""
    async with await _connect(app, settings) as connection:
        return await catalog.blockers(connection, waiting.info.backend_pid)


async def _connect(app: EventScope, settings: Settings) -> Connection:
    return await connect(conninfo(settings, "setup", app.name))
