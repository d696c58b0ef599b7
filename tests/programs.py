"""``python -m eventscope`` as a process of its own: start it, hear what it logs, end it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self

from eventscope.settings import ENV_PREFIX
from tests.waiting import PATIENCE

REPOSITORY: Final = Path(__file__).resolve().parent.parent

Line = Mapping[str, Any]


class Program:
    """A running program, whose JSON log lines are collected as they come.

    Ended by ``running`` or by its own end; lines that are no JSON object are kept as
    ``{"text": ...}``.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._came = asyncio.Condition()
        self._streams = [stream for stream in (process.stdout, process.stderr) if stream]
        self._reading = [asyncio.create_task(self._read(stream)) for stream in self._streams]
        self.lines: list[Line] = []

    @classmethod
    async def start(
        cls,
        *arguments: str | Path,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        module: str = "eventscope",
    ) -> Self:
        """Start ``python -m <module>`` with these arguments, away from the user's settings."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith((ENV_PREFIX, "PG", "DATABASE_URL"))
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *map(str, arguments),
            cwd=cwd,
            env=inherited | {"PYTHONPATH": str(REPOSITORY)} | dict(environment or {}),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )  # fmt: skip
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet, as far as is known."""
        return self._process.returncode is None

    async def line(self, matches: Callable[[Line], object], patience: float = PATIENCE) -> Line:
        """Wait for a line, past or future; fails with the output if the program ends without."""
        async with asyncio.timeout(patience), self._came:
            while True:
                for line in self.lines:
                    if matches(line):
                        return line
                if all(stream.at_eof() for stream in self._streams):
                    raise AssertionError(f"ended without the line awaited: {self.lines}")
                await self._came.wait()

    async def logged(self, event: str) -> Line:
        """Wait for a log line whose text contains something."""
        return await self.line(lambda line: event in str(line.get("event")))

    async def ended(self, patience: float = PATIENCE) -> int:
        """Wait for its end; returns the exit code, negative for a signal."""
        async with asyncio.timeout(patience):
            code = await self._process.wait()
            await asyncio.gather(*self._reading)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask it to end in order."""
        self.signal(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill it and wait for its end; a program that has ended stays as it is."""
        self.signal(signal.SIGKILL)
        await self.ended()

    def peak_memory(self) -> int:
        """The most memory it has had resident so far, in bytes (Linux: VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    @property
    def summary(self) -> Line:
        """The last line of JSON of a program that has ended."""
        return [line for line in self.lines if "text" not in line][-1]

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while raw := await stream.readline():
            async with self._came:
                self.lines.append(_parsed(raw.decode("utf-8", "replace")))
                self._came.notify_all()
        async with self._came:
            self._came.notify_all()


@asynccontextmanager
async def running(
    *arguments: str | Path,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    module: str = "eventscope",
) -> AsyncIterator[Program]:
    """A program that is killed when the block is left, unless it has ended before."""
    program = await Program.start(*arguments, cwd=cwd, environment=environment, module=module)
    try:
        yield program
    finally:
        await program.kill()


def _parsed(text: str) -> Line:
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return {"text": text.rstrip("\n")}
