"""A queue file that is moved aside is whole, and another one begins in its place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eventscope.queue.aside import set_aside
from eventscope.queue.file_lock import FileInUse
from tests.queue.files import made, opened


async def test_a_file_is_moved_with_its_log_and_another_one_is_made(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    await made(path)
    before = sqlite3.connect(path)
    before.execute("PRAGMA user_version").fetchone()
    aside = set_aside(path)
    before.close()
    assert not names(tmp_path) & {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    kept = sqlite3.connect(aside)
    assert kept.execute("SELECT count(*) FROM checkpoint").fetchone() is not None
    kept.close()
    queue = await opened(path)
    assert queue.checkpoint is None
    await queue.close()


async def test_a_file_that_somebody_has_stays(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    await made(path)
    queue = await opened(path)
    with pytest.raises(FileInUse):
        set_aside(path)
    await queue.close()
    assert path.exists()


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}
