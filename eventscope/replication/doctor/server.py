"""The server: whether it writes what logical replication needs, and has room for us."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from eventscope.replication.catalog import Slot, slots
from eventscope.replication.connection import Connection
from eventscope.replication.finding import Finding, statement

OLDEST: Final = 150000
"""The oldest server version that is supported, as ``server_version_num``."""

_SHORT_TIMEOUT: Final = 10_000
"""Milliseconds of ``wal_sender_timeout`` that a pause of a busy machine can reach."""

_SETTINGS: Final = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('wal_level'), pg_is_in_recovery(),
       current_setting('max_replication_slots')::int, current_setting('max_wal_senders')::int,
       (SELECT count(*) FROM pg_stat_replication)::int,
       current_setting('max_slot_wal_keep_size'),
       current_setting('wal_sender_timeout'),
       (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout'), current_user
"""


async def examine(connection: Connection, slot: Slot | None) -> list[Finding]:
    """Everything about the server that a reader of the slot depends on."""
    [row] = await (await connection.execute(_SETTINGS)).fetchall()
    number, version, wal_level, standby, most_slots, most_senders, senders, keep, *timeout = row
    return [
        server_version(number, version),
        _wal_level(wal_level),
        recovery(standby),
        _replication_slots(most_slots, await slots(connection), slot),
        _wal_senders(most_senders, senders, slot),
        _max_slot_wal_keep_size(keep),
        _wal_sender_timeout(*timeout),
    ]


async def essentials(connection: Connection) -> list[Finding]:
    """What no start may overlook."""
    [row] = await (await connection.execute(_SETTINGS)).fetchall()
    return [server_version(*row[:2]), _wal_level(row[2]), recovery(row[3])]


def server_version(number: int, version: str) -> Finding:
    """Judge a version, given as ``server_version_num`` and ``server_version`` tell it."""
    if number >= OLDEST:
        return Finding("server_version", "ok", f"PostgreSQL {version}")
    return Finding(
        "server_version",
        "blocking",
        f"the server is PostgreSQL {version}",
        "MERGE and publications of single columns and rows came with PostgreSQL 15",
        mend="upgrade to PostgreSQL 15 or later",
    )


def _wal_level(wal_level: str) -> Finding:
    if wal_level == "logical":
        return Finding("wal_level", "ok", "wal_level is logical")
    return Finding(
        "wal_level",
        "blocking",
        f"wal_level is {wal_level}, but must be logical",
        "at any other level the WAL does not tell which rows change",
        "ALTER SYSTEM SET wal_level = 'logical';",
        "then restart the server",
    )


def recovery(in_recovery: bool) -> Finding:
    """Judge whether the server takes changes."""
    if not in_recovery:
        return Finding("recovery", "ok", "the server is a primary")
    return Finding(
        "recovery",
        "blocking",
        "the server is a standby",
        "nothing can be written there: no publication, no derived table",
        mend="connect to the primary (setting url or hostname; among several hosts"
        " target_session_attrs=read-write chooses it)",
    )


def _replication_slots(most: int, taken: list[Slot], slot: Slot | None) -> Finding:
    found = f"{len(taken)} of {most} replication slots are taken"
    if slot is not None or len(taken) < most:
        return Finding("max_replication_slots", "ok", found)
    return Finding(
        "max_replication_slots",
        "blocking",
        found,
        "there is none left for ours",
        f"ALTER SYSTEM SET max_replication_slots = {most + 5};",
        "then restart the server; or drop a slot that nobody uses any more",
    )


def _wal_senders(most: int, active: int, slot: Slot | None) -> Finding:
    found = f"{active} of {most} WAL senders are at work"
    if active < most or (slot is not None and slot.active_pid is not None):
        return Finding("max_wal_senders", "ok", found)
    return Finding(
        "max_wal_senders",
        "blocking",
        found,
        "there is none left for our stream",
        f"ALTER SYSTEM SET max_wal_senders = {most + 5};",
        "then restart the server; or end a replication connection that nobody needs",
    )


def _max_slot_wal_keep_size(keep: str) -> Finding:
    if keep != "-1":
        return Finding(
            "max_slot_wal_keep_size",
            "ok",
            f"max_slot_wal_keep_size is {keep}",
            "a slot that falls further behind is lost",
        )
    return Finding(
        "max_slot_wal_keep_size",
        "note",
        "max_slot_wal_keep_size is not set",
        "while nobody reads a slot the server keeps all WAL for it, until its disk is full",
        "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\nSELECT pg_reload_conf();",
        "with a size that leaves time for an outage",
    )


def _wal_sender_timeout(timeout: str, milliseconds: int, role: str) -> Finding:
    if milliseconds >= _SHORT_TIMEOUT:
        return Finding("wal_sender_timeout", "ok", f"wal_sender_timeout is {timeout}")
    if milliseconds == 0:
        found, why = (
            "wal_sender_timeout is off",
            "a reader that vanishes without a word keeps the slot, and nobody can take over",
        )
    else:
        found, why = (
            f"wal_sender_timeout is {timeout}",
            "the server cuts the stream when the network or this machine pauses for so long",
        )
    return Finding(
        "wal_sender_timeout",
        "warning",
        found,
        why,
        statement("ALTER ROLE {} SET wal_sender_timeout = '60s'", sql.Identifier(role)),
    )
