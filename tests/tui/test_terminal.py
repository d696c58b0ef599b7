"""The dashboard in a real terminal: what arrives there, and what is left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.terminal import Terminal


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 50)])
def test_it_shows_events_and_leaves_the_terminal_as_it_was(columns: int, rows: int) -> None:
    terminal = Terminal(columns, rows, "tests.tui.in_a_terminal")
    terminal.until("→ gone")
    terminal.until("search_index")
    terminal.until("LIVE")
    terminal.program.send("g")
    terminal.until("FROZEN +")
    terminal.program.send("\r")
    terminal.until("INSERT")
    terminal.until("esc Back")
    terminal.program.send("\x1b")
    terminal.until("Open")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0

    terminal.assert_left_as_it_was()
    raw = terminal.raw
    assert raw.count(b"\x1b[?1049l") == 1, "the data's own sequence stayed out"
    for harm in (b"\x1b]52", b"\x1b]0;", b"\x9d52", "\x9d".encode()):
        assert harm not in raw


def test_the_pager_has_the_terminal_while_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pager = tmp_path / "my pager"
    clear = r"printf '\033[2J\033[H'"
    pager.write_text(f'#!/bin/sh\n{clear}\ncat\necho "THIS IS $1"\nread line < /dev/tty\n')
    pager.chmod(0o755)
    monkeypatch.setenv("PAGER", f"'{pager}' MINE")
    terminal = Terminal(80, 24, "tests.tui.in_a_terminal")
    terminal.until("LIVE")
    terminal.program.send("g")
    terminal.until("FROZEN")
    terminal.program.send("v")
    terminal.until("THIS IS MINE")
    assert any(line.startswith("+ id  ␛]52;c;ZXZpbA==␇") for line in terminal.lines)
    terminal.program.send("\x03")  # for the pager: it ends, and only it
    terminal.until_gone("THIS IS MINE")
    terminal.until("FROZEN")
    terminal.program.send("v")
    terminal.until("THIS IS MINE")
    terminal.program.send("\n")
    terminal.until_gone("THIS IS MINE")
    terminal.until("FROZEN")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
    terminal.assert_left_as_it_was()
    for harm in (b"\x1b]52", b"\x1b]0;", b"\x9d52", "\x9d".encode()):
        assert harm not in terminal.raw


@pytest.mark.skipif(shutil.which("less") is None, reason="there is no less on this machine")
def test_less_is_the_pager_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGER", raising=False)
    monkeypatch.delenv("LESS", raising=False)
    terminal = Terminal(80, 24, "tests.tui.in_a_terminal")
    terminal.until("LIVE")
    terminal.program.send("gv")
    terminal.until("(END)")
    terminal.program.send("q")
    terminal.until_gone("(END)")
    terminal.until("FROZEN")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
