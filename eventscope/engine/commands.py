"""What a person may ask of a running engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pause:
    """Let the operator finish its event, then hold it until it is resumed."""

    operator: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Let a paused operator go on where it stopped."""

    operator: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the current event again at once, with a fresh count of attempts if it had halted."""

    operator: str


Command = Pause | Resume | Retry


class CommandRefused(Exception):
    """What was asked is not possible now; the message says why in one line."""
