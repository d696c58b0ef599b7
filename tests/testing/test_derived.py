"""How a derived table that differs from its query is told of."""

from __future__ import annotations

import pytest

from eventscope.testing.derived import difference
from tests.conftest import Connection

TRUTH = "SELECT * FROM (VALUES (1, 'one', NULL), (2, 'two', 2.50), (3, 'three', 3)) t (id, name, n)"


@pytest.fixture
async def table(connection: Connection) -> Connection:
    await connection.execute("CREATE TABLE derived (n numeric, name text, id int)")
    await connection.execute(f"INSERT INTO derived (id, name, n) {TRUTH}")  # type: ignore[call-overload]
    return connection


async def test_one_that_is_equal_says_nothing(table: Connection, database: str) -> None:
    assert difference(database, "derived", TRUTH) == ""
    assert difference(database, "public.derived", f"{TRUTH};\n") == ""


async def test_missing_and_surplus_rows_stand_one_below_the_other(
    table: Connection, database: str
) -> None:
    await table.execute("UPDATE derived SET name = E'\\x1btwo', n = NULL WHERE id = 2")
    await table.execute("DELETE FROM derived WHERE id = 1")
    await table.execute("INSERT INTO derived VALUES (1, NULL, 40)")
    assert difference(database, "derived", TRUTH).splitlines() == [
        "derived differs from its query: 2 rows missing (-), 2 rows surplus (+)",
        "    id  name  n",
        "  - 1   one   NULL",
        "  - 2   two   2.50",
        "  + 2   ␛two  NULL",
        "  + 40  NULL  1",
    ]


async def test_of_many_rows_some_are_shown(table: Connection, database: str) -> None:
    await table.execute("INSERT INTO derived (id) SELECT generate_series(100, 199)")
    lines = difference(database, "derived", TRUTH).splitlines()
    assert "0 rows missing (-), 100 rows surplus (+)" in lines[0]
    assert len(lines) == 23
    assert lines[-1] == "  … and 80 rows more"
