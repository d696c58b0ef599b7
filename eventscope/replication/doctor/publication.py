"""The publication: whether it tells of everything that the application needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from psycopg import sql

from eventscope.app import EventScope
from eventscope.declaration import Operator
from eventscope.event import ROW_EVENTS, EventType
from eventscope.replication.catalog import identifier
from eventscope.replication.doctor.identity import needs, scoped
from eventscope.replication.doctor.slot import dropping
from eventscope.replication.finding import Finding, Severity, statement
from eventscope.replication.publishing import Publication, addition, change, creation, renewal
from eventscope.replication.tables import Table


def to_be_made(
    name: str, tables: Sequence[Table], version: int, role: str, database: str, *, may: bool
) -> Finding:
    """The finding for a publication that is not there.

    Args:
        name: the publication.
        tables: what it will tell of.
        version: the server's, as ``server_version_num``.
        role: who would make it.
        database: where.
        may: whether the role has CREATE on the database.
    """
    lacks = _lacks(tables)
    if not may:
        lacks = [f"role {role} lacks CREATE on database {database}", *lacks]
    if not lacks:
        return Finding(
            "publication", "ok", f"publication {name} does not exist yet and will be made"
        )
    return Finding(
        "publication",
        "blocking",
        f"publication {name} does not exist, and {'; '.join(lacks)}",
        "only who owns the tables may publish them",
        creation(name, [table.name for table in tables], version),
        "as a superuser, or as their owner with CREATE on the database",
    )


def examine(
    app: EventScope, tables: Mapping[str, Table], publication: Publication, role: str
) -> Iterator[Finding]:
    """What a publication that exists tells of the application's tables.

    Args:
        app: what follows the tables.
        tables: those that exist, by name, with all others that it follows.
        publication: as the server shows it.
        role: who would change it.
    """
    yield Finding(
        "publication", "ok", f"publication {publication.name} belongs to {publication.owner}"
    )
    followed = [tables[entity] for entity in app.entities if entity in tables]
    yield from _missing(publication, followed, role)
    yield from actions(app.operators, publication)
    yield from needed(app, followed, publication)
    yield from _extra(publication, followed)
    for table in followed:
        yield from _heirs(publication, table)
        yield from _rows(publication, table)


def needed(
    app: EventScope, followed: Sequence[Table], publication: Publication
) -> Iterator[Finding]:
    """What it leaves out of the tables that it has, or tells under another name."""
    for table in followed:
        if publication.has(table):
            yield from renamed(publication, table)
            yield from _columns(app, publication, table)


def gone(name: str, slot: str) -> Finding:
    """The finding for a publication that somebody has dropped while the slot was read."""
    return Finding(
        "publication",
        "blocking",
        f"publication {name} does not exist any more",
        "what was written to its tables since it was dropped is lost to this queue",
        dropping(slot),
        "and move the queue file away, to start anew from now; or, if nothing was written since,"
        " just start again",
    )


def left(name: str, entity: str) -> Finding:
    """The finding for a table that somebody has taken out of a publication."""
    return Finding(
        "publication_tables",
        "blocking",
        f"publication {name} does not have {entity} any more",
        "its changes are not seen",
        addition(name, [entity]),
        "then start again, and recompute what depends on it",
    )


def _missing(publication: Publication, followed: Sequence[Table], role: str) -> Iterator[Finding]:
    missing = [table for table in followed if not publication.has(table)]
    if not missing:
        return
    lacks = _lacks(missing)
    if not publication.owned:
        lacks = [f"it belongs to {publication.owner}", *lacks]
    names = [table.name for table in missing]
    found = f"publication {publication.name} lacks {', '.join(names)}"
    if not lacks:
        yield Finding("publication_tables", "ok", f"{found}; added at the start")
        return
    yield Finding(
        "publication_tables",
        "blocking",
        found,
        f"role {role} may not add that: {'; '.join(lacks)}",
        addition(publication.name, names),
        "as a superuser, or as who owns it and the tables",
    )


def _lacks(tables: Iterable[Table]) -> list[str]:
    foreign: dict[str, list[str]] = {}
    for table in tables:
        if not table.owned:
            foreign.setdefault(table.owner, []).append(table.name)
    return [
        f"{', '.join(names)} {'belongs' if len(names) == 1 else 'belong'} to {owner}"
        for owner, names in foreign.items()
    ]


def unfollowed(publication: Publication, followed: Sequence[Table]) -> list[str]:
    """What it has beyond these tables, their partitions and heirs."""
    known = frozenset().union(*(table.family for table in followed))
    return [*_whole(publication), *(m.name for m in publication.members if m.name not in known)]


def _whole(publication: Publication) -> list[str]:
    schemas = [f"all tables of schema {schema}" for schema in sorted(publication.schemas)]
    return ["all tables", *schemas] if publication.all_tables else schemas


def _extra(publication: Publication, followed: Sequence[Table]) -> Iterator[Finding]:
    whole = _whole(publication)
    if whole:
        yield Finding(
            "publication_whole",
            "note",
            f"publication {publication.name} is for {' and '.join(whole)}",
            "the server sends the changes of all of them, and a new table without a replica"
            " identity takes no UPDATE or DELETE",
        )
    extra = unfollowed(publication, followed)[len(whole) :]
    if extra:
        tables = sql.SQL(", ").join(identifier(name) for name in extra)
        name = sql.Identifier(publication.name)
        yield Finding(
            "publication_extra",
            "note",
            f"publication {publication.name} has {', '.join(extra)}, which nothing here follows",
            "the server sends their changes too",
            statement("ALTER PUBLICATION {} DROP TABLE {}", name, tables),
            "unless somebody else reads this publication",
        )


def actions(operators: Sequence[Operator], publication: Publication) -> Iterator[Finding]:
    """Whether it leaves out a kind of change, and who misses that."""
    missing = [event for event in ROW_EVENTS if event not in publication.actions]
    if not missing:
        return
    hurt = {o.name: _hurt(o, missing) for o in operators}
    severity: Severity = "note"
    for level in ("warning", "blocking"):
        if level in hurt.values():
            severity = level
    names = [name for name, level in hurt.items() if level == severity]
    yield Finding(
        "publication_actions",
        severity,
        f"publication {publication.name} leaves out {', '.join(missing)}",
        f"operator {', '.join(names)} follows that" if names else "nothing here is told of that",
        change(publication.name, f"publish = '{', '.join(ROW_EVENTS)}'"),
    )


def _hurt(operator: Operator, missing: Sequence[EventType]) -> Severity:
    """A derived table is wrong without an event; rarely so without TRUNCATE."""
    followed = [event for event in missing if event in operator.events]
    if operator.kind == "query" and any(event != "truncate" for event in followed):
        return "blocking"
    return "warning" if followed else "ok"


def renamed(publication: Publication, table: Table) -> Iterator[Finding]:
    """Whether the table's rows come under another name."""
    if table.kind == "p" and not publication.via_root:
        yield Finding(
            "publish_via_partition_root",
            "note",
            f"publication {publication.name} tells of partitions of {table.name} by their names",
            f"events name the partition; who follows {table.name} gets them all the same",
            change(publication.name, "publish_via_partition_root = true"),
        )
    elif publication.via_root and publication.has_above(table):
        yield Finding(
            "publish_via_partition_root",
            "blocking",
            f"publication {publication.name} tells of {table.name} by the name of a table that it"
            f" is a partition of",
            f"who follows {table.name} gets nothing",
            change(publication.name, "publish_via_partition_root = false"),
            "or follow that table",
        )


