"""What a queue file holds, looked at from outside and without a trace."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, Origin
from eventscope.queue.faults import not_opened, unusable
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
    if path.is_symlink():
        raise not_opened(path, "it is a symbolic link")
    if not path.exists():
        return None
    process = holder(path)
    # without a log beside it nobody writes, and to read it as it is leaves no files behind
    written = process or Path(f"{path}-wal").exists()
    place = f"file:{quote(str(path))}?mode=ro" + ("" if written else "&immutable=1")
    try:
        with closing(sqlite3.connect(place, uri=True)) as connection:
            return _read(connection, path, process)
    except sqlite3.Error as error:
        raise unusable(path, error) from None


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
