"""Replica identities: whether the WAL tells which row, and the old values that somebody needs.

PostgreSQL refuses every UPDATE and DELETE on a published table whose rows cannot be told apart by
what is published. Source: PostgreSQL documentation, chapter "Logical Replication".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eventscope.app import EventScope
from eventscope.declaration import QueryOperator
from eventscope.ids import mapping_columns
from eventscope.replication.catalog import identifier
from eventscope.replication.finding import Finding, statement
from eventscope.replication.publishing import Member, Publication, change, renewal
from eventscope.replication.tables import Part, Table

_SETTING = "or set replica_identity = 'full'"


def examine(
    app: EventScope, followed: Iterable[Table], publication: Publication, *, set_full: bool
) -> Iterator[Finding]:
    """What publishing breaks, and what it leaves in the dark.

    Args:
        app: whose operators and scopes need old values.
        followed: the tables to be published.
        publication: as it is, or as it will be made.
        set_full: whether a start sets REPLICA IDENTITY FULL where that helps.
    """
    for table in followed:
        if table.kind not in ("r", "p"):
            continue
        parts = to_identify(app, table, publication) if set_full else []
        if parts:
            yield _to_be_set(table, parts)
        elif broken := refused(table, publication):
            yield broken
        else:
            yield from _old_values(app, table, publication)


def refused(table: Table, publication: Publication) -> Finding | None:
    """Why PostgreSQL refuses updates of the table once it is published; None if it does not."""
    if not publication.actions & {"update", "delete"}:
        return None
    for part in _published(table, publication):
        found = (
            _unidentified(table, part, publication)
            or _generated(table, part, publication)
            or _filtered(table, part, publication)
        )
        if found is not None:
            return found
    return None


def full(parts: Iterable[Part]) -> str:
    """The statements that make every old value known."""
    return "\n".join(
        statement("ALTER TABLE {} REPLICA IDENTITY FULL", identifier(part.name)) for part in parts
    )


def to_identify(app: EventScope, table: Table, publication: Publication) -> list[Part]:
    """What must get REPLICA IDENTITY FULL for all to be known, as far as that helps."""
    if not _takes_full(table, publication) or _is_cut(publication.member(table.name), table):
        return []
    needed = needs(app, table).keys() | scoped(app, table.name)
    return [
        part
        for part in _published(table, publication)
        if not part.identity or not needed <= part.identity
    ]


def needs(app: EventScope, table: Table) -> dict[str, list[str]]:
    """The columns whose old values operators need, with the names of these operators."""
    found: dict[str, list[str]] = {}
    for operator in app.operators:
        if isinstance(operator, QueryOperator) and table.name in operator.ids:
            for column in mapping_columns(operator.ids[table.name], table.columns):
                found.setdefault(column, []).append(operator.name)
    return found


def scoped(app: EventScope, entity: str) -> frozenset[str]:
    """The columns by which an entity's rows are listened to, whose old values say where from."""
    scopes = app.scopes(entity) if entity in app.entities else ()
    return frozenset(column for scope in scopes for column, _ in scope)


def _takes_full(table: Table, publication: Publication) -> bool:
    """Whether all columns can be in the identity: none of them is generated and not published.

    Before PostgreSQL 18 nobody minded.
    """
    if publication.stored_columns is None:
        return True
    return not table.virtual and (not table.stored or publication.stored_columns)


def _is_cut(member: Member | None, table: Table) -> bool:
    """Whether a publication tells of some columns only."""
    chosen = member.columns if member is not None else None
    return chosen is not None and not chosen.issuperset(table.columns)


def _making_full(table: Table, parts: Sequence[Part], publication: Publication) -> str:
    """The statements that make all columns the identity; empty if nothing does."""
    if not _takes_full(table, publication):
        return ""
    member = publication.member(table.name)
    if member is not None and _is_cut(member, table):
        return f"{renewal(publication.name, member)}\n{full(parts)}"
    return full(parts)


def _published(table: Table, publication: Publication) -> list[Part]:
    """What holds rows of the table that are told, or will be."""
    return [part for part in table.parts if not publication.lacks(table, part)]


