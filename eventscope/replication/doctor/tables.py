"""The tables: whether they are there, and whether all their changes can be told."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from eventscope.app import EventScope
from eventscope.declaration import QueryOperator
from eventscope.ids import mapping_columns
from eventscope.replication.catalog import identifier
from eventscope.replication.finding import Finding, statement
from eventscope.replication.publishable import OWN_SCHEMA
from eventscope.replication.tables import Table

_KINDS: Final = {
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "S": "a sequence",
    "c": "a type",
    "i": "an index",
    "I": "an index",
    "t": "a TOAST table",
}
_TABLES: Final = ("r", "p")
_TARGETS: Final = (*_TABLES, "v", "f")
"""Kinds that an operator may write to."""


def examine(
    app: EventScope, tables: Mapping[str, Table], known: Sequence[str]
) -> Iterator[Finding]:
    """Whether what the application names is there, and of a kind that can be followed.

    Args:
        app: naming tables and columns.
        tables: those of them that exist, by name.
        known: every table of the database.
    """
    yield from _followed(app, tables, known)
    for entity in tables.keys() & set(app.entities):
        columns = {column for scope in app.scopes(entity) for column, _ in scope}
        for column in sorted(columns):
            yield from _column(tables[entity], column, f"in scopes of entity {entity}")
        yield from _hidden(tables[entity], app.concealment([entity]).columns)
    for operator in app.operators:
        if isinstance(operator, QueryOperator):
            yield from _mapped(operator, tables)
            yield from _target(operator, tables, known)


def _followed(
    app: EventScope, tables: Mapping[str, Table], known: Sequence[str]
) -> Iterator[Finding]:
    whole = []
    for entity in app.entities:
        if entity not in tables:
            followers = [o.name for o in app.operators if entity in o.entities]
            by = (
                f"operator {followers[0]} follows it" if followers else "the application follows it"
            )
            yield _missing(entity, by, known)
            continue
        troubles = list(_kind(tables[entity])) or list(_own(tables[entity]))
        yield from troubles
        if not troubles:
            whole.append(entity)
    if whole:
        yield Finding("table", "ok", f"there are {', '.join(whole)}")


def _own(table: Table) -> Iterator[Finding]:
    if table.schema == OWN_SCHEMA:
        yield Finding(
            "table_kind",
            "blocking",
            f"{table.name} is a table of eventscope itself",
            "operators change it with each step that they take, and nobody is told of that",
            mend="follow another table",
        )


def _missing(entity: str, why: str, known: Sequence[str]) -> Finding:
    near = difflib.get_close_matches(entity, known, n=1)
    mend = f"did you mean {near[0]}?" if near else "create it, or correct its name"
    return Finding("table", "blocking", f"table {entity} does not exist", why, mend=mend)


def _kind(table: Table) -> Iterator[Finding]:
    if table.kind not in _TABLES:
        yield Finding(
            "table_kind",
            "blocking",
            f"{table.name} is {_KINDS.get(table.kind, 'no table')}",
            "PostgreSQL tells of the changes of tables only",
            mend="follow the tables behind it",
        )
        return
    for part in table.parts:
        if part.kind == "f":
            yield Finding(
                "table_kind",
                "blocking",
                f"{part.name}, a partition of {table.name}, is a foreign table",
                "its changes are in the WAL of another server",
                mend="follow that server's table there, or the other partitions by their names",
            )
        elif part.persistence == "u":
            yield Finding(
                "unlogged",
                "blocking",
                f"table {part.name} is unlogged",
                "its changes are not in the WAL, so nobody can be told of them",
                statement("ALTER TABLE {} SET LOGGED", identifier(part.name)),
            )
        elif part.persistence == "t":
            yield Finding(
                "table_kind",
                "blocking",
                f"table {part.name} is temporary",
                "its changes are not in the WAL, so nobody can be told of them",
                mend="follow a table that stays",
            )


def _hidden(table: Table, columns: Iterable[str]) -> Iterator[Finding]:
    """Whether there is what is to be hidden, and nothing of it tells rows apart."""
    identities = (part.identity for part in table.parts if part.replica_identity != "f")
    key = table.key.union(*identities)
    for column in sorted(columns):
        yield from _column(table, column, f"in mask or drop of entity {table.name}")
        if column in key:
            yield Finding(
                "hidden",
                "blocking",
                f"column {column} of table {table.name} is hidden, and part of its key",
                "by which its rows are told apart",
                mend="take it out of mask and drop",
            )


def _mapped(operator: QueryOperator, tables: Mapping[str, Table]) -> Iterator[Finding]:
    for entity, parts in operator.ids.items():
        if entity in tables:
            for column in mapping_columns(parts, tables[entity].columns):
                yield from _column(tables[entity], column, f"in ids of operator {operator.name}")


def _target(
    operator: QueryOperator, tables: Mapping[str, Table], known: Sequence[str]
) -> Iterator[Finding]:
    role = f"the target of operator {operator.name}"
    table = tables.get(operator.target)
    if table is None:
        yield _missing(operator.target, f"it is {role}", known)
    elif table.kind not in _TARGETS:
        kind = _KINDS.get(table.kind, "no table")
        mend = "name a table with target"
        yield Finding("table_kind", "blocking", f"{table.name}, {role}, is {kind}", mend=mend)
    else:
        for column in operator.id:
            yield from _column(table, column, f"the id of operator {operator.name}")


def _column(table: Table, column: str, role: str) -> Iterator[Finding]:
    if column not in table.columns:
        yield Finding(
            "column",
            "blocking",
            f"table {table.name} has no column {column}",
            f"it is named as {role}" if role.startswith("the") else f"it is named {role}",
            mend=f"it has {', '.join(table.columns)}",
        )
