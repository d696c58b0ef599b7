"""What an examination finds, and whether its own statements mend it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from eventscope import EventScope
from eventscope.event import Lsn
from eventscope.replication.catalog import open_writers
from eventscope.replication.connection import Connection
from eventscope.replication.doctor.examination import Examination, examine
from eventscope.replication.doctor.slot import LASTING
from eventscope.replication.finding import Finding
from eventscope.settings import Settings


@dataclass(frozen=True)
class Examined:
    """An examination, to be asked for one check after another."""

    examination: Examination

    def all(self, check: str) -> list[Finding]:
        """Every finding of a check."""
        return [f for group in self.examination.groups.values() for f in group if f.check == check]

    def one(self, check: str) -> Finding:
        """The one finding of a check."""
        [found] = self.all(check)
        return found

    def troubles(self) -> list[str]:
        """The checks with a finding that is a warning or blocks."""
        return [
            finding.check
            for group in self.examination.groups.values()
            for finding in group
            if finding.severity in ("warning", "blocking")
        ]


async def examined(
    app: EventScope | None, settings: Settings, *, reached: Lsn | None = None
) -> Examined:
    """Examine the source, for a queue that has come to ``reached``; nothing is left unmended."""
    found = await examine(app, settings, lambda _: reached)
    for finding in (finding for group in found.groups.values() for finding in group):
        assert finding.severity in ("ok", "note") or finding.sql or finding.mend, finding
    return Examined(found)


async def mend(finding: Finding, url: str) -> None:
    """Run a finding's statements, one by one as they stand, as the superuser of the url."""
    assert finding.sql
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for line in finding.sql.split("\n"):
            await connection.execute(line.encode())


async def mended(app: EventScope | None, settings: Settings, check: str, url: str) -> Examined:
    """Mend every trouble of a check; returns what is found then."""
    before = await examined(app, settings)
    for finding in before.all(check):
        if finding.severity != "ok":
            await mend(finding, url)
    return await examined(app, settings)


def an_app(*entities: str, sql: str = "SELECT $1", **ids: str) -> EventScope:
    """An application that follows tables, and has an operator ``counts`` if there are ids."""
    app = EventScope("blog")
    for entity in entities:
        app.entity(entity)
    if ids:
        app.query("counts", sql=sql, ids=ids)
    return app


async def a_writer_lasts(connection: Connection) -> bool:
    """Whether a transaction that has written is old enough to be named."""
    return any(writer.seconds > LASTING for writer in await open_writers(connection))
