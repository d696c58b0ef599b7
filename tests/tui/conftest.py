from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.scripted import ScriptedEngine
from tests.tui.shop import a_shop


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path) -> Iterator[None]:
    """The machine's own ways, its time zone and its memory do not change what is drawn."""
    with pytest.MonkeyPatch.context() as home:
        for name in ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR"):
            home.delenv(name, raising=False)
        home.setenv("TZ", "UTC")
        home.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def engine() -> ScriptedEngine:
    return a_shop()
