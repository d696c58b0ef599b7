"""What the dashboard knows of the engine it is attached to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from eventscope.engine.commands import Command
    from eventscope.engine.examination import Examination
    from eventscope.engine.log_ring import LogRing
    from eventscope.engine.questions import Answer, Question
    from eventscope.engine.ring import EventRing
    from eventscope.engine.snapshot import Snapshot


class AttachedEngine(Protocol):
    """An engine at work in another thread; everything here may be used from any thread."""

    @property
    def ring(self) -> EventRing:
        """The recent events."""
        ...

    @property
    def log(self) -> LogRing:
        """What was logged and printed lately."""
        ...

    @property
    def started(self) -> bool:
        """Whether it is up, or has been; before that there is no snapshot."""
        ...

    @property
    def error(self) -> BaseException | None:
        """What has kept it from starting, or what it has died of."""
        ...

    @property
    def waits_for(self) -> str:
        """What keeps it from being up while it starts, if that takes long."""
        ...

    def begin(self) -> None:
        """Start it again; returns at once."""
        ...

    def hurry(self) -> None:
        """Have a server that is out of reach be tried at once."""
        ...

    def start_anew(self) -> Path:
        """Move the queue file of an engine that cannot start aside; returns where it is now.

        Raises QueueError if it cannot, or the engine is up meanwhile.
        """
        ...

    def diagnose(self) -> Future[Examination]:
        """Examine what a start depends on."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether it refuses every command."""
        ...

    def snapshot(self) -> Snapshot:
        """The engine's state: immutable and cheap to take."""
        ...

    def command(self, command: Command) -> Future[str]:
        """Have something done; the result is one line, a refusal is ``CommandRefused``."""
        ...

    def ask(self, question: Question[Answer]) -> Future[Answer]:
        """Look up what no snapshot holds."""
        ...
