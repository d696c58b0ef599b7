"""Without the extra there is one clear error, and everything else works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys, importlib.abc
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def run_without(absent: tuple[str, ...], code: str, folder: Path) -> str:
    """What a program prints on a machine that lacks some packages."""
    (folder / "sitecustomize.py").write_text(WITHOUT.format(absent=absent))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("absent", "name"),
    [(("starlette", "sse_starlette"), "Starlette"), (("sse_starlette",), "sse-starlette")],
)
def test_what_is_missing_is_named_with_how_to_get_it(
    absent: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    said = run_without(absent, "import eventscope.web", tmp_path)
    assert said.splitlines()[-1] == (
        f"ImportError: eventscope.web needs {name}, which is not installed: "
        "pip install 'eventscope[web]'"
    )
    assert "During handling" not in said


def test_nothing_else_needs_it(tmp_path: Path) -> None:
    absent = ("starlette", "sse_starlette", "fastapi", "django", "uvicorn", "anyio")
    code = "import eventscope.engine, eventscope.cli.run, eventscope.tui.app; print('fine')"
    assert run_without(absent, code, tmp_path) == "fine\n"
