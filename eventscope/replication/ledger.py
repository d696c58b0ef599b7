"""The table in which operators note how far they have come, beside what they write.

One table serves every slot and application of a database. It is in a schema of its own, which
nobody publishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from eventscope.app import EventScope
from eventscope.declaration import QueryOperator
from eventscope.replication.connection import Connection
from eventscope.replication.finding import Finding, statement
from eventscope.replication.publishable import OWN_SCHEMA
from eventscope.replication.tables import Right

TABLE: Final = sql.Identifier(OWN_SCHEMA, "offsets")
NAME: Final = f"{OWN_SCHEMA}.offsets"

_SCHEMA: Final = sql.Identifier(OWN_SCHEMA)
_COLUMNS: Final = {
    "slot": "text",
    "operator": "text",
    "system_id": "text",
    "timeline": "integer",
    "end_lsn": "pg_lsn",
    "index": "integer",
    "epoch": "bigint",
    "updated_at": "timestamp with time zone",
    "redone": "text",
}
_ADDED: Final = {"redone": sql.SQL("text NOT NULL DEFAULT ''")}
"""Columns that the table did not have at first; rows of that time are right with the default."""
_SHAPE: Final = "ledger_shape"
_KEY: Final = ("slot", "operator")
_RIGHTS: Final[tuple[Right, ...]] = ("SELECT", "INSERT", "UPDATE", "DELETE")

_LOOK: Final = """
SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE'),
    pg_get_userbyid(nspowner), has_schema_privilege(n.oid, 'USAGE'),
    has_schema_privilege(n.oid, 'CREATE'),
    pg_get_userbyid(relowner), pg_has_role(relowner, 'USAGE'),
    ARRAY(SELECT name FROM unnest(%s::text[]) name WHERE has_table_privilege(c.oid, name)),
    (SELECT jsonb_object_agg(attname, format_type(atttypid, atttypmod)) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    ARRAY(SELECT attname::text FROM pg_index JOIN pg_attribute
        ON attrelid = indrelid AND attnum = ANY (indkey::int[])
        WHERE indrelid = c.oid AND indisprimary
        ORDER BY array_position(indkey::int[], attnum::int)),
    NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass
        AND refobjid = n.oid AND (classid, objid) <> ('pg_class'::regclass, c.oid))
FROM (VALUES (%s, 'offsets')) AS ours(schema, name)
LEFT JOIN pg_namespace n ON nspname = ours.schema
LEFT JOIN pg_class c ON relnamespace = n.oid AND relname = ours.name
"""


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """The table, or what there is in its place, as a role sees it."""

    role: str
    database: str
    may_create_schema: bool
    schema_owner: str | None
    """None if there is no schema."""
    schema_usable: bool | None
    may_create_table: bool | None
    owner: str | None
    """None if there is no table."""
    owned: bool | None
    """Whether the role owns it, or is a member of the role that does."""
    rights: list[Right]
    columns: dict[str, str] | None
    """Types by name."""
    key: list[str]
    """The columns of the primary key, in order."""
    alone: bool
    """Whether there is nothing else in the schema."""

    @property
    def lacking(self) -> list[Right]:
        """The rights on an existing table that operators need and the role does not have."""
        return [right for right in _RIGHTS if right not in self.rights]

    @property
    def later(self) -> list[str]:
        """The columns that an existing table of an earlier version is to get."""
        return [name for name in _ADDED if name not in (self.columns or _ADDED)]


def ledgered(app: EventScope) -> tuple[str, ...]:
    """The operators whose effect and progress can be committed together."""
    return tuple(o.name for o in app.operators if isinstance(o, QueryOperator) or o.takes_tx)


async def look_up(connection: Connection) -> LedgerTable:
    """Ask the server for the table."""
    [row] = await (await connection.execute(_LOOK, (list(_RIGHTS), OWN_SCHEMA))).fetchall()
    return LedgerTable(*row)


async def slots(connection: Connection) -> set[str]:
    """The slots whose operators have rows in the table, which must be there."""
    cursor = await connection.execute(sql.SQL("SELECT DISTINCT slot FROM {}").format(TABLE))
    return {slot for (slot,) in await cursor.fetchall()}


def examine(table: LedgerTable) -> Iterator[Finding]:
    """Everything that keeps the role from using the table, or from making it."""
    role = sql.Identifier(table.role)
    if table.schema_owner is None:
        if table.may_create_schema:
            found = f"schema {OWN_SCHEMA} does not exist yet and will be made"
            yield Finding("ledger", "ok", found)
            return
        yield _blocking(
            "ledger",
            f"role {table.role} may not make schema {OWN_SCHEMA} in database {table.database}",
            creation(table),
        )
    elif table.owner is None:
        if table.schema_usable and table.may_create_table:
            yield Finding("ledger", "ok", f"table {NAME} does not exist yet and will be made")
            return
        yield _blocking(
            "ledger",
            f"role {table.role} may not make table {NAME}",
            statement("GRANT USAGE, CREATE ON SCHEMA {} TO {}", _SCHEMA, role),
        )
    elif _shape(table) != _COLUMNS or tuple(table.key) != _KEY:
        yield _of_another_shape(table)
    elif table.later and not table.owned:
        yield _blocking(
            "ledger_columns",
            f"table {NAME} is of an earlier version of eventscope, without"
            f" {', '.join(table.later)}, and belongs to {table.owner}",
            creation(table),
        )
    else:
        yield from _rights(table, role)


def is_grantable(finding: Finding) -> bool:
    """Whether a finding's statement takes nothing from anybody, so that it can just be run."""
    return finding.check != _SHAPE


