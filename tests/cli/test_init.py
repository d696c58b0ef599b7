"""``eventscope init``: what it writes can be run as it stands, whatever the tables are called."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from eventscope.cli import application
from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.cli.conftest import Invoke, Result

Init = Callable[..., Result]

SHOP = """
CREATE TABLE users (id int PRIMARY KEY, name text, password_hash text);
CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id int REFERENCES users);
CREATE TABLE comments (id int PRIMARY KEY, post_id uuid REFERENCES posts, parent_id int
    REFERENCES comments);
CREATE TABLE log (line text);
CREATE SCHEMA audit CREATE TABLE entries (a int, b int, PRIMARY KEY (a, b));
"""
HOSTILE = [
    'evil" """ \\ \' name',
    "line\nbreak\x1b]0;owned\x07",
    "select",
    "a.b",
    "ünï \u202e",
    "{x}",
    "$1",
]


@pytest.fixture
def init(invoke: Invoke, database: str) -> Init:
    return lambda *options: invoke("init", "--url", database, *options)


def execute(url: str, *statements: str | sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode() if isinstance(statement, str) else statement)


def uncommented(text: str) -> tuple[str, str]:
    """The example of a derived table: its SQL, and the whole file with the operator."""
    head, mark, rest = text.partition("# How many rows of one table")
    assert mark
    statements = re.findall(r"^#   (\S.*|  \S.*)$", rest.partition("# app.query(")[0], re.M)
    operator = re.findall(r"^# (app\.query\($.*?^# \)$)", rest, re.M | re.S)[0]
    code = "\n".join(line.removeprefix("# ") for line in operator.split("\n"))
    return "\n".join(statements), f"{head}\n{code}\n"


async def test_a_table_with_a_foreign_key_becomes_an_application_that_runs(
    init: Init, database: str, tmp_path: Path, settings: Settings
) -> None:
    execute(database, SHOP)
    result = init()
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        "eventscope: wrote eventscope.toml",
        "eventscope: wrote operators.py",
        "eventscope: next: eventscope run operators.py",
    ]
    assert tomllib.loads((tmp_path / "eventscope.toml").read_text()) == {}
    text = (tmp_path / "operators.py").read_text()
    statements, code = uncommented(text)
    execute(database, statements)
    (tmp_path / "operators.py").write_text(code)
    app = application.load(str(tmp_path / "operators.py"))
    assert app.entities == ("comments", "posts", "users", "audit.entries")
    assert app.scopes("comments") == ((("parent_id", "comments"),), (("post_id", "posts"),))
    assert app.concealment(["users"]).dropped == {"password_hash"}
    assert '# app.entity("log")' in text
    execute(
        database,
        "INSERT INTO posts DEFAULT VALUES",
        "INSERT INTO comments SELECT n, id FROM posts, generate_series(1, 3) n",
    )
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        execute(database, "DELETE FROM comments WHERE id = 2")
        await engine.settle(60)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT n FROM posts_comments_count").fetchall() == [(2,)]


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_of_any_kind_are_quoted_in_python_and_sql(
    name: str, init: Init, database: str, tmp_path: Path, settings: Settings
) -> None:
    parent, child = sql.Identifier(name), sql.Identifier(f"child of {name}")
    column = sql.Identifier(f"{name} id")
    execute(
        database,
        sql.SQL("CREATE TABLE {} (id int PRIMARY KEY)").format(parent),
        sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, {} int REFERENCES {})").format(
            child, column, parent
        ),
        sql.SQL("INSERT INTO {} VALUES (1)").format(parent),
        sql.SQL("INSERT INTO {} VALUES (1, 1)").format(child),
    )
    assert init().returncode == 0
    written = (tmp_path / "operators.py").read_text("utf-8")
    assert not {"\x1b", "\x07", "\u202e"} & set(written)
    statements, code = uncommented(written)
    execute(database, statements)
    (tmp_path / "operators.py").write_text(code, "utf-8")
    app = application.load(str(tmp_path / "operators.py"))
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert [o.dead for o in engine.snapshot().operators] == [0, 0]
    [query] = [o for o in app.operators if o.kind == "query"]
    with psycopg.connect(database) as connection:
        target = sql.Identifier(*query.target.removeprefix("public.").split("\0"))
        found = connection.execute(sql.SQL("SELECT * FROM {}").format(target)).fetchall()
    assert found == [(1, 1)]


def test_what_is_there_is_not_written_over_without_being_asked(init: Init, tmp_path: Path) -> None:
    (tmp_path / "operators.py").write_text("mine")
    result = init()
    assert result.returncode == 2
    assert "operators.py exists already: give --force to replace it" in result.stderr
    assert (tmp_path / "operators.py").read_text() == "mine"
    assert not (tmp_path / "eventscope.toml").exists()
    assert init("--force").returncode == 0
    assert "EventScope" in (tmp_path / "operators.py").read_text()


def test_an_empty_database_gives_an_application_to_fill(init: Init, tmp_path: Path) -> None:
    assert init().returncode == 0
    assert application.load(str(tmp_path / "operators.py")).entities == ()


def test_a_database_that_is_not_there_is_one_line_and_writes_nothing(
    invoke: Invoke, tmp_path: Path
) -> None:
    result = invoke("init", "--url", "postgresql://localhost:1/shop")
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1
    assert "cannot connect to PostgreSQL" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_a_database_the_settings_are_written_alone(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("init", "--offline", "--url", "postgresql://localhost:1/shop")
    assert result.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["eventscope.toml"]
