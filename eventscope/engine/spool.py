"""The rows of a transaction whose end has not come."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator
from typing import Final

from eventscope.errors import EventScopeError
from eventscope.replication.assembly import Row

IN_MEMORY: Final = 4 * 1024 * 1024
"""Bytes beyond which the rows go to a temporary file that has no name."""

_HEADER = struct.Struct(">QII")


class SpoolError(EventScopeError):
    """A transaction that finds no place; the message says where, and the cure."""

    exit_code = 3


class Spool:
    """Keeps rows in their order, of any number, in a bounded memory."""

    def __init__(self) -> None:
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._rows = 0

    def keep(self, rows: Iterable[Row]) -> None:
        """Add rows; raises SpoolError if the disk is full."""
        try:
            for seq, version, message in rows:
                if self._file is None:
                    self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
                self._file.write(_HEADER.pack(seq, version, len(message)))
                self._file.write(message)
                self._rows += 1
        except OSError as error:
            raise SpoolError(
                f"a transaction that has not ended finds no place in {tempfile.gettempdir()}"
                f" ({error.strerror}): point TMPDIR to a larger disk"
            ) from error

    def drain(self) -> Iterator[Row]:
        """Give everything back, the oldest first."""
        kept, count = self._file, self._rows
        self._file, self._rows = None, 0
        if kept is None:
            return
        with kept:
            kept.seek(0)
            for _ in range(count):
                seq, version, length = _HEADER.unpack(kept.read(_HEADER.size))
                yield seq, version, kept.read(length)

    def clear(self) -> None:
        """Forget everything."""
        if self._file is not None:
            self._file.close()
        self._file, self._rows = None, 0
