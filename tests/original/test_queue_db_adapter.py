"""What a queue has after a restart: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/queue_db_adapter_test.exs of EventStreamex 1.2.1, which has 6 tests,
against the queue in an SQLite file, opened again after each step. There a row keeps each value as
JSON and casts it on loading; here it is the row as the server sent it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from eventscope import Event
from eventscope.event import Lsn
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.assembly import Batch
from eventscope.replication.catalog import undescribed
from eventscope.replication.pgoutput import INSERT, ColumnMessage
from eventscope.replication.relations import Transaction
from tests.queue.batches import ORIGIN, START
from tests.queue.files import opened
from tests.replication import encoder

ALL = 10
ROW_ID = "a1b2c3d4-0000-4000-8000-000000000001"
COLUMNS = {"id": 23, "owner": 2950, "at": 1184, "title": 25, "tags": 3802}
COMMITTED_AT = 748_000_000_000_000
"""Microseconds since 2000-01-01: 2023-09-14 09:46:40 UTC."""


@dataclass
class Kept:
    """A queue that is closed and opened again between what is done and what is seen."""

    path: Path
    queue: SqliteQueue

    async def append(self, *names: str) -> None:
        relation = encoder.relation(
            5,
            "public",
            "posts",
            "f",
            [ColumnMessage(n, oid, -1, True) for n, oid in COLUMNS.items()],
        )
        first = self.queue.last_seq + 1
        texts = [[b"89", ROW_ID.encode(), b"2023-09-19 09:57:00+02", name.encode(), b'{"a": [1]}']
                 for name in names]  # fmt: skip
        await self.queue.append(
            Batch(
                rows=[(seq, 1, encoder.insert(5, row)) for seq, row in enumerate(texts, first)],
                transactions=[
                    Transaction(seq, seq, Lsn(100 * seq), Lsn(100 * seq - 16), 700, COMMITTED_AT)
                    for seq in range(first, first + len(names))
                ],
                relations={} if self.queue.relations else {1: relation},
                counts={(1, INSERT): len(names)},
            ),
            {1: undescribed("blog", relation)},
        )

    async def left(self) -> list[Event]:
        """What is in the queue after a restart."""
        await self.queue.prune()
        await self.queue.close()
        self.queue = await opened(self.path)
        events = await self.queue.read(0, list(self.queue.relations), ALL)
        return [queued.event() for queued in events]

    async def titles(self) -> list[str]:
        return [(event.new_record or {})["title"] for event in await self.left()]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    path = tmp_path / "queue.db"
    kept = Kept(path, await opened(path))
    await kept.queue.begin(ORIGIN, START)
    await kept.queue.advance("one", 0)
    yield kept
    await kept.queue.close()


async def test_an_empty_queue_stays_empty(kept: Kept) -> None:
    assert await kept.left() == []


async def test_an_event_comes_back_as_it_was(kept: Kept) -> None:
    await kept.append("a")
    [event] = await kept.left()
    assert (event.name, event.type, event.id) == ("posts", "insert", "0/64/0")
    assert (event.source.name, event.source.db) == ("eventscope", "blog")
    assert (event.source.schema, event.source.table) == ("public", "posts")
    assert event.source.columns == {
        "id": "int4", "owner": "uuid", "at": "timestamptz", "title": "text", "tags": "jsonb",
    }  # fmt: skip
    assert event.new_record == {
        "id": 89,
        "owner": UUID(ROW_ID),
        "at": datetime(2023, 9, 19, 7, 57, tzinfo=UTC),
        "title": "a",
        "tags": {"a": [1]},
    }
    assert (event.old_record, event.changes) == (None, None)
    assert event.timestamp == datetime(2023, 9, 14, 9, 46, 40, tzinfo=UTC)
    assert event.lsn == Lsn.parse("0/54")


async def test_three_events_come_back_in_order(kept: Kept) -> None:
    await kept.append("a", "b")
    await kept.append("c")
    assert await kept.titles() == ["a", "b", "c"]


async def test_several_operators_keep_their_places(kept: Kept) -> None:
    await kept.queue.advance("two", 0)
    await kept.append("a", "b")
    await kept.queue.advance("two", 1)
    assert await kept.titles() == ["a", "b"]
    assert [await kept.queue.position(name) for name in ("one", "two")] == [0, 1]


async def test_an_event_is_gone_when_its_only_operator_is_done(kept: Kept) -> None:
    await kept.append("a", "b")
    await kept.queue.advance("one", 1)
    assert await kept.titles() == ["b"]


async def test_an_event_is_kept_until_the_last_of_its_operators_is_done(kept: Kept) -> None:
    await kept.queue.advance("two", 0)
    await kept.queue.advance("three", 0)
    await kept.append("a")
    for name in ("one", "one", "two"):
        await kept.queue.advance(name, 1)
        assert await kept.titles() == ["a"]
    await kept.queue.advance("three", 1)
    assert await kept.titles() == []
