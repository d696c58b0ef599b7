"""What a queue file holds, looked at from outside and without a trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from eventscope.event import Lsn
from eventscope.queue import address
from eventscope.queue.base import Checkpoint, Origin
from eventscope.queue.faults import reading
from eventscope.queue.file_lock import holder
from eventscope.queue.schema import known_version


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """A queue file at one moment."""

    holder: str
    """The process that has it open; empty if none has."""
    origin: Origin | None = None
    checkpoint: Checkpoint | None = None
    """How far it has come; None if it has not begun."""


def look(path: Path) -> QueueStatus | None:
    """Look at a queue file, open or not; None if there is none.

    Raises:
        QueueError: it is damaged, not ours, or of a newer version.
    """
    process = holder(path)
    place = address.to_read(path, in_use=bool(process))
    if not path.exists():
        return None
    with reading(path), closing(sqlite3.connect(place, uri=True)) as connection:
        return _read(connection, path, process)


def _read(connection: sqlite3.Connection, path: Path, process: str) -> QueueStatus:
    if not known_version(connection, path):
        return QueueStatus(process)
    origin = connection.execute("SELECT system_id, database, slot FROM origin").fetchone()
    checkpoint = connection.execute("SELECT timeline, acknowledged FROM checkpoint").fetchone()
    last = connection.execute("SELECT end_lsn FROM txn ORDER BY last_seq DESC LIMIT 1").fetchone()
    if origin is None or checkpoint is None:
        return QueueStatus(process)
    timeline, acknowledged = checkpoint
    stored = Lsn(last[0] if last is not None else 0)
    return QueueStatus(process, Origin(*origin), Checkpoint(timeline, stored, Lsn(acknowledged)))
