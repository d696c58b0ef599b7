"""Target ids by SQL expression: the server computes them from what the events tell of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from eventscope.event import split_entity
from eventscope.ids import Part, Parts, Sql
from eventscope.operators.dirty import RowChange, Source
from eventscope.replication.connection import Connection
from eventscope.replication.pgoutput import MISSING
from eventscope.replication.relations import Texts


def part_sql(part: Part) -> sql.Composable:
    """A part of an id for use in SQL, where the row's columns are in scope."""
    if isinstance(part, Sql):
        return sql.SQL("({})").format(sql.SQL(part.expression))
    return sql.Identifier(part)


def as_text(part: Part) -> sql.Composable:
    """The same, as text."""
    return sql.SQL("{}::text").format(part_sql(part))


def condition(parts: Parts, values: Iterable[sql.Composable]) -> sql.Composed:
    """Whether a row maps to an id."""
    equal = [
        sql.SQL("{} = {}").format(part_sql(part), value)
        for part, value in zip(parts, values, strict=True)
    ]
    return sql.SQL(" AND ").join(equal)


async def compute(connection: Connection, changes: Sequence[RowChange]) -> list[RowChange]:
    """Replace columns by ids in changes whose ids the server computes, one query a source.

    An id of which a column is missing is missing. Other changes stay as they are.

    Raises:
        psycopg.Error: an expression fails for one of the rows.
    """
    by_source: dict[int, list[int]] = {}
    for place, change in enumerate(changes):
        if change.source.computed:
            by_source.setdefault(id(change.source), []).append(place)
    computed = list(changes)
    for places in by_source.values():
        source = changes[places[0]].source
        images = [image for place in places for image in changes[place][2:4]]
        ids = iter(await _ids(connection, source, images))
        for place in places:
            computed[place] = changes[place]._replace(before=next(ids), after=next(ids))
    return computed


async def _ids(
    connection: Connection, source: Source, images: Sequence[Texts | None]
) -> list[Texts | None]:
    """The ids of row images; an image that is the same as the one before is not sent again."""
    missing = (MISSING,) * len(source.parts)
    sent: dict[Texts, int] = {}
    for image in images:
        if image is not None and MISSING not in image:
            sent.setdefault(image, len(sent))
    ids: list[Texts] = []
    if sent:
        rows: list[Any] = list(zip(*sent, strict=True))
        columns = [[None if text is None else text.decode() for text in row] for row in rows]
        cursor = await connection.execute(_statement(source), [list(range(len(sent))), *columns])
        ids = [
            tuple([None if text is None else text.encode() for text in id_])
            for (id_,) in await cursor.fetchall()
        ]
    return [
        None if image is None else ids[sent[image]] if image in sent else missing
        for image in images
    ]


def _statement(source: Source) -> sql.Composed:
    """A query that takes the columns of many rows as arrays of texts, and returns their ids.

    The rows are named as their table, and nothing else is as near to the expression.
    """
    columns = [column for column in source.relation.columns if column.name in source.columns]
    by_name = {column.name: column.type_name for column in columns}
    row = sql.SQL(", ").join(
        sql.SQL("given.{}::{} AS {}").format(
            sql.Identifier(f"c{place}"),
            sql.SQL(by_name[name]),
            sql.Identifier(name),
        )
        for place, name in enumerate(source.columns)
    )
    names = [sql.Identifier(f"c{place}") for place in range(len(source.columns))]
    arrays = [sql.SQL(f"${place + 2}::text[]") for place in range(len(source.columns))]
    return sql.SQL(
        "SELECT (SELECT ARRAY[{id}] FROM (SELECT {row}) AS {table})"
        " FROM unnest({arrays}) AS given({names}) ORDER BY given.place"
    ).format(
        id=sql.SQL(", ").join([as_text(part) for part in source.parts]),
        row=row,
        table=sql.Identifier(split_entity(source.entity)[1]),
        arrays=sql.SQL(", ").join([sql.SQL("$1::int[]"), *arrays]),
        names=sql.SQL(", ").join([sql.Identifier("place"), *names]),
    )
