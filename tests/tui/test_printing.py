"""What handlers print beside a real dashboard: it is in the log view, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal import Terminal


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (160, 50)])
def test_prints_are_shown_in_the_log_view_and_disturb_nothing(columns: int, rows: int) -> None:
    terminal = Terminal(columns, rows, "tests.tui.printing_in_a_terminal")
    terminal.until("LIVE")
    assert not any("printed" in line for line in terminal.lines)
    terminal.program.send("5")
    terminal.until("→ print   printer")
    terminal.until("▲ warning printer")
    terminal.until("complained")
    terminal.program.send("g")
    terminal.until("before the dashboard")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0

    raw = terminal.raw
    for harm in (b"\x1b]52", b"\x1b]0;", b"\x9d52", "\x9d".encode()):
        assert harm not in raw
    assert raw.count(b"\x1b[?1049l") == 1
    outside = raw[: raw.index(b"\x1b[?1049h")], raw[raw.index(b"\x1b[?1049l") :]
    assert b"before" not in outside[0]
    assert b"printed" not in outside[1]
    assert b"after the dashboard" in outside[1]


def test_prints_do_not_reach_a_pager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ncat\necho THE PAGER\nread line < /dev/tty\necho DONE\n")
    pager.chmod(0o755)
    monkeypatch.setenv("PAGER", str(pager))
    terminal = Terminal(80, 24, "tests.tui.printing_in_a_terminal")
    terminal.until("LIVE")
    terminal.until("orders")
    terminal.program.send("v")
    terminal.until("THE PAGER")
    terminal.until_quiet()
    terminal.program.send("\n")
    terminal.until_gone("THE PAGER")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
    paged = terminal.raw.partition(b"THE PAGER")[2].partition(b"DONE")[0]
    assert paged.strip() == b"", "no print came in between"
