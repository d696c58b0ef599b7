"""``eventscope doctor``: what people and programs read, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.cli.conftest import Invoke, Result
from tests.terminal import Terminal

WriteApp = Callable[..., Path]
Command = Callable[..., Result]
EVIL = 'x\x1b]0;owned\x07\x9b31m"\u202e'
"""A table's name that would change a terminal's title, its colours and its reading order."""


@pytest.fixture
def slot() -> str:
    return f"test_{uuid4().hex[:16]}"


@pytest.fixture
def doctor(invoke: Invoke, database: str, slot: str) -> Command:
    """Run the command for the test's database."""

    def run(*arguments: str, **variables: str) -> Result:
        place = ("--url", database, "--slot-name", slot)
        return invoke("doctor", *arguments, *place, **variables)

    return run


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def findings(result: Result) -> list[dict[str, Any]]:
    document = json.loads(result.stdout)
    return list(document["findings"])


def test_what_blocks_is_exit_code_1_until_its_own_sql_has_mended_it(
    doctor: Command, write_app: WriteApp, database: str
) -> None:
    execute(database, "create unlogged table posts (id int)")
    write_app("posts")
    sick = doctor("blog.py")
    assert sick.returncode == 1
    assert "× blocking  table posts is unlogged" in sick.stdout
    assert "2 blocking" in sick.stdout.splitlines()[-1]
    for finding in findings(doctor("blog.py", "--json")):
        if finding["severity"] == "blocking":
            execute(database, *finding["sql"].splitlines())
    healthy = doctor("blog.py")
    assert healthy.returncode == 0, healthy.stdout
    assert "0 warnings, 0 blocking" in healthy.stdout.splitlines()[-1]


def test_text_is_grouped_and_says_what_why_and_how(
    doctor: Command, write_app: WriteApp, database: str
) -> None:
    execute(database, "create table posts (id int)")
    write_app("posts")
    lines = doctor("blog.py").stdout.splitlines()
    heads = [line for line in lines if line and not line.startswith(" ")][:-1]
    assert heads == ["CONNECTION", "SERVER", "ROLE", "TABLES", "PUBLICATION", "SLOT", "QUEUE"]
    start = lines.index("  × blocking  table posts has no primary key")
    assert [line.strip() for line in lines[start + 1 : start + 4]] == [
        "PostgreSQL refuses every UPDATE and DELETE on it once it is published",
        'ALTER TABLE "public"."posts" REPLICA IDENTITY FULL;',
        "or give it a primary key; or set replica_identity = 'full'",
    ]


def test_json_is_one_document_that_says_the_same(
    doctor: Command, write_app: WriteApp, database: str
) -> None:
    execute(database, "create table posts (id int)")
    write_app("posts")
    result = doctor("blog.py", "--json")
    assert result.returncode == 1
    document = json.loads(result.stdout)
    [found] = [f for f in document["findings"] if f["severity"] == "blocking"]
    assert found == {
        "group": "tables",
        "check": "replica_identity",
        "severity": "blocking",
        "found": "table posts has no primary key",
        "why": "PostgreSQL refuses every UPDATE and DELETE on it once it is published",
        "sql": 'ALTER TABLE "public"."posts" REPLICA IDENTITY FULL;',
        "mend": "or give it a primary key; or set replica_identity = 'full'",
    }
    counted = dict.fromkeys(document["summary"], 0)
    for finding in document["findings"]:
        counted[finding["severity"]] += 1
    assert document["summary"] == counted


def test_without_an_app_it_looks_at_all_tables_and_nothing_of_them_blocks(
    doctor: Command, database: str
) -> None:
    execute(database, "create table posts (id int)", "create table comments (id int primary key)")
    result = doctor()
    assert result.returncode == 0
    assert "there are comments, posts" in result.stdout
    assert "▲ warning   table posts has no primary key" in result.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_database_that_is_not_there_is_a_finding_and_exit_code_3(
    options: list[str], invoke: Invoke, write_app: WriteApp
) -> None:
    write_app("posts")
    url = "postgresql://postgres:hunter2@localhost:1/blog"
    result = invoke("doctor", "blog.py", "--url", url, *options)
    assert result.returncode == 3
    assert "cannot connect to PostgreSQL" in result.stdout
    assert "hunter2" not in result.stdout + result.stderr
    assert result.stderr == ""


def test_a_wrong_setting_is_exit_code_2(doctor: Command) -> None:
    result = doctor("--set", "port=many")
    assert (result.returncode, result.stdout) == (2, "")


def test_nothing_is_changed(doctor: Command, write_app: WriteApp, database: str) -> None:
    execute(database, "create table posts (id int primary key)")
    path = write_app("posts")
    assert doctor("blog.py").returncode == 0
    with psycopg.connect(database) as connection:
        for catalog in ("pg_publication", "pg_namespace where nspname = 'eventscope'"):
            assert connection.execute(f"select from {catalog}".encode()).fetchall() == []
        cursor = connection.execute(
            "select from pg_replication_slots where database = current_database()"
        )
        assert cursor.fetchall() == []
    assert {file.name for file in path.parent.iterdir()} - {"__pycache__"} == {"blog.py"}


def test_a_pipe_gets_no_colours_and_whole_lines(
    doctor: Command, write_app: WriteApp, database: str
) -> None:
    name = "posts_" + "x" * 50
    execute(database, f"create table {name} (id int)")
    write_app(name)
    result = doctor("blog.py", COLUMNS="40")
    assert "\x1b" not in result.stdout
    assert f'ALTER TABLE "public"."{name}" REPLICA IDENTITY FULL;' in result.stdout
    assert "refuses every UPDATE and DELETE on it once it is published" in result.stdout


def test_a_terminal_gets_colours_unless_it_is_asked_for_none(
    write_app: WriteApp, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, "create table posts (id int)")
    path = write_app("posts")
    raw = seen(path, database)
    assert b"\x1b[1;31m" in raw
    assert b"REPLICA IDENTITY FULL;" in raw
    monkeypatch.setenv("NO_COLOR", "1")
    raw = seen(path, database)
    assert b"\xc3\x97 blocking" in raw
    assert b"31m" not in raw


def test_names_from_the_database_cannot_drive_a_terminal(
    doctor: Command, write_app: WriteApp, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("create table {} (id int)").format(psycopg.sql.Identifier(EVIL))
        )
    path = write_app(EVIL)
    raw = seen(path, database)
    assert b"owned" in raw
    for sign in (b"\x1b]", b"\x07", b"\x9b31m", "\u202e".encode()):
        assert sign not in raw
    piped = doctor("blog.py")
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(piped.stdout)
    as_json = doctor("blog.py", "--json")
    assert as_json.stdout.isascii()
    [found] = [f for f in findings(as_json) if f["severity"] == "blocking"]
    assert EVIL in found["found"]
    execute(database, found["sql"])
    assert doctor("blog.py").returncode == 0


def seen(app: Path, url: str) -> bytes:
    """What a terminal of 60 columns gets."""
    terminal = Terminal(60, 200, "eventscope", "doctor", str(app), "--url", url)
    assert terminal.until_it_ends() == 1
    return terminal.raw
