"""The README's example, by somebody who has nothing but an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.programs import REPOSITORY
from tests.readme import blocks


@pytest.mark.timeout(900)  # packages are downloaded
def test_the_example_passes_in_an_empty_folder_with_what_the_readme_installs(
    tmp_path: Path,
) -> None:
    for block in blocks("## Test your operators"):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    [command] = blocks("## Test your operators", "sh")
    install = command.strip().replace("eventscope[test]", f"{REPOSITORY}[test]").split()
    venv.create(tmp_path / "venv", with_pip=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*program: str) -> str:
        ended = subprocess.run(
            [tmp_path / "venv" / "bin" / program[0], *program[1:]],
            cwd=tmp_path,
            env={**environment, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run(*(part.strip("'") for part in install), "--quiet", "--no-compile")
    assert "2 passed" in run("pytest")
    assert sys.prefix not in run("python", "-c", "import eventscope; print(eventscope.__file__)")
