"""A bar across the screen for what a person must know now, above what stays readable."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.widgets import Static

from eventscope.engine.snapshot import StreamSnapshot
from eventscope.inspection.text import safe_text
from eventscope.inspection.values import bytes_text
from eventscope.replication.doctor.slot import RETAINED
from eventscope.tui.cells import countdown

_QUEUE_IS_SAFE: Final = "Events already queued are safe."


class Notice(Static):
    """Shown only while there is something to say."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self._said = ""

    def say(self, text: str, *, is_failure: bool = False) -> None:
        """Say something in harmless text, or nothing."""
        if text == self._said:
            return
        self._said = text
        self.set_class(bool(text), "-shown")
        self.set_class(is_failure, "-failure")
        self.update(Content(text))


def stream_trouble(stream: StreamSnapshot, now: float) -> tuple[str, list[str]]:
    """Why there are no new events, as a heading and lines; both empty while they stream."""
    detail = [safe_text(stream.detail, 500).rstrip(".") + "."] if stream.detail else []
    server = safe_text(stream.server, 80)
    match stream.state:
        case "streaming":
            return "", []
        case "connecting":
            return f"Connecting to {server}", detail
        case "standby":
            slot = safe_text(stream.slot, 64)
            taking_over = (
                f"This one takes over as soon as the slot {slot} is free:"
                " stop it, or use --slot-name."
            )
            return "Another process is reading", [*detail, taking_over]
        case "reconnecting":
            due = countdown(stream.next_retry, now)
            attempt = f"Next attempt {due}, ctrl+r tries at once."
            return f"{server} is out of reach", [*detail, attempt, _QUEUE_IS_SAFE]
        case "blocked":
            held = "The reader has stopped acknowledging; nothing is lost. It goes on by itself."
            return "Nothing can be stored", [*detail, held]
        case "stopped":
            return "The stream has stopped", [*detail, _QUEUE_IS_SAFE]


def wal_warning(stream: StreamSnapshot) -> str:
    """That the server keeps more for us than it should have to, and why; empty if not."""
    kept, limit = stream.unacknowledged, stream.wal_limit
    if limit == 0 or kept < min(RETAINED, limit // 2 if limit is not None else RETAINED):
        return ""
    slot = safe_text(stream.slot, 64)
    text = f"The server keeps {bytes_text(kept)} of WAL for slot {slot}"
    if limit is not None:
        text += f", which is lost beyond {bytes_text(limit)} (max_slot_wal_keep_size)"
    if stream.held_back_by:
        return f"{text}. It waits for operator {safe_text(stream.held_back_by, 100)}."
    return f"{text}. The reader is that far behind; 4 shows how fast it is."


def failure_text(error: BaseException) -> str:
    """What the engine died of."""
    kind = type(error).__name__
    reason = safe_text(f"{kind}: {error}" if str(error) else kind, 500)
    cure = "ctrl+r starts it again, q quits."
    return f"The engine has stopped: {reason}\nWhat you see is its last state. {cure}"
