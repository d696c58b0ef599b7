"""Running pytest as somebody does who tests operators of their own: in a folder of theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import REPOSITORY

Result = subprocess.CompletedProcess[str]
RunPytest = Callable[..., Result]


@pytest.fixture
def run_pytest(tmp_path: Path) -> RunPytest:
    """Run pytest with arguments, and no plugin but ours; keywords are files, by their stem."""

    def run(*arguments: str, **files: str) -> Result:
        for stem, text in files.items():
            (tmp_path / f"{stem}.py").write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "eventscope.testing", *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_ADDOPTS": "",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run
