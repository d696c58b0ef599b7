"""``eventscope demo``: it works, and it tells when the derived tables are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

import operators_example
from eventscope.cli.demo import _verify
from tests.cli.conftest import Invoke
from tests.servers import create_blog


def test_the_headless_demo_ends_by_itself_with_every_derived_table_right(invoke: Invoke) -> None:
    result = invoke("demo", "--headless", "--duration", "3")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["events"] > 100
    assert set(summary["applied"]) == {
        operator.name for operator in operators_example.app.operators
    }
    assert all(summary["applied"].values())


def test_a_directory_keeps_the_demo_and_goes_on_with_it(invoke: Invoke) -> None:
    with TemporaryDirectory() as parent:
        Path(parent).chmod(0o711)  # under root, PostgreSQL runs as somebody else
        directory = Path(parent) / "kept"
        for _ in range(2):
            result = invoke("demo", "--headless", "--duration", "1", "--directory", directory)
            assert result.returncode == 0, result.stderr
        assert (directory / "queue.db").exists()


async def test_a_derived_table_that_differs_from_its_query_is_exit_code_1(database: str) -> None:
    create_blog(database)
    truths = {table.name: table.truth for table in operators_example.DERIVED}
    assert await _verify(database, truths) == 0
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into user_with_profiles (id, email, name) values (7, 'a', 'b')")
    assert await _verify(database, truths) == 1
