"""A process that has imported everything, and forks a child for each run of the application.

It takes orders on its input, one JSON object a line, and tells on its output how each child has
ended. It has no thread and no event loop, so that a fork is harmless.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from eventscope import failpoints
from eventscope.engine import Engine, core
from eventscope.engine.commands import Resume
from eventscope.queue import retention
from eventscope.settings import ENV_PREFIX, Settings
from operators_example import app
from tests.faults.every_kind import declare

PATIENCE: Final = 60.0
"""Seconds that a child may take that is not to be killed by the clock."""


class Order(msgspec.Struct):
    """One run of the application.

    Attributes:
        settings: by name.
        directory: where it keeps its witness and its log.
        failpoint: as ``EVENTSCOPE_FAILPOINT`` has it.
        lifetime: seconds after which it is killed.
        settles: whether it ends by itself once it has caught up.
    """

    settings: dict[str, Any]
    directory: str
    failpoint: str = ""
    lifetime: float = PATIENCE
    settles: bool = False


class End(NamedTuple):
    """How a child has ended."""

    code: int
    """Its exit code, negative for a signal."""
    by_clock: bool
    """Whether its lifetime was over."""


class Nursery:
    """The process, seen from a test."""

    def __init__(self) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith((ENV_PREFIX, "PG", "DATABASE_URL"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=Path(__file__).resolve().parents[2],
            env=inherited,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # with the child that there may be
        self._process.communicate()

    def run(self, order: Order) -> End:
        """Have a child, and return how it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=End)


def main() -> None:
    """Take orders until there are no more."""
    for line in sys.stdin:
        end = _bear(msgspec.json.decode(line, type=Order))
        print(msgspec.json.encode(end).decode(), flush=True)


def _bear(order: Order) -> End:
    alive, held = os.pipe()  # the child holds one end as long as it lives
    child = os.fork()
    if not child:
        os.close(alive)
        _live(order)
    os.close(held)
    ended, _, _ = select.select([alive], [], [], order.lifetime)
    if not ended:
        os.kill(child, signal.SIGKILL)
    os.close(alive)
    _, status = os.waitpid(child, 0)
    return End(os.waitstatus_to_exitcode(status), not ended)


def _live(order: Order) -> None:
    """Run the application, and do not return."""
    try:
        directory = Path(order.directory)
        log = os.open(directory / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        declare(app, directory / "witness")
        core._PRUNE_INTERVAL = 0.05
        retention._CHUNK = 5
        failpoints.arm(order.failpoint)
        os._exit(asyncio.run(_run(order)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


async def _run(order: Order) -> int:
    async with Engine(app, Settings.load(**order.settings)) as engine:
        for operator in engine.snapshot().operators:
            if operator.paused:  # since one event has seen the process end three times
                await engine.command(Resume(operator.name))
        if not order.settles:
            await engine.wait()
        await engine.settle(PATIENCE)
        wrong = [o for o in engine.snapshot().operators if o.state != "idle" or o.dead]
        print(*wrong, sep="\n", flush=True)
        return 2 if wrong else 0


if __name__ == "__main__":
    main()
