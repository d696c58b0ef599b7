"""A database in outline: its tables, their keys, and which of them lead to which.

Source: PostgreSQL documentation, chapter "System Catalogs".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from eventscope.event import entity_name
from eventscope.replication.connection import conninfo, looking_at_tables
from eventscope.replication.publishable import OWN_SCHEMA
from eventscope.settings import Settings

_TABLES: Final = """
SELECT jsonb_build_object(
    'schema', nspname,
    'table', relname,
    'is_full', relreplident = 'f',
    'columns', (
        SELECT coalesce(jsonb_object_agg(attname, format_type(atttypid, atttypmod)), '{}')
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    'key', ARRAY(
        SELECT attname FROM pg_index
        CROSS JOIN unnest((indkey::int[])[:indnkeyatts - 1]) WITH ORDINALITY AS part(num, place)
        JOIN pg_attribute ON attrelid = indrelid AND attnum = num
        WHERE indrelid = c.oid AND indisprimary ORDER BY place),
    'references', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'schema', tn.nspname,
            'table', t.relname,
            'columns', ARRAY(
                SELECT attname FROM unnest(conkey) WITH ORDINALITY AS part(num, place)
                JOIN pg_attribute ON attrelid = conrelid AND attnum = num ORDER BY place),
            'referenced', ARRAY(
                SELECT attname FROM unnest(confkey) WITH ORDINALITY AS part(num, place)
                JOIN pg_attribute ON attrelid = confrelid AND attnum = num ORDER BY place)
            ) ORDER BY conname), '[]')
        FROM pg_constraint k JOIN pg_class t ON t.oid = confrelid
        JOIN pg_namespace tn ON tn.oid = t.relnamespace
        WHERE conrelid = c.oid AND contype = 'f'))
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p') AND relpersistence = 'p' AND pg_has_role(relowner, 'USAGE')
AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', %s)
AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY nspname <> 'public', nspname, relname
"""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key."""

    schema: str
    table: str
    """Where it leads."""
    columns: tuple[str, ...]
    referenced: tuple[str, ...]
    """The columns there that these are equal to."""

    @property
    def name(self) -> str:
        """The table that it leads to, as users write it."""
        return entity_name(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class TableOutline:
    """A table that may be published."""

    schema: str
    table: str
    is_full: bool
    """Whether all its columns are its replica identity."""
    columns: dict[str, str]
    """Their types."""
    key: tuple[str, ...]
    """The columns of the primary key."""
    references: tuple[Reference, ...]

    @property
    def name(self) -> str:
        """As users write it."""
        return entity_name(self.schema, self.table)

    @property
    def is_identified(self) -> bool:
        """Whether its rows can be told apart in the WAL, so that they may be changed."""
        return bool(self.key) or self.is_full


async def look_up(settings: Settings) -> tuple[str, list[TableOutline]]:
    """The database's name, and the tables that the role may publish.

    Partitions and what an extension has made are left out.

    Raises:
        SourceError: the database cannot be reached, or asked.
    """
    async with looking_at_tables(conninfo(settings, "init", "init")) as connection:
        cursor = await connection.execute(_TABLES, (OWN_SCHEMA,))
        tables = [msgspec.convert(row, TableOutline) for (row,) in await cursor.fetchall()]
        return connection.info.dbname, tables
