"""The slot: whether it can be trusted to go on where we stopped, and what it costs."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import sql

from eventscope.event import Lsn
from eventscope.inspection.values import bytes_text
from eventscope.replication.catalog import Slot, Writer, open_writers, slot_holder, slots
from eventscope.replication.connection import Connection
from eventscope.replication.finding import ANEW, Finding, statement
from eventscope.settings import Settings

RETAINED: Final = 1 << 30
"""Bytes of WAL kept for a slot beyond which it is worth a warning."""

LASTING: Final = 1.0
"""Seconds after which an open transaction is no longer a matter of course."""

_PEEK: Final = 64 << 20
"""Bytes of WAL to look through for something that the slot cannot tell."""

_NEWER: Final = """
SELECT age(p.xmin) <= age(s.catalog_xmin) FROM pg_publication p, pg_replication_slots s
WHERE pubname = %s AND slot_name = %s
"""


async def examine(
    connection: Connection,
    settings: Settings,
    slot: Slot | None,
    reached: Lsn | None,
    *,
    is_reader: bool = False,
) -> list[Finding]:
    """The settings' slot and what goes on around it.

    Args:
        connection: to the database to be read.
        settings: naming slot and publication.
        slot: the settings' slot, as the server shows it.
        reached: where our queue goes on from; None if it holds nothing yet.
        is_reader: whether it is this process that reads from the slot.
    """
    if slot is not None and slot.active_pid is not None and is_reader:
        found = _in_use(slot)
    elif slot is None:
        found = [missing(settings, reached), *await _obstacles(connection)]
    else:
        found = [
            *await _state(connection, settings, slot, reached),
            *await _older_than_publication(connection, settings, slot),
        ]
    return [*found, *await _others(connection, settings.slot_name)]


def missing(settings: Settings, reached: Lsn | None) -> Finding:
    """The finding for a slot that is not there: never made, or dropped."""
    name = settings.slot_name
    if reached is not None and settings.durable_slot:
        return Finding(
            "slot",
            "blocking",
            f"slot {name} does not exist any more",
            f"this queue has come to {reached}, and what was committed since is lost",
            mend=ANEW,
        )
    if not settings.durable_slot:
        return Finding(
            "slot",
            "note",
            f"slot {name} is temporary (setting durable_slot)",
            "what is committed while nothing reads is not seen",
        )
    return Finding("slot", "ok", f"slot {name} does not exist yet and will be made")


def distrust(slot: Slot, settings: Settings, database: str, reached: Lsn | None) -> Finding | None:
    """What keeps a slot from going on where our queue has stopped; None if nothing does.

    Args:
        slot: as the server shows it.
        settings: naming the slot.
        database: the database we are connected to.
        reached: the most that we ever told the server it may forget; None if nothing yet.
    """
    name, confirmed = slot.name, slot.confirmed_flush or Lsn(0)
    other = "name another with slot_name"
    if slot.plugin != "pgoutput":
        plugin = slot.plugin or "physical replication"
        found = f"slot {name} belongs to {plugin}, not to pgoutput"
        return Finding("slot", "blocking", found, mend=other)
    if slot.database != database:
        found = f"slot {name} belongs to database {slot.database}, not to {database}"
        return Finding("slot", "blocking", found, mend=other)
    if slot.wal_status == "lost":
        return Finding(
            "slot",
            "blocking",
            f"slot {name} is lost",
            _loss(slot.invalidation),
            dropping(name),
            "then move the queue file away, to start anew from now",
        )
    if reached is not None and confirmed > reached:
        return Finding(
            "slot",
            "blocking",
            f"slot {name} was advanced to {confirmed} by somebody else",
            f"this queue has come to {reached}, and what lies between is lost",
            dropping(name),
            "then move the queue file away, to start anew from now",
        )
    return None


def _loss(invalidation: str | None) -> str:
    """Why the server has given a slot up, and what keeps it from doing so again."""
    match invalidation:
        case None | "wal_removed":
            return (
                "the server has removed WAL that it needed"
                " (raise max_slot_wal_keep_size if that was too soon)"
            )
        case "idle_timeout":
            return "nobody has read it for longer than idle_replication_slot_timeout"
        case "wal_level_insufficient":
            return "wal_level was not logical for a while"
        case _:
            return f"the server has given it up ({invalidation})"


def dropping(name: str) -> str:
    """The statement that drops a slot."""
    return statement("SELECT pg_drop_replication_slot({})", sql.Literal(name))


def _in_use(slot: Slot) -> list[Finding]:
    """The slot while we read from it, and move it all the time."""
    place = f"slot {slot.name} is at {slot.confirmed_flush or 'its beginning'}"
    mend = "it is read here: see what the reader or its operators wait for"
    return [Finding("slot", "ok", f"{place}, read by this process"), _retained(slot, mend)]


async def _state(
    connection: Connection, settings: Settings, slot: Slot, reached: Lsn | None
) -> list[Finding]:
    if settings.holds_back and slot.active_pid is not None:
        reached = None  # who has it now has applied what we have not heard of
    wrong = (
        distrust(slot, settings, connection.info.dbname, reached)
        if settings.durable_slot
        else _in_the_way(slot)
    )
    if wrong is not None:
        return [wrong]
    place = f"slot {slot.name} is at {slot.confirmed_flush or 'its beginning'}"
    if slot.active_pid is None:
        return [Finding("slot", "ok", f"{place}, read by nobody"), _retained(slot)]
    holder = await slot_holder(connection, slot.name)
    return [
        Finding(
            "slot",
            "note",
            f"{place}, read by {holder}",
            "another process stands by until that one ends",
        ),
        _retained(slot),
    ]


def _in_the_way(slot: Slot) -> Finding:
    return Finding(
        "slot",
        "blocking",
        f"slot {slot.name} exists already",
        "a temporary one (setting durable_slot) cannot be made beside it",
        mend="name another with slot_name, or set durable_slot to read this one",
    )


_READ_IT: Final = "read it: eventscope run; or drop the slot if nobody is to read it any more"


def _retained(slot: Slot, mend: str = _READ_IT) -> Finding:
    found = f"the server keeps {bytes_text(slot.retained)} of WAL for slot {slot.name}"
    near = slot.safe is not None and slot.safe < slot.retained
    if near or slot.wal_status == "unreserved":
        left = f"after {bytes_text(max(slot.safe or 0, 0))} more the slot is lost"
        why = f"{left} (max_slot_wal_keep_size)"
        return Finding("retained_wal", "warning", found, why, mend=mend)
    if slot.retained > RETAINED:
        why = "its disk fills up"
        return Finding("retained_wal", "warning", found, why, mend=mend)
    return Finding("retained_wal", "ok", found)


async def _older_than_publication(
    connection: Connection, settings: Settings, slot: Slot
) -> list[Finding]:
    """Find out whether the slot would tell of a time when there was no publication.

    PostgreSQL 15 to 17 end the stream then, and each one after it; later ones say that they
    leave something out, with which we end it.
    """
    names = (settings.publication, slot.name)
    row = await (await connection.execute(_NEWER, names)).fetchone()
    if row is None or not row[0] or slot.active_pid is not None or slot.confirmed_flush is None:
        return []
    said = await _peek(connection, settings.publication, slot.name, slot.confirmed_flush)
    if not said:
        return []
    return [older(slot.name, settings.publication, said)]


def older(slot: str, publication: str, said: str) -> Finding:
    """The finding for a slot that has to tell of a time when there was no publication.

    Args:
        slot: its name.
        publication: its name.
        said: by the server, when it came to that time.
    """
    return Finding(
        "slot_age",
        "blocking",
        f"slot {slot} is older than publication {publication}",
        f"the stream ends where it comes to that time ({said})",
        dropping(slot),
        "then move the queue file away, to start anew from now",
    )


async def _peek(connection: Connection, publication: str, slot: str, start: Lsn) -> str:
    """What the server says if the slot's stream comes to a publication that is not there."""
    said: list[str] = []

    def hear(notice: psycopg.errors.Diagnostic) -> None:
        if notice.sqlstate == "55000" and notice.severity_nonlocalized == "WARNING":
            said.append(notice.message_primary or "")

    connection.add_notice_handler(hear)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = '5s'")
            await connection.execute(
                "SELECT FROM pg_logical_slot_peek_binary_changes(%s, %s::pg_lsn, 1,"
                " 'proto_version', '1', 'publication_names', quote_ident(%s))",
                (slot, str(Lsn(start + _PEEK)), publication),
            )
    except psycopg.errors.UndefinedObject as error:
        return error.diag.message_primary or ""
    except psycopg.Error:  # taken, foreign or slow: nothing that can be told
        return ""
    finally:
        connection.remove_notice_handler(hear)
    return said[0] if said else ""


async def _obstacles(connection: Connection) -> list[Finding]:
    return [
        Finding(
            "open_transaction",
            "warning" if writer.seconds is not None else "note",
            f"{writer.name} has written and has not ended",
            "a slot can be made only when every transaction that has begun before has ended",
            _ending(writer),
            "in its database; or commit it" if writer.gid is not None else "or wait for its end",
        )
        for writer in await open_writers(connection)
        if writer.seconds is None or writer.seconds >= LASTING
    ]


def _ending(writer: Writer) -> str:
    if writer.gid is not None:
        return statement("ROLLBACK PREPARED {}", sql.Literal(writer.gid))
    return statement("SELECT pg_terminate_backend({})", sql.Literal(writer.pid))


async def _others(connection: Connection, ours: str) -> list[Finding]:
    return [
        Finding(
            "other_slot",
            "note",
            f"slot {slot.name} keeps {bytes_text(slot.retained)} of WAL, and nobody reads it",
            "its disk fills up while nobody reads",
            dropping(slot.name),
            "if nobody is to read it any more",
        )
        for slot in await slots(connection)
        if slot.name != ours and slot.active_pid is None and slot.retained
    ]