def _columns(app: EventScope, publication: Publication, table: Table) -> Iterator[Finding]:
    for what, hidden, cure, mend in _hidden(publication, table):
        if not hidden:
            continue
        severity: Severity = "note"
        why = "events come without that"
        if table.key.intersection(hidden):
            severity, why = "warning", "rows cannot be told apart without the whole primary key"
        if silent := scoped(app, table.name).intersection(hidden):
            severity, why = "warning", f"no scope by {min(silent)} hears of anything"
        for column, operators in needs(app, table).items():
            if column in hidden:
                severity, why = "blocking", f"operator {', '.join(operators)} maps by {column}"
        names = ", ".join(f"{table.name}.{column}" for column in hidden)
        yield Finding("publication_columns", severity, f"{what} {names}", why, cure, mend)


def _hidden(publication: Publication, table: Table) -> Iterator[tuple[str, list[str], str, str]]:
    """Columns that are not told: why not, which, and the statement or words that mend it."""
    name, member = publication.name, publication.member(table.name)
    chosen = table.columns if member is None or member.columns is None else member.columns
    if member is not None:
        ordinary = (c for c in table.columns if c not in (*table.stored, *table.virtual))
        left_out = [column for column in ordinary if column not in chosen]
        yield f"publication {name} leaves out", left_out, renewal(name, member), ""
    if publication.stored_columns is None:
        mend = "stored ones are told from PostgreSQL 18 on; until then use an ordinary column"
        yield "generated columns are not told:", list(table.stored), "", mend
    elif chosen is not table.columns:
        left_out = [column for column in table.stored if column not in chosen]
        mend = "put it into the publication's list of columns"
        yield f"publication {name} leaves out", left_out, "", mend
    elif not publication.stored_columns:
        cure = change(name, "publish_generated_columns = stored")
        yield f"publication {name} leaves out", list(table.stored), cure, ""
    mend = "use a stored or an ordinary column"
    yield "virtual columns are never told:", list(table.virtual), "", mend


def _heirs(publication: Publication, table: Table) -> Iterator[Finding]:
    heirs = [part.name for part in table.parts if publication.lacks(table, part)]
    if heirs:
        yield Finding(
            "publication_heirs",
            "warning",
            f"publication {publication.name} lacks {', '.join(heirs)}, which inherits from"
            f" {table.name}",
            f"rows there are rows of {table.name}, but nobody is told of them",
            addition(publication.name, heirs),
        )


def _rows(publication: Publication, table: Table) -> Iterator[Finding]:
    member = publication.member(table.name)
    if member is not None and member.filter:
        yield Finding(
            "publication_rows",
            "note",
            f"publication {publication.name} tells of {table.name} only where {member.filter}",
            "an update that takes a row out of that comes as a delete, one that brings it in as"
            " an insert",
        )
