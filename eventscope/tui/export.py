"""Writing events to a file, a line of JSON each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from eventscope.engine.ring import Entry
from eventscope.inspection.json_line import json_line


def write_lines(entries: Iterable[Entry], path: Path) -> int:
    """Write events to a new file that only its owner may read; returns how many.

    Raises:
        OSError: the file exists already, or cannot be written.
    """
    count = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for entry in entries:
            file.write(f"{json_line(entry.event())}\n")
            count += 1
    return count
