"""How states look: a word, a symbol and a colour, so that none of them is needed alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from eventscope.engine.log_ring import Level
from eventscope.engine.snapshot import StreamState
from eventscope.inspection.filter import DeliveryState
from eventscope.operators.state import OperatorState
from eventscope.replication.finding import Severity

Tone = Literal["good", "quiet", "warning", "bad", "held", "busy"]
"""The colours by meaning; the stylesheet turns them into the theme's."""

TONE_COLOURS: Final[Mapping[Tone, str]] = {
    "good": "$success",
    "quiet": "$foreground-muted",
    "warning": "$warning",
    "bad": "$error",
    "held": "$accent",
    "busy": "$primary",
}


class Look(NamedTuple):
    """A state's symbol and tone."""

    symbol: str
    tone: Tone


OPERATOR_LOOKS: Final[Mapping[OperatorState, Look]] = {
    "running": Look("●", "good"),
    "idle": Look("○", "quiet"),
    "waiting": Look("◆", "busy"),
    "backing-off": Look("▲", "warning"),
    "paused": Look("■", "held"),
    "halted": Look("×", "bad"),
}

SEVERITY_LOOKS: Final[Mapping[Severity, Look]] = {
    "blocking": Look("×", "bad"),
    "warning": Look("▲", "warning"),
    "note": Look("◆", "busy"),
    "ok": Look("✓", "good"),
}
"""What an examination finds, the worst first."""

DELIVERY_LOOKS: Final[Mapping[DeliveryState, Look]] = {
    "failed": Look("×", "bad"),
    "retrying": Look("▲", "warning"),
    "held": Look("■", "held"),
    "queued": Look("·", "quiet"),
    "done": Look("✓", "good"),
}
"""The worst first."""

MARK: Final = "◆"

LEVEL_LOOKS: Final[Mapping[Level, Look]] = {
    "error": Look("×", "bad"),
    "warning": Look("▲", "warning"),
    "print": Look("→", "busy"),
    "info": Look("○", "quiet"),
    "debug": Look("·", "quiet"),
}

UNWELL: Final[tuple[OperatorState, ...]] = ("halted", "backing-off", "paused")
"""The states that a person should know of at a glance, the worst first."""


class Badge(NamedTuple):
    """What the status bar begins with."""

    word: str
    tone: Tone


STREAM_BADGES: Final[Mapping[StreamState, Badge]] = {
    "connecting": Badge("CONNECTING", "busy"),
    "streaming": Badge("LIVE", "good"),
    "standby": Badge("STANDBY", "held"),
    "reconnecting": Badge("DOWN", "bad"),
    "blocked": Badge("BLOCKED", "bad"),
    "stopped": Badge("STOPPED", "bad"),
}
