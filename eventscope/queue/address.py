"""Where SQLite finds a queue file."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote

from eventscope.queue.faults import not_opened

_AS_IT_IS: Final = "mode=ro&immutable=1"


def to_read(path: Path, *, in_use: bool) -> str:
    """A file to be read without a trace.

    Args:
        path: the file.
        in_use: whether a process may be writing.

    Raises:
        QueueError: it is a symbolic link.
    """
    if path.is_symlink():
        raise not_opened(path, "it is a symbolic link")
    # without a log beside it nobody writes, and to read it as it is leaves no files behind
    written = in_use or Path(f"{path}-wal").exists()
    return _address(path, "mode=ro" if written else _AS_IT_IS)


def is_of_a_moment(place: str) -> bool:
    """Whether what is read there stays as it was, whoever writes meanwhile."""
    return place.endswith(_AS_IT_IS)


def to_write(path: Path) -> str:
    """A file to be written, and not to be made."""
    return _address(path, "mode=rw")


def _address(path: Path, how: str) -> str:
    return f"file:{quote(str(path))}?{how}"
