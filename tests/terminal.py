"""A real terminal for programs under test: what arrives there, and what is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pexpect
import pyte
import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0
_QUIET = 0.06
_LONGEST_UNREST = 0.5


def as_from_a_shell() -> None:
    """Heed Ctrl-C and a closed terminal, also if whoever runs the tests does not (``nohup``)."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """A terminal with ``python -m <module>`` in it; ``raw`` is all it was sent.

    Args:
        columns: its width.
        rows: its height.
        module: what runs in it.
        arguments: of the program.
        folder: where it runs.
    """

    def __init__(
        self, columns: int, rows: int, module: str, *arguments: str, folder: Path = ROOT
    ) -> None:
        self.raw = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        size = ("COLUMNS", "LINES")  # would count for more than the terminal's own
        surroundings = {
            name: value for name, value in os.environ.items() if name not in (*size, "CI")
        }
        self.program = pexpect.spawn(
            sys.executable,
            ["-m", module, *arguments],
            cwd=str(folder),
            dimensions=(rows, columns),
            env={
                **surroundings,
                "PYTHONPATH": str(ROOT),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
            },
            preexec_fn=as_from_a_shell,
        )

    @property
    def lines(self) -> list[str]:
        """What the screen shows."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def cells(self) -> list[list[str]]:
        """What the screen shows, cell by cell; a wide character has an empty one behind it."""
        columns, rows = range(self._screen.columns), range(self._screen.lines)
        return [[self._screen.buffer[row][column].data for column in columns] for row in rows]

    def until_quiet(self) -> None:
        """Read until nothing comes for a moment: what was asked for is drawn."""
        deadline = time.monotonic() + _LONGEST_UNREST
        while time.monotonic() < deadline:
            try:
                self._read(self.program.read_nonblocking(65_536, timeout=_QUIET))
            except pexpect.TIMEOUT:
                return

    def until(self, text: str) -> None:
        """Read until the screen shows a text."""
        self._read_until(text, is_shown=True)

    def until_gone(self, text: str) -> None:
        """Read until the screen does not show a text any more."""
        self._read_until(text, is_shown=False)

    def _read_until(self, text: str, *, is_shown: bool) -> None:
        deadline = time.monotonic() + PATIENCE
        while any(text in line for line in self._screen.display) != is_shown:
            assert time.monotonic() < deadline, "\n".join([text, *self._screen.display])
            try:
                self._read(self.program.read_nonblocking(65_536, timeout=PATIENCE))
            except pexpect.TIMEOUT:
                pytest.fail("\n".join([f"{text!r} does not come; there is", *self.lines]))

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

    def assert_left_as_it_was(self) -> None:
        """The program has left the alternate screen for good, and the cursor is to be seen."""
        raw = self.raw
        assert raw.rfind(b"\x1b[?1049l") > raw.rfind(b"\x1b[?1049h") >= 0
        assert raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l") >= 0
