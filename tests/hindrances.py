"""What keeps a queue file from being written: really caused, and taken away again."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

_LOCKING = (
    "import sqlite3, sys\n"
    "file = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n"
    "file.execute('BEGIN IMMEDIATE')\n"
    "print('locked', flush=True)\n"
    "sys.stdin.read()\n"
)


@contextmanager
def small_disk(at: Path, size: str = "1m") -> Iterator[Path]:
    """A disk of its own, where this machine lets us have one."""
    mount = shutil.which("mount")
    at.mkdir()
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], check=False, capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("no disk can be made here")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no room on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[int]:
    """Have another process hold the write lock of a SQLite file; gives its id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LOCKING, str(path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()
