"""Which rows of a derived table events may have made wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from eventscope.declaration import QueryOperator
from eventscope.ids import Parts, Sql, mapping_columns
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import Target
from eventscope.replication import pgoutput
from eventscope.replication.pgoutput import MISSING
from eventscope.replication.relations import Relation, Texts, inserted_texts, texts


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
    key: tuple[int, ...] = ()
    """Where the columns are that tell a row from others, if the WAL does not hold its old id and
    a shadow map does; else empty."""
    tells: bool = False
    """Whether a shadow map of its entity would not be kept, as the WAL holds old ids."""
    plain: bool = False
    """Whether an inserted row needs no more than a look at its columns."""


class RowChange(NamedTuple):
    """What an event tells of a row: the columns of its source before and after it.

    None stands for no row, MISSING for a value that the WAL does not hold.
    """

    source: Source
    queued: QueuedEvent
    before: Texts | None
    after: Texts | None
    key_before: Texts | None = None
    key_after: Texts | None = None

    def halves(self) -> tuple[Self, ...]:
        """The same as the end of a row and the beginning of another, if it is both."""
        if self.before is None or self.after is None:
            return (self,)
        return (
            self._replace(after=None, key_after=None),
            self._replace(before=None, key_before=None),
        )


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
    """Changes of rows whose ids the server is still to compute, or a shadow map to tell."""
    applied_until: int = 0
    """Events up to this one have taken effect before; see ``ShadowMap.resolve``."""
    unmapped: list[Source] = field(default_factory=list)
    """Sources whose shadow map is to be begun before anything is recomputed."""
    told: set[str] = field(default_factory=set)
    """Entities whose shadow maps have missed a change."""

    @classmethod
    def again(cls, operator: QueryOperator, ids: Mapping[Target, QueuedEvent]) -> Self:
        """Ids that could not be brought up to date before, or that somebody asks for.

        What has happened to them since is not known, so each may have been left by any entity.
        """
        entities = operator.delete_with
        return cls(dict(ids), {id_: set(entities) for id_ in ids} if entities else {})

    def mark(self, change: RowChange) -> None:
        """Note what a change makes dirty: the id that a row had, and the one that it has."""
        source, queued, before, after = change[:4]
        marked = False
        if before is not None and before != after:
            if MISSING in before:
                marked = self._mark_everything(source, queued)
            elif None not in before:
                id_ = decoded(before)
                marked = self.mark_id(id_, queued)
                if source.ends:
                    self.left.setdefault(id_, set()).add(source.entity)
        if after is not None:
            if MISSING in after:
                marked = self._mark_everything(source, queued)
            elif None not in after:
                marked = self.mark_id(decoded(after), queued)
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

    def mark_id(self, id_: Target, queued: QueuedEvent) -> bool:
        """Note an id, with the last event that made it dirty."""
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
        shadowed: whether shadow maps are kept for it.
    """

    def __init__(self, operator: QueryOperator, *, shadowed: bool = False) -> None:
        self._operator = operator
        self._shadowed = shadowed
        self._sources: dict[int, Source] = {}  # by identity, as a relation is costly to hash

    def mark(self, events: Iterable[QueuedEvent], applied_until: int = 0) -> Dirty:
        """What events make dirty, as far as the events alone tell; the rest is pending.

        Raises:
            MappingError: a row without the mapping column.
        """
        dirty = Dirty(applied_until=applied_until)
        if applied_until:  # what has left their ids since is not known
            dirty.swept.update(self._operator.delete_with)
        sources = self._sources
        inserted: dict[Texts, QueuedEvent] = {}  # apart, as most events are of this kind
        for queued in events:
            relation, message = queued.relation, queued.message
            source = sources.get(id(relation)) or self._source(relation)
            if source.tells:
                dirty.told.add(source.entity)
            if source.plain and message[0] == pgoutput.INSERT:
                made = inserted_texts(relation, message, source.places)
                if None in made:
                    dirty.skipped += 1
                else:
                    inserted[made] = queued
                continue
            if message[0] == pgoutput.TRUNCATE:
                dirty.truncate(source, queued)
                if source.key:
                    dirty.pending.append(RowChange(source, queued, None, None))
                continue
            before, after = texts(relation, message, source.places)
            if source.key:
                keys = texts(relation, message, source.key)
                dirty.pending.append(RowChange(source, queued, before, after, *keys))
            elif source.computed:
                dirty.pending.append(RowChange(source, queued, before, after))
            else:
                dirty.mark(RowChange(source, queued, before, after))
        for texts_of_id, queued in inserted.items():
            dirty.mark_id(decoded(texts_of_id), queued)
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
        itself = self._shadowed and relation.entity == entity  # and not a partition or heir of it
        key = tuple(n for n, column in enumerate(relation.columns) if column.in_identity)
        if not itself or relation.identity == "f" or set(places) <= set(key):
            key = ()
        source = Source(
            relation=relation,
            entity=entity,
            parts=parts,
            columns=columns,
            places=tuple(places),
            computed=any(isinstance(part, Sql) for part in parts),
            ends=entity in operator.delete_with,
            key=key,
            tells=itself and not key,
            plain=not key and not any(isinstance(part, Sql) for part in parts),
        )
        self._sources[id(relation)] = source
        return source


def decoded(values: Texts) -> Target:
    """An id or key none of whose parts is NULL or missing."""
    return tuple([value.decode() for value in values])  # type: ignore[union-attr]
