from __future__ import annotations

import pytest

from tests.tui.scripted import ScriptedEngine
from tests.tui.shop import a_shop


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own ways do not change what is drawn."""
    for name in ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def engine() -> ScriptedEngine:
    return a_shop()
