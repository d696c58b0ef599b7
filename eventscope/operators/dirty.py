"""Which rows of a derived table events may have made wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from eventscope.app import QueryOperator
from eventscope.ids import Parts, Sql, mapping_columns
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import Target
from eventscope.replication import pgoutput
from eventscope.replication.pgoutput import MISSING
from eventscope.replication.relations import Relation, Texts, texts


class MappingError(Exception):
    """A queued row has no column that its operator maps by."""


@dataclass(frozen=True, slots=True)
class Source:
    """How the rows of one relation version map to target ids."""

    relation: Relation
    entity: str
    parts: Parts
    columns: tuple[str, ...]
    """The columns that the id depends on."""
    places: tuple[int, ...]
    """Where these are in a row."""
    computed: bool
    """Whether the server computes the id from the columns; else they are its parts."""
    ends: bool
    """Whether the end of its row is the end of the target row."""


class RowChange(NamedTuple):
    """What an event tells of a row: the columns of its source before and after it.

    None stands for no row, MISSING for a value that the WAL does not hold.
    """

    source: Source
    queued: QueuedEvent
    before: Texts | None
    after: Texts | None


@dataclass(slots=True)
class Dirty:
    """Target ids to bring up to date, as PostgreSQL's text.

    An event only marks ids; what the rows should be is asked of the database.
    """

    ids: dict[Target, QueuedEvent] = field(default_factory=dict)
    """Each with the last event that marked it."""
    left: dict[Target, set[str]] = field(default_factory=dict)
    """Ids that a row of a ``delete_with`` entity has left, with the entities."""
    everything: QueuedEvent | None = None
    """The event since which every row may be wrong: a TRUNCATE, or one whose old value the WAL
    does not hold."""
    swept: set[str] = field(default_factory=set)
    """``delete_with`` entities that may have left any id."""
    skipped: int = 0
    """Events of rows that have no target, as their id is NULL."""
    pending: list[RowChange] = field(default_factory=list)
    """Changes of rows whose ids the server is still to compute."""

    @classmethod
    def again(cls, operator: QueryOperator, ids: Mapping[Target, QueuedEvent]) -> Self:
        """Ids that could not be brought up to date before, or that somebody asks for.

        What has happened to them since is not known, so each may have been left by any entity.
        """
        entities = operator.delete_with
        return cls(dict(ids), {id_: set(entities) for id_ in ids} if entities else {})

    def mark(self, change: RowChange) -> None:
        """Note what a change makes dirty: the id that a row had, and the one that it has."""
        source, queued, before, after = change
        marked = False
        if before is not None and before != after:
            if MISSING in before:
                marked = self._mark_everything(source, queued)
            elif None not in before:
                id_ = _decoded(before)
                marked = self._mark_id(id_, queued)
                if source.ends:
                    self.left.setdefault(id_, set()).add(source.entity)
        if after is not None:
            if MISSING in after:
                marked = self._mark_everything(source, queued)
            elif None not in after:
                marked = self._mark_id(_decoded(after), queued)
        if not marked:
            self.skipped += 1

    def truncate(self, source: Source, queued: QueuedEvent) -> None:
        """Note that all rows of a source are gone."""
        self._mark_everything(source, queued)

    def entities_left(self) -> Iterator[tuple[Target, set[str]]]:
        """All ids that may be without a row of some ``delete_with`` entity, with the entities."""
        if not self.swept:
            yield from self.left.items()
            return
        for id_ in self.ids:
            yield id_, self.left.get(id_, set()) | self.swept

    def _mark_id(self, id_: Target, queued: QueuedEvent) -> bool:
        earlier = self.ids.get(id_)
        if earlier is None or earlier.seq < queued.seq:
            self.ids[id_] = queued
        return True

    def _mark_everything(self, source: Source, queued: QueuedEvent) -> bool:
        self.everything = queued
        if source.ends:
            self.swept.add(source.entity)
        return True


class Marker:
    """Collects what an operator's events make dirty.

    Args:
        operator: says how rows map to target ids.
    """

    def __init__(self, operator: QueryOperator) -> None:
        self._operator = operator
        self._sources: dict[int, Source] = {}  # by identity, as a relation is costly to hash

    def mark(self, events: Iterable[QueuedEvent]) -> Dirty:
        """What events make dirty, as far as the events alone tell; the rest is pending.

        Raises:
            MappingError: a row without the mapping column.
        """
        dirty = Dirty()
        sources = self._sources
        for queued in events:
            relation, message = queued.relation, queued.message
            source = sources.get(id(relation)) or self._source(relation)
            if message[0] == pgoutput.TRUNCATE:
                dirty.truncate(source, queued)
                continue
            before, after = texts(relation, message, source.places)
            change = RowChange(source, queued, before, after)
            if source.computed:
                dirty.pending.append(change)
            else:
                dirty.mark(change)
        return dirty

    def _source(self, relation: Relation) -> Source:
        operator = self._operator
        entity = next(name for name in relation.names if name in operator.ids)
        parts = operator.ids[entity]
        columns = mapping_columns(parts, relation.column_names)
        places = []
        for column in columns:
            place = relation.position(column)
            if place is None:
                raise MappingError(
                    f"table {entity} had no column {column} when this row was written"
                )
            places.append(place)
        source = Source(
            relation=relation,
            entity=entity,
            parts=parts,
            columns=columns,
            places=tuple(places),
            computed=any(isinstance(part, Sql) for part in parts),
            ends=entity in operator.delete_with,
        )
        self._sources[id(relation)] = source
        return source


def _decoded(values: Texts) -> Target:
    return tuple([value.decode() for value in values])  # type: ignore[union-attr]
