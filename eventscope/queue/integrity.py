"""Whether a queue file is whole, found out without changing it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from eventscope.queue import address
from eventscope.queue.faults import reading
from eventscope.queue.schema import known_version

_READ_WHOLE: Final = 256 * 1024 * 1024
"""Bytes of the largest file that is read from one end to the other, which takes 0.3 s; damage in
a larger one is found when it is come upon."""
_PREFIX: Final = "*** in database main ***"


def verify(path: Path) -> None:
    """See that a file is ours and whole; nobody may be writing.

    Raises:
        QueueError: it is damaged, not ours, or of a newer version; it stays as it is, to the byte.
    """
    with (
        reading(path),
        closing(sqlite3.connect(address.to_read(path, in_use=False), uri=True)) as connection,
    ):
        known_version(connection, path)
        size = path.stat().st_size
        [page] = connection.execute("PRAGMA page_size").fetchone()
        if size % page and not Path(f"{path}-wal").exists():
            raise sqlite3.DatabaseError("it ends in the middle of a page")
        if size <= _READ_WHOLE:
            [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(" ".join(found.removeprefix(_PREFIX).split()))
