"""One connection that listens: what it has heard, and what the server may forget."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import Final, Self

import psycopg

from eventscope.engine.spool import Spool
from eventscope.engine.tail_source import Opened, TailSource
from eventscope.event import Lsn
from eventscope.queue.event import QueuedEvent
from eventscope.replication.assembly import Assembler, Batch
from eventscope.replication.connection import SourceError, one_line
from eventscope.replication.masking import Masking
from eventscope.replication.relations import Relation
from eventscope.replication.stream import Stream

PULSE: Final = 1.0
"""Seconds between two words to the server, whatever else takes its time."""


class Listening:
    """A stream that has begun, and the rows whose transactions have not ended.

    It is acknowledged what has arrived: no other connection will ever ask for it again.
    """

    def __init__(self, source: TailSource, stream: Stream, assembler: Assembler) -> None:
        self.held_up = False
        """Whether nothing is read now, so that there is no use in asking for an answer."""
        self._source = source
        self._stream = stream
        self._assembler = assembler
        self._spool = Spool()
        self._relations: dict[int, Relation] = {}
        self._masking = Masking()
        self._arrived = Lsn(0)
        self._pulse = asyncio.create_task(self._beat(), name="pulse")

    @classmethod
    async def begin(cls, source: TailSource) -> Self:
        """Listen from now on.

        Raises:
            SourceError: the database cannot be reached, prepared or trusted.
        """
        opened = await source.open()
        assembler = Assembler(next_seq=1, stored=opened.start, versions={}, next_version=1)
        return cls(source, await _started(opened, assembler), assembler)

    async def wait(self, timeout: float) -> psycopg.Error | None:
        """Wait until something has come, at most ``timeout`` seconds.

        Returns what has ended the stream, if something has: what came before it did come.
        """
        try:
            await self._stream.arrived(timeout)
        except psycopg.Error as error:
            return error
        return None

    async def take(self) -> Iterator[QueuedEvent]:
        """The rows of all transactions that have ended, to be consumed before the next call.

        Raises:
            psycopg.OperationalError, Unreachable: the catalogs cannot be asked what they mean.
            SpoolError: the disk is too small for an open transaction; while they are consumed.
        """
        batch = self._assembler.take()
        self._stream.resume()
        self._relations |= await self._source.describe(batch.relations)
        for version, description in batch.relations.items():
            self._masking.learn(version, description, self._relations[version])
        batch.rows = self._masking.rows(batch.rows)
        for transaction in batch.transactions[-1:]:
            self._arrived = max(self._arrived, transaction.end_lsn)
        if self._stream.reply_requested:
            self.acknowledge()
        return self._ended(batch)

    def acknowledge(self, *, ask: bool = False) -> Lsn:
        """Tell the server to keep nothing, and ask how far it is.

        Returns the position before which every transaction has been taken.
        """
        if self._assembler.idle:
            heard = max(self._stream.server_lsn, self._assembler.passed)
            self._arrived = max(self._arrived, heard)
        self._stream.acknowledge(self._arrived, ask=ask)
        return self._arrived

    async def end(self) -> None:
        """Close the connection."""
        self._pulse.cancel()
        self._spool.clear()
        await self._stream.close()

    def _ended(self, batch: Batch) -> Iterator[QueuedEvent]:
        rows = iter(batch.rows)
        for transaction in batch.transactions:
            for seq, version, message in chain(self._spool.drain(), rows):
                yield QueuedEvent(seq, self._relations[version], message, transaction)
                if seq == transaction.last_seq:
                    break
        self._spool.keep(rows)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(PULSE)
            self.acknowledge(ask=not self.held_up)


async def _started(opened: Opened, assembler: Assembler) -> Stream:
    try:
        return await Stream.start(
            opened.connection,
            assembler,
            slot=opened.slot,
            publication=opened.publication,
            start=opened.start,
        )
    except psycopg.Error as error:
        await opened.connection.close()
        raise SourceError(f"cannot start streaming: {one_line(error)}") from error
    except BaseException:
        await opened.connection.close()
        raise
