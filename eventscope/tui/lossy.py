"""Writing to a terminal that may be closed at any moment."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, TextIO


class LossyFile:
    """A file that loses what cannot be written."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write, or lose it."""
        with suppress(OSError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Have it written, or lose it."""
        with suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
