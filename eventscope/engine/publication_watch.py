"""Watching the publication: PostgreSQL does not say when it stops to tell of a table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import psycopg
import structlog

from eventscope.app import EventScope
from eventscope.replication.connection import SourceError, Unreachable, one_line
from eventscope.replication.doctor import publication as doctor
from eventscope.replication.finding import Finding
from eventscope.replication.publishing import Publication
from eventscope.replication.tables import Table
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.publication")

LOOK_INTERVAL: Final = 10.0
"""Seconds between two looks at the publication."""

Look = tuple[Publication | None, dict[str, Table]]
"""The publication, and the followed tables that exist, by name."""


class PublicationWatch:
    """Looks at the publication again and again, and remembers how it was.

    Args:
        look: takes a look.
        app: whose tables are followed.
        settings: naming it.
    """

    def __init__(
        self, look: Callable[[], Awaitable[Look]], app: EventScope, settings: Settings
    ) -> None:
        self._look = look
        self._app = app
        self._name = settings.publication
        self._slot = settings.slot_name
        self._before: Publication | None = None
        self._is_blind = False

    async def run(self) -> None:
        """Watch until cancelled.

        Raises:
            SourceError: rows of a followed table do not come any more.
        """
        while True:
            try:
                now, tables = await self._look()
            except (Unreachable, psycopg.Error) as error:
                self._say_blind(one_line(error))
            else:
                self._is_blind = False
                self._compare(now, tables)
            await asyncio.sleep(LOOK_INTERVAL)

    def _compare(self, now: Publication | None, tables: dict[str, Table]) -> None:
        if now is None:
            raise SourceError(doctor.gone(self._name, self._slot).line)
        before, self._before = self._before, now
        lost = next(self._lost(before, now, tables), None)
        if lost is not None:
            raise SourceError(lost.line)
        if before is None:
            for finding in self._missed(now):
                _log.warning(finding.line)
        else:
            self._name_what_was_away(before, now)

    def _lost(
        self, before: Publication | None, now: Publication, tables: dict[str, Table]
    ) -> Iterator[Finding]:
        """Whose rows, or which of them, do not come any more."""
        for entity in self._app.entities:
            table = tables.get(entity)
            if table is None:
                yield Finding("table", "blocking", f"table {entity} does not exist any more")
            elif not now.has(table):
                yield doctor.left(now.name, entity)
            else:
                yield from (f for f in doctor.renamed(now, table) if f.severity == "blocking")
        if before is not None and not before.actions <= now.actions:
            yield from self._missed(now)

    def _missed(self, now: Publication) -> Iterator[Finding]:
        """Kinds of change that it leaves out, though an operator follows them."""
        found = doctor.actions(self._app.operators, now)
        return (finding for finding in found if finding.severity in ("warning", "blocking"))

    def _name_what_was_away(self, before: Publication, now: Publication) -> None:
        name = self._name
        if before.oid != now.oid:
            _log.warning(f"publication {name} was dropped and made again")
            return
        for member in now.members:
            earlier = before.member(member.name)
            if earlier is not None and earlier.oid != member.oid:
                _log.warning(
                    f"table {member.name} was taken out of publication {name} and put in again,"
                    f" or its columns or rows chosen anew: what was written to it meanwhile is"
                    f" not seen"
                )

    def _say_blind(self, reason: str) -> None:
        if not self._is_blind:
            _log.warning("the publication cannot be watched", error=reason)
        self._is_blind = True
