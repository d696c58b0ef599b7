"""What a queue knows of its log without reading it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from eventscope.event import Lsn
from eventscope.queue.base import Checkpoint, Origin
from eventscope.queue.faults import of_another_stream
from eventscope.replication.assembly import Batch
from eventscope.replication.pgoutput import Subject, subject
from eventscope.replication.relations import Relation, Transaction


class LogHead:
    """Where a log ends, and what describes its events.

    Args:
        name: of the queue, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._origin: Origin | None = None
        self._checkpoint: Checkpoint | None = None
        self._last: Transaction | None = None
        self._relations: dict[int, Relation] = {}
        self._latest: dict[Subject, tuple[int, bytes]] = {}

    @property
    def checkpoint(self) -> Checkpoint | None:
        """How far the log has come."""
        return self._checkpoint

    @property
    def last(self) -> Transaction | None:
        """The last transaction that is durable."""
        return self._last

    @property
    def last_seq(self) -> int:
        """The sequence number of the last visible event."""
        return self._last.last_seq if self._last is not None else 0

    @property
    def relations(self) -> Mapping[int, Relation]:
        """Every relation version that queued events are described by."""
        return self._relations

    @property
    def latest_versions(self) -> Mapping[Subject, tuple[int, bytes]]:
        """The latest relation version of each subject."""
        return self._latest

    @property
    def _superseded(self) -> set[int]:
        """The relation versions that no event to come can be of."""
        return self._relations.keys() - {version for version, _ in self._latest.values()}

    def _check(self, origin: Origin) -> None:
        """See that a stream is the one that the log holds; raises QueueError if it is not."""
        if self._origin is not None and self._origin != origin:
            raise of_another_stream(self._name, self._origin, origin)

    def _has_begun(self, origin: Origin, checkpoint: Checkpoint) -> None:
        self._origin, self._checkpoint = origin, checkpoint

    def _has_stored(self, batch: Batch, relations: Mapping[int, Relation]) -> None:
        for version, description in batch.relations.items():
            self._know(version, description, relations[version])
        if batch.transactions:
            self._last = batch.transactions[-1]
            self._checkpoint = replace(self._begun(), stored=self._last.end_lsn)

    def _has_acknowledged(self, lsn: Lsn) -> None:
        self._checkpoint = replace(self._begun(), acknowledged=lsn)

    def _know(self, version: int, description: bytes, relation: Relation) -> None:
        self._relations[version] = relation
        self._latest[subject(description)] = (version, description)

    def _forget(self, unused: Collection[int]) -> None:
        """Forget relation versions; in a new dict, since reads under way still need the old one."""
        if unused:
            kept = self._relations.items()
            self._relations = {
                version: relation for version, relation in kept if version not in unused
            }

    def _begun(self) -> Checkpoint:
        if self._checkpoint is None:
            raise RuntimeError("the queue has not begun")
        return self._checkpoint
