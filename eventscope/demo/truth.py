"""Whether derived tables equal their queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg import AsyncConnection, IsolationLevel, sql
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """What distinguishes a derived table from its query: rows it lacks, rows it should not have."""

    table: str
    missing: int
    extra: int
    missing_examples: tuple[Mapping[str, Any], ...]
    extra_examples: tuple[Mapping[str, Any], ...]

    def __str__(self) -> str:
        parts = [
            f"{count:,} rows {word}, such as {dict(examples[0])}"
            for count, word, examples in (
                (self.missing, "missing", self.missing_examples),
                (self.extra, "extra", self.extra_examples),
            )
            if count
        ]
        return f"{self.table}: {'; '.join(parts)}"


async def differences(
    connection: AsyncConnection[Any], truths: Mapping[str, str], *, examples: int = _EXAMPLES
) -> list[Difference]:
    """Compare tables with their queries, all in one snapshot; an empty list means all are equal.

    Columns are compared by name. A changed row is both missing and extra.

    Args:
        connection: outside a transaction.
        truths: the query by table.
        examples: rows of a kind to tell of at most.
    """
    before = connection.isolation_level
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        async with connection.transaction():
            compared = [
                await _compare(connection, table, truth, examples)
                for table, truth in truths.items()
            ]
    finally:
        await connection.set_isolation_level(before)
    return [difference for difference in compared if difference.missing or difference.extra]


async def _compare(
    connection: AsyncConnection[Any], table: str, truth: str, examples: int
) -> Difference:
    query = sql.SQL(truth)
    outline = await connection.execute(sql.SQL("select * from ({}) as truth limit 0").format(query))
    columns = sql.SQL(", ").join(
        sql.Identifier(column.name) for column in outline.description or ()
    )
    actual = sql.SQL("select {} from {}").format(columns, sql.Identifier(*table.split(".")))
    missing, missing_examples = await _subtract(connection, query, actual, examples)
    extra, extra_examples = await _subtract(connection, actual, query, examples)
    return Difference(table, missing, extra, missing_examples, extra_examples)


async def _subtract(
    connection: AsyncConnection[Any], left: sql.Composable, right: sql.Composable, examples: int
) -> tuple[int, tuple[Mapping[str, Any], ...]]:
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        sql.SQL(
            'select *, count(*) over () as "#" '
            "from ((select * from ({}) as l) except all (select * from ({}) as r)) as rest limit {}"
        ).format(left, right, sql.Literal(examples))
    )
    rows = await cursor.fetchall()
    count = rows[0]["#"] if rows else 0
    return count, tuple({key: row[key] for key in row if key != "#"} for row in rows)
