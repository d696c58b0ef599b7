"""Which events an operator will see."""

from __future__ import annotations

from collections.abc import Mapping

from eventscope.declaration import Operator
from eventscope.queue.event import QueuedEvent
from eventscope.replication.assembly import Counts
from eventscope.replication.pgoutput import EVENT_TYPE_OF
from eventscope.replication.relations import Relation


class Interest:
    """What an operator follows, told from raw events.

    Args:
        operator: whose.
    """

    def __init__(self, operator: Operator) -> None:
        self._entities = operator.entities
        self._kinds = {kind for kind, type in EVENT_TYPE_OF.items() if type in operator.events}

    def follows(self, relation: Relation) -> bool:
        """Whether events of a relation may be for it."""
        return any(name in self._entities for name in relation.names)

    def wants(self, queued: QueuedEvent) -> bool:
        """Whether an event of a relation that it follows is for it."""
        return queued.message[0] in self._kinds

    def counted(self, counts: Counts, relations: Mapping[int, Relation]) -> int:
        """How many of the counted events are for it."""
        return sum(
            count
            for (version, kind), count in counts.items()
            if kind in self._kinds and self.follows(relations[version])
        )
