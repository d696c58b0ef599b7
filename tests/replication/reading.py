"""A stream of the test's database, read without an engine."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from psycopg.conninfo import conninfo_to_dict

from eventscope.event import Event, Lsn
from eventscope.replication import catalog, provision
from eventscope.replication.assembly import Assembler, Batch
from eventscope.replication.connection import (
    Connection,
    connect,
    connect_for_replication,
    conninfo,
)
from eventscope.replication.relations import Relation, event_of
from eventscope.replication.stream import Stream
from eventscope.settings import Settings


class Reading:
    """What a stream has told so far."""

    def __init__(self, stream: Stream, assembler: Assembler, source: Connection) -> None:
        self.stream = stream
        self.assembler = assembler
        self.batches: list[Batch] = []
        self.relations: dict[int, Relation] = {}
        self.events: list[Event] = []
        self._source = source
        self._rows: dict[int, tuple[int, bytes]] = {}

    async def position(self) -> Lsn:
        """Where the server's WAL ends now."""
        cursor = await self._source.execute("SELECT pg_current_wal_flush_lsn()::text")
        row = await cursor.fetchone()
        assert row is not None
        return Lsn.parse(row[0])

    async def catch_up(self) -> list[Event]:
        """The events that were committed since the last call."""
        known = len(self.events)
        target = await self.position()
        deadline = time.monotonic() + 30
        while not (self.assembler.idle and self.stream.server_lsn >= target):
            assert time.monotonic() < deadline
            self.stream.acknowledge(Lsn(0), ask=True)
            await self.stream.arrived(0.05)
            await self.take()
        return self.events[known:]

    async def until_its_end(self) -> None:
        """Listen, without a word, until the stream raises what ended it."""
        while True:
            await self.stream.arrived(10)

    async def take(self) -> Batch:
        """Take one batch from the assembler."""
        batch = self.assembler.take()
        self.stream.resume()
        self.batches.append(batch)
        for version, raw in batch.relations.items():
            database = self._source.info.dbname
            self.relations[version] = await catalog.describe(self._source, database, raw)
        self._rows |= {seq: (version, message) for seq, version, message in batch.rows}
        for transaction in batch.transactions:
            for seq in range(transaction.first_seq, transaction.last_seq + 1):
                version, message = self._rows.pop(seq)
                index = seq - transaction.first_seq
                event = event_of(self.relations[version], message, transaction, index)
                self.events.append(event)
        return batch


async def make_slot(settings: Settings) -> Lsn:
    """Make the settings' slot; returns where it starts."""
    replication = await connect_for_replication(conninfo(settings, "test", "test"))
    try:
        return await provision.create_slot(replication, settings)
    finally:
        await replication.close()


@asynccontextmanager
async def reading(
    settings: Settings,
    entities: Sequence[str],
    *,
    start: Lsn | None = None,
    stored: Lsn | None = None,
) -> AsyncIterator[Reading]:
    """Read these tables: from now on through a new slot, or from ``start`` through an old one."""
    where = conninfo(settings, "test", "test")
    source = await connect(where)
    try:
        await provision.ensure_publication(source, settings.publication, entities)
        if start is None:
            start = await make_slot(settings)
        assembler = Assembler(next_seq=1, stored=stored or start, versions={}, next_version=1)
        replication = await connect_for_replication(where)
        try:
            stream = await Stream.start(
                replication,
                assembler,
                slot=settings.slot_name,
                publication=settings.publication,
                start=start,
            )
            try:
                yield Reading(stream, assembler, source)
            finally:
                await stream.close()
        finally:
            await replication.close()
    finally:
        await source.close()


def role_url(url: str, role: str) -> str:
    """The same database, as another role."""
    parts = conninfo_to_dict(url) | {"user": role}
    return " ".join(f"{key}='{value}'" for key, value in parts.items())
