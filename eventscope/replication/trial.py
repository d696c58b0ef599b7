"""A statement that shows a first event to whoever has nothing to write just now."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from eventscope.app import EventScope
from eventscope.event import entity_name, split_entity
from eventscope.replication.connection import conninfo, looking_at_tables
from eventscope.settings import Settings

# the first column that may be written, rather none of the key: other tables may refer to that
_WRITABLE: Final = """
SELECT nspname, relname, attname
FROM unnest(%s::text[], %s::text[]) AS followed (nspname, relname)
JOIN pg_namespace n USING (nspname)
JOIN pg_class c USING (relname)
CROSS JOIN LATERAL (
    SELECT attname FROM pg_attribute
    WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' AND attidentity <> 'a'
    ORDER BY EXISTS (
        SELECT FROM pg_index
        WHERE indrelid = c.oid AND indisprimary AND attnum = ANY (indkey)
    ), attnum
    LIMIT 1) AS writable
CROSS JOIN LATERAL (
    SELECT coalesce(sum(pg_relation_size(relid)), pg_relation_size(c.oid)) AS bytes
    FROM pg_partition_tree(c.oid)) AS size
WHERE relnamespace = n.oid AND relkind IN ('r', 'p') AND bytes > 0
ORDER BY bytes DESC
LIMIT 1
"""

# ctid alone is not unique among the partitions of a table
_TOUCH: Final = sql.SQL(
    "UPDATE {table} SET {column} = {column}"
    " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM {table} LIMIT 1);"
)


async def touching_one_row(app: EventScope, settings: Settings) -> tuple[str, str] | None:
    """A statement that writes one row as it is, and the name of the row's table.

    Args:
        app: naming the tables to choose from; the largest is taken.
        settings: naming the server.

    Returns:
        None if none of them has a row, or a column that may be written.

    Raises:
        SourceError: the database cannot be reached, or asked.
    """
    followed = [split_entity(entity) for entity in app.entities]
    names = ([schema for schema, _ in followed], [table for _, table in followed])
    async with looking_at_tables(conninfo(settings, "question", app.name)) as connection:
        cursor = await connection.execute(_WRITABLE, names)
        found = await cursor.fetchone()
        if found is None:
            return None
        schema, table, column = found
        name = sql.Identifier(schema, table)
        touch = _TOUCH.format(table=name, column=sql.Identifier(column))
        return touch.as_string(connection), entity_name(schema, table)
