"""What is particular to the queue in a SQLite file."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import stat
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from eventscope.queue.base import QueueError
from eventscope.queue.records import Backfill, OperatorRecord
from eventscope.queue.sqlite import SqliteQueue
from tests.queue.batches import ORIGIN, START, Writer, ids
from tests.queue.files import opened, running


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_files_are_for_their_owner_alone(tmp_path):
    path = tmp_path / "new" / "queue.db"
    previous = os.umask(0)
    try:
        queue = await opened(path)
        await queue.begin(ORIGIN, START)
        assert mode(path.parent) == 0o700
        assert {file.name: mode(file) for file in path.parent.iterdir()} == {
            "queue.db": 0o600,
            "queue.db-wal": 0o600,
            "queue.db-shm": 0o600,
            "queue.db.lock": 0o600,
        }
        await queue.close()
    finally:
        os.umask(previous)


async def test_a_symlink_is_refused(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "queue.db").symlink_to(target)
    with pytest.raises(QueueError, match=r"cannot be opened.*queue_path"):
        await opened(tmp_path / "queue.db")
    assert target.read_text() == "precious"


async def test_a_symlink_in_place_of_the_lock_is_refused(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "queue.db.lock").symlink_to(target)
    with pytest.raises(QueueError, match="cannot be opened"):
        await opened(tmp_path / "queue.db")
    assert target.read_text() == "precious"


async def test_a_folder_is_refused(tmp_path):
    with pytest.raises(QueueError, match="cannot be opened"):
        await opened(tmp_path)


async def test_a_queue_of_another_stream_stays_as_it_was(tmp_path):
    path = tmp_path / "queue.db"
    queue = await opened(path)
    await queue.begin(ORIGIN, START)
    await queue.close()
    before = path.read_bytes()
    queue = await opened(path)
    with pytest.raises(QueueError, match="holds the events of database blog"):
        await queue.begin(replace(ORIGIN, slot="other_slot"), START)
    await queue.close()
    assert path.read_bytes() == before


async def test_a_second_opener_is_refused_and_told_who_has_it(tmp_path):
    path = tmp_path / "queue.db"
    queue = await opened(path)
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from eventscope.queue.sqlite import SqliteQueue\n"
        "asyncio.run(SqliteQueue.open(Path(sys.argv[1]), retention_events=0, retention_bytes=0))\n"
    )
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(path), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await other.communicate()
    assert f"in use by process {os.getpid()}" in errors.decode()
    with pytest.raises(QueueError, match=f"in use by process {os.getpid()}"):
        await opened(path)
    await queue.close()
    await (await opened(path)).close()


async def test_a_crash_loses_nothing_that_append_returned_from(tmp_path):
    """The files are copied while the queue is open, as a killed process would leave them."""
    queue = await opened(tmp_path / "queue.db")
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a", "b").commit().take())
    await queue.advance("counts", 1)
    record = OperatorRecord("notify", position=1, paused="by ann", attempts=2, error="no")
    await queue.save_operator(record)
    (event,) = await queue.read(1, [posts], 1)
    letter = await queue.put_letter(
        "notify", None, event, attempts=6, error="no", traceback="", next_retry=None
    )
    await queue.append(*writer.rows(posts, "half").take())
    left = tmp_path / "left"
    left.mkdir()
    for file in tmp_path.glob("queue.db*"):
        shutil.copy(file, left)
    await queue.close()
    crashed = await opened(left / "queue.db")
    assert ids(await crashed.read(0, [posts], 10)) == ["a", "b"]
    assert await crashed.position("counts") == 1
    assert await crashed.operator("notify") == record
    assert await crashed.letters() == [letter]
    assert crashed.checkpoint.stored == 200
    await crashed.append(*Writer(next_seq=3).rows(posts, "c").commit().take())
    assert ids(await crashed.read(0, [posts], 10)) == ["a", "b", "c"]
    await crashed.close()


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
async def test_rows_that_go_in_together_come_out_one_by_one(tmp_path, count):
    queue = await opened(tmp_path / "queue.db")
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    wanted = [str(n) for n in range(count)]
    await queue.append(*writer.rows(posts, *wanted).commit().take())
    assert ids(await queue.read(0, [posts], 1000)) == wanted
    await queue.close()


async def test_an_append_that_ends_behind_a_cancelled_task_is_no_open_transaction(tmp_path):
    queue = await opened(tmp_path / "queue.db")
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a").commit().take())
    many = [str(id) for id in range(20_000)]
    appending = asyncio.create_task(queue.append(*writer.rows(posts, *many).commit().take()))
    await asyncio.sleep(0)  # its thread has the batch
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    await queue.discard_open()
    await queue.close()
    again = await opened(tmp_path / "queue.db")
    assert len(await again.read(0, [posts], 100_000)) == again.last_seq
    await again.close()


async def test_a_queue_that_is_full_is_named_and_takes_the_same_batch_when_it_is_not(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        await queue.begin(ORIGIN, START)
        await queue._log.execute(("PRAGMA max_page_count = 40", ()))
        writer = Writer()
        posts = writer.table("posts")
        await queue.append(*writer.rows(posts, "a").commit().take())
        batch = writer.rows(posts, *"bcd", size=500_000).commit().take()
        await full(queue, batch, r"queue.db cannot be written.*disk is full.*nothing is lost")
        await queue._log.execute(("PRAGMA max_page_count = 4000", ()))
        await takes(queue, batch)


async def test_a_disk_that_is_full_is_named_and_takes_the_same_batch_when_it_is_not(tmp_path):
    """The limit of a file's size stands for a disk of that size."""
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        await queue.begin(ORIGIN, START)
        writer = Writer()
        posts = writer.table("posts")
        await queue.append(*writer.rows(posts, "a").commit().take())
        batch = writer.rows(posts, *"bcd", size=500_000).commit().take()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
        try:
            await full(queue, batch, r"queue.db cannot be written.*nothing is lost")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await takes(queue, batch)


