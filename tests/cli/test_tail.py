"""``eventscope tail`` as a program: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.cli.conftest import Invoke
from tests.cli.test_wrong_input import assert_one_line
from tests.conftest import Connection
from tests.engine.tailing import held_up, publications, slots
from tests.programs import Program, running
from tests.terminal import Terminal
from tests.waiting import PATIENCE, until, until_async

WriteApp = Callable[..., Path]

HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07\x1b]0;owned\x07\x9d52;c;ZXZpbA==\x9c\x1b[?1049l\x1b[2J\u202e\r\n\x7f"
)


@pytest.fixture
async def notes(connection: Connection) -> None:
    await connection.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, body text);CREATE TABLE other (id int PRIMARY KEY)"
    )


@pytest.fixture
def tail(database: str, tmp_path: Path):
    """Start ``eventscope tail``; a context manager that gives a ``Program``."""
    return lambda *options: running("tail", "--url", database, *options, cwd=tmp_path)


async def listening(program: Program, what: str = "") -> None:
    await program.line(lambda line: f"listening to {what}" in line.get("text", ""))


async def printed(program: Program, count: int) -> list[dict]:
    def events() -> list:
        return [line for line in program.lines if "text" not in line]

    await until(lambda: len(events()) >= count or not program.running)
    return events()


async def clean(connection: Connection) -> bool:
    return not await publications(connection) and not await slots(connection)


async def test_each_event_is_a_line_of_json_in_a_pipe_and_comes_at_once(
    notes, connection, tail, database
):
    async with tail() as program:
        await listening(program, "2 tables of ")
        for id in (1, 2):
            await connection.execute("INSERT INTO notes VALUES (%s, 'x')", [id])
            await printed(program, id)
        first, second = await printed(program, 2)
    assert first["name"] == "notes"
    assert first["type"] == "insert"
    assert first["new_record"] == {"id": 1, "body": "x"}
    assert second["index"] == 0
    assert second["id"] == f"{second['id'].rpartition('/')[0]}/0"
    name = conninfo_to_dict(database)["dbname"]
    assert [line["text"] for line in program.lines if "text" in line] == [
        f"eventscope: listening to 2 tables of {name}@socket, Ctrl-C ends"
    ]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
async def test_a_signal_ends_it_and_nothing_is_left(notes, connection, tail, number, code):
    async with tail() as program:
        await listening(program)
        assert not await clean(connection)
        program.signal(number)
        assert await program.ended() == code
    assert len(program.lines) == 1
    await until_async(lambda: clean(connection))


async def test_what_a_killed_one_left_is_dropped_by_the_next_and_nothing_else(
    notes, connection, tail
):
    async with tail() as living, tail() as killed:
        await listening(living)
        await listening(killed)
        both = await publications(connection)
        await killed.kill()
        assert await publications(connection) == both

        async def one_slot() -> bool:
            return len(await slots(connection)) == 1

        await until_async(one_slot)
        async with tail() as following:
            await listening(following)
            assert len({*both, *await publications(connection)}) == 3
            assert len(await publications(connection)) == 2
            await connection.execute("INSERT INTO notes VALUES (1)")
            await printed(following, 1)
            await printed(living, 1)
            following.terminate()
            living.terminate()
            assert await following.ended() == await living.ended() == 0
    assert await publications(connection) == []


async def test_a_limit_ends_it(notes, connection, tail):
    async with tail("--limit", "2", "--table", "notes") as program:
        await listening(program, "notes of ")
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 3)")
        assert await program.ended() == 0
        assert [event["new_record"]["id"] for event in await printed(program, 2)] == [1, 2]
    await until_async(lambda: clean(connection))


async def test_idleness_ends_it(notes, connection, tail):
    async with tail("--until-idle", "0.5") as program:
        await listening(program)
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 3)")
        assert await program.ended() == 0
    assert len(await printed(program, 3)) == 3
    assert await clean(connection)


async def test_a_filter_chooses(notes, connection, tail):
    async with tail("--where", "op:insert id:2", "--until-idle", "0.5") as program:
        await listening(program)
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 3)")
        await connection.execute("DELETE FROM notes")
        assert await program.ended() == 0
    assert [event["new_record"]["id"] for event in await printed(program, 1)] == [2]


async def test_an_app_says_which_tables(notes, connection, tail, write_app: WriteApp):
    write_app("other")
    async with tail("blog.py") as of_app, tail("blog.py", "--table", "notes") as of_table:
        await listening(of_app, "other of ")
        await listening(of_table, "notes of ")
        await connection.execute("INSERT INTO notes VALUES (1)")
        await connection.execute("INSERT INTO other VALUES (1)")
        (other,) = await printed(of_app, 1)
        (note,) = await printed(of_table, 1)
    assert (other["name"], note["name"]) == ("other", "notes")


@contextmanager
def unread(database: str, tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """The program, and the end of a pipe from which its output can be read."""
    reading, writing = os.pipe()
    program = subprocess.Popen(
        [sys.executable, "-m", "eventscope", "tail", "--url", database, *options],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    try:
        assert "listening" in program.stderr.readline()
        yield program, reading
    finally:
        program.kill()
        program.communicate()


async def test_a_reader_who_leaves_ends_it_quietly(notes, connection, database, tmp_path):
    """As ``head -1`` does: nothing more has to happen for it to be noticed."""
    with unread(database, tmp_path) as (program, reading):
        await connection.execute("INSERT INTO notes VALUES (1)")
        assert json.loads(os.read(reading, 10_000))["new_record"]["id"] == 1
        os.close(reading)
        assert program.wait(PATIENCE) == 0
        assert program.stderr.read() == ""
    await until_async(lambda: clean(connection))


async def test_a_reader_who_leaves_in_the_middle_ends_it_quietly(
    notes, connection, database, tmp_path
):
    with unread(database, tmp_path) as (program, reading):
        await connection.execute(
            "INSERT INTO notes SELECT n, repeat('x', 100) FROM generate_series(1, 10000) n"
        )
        os.read(reading, 10_000)
        os.close(reading)
        assert program.wait(PATIENCE) == 0
        assert program.stderr.read() == ""
    await until_async(lambda: clean(connection))


async def test_a_reader_who_does_not_read_keeps_nobody_from_ending_it(
    notes, connection, database, tmp_path
):
    with unread(database, tmp_path) as (program, reading):
        await connection.execute(
            "INSERT INTO notes SELECT n, repeat('x', 100) FROM generate_series(1, 10000) n"
        )
        os.read(reading, 1)
        program.send_signal(signal.SIGINT)
        assert program.wait(PATIENCE) == 130
        assert program.stderr.read() == ""
        os.close(reading)
    await until_async(lambda: clean(connection))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_large_transaction_and_a_slow_reader_need_little_memory(
    notes, connection, database, tmp_path
):
    rows = 100_000
    with unread(database, tmp_path) as (program, reading):
        await connection.execute(
            f"INSERT INTO notes SELECT n, repeat('x', 500) FROM generate_series(1, {rows}) n"
        )
        await until_async(lambda: held_up(connection))
        program.send_signal(signal.SIGSTOP)  # its memory is to be read in peace
        peak = _peak_memory(program.pid)
        program.send_signal(signal.SIGCONT)
        lines = await asyncio.to_thread(_read_lines, reading, rows)
        peak = max(peak, _peak_memory(program.pid))
        program.terminate()
        assert program.wait(PATIENCE) == 0
    assert [json.loads(line)["index"] for line in lines] == list(range(rows))
    assert peak < 90 * 1024 * 1024, f"{peak / 1024 / 1024:.0f} MB"


async def test_a_terminal_gets_one_safe_line_an_event(notes, connection, database):
    await connection.execute(
        psycopg.sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, {} text)").format(
            *[psycopg.sql.Identifier(HOSTILE)] * 2
        )
    )
    terminal = Terminal(160, 30, "eventscope", "tail", "--url", database)
    terminal.until("listening to 3 tables")
    await connection.execute(
        psycopg.sql.SQL("INSERT INTO {} VALUES (1, {})").format(
            psycopg.sql.Identifier(HOSTILE), HOSTILE
        )
    )
    await connection.execute("INSERT INTO notes VALUES (48213, %s)", ["日本語 " * 30])
    terminal.until("48213")
    terminal.program.sendintr()
    assert terminal.until_it_ends() == 130
    assert b"\x1b[" in terminal.raw, "it is coloured"
    _assert_harmless(terminal.raw)
    listening, hostile, notes, *rest = terminal.lines
    assert "listening" in listening
    assert "insert" not in listening
    assert " 1   " in hostile
    assert "48213" in notes
    assert [line for line in rest if line.strip("^C")] == []


@pytest.mark.parametrize("options", [(), ("--format", "jsonl")])
async def test_a_terminal_without_colours_gets_no_codes_at_all(
    notes, connection, database, monkeypatch, options
):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(100, 30, "eventscope", "tail", "--url", database, *options)
    terminal.until("listening to 2 tables")
    await connection.execute("INSERT INTO notes VALUES (1, %s)", [HOSTILE])
    await connection.execute("INSERT INTO notes VALUES (48213)")
    terminal.until("48213")
    terminal.program.sendintr()
    assert terminal.until_it_ends() == 130
    assert b"\x1b" not in terminal.raw
    _assert_harmless(terminal.raw)


async def test_pretty_lines_in_a_pipe_have_no_codes(notes, connection, tail, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    async with tail("--format", "pretty", "--limit", "1") as program:
        await listening(program)
        await connection.execute("INSERT INTO notes VALUES (48213, 'hello')")
        assert await program.ended() == 0
    line = program.lines[-1]["text"]
    assert line.split()[1:] == ["insert", "notes", "48213", "body", "hello", line.split()[-1]]
    assert line.isprintable()


def test_a_filter_that_cannot_be_read_is_shown_with_its_place(invoke: Invoke) -> None:
    result = invoke("tail", "--where", "op:insrt")
    assert result.returncode == 2
    message, text, caret = result.stderr.splitlines()
    assert message.startswith("eventscope: filter, column 4: ")
    assert text == "op:insrt"
    assert caret == "   ^"


def test_the_help_says_what_a_filter_may_be(invoke: Invoke) -> None:
    assert "\nFILTER:\n  paid      " in invoke("tail", "--help").stdout.replace(
        "  FILTER", "FILTER"
    )


def test_wrong_input_gets_one_line(invoke: Invoke, notes, database: str, tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("from eventscope import EventScope\napp = EventScope('b')\n")
    url = ("--url", database)
    result = invoke("tail", *url, "--table", "note")
    assert_one_line(result, 3, "table note does not exist; did you mean notes?")
    assert_one_line(invoke("tail", *url, "--publication", "x"), 3, "publication x does not exist")
    assert_one_line(invoke("tail", *url, "empty.py"), 2, "follows no table")
    assert_one_line(invoke("tail", "--url", "postgresql://localhost:1/blog"), 3, "refused")
    assert_one_line(invoke("tail", "--set", "prot=1"), 2, "did you mean port?")


def test_wrong_usage_is_exit_code_2(invoke: Invoke) -> None:
    for options in (["--limit", "0"], ["--until-idle", "-1"], ["--format", "xml"], ["--slot-name"]):
        assert invoke("tail", *options).returncode == 2


@pytest.mark.parametrize(("redirection", "message"), [
    (">&-", "eventscope: standard output is closed"),
    (">/dev/full", "eventscope: cannot write to standard output: No space left on device"),
])  # fmt: skip
async def test_an_output_that_takes_nothing_is_an_error(
    notes, connection, database, tmp_path, redirection, message
):
    program = await asyncio.create_subprocess_shell(
        f'"{sys.executable}" -m eventscope tail --url "{database}" {redirection}',
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    lines = []
    while line := (await program.stderr.readline()).decode():
        lines.append(line)
        if "listening" in line:
            await connection.execute("INSERT INTO notes VALUES (1)")
    assert await program.wait() == 1
    assert lines[-1].startswith(message)
    await until_async(lambda: clean(connection))


def _assert_harmless(raw: bytes) -> None:
    for harm in (b"\x1b]", b"\x9d", "\x9d".encode(), b"\x1b[?", b"\x1b[2J", "\u202e".encode()):
        assert harm not in raw.replace("日本語".encode(), b"")


def _read_lines(descriptor: int, count: int) -> list[str]:
    with os.fdopen(descriptor, encoding="utf-8", closefd=False) as output:  # or tail ends
        return [output.readline() for _ in range(count)]


def _peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


async def test_what_an_application_hides_is_not_shown(notes, connection, tail, write_app, tmp_path):
    write_app("other", 'app.entity("notes", mask=["body"])')
    for options in (["blog.py"], ["blog.py", "--table", "notes"]):
        async with tail(*options, "--limit", "1") as program:
            await listening(program)
            await connection.execute("DELETE FROM notes")
            await connection.execute("INSERT INTO notes VALUES (1, 'canary')")
            await program.ended()
        [event] = [line for line in program.lines if "text" not in line]
        assert "canary" not in json.dumps(event)
        await connection.execute("DELETE FROM notes")
    assert event["new_record"] == {"id": 1, "body": "***"}
