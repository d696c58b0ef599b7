"""How a run ends when what it runs does not want to."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shop import Shop
from tests.programs import REPOSITORY
from tests.waiting import PATIENCE, until

HEAD = """
import asyncio, time
from pathlib import Path
from eventscope import EventScope

app = EventScope("shop")
app.entity("notes")
"""
HANDLER = "@app.operator(entities=['notes'])\n"
HIDES = """async def stubborn(event):
    Path("at it").touch()
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
"""
BLOCKS = """async def stubborn(event):
    Path("at it").touch()
    while True:
        time.sleep(1000)
"""
ENDS_BY_ITSELF = {
    "a handler that hides that it is cancelled": HANDLER + HIDES,
    "a handler in a thread": HANDLER + BLOCKS.replace("async def", "def"),
    "a listener that hides that it is cancelled": "@app.listener('notes')\n" + HIDES,
}


def written(shop: Shop, source: str) -> Path:
    """Write the application; returns the file that tells that it is at it."""
    (shop.folder / "shop.py").write_text(HEAD + source)
    return shop.folder / "at it"


@pytest.mark.parametrize("source", ENDS_BY_ITSELF.values(), ids=ENDS_BY_ITSELF)
async def test_it_does_not_wait_for_ever(shop: Shop, source: str) -> None:
    at_it = written(shop, source)
    async with shop.running() as program:
        await shop.notes(1)
        await until(at_it.exists)
        program.terminate()
        assert await program.ended(30) == 0
        assert program.summary["events"] == 1


async def test_a_second_signal_ends_it_also_while_a_handler_blocks_everything(shop: Shop) -> None:
    at_it = written(shop, HANDLER + BLOCKS)
    async with shop.running() as program:
        await shop.notes(1)
        await until(at_it.exists)
        ended = asyncio.create_task(program.ended())
        while not ended.done():  # as two that come at once may be taken for one
            program.terminate()
            await asyncio.wait([ended], timeout=0.5)
        assert ended.result() == 130


async def test_nobody_who_reads_its_log_is_an_end_of_it(shop: Shop) -> None:
    """A part that fails and cannot say so must not leave the others running for nothing."""
    run = f"{sys.executable} -m eventscope run shop.py --headless --log-format json"
    process = await asyncio.create_subprocess_shell(
        f"{{ {run}; echo $? >&2; }} | head -1",
        cwd=shop.folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        first, code = await process.communicate()
    assert b"made" in first
    assert code.split()[-1:] == [b"1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_work_is_for_whoever_goes_on(number: signal.Signals) -> None:
    script = (
        "import asyncio, signal, sys\n"
        "from eventscope.cli.signals import Signals, first\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "async def work():\n"
        "    signals = Signals()\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    return await first(signals.wait())\n"
        "asyncio.run(work())\n"
        "try:\n"
        f"    signal.raise_signal({int(number)})\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(7)\n"
    )
    environment = {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, timeout=PATIENCE)
    assert done.returncode == 7
