"""What one operator is at, in a word, and its waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from eventscope.operators.standing import Standing
from eventscope.operators.state import OperatorState


class Activity:
    """Tells what an operator is at; its waits end early when there is something else to do.

    Args:
        standing: of the operator; may call it away from a wait.
    """

    def __init__(self, standing: Standing) -> None:
        self.phase: OperatorState = "waiting"
        """The state, but for being paused."""
        self.detail = "the stream has not begun"
        self.stopping = False
        """Whether it is to end."""
        self.on_progress: Callable[[], None] = _nobody_waits
        """Called whenever the operator may have come further."""
        self._standing = standing
        self._nudge = asyncio.Event()
        self._retry_now = False

    @property
    def state(self) -> OperatorState:
        """The operator's state in one word."""
        return "paused" if self._standing.record.paused and self.phase != "running" else self.phase

    @property
    def is_held(self) -> bool:
        """Whether nothing more is to be begun."""
        return bool(self.stopping or self._standing.record.paused)

    def enter(self, phase: OperatorState, detail: str = "") -> None:
        """Be at something else."""
        self.phase = phase
        self.detail = detail
        self.on_progress()

    def nudge(self) -> None:
        """Have the operator look for something to do."""
        self._nudge.set()

    def retry(self) -> None:
        """End the wait that is under way."""
        self._retry_now = True
        if self.phase == "halted":  # at once, as nobody waits for an operator that has halted
            self.enter("running")
        self._nudge.set()

    def stop(self) -> None:
        """Have the operator end after its current attempt."""
        self.stopping = True
        self._nudge.set()

    async def rest(self, seconds: float | None) -> None:
        """Do nothing until there may be something to do, for ``seconds`` at most."""
        self._nudge.clear()
        if not self.stopping:
            await self._nudged(seconds)

    async def sleep(self, seconds: float | None, until: Callable[[], bool] | None = None) -> bool:
        """Wait, without an end if ``seconds`` is None; tells whether a person has ended it.

        Args:
            seconds: how long at most.
            until: what ends it, too; looked at whenever the operator is nudged.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        self._retry_now = False
        while not (self._retry_now or self.stopping or self._standing.is_called_away):
            self._nudge.clear()
            if until is not None and until():
                break
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            await self._nudged(left)
        return self._retry_now

    async def _nudged(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudge.wait()


def _nobody_waits() -> None:
    """Nobody wants to know."""
