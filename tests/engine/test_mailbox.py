"""Requests of other processes: each is done once and answered, and none long after."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from eventscope.cli import status
from eventscope.cli.queue_file import QueueFile
from eventscope.engine.commands import Command, CommandRefused, Pause, Report
from eventscope.engine.mailbox import Mailbox, encode
from eventscope.queue import outside
from eventscope.queue.base import QueueError
from eventscope.queue.sqlite import SqliteQueue
from eventscope.settings import Settings
from tests.waiting import PATIENCE, until

ASKED = encode(Pause("notify"))


class Office:
    """A mailbox that serves a queue file, and what it has done."""

    def __init__(self, queue: SqliteQueue) -> None:
        self.path = queue.path
        self.done: list[tuple[Command, str]] = []
        self.mailbox = Mailbox(queue, self._do, self._tell)

    async def _do(self, command: Command, by: str) -> str:
        await asyncio.sleep(0)
        self.done.append((command, by))
        if command.operator == "who":
            raise CommandRefused("there is no operator who")
        if command.operator == "broken":
            raise KeyError("broken")
        return "done"

    async def _tell(self) -> str:
        return '{"told": "well"}'

    async def ask(self, command: str) -> tuple[str | None, bool]:
        request = await outside.ask(self.path, command, asked_by="ann", timeout=PATIENCE)
        return request.answer, request.refused

    def waiting(self) -> int:
        with closing(sqlite3.connect(self.path)) as file:
            [count] = file.execute("SELECT count(*) FROM request WHERE answer IS NULL").fetchone()
        return int(count)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    queue = await SqliteQueue.open(tmp_path / "queue.db", retention_events=0, retention_bytes=10**9)
    office = Office(queue)
    serving = asyncio.create_task(office.mailbox.run())
    yield office
    assert not serving.done(), "whatever is asked, it serves the next"
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await queue.close()


async def test_each_is_done_once_and_answered_to_who_asked(office: Office) -> None:
    answers = await asyncio.gather(*(office.ask(encode(Pause(str(n)))) for n in range(20)))
    assert answers == [("done", False)] * 20
    assert sorted(int(command.operator) for command, _ in office.done) == list(range(20))
    assert {by for _, by in office.done} == {"ann"}
    assert await office.ask(encode(Report())) == ('{"told": "well"}', False)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (encode(Pause("who")), "there is no operator who"),
        (encode(Pause("broken")), "KeyError: 'broken'"),
        ('{"type": "Explode", "operator": "x"}', "this eventscope does not know the command"),
        ('{"type": "Pause"}', "this eventscope does not know the command"),
        ("[" * 5000, "this eventscope does not know the command"),
        ("no JSON", "this eventscope does not know the command"),
    ],
)
async def test_what_cannot_be_done_is_answered_too(
    office: Office, command: str, answer: str
) -> None:
    said, refused = await office.ask(command)
    assert refused
    assert answer in str(said)
    assert await office.ask(ASKED) == ("done", False)


async def test_what_was_asked_long_ago_by_one_who_has_died_is_not_done(office: Office) -> None:
    with closing(sqlite3.connect(office.path)) as file:
        file.execute(
            "INSERT INTO request(asked_at, asked_by, command) VALUES (?, 'ann', ?)",
            (time.time() - 3600, ASKED),
        )
        file.commit()
    await until(lambda: office.waiting() == 0)
    assert office.done == []


async def test_a_status_of_another_version_is_named(office: Office) -> None:
    file = QueueFile(office.path, Settings.load(), None)
    with pytest.raises(QueueError, match=f"process {os.getpid()} tells .* another version"):
        await status._look(file)
