"""The dashboard in a real terminal: what arrives there, and what is left behind."""

from __future__ import annotations

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
