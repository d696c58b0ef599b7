"""Wrong input gets one clear line and exit code 2 or 3, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Invoke, Result
from tests.servers import running_server

WriteApp = Callable[..., Path]


def assert_one_line(result: Result, code: int, *words: str) -> None:
    assert result.returncode == code, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_an_app_file_that_is_not_there(invoke: Invoke) -> None:
    assert_one_line(invoke("run", "nowhere.py"), 2, "nowhere.py", "no such file")


def test_a_queue_file_that_is_a_folder(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("status", "--queue-path", tmp_path)
    assert result.returncode == 2
    assert f"File '{tmp_path}' is a directory" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("run", "blog", "--timeout", "-1"), ("demo", "--rate", "0"), ("demo", "--duration", "-1")],
)
def test_a_number_that_cannot_be(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert result.returncode == 2
    assert f"Invalid value for '{arguments[-2]}': {float(arguments[-1])} is not in the range" in (
        result.stderr
    )


def test_an_app_module_that_is_not_there(invoke: Invoke) -> None:
    assert_one_line(invoke("run", "nowhere:app"), 2, "no module nowhere")


def test_an_app_attribute_that_is_not_there(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    assert_one_line(invoke("run", "blog.py:apple"), 2, "apple", "blog.py:app")


def test_an_app_attribute_that_is_something_else(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "blog.py").write_text("app = 42\n")
    assert_one_line(invoke("run", "blog"), 2, "no EventScope named app")


def test_an_app_that_raises_on_import_names_file_and_line(
    invoke: Invoke, write_app: WriteApp
) -> None:
    path = write_app("posts", "", "undefined_name")
    assert_one_line(invoke("run", "blog.py"), 2, f"{path.name}:6", "NameError", "undefined_name")


def test_an_app_with_a_syntax_error_names_file_and_line(
    invoke: Invoke, write_app: WriteApp
) -> None:
    write_app("posts", "def (")
    assert_one_line(invoke("run", "blog:app"), 2, "blog.py:5", "SyntaxError")


def test_an_app_that_misses_a_package_names_it(invoke: Invoke, write_app: WriteApp) -> None:
    write_app("posts", "import not_installed_here")
    assert_one_line(invoke("run", "blog"), 2, "blog.py:5", "not_installed_here")


def test_an_operator_declared_wrongly_names_its_line(invoke: Invoke, write_app: WriteApp) -> None:
    write_app("posts", "app.query('x', sql='select 1', ids={'posts': 'id'})")
    assert_one_line(invoke("run", "blog"), 2, "blog.py:5", "$1")


def test_an_app_without_tables(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "blog.py").write_text("from eventscope import EventScope\napp = EventScope('b')\n")
    assert_one_line(invoke("run", "blog"), 2, "follows no table", "app.entity")


def test_a_server_that_is_not_there(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    result = invoke("run", "blog", "--url", "postgresql://localhost:1/blog")
    assert_one_line(result, 3, "port 1", "refused")


def test_a_url_that_is_none(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    assert_one_line(invoke("run", "blog", "--url", "nonsense"), 2, "url")


def test_a_wrong_password_is_named_and_not_shown(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    with running_server(tcp=True) as server:
        url = f"postgresql://postgres:hunter2@127.0.0.1:{server.port}/postgres"
        result = invoke("run", "blog", "--url", url)
    assert_one_line(result, 3, "password authentication failed")
    assert "hunter2" not in result.stderr + result.stdout


def test_a_server_with_too_low_a_wal_level_gets_the_statement_that_mends_it(
    invoke: Invoke, write_app: WriteApp
) -> None:
    write_app()
    with running_server(settings={"wal_level": "replica"}) as server:
        result = invoke("run", "blog", "--url", server.url)
    assert_one_line(result, 3, "wal_level", "ALTER SYSTEM SET wal_level = 'logical'", "restart")


def test_a_table_that_is_not_there(invoke: Invoke, write_app: WriteApp, blog: str) -> None:
    write_app("post")
    result = invoke("run", "blog", "--url", blog)
    assert_one_line(result, 3, "table post does not exist", "did you mean posts?")


def test_a_column_that_is_not_there(invoke: Invoke, write_app: WriteApp, blog: str) -> None:
    write_app("posts", "app.query('users', sql='select $1', ids={'comments': 'post'})")
    result = invoke("run", "blog", "--url", blog)
    assert_one_line(result, 3, "comments has no column post", "post_id")


def test_a_role_that_may_not_replicate_gets_the_statement_that_mends_it(
    invoke: Invoke, write_app: WriteApp, blog: str
) -> None:
    write_app()
    with psycopg.connect(blog, autocommit=True) as connection:
        connection.execute("drop role if exists humble")
        connection.execute("create role humble login")
        connection.execute("create publication events for table posts")
    result = invoke("run", "blog", "--url", blog.replace("postgres@", "humble@"))
    assert_one_line(result, 3, "humble", 'ALTER ROLE "humble" REPLICATION')


def test_a_table_that_publishing_would_break_is_refused(
    invoke: Invoke, write_app: WriteApp, database: str
) -> None:
    write_app("logs")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table logs (line text)")
        result = invoke("run", "blog", "--url", database)
        assert_one_line(result, 3, "logs has no primary key", "REPLICA IDENTITY FULL")
        run = ("run", "blog", "--url", database, "--until", "caught-up")
        assert invoke(*run, "--set", "replica_identity=full").returncode == 0
        connection.execute("insert into logs values ('a'); update logs set line = 'b'")


@pytest.mark.parametrize("file", ["eventscope.toml", "pyproject.toml"])
def test_a_settings_key_that_does_not_exist(
    file: str, invoke: Invoke, write_app: WriteApp, tmp_path: Path
) -> None:
    write_app()
    section = "[tool.eventscope]\n" if file == "pyproject.toml" else ""
    (tmp_path / file).write_text(f'{section}slot_nme = "x"\n')
    assert_one_line(invoke("run", "blog"), 2, file, "slot_nme", "did you mean slot_name?")


def test_a_settings_value_that_cannot_be(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    result = invoke("run", "blog", EVENTSCOPE_PORT="many")
    assert_one_line(result, 2, "EVENTSCOPE_PORT", "integer")


def test_an_assignment_without_a_value(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    assert_one_line(invoke("run", "blog", "--set", "port"), 2, "--set port", "KEY=VALUE")
