"""What a question is, and what it may look into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from eventscope.app import EventScope
from eventscope.operators.runner import Runner
from eventscope.queue.base import Queue
from eventscope.settings import Settings

Answer = TypeVar("Answer")
_Answer = TypeVar("_Answer", covariant=True)


@dataclass(frozen=True, slots=True)
class Known:
    """The parts of an engine that a question may look into, and must not change."""

    app: EventScope
    settings: Settings
    queue: Queue
    runners: Mapping[str, Runner]


class Question(Protocol[_Answer]):
    """A question to a running engine; its answer is immutable."""

    async def answer(self, known: Known) -> _Answer:
        """Look it up, on the engine's own loop."""
        ...
