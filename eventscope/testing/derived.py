"""Whether a derived table equals its query, and what a person sees if it does not."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import psycopg

from eventscope.demo.truth import differences
from eventscope.inspection.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eventscope.demo.truth import Difference

_SHOWN: Final = 20
"""Rows of a kind that are shown."""

Cells = tuple[str, ...]


def difference(url: str, table: str, query: str) -> str:
    """Compare a table with its query, by the columns of the query.

    Args:
        url: of the database.
        table: its name, with the schema if that is not ``public``.
        query: what the table should hold.

    Returns:
        What is missing in the table and what it has too much, row by row; empty if it is equal.
    """
    truths = {table: query.strip().rstrip(";")}

    async def compare() -> list[Difference]:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            return await differences(connection, truths, examples=_SHOWN)

    with ThreadPoolExecutor(1) as elsewhere:  # the test may have a loop of its own
        found = elsewhere.submit(asyncio.run, compare()).result()
    return "\n".join(_told(one) for one in found)


def _told(found: Difference) -> str:
    head = (
        f"{safe_text(found.table)} differs from its query: "
        f"{_rows(found.missing)} missing (-), {_rows(found.extra)} surplus (+)"
    )
    lines = [head, *_table(found)]
    left = found.missing + found.extra - len(found.missing_examples) - len(found.extra_examples)
    if left:
        lines.append(f"  … and {_rows(left)} more")
    return "\n".join(lines)


def _table(found: Difference) -> Iterator[str]:
    """Lines with columns of even width; the two of one row stand one below the other."""
    names = tuple(map(safe_text, (*found.missing_examples, *found.extra_examples)[0]))
    signed = [
        *(("-", _cells(row)) for row in found.missing_examples),
        *(("+", _cells(row)) for row in found.extra_examples),
    ]
    signed.sort(key=lambda line: (line[1][:1], line[0] == "+", line[1]))
    rows = [(" ", names), *signed]
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in rows), strict=True)]
    for sign, cells in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield f"  {sign} {'  '.join(padded)}".rstrip()


def _cells(row: Mapping[str, Any]) -> Cells:
    return tuple("NULL" if value is None else safe_text(str(value)) for value in row.values())


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
