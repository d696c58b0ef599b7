"""Waiting for a state instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from eventscope.engine import Engine
from eventscope.engine.snapshot import OperatorSnapshot

PATIENCE: Final = 60.0
"""Seconds after which a test has failed. Never what a test is about."""

_LOOK_AGAIN: Final = 0.005


async def until(holds: Callable[[], object], patience: float = PATIENCE) -> None:
    """Let the loop run until something holds; raises TimeoutError if it never does."""
    async with asyncio.timeout(patience):
        while not holds():
            await _moment()


async def until_async(holds: Callable[[], Awaitable[object]], patience: float = PATIENCE) -> None:
    """The same for something that has to be asked for."""
    async with asyncio.timeout(patience):
        while not await holds():
            await _moment()


def operator(engine: Engine, name: str) -> OperatorSnapshot:
    """One operator as it is now."""
    [found] = [found for found in engine.snapshot().operators if found.name == name]
    return found


async def until_state(engine: Engine, name: str, state: str) -> OperatorSnapshot:
    """Wait for an operator's state."""
    await until(lambda: operator(engine, name).state == state)
    return operator(engine, name)


async def _moment() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_AGAIN):
            await asyncio.Event().wait()
