"""What the application's operators may do, and whether their SQL can be run at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final

import psycopg
from psycopg import sql

from eventscope.app import EventScope
from eventscope.declaration import QueryOperator
from eventscope.ids import Sql
from eventscope.replication.catalog import identifier
from eventscope.replication.connection import Connection, one_line
from eventscope.replication.finding import Finding, statement
from eventscope.replication.tables import Right, Table

_ORDER: Final[tuple[Right, ...]] = ("SELECT", "INSERT", "UPDATE", "DELETE")


async def examine(
    connection: Connection, app: EventScope, tables: Mapping[str, Table], role: str
) -> AsyncIterator[Finding]:
    """Everything that keeps an operator from its work.

    Args:
        connection: as the role that the operators will have.
        app: with the operators.
        tables: all that the application names and that exist.
        role: its name.
    """
    reading = set()
    for operator in app.operators:
        if not isinstance(operator, QueryOperator):
            continue
        named = {operator.target, *operator.ids}
        reading |= named
        if not named <= tables.keys():
            continue
        error = await _explain(connection, operator)
        denied = isinstance(error, psycopg.errors.InsufficientPrivilege)
        found = list(_missing(operator, tables, role, denied=denied))
        for finding in found:
            yield finding
        if error is None:
            if not found:
                yield Finding("operator_sql", "ok", f"operator {operator.name} can be run")
        elif not (denied and found):
            yield Finding(
                "operator_sql",
                "blocking",
                f"the SQL of operator {operator.name} cannot be run: {one_line(error)}",
                mend=f"grant what it needs to role {role}" if denied else "correct it",
            )
    for entity in sorted(reading & tables.keys()):
        if tables[entity].row_security:
            yield _row_security(tables[entity], role)
    for entity in app.entities:
        if entity in tables and entity not in reading and "SELECT" not in tables[entity].rights:
            yield _unread(tables[entity], role)


async def _explain(connection: Connection, operator: QueryOperator) -> psycopg.Error | None:
    """Have the server plan the SQL, which changes nothing; returns what it objects to."""
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute("SET TRANSACTION READ ONLY")
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(f"EXPLAIN {operator.sql}".encode(), (None,) * len(operator.id))
            for entity, parts in operator.ids.items():
                for expression in (part for part in parts if isinstance(part, Sql)):
                    select = sql.SQL("EXPLAIN SELECT ({}) FROM {}")
                    source = identifier(entity)
                    await cursor.execute(select.format(sql.SQL(expression.expression), source))
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        return error
    return None


def _missing(
    operator: QueryOperator, tables: Mapping[str, Table], role: str, *, denied: bool
) -> Iterator[Finding]:
    """The rights that the operator needs for sure; if it was denied any, all that it may need."""
    target: set[Right] = {"SELECT"}
    if operator.delete_with:
        target.add("DELETE")
    if denied:
        target |= {"INSERT", "UPDATE"}
    sources = operator.ids if denied else operator.delete_with
    needed: dict[str, set[Right]] = {entity: {"SELECT"} for entity in sources}
    needed.setdefault(operator.target, set()).update(target)
    for entity, rights in needed.items():
        table = tables[entity]
        if not table.schema_usable:
            yield Finding(
                "schema_usage",
                "blocking",
                f"role {role} may not use schema {table.schema}",
                f"operator {operator.name} needs {table.name}",
                statement(
                    "GRANT USAGE ON SCHEMA {} TO {}",
                    sql.Identifier(table.schema),
                    sql.Identifier(role),
                ),
            )
        lacking = [right for right in _ORDER if right in rights - table.rights]
        if lacking:
            yield Finding(
                "target_rights" if entity == operator.target else "select",
                "blocking",
                f"role {role} lacks {', '.join(lacking)} on {table.name}",
                f"operator {operator.name} needs it",
                _grant(lacking, table, role),
            )


def _row_security(table: Table, role: str) -> Finding:
    return Finding(
        "row_security",
        "warning",
        f"row security of {table.name} applies to role {role}",
        "operators do not see the rows that it hides, and take them for missing",
        statement("ALTER ROLE {} BYPASSRLS", sql.Identifier(role)),
        "or give the role a policy that hides nothing",
    )


def _unread(table: Table, role: str) -> Finding:
    return Finding(
        "select",
        "note",
        f"role {role} may not SELECT from {table.name}",
        "its events come all the same: replication asks for no right to read",
        _grant(["SELECT"], table, role),
        "if handlers are to read it",
    )


def _grant(rights: list[Right], table: Table, role: str) -> str:
    return statement(
        f"GRANT {', '.join(rights)} ON {{}} TO {{}}", identifier(table.name), sql.Identifier(role)
    )
