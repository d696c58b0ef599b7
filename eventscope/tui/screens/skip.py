"""Passing over an event for good."""

from __future__ import annotations

from textual.content import Content

from eventscope.engine.questions.operator import Blocking
from eventscope.inspection.summary import changes_text, key_text, table_text
from eventscope.inspection.text import safe_text
from eventscope.tui.screens.typed_word import TypedWord


class SkipScreen(TypedWord):
    """Names the event that an operator fails at; ``skip`` has to be typed."""

    def __init__(self, operator: str, blocking: Blocking) -> None:
        event = blocking.event
        told = Content.assemble(
            (safe_text(operator, 100), "bold"), " will never see this event:\n\n",
            (f"{event.type.upper()} ", "bold"), (table_text(event), "bold $primary"),
            f" {key_text(event)}  {changes_text(event)}\n",
            (f"event {event.id}\n\n", "$foreground-muted"),
            (safe_text(blocking.error, 500), "$error"),
        )  # fmt: skip
        super().__init__("Skip the event", told, "skip")