def _to_be_set(table: Table, parts: Sequence[Part]) -> Finding:
    names = ", ".join(part.name for part in parts)
    if table.owned:
        return Finding("old_values", "ok", f"REPLICA IDENTITY FULL will be set on {names}")
    return Finding(
        "old_values",
        "blocking",
        f"REPLICA IDENTITY FULL is to be set on {names}, which belongs to {table.owner}",
        "only the owner may set it",
        full(parts),
        "as the owner, or set replica_identity = 'keep'",
    )


def _old_values(app: EventScope, table: Table, publication: Publication) -> Iterator[Finding]:
    consequences = {
        column: f"operator {', '.join(operators)} must keep what every row maps to,"
        f" or recompute its whole table"
        for column, operators in needs(app, table).items()
    }
    for column in sorted(scoped(app, table.name) - consequences.keys()):
        consequences[column] = "a row that leaves its scope, or is deleted, is not announced there"
    for column, consequence in consequences.items():
        parts = [p for p in _published(table, publication) if column not in p.identity]
        if not parts:
            continue
        cure = _making_full(table, parts, publication)
        yield Finding(
            "old_values",
            "warning",
            f"the WAL does not hold old values of {table.name}.{column}",
            consequence,
            cure,
            _SETTING if cure else _other_identity(column),
        )


def _unidentified(table: Table, part: Part, publication: Publication) -> Finding | None:
    if part.identity:
        return None
    match part.replica_identity:
        case "n":
            found = f"table {part.name} has REPLICA IDENTITY NOTHING"
        case "i":
            found = f"the index that was the replica identity of table {part.name} is gone"
        case _:
            found = f"table {part.name} has no primary key" + (
                " that is not deferrable" if table.key else ""
            )
    cure = _making_full(table, [part], publication)
    other = f"or give it a primary key; {_SETTING}" if cure else "give it a primary key"
    return _refusal(found, cure, other)


def _generated(table: Table, part: Part, publication: Publication) -> Finding | None:
    if publication.stored_columns is None:
        return None
    virtual = part.identity.intersection(table.virtual)
    if virtual:
        found = f"the replica identity of table {part.name} has the virtual column {min(virtual)}"
        if table.key and not table.key.intersection(table.virtual):
            return _refusal(
                found, statement("ALTER TABLE {} REPLICA IDENTITY DEFAULT", identifier(part.name))
            )
        return _refusal(found, mend="give it a primary key and REPLICA IDENTITY DEFAULT")
    member = publication.member(part.name if part.heir else table.name)
    listed = member is not None and member.columns is not None
    stored = part.identity.intersection(table.stored)
    if stored and not listed and not publication.stored_columns:
        return _refusal(
            f"the replica identity of table {part.name} has the generated column {min(stored)},"
            f" and publication {publication.name} leaves generated columns out",
            change(publication.name, "publish_generated_columns = stored"),
        )
    return None


def _filtered(table: Table, part: Part, publication: Publication) -> Finding | None:
    member = publication.member(part.name if part.heir else table.name)
    if member is None:
        return None
    if member.columns is not None and not part.identity <= member.columns:
        column = min(part.identity - member.columns)
        return _refusal(
            f"publication {publication.name} leaves out column {column} of the replica identity"
            f" of table {part.name}",
            renewal(publication.name, member),
        )
    if not member.filter_columns <= part.identity:
        column = min(member.filter_columns - part.identity)
        cure = _making_full(table, [part], publication)
        return _refusal(
            f"publication {publication.name} chooses rows of table {part.name} by column"
            f" {column}, which is not in its replica identity",
            cure,
            "" if cure else _other_identity(column),
        )
    return None


def _refusal(found: str, sql: str = "", mend: str = "") -> Finding:
    why = "PostgreSQL refuses every UPDATE and DELETE on it once it is published"
    return Finding("replica_identity", "blocking", found, why, sql, mend)


def _other_identity(column: str) -> str:
    return f"give it a unique index of NOT NULL columns with {column} as REPLICA IDENTITY"
