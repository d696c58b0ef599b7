"""What the rows of a source map to, where the WAL does not tell what they mapped to before.

Under REPLICA IDENTITY DEFAULT an update or delete tells the old key of a row and nothing else of
what it was. If the target's id does not follow from the key, the operator keeps for each key what
the row maps to, as it works through its events in order. What it keeps are facts, "since event n
row k maps to id i", written before the transaction of these events is committed: whether it has
been or not, the last fact older than the first event of a batch is what was true before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from psycopg import sql

from eventscope.ids import Sql
from eventscope.operators.dirty import RowChange, Source, decoded
from eventscope.operators.expressions import as_text
from eventscope.operators.facts import Fact, Mapped, last_before, packed, unpacked
from eventscope.operators.fence import Snapshot
from eventscope.queue.records import Target
from eventscope.replication import pgoutput
from eventscope.replication.catalog import identifier
from eventscope.replication.connection import Connection
from eventscope.replication.pgoutput import MISSING
from eventscope.replication.relations import Texts

_AT_ONCE: Final = 1000
"""Rows of a source that are held at once when it is read as a whole."""

_HEAD: Final[Target] = ()
"""The key under which a map says of which shape it is, and from which snapshot."""


@dataclass(slots=True)
class _Map:
    """What is known of an entity's map beside its facts."""

    snapshot: Snapshot | None = None
    """Where it was begun; None if it is not complete."""
    shape: Target = ()
    gone: set[Target] = field(default_factory=set)
    """Keys that a committed batch has left without a row, and that are still kept."""


@dataclass(slots=True)
class _Batch:
    """What the changes of one batch do to an entity's map; final once they are committed."""

    source: Source
    first: int
    facts: dict[Target, Fact | None] = field(default_factory=dict)
    """The last of each key; None if its row is gone."""
    again: bool = False
    """Whether the events have been applied before, and later facts may be known."""
    begun: Snapshot | None = None
    """The snapshot of a map that was begun with this batch."""


