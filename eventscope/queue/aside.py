"""Moving a queue file out of the way, so that another one begins in its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from eventscope.queue.base import QueueError
from eventscope.queue.file_lock import FileLock


def set_aside(path: Path) -> Path:
    """Rename a queue file and what SQLite keeps beside it; nothing is deleted.

    Returns:
        Its new name: the old one and the time.

    Raises:
        FileInUse: another process has it.
        QueueError: it cannot be renamed.
    """
    lock = FileLock(path)
    lock.acquire()
    aside = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    try:
        for suffix in ("-wal", "-shm", ""):  # the log first: another file must never find it
            part = Path(f"{path}{suffix}")
            if part.exists():
                part.rename(f"{aside}{suffix}")
    except OSError as error:
        raise QueueError(
            f"queue file {path} cannot be moved aside: {error.strerror}; "
            f"make {path.parent} writable"
        ) from error
    finally:
        lock.release()
    return aside
