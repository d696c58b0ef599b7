"""Databases for tests, each made from a template that is filled once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from eventscope.demo import databases
from eventscope.demo.embedded import EmbeddedServer
from eventscope.testing.schema import SchemaError
from eventscope.testing.server import Server, ServerUnusable

PATIENCE = 60


@pytest.fixture
def server(postgres: EmbeddedServer) -> Iterator[Server]:
    with closing(Server(postgres.url)) as server:
        yield server


def databases_of(server: Server) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def test_a_schema_is_made_of_sql_files_and_functions_in_their_order(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "schema.sql"
    file.write_text("\\restrict abc\nCREATE TABLE b (n int);\n\\unrestrict abc\n")

    def migrate(url: str) -> None:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)")

    schema = ["CREATE TABLE a (n int); CREATE TABLE c (n int);", file, migrate]
    with server.database(schema) as url, psycopg.connect(url) as connection:
        found = connection.execute("SELECT n FROM a UNION ALL SELECT n FROM b").fetchall()
    assert found == [(1,), (2,)]


def test_it_is_filled_once_and_what_a_test_does_is_not_in_the_next_database(
    server: Server,
) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE a (n int)")

    for _ in range(3):
        with server.database(fill) as url, psycopg.connect(url, autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
            connection.execute("INSERT INTO a VALUES (1)")
    assert len(filled) == 1


def test_each_schema_has_a_template_and_the_end_leaves_none(postgres: EmbeddedServer) -> None:
    server = Server(postgres.url)
    before = databases_of(server)
    for table in ("a", "b"):
        schema = f"CREATE TABLE {table} (n int)"
        with server.database(schema) as url, psycopg.connect(url) as connection:
            connection.execute(f"SELECT n FROM {table}")  # type: ignore[call-overload]
    assert len(databases_of(server) - before) == 2
    server.close()
    assert databases_of(server) == before


def test_who_fills_it_may_stay_connected(server: Server) -> None:
    with ExitStack() as stack:

        def fill(url: str) -> None:
            stack.enter_context(closing(psycopg.connect(url)))

        with server.database(fill) as url:
            psycopg.connect(url).close()


def test_sql_that_is_none_is_named_with_its_place(server: Server, tmp_path: Path) -> None:
    before = databases_of(server)
    file = tmp_path / "schema.sql"
    file.write_text("CREATE TABLE a (n int);\n\nCREATE TABEL b (n int);\n")
    with pytest.raises(SchemaError, match=rf"{file} line 3: syntax error at or near \"TABEL\""):
        server.database(file).__enter__()
    with pytest.raises(SchemaError, match="nowhere: No such file"):
        server.database(Path("nowhere")).__enter__()
    assert databases_of(server) == before


def test_a_role_that_may_not_create_databases_is_told(
    postgres: EmbeddedServer, database: str
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE tester LOGIN")
        try:
            server = Server(database.replace("postgres@", "tester@"))
            with pytest.raises(ServerUnusable, match="permission denied to create database"):
                server.database().__enter__()
        finally:
            connection.execute("DROP ROLE tester")


def test_a_database_is_dropped_with_what_a_test_has_left_in_it(
    server: Server, postgres: EmbeddedServer
) -> None:
    with server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')")
        connection.execute("CREATE PUBLICATION left_behind FOR ALL TABLES")
    with psycopg.connect(postgres.url) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'left_behind'"
        )
        assert found.fetchone() is None


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("postgresql://u:p%40@h:1/a?sslmode=disable", "postgresql://u:p%40@h:1/x?sslmode=disable"),
        ("postgresql://h", "postgresql://h/x"),
        ("postgresql://h1:1,h2:2/a", "postgresql://h1:1,h2:2/x"),
        ("postgresql://u@/a?host=/run", "postgresql://u@/x?host=/run"),
        ("host=h dbname=a", "dbname=x host=h"),
    ],
)
def test_the_url_of_another_database(server: str, found: str) -> None:
    assert databases.url_of(server, "x") == found
