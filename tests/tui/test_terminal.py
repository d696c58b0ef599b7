"""The dashboard in a real terminal: what arrives there, and what is left behind."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pexpect
import pyte
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0


class Terminal:
    """A terminal of a given size with the dashboard in it; ``raw`` is all it was sent."""

    def __init__(self, columns: int, rows: int) -> None:
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        size = ("COLUMNS", "LINES")  # would count for more than the terminal's own
        surroundings = {name: value for name, value in os.environ.items() if name not in size}
        self.program = pexpect.spawn(
            sys.executable,
            ["-m", "tests.tui.in_a_terminal"],
            cwd=str(ROOT),
            dimensions=(rows, columns),
            env={**surroundings, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        )

    def until(self, text: str) -> None:
        """Read until the screen shows a text."""
        deadline = time.monotonic() + PATIENCE
        while not any(text in line for line in self._screen.display):
            assert time.monotonic() < deadline, "\n".join(self._screen.display)
            self._read(self.program.read_nonblocking(65_536, timeout=PATIENCE))

    def until_it_ends(self) -> int:
        """Read the rest; returns the exit code."""
        self.program.expect(pexpect.EOF, timeout=PATIENCE)
        self._read(self.program.before)
        self.program.close()
        code: int | None = self.program.exitstatus
        assert code is not None
        return code

    def _read(self, data: bytes) -> None:
        self.raw += data
        self._stream.feed(data)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 50)])
def test_it_shows_events_and_leaves_the_terminal_as_it_was(columns: int, rows: int) -> None:
    terminal = Terminal(columns, rows)
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

    raw = terminal.raw
    assert raw.rfind(b"\x1b[?1049l") > raw.rfind(b"\x1b[?1049h") >= 0
    assert raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l") >= 0
    assert raw.count(b"\x1b[?1049l") == 1, "the data's own sequence stayed out"
    for harm in (b"\x1b]52", b"\x1b]0;", b"\x9d52", "\x9d".encode()):
        assert harm not in raw
