from __future__ import annotations

import stat
from pathlib import Path

import pytest

from eventscope.tui.memory import Memory, Remembered


def remember(kept: Remembered) -> None:
    kept.filter_history.append("table:orders")
    kept.theme = "eventscope-cb"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "eventscope" / "dashboard.json"


def test_what_is_remembered_is_the_users_own(file: Path) -> None:
    Memory().change(remember)
    assert Memory().recall() == Remembered(["table:orders"], theme="eventscope-cb")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["dashboard.json"]


def test_without_a_state_home_it_is_in_the_usual_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for home in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", home)
        Memory().change(remember)
    kept = tmp_path / ".local" / "state" / "eventscope" / "dashboard.json"
    assert kept.exists()
    assert len(Memory().recall().filter_history) == 2


def test_two_dashboards_keep_each_others_memories() -> None:
    first, second = Memory(), Memory()
    first.recall(), second.recall()
    first.change(lambda kept: kept.filter_history.append("one"))
    second.change(lambda kept: kept.filters.update(two="two"))
    assert first.recall() == Remembered(["one"], {"two": "two"})


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", '{"filters": [1]}', "\x00", "[" * 100_000, '{"theme": 7}']
)
def test_a_broken_file_never_matters(file: Path, broken: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(broken)
    assert Memory().recall() == Remembered()
    Memory().change(remember)
    assert Memory().recall().filter_history == ["table:orders"]


def test_what_a_later_version_keeps_does_no_harm(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('{"filter_history": ["x"], "layout": "wide"}')
    assert Memory().recall().filter_history == ["x"]


def test_a_place_that_cannot_be_written_never_matters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    Memory().change(remember)
    assert Memory().recall() == Remembered()
    assert blocked.read_text() == ""


def test_hostile_memories_are_forgotten(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('{"filter_history": ["a\\u001b[31m", "b"], "filters": {"c\\u202e": "d"}}')
    assert Memory().recall() == Remembered(["b"])
