"""What is particular to the queue in a SQLite file."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from eventscope.event import Lsn
from eventscope.queue.base import QueueError
from eventscope.queue.records import OperatorRecord
from eventscope.queue.schema import VERSION
from eventscope.queue.sqlite import SqliteQueue
from tests.queue.batches import ORIGIN, START, Writer, ids


async def opened(path: Path) -> SqliteQueue:
    return await SqliteQueue.open(path, retention_events=0, retention_bytes=10**9)


async def made(path: Path) -> None:
    """Make an empty queue file."""
    await (await opened(path)).close()


def refused(path: Path, message: str) -> None:
    """A file is refused with a message that names it, and stays as it was, to the byte."""
    before = path.read_bytes()
    with pytest.raises(QueueError, match=message) as raised:
        asyncio.run(opened(path))
    assert str(path) in str(raised.value)
    assert raised.value.exit_code == 3
    assert path.read_bytes() == before


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


def test_what_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, not a database\n" * 200)
    refused(path, "file is not a database.*move it away")


def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (a)")
        other.commit()
    refused(path, "no queue of eventscope.*queue_path")


def test_a_queue_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "queue.db"
    asyncio.run(made(path))
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
        newer.commit()
    refused(path, f"newer eventscope.*format {VERSION + 1}.*update eventscope")


def version_1(path: Path) -> None:
    """Make the file that the first version left after four events and two operators."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript(Path(__file__).with_name("version_1.sql").read_text())


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table's columns."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema ORDER BY name").fetchall()
        return {
            name: connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall()
            for (name,) in names
        }


async def test_a_queue_of_the_first_version_is_brought_up_to_date(tmp_path):
    path = tmp_path / "queue.db"
    version_1(path)
    queue = await opened(path)
    assert queue.checkpoint == replace(START, stored=Lsn(400), acknowledged=Lsn(250))
    assert ids(await queue.read(0, [1, 2, 3], 10)) == ["a", "b", "c", "d"]
    assert await queue.operators() == [
        OperatorRecord("notify", 4),
        OperatorRecord("post_counts", 2),
    ]
    await queue.begin(ORIGIN, START)
    await queue.close()
    await made(tmp_path / "new.db")
    assert tables(path) == tables(tmp_path / "new.db")
    await (await opened(path)).close()


def test_a_queue_that_cannot_be_brought_up_to_date_stays_as_it_was(tmp_path):
    path = tmp_path / "queue.db"
    version_1(path)
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE mapped(in_the_way)")
    refused(path, "cannot be used: table mapped already exists")
    assert "request" not in tables(path)


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
    await queue.append(*writer.rows(posts, "half").take())
    left = tmp_path / "left"
    left.mkdir()
    for file in tmp_path.glob("queue.db*"):
        shutil.copy(file, left)
    await queue.close()
    crashed = await opened(left / "queue.db")
    assert ids(await crashed.read(0, [posts], 10)) == ["a", "b"]
    assert await crashed.position("counts") == 1
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


async def test_a_disk_that_is_full_is_named_and_the_batch_is_not_stored(tmp_path):
    queue = await opened(tmp_path / "queue.db")
    await queue.begin(ORIGIN, START)
    await queue._log.execute(("PRAGMA max_page_count = 20", ()))
    writer = Writer()
    posts = writer.table("posts")
    with pytest.raises(QueueError, match=r"queue.db cannot be written.*disk is full"):
        await queue.append(*writer.rows(posts, "a", size=500_000).commit().take())
    assert queue.last_seq == 0
    await queue.close()


async def test_every_append_is_synced(tmp_path):
    queue = await opened(tmp_path / "queue.db")
    log = queue._log._connection
    for pragma, wanted in (("synchronous", 2), ("journal_mode", "wal")):
        cursor = await queue._log._run(partial(log.execute, f"PRAGMA {pragma}"))
        assert await queue._log._run(cursor.fetchone) == (wanted,)
    await queue.close()
