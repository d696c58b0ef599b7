"""Which event each operator is at, so that it can be told when the process dies of it.

A file beside the queue file is mapped into memory: to set a mark is to write eight bytes there,
which the kernel keeps when the process is killed. It need not outlive the machine.

The file is a length (8 bytes), the names of the operators as a JSON list of that length, padding,
a checksum of the names (8 bytes), and then a mark of 8 bytes for each name.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self
from zlib import crc32

import msgspec

from eventscope.queue.faults import not_opened

_WORD: Final = 8
_SEED: Final = 0x65767363
"""With it a file of zeros has no valid checksum."""
_LONGEST: Final = 1024 * 1024
"""Bytes of a file that can be one of ours."""


class Mark:
    """The mark of one operator; setting it costs a fraction of a microsecond."""

    __slots__ = ("_place", "_words")

    def __init__(self, words: memoryview[int], place: int) -> None:
        self._words = words
        self._place = place

    def set(self, seq: int) -> None:
        """Note that the operator begins with an event."""
        self._words[self._place] = seq

    def clear(self) -> None:
        """Note that it is done with it."""
        self._words[self._place] = 0


class Marks:
    """The marks of the operators of one process, which has the queue file's lock.

    Attributes:
        left: the marks that the process before left set, by operator; also of operators that are
            there no more, or have another name now.
    """

    def __init__(
        self, memory: mmap.mmap, operators: Sequence[str], left: Mapping[str, int]
    ) -> None:
        self.left = left
        self._memory = memory
        self._words = memoryview(memory).cast("Q")
        first = len(self._words) - len(operators)
        self._marks = {name: Mark(self._words, first + n) for n, name in enumerate(operators)}

    @classmethod
    def open(cls, queue: Path, operators: Sequence[str]) -> Self:
        """Open the marks beside a queue file, for these operators.

        The marks that were left stay set until they are cleared. A damaged file is made anew.

        Raises:
            QueueError: the file cannot be made.
        """
        path = _path(queue)
        left = _left(path)
        try:
            return cls(_made(path, operators, left), operators, left)
        except OSError as error:
            raise not_opened(path, error.strerror) from None

    def __getitem__(self, operator: str) -> Mark:
        return self._marks[operator]

    def close(self) -> None:
        """Release the file, marks as they are; idempotent. No mark may be set after it."""
        self._words.release()
        self._memory.close()


def forget(queue: Path) -> None:
    """Remove the marks beside a queue file, which are another one's if it is new."""
    _path(queue).unlink(missing_ok=True)


def _path(queue: Path) -> Path:
    return Path(f"{queue}.marks")


def _left(path: Path) -> dict[str, int]:
    """The marks that are set in a file; none if it is damaged or there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(_LONGEST)
    except OSError:
        return {}
    length = int.from_bytes(content[:_WORD], "little")
    names = content[_WORD : _WORD + length]
    head = _head(names)
    if not content.startswith(head):
        return {}
    operators = msgspec.json.decode(names, type=list[str])
    if len(content) != len(head) + _WORD * len(operators):
        return {}
    words = memoryview(content[len(head) :]).cast("Q")
    return {name: seq for name, seq in zip(operators, words, strict=True) if seq}


def _made(path: Path, operators: Sequence[str], left: Mapping[str, int]) -> mmap.mmap:
    """Put a new file in the place of the one before, all at once."""
    head = _head(msgspec.json.encode(list(operators)))
    marks = memoryview(bytearray(_WORD * len(operators))).cast("Q")
    for place, name in enumerate(operators):
        marks[place] = left.get(name, 0)
    new = Path(f"{path}.new")
    new.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(new, flags, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        file.write(head + marks.tobytes())
        memory = mmap.mmap(file.fileno(), 0)
    new.replace(path)
    return memory


def _head(names: bytes) -> bytes:
    padding = b" " * (-len(names) % _WORD)
    checksum = crc32(names, _SEED).to_bytes(_WORD, "little")
    return len(names).to_bytes(_WORD, "little") + names + padding + checksum