async def full(queue: SqliteQueue, batch: Any, message: str) -> None:
    with pytest.raises(QueueError, match=message):
        await queue.append(*batch)
    assert (queue.last_seq, queue.checkpoint.stored) == (1, 200)
    assert ids(await queue.read(0, [1], 10)) == ["a"]


async def takes(queue: SqliteQueue, batch: Any) -> None:
    await queue.append(*batch)
    await queue.close()
    async with running(queue.path) as again:
        assert ids(await again.read(0, [1], 10)) == ["a", "b", "c", "d"]


async def test_a_new_file_has_nothing_to_do_with_marks_that_another_left(tmp_path):
    marks = tmp_path / "queue.db.marks"
    marks.touch()
    async with running(tmp_path / "queue.db"):
        assert not marks.exists()
    marks.touch()
    async with running(tmp_path / "queue.db"):
        assert marks.exists()


async def test_what_others_write_is_data_and_no_statement(tmp_path):
    bad = "'; DROP TABLE event; -- \" \x00 \u202e"
    async with running(tmp_path / "queue.db") as queue:
        await queue.begin(ORIGIN, START)
        await queue.save_operator(OperatorRecord(bad, paused=bad, error=bad, traceback=bad))
        await queue.rename_operator(bad, bad + "2")
        await queue.map(bad, bad, {(bad, ""): (bad,)})
        assert await queue.mapped(bad, bad, [(bad, "")]) == {(bad, ""): (bad,)}
        await queue.save_backfill(Backfill(bad, bad, after=(bad,)))
        assert await queue.backfill(bad) == Backfill(bad, bad, after=(bad,))
        kept = OperatorRecord(bad + "2", paused=bad, error=bad, traceback=bad)
        assert await queue.operators() == [kept]


async def test_every_append_is_synced(tmp_path):
    queue = await opened(tmp_path / "queue.db")
    log = queue._log._connection
    for pragma, wanted in (("synchronous", 2), ("journal_mode", "wal")):
        cursor = await queue._log._run(partial(log.execute, f"PRAGMA {pragma}"))
        assert await queue._log._run(cursor.fetchone) == (wanted,)
    await queue.close()
