"""How the main screen looks, and that a change of looks is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventscope.tui.app import EventScopeApp
from eventscope.tui.theme import EVENTSCOPE_CB
from tests.tui import snapshots
from tests.tui.driving import until
from tests.tui.scripted import ScriptedEngine
from tests.tui.snapshots import assert_looks, look


async def test_the_main_screen(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "main-80x24")


async def test_a_changed_look_is_told_line_by_line(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(snapshots, "DIRECTORY", tmp_path)
    monkeypatch.setattr(snapshots, "PATIENCE", 0.1)
    monkeypatch.delenv("REWRITE_SNAPSHOTS", raising=False)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        with pytest.raises(pytest.fail.Exception, match="REWRITE_SNAPSHOTS=1 draws it"):
            await assert_looks(pilot, "new")
        await pilot.pause()
        kept = look(pilot)
        (tmp_path / "kept.txt").write_text(kept)
        await assert_looks(pilot, "kept")
        pilot.app.theme = EVENTSCOPE_CB.name
        await until(pilot, lambda: look(pilot) != kept)
        with pytest.raises(pytest.fail.Exception, match=r"(?s)-.*#73daca.*\+.*#56b4e9"):
            await assert_looks(pilot, "kept")
