"""A publication: what it tells of which tables, and the statements that make it.

Source: PostgreSQL documentation, "CREATE PUBLICATION".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from psycopg import sql

from eventscope.event import ROW_EVENTS, EventType, entity_name
from eventscope.replication.catalog import identifier
from eventscope.replication.connection import Connection
from eventscope.replication.finding import statement
from eventscope.replication.tables import Part, Table

# the catalogs alone: pg_publication_tables waits for locks on the tables
_PUBLICATION: Final = """
SELECT jsonb_build_object(
    'oid', p.oid::bigint,
    'name', pubname,
    'owner', pg_get_userbyid(pubowner),
    'owned', pg_has_role(pubowner, 'USAGE'),
    'all_tables', puballtables,
    'via_root', pubviaroot,
    'stored_columns', to_jsonb(p)->>'pubgencols' = 's', -- since PostgreSQL 18
    'actions', array_remove(ARRAY[
        CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update' END,
        CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END], NULL),
    'members', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'oid', r.oid::bigint,
            'schema', nspname,
            'table', relname,
            'columns', (
                SELECT jsonb_agg(attname) FROM pg_attribute
                WHERE attrelid = prrelid AND attnum = ANY (prattrs::int[])),
            'filter', pg_get_expr(prqual, prrelid),
            'filter_columns', ARRAY(
                SELECT attname FROM pg_attribute
                WHERE attrelid = prrelid AND attnum IN (
                    SELECT (regexp_matches(prqual::text, ':varattno (\\d+)', 'g'))[1]::int))
        )), '[]')
        FROM pg_publication_rel r JOIN pg_class c ON c.oid = prrelid
        JOIN pg_namespace n ON n.oid = relnamespace WHERE prpubid = p.oid),
    'schemas', ARRAY(
        SELECT nspname FROM pg_publication_namespace JOIN pg_namespace n ON n.oid = pnnspid
        WHERE pnpubid = p.oid))
FROM pg_publication p WHERE pubname = %s
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A table that a publication names, with what it tells of it."""

    oid: int
    """Of the entry: another one if the table has been taken out and put in again."""
    schema: str
    table: str
    columns: frozenset[str] | None
    """The columns it tells of; None for all."""
    filter: str | None
    """The condition that a row must meet."""
    filter_columns: frozenset[str]

    @property
    def name(self) -> str:
        """As users write it."""
        return entity_name(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as the connection's role sees it."""

    oid: int
    name: str
    owner: str
    owned: bool
    """Whether the role owns it, or is a member of the role that does."""
    all_tables: bool
    via_root: bool
    """Whether the rows of partitions come under the name of the table they belong to."""
    stored_columns: bool | None
    """Whether it tells of stored generated columns; None where no publication can."""
    actions: frozenset[EventType]
    members: tuple[Member, ...] = ()
    """The tables that it names."""
    schemas: frozenset[str] = frozenset()
    """The schemas of which it takes every table."""

    @classmethod
    def to_be_made(cls, name: str, version: int) -> Publication:
        """A publication as ``creation`` makes it on a server of this version."""
        return cls(
            oid=0,
            name=name,
            owner="",
            owned=True,
            all_tables=False,
            via_root=True,
            stored_columns=True if version >= 180000 else None,
            actions=frozenset(ROW_EVENTS),
        )

    def has(self, table: Table) -> bool:
        """Whether it tells of a table, under whatever name."""
        return self._takes(table.schema, table.table) or self.has_above(table)

    def has_above(self, table: Table) -> bool:
        """Whether it was given a table that this one is a partition of."""
        return any(self._takes(*above) for above in table.above)

    def lacks(self, table: Table, part: Part) -> bool:
        """Whether it tells of a table, but not of this part."""
        return part.heir and self.has(table) and not self._takes(part.schema, part.table)

    def _takes(self, schema: str, table: str) -> bool:
        name = entity_name(schema, table)
        return self.all_tables or schema in self.schemas or self.member(name) is not None

    def member(self, entity: str) -> Member | None:
        """What it says of a table that it names."""
        return next((member for member in self.members if member.name == entity), None)


async def look_up(connection: Connection, name: str) -> Publication | None:
    """Find a publication; None if there is none of that name."""
    row = await (await connection.execute(_PUBLICATION, (name,))).fetchone()
    return None if row is None else msgspec.convert(row[0], Publication)


def creation(name: str, entities: Sequence[str], version: int) -> str:
    """The statement that makes a publication of exactly these tables, or of none."""
    options = "publish_via_partition_root = true"
    if version >= 180000:
        options += ", publish_generated_columns = stored"
    tables = sql.SQL("FOR TABLE {} ").format(_list(entities)) if entities else sql.SQL("")
    return statement(f"CREATE PUBLICATION {{}} {{}}WITH ({options})", sql.Identifier(name), tables)


def addition(name: str, entities: Iterable[str]) -> str:
    """The statement that adds tables to a publication."""
    return statement("ALTER PUBLICATION {} ADD TABLE {}", sql.Identifier(name), _list(entities))


def renewal(name: str, member: Member) -> str:
    """The statements that put a table in again, with the same rows but all its columns."""
    publication, table = sql.Identifier(name), identifier(member.name)
    rows = sql.SQL(f" WHERE ({member.filter})" if member.filter else "")
    return "\n".join(
        (
            statement("ALTER PUBLICATION {} DROP TABLE {}", publication, table),
            statement("ALTER PUBLICATION {} ADD TABLE {}{}", publication, table, rows),
        )
    )


def change(name: str, options: str) -> str:
    """The statement that sets a publication's options, given as PostgreSQL writes them."""
    return statement(f"ALTER PUBLICATION {{}} SET ({options})", sql.Identifier(name))


def _list(entities: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(identifier(entity) for entity in entities)
