"""Files of other versions."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from eventscope.event import Lsn
from eventscope.queue.records import OperatorRecord
from eventscope.queue.schema import VERSION
from tests.queue.batches import ORIGIN, START, ids
from tests.queue.files import made, opened, refused


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


async def test_a_queue_that_was_never_ended_is_brought_up_to_date_to_its_last_event(tmp_path):
    """The first version was killed and left its write-ahead log."""
    path = tmp_path / "queue.db"
    version_1(path)
    with closing(sqlite3.connect(path)) as old:
        old.executescript("PRAGMA journal_mode = WAL; DELETE FROM operator")
        old.execute("INSERT INTO operator VALUES ('late', 3)")
        old.commit()
        for name in ("queue.db", "queue.db-wal"):
            (tmp_path / f"left-{name}").write_bytes((tmp_path / name).read_bytes())
    queue = await opened(tmp_path / "left-queue.db")
    assert await queue.operators() == [OperatorRecord("late", 3)]
    assert queue.last_seq == 4
    await queue.close()


def test_a_queue_that_cannot_be_brought_up_to_date_stays_as_it_was(tmp_path):
    path = tmp_path / "queue.db"
    version_1(path)
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE mapped(in_the_way)")
    refused(path, "cannot be used: table mapped already exists")
    assert "request" not in tables(path)


def test_a_queue_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "queue.db"
    asyncio.run(made(path))
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
        newer.commit()
    refused(path, f"newer eventscope.*format {VERSION + 1}.*update eventscope")


@pytest.mark.parametrize("is_old", [True, False])
async def test_a_disk_that_is_full_at_the_start_is_no_fault_of_the_file(
    tmp_path: Path, is_old: bool
) -> None:
    """The limit of a file's size stands for a disk of that size."""
    path = tmp_path / "queue.db"
    if is_old:
        version_1(path)
    script = (
        "import asyncio, resource, sys\n"
        "from pathlib import Path\n"
        "from eventscope.queue.sqlite import SqliteQueue\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
        "asyncio.run(SqliteQueue.open(Path(sys.argv[1]), retention_events=0, retention_bytes=0))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-B", "-c", script, str(path), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    said = errors.decode()
    assert "nothing is lost: free space at" in said
    assert "then start again" in said
    queue = await opened(path)
    assert queue.last_seq == (4 if is_old else 0)
    await queue.close()
