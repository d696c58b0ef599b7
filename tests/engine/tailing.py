"""A tail that runs beside a test, and what it has shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from eventscope.engine.tail import Tail
from eventscope.engine.tail_source import Selection
from eventscope.event import Event
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.waiting import until


class Tailing:
    """A running tail."""

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.events: list[Event] = []
        self.may_show = asyncio.Event()
        self.may_show.set()
        self.task = asyncio.create_task(tail.run(self._show))

    async def shown(self, count: int) -> list[Event]:
        """Wait until that many events have been shown; fails with what has ended the tail."""
        await until(lambda: len(self.events) >= count or self.task.done())
        if self.task.done():
            self.task.result()
        assert len(self.events) == count, self.events
        return self.events

    @property
    def told(self) -> list[tuple[str, str, Any]]:
        """Type, table and id of each event."""
        return [
            (event.type, event.name, (event.new_record or event.old_record or {}).get("id"))
            for event in self.events
        ]

    async def _show(self, events: Sequence[Event]) -> None:
        await self.may_show.wait()
        self.events += events


@asynccontextmanager
async def tailing(
    settings: Settings,
    *tables: str,
    publication: str | None = None,
    messages: bool = True,
    **options: Any,
) -> AsyncIterator[Tailing]:
    """Listen while the block lasts."""
    selection = Selection(tables, publication, messages)
    async with Tail(settings, selection, **options) as tail:
        running = Tailing(tail)
        try:
            yield running
        finally:
            running.task.cancel()
            await asyncio.gather(running.task, return_exceptions=True)


async def publications(connection: Connection) -> list[str]:
    """The names of all publications."""
    cursor = await connection.execute("SELECT pubname FROM pg_publication ORDER BY 1")
    return [name for (name,) in await cursor.fetchall()]


async def slots(connection: Connection) -> list[str]:
    """The names of this database's slots."""
    cursor = await connection.execute(
        "SELECT slot_name FROM pg_replication_slots WHERE database = current_database() ORDER BY 1"
    )
    return [name for (name,) in await cursor.fetchall()]


async def heard_for(connection: Connection, seconds: float) -> bool:
    """Whether the server has been hearing from this database's reader for that long.

    Fails if it has given up on him.
    """
    cursor = await connection.execute(
        "SELECT coalesce(reply_time - backend_start > make_interval(secs => %s), false)"
        " FROM pg_stat_replication r JOIN pg_stat_activity a USING (pid, backend_start)"
        " WHERE datname = current_database()",
        (seconds,),
    )
    (heard,) = await cursor.fetchall()
    return bool(heard[0])


async def held_up(connection: Connection) -> bool:
    """Whether the server cannot send more to this database's reader, who does not read."""
    cursor = await connection.execute(
        "SELECT wait_event FROM pg_stat_replication JOIN pg_stat_activity USING (pid)"
        " WHERE datname = current_database()"
    )
    return await cursor.fetchall() == [("WalSenderWriteData",)]
