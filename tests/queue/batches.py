"""Batches as the assembler would hand them over."""

from __future__ import annotations

from collections.abc import Sequence

from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, Origin
from eventscope.replication.assembly import Batch, Counts
from eventscope.replication.catalog import undescribed
from eventscope.replication.pgoutput import ColumnMessage
from eventscope.replication.relations import Relation, Transaction
from tests.replication import encoder

ORIGIN = Origin("7300000000000000001", "blog", "postgres_slot")
START = Checkpoint(timeline=1, stored=Lsn(0), acknowledged=Lsn(100))


class Writer:
    """Writes transactions, each 100 bytes of WAL, numbered as a reader would."""

    def __init__(self, next_seq: int = 1) -> None:
        self._seq = next_seq
        self._first = next_seq
        self._end = 100 * next_seq
        self._version = 0
        self._counts: Counts = {}
        self.batch = Batch()
        self.relations: dict[int, Relation] = {}

    def table(self, name: str, *columns: str) -> int:
        """Describe a table; returns its relation version."""
        self._version += 1
        raw = encoder.relation(
            sum(name.encode()),
            "public",
            name,
            "d",
            [ColumnMessage(column, 25, -1, n == 0) for n, column in enumerate(columns or ["id"])],
        )
        self.batch.relations[self._version] = raw
        self.relations[self._version] = undescribed("blog", raw)
        return self._version

    def rows(self, version: int, *ids: str, kind: bytes = b"I", size: int = 0) -> Writer:
        """Write rows of the open transaction."""
        for id in ids:
            self.row(version, kind + encoder.insert(0, [id.encode().ljust(size)])[1:])
        return self

    def row(self, version: int, message: bytes) -> Writer:
        """Write any row of the open transaction."""
        self.batch.rows.append((self._seq, version, message))
        self._counts[version, message[0]] = self._counts.get((version, message[0]), 0) + 1
        self._seq += 1
        return self

    def commit(self, *, at: int = 5) -> Writer:
        """End the open transaction, so many microseconds after 2000-01-01."""
        self._end += 100
        self.batch.transactions.append(
            Transaction(
                self._first, self._seq - 1, Lsn(self._end), Lsn(self._end - 10), self._end, at
            )
        )
        self._first = self._seq
        for key, count in self._counts.items():
            self.batch.counts[key] = self.batch.counts.get(key, 0) + count
        self._counts = {}
        return self

    def take(self) -> tuple[Batch, dict[int, Relation]]:
        """Hand over what was written since the last call, as arguments for ``append``."""
        batch, self.batch = self.batch, Batch()
        return batch, self.relations


def ids(events: Sequence[object]) -> list[str]:
    """The ids of queued events' rows."""
    return [event.event().new_record["id"].strip() for event in events]  # type: ignore[attr-defined]
