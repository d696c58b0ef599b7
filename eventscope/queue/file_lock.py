"""One process a queue file, and the name of the one that has it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path
from typing import Final

from eventscope.queue.base import QueueError
from eventscope.queue.faults import no_room, not_opened

_TRIES: Final = 5
_PAUSE: Final = 0.02
_PATIENCE: Final = 10.0
"""Seconds that a process may have a file briefly."""
_BRIEFLY: Final = "briefly"


class FileInUse(QueueError):
    """Another process has the file; the message names it.

    Attributes:
        briefly: whether it has said that it will not have it for long.
    """

    def __init__(self, path: Path, process: str, *, briefly: bool) -> None:
        super().__init__(
            f"queue file {path} is in use by process {process}; "
            f"stop it, or name another file with queue_path"
        )
        self.briefly = briefly


class FileLock:
    """An advisory lock beside a file; it ends with the process that holds it.

    Args:
        path: the file to protect. It is made, with mode 0600, in a folder with mode 0700.
        briefly: whether it will be released soon, so that it is worth while to wait for it.
    """

    def __init__(self, path: Path, *, briefly: bool = False) -> None:
        self._path = path
        self._briefly = briefly
        self._descriptor: int | None = None

    async def acquire_in_time(self) -> None:
        """Take the lock, after a process that has it briefly; raises FileInUse otherwise."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self.acquire()
            except FileInUse as error:
                if not error.briefly or time.monotonic() > deadline:
                    raise
            else:
                return
            await asyncio.sleep(_PAUSE)

    def acquire(self) -> None:
        """Take the lock; raises FileInUse naming the process that has it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            os.close(os.open(self._path, flags, 0o600))
            descriptor = os.open(f"{self._path}.lock", flags, 0o600)
        except OSError as error:
            raise not_opened(self._path, error.strerror) from None
        if not _locked(descriptor):
            process, *more = _said(descriptor)
            os.close(descriptor)
            raise FileInUse(self._path, process, briefly=more == [_BRIEFLY])
        said = f"{os.getpid()} {_BRIEFLY}" if self._briefly else f"{os.getpid()}"
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, said.encode())
        except OSError as error:
            os.close(descriptor)
            raise no_room(self._path, error.strerror) from None
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
        return _said(descriptor)[0]
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


def _said(descriptor: int) -> list[str]:
    """What the process that has the lock has written: its id, and whether it has it briefly."""
    return os.read(descriptor, 32).decode("ascii", "replace").split() or ["unknown"]
