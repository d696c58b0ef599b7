"""A headless run in a real terminal: what it writes there, and what it does when that is closed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest

from tests.cli.shop import Shop
from tests.programs import REPOSITORY, running
from tests.terminal import as_from_a_shell
from tests.waiting import PATIENCE, until, until_async

RUN = ("-m", "eventscope", "run", "shop.py")
PLAIN = "PYTHONPATH", "PATH", "HOME"


def terminal(shop: Shop, *arguments: str, **variables: str) -> pexpect.spawn:
    environment = {name: value for name, value in os.environ.items() if name in PLAIN}
    return pexpect.spawn(
        sys.executable, [*RUN, *arguments], cwd=str(shop.folder), timeout=PATIENCE,
        preexec_fn=as_from_a_shell,
        env={**environment, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", **variables},
    )  # fmt: skip


def ended(program: pexpect.spawn) -> tuple[bytes, int]:
    program.expect(pexpect.EOF)
    program.close()
    return program.before, program.exitstatus


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [
        ({}, True),
        ({"CI": "false"}, True),
        ({"CI": "true"}, False),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
    ids=str,
)
async def test_colours_are_for_terminals_with_somebody_before_them(
    shop: Shop, variables: Mapping[str, str], is_coloured: bool
) -> None:
    program = terminal(shop, "--until", "caught-up", **variables)
    written, code = await asyncio.to_thread(ended, program)
    assert code == 0, written
    assert b"streaming" in written
    assert (b"\x1b[" in written) == is_coloured


async def test_ci_has_no_dashboard_even_in_a_terminal(shop: Shop) -> None:
    program = terminal(shop, CI="true")
    await asyncio.to_thread(program.expect, b"streaming")
    program.kill(signal.SIGTERM)
    written, code = await asyncio.to_thread(ended, program)
    assert code == 0
    assert b"\x1b" not in written
    assert b'{"events":' in written


async def test_what_is_no_terminal_gets_no_codes(shop: Shop) -> None:
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    async with running(
        "run", "shop.py", "--until", "caught-up", cwd=shop.folder, environment=forced
    ) as program:
        assert await program.ended() == 0
        assert "\x1b" not in str([line.get("text") for line in program.lines])
    status = await shop.ask_as(forced, "status", "shop.py")
    assert status.returncode == 0, status.stderr
    assert "\x1b" not in status.stdout


async def test_a_terminal_that_is_closed_ends_it_in_order(shop: Shop) -> None:
    report = shop.folder / "r.xml"
    program = terminal(shop, "--headless", "--report", str(report))
    await asyncio.to_thread(program.expect, b"streaming")
    await shop.notes(1)
    await shop.until_halted()
    os.close(program.child_fd)  # and nobody reads any more
    program.closed = True

    async def is_over() -> bool:
        return not await asyncio.to_thread(program.isalive)

    await until_async(is_over)
    assert program.exitstatus == 1, "as something has halted, and for no other reason"
    assert "cut off" not in report.read_text()
    async with shop.running() as again:
        await shop.until_seen(1)
        await shop.stop(again)


async def test_nothing_is_said_where_nothing_is_open(shop: Shop) -> None:
    (shop.folder / "mended").touch()
    shell = await asyncio.create_subprocess_shell(
        f"{sys.executable} {' '.join(RUN)} --until caught-up --report r.xml <&- >&- 2>&-",
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert await asyncio.wait_for(shell.wait(), PATIENCE) == 0
    assert 'errors="0"' in (shop.folder / "r.xml").read_text()


async def test_nohup_keeps_it_running(shop: Shop) -> None:
    program = pexpect.spawn(
        "/bin/sh",
        [
            "-c",
            'trap "" HUP; "$@" > out.log 2>&1 & echo $! > pid; wait',
            "sh",
            sys.executable,
            *RUN,
        ],
        cwd=str(shop.folder),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    log = shop.folder / "out.log"

    async def streams() -> bool:
        return log.exists() and "streaming" in log.read_text()

    await until_async(streams)
    program.close(force=True)
    pid = int((shop.folder / "pid").read_text())
    try:
        os.kill(pid, signal.SIGHUP)
        await shop.notes(1)
        await shop.until_seen(1)
    finally:
        os.kill(pid, signal.SIGTERM)

    async def said_how_it_went() -> bool:
        return '{"events":1,' in log.read_text()

    await until_async(said_how_it_went)
    await until(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    """Whether a process that is not ours has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
