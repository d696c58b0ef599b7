"""One process a queue file; one that has it for a moment is waited for."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from eventscope.queue import file_lock
from eventscope.queue.base import QueueError
from eventscope.queue.file_lock import FileLock, holder
from tests.queue.files import made, opened

NAMED = f"in use by process {os.getpid()};"


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    await made(tmp_path / "queue.db")
    return tmp_path / "queue.db"


async def test_a_file_that_a_command_has_is_opened_when_the_command_has_ended(path: Path) -> None:
    command = FileLock(path, briefly=True)
    command.acquire()
    assert holder(path) == str(os.getpid())
    opening = asyncio.create_task(opened(path))
    await asyncio.wait([opening], timeout=0.3)
    assert not opening.done()
    command.release()
    await (await opening).close()


async def test_a_command_that_does_not_end_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "_PATIENCE", 0.1)
    command = FileLock(path, briefly=True)
    command.acquire()
    with pytest.raises(QueueError, match=NAMED):
        await opened(path)
    command.release()


async def test_a_process_that_stays_is_named_and_not_waited_for(path: Path) -> None:
    process = FileLock(path)
    process.acquire()
    async with asyncio.timeout(file_lock._PATIENCE / 2):
        with pytest.raises(QueueError, match=NAMED):
            await opened(path)
    process.release()
    assert holder(path) == ""
