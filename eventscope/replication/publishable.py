"""Which tables a publication may take without harm to whoever writes to them.

PostgreSQL refuses every UPDATE and DELETE on a published table whose rows it cannot identify
(documentation, chapter "Logical Replication", section "Publication").
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from psycopg import sql

from eventscope.event import entity_name
from eventscope.replication.connection import Connection, SourceError

OWN_SCHEMA: Final = "eventscope"
"""The schema of our own tables, which nobody wants to hear of."""

_TABLES: Final = """
SELECT c.oid::int8, nspname, relname,
    CASE relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
        WHEN 'f' THEN 'a foreign table'
        ELSE CASE WHEN relpersistence <> 'p' THEN 'an unlogged table'
            WHEN NOT pg_relation_is_publishable(c.oid) THEN 'a system table' ELSE '' END END,
    relkind = 'p', relispartition,
    ARRAY(SELECT inhparent::int8 FROM pg_inherits WHERE inhrelid = c.oid),
    pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE'),
    CASE WHEN relkind <> 'r' THEN true
        WHEN relreplident = 'f' THEN NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = c.oid AND attgenerated = 'v')
        ELSE EXISTS (
            SELECT FROM pg_index WHERE indrelid = c.oid AND indimmediate AND indisvalid
            AND CASE relreplident WHEN 'd' THEN indisprimary WHEN 'i' THEN indisreplident END) END
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
AND nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY nspname, relname
"""

# the catalogs alone: pg_publication_tables waits for locks on the tables
_PUBLISHED: Final = """
SELECT nspname, relname
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace, pg_publication p
WHERE pubname = %s AND pg_relation_is_publishable(c.oid) AND (
    puballtables
    OR EXISTS (SELECT FROM pg_publication_rel WHERE prpubid = p.oid AND prrelid = c.oid)
    OR EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = p.oid AND pnnspid = n.oid))
ORDER BY nspname, relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogs tell of it."""

    oid: int
    schema: str
    name: str
    obstacle: str
    """What it is, if that cannot be published: ``a view``; else empty."""
    partitioned: bool
    partition: bool
    parents: Sequence[int]
    """What it is a partition of or inherits from."""
    owner: str
    ours: bool
    """Whether the role owns it, by itself or as a member of the owner."""
    identified: bool
    """Whether its own rows can be told apart in the WAL."""

    @property
    def entity(self) -> str:
        """The table's name as users write it."""
        return entity_name(self.schema, self.name)

    @property
    def identifier(self) -> sql.Identifier:
        """The name for use in SQL."""
        return sql.Identifier(self.schema, self.name)


class Choice(NamedTuple):
    """The tables to publish, and those that publishing would break."""

    tables: list[Table]
    left_out: list[Table]


class Tables:
    """All tables of a database, and what a role may publish of them."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = {table.oid: table for table in tables}
        self._children: dict[int, list[Table]] = defaultdict(list)
        for table in self._tables.values():
            for parent in table.parents:
                self._children[parent].append(table)

    @classmethod
    async def of(cls, connection: Connection) -> Self:
        """Read the catalogs."""
        cursor = await connection.execute(_TABLES)
        return cls(Table(*row) for row in await cursor.fetchall())

    def every(self) -> Choice:
        """Choose every table that the role may publish; a partition comes with its root."""
        ours = [
            table
            for table in self._tables.values()
            if table.ours and not table.obstacle and table.schema != OWN_SCHEMA
        ]
        oids = {table.oid for table in ours}
        roots = [
            table
            for table in ours
            if not (table.partition and oids.intersection(self._ancestors(table)))
        ]
        broken = {table.oid for table in roots if self._unidentified(table)}
        return Choice(
            [table for table in roots if table.oid not in broken],
            [table for table in roots if table.oid in broken],
        )

    def named(self, names: Iterable[str]) -> list[Table]:
        """Choose tables by name, with those that inherit from them.

        Raises:
            SourceError: one of them does not exist, or must not be published; with the cure.
        """
        chosen: dict[int, Table] = {}
        for name in names:
            table = self.find(name)
            for part in (table, *self._heirs(table)):
                self._check(part)
                chosen[part.oid] = part
        return list(chosen.values())

    def find(self, name: str) -> Table:
        """Look a table up; raises SourceError, with what may have been meant."""
        for table in self._tables.values():
            if name in (table.entity, f"{table.schema}.{table.name}"):
                return table
        known = {table.name: table.entity for table in self._tables.values()}
        known |= {table.entity: table.entity for table in self._tables.values()}
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {known[near[0]]}?" if near else ""
        raise SourceError(f"table {name} does not exist{hint}")

    def kin(self, table: Table) -> Iterator[Table]:
        """The table, and everything above and below it."""
        yield from self._parts(table)
        yield from (self._tables[oid] for oid in self._ancestors(table) if oid in self._tables)

    def _parts(self, table: Table) -> Iterator[Table]:
        """The table, and everything below it: partitions, and what inherits from it."""
        seen = {table.oid}
        below = [table]
        for part in below:
            yield part
            children = [child for child in self._children[part.oid] if child.oid not in seen]
            seen.update(child.oid for child in children)
            below.extend(children)

    def _heirs(self, table: Table) -> Iterator[Table]:
        return (part for part in self._parts(table) if part is not table and not part.partition)

    def _ancestors(self, table: Table) -> Iterator[int]:
        for parent in table.parents:
            yield parent
            if parent in self._tables:
                yield from self._ancestors(self._tables[parent])

    def _unidentified(self, table: Table) -> Table | None:
        """The table, or that of its partitions, whose rows cannot be told apart."""
        parts = [table]
        for part in parts:
            if not part.identified:
                return part
            if part.partitioned:
                parts.extend(self._children[part.oid])
        return None

    def _check(self, table: Table) -> None:
        name = table.entity
        if table.obstacle:
            raise SourceError(f"{name} is {table.obstacle}: its changes cannot be published")
        if not table.ours:
            raise SourceError(
                f"table {name} belongs to {table.owner}, and only its owner may publish it:"
                f" connect as {table.owner}, or name a publication that has it with --publication"
            )
        if broken := self._unidentified(table):
            raise SourceError(
                f"table {broken.entity} has no replica identity, so PostgreSQL would refuse every"
                f" UPDATE and DELETE on it once it is published: give it a primary key, or run"
                f" ALTER TABLE {broken.identifier.as_string()} REPLICA IDENTITY FULL"
            )


async def published(connection: Connection, publication: str) -> list[str]:
    """The names of the tables that a publication has; raises SourceError if there is none."""
    cursor = await connection.execute("SELECT pubname FROM pg_publication ORDER BY pubname")
    known = [name for (name,) in await cursor.fetchall()]
    if publication not in known:
        there = f"there are {', '.join(known)}" if known else "there is none in this database"
        raise SourceError(f"publication {publication} does not exist; {there}")
    cursor = await connection.execute(_PUBLISHED, (publication,))
    return [entity_name(schema, table) for schema, table in await cursor.fetchall()]
