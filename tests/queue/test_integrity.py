"""Files that are damaged, or no queue: refused, and left as they are."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eventscope.queue.base import QueueError
from eventscope.queue.event import QueuedEvent
from tests.queue.batches import ORIGIN, START, Writer, ids
from tests.queue.files import opened, refused, running

PAGE = 16_384


async def filled(path: Path, *, left: Path | None = None) -> None:
    """A file of some pages; ``left`` is what a killed process would leave of it."""
    queue = await opened(path)
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    for n in range(500):
        writer.rows(posts, str(n), size=100).commit()
    await queue.append(*writer.take())
    await queue.advance("slow", 0)
    if left is not None:
        shutil.copy(path, left)
        shutil.copy(f"{path}-wal", f"{left}-wal")
    await queue.close()


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "queue.db"
    asyncio.run(filled(path))
    return path


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


def test_a_damaged_page_is_found_wherever_it_is(path):
    whole = path.read_bytes()
    pages = len(whole) // PAGE
    assert pages > 20
    for page in range(pages):
        damaged = bytearray(whole)
        damaged[page * PAGE : (page + 1) * PAGE] = b"\xa5" * PAGE
        path.write_bytes(damaged)
        refused(path, "queue.db cannot be used: .*move it away")


@pytest.mark.parametrize("left", [PAGE - 1, PAGE, 4 * PAGE, -PAGE, -100, -1])
def test_a_file_that_was_cut_off_is_refused(path, left):
    path.write_bytes(path.read_bytes()[:left])
    refused(path, "queue.db cannot be used: .*move it away")


def test_a_file_that_was_wiped_is_refused(path):
    path.write_bytes(bytes(path.stat().st_size))
    refused(path, "queue.db cannot be used: file is not a database")


def test_damage_beside_a_log_is_found_and_the_log_stays(tmp_path):
    killed = tmp_path / "killed.db"
    asyncio.run(filled(tmp_path / "queue.db", left=killed))
    log = Path(f"{killed}-wal")
    before = log.read_bytes()
    assert before
    killed.write_bytes(b"\xa5" * killed.stat().st_size)
    refused(killed, "killed.db cannot be used: .*move it away")
    assert log.read_bytes() == before


async def test_damage_that_is_come_upon_while_running_is_named(path):
    async with running(path) as queue:
        with path.open("r+b") as file:
            file.seek(2 * PAGE)
            file.write(b"\xa5" * (path.stat().st_size - 2 * PAGE))
        with pytest.raises(QueueError, match=r"queue.db cannot be used: .*malformed; .*move it"):
            await queue.read(0, [1], 1000)
        with pytest.raises(QueueError, match=r"queue.db cannot be used: .*malformed; .*move it"):
            await queue.put_letter(
                "a",
                None,
                QueuedEvent(1, queue.relations[1], b"", queue.last),
                attempts=1,
                error="",
                traceback="",
                next_retry=None,
            )


async def test_a_file_that_was_deleted_meanwhile_takes_no_more(path):
    async with running(path) as queue:
        before = queue.checkpoint
        path.unlink()
        with pytest.raises(QueueError, match=r"queue.db was deleted, moved or replaced.*backfill"):
            await queue.append(*Writer(501).rows(1, "z").commit().take())
        with pytest.raises(QueueError, match=r"queue.db was deleted"):
            await queue.acknowledge(before.stored)
        assert (queue.last_seq, queue.checkpoint) == (500, before)
    assert not path.exists()


async def test_a_file_that_was_replaced_meanwhile_is_not_overwritten(path):
    other = path.with_name("other")
    other.write_text("precious")
    async with running(path) as queue:
        other.replace(path)
        with pytest.raises(QueueError, match=r"queue.db was deleted, moved or replaced"):
            await queue.append(*Writer(501).rows(1, "z").commit().take())
    assert path.read_text() == "precious"


async def test_a_file_that_was_moved_and_put_back_has_lost_nothing(path):
    async with running(path) as queue:
        path.rename(path.with_name("away"))
        with pytest.raises(QueueError, match=r"put it back and start again"):
            await queue.append(*Writer(501).rows(1, "z").commit().take())
    path.with_name("away").rename(path)
    async with running(path) as queue:
        assert ids(await queue.read(499, [1], 10)) == ["499", "z"]
