"""How far everything is applied, for a slot that is to be held back until then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from eventscope.event import Lsn
from eventscope.queue.base import Queue
from eventscope.replication.relations import Transaction

_MOST: Final = 10_000
"""Transactions that are told apart."""


class Applied:
    """Knows the transactions that some operator has still to see.

    Args:
        queue: the log.
        position: the last event that every operator is done with.
    """

    def __init__(self, queue: Queue, position: Callable[[], int]) -> None:
        self._position = position
        self._pending: deque[tuple[int, Lsn]] = deque()
        checkpoint = queue.checkpoint
        self._lsn = checkpoint.acknowledged if checkpoint is not None else Lsn(0)
        if queue.last is not None:
            self._pending.append((queue.last.last_seq, queue.last.end_lsn))

    def extend(self, transactions: Iterable[Transaction]) -> None:
        """Hear of new transactions in the log."""
        self._pending.extend((one.last_seq, one.end_lsn) for one in transactions)
        while len(self._pending) > _MOST:  # of two, the later one tells enough
            self._pending = deque(islice(self._pending, 1 - len(self._pending) % 2, None, 2))

    @property
    def everything(self) -> bool:
        """Whether nothing is left to be applied."""
        self._advance()
        return not self._pending

    @property
    def lsn(self) -> Lsn:
        """The end of the last transaction up to which all are applied."""
        self._advance()
        return self._lsn

    def _advance(self) -> None:
        position, pending = self._position(), self._pending
        while pending and pending[0][0] <= position:
            self._lsn = pending.popleft()[1]
