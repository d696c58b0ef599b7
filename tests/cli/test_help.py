"""``--help`` and ``--version`` are quick: nothing heavy is imported for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import eventscope
from tests.cli.conftest import Invoke


def test_the_help_lists_the_commands(invoke: Invoke) -> None:
    result = invoke("--help")
    assert result.returncode == 0
    assert "demo" in result.stdout
    assert "run" in result.stdout


def test_the_version_is_the_package_s(invoke: Invoke) -> None:
    assert eventscope.__version__ in invoke("--version").stdout


@pytest.mark.parametrize("module", ["textual", "psycopg", "pydantic", "aiosqlite", "rich"])
def test_the_help_imports_nothing_heavy(module: str) -> None:
    code = (
        "import sys; from eventscope.cli import cli\n"
        "try: cli(['--help'])\n"
        f"finally: assert {module!r} not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "command", ["status", "pause", "skip", "dead-letters", "replay", "backfill", "forget"]
)
def test_the_help_of_a_command_imports_neither_drivers_nor_tables(command: str) -> None:
    code = (
        "import sys; from eventscope.cli import cli\n"
        f"try: cli([{command!r}, '--help'])\n"
        "finally: assert not {'psycopg', 'aiosqlite', 'textual', 'rich'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_a_headless_engine_imports_nothing_that_draws_or_serves() -> None:
    code = (
        "import sys, eventscope.cli.run, eventscope.cli.headless, eventscope.engine.core\n"
        "unneeded = {'textual', 'rich', 'prometheus_client', 'opentelemetry', 'http.server'}\n"
        "assert not unneeded & sys.modules.keys(), unneeded & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_first_screen_is_drawn_before_the_engine_is_imported() -> None:
    code = (
        "import sys, eventscope.cli.run, eventscope.engine.thread, eventscope.operators.redaction\n"
        "import eventscope.tui.app, eventscope.tui.preferences, eventscope.cli.log_records\n"
        "engine = {'psycopg', 'aiosqlite', 'eventscope.engine.core', 'eventscope.queue.base'}\n"
        "assert not engine & sys.modules.keys(), engine & sys.modules.keys()\n"
        "assert 'eventscope.tui.screens.dashboard' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_an_unknown_command_is_a_usage_error(invoke: Invoke) -> None:
    result = invoke("fly")
    assert result.returncode == 2
    assert "fly" in result.stderr


def test_a_tail_imports_no_textual() -> None:
    code = "import sys, eventscope.cli.tail; assert 'textual' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
