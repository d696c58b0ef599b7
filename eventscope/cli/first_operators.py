"""The text of a first ``operators.py`` for a database's tables.

Names come from the database and may be anything: in Python they stand as ``repr`` spells them, in
SQL as ``quoting`` does, and nowhere else but within those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from eventscope.event import split_entity
from eventscope.inspection.quoting import identifier, qualified
from eventscope.replication.outline import Reference, TableOutline

_SECRET: Final = re.compile(r"passw|secret|token", re.IGNORECASE)
_HANDLER: Final = '''
@app.operator(entities=[{entity}], events=["insert"])
async def tell(event: Event) -> None:
    """Called with each new row, in order and at least once."""
    print(event.id, event.name, event.key)
'''


def first_operators(database: str, tables: Sequence[TableOutline]) -> str:
    """An application that follows the tables, with one handler and one commented query."""
    return "\n".join(_application(database, [t for t in tables if _can_be_named(t)]))


def _application(database: str, tables: Sequence[TableOutline]) -> Iterator[str]:
    followed = [table for table in tables if table.is_identified]
    count = _Count.first(followed)
    yield '"""A first application, written by `eventscope init`: yours to change."""\n'
    yield f"from eventscope import {'Event, ' if followed else ''}EventScope\n"
    yield f"app = EventScope({_quoted(_app_name(database))})\n"
    for table in tables:
        yield _entity(table)
    if not tables:
        yield '# app.entity("posts")'
    if followed:
        of = count.child if count is not None else followed[0]
        yield _HANDLER.format(entity=_quoted(of.name))
    if count is not None:
        yield from _commented(count.text())


def _can_be_named(table: TableOutline) -> bool:
    """Whether an application can name it: a schema with a dot in its name it cannot."""
    return split_entity(table.name) == (table.schema, table.table)


def _app_name(database: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", database.lower()).strip("_") or "app"


def _entity(table: TableOutline) -> str:
    needed = {*table.key, *(column for r in table.references for column in r.columns)}
    hidden = [c for c in table.columns if _SECRET.search(c) and c not in needed]
    scopes = [f"{{{_quoted(column)}: {_quoted(name)}}}" for column, name in _scopes(table)]
    more = f", scopes=[{', '.join(scopes)}]" if scopes else ""
    more += f", drop=[{', '.join(map(_quoted, hidden))}]" if hidden else ""
    line = f"app.entity({_quoted(table.name)}{more})"
    if table.is_identified:
        return line
    return f"# has no primary key, without which PostgreSQL would refuse to change it:\n# {line}"


def _scopes(table: TableOutline) -> list[tuple[str, str]]:
    """By which columns its rows can be listened to; one for each table that they lead to."""
    led: dict[str, str] = {}
    for reference in table.references:
        if len(reference.columns) == 1:
            led.setdefault(reference.name, reference.columns[0])
    return [(column, name) for name, column in led.items()]


class _Count(NamedTuple):
    """An operator that counts the children of each parent."""

    child: TableOutline
    parent: TableOutline
    reference: Reference

    @classmethod
    def first(cls, tables: Sequence[TableOutline]) -> _Count | None:
        """By the first foreign key that leads from one table to the key of another."""
        by_name = {table.name: table for table in tables}
        for child in tables:
            for reference in child.references:
                parent = by_name.get(reference.name)
                if parent is None or parent is child or len(reference.columns) != 1:
                    continue
                if reference.referenced == parent.key:
                    return cls(child, parent, reference)
        return None

    def text(self) -> str:
        """What it takes, as SQL and as Python."""
        column, key = self.reference.columns[0], self.parent.key[0]
        child, parent = _qualified(self.child), _qualified(self.parent)
        target = f"{self.parent.table}_{self.child.table}_count"[:_LONGEST]
        query = [
            f"INSERT INTO {identifier(target)} (id, n)",
            f"SELECT p.{identifier(key)}, count(c.{identifier(column)})",
            f"FROM {parent} p LEFT JOIN {child} c ON c.{identifier(column)} = p.{identifier(key)}",
            f"WHERE p.{identifier(key)} = $1 GROUP BY p.{identifier(key)}",
            "ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n",
        ]
        ids = f"{{{_quoted(self.child.name)}: {_quoted(column)}"
        ids += f", {_quoted(self.parent.name)}: {_quoted(key)}}}"
        operator = [
            "app.query(",
            f"    {_quoted('public.' + target if '.' in target else target)},",
            *_sql(query),
            f"    ids={ids},",
            f"    delete_with=[{_quoted(self.parent.name)}],",
            "    backfill=True,",
            ")",
        ]
        return "\n".join(
            [
                "How many rows of one table belong to each row of another, kept in a table of its",
                "own. Run this SQL, then uncomment what is below it.",
                "",
                f"  CREATE TABLE {identifier(target)} (",
                f"    id {self.parent.columns[key]} PRIMARY KEY, n bigint NOT NULL);",
                f"  ALTER TABLE {child} REPLICA IDENTITY FULL;",
                "",
                *operator,
            ]
        )


_LONGEST: Final = 63
"""Characters of a name that PostgreSQL keeps."""


def _qualified(table: TableOutline) -> str:
    return qualified(table.schema, table.table)


def _sql(lines: Sequence[str]) -> Iterator[str]:
    """A statement as an argument, as readable as its names allow."""
    text = "\n".join(lines)
    if "\\" in text or '"""' in text:
        yield "    sql=("
        yield from (f"        {_quoted(line + chr(10))}" for line in lines)
        yield "    ),"
    else:
        yield '    sql="""'
        yield from (f"        {line}" for line in lines)
        yield '    """,'


def _commented(text: str) -> Iterator[str]:
    yield ""
    yield from (f"# {line}".rstrip() for line in text.split("\n"))


def _quoted(name: str) -> str:
    """A text as Python spells it, in double quotes where that is as good, and always one line."""
    spelled = ascii(name) if not name.isprintable() else repr(name)
    plain = spelled.startswith("'") and '"' not in spelled and "\\" not in spelled
    return f'"{spelled[1:-1]}"' if plain else spelled
