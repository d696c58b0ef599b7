"""Instances that take a slot over from each other, each with a queue of its own."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from eventscope.event import Lsn
from eventscope.replication.catalog import Slot
from eventscope.replication.connection import Connection, conninfo
from eventscope.replication.ledger import NAME, TABLE
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.source")

_IS_READ_BY: Final = "SELECT FROM pg_stat_activity WHERE pid = %s AND application_name = %s"
_IS_THERE: Final = "SELECT to_regclass(%s) IS NOT NULL"
_IS_BEYOND: Final = sql.SQL("SELECT FROM {} WHERE slot = %s AND end_lsn > %s::pg_lsn").format(TABLE)


class Succession:
    """Knows whether it was another instance that has moved the slot beyond our queue.

    What lies between is lost to us, and harmless if that one has applied it. Without
    ``acknowledge = "applied"`` nobody can tell.

    Args:
        settings: naming the slot.
        app_name: of the application whose instances are meant.
    """

    def __init__(self, settings: Settings, app_name: str) -> None:
        self._settings = settings
        own = conninfo_to_dict(conninfo(settings, "replication", app_name))
        self._application = own["application_name"]
        self._was_seen = False

    async def look(self, connection: Connection, slot: Slot, own_pid: int | None) -> None:
        """Notice another instance that has the slot now."""
        if slot.active_pid not in (None, own_pid):
            cursor = await connection.execute(_IS_READ_BY, (slot.active_pid, self._application))
            self._was_seen |= await cursor.fetchone() is not None

    async def has_passed(self, connection: Connection, slot: Slot, reached: Lsn | None) -> bool:
        """Whether another instance has gone on beyond where our queue has come to."""
        confirmed = slot.confirmed_flush or Lsn(0)
        if not self._settings.holds_back or reached is None or confirmed <= reached:
            return False
        passed = self._was_seen or await self._is_in_ledger(connection, reached)
        if passed:
            _log.info(
                f"another instance has applied what was committed from {reached} to {confirmed}"
            )
        return passed

    async def _is_in_ledger(self, connection: Connection, reached: Lsn) -> bool:
        """Whether an operator of another instance has noted an event that our queue never had."""
        with suppress(psycopg.ProgrammingError):  # without a right to it nobody can tell
            [(is_there,)] = await (await connection.execute(_IS_THERE, (NAME,))).fetchall()
            if is_there:
                values = (self._settings.slot_name, str(reached))
                cursor = await connection.execute(_IS_BEYOND, values)
                return await cursor.fetchone() is not None
        return False
