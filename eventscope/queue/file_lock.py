"""One process a queue file, and the name of the one that has it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from eventscope.queue.base import QueueError
from eventscope.queue.faults import not_opened

_TRIES: Final = 5
_PAUSE: Final = 0.02


class FileLock:
    """An advisory lock beside a file; it ends with the process that holds it.

    Args:
        path: the file to protect. It is made, with mode 0600, in a folder with mode 0700.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises QueueError naming the process that has it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            os.close(os.open(self._path, flags, 0o600))
            descriptor = os.open(f"{self._path}.lock", flags, 0o600)
        except OSError as error:
            raise not_opened(self._path, error.strerror) from None
        if not _locked(descriptor):
            process = _named(descriptor)
            os.close(descriptor)
            raise QueueError(
                f"queue file {self._path} is in use by process {process}; "
                f"stop it, or name another file with queue_path"
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up; idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> str:
    """The process that has a file's lock, empty if nobody has; makes and changes nothing."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named(descriptor)
    finally:
        os.close(descriptor)
    return ""


def _locked(descriptor: int) -> bool:
    """Take the lock, also if somebody is looking just then whether it is taken."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return True
    return False


def _named(descriptor: int) -> str:
    return os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
