from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from eventscope.queue import outside
from eventscope.queue.base import QueueError
from eventscope.queue.outside import NoAnswer
from eventscope.queue.records import OperatorRecord
from eventscope.queue.schema import VERSION
from eventscope.queue.sqlite import SqliteQueue
from eventscope.replication.pgoutput import INSERT
from tests.queue.batches import ORIGIN, START, Writer, ids
from tests.waiting import until_async

NEVER = 60.0


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[SqliteQueue]:
    """A queue with three events, an operator and a dead letter, open."""
    queue = await SqliteQueue.open(path, retention_events=10, retention_bytes=10**9)
    try:
        if queue.checkpoint is None:
            await fill(queue)
        yield queue
    finally:
        await queue.close()


async def fill(queue: SqliteQueue) -> None:
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a", "b").commit().rows(posts, "c").commit().take())
    await queue.save_operator(OperatorRecord("notify", position=1, paused="by ann"))
    (event,) = await queue.read(1, [posts], 1)
    await queue.put_letter(
        "notify", None, event, attempts=6, error="no", traceback="...", next_retry=None
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def seen(path: Path, process: str) -> None:
    async with outside.opened(path) as queue:
        assert queue.holder == process
        assert (queue.oldest_seq, queue.last_seq) == (1, 3)
        assert await queue.operators() == [OperatorRecord("notify", position=1, paused="by ann")]
        assert await queue.counts(1) == {(1, INSERT): 2}
        assert queue.relations[1].table == "posts"
        assert ids(await queue.read(1, [1], 10)) == ["b", "c"]
        (letter,) = await queue.letters()
        assert await queue.letter(letter.id) == letter
        assert letter.event.event().new_record == {"id": "b"}


async def test_a_queue_that_a_process_has_open_is_seen_with_its_process(tmp_path):
    async with running(tmp_path / "queue.db"):
        await seen(tmp_path / "queue.db", str(os.getpid()))


async def test_a_queue_that_nobody_has_open_is_seen_without_a_trace(tmp_path):
    async with running(tmp_path / "queue.db"):
        pass
    before = names(tmp_path), (tmp_path / "queue.db").read_bytes()
    await seen(tmp_path / "queue.db", "")
    assert (names(tmp_path), (tmp_path / "queue.db").read_bytes()) == before


async def test_a_queue_whose_process_was_killed_is_seen_to_its_end(tmp_path):
    left = tmp_path / "left"
    left.mkdir()
    async with running(tmp_path / "queue.db"):
        for name in ("queue.db", "queue.db-wal", "queue.db.lock"):
            shutil.copy(tmp_path / name, left)
    await seen(left / "queue.db", "")


async def test_a_second_look_sees_what_has_come(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue, outside.opened(path) as seen:
        writer = Writer(4)
        posts = writer.table("posts")
        comments = writer.table("comments")
        del writer.batch.relations[posts]
        await queue.append(*writer.rows(comments, "d").commit().take())
        await queue.advance("notify", 3)
        assert seen.last_seq == 3
        await seen.refresh()
        assert ids(await seen.read(2, [posts, comments], 10)) == ["c", "d"]
        assert (await seen.operator("notify")).position == 3


async def test_a_queue_is_not_made_by_looking_or_asking(tmp_path):
    with pytest.raises(QueueError, match=r"there is no queue file .*queue.db; eventscope run"):
        async with outside.opened(tmp_path / "queue.db"):
            pass
    with pytest.raises(QueueError, match=r"no process has queue file .*queue.db open"):
        await outside.ask(tmp_path / "queue.db", "{}", asked_by="ann", timeout=NEVER)
    assert names(tmp_path) == set()


async def test_a_queue_of_another_version_is_refused_as_it_is(tmp_path):
    path = tmp_path / "queue.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(Path(__file__).with_name("version_1.sql").read_text())
    before = path.read_bytes()
    with pytest.raises(QueueError, match=r"older eventscope \(format 1.*start eventscope run"):
        async with outside.opened(path):
            pass
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(QueueError, match=r"newer eventscope"):
        async with outside.opened(path):
            pass


async def test_what_is_no_queue_is_refused(tmp_path):
    (tmp_path / "notes").write_text("notes " * 1000)
    with pytest.raises(QueueError, match=r"notes cannot be used: file is not a database"):
        async with outside.opened(tmp_path / "notes"):
            pass
    (tmp_path / "link.db").symlink_to(tmp_path / "notes")
    with pytest.raises(QueueError, match=r"link.db cannot be opened: it is a symbolic link"):
        async with outside.opened(tmp_path / "link.db"):
            pass


async def test_a_request_is_heard_and_its_answer_comes_back(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        asking = [
            asyncio.create_task(
                outside.ask(path, f'{{"pause": {n}}}', asked_by="ann", timeout=NEVER)
            )
            for n in range(2)
        ]
        await until_async(lambda: _count(queue, 2))
        for request in await queue.requests():
            assert request.asked_by == "ann"
            await queue.answer(request.id, request.command.upper(), refused="1" in request.command)
        assert await queue.requests() == []
        answers = await asyncio.gather(*asking)
        assert {(answer.answer, answer.refused) for answer in answers} == {
            ('{"PAUSE": 0}', False),
            ('{"PAUSE": 1}', True),
        }
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM request").fetchone() == (0,)


async def test_a_request_without_an_answer_is_taken_back(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        with pytest.raises(NoAnswer, match=f"process {os.getpid()} has not answered within 0.05 s"):
            await outside.ask(path, "{}", asked_by="ann", timeout=0.05)
        assert await queue.requests() == []
        asking = asyncio.create_task(outside.ask(path, "{}", asked_by="ann", timeout=NEVER))
        await until_async(lambda: _count(queue, 1))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await queue.requests() == []


@pytest.mark.parametrize("turns", range(12))
async def test_a_request_that_is_cancelled_while_it_is_put_is_taken_back(tmp_path, turns):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        asking = asyncio.create_task(outside.ask(path, "{}", asked_by="ann", timeout=NEVER))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await queue.requests() == []


async def test_nobody_waits_for_a_process_that_has_ended(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        asking = asyncio.create_task(outside.ask(path, "{}", asked_by="ann", timeout=NEVER))
        await until_async(lambda: _count(queue, 1))
    with pytest.raises(QueueError, match=f"process {os.getpid()} ended before it answered"):
        await asking
    async with running(path) as queue:
        assert await queue.requests() == []


async def test_a_request_outlives_the_process_that_was_to_answer_it(tmp_path):
    """It is put by a process of its own, which then is killed, and found by the next opener."""
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        script = (
            "import asyncio, sys\n"
            "from pathlib import Path\n"
            "from eventscope.queue import outside\n"
            "asyncio.run(outside.ask(Path(sys.argv[1]), '{}', asked_by='bob', timeout=60))\n"
        )
        asking = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(path))
        await until_async(lambda: _count(queue, 1))
        asking.kill()
        await asking.wait()
    async with running(path) as queue:
        (request,) = await queue.requests()
        assert (request.asked_by, request.answer) == ("bob", None)


async def _count(queue: SqliteQueue, count: int) -> bool:
    return len(await queue.requests()) == count