class ShadowMap:
    """The maps of one operator, by entity.

    It is for one batch after another: ``resolve`` when its changes are known, ``begin`` in its
    transaction for what ``resolve`` asks for, ``committed`` afterwards. A batch that is tried
    again is resolved again. What is not known costs a recomputation of the whole target, never
    a wrong row.

    Args:
        operator: its name.
        store: where the maps are kept.
    """

    def __init__(self, operator: str, store: Mapped) -> None:
        self._operator = operator
        self._store = store
        self._maps: dict[str, _Map] = {}
        self._batches: list[_Batch] = []

    async def resolve(
        self,
        changes: Sequence[RowChange],
        applied_until: int = 0,
        told: Collection[str] = (),
    ) -> tuple[list[RowChange], list[Source]]:
        """Fill in what rows mapped to before, and note what they map to now.

        Args:
            changes: of a batch, in order; their ids are computed.
            applied_until: events up to this sequence number have taken effect before (a replay,
                a dead letter): where their old ids are not known, they need not be.
            told: entities of which there are other changes in the batch, whose old ids the WAL
                tells. Their maps miss these changes, and are given up.

        Returns:
            The changes, some of them still with MISSING parts, and the sources whose map is to
            be begun in the batch's transaction, before anything is recomputed there.
        """
        self._batches = []
        for entity in told:
            await self._forget(entity)
        by_entity: dict[str, list[int]] = {}
        for place, change in enumerate(changes):
            if change.source.key:
                by_entity.setdefault(change.source.entity, []).append(place)
        filled = list(changes)
        wanted = []
        for places in by_entity.values():
            some = [changes[place] for place in places]
            batch = _Batch(some[-1].source, some[0].queued.seq)
            batch.again = batch.first <= applied_until
            facts = await self._facts(batch, some)
            if batch.source.entity not in told:  # or a row may have moved in between
                some = [self._fill(batch, facts, change, applied_until) for change in some]
            for place, change in zip(places, some, strict=True):
                filled[place] = change
            is_complete = self._maps[batch.source.entity].snapshot is not None
            missed = any(_misses(change) for change in some)
            if missed or (is_complete and any(map(_empties, some))):
                await self._forget(batch.source.entity)
                if batch.source.entity not in told:
                    wanted.append(batch.source)
            elif is_complete:
                await self._keep(batch, facts)
            self._batches.append(batch)
        return filled, wanted

    async def begin(self, connection: Connection, source: Source) -> None:
        """Read what every row of a source maps to, in a snapshot of its own.

        This is right on these conditions only:

        - All ids of the target and its sources are recomputed afterwards, in the same transaction
          or a later one, and nothing before it counts (``Dirty.everything``). Then an event that
          this snapshot sees has had its whole effect, whichever id its row mapped to before:
          whatever old value it finds here is good enough, and if it finds none it needs none.
        - The transaction reads what is committed at each statement (READ COMMITTED): what is
          recomputed later sees no less.
        - ``committed`` is called once that recomputation is, and not otherwise. Until then the
          map counts for nothing.
        - Every later event of the source passes through ``resolve`` in order. One that this
          snapshot does not see finds either the fact of an earlier event, or what was read here,
          which nothing between has changed.

        Args:
            connection: inside a transaction.
            source: whose key tells rows from each other.
        """
        [batch] = [batch for batch in self._batches if batch.source.entity == source.entity]
        self._maps[source.entity] = _Map()
        await self._store.unmap(self._operator, source.entity)
        cursor = await connection.execute("SELECT pg_current_snapshot()::text")
        [[snapshot]] = await cursor.fetchall()
        await connection.execute(_reading(source))
        while True:
            cursor = await connection.execute(f"FETCH {_AT_ONCE} FROM eventscope_rows")
            rows = await cursor.fetchall()
            if not rows:
                break
            width = len(source.key)
            read = {row[:width]: _target(row[width:]) for row in rows}
            await self._write(source, {k: [Fact(batch.first - 1, id_)] for k, id_ in read.items()})
        await connection.execute("CLOSE eventscope_rows")
        batch.begun = Snapshot.parse(snapshot)

    async def committed(self) -> None:
        """Hear that the batch that was resolved last has taken effect."""
        for batch in self._batches:
            known = self._maps[batch.source.entity]
            if batch.begun is not None:
                known.snapshot, known.shape = batch.begun, _shape(batch.source)
                head = {_HEAD: (*known.shape, _printed(batch.begun))}
                await self._store.map(self._operator, batch.source.entity, head)
            if known.snapshot is not None and not batch.again:
                known.gone |= {key for key, fact in batch.facts.items() if fact is None}
        self._batches = []

    async def _forget(self, entity: str) -> None:
        """Give up a map."""
        if (await self._map(entity)).shape:
            self._maps[entity] = _Map()
            await self._store.unmap(self._operator, entity)

    async def _map(self, entity: str) -> _Map:
        """What is known of a map; asked of the store once."""
        if entity not in self._maps:
            found = await self._store.mapped(self._operator, entity, [_HEAD])
            head = found.get(_HEAD)
            self._maps[entity] = _Map(Snapshot.parse(head[-1]), head[:-1]) if head else _Map()
        return self._maps[entity]

    async def _facts(self, batch: _Batch, changes: Sequence[RowChange]) -> dict[Target, list[Fact]]:
        """All that is kept for the keys of some changes; nothing if the map is not complete."""
        entity, shape = batch.source.entity, _shape(batch.source)
        known = await self._map(entity)
        sources = {id(change.source): change.source for change in changes}.values()
        if known.shape and any(_shape(source) != known.shape for source in sources):
            await self._forget(entity)
        if self._maps[entity].shape != shape:
            return {}
        keys = {
            decoded(key)
            for change in changes
            for key in (change.key_before, change.key_after)
            if key is not None and MISSING not in key
        }
        found = await self._store.mapped(self._operator, entity, keys)
        return {key: unpacked(some) for key, some in found.items() if some}

    def _fill(
        self,
        batch: _Batch,
        facts: Mapping[Target, Sequence[Fact]],
        change: RowChange,
        applied_until: int,
    ) -> RowChange:
        """One change with its old id, as far as it is known; notes what the row maps to now."""
        source, queued, before, after, key_before, key_after = change
        if _shape(source) != _shape(batch.source):
            return change
        old = new = None
        if before is not None and key_before is not None:
            if MISSING in before and MISSING not in key_before:
                found = self._before(batch, facts, decoded(key_before))
                if found is not None:
                    before = _encoded(found.target, len(before))
                elif self._is_covered(source, change, applied_until):
                    before = None
            old = None if MISSING in key_before else decoded(key_before)
        if after is not None and key_after is not None:
            if MISSING in after and before is not None and not source.computed:
                after = tuple(b if a is MISSING else a for a, b in zip(after, before, strict=True))
            new = None if MISSING in key_after else decoded(key_after)
        if old is not None and old != new:
            batch.facts[old] = None
        if new is not None and after is not None and MISSING not in after:
            batch.facts[new] = Fact(queued.seq, _target(after))
        return change._replace(before=before, after=after)

    def _before(
        self, batch: _Batch, facts: Mapping[Target, Sequence[Fact]], key: Target
    ) -> Fact | None:
        if key in batch.facts:
            return batch.facts[key]
        return last_before(batch.first, facts.get(key, ()))

    def _is_covered(self, source: Source, change: RowChange, applied_until: int) -> bool:
        """Whether an event has had its effect already, whatever its row was before."""
        snapshot = self._maps[source.entity].snapshot
        return change.queued.seq <= applied_until or (
            snapshot is not None and snapshot.sees(change.queued.transaction.xid)
        )

    async def _keep(self, batch: _Batch, facts: Mapping[Target, Sequence[Fact]]) -> None:
        """Write a batch's facts, with those that may still be needed, and forget what is gone."""
        known = self._maps[batch.source.entity]
        noted = {}
        for key, fact in batch.facts.items():
            if fact is not None:
                kept = facts.get(key, ())
                older = last_before(batch.first, kept)
                newer = {f.seq: f for f in (*kept, fact) if f.seq >= batch.first}
                noted[key] = [*([older] if older else []), *newer.values()]
        removed = known.gone - batch.facts.keys()
        if noted or removed:
            await self._write(batch.source, noted, removed)
        known.gone = known.gone & {key for key, fact in batch.facts.items() if fact is None}

    async def _write(
        self,
        source: Source,
        facts: Mapping[Target, Sequence[Fact]],
        removed: Collection[Target] = (),
    ) -> None:
        mapping = {key: packed(some) for key, some in facts.items()}
        await self._store.map(self._operator, source.entity, mapping, removed)


