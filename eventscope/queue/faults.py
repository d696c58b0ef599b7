"""What can be wrong with a queue, each with what to do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventscope.queue.base import Origin, QueueError
from eventscope.queue.lock_holder import lock_holder

FileIdentity = tuple[int, int]
"""What tells a file from another one in its place: device and inode."""

_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CIRCUMSTANCES: Final = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_NOMEM,
)
"""What is no fault of the file: the disk is full, somebody else has it."""


class Unwritable(QueueError):
    """A queue file that cannot be written now, through no fault of its own.

    Args:
        path: the file.
        error: what SQLite has said.
    """

    def __init__(self, path: Path, error: sqlite3.Error) -> None:
        self.fault = f"queue file {path} cannot be written: {error}"
        self.cure = _cure(path, error)
        """What a person can do so that it can be written again."""
        super().__init__(f"{self.fault}; nothing is lost: {self.cure}, then start again")


def not_opened(path: Path, reason: str | None) -> QueueError:
    """The error for a place that no queue file can be at."""
    return QueueError(
        f"queue file {path} cannot be opened: {reason}; name another place with queue_path"
    )


def no_room(path: Path, reason: str | None) -> QueueError:
    """The error for a place where there is no room even for a process id."""
    return QueueError(
        f"queue file {path} cannot be written: {reason}; "
        f"nothing is lost: free space at {path.parent}, then start again"
    )


def unusable(path: Path, error: sqlite3.Error) -> QueueError:
    """The error for a file that SQLite cannot read."""
    if _code(error) in _CIRCUMSTANCES:
        return QueueError(
            f"queue file {path} cannot be used: {error}; "
            f"nothing is lost: {_cure(path, error)}, then start again"
        )
    return QueueError(
        f"queue file {path} cannot be used: {error}; "
        f"it was left as it is: move it away to start with an empty queue, and backfill"
    )


def gone(path: Path) -> QueueError:
    """The error for a file that others have taken away while it was open."""
    return QueueError(
        f"queue file {path} was deleted, moved or replaced while in use: put it back and start "
        f"again; if it is lost, operators have missed what it held: start again and backfill"
    )


def file_identity(path: Path) -> FileIdentity | None:
    """Which file is at a path; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def of_another_stream(name: str, origin: Origin, other: Origin) -> QueueError:
    """The error for a queue that holds other events than are to come."""
    return QueueError(
        f"{name} holds the events of {origin.described}, "
        f"not of {other.described}; name another with queue_path"
    )


def name_is_taken(old: str, new: str) -> QueueError:
    """The error for an operator that cannot have the name that it is to have."""
    return QueueError(
        f"operator {old} cannot be renamed {new}: the queue has an operator of that name; "
        f"drop one of them"
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file in what SQLite raises; raises QueueError."""
    try:
        yield
    except sqlite3.Error as error:
        raise unusable(path, error) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in what SQLite raises; raises QueueError."""
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _DAMAGE:
            raise unusable(path, error) from error
        if _code(error) in _CIRCUMSTANCES:
            raise Unwritable(path, error) from error
        raise QueueError(
            f"queue file {path} cannot be written: {error}; "
            f"nothing is lost: mend that, then start again"
        ) from error


def _cure(path: Path, error: sqlite3.Error) -> str:
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return f"free space at {path.parent}"
        case sqlite3.SQLITE_IOERR:  # as SQLite calls all that is not the disk's being full
            return f"free space at {path.parent}, or raise the quota or limit of its files"
        case sqlite3.SQLITE_BUSY:
            holder = lock_holder(path)
            return f"end process {holder}, which holds its lock" if holder else "end who locks it"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return f"make {path.parent} writable"
        case _:
            return "mend that"


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for what we have found ourselves."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
