"""Who holds SQLite's lock of a file, as far as the kernel tells.

We may not ask by ``fcntl``: to close a file is to lose all locks that this process has on it.
Source: proc_locks(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LOCKS: Final = Path("/proc/locks")
_FIELDS: Final = 8  # of a lock that is held; of one that is waited for there are more


def lock_holder(path: Path) -> int | None:
    """The id of another process that keeps us from writing to a SQLite file; None: unknown."""
    files = [file for file in (Path(f"{path}-shm"), path) if file.exists()]
    return next((pid for pid in _writers() if pid != os.getpid() and _has_open(pid, files)), None)


def _writers() -> Iterator[int]:
    """Who holds an exclusive lock on anything."""
    with suppress(OSError):
        for line in _LOCKS.read_text().splitlines():
            fields = line.split()
            if len(fields) == _FIELDS and fields[1] == "POSIX" and fields[3] == "WRITE":
                yield int(fields[4])


def _has_open(pid: int, files: list[Path]) -> bool:
    with suppress(OSError):
        opened = [file.stat() for file in Path(f"/proc/{pid}/fd").iterdir() if file.exists()]
        return any(os.path.samestat(file.stat(), other) for file in files for other in opened)
    return False