def switched_off() -> Finding:
    """The finding for operators that note nothing in the database."""
    return Finding(
        "ledger",
        "note",
        "exactly_once is off",
        "after a crash a handler may be given an event again whose transaction was committed",
        mend="set exactly_once = true",
    )


def creation(table: LedgerTable) -> str:
    """The statement that makes what is missing, for the role whoever runs it; or nothing.

    A table of an earlier version gets the columns that it lacks, and keeps its rows.
    """
    if table.owner is not None:
        return _addition(table.later)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), _ADDED.get(name, sql.SQL(f"{type} NOT NULL")))
        for name, type in _COLUMNS.items()
    ]
    key = sql.SQL(", ").join(map(sql.Identifier, _KEY))
    # most of a page is left free: each row is written again and again, and nothing else is
    body = sql.SQL("({}, PRIMARY KEY ({})) WITH (fillfactor = 50)").format(
        sql.SQL(", ").join(columns), key
    )
    if table.schema_owner is None:
        return statement(
            "CREATE SCHEMA {} AUTHORIZATION {} CREATE TABLE {} {}",
            _SCHEMA,
            sql.Identifier(table.role),
            TABLE,
            body,
        )
    return statement("CREATE TABLE {} {}", TABLE, body)


def removal(slot: str) -> str:
    """The statement that deletes a slot's rows."""
    return statement("DELETE FROM {} WHERE slot = {}", TABLE, sql.Literal(slot))


def end(table: LedgerTable) -> str:
    """The statements that drop the table, and the schema if that was all in it."""
    drop = statement("DROP TABLE {}", TABLE)
    return f"{drop} {statement('DROP SCHEMA {}', _SCHEMA)}" if table.alone else drop


def _addition(names: Iterable[str]) -> str:
    added = [
        sql.SQL("ADD COLUMN IF NOT EXISTS {} {}").format(sql.Identifier(name), _ADDED[name])
        for name in names
    ]
    return statement("ALTER TABLE {} {}", TABLE, sql.SQL(", ").join(added)) if added else ""


def _shape(table: LedgerTable) -> Mapping[str, str]:
    """The columns of the table, those included that it is to get."""
    return (table.columns or {}) | {name: _COLUMNS[name] for name in table.later}


def _rights(table: LedgerTable, role: sql.Identifier) -> Iterator[Finding]:
    if not table.schema_usable:
        yield _blocking(
            "schema_usage",
            f"role {table.role} may not use schema {OWN_SCHEMA}",
            statement("GRANT USAGE ON SCHEMA {} TO {}", _SCHEMA, role),
        )
    if table.lacking:
        rights = ", ".join(table.lacking)
        yield _blocking(
            "ledger_rights",
            f"role {table.role} lacks {rights} on {NAME}",
            statement(f"GRANT {rights} ON {{}} TO {{}}", TABLE, role),
        )
    if table.schema_usable and not table.lacking:
        found = f"operators note in {NAME} how far they have come"
        if table.later:
            found = f"table {NAME} is of an earlier version, and will get {', '.join(table.later)}"
        yield Finding("ledger", "ok", found)


def _of_another_shape(table: LedgerTable) -> Finding:
    there = _shape(table)
    lacks = [f"{n} {type}" for n, type in _COLUMNS.items() if there.get(n) != type]
    more = [f"{n} {type}" for n, type in there.items() if _COLUMNS.get(n) != type]
    differs = [f"lacks {', '.join(lacks)}"] if lacks else []
    differs += [f"has {', '.join(more)}"] if more else []
    if not differs:
        differs = [f"has no primary key of {', '.join(_KEY)}"]
    return Finding(
        _SHAPE,
        "blocking",
        f"table {NAME} is of another version of eventscope: it {' and '.join(differs)}",
        "its operators would not understand each other",
        statement("ALTER TABLE {} RENAME TO {}", TABLE, sql.Identifier("offsets_before")),
        "if no such version runs here any more; operators then go on from where the queue file"
        " says that they stand",
    )


def _blocking(check: str, found: str, cure: str) -> Finding:
    return Finding(
        check,
        "blocking",
        found,
        "operators note there how far they have come, in one transaction with what they write",
        cure,
        "as a superuser, or as its owner; or set exactly_once = false, after which a crash may"
        " apply an event twice",
    )
