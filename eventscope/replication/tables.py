"""What the catalogs tell of the tables to follow: kind, rights, columns, identity.

Source: PostgreSQL documentation, chapters "System Catalogs" and "Logical Replication".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from eventscope.app import EventScope
from eventscope.declaration import QueryOperator
from eventscope.event import entity_name, split_entity
from eventscope.replication.connection import Connection

_TABLES: Final = """
SELECT place, jsonb_build_object(
    'schema', nspname,
    'table', relname,
    'kind', relkind,
    'owner', pg_get_userbyid(relowner),
    'owned', pg_has_role(relowner, 'USAGE'),
    'schema_usable', has_schema_privilege(relnamespace, 'USAGE'),
    'rights', ARRAY(
        SELECT "right" FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) "right"
        WHERE has_table_privilege(c.oid, "right")
        OR "right" <> 'DELETE' AND has_any_column_privilege(c.oid, "right")),
    'row_security', row_security_active(c.oid),
    'columns', ARRAY(
        SELECT attname FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),
    'stored', ARRAY(
        SELECT attname FROM pg_attribute
        WHERE attrelid = c.oid AND attgenerated = 's' AND NOT attisdropped ORDER BY attnum),
    'virtual', ARRAY(
        SELECT attname FROM pg_attribute
        WHERE attrelid = c.oid AND attgenerated = 'v' AND NOT attisdropped ORDER BY attnum),
    'key', ARRAY(
        SELECT attname FROM pg_index JOIN pg_attribute
        ON attrelid = indrelid AND attnum = ANY ((indkey::int[])[:indnkeyatts - 1])
        WHERE indrelid = c.oid AND indisprimary),
    'parts', (
        SELECT jsonb_agg(jsonb_build_object(
            'schema', nspname,
            'table', relname,
            'kind', relkind,
            'heir', NOT relispartition AND t.oid <> c.oid,
            'persistence', relpersistence,
            'replica_identity', relreplident,
            'identity', ARRAY(
                SELECT attname FROM pg_attribute
                WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND (
                    t.relreplident = 'f' OR EXISTS (
                        SELECT FROM pg_index
                        WHERE indrelid = t.oid AND attnum = ANY ((indkey::int[])[:indnkeyatts - 1])
                        AND indimmediate -- a deferrable key identifies nothing
                        AND CASE t.relreplident
                            WHEN 'd' THEN indisprimary WHEN 'i' THEN indisreplident END)))
            ) ORDER BY nspname, relname)
        FROM unnest(family.oids) AS below(oid) JOIN pg_class t USING (oid)
        JOIN pg_namespace n ON n.oid = t.relnamespace
        WHERE t.relkind <> 'p' OR NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = t.oid)),
    'below', (
        SELECT jsonb_agg(jsonb_build_array(nspname, relname))
        FROM unnest(family.oids) AS below(oid) JOIN pg_class t USING (oid)
        JOIN pg_namespace n ON n.oid = t.relnamespace),
    'above', (
        SELECT coalesce(jsonb_agg(jsonb_build_array(nspname, relname)), '[]')
        FROM pg_partition_ancestors(c.oid) JOIN pg_class t ON t.oid = relid
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE t.oid <> c.oid))
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS given(schema, name, place)
JOIN pg_namespace ON nspname = given.schema
JOIN pg_class c ON relnamespace = pg_namespace.oid AND relname = given.name
CROSS JOIN LATERAL (
    WITH RECURSIVE descent AS (
        SELECT c.oid UNION SELECT inhrelid FROM pg_inherits JOIN descent ON inhparent = descent.oid)
    SELECT array_agg(oid) AS oids FROM descent) family
ORDER BY place
"""

Right = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True)
class Part:
    """A table that holds rows: the table itself, a partition, or a table that inherits from it."""

    schema: str
    table: str
    kind: str
    """``pg_class.relkind``."""
    heir: bool
    """Whether it inherits and is no partition: it is in a publication for itself, or not."""
    persistence: str
    """``pg_class.relpersistence``."""
    replica_identity: Literal["d", "n", "f", "i"]
    identity: frozenset[str]
    """The columns whose old value every update and delete tells."""

    @property
    def name(self) -> str:
        """As users write it."""
        return entity_name(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class Table:
    """A table, view or the like, as the connection's role sees it."""

    schema: str
    table: str
    kind: str
    """``pg_class.relkind``."""
    owner: str
    owned: bool
    """Whether the role owns it, or is a member of the role that does."""
    schema_usable: bool
    rights: frozenset[Right]
    """What the role may do with it, or with some of its columns."""
    row_security: bool
    """Whether policies hide rows from the role."""
    columns: tuple[str, ...]
    stored: tuple[str, ...]
    """Columns that are generated when a row is written."""
    virtual: tuple[str, ...]
    """Columns that are generated when a row is read."""
    key: frozenset[str]
    """The columns of the primary key."""
    parts: tuple[Part, ...]
    """What holds its rows; never empty."""
    below: tuple[tuple[str, str], ...]
    """Schema and name of itself, its partitions and its heirs."""
    above: tuple[tuple[str, str], ...]
    """Schema and name of the tables that it is a partition of."""

    @property
    def name(self) -> str:
        """As users write it."""
        return entity_name(self.schema, self.table)

    @property
    def partitioned(self) -> bool:
        """Whether its rows are in partitions."""
        return self.kind == "p"

    @property
    def identity(self) -> frozenset[str]:
        """The columns whose old value every update and delete tells, wherever the row is."""
        return frozenset.intersection(*(part.identity for part in self.parts))

    @property
    def family(self) -> frozenset[str]:
        """The names of itself, its partitions and its heirs: all that is published with it."""
        return frozenset(entity_name(schema, table) for schema, table in self.below)


def named(app: EventScope) -> list[str]:
    """Every table that an application names: those it follows and those that it keeps."""
    targets = [o.target for o in app.operators if isinstance(o, QueryOperator)]
    return [*app.entities, *targets]


async def look_up(connection: Connection, entities: Collection[str]) -> dict[str, Table]:
    """Find tables; returns them by the names that were given, without those that do not exist."""
    given = list(dict.fromkeys(entities))
    schemas, tables = zip(*map(split_entity, given), strict=True) if given else ((), ())
    cursor = await connection.execute(_TABLES, (list(schemas), list(tables)))
    rows = await cursor.fetchall()
    return {given[place - 1]: msgspec.convert(row, Table) for place, row in rows}
