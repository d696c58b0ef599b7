"""A queue file that cannot be written for a while."""

from __future__ import annotations

import asyncio

import pytest

from eventscope.queue import patience
from eventscope.queue.base import QueueError
from eventscope.queue.sqlite import SqliteQueue
from tests.hindrances import full, locked, small_disk
from tests.queue.batches import ORIGIN, START, Writer, ids
from tests.queue.files import running
from tests.waiting import until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_AGAIN", 0.01)
    monkeypatch.setattr("eventscope.queue.appender.LOCK_WAIT", 0.05)
    monkeypatch.setattr("eventscope.queue.sqlite.LOCK_WAIT", 0.05)


def large(writer: Writer, *rows: str) -> Writer:
    """A transaction that a small disk has no room for once it is full."""
    return writer.rows(writer.table("posts"), *rows, size=100_000).commit()


async def test_what_has_no_room_is_stored_when_there_is_some(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        async with running(disk / "queue.db") as queue:
            await queue.begin(ORIGIN, START)
            queue.be_patient()
            with full(disk):
                storing = asyncio.create_task(queue.append(*large(Writer(), "a", "b").take()))
                saving = asyncio.create_task(queue.advance("counts", 1))
                await until(lambda: queue.trouble)
                assert "database or disk is full" in queue.trouble
                assert f"free space at {disk}" in queue.trouble
                assert (queue.last_seq, storing.done()) == (0, False)
            await asyncio.gather(storing, saving)
            assert queue.trouble == ""
            assert [id.strip() for id in ids(await queue.read(0, [1], 10))] == ["a", "b"]


async def test_a_lock_is_waited_for_and_its_holder_named(tmp_path):
    async with running(tmp_path / "queue.db") as queue:
        await queue.begin(ORIGIN, START)
        queue.be_patient()
        async with locked(queue.path) as pid:
            saving = asyncio.create_task(queue.advance("counts", 0))
            await until(lambda: queue.trouble)
            assert "database is locked" in queue.trouble
            assert f"end process {pid}, which holds its lock" in queue.trouble
        await saving
        assert queue.trouble == ""


async def test_what_waits_ends_when_patience_is_over(tmp_path):
    async with running(tmp_path / "queue.db") as queue:
        await queue.begin(ORIGIN, START)
        queue.be_patient()
        async with locked(queue.path):
            saving = asyncio.create_task(queue.advance("counts", 0))
            await until(lambda: queue.trouble)
            queue.be_patient(0)
            with pytest.raises(QueueError, match="nothing is lost"):
                await saving
            assert queue.trouble == ""


async def test_what_nobody_could_store_is_not_waited_for(tmp_path):
    async with running(tmp_path / "queue.db") as queue:
        await queue.begin(ORIGIN, START)
        queue.be_patient()
        batch = large(Writer(), "a").take()
        await queue.append(*batch)
        with pytest.raises(QueueError, match="UNIQUE"):
            await asyncio.wait_for(SqliteQueue.append(queue, *batch), 10)
