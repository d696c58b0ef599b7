"""Running the command line as a user does: as a process, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

Result = subprocess.CompletedProcess[str]
Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    """Run ``eventscope`` with arguments; further keywords are environment variables."""

    def run(*arguments: Any, **variables: str) -> Result:
        return subprocess.run(
            [sys.executable, "-m", "eventscope", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def write_app(tmp_path: Path) -> Callable[..., Path]:
    """Write an application that follows a table; further lines can be added."""

    def write(table: str = "posts", *lines: str, name: str = "blog.py") -> Path:
        path = tmp_path / name
        head = ["from eventscope import EventScope", "", 'app = EventScope("blog")']
        path.write_text("\n".join([*head, f"app.entity({table!r})", *lines, ""]))
        return path

    return write


@pytest.fixture
def shop(database: str, tmp_path: Path, invoke: Invoke) -> Any:
    """An application whose operators fail as the test wants."""
    from tests.cli.shop import TABLES, Shop

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    return Shop(database, tmp_path, invoke)
