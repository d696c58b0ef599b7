"""``eventscope demo`` as a newcomer sees it: the whole program in a real terminal."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.terminal import Terminal
from tests.waiting import PATIENCE


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 50)])
def test_the_demo_shows_events_operators_and_a_diff_and_leaves_a_clean_terminal(
    columns: int, rows: int
) -> None:
    terminal = Terminal(columns, rows, "eventscope", "demo")
    terminal.until("LIVE")
    terminal.until(" ~ ")
    terminal.until("welcome_mail")
    terminal.program.send("p")
    terminal.until("paused")
    terminal.program.send("p")
    terminal.until("goes on")
    terminal.program.send(" ")
    terminal.until("FROZEN")
    terminal.program.send("\r")
    terminal.until("xid")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
    terminal.assert_left_as_it_was()


def test_sigterm_leaves_a_clean_terminal_too() -> None:
    terminal = Terminal(80, 24, "eventscope", "demo")
    terminal.until("welcome_mail")
    terminal.program.kill(signal.SIGTERM)
    assert terminal.until_it_ends() == 0
    terminal.assert_left_as_it_was()


def test_it_ends_when_its_terminal_is_closed_also_with_much_left_to_write() -> None:
    terminal = Terminal(160, 50, "eventscope", "demo")
    terminal.until("welcome_mail")
    ran = [0, 1, 2, 3, 4, 5]
    while len(set(ran[-5:])) > 1:  # nobody reads, until it cannot draw any more
        time.sleep(0.2)
        ran.append(time_of_main_thread(terminal.program.pid))
    os.close(terminal.program.child_fd)
    terminal.program.closed = True
    deadline = time.monotonic() + PATIENCE
    while terminal.program.isalive():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def time_of_main_thread(process: int) -> int:
    """Nanoseconds that it has run (proc(5), ``schedstat``)."""
    return int(Path(f"/proc/{process}/task/{process}/schedstat").read_text().split()[0])


def test_a_crash_is_told_on_the_terminal_and_by_the_exit_code() -> None:
    terminal = Terminal(80, 24, "tests.cli.crashing")
    assert terminal.until_it_ends() == 1
    assert b"this must be seen" in terminal.raw
    assert b"\x1b]0;" not in terminal.raw
    terminal.assert_left_as_it_was()


def test_read_only_changes_nothing() -> None:
    terminal = Terminal(110, 30, "eventscope", "demo", "--read-only")
    terminal.until("READ-ONLY")
    terminal.until("welcome_mail")
    terminal.program.send("p")
    terminal.until("This dashboard is read-only")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
