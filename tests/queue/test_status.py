from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from eventscope.event import Lsn
from eventscope.queue.base import QueueError
from eventscope.queue.schema import VERSION
from eventscope.queue.sqlite import SqliteQueue
from eventscope.queue.status import QueueStatus, look
from tests.queue.batches import ORIGIN, START, Writer


async def opened(path: Path) -> SqliteQueue:
    return await SqliteQueue.open(path, retention_events=0, retention_bytes=10**9)


@asynccontextmanager
async def filled(path: Path) -> AsyncIterator[SqliteQueue]:
    """A queue with one transaction, open."""
    queue = await opened(path)
    try:
        await queue.begin(ORIGIN, START)
        writer = Writer()
        await queue.append(*writer.rows(writer.table("posts"), "1").commit().take())
        await queue.acknowledge(Lsn(250))
        yield queue
    finally:
        await queue.close()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_there_may_be_no_file(tmp_path):
    assert look(tmp_path / "queue.db") is None
    assert names(tmp_path) == set()


async def test_a_queue_that_nobody_has_open_is_read_without_a_trace(tmp_path):
    path = tmp_path / "queue.db"
    async with filled(path) as queue:
        checkpoint = queue.checkpoint
    before = names(tmp_path)
    assert look(path) == QueueStatus("", ORIGIN, checkpoint)
    assert checkpoint.acknowledged == Lsn(250)
    assert names(tmp_path) == before


async def test_a_queue_that_is_open_is_read_as_it_is_now_and_its_process_named(tmp_path):
    path = tmp_path / "queue.db"
    async with filled(path) as queue:
        assert look(path) == QueueStatus(str(os.getpid()), ORIGIN, queue.checkpoint)


async def test_a_queue_whose_process_was_killed_is_read_to_its_end(tmp_path):
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    async with filled(tmp_path / "queue.db") as queue:
        for name in ("queue.db", "queue.db-wal"):
            shutil.copy(tmp_path / name, crashed)
        checkpoint = queue.checkpoint
    assert look(crashed / "queue.db") == QueueStatus("", ORIGIN, checkpoint)


async def test_a_queue_that_has_not_begun_has_come_nowhere(tmp_path):
    await (await opened(tmp_path / "queue.db")).close()
    assert look(tmp_path / "queue.db") == QueueStatus("")
    (tmp_path / "empty.db").touch()
    assert look(tmp_path / "empty.db") == QueueStatus("")


async def test_looking_takes_the_lock_from_nobody(tmp_path):
    path = tmp_path / "queue.db"
    await (await opened(path)).close()
    assert look(path) == QueueStatus("")
    await (await opened(path)).close()


async def test_who_looks_whether_it_is_taken_keeps_nobody_from_taking_it(tmp_path):
    path = tmp_path / "queue.db"
    await (await opened(path)).close()
    looking = os.open(f"{path}.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.03, os.close, [looking]).start()
    await (await opened(path)).close()


def test_what_is_no_queue_is_refused_as_it_is_when_opened(tmp_path):
    (tmp_path / "text").write_text("x" * 5000)
    with pytest.raises(QueueError, match="cannot be used: file is not a database"):
        look(tmp_path / "text")
    with pytest.raises(QueueError, match="cannot be used"):
        look(tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE x (y)")
    with pytest.raises(QueueError, match="is no queue of eventscope"):
        look(tmp_path / "other.db")


async def test_a_symlink_is_refused_as_it_is_when_opened(tmp_path):
    await (await opened(tmp_path / "queue.db")).close()
    (tmp_path / "link.db").symlink_to(tmp_path / "queue.db")
    with pytest.raises(QueueError, match=r"link.db cannot be opened"):
        await opened(tmp_path / "link.db")
    with pytest.raises(QueueError, match=r"link.db cannot be opened"):
        look(tmp_path / "link.db")


async def test_a_queue_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "queue.db"
    await (await opened(path)).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(QueueError, match="newer eventscope"):
        look(path)
