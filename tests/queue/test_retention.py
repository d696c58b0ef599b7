"""Giving up history in a queue file."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import time
from contextlib import closing

import pytest

from eventscope import failpoints
from eventscope.failpoints import FailpointError
from eventscope.queue.records import OperatorRecord
from tests.queue.batches import ORIGIN, START, Writer, ids
from tests.queue.files import running

MANY = 12_000


async def fill(queue, *, count: int = MANY, size: int = 0) -> int:
    """Append transactions of ten events of a table; returns its version."""
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    for first in range(0, count, 10):
        writer.rows(posts, *map(str, range(first, first + 10)), size=size).commit()
    await queue.append(*writer.take())
    return posts


async def test_an_append_waits_for_a_part_of_it_at_most(tmp_path):
    async with running(tmp_path / "queue.db") as queue:
        posts = await fill(queue, count=60_000)
        pruning = asyncio.create_task(queue.prune())
        for seq in range(60_001, 60_006):
            await queue.append(*Writer(seq).rows(posts, "new").commit().take())
        assert not pruning.done()
        assert await pruning == 60_000
        assert ids(await queue.read(0, [posts], 10)) == ["new"] * 5


async def test_large_events_go_in_smaller_parts(tmp_path, monkeypatch):
    async with running(tmp_path / "queue.db") as queue:
        await fill(queue, count=10, size=3_000_000)
        monkeypatch.setattr(failpoints, "_armed", (failpoints.DURING_PURGE, 1, "raise"))
        with pytest.raises(FailpointError):
            await queue.prune()
        assert queue.oldest_seq == 3
        assert await queue.prune() == 8


async def test_one_event_that_is_larger_than_a_part_goes_too(tmp_path):
    async with running(tmp_path / "queue.db") as queue:
        await fill(queue, count=10, size=9_000_000)
        assert await queue.prune() == 10


async def test_a_kill_in_the_middle_of_it_loses_nothing(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        posts = await fill(queue)
        await queue.advance("slow", MANY - 3)
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from tests.queue.files import opened\n"
        "async def main():\n"
        "    await (await opened(Path(sys.argv[1]))).prune()\n"
        "asyncio.run(main())\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        str(path),
        env={"EVENTSCOPE_FAILPOINT": "during-purge:2:kill", "PYTHONPATH": ":".join(sys.path)},
    )
    assert await child.wait() == -signal.SIGKILL
    async with running(path) as queue:
        assert queue.oldest_seq == 10_001
        assert (queue.last_seq, queue.checkpoint.stored) == (MANY, queue.last.end_lsn)
        kept = await queue.read(0, [posts], MANY)
        assert ids(kept) == [str(n) for n in range(10_000, MANY)]
        assert [event.event().index for event in kept] == [n % 10 for n in range(10_000, MANY)]
        assert await queue.place(MANY - 3) == (kept[-3].transaction.end_lsn, 6)
        assert await queue.prune() == 1_997
        assert ids(await queue.read(0, [posts], MANY)) == ["11997", "11998", "11999"]


async def test_an_event_that_goes_while_it_is_read_is_left_out(tmp_path, monkeypatch):
    async with running(tmp_path / "queue.db") as queue:
        posts = await fill(queue, count=20)
        seen = queue._seen

        async def seen_before_it_goes(statement, parameters):
            rows = await seen(statement, parameters)
            await queue.prune()
            return rows

        await queue.advance("slow", 15)
        monkeypatch.setattr(queue, "_seen", seen_before_it_goes)
        events = await queue.read(0, [posts], 100)
        assert [(queued.seq, queued.event().index) for queued in events] == [
            (seq, seq - 11) for seq in range(11, 21)
        ]


async def test_what_is_large_beside_the_log_costs_no_history(tmp_path):
    async with running(tmp_path / "queue.db", events=100) as queue:
        posts = await fill(queue, count=100)
        queue._retention._size = 300_000
        long = "x" * 60_000
        (event,) = await queue.read(0, [posts], 1)
        for target in range(10):
            await queue.put_letter(
                "a", (str(target),), event, attempts=1, error=long, traceback=long, next_retry=None
            )
        assert await queue.prune() == 0


async def test_a_map_that_was_forgotten_leaves_the_file_with_the_next_prune(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        await queue.begin(ORIGIN, START)
        await queue.save_operator(OperatorRecord("gone"))
        await queue.map("gone", "comments", {(str(n),): ("7",) for n in range(12_000)})
        await queue.map("other", "comments", {("1",): ("7",)})
        await queue.drop_operator("gone")
        await queue.prune()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM mapped").fetchone() == (1,)
            assert connection.execute("SELECT operator FROM mapping").fetchall() == [("other",)]


async def test_a_request_that_nobody_waits_for_is_forgotten_after_a_day(tmp_path):
    path = tmp_path / "queue.db"
    async with running(path) as queue:
        await queue.begin(ORIGIN, START)
        with closing(sqlite3.connect(path)) as connection:
            for hours in (1, 25):
                connection.execute(
                    "INSERT INTO request(asked_at, asked_by, command) VALUES (?, 'ann', '{}')",
                    (time.time() - hours * 3600,),
                )
            connection.commit()
        await queue.prune()
        (request,) = await queue.requests()
        assert request.asked_at > time.time() - 7200


async def test_a_replay_that_is_asked_for_in_the_middle_of_it_keeps_what_is_left(
    tmp_path, monkeypatch
):
    async with running(tmp_path / "queue.db") as queue:
        posts = await fill(queue)
        commit = queue._log.commit

        async def commit_and_ask(work):
            result = await commit(work)
            monkeypatch.setattr(queue._log, "commit", commit)
            await queue.save_operator(OperatorRecord("late", MANY, rewind_to=6_000))
            return result

        monkeypatch.setattr(queue._log, "commit", commit_and_ask)
        assert await queue.prune() == 6_000
        assert queue.oldest_seq == 6_001
        assert len(await queue.read(0, [posts], MANY)) == MANY - 6_000
        assert await queue.place(6_000) is not None
