"""How the main screen looks, and that a change of looks is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventscope.engine.examination import Examination
from eventscope.engine.snapshot import StreamState
from eventscope.replication.connection import SourceError
from eventscope.replication.finding import Finding
from eventscope.tui.app import EventScopeApp
from eventscope.tui.theme import EVENTSCOPE_CB
from tests.tui import snapshots
from tests.tui.driving import until
from tests.tui.scripted import NOW, ScriptedEngine
from tests.tui.shop import a_shop
from tests.tui.snapshots import assert_looks, look


@pytest.mark.parametrize("size", [(80, 24), (110, 35), (160, 50)])
async def test_the_main_screen(engine: ScriptedEngine, size: tuple[int, int]) -> None:
    async with EventScopeApp(engine).run_test(size=size) as pilot:
        await assert_looks(pilot, f"main-{size[0]}x{size[1]}")


async def test_the_main_screen_without_colours(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "main-no-color")


@pytest.mark.parametrize("rows", [0, 60])
@pytest.mark.parametrize(
    ("state", "detail"),
    [
        ("connecting", "slot es_shop can be made only when older transactions have ended"),
        (
            "standby",
            "slot es_shop is in use by pid 4711"
            " (eventscope shop, 10.0.0.7, since 2026-07-01 11:02:13+00)",
        ),
        ("reconnecting", "connection lost: server closed the connection unexpectedly"),
        (
            "blocked",
            "queue file .eventscope/shop-es_shop.db cannot be written: database or disk is full;"
            " free space at .eventscope",
        ),
    ],
)
async def test_a_stream_that_does_not_stream(state: StreamState, detail: str, rows: int) -> None:
    engine = a_shop(rows)
    engine.stream(state=state, detail=detail, next_retry=NOW + 5)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, f"{state}-{'with' if rows else 'without'}-events")


async def test_nothing_to_show_yet() -> None:
    async with EventScopeApp(ScriptedEngine()).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "no-events-no-operators")


async def test_an_engine_that_has_died(engine: ScriptedEngine) -> None:
    engine.error = RuntimeError("publication events does not exist any more [/]")
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "engine-died")


async def test_an_engine_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventscope.tui.screens.start._AGAIN", 3_600.0)
    engine = ScriptedEngine()
    low = Finding(
        "wal_level",
        "blocking",
        "wal_level is replica",
        "the WAL does not tell of rows",
        sql="ALTER SYSTEM SET wal_level = 'logical';",
        mend="then restart the server",
    )
    engine.started, engine.trouble = False, SourceError(low.line)
    engine.examination = Examination({"server": [low]}, is_connected=True)
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "cannot-start")
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard == low.sql)


async def test_the_keys_and_an_error(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await assert_looks(pilot, "help")
        await pilot.press("escape", "2", "down", "down", "e")
        await assert_looks(pilot, "error")


async def test_a_terminal_that_is_too_small(engine: ScriptedEngine) -> None:
    async with EventScopeApp(engine).run_test(size=(40, 8)) as pilot:
        await assert_looks(pilot, "too-small")


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
