"""A password, however it is given, is in nothing that a command says, draws or writes."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psycopg
import pytest

from eventscope.cli import application
from eventscope.engine.thread import EngineThread
from eventscope.settings import Settings
from eventscope.tui.app import EventScopeApp
from tests.cli.conftest import Invoke
from tests.cli.secretive import (
    CANARY,
    FORMS,
    TABLES,
    assert_untold,
    assert_unwritten,
    command_lines,
    prepare,
    variables,
)
from tests.terminal import Terminal
from tests.tui.driving import screen, until

COMMANDS = [
    ["run", "shop.py", "--headless", "--until", "caught-up", "--log-format", "json"],
    ["run", "shop.py", "--headless", "--until", "caught-up", "--log-format", "text"],
    ["run", "shop.py", "--headless", "--until", "caught-up", "--report", "report.xml"],
    ["status", "shop.py"],
    ["status", "shop.py", "--json"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "FIRST"],
    ["dead-letters", "show", "LAST"],
    ["doctor", "shop.py"],
    ["doctor", "shop.py", "--json"],
    ["config", "show"],
    ["config", "show", "--json"],
    ["setup", "shop.py", "--dry-run"],
    ["teardown", "shop.py", "--dry-run"],
    ["tail", "shop.py", "--until-idle", "0"],
    ["init", "--force"],
]
"""All that says something of a database; add yours. The first makes two dead letters."""
OFTEN = [COMMANDS[0], COMMANDS[4], COMMANDS[7], COMMANDS[9], COMMANDS[11]]
"""Those that are tried with a password of every form."""


@pytest.fixture
def notes(database: str, tmp_path: Path) -> str:
    """The url of a database with something to fail at, and the application that does."""
    prepare(tmp_path)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
        connection.execute("create publication events for table notes")
        connection.execute("select pg_create_logical_replication_slot('shop', 'pgoutput')")
        connection.execute("insert into notes values (1)")
    return database


def dead_letters(told: str) -> list[str]:
    """Their ids."""
    return [str(letter["id"]) for letter in json.loads(told)["dead_letters"]]


@pytest.mark.parametrize("form", FORMS)
def test_no_command_tells_a_password(form: str, notes: str, tmp_path: Path, invoke: Invoke) -> None:
    given = variables(form, notes, tmp_path)
    said = ""
    letters: dict[str, str] = {}
    for command in COMMANDS if form == "url" else OFTEN:
        result = invoke(*(letters.get(word, word) for word in command), **given)
        assert result.returncode in (0, 1), result.stderr
        assert_untold(result.stdout, result.stderr)
        said += result.stdout + result.stderr
        if not letters:
            ids = dead_letters(invoke("dead-letters", "list", "--json", **given).stdout)
            letters = {"FIRST": ids[0], "LAST": ids[1]}
    assert "cannot use" in said  # so it was there to be told
    assert_unwritten(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "shop.py", "--headless"],
        ["doctor", "shop.py"],
        ["init", "--force"],
        ["tail"],
        ["setup", "shop.py", "--dry-run"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:{}@localhost:1/db",
        "postgresql://u:x@{}@localhost:1/db",
        "postgresql://u:{}/x@localhost:1/db",
        "postgresql://u:{}?x@localhost:1/db",
        "postgresql://u:{}%zz@localhost:1/db",
        "host=localhost port=1 password='{}",
        "{}",
    ],
)
def test_a_database_that_cannot_be_reached_tells_no_part_of_a_password(
    command: list[str], url: str, tmp_path: Path, invoke: Invoke
) -> None:
    prepare(tmp_path)
    if command[0] not in ("run", "doctor") and "@{}" not in url:
        pytest.skip("the same connection")
    result = invoke(*command, EVENTSCOPE_URL=url.format("c4nary"))
    assert result.returncode in (2, 3)
    assert_untold(result.stdout, result.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor", "postgresql://u:c4nary@h/db"],
        ["doctor", "--set", "password:c4nary"],
        ["doctor", "--set", "port=c4nary"],
        ["doctor", "shop.py", "postgresql://u:c4nary@h/db"],
        ["config", "show", "--set", "pasword=c4nary"],
    ],
    ids=" ".join,
)
def test_a_slip_of_the_hand_tells_no_password(
    arguments: list[str], tmp_path: Path, invoke: Invoke
) -> None:
    prepare(tmp_path)
    result = invoke(*arguments)
    assert result.returncode == 2
    assert_untold(result.stdout, result.stderr)


def test_an_application_that_cannot_be_loaded_tells_no_password(
    tmp_path: Path, invoke: Invoke
) -> None:
    prepare(tmp_path)
    (tmp_path / "shop.py").write_text(
        "from pathlib import Path\nraise RuntimeError(Path('secret').read_text('utf-8'))\n"
    )
    result = invoke("run", "shop.py", "--headless", EVENTSCOPE_PASSWORD=CANARY)
    assert result.returncode == 2
    assert "RuntimeError" in result.stderr
    assert_untold(result.stdout, result.stderr)


def test_a_terminal_is_told_no_password_and_no_process_shows_it(
    notes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables("url", notes, tmp_path).items():
        monkeypatch.setenv(name, value)
    terminal = Terminal(120, 40, "eventscope", "run", "shop.py", folder=tmp_path)
    terminal.until("tells")
    log = tmp_path / ".eventscope" / "shop-shop.log"
    while b"cannot use" not in log.read_bytes():
        terminal.until_quiet()
    for key in "25":
        terminal.program.send(key)
        terminal.until_quiet()
    assert_untold(*command_lines())
    terminal.program.kill(signal.SIGTERM)
    assert terminal.until_it_ends() == 0
    assert_untold(terminal.raw)
    assert_unwritten(tmp_path)


def test_a_dashboard_that_crashes_tells_no_password(
    notes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables("url", notes, tmp_path).items():
        monkeypatch.setenv(name, value)
    terminal = Terminal(80, 24, "tests.cli.crashing_with_secret", folder=tmp_path)
    assert terminal.until_it_ends() == 1
    assert b"the dashboard has failed" in terminal.raw
    assert_untold(terminal.raw)
    assert_unwritten(tmp_path)


async def test_a_screenshot_shows_no_password(
    notes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in variables("url", notes, tmp_path).items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    engine = EngineThread(application.load("shop.py"), settings)
    try:
        async with EventScopeApp(engine).run_test(size=(160, 50)) as pilot:
            await until(pilot, lambda: "tells" in screen(pilot))
            await until(pilot, lambda: engine.snapshot().operators[0].dead)
            for key in ("2", "e", "escape", "5", "4"):
                await pilot.press(key)
                await pilot.pause()
                assert_untold(pilot.app.export_screenshot())
    finally:
        engine.stop()
    assert_unwritten(tmp_path)
