"""An application that cannot be loaded: the card that says why, and what ends it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.pilot import Pilot

from eventscope.settings import Ui
from eventscope.tui.broken import Breakage, BrokenApp
from tests.tui.driving import until
from tests.tui.snapshots import assert_looks, look

SOURCE = """from eventscope import EventScope

app = EventScope("shop")
app.entity("orders")
app.entity(ordres)
app.entity("users")
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "shop.py"
    file.write_text(SOURCE)
    return file


def broken(file: Path, reason: str = "NameError: name 'ordres' is not defined") -> BrokenApp:
    return BrokenApp(Breakage("shop", reason, file, 5, (file,)), Ui())


async def test_it_says_what_is_wrong_and_where(file: Path) -> None:
    async with broken(file).run_test(size=(80, 24)) as pilot:
        await assert_looks(pilot, "broken-application")


async def test_it_ends_when_the_file_is_saved_also_by_way_of_another(file: Path) -> None:
    app = broken(file)
    async with app.run_test(size=(80, 24)) as pilot:
        take_away(file)
        app._look()
        assert not app._exit
        put_back(file)
        await until(pilot, lambda: app._exit)
    assert app.return_value is True


@pytest.mark.parametrize(("key", "ended"), [("r", True), ("q", None), ("ctrl+c", None)])
async def test_keys(file: Path, key: str, ended: bool | None) -> None:
    app = broken(file)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: app._exit)
    assert app.return_value is ended


async def test_what_it_shows_is_harmless(file: Path) -> None:
    hostile = "\x1b]52;c;ZXZpbA==\x07[/][@click=app.quit]"
    write(file, SOURCE.replace("ordres", hostile))
    async with broken(file, f"Error: {hostile}").run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: shown(pilot).count("[/][@click=app.quit]") == 2)
        assert "\x1b]" not in shown(pilot)


async def test_a_file_that_is_gone_and_a_line_that_is_not_there_do_no_harm(file: Path) -> None:
    take_away(file)
    async with broken(file).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "shop.py:5" in shown(pilot))


def write(file: Path, text: str) -> None:
    file.write_text(text)


def take_away(file: Path) -> None:
    file.unlink()


def put_back(file: Path) -> None:
    """Save it as editors do, with a time that tells nothing."""
    new = file.with_suffix(".new")
    write(new, SOURCE)
    os.utime(new, ns=(1, 1))
    new.replace(file)


def shown(pilot: Pilot[None]) -> str:
    return look(pilot)
