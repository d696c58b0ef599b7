"""Which rows of a derived table an event may have made wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from eventscope.app import QueryOperator
from eventscope.queue.event import QueuedEvent
from eventscope.replication import pgoutput
from eventscope.replication.pgoutput import Missing
from eventscope.replication.relations import Text, texts


class MappingError(Exception):
    """A queued row has no column that its operator maps by."""


@dataclass(slots=True)
class Dirty:
    """Target ids to bring up to date, as PostgreSQL's text.

    An event only marks ids; what the rows should be is asked of the database.
    """

    ids: dict[str, None] = field(default_factory=dict)
    left: dict[str, set[str]] = field(default_factory=dict)
    """Ids that a row of a ``delete_with`` entity has left, with the entities."""
    everything: bool = False
    """Whether every row may be wrong: a TRUNCATE, or an old value that the WAL does not hold."""
    swept: set[str] = field(default_factory=set)
    """``delete_with`` entities that may have left any id."""


def dirty_ids(operator: QueryOperator, events: Iterable[QueuedEvent]) -> Dirty:
    """Collect what events make dirty: the old and the new id of an update, and so on.

    A NULL id has no target row and marks nothing.

    Raises:
        MappingError: a row without the mapping column.
    """
    dirty = Dirty()
    for queued in events:
        entity = next(name for name in queued.relation.names if name in operator.ids)
        column = operator.ids[entity]
        ends_with = entity in operator.delete_with
        kind = queued.message[0]
        if kind == pgoutput.TRUNCATE:
            _mark_everything(dirty, entity, ends_with)
            continue
        if queued.relation.position(column) is None:
            raise MappingError(f"table {entity} had no column {column} when this row was written")
        before, after = texts(queued.relation, queued.message, column)
        if kind != pgoutput.INSERT and isinstance(before, Missing):
            _mark_everything(dirty, entity, ends_with)
        elif kind != pgoutput.INSERT and before != after:
            _mark(dirty, before)
            if ends_with and isinstance(before, bytes):
                dirty.left.setdefault(before.decode(), set()).add(entity)
        if kind != pgoutput.DELETE:
            _mark(dirty, after)
    return dirty


def _mark(dirty: Dirty, id_: Text) -> None:
    if isinstance(id_, bytes):
        dirty.ids[id_.decode()] = None


def _mark_everything(dirty: Dirty, entity: str, ends_with: bool) -> None:
    dirty.everything = True
    if ends_with:
        dirty.swept.add(entity)