def _misses(change: RowChange) -> bool:
    """Whether an id is not known."""
    return MISSING in (change.before or ()) or MISSING in (change.after or ())


def _empties(change: RowChange) -> bool:
    """Whether it is a TRUNCATE. A map is begun anew then, as everything is recomputed anyway."""
    return change.queued.message[0] == pgoutput.TRUNCATE


def _reading(source: Source) -> sql.Composed:
    """Opens a cursor over the keys and ids of all rows of a source.

    A key is said as the WAL says it, by its type's output function, which a cast need not be.
    """
    relation = source.relation
    keys = [
        sql.SQL("format('%s', {})").format(sql.Identifier(relation.columns[place].name))
        for place in source.key
    ]
    return sql.SQL("DECLARE eventscope_rows NO SCROLL CURSOR FOR SELECT {} FROM {} {}").format(
        sql.SQL(", ").join([*keys, *map(as_text, source.parts)]),
        sql.SQL("" if relation.partitioned else "ONLY"),
        identifier(source.entity),
    )


def _shape(source: Source) -> Target:
    """What keys and ids are made of; a map of another shape says nothing."""
    keys = [source.relation.columns[place].name for place in source.key]
    parts = [part.expression if isinstance(part, Sql) else part for part in source.parts]
    return (*keys, "", *parts)


def _target(values: Sequence[bytes | str | None] | Texts) -> Target | None:
    """An id, or None if a part of it is NULL."""
    if None in values:
        return None
    return tuple([value.decode() if isinstance(value, bytes) else str(value) for value in values])


def _encoded(target: Target | None, width: int) -> Texts:
    return (None,) * width if target is None else tuple([part.encode() for part in target])


def _printed(snapshot: Snapshot) -> str:
    running = ",".join(map(str, sorted(snapshot.running)))
    return f"{snapshot.xmin}:{snapshot.xmax}:{running}"
