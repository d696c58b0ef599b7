"""The README as the manual: complete, and what it shows works as it stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import click
import pytest

from eventscope import Event, EventScope
from eventscope.cli import cli
from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.manual import contents, rewritten
from tests.programs import REPOSITORY, Program, running
from tests.readme import CONTRIBUTING, README, blocks, every_block
from tests.waiting import until, until_async

FIRST = "## The first operator in five minutes"
ELSEWHERE = {
    ("## Install", "sh"): "needs a package index",
    ("## See it", "sh"): "needs a package index; tests/cli/test_demo.py runs the demo",
    ("## Run the tests", "sh"): "is what .ci/run does",
    ("## In CI", "yaml"): "needs GitLab or GitHub; its commands are those of the sh block",
    ("## Metrics and health", "sh"): "is what tests/cli/test_metrics.py does",
    ("## Metrics and health", "yaml"): "needs Kubernetes",
    ("### In the web", "sh"): "is what tests/operators_example/test_web.py serves",
}
"""Code that cannot be run here."""


def test_contents_and_commands_are_as_the_program_has_them() -> None:
    assert rewritten(README) == README, "python -m tests.manual writes them anew"
    assert contents(README).count("](#") > 15


def test_all_code_is_run_by_some_test() -> None:
    sources = "\n".join(
        path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py")
    )
    run = {
        (heading, language or "python")
        for heading, language in re.findall(
            r'blocks\(\s*"(##+ .+?)"(?:,\s*"(\w+)")?[,)\s]', sources.replace("FIRST", f'"{FIRST}"')
        )
    }
    shown = {(one.heading, one.language) for one in every_block() if one.code}
    left_out = {
        (heading, language)
        for heading, language in shown - run - ELSEWHERE.keys()
        if language != "toml"  # all of it is tried below
    }
    assert left_out == set()


@pytest.mark.parametrize("language", ["", "text"])
def test_no_code_is_without_a_language(language: str) -> None:
    assert [one for one in every_block() if one.code and one.language == language] == []


def test_every_link_leads_somewhere() -> None:
    for text, other in ((README, CONTRIBUTING), (CONTRIBUTING, README)):
        links = re.findall(r"\]\(([^)\s]+)\)", text)
        assert links
        for link in links:
            file, _, anchor = link.partition("#")
            if not link.startswith("http"):
                assert (REPOSITORY / file).exists(), link
                assert not anchor or anchor in anchors(other if file else text), link


def anchors(text: str) -> set[str]:
    """The names of all headings, as GitHub makes them."""
    headings = [re.sub(r"^#+ ", "", one.heading) for one in every_block(text) if not one.code]
    return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in headings}


@pytest.mark.parametrize("code", [one.code for one in every_block() if one.language == "toml"])
def test_settings_that_are_shown_are_valid(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "eventscope.toml").write_text(code)
    monkeypatch.chdir(tmp_path)
    assert Settings.load().model_fields_set


def test_every_command_line_that_is_shown_is_one() -> None:
    lines = list(command_lines())
    assert len(lines) > 20
    for line in lines:
        [_, name, *arguments] = shlex.split(line)
        command: click.Command | None = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group) and arguments:
            [name, *arguments] = arguments
            command = command.get_command(click.Context(command), name)
        assert command is not None, line
        try:
            command.make_context(name, arguments, resilient_parsing=True)
        except click.UsageError as error:
            raise AssertionError(f"{line}: {error}") from error


def command_lines() -> Iterator[str]:
    """What is shown in code and in between; a pipe and what follows it is left out."""
    shell = [one.code for one in every_block() if one.language == "sh"]
    text = re.sub(r"^```.*?^```$|^\|[^\n]*$", "", README, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^eventscope .+$", "\n".join(shell), re.MULTILINE)
    found += re.findall(r"`(eventscope [^`]+)`", re.sub(r"\s+", " ", text))
    for line in found:
        yield re.split(r" [|>&#]", line)[0]


async def test_the_first_operator_counts_comments(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    tables, writing, question = blocks(FIRST, "sql")
    export, commands = blocks(FIRST, "sh")
    [blog] = blocks(FIRST)
    (tmp_path / "blog.py").write_text(blog)
    await connection.execute(tables)  # type: ignore[arg-type]
    variable, _, _ = export.removeprefix("export ").partition("=")
    environment = {variable: database, "EVENTSCOPE_SLOT_NAME": f"readme_{uuid4().hex[:16]}"}
    doctor, run = [shlex.split(line)[1:] for line in commands.splitlines()]
    async with running(*doctor, cwd=tmp_path, environment=environment) as program:
        assert await program.ended() == 0, program.lines
    async with running(*run, cwd=tmp_path, environment=environment) as program:
        await says(program, "streaming")
        await connection.execute(writing)  # type: ignore[arg-type]
        expected = tuple(question.rpartition("-- ")[2].strip().split(" | "))

        async def counted() -> bool:
            cursor = await connection.execute(question)  # type: ignore[arg-type]
            return [tuple(map(str, row)) for row in await cursor.fetchall()] == [expected]

        await until_async(counted)
        program.terminate()
        assert await program.ended() == 0
    [*_, until_caught_up] = [
        line for line in "".join(blocks("## Without a dashboard", "sh")).splitlines()
        if "--until caught-up" in line
    ]  # fmt: skip
    ending = [shlex.split(until_caught_up)[1:], ["teardown", "blog.py", "--yes"]]
    for arguments in ending:
        async with running(*arguments, cwd=tmp_path, environment=environment) as program:
            assert await program.ended() == 0, program.lines
    cursor = await connection.execute("SELECT count(*) FROM pg_publication")
    assert await cursor.fetchone() == (0,)


async def says(program: Program, text: str) -> None:
    """Wait for a line that is no JSON."""
    await program.line(lambda line: text in str(line.get("text")))


async def test_the_tails_print_what_happens(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    [code] = blocks("## Watch a database from the shell", "sh")
    lines = [line.split(" | ")[0] for line in code.splitlines()]
    assert len(lines) == 3
    await connection.execute(
        "CREATE TABLE comments (id int PRIMARY KEY, status text, total int);"
        " ALTER TABLE comments REPLICA IDENTITY FULL;"
        " INSERT INTO comments VALUES (1, 'pending', 50)"
    )
    async with AsyncExitStack() as stack:
        programs = []
        for line in lines:
            arguments = re.sub(r"postgresql://\S+", lambda _: shlex.quote(database), line)
            start = running(
                *shlex.split(arguments)[1:],
                cwd=tmp_path,
                environment={"EVENTSCOPE_URL": database},
            )
            programs.append(await stack.enter_async_context(start))
        for program in programs:
            await says(program, "listening")
        await connection.execute("UPDATE comments SET status = 'paid'")
        for program in programs:
            line = await program.line(lambda line: "new_record" in line)
            assert line["new_record"] == {"id": 1, "status": "paid", "total": 50}


async def test_the_functions_get_what_they_follow(
    connection: Connection, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    posted: list[dict[str, Any]] = []
    loaded: list[dict[str, Any]] = []

    async def post(path: str, json: dict[str, Any]) -> None:
        posted.append(json)

    async def load(rows: list[dict[str, Any]]) -> None:
        loaded.extend(rows)

    await connection.execute(
        "CREATE TABLE users (id int PRIMARY KEY, email text);"
        " CREATE TABLE comments (id int PRIMARY KEY);"
        " CREATE TABLE orders (id int PRIMARY KEY, customer_id int);"
        " CREATE TABLE audit (event text, what text)"
    )
    app = EventScope("functions")
    names = {
        "app": app,
        "Event": Event,
        "client": SimpleNamespace(post=post),
        "warehouse": SimpleNamespace(load=load),
    }
    for code in blocks("### In Python"):
        exec(code, names)
    printed = ""
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO users VALUES (1, 'ada@example.com')")
        await connection.execute("INSERT INTO comments VALUES (1), (2)")
        await connection.execute("INSERT INTO orders VALUES (1, 7), (2, 8), (3, 7)")
        await connection.execute("SELECT pg_logical_emit_message(true, 'deploy', 'v2')")
        await engine.settle(30)
        await until(lambda: len(posted) == len(loaded) == 3)
        printed += capsys.readouterr().out
    assert "welcome ada@example.com" in printed
    assert "deployed v2" in printed
    cursor = await connection.execute("SELECT count(DISTINCT event), min(what) FROM audit")
    assert await cursor.fetchone() == (2, "insert")
    assert [row["id"] for row in loaded] == [1, 2, 3]


async def test_the_options_of_a_query_are_taken() -> None:
    section = README[README.index("### In SQL") : README.index("### In Python")]
    options = re.findall(r"^\| `(\w+=.+?)` \|", section, re.MULTILINE)
    assert len(options) > 5
    for option in options:
        app = EventScope("options")
        names: dict[str, Any] = {"query": app.query}
        exec("from eventscope import Sql", names)
        ids = "" if option.startswith("ids=") else "ids={'posts': 'id'}, "
        sql = "SELECT $1, $2" if "org_id" in option else "SELECT $1"
        exec(f"query('t', sql={sql!r}, {ids}{option})", names)
        assert app.operators
