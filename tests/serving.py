"""A web application in a process of its own, always at the same address."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.programs import Program, running


class Site:
    """What uvicorn serves.

    Args:
        application: ``module:attribute``.
        folder: where it runs.
        environment: what it is given beside that of the test.
    """

    def __init__(self, application: str, folder: Path, environment: Mapping[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._application = application
        self._folder = folder
        self._environment = environment
        self.url = f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Program]:
        """Start it, and kill it when the block is left."""
        async with running(
            *(self._application, "--port", str(self._port)),
            module="uvicorn",
            cwd=self._folder,
            environment=self._environment,
        ) as program:
            await program.line(lambda line: "Uvicorn running" in str(line.get("text")))
            yield program
