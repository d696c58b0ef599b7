"""Forgetting dead letters for good."""

from __future__ import annotations

from textual.content import Content

from eventscope.engine.questions.dead_letters import Letter
from eventscope.inspection.text import safe_text
from eventscope.tui.screens.typed_word import TypedWord


class DiscardScreen(TypedWord):
    """Asks before one letter, or all of an operator, are discarded; ``discard`` has to be typed."""

    def __init__(self, operator: str, letters: int, letter: Letter | None = None) -> None:
        name = (safe_text(operator, 100), "bold")
        if letter is None:
            counted = f"{letters:,} dead letter{'' if letters == 1 else 's'}"
            told = Content.assemble(name, " forgets ", (counted, "bold"), " for good.")
        else:
            about = ", ".join(letter.target) if letter.target else letter.event or ""
            told = Content.assemble(
                name, f" forgets its dead letter {letter.id} for good: ",
                (safe_text(about, 200), "bold"), "\n\n", (safe_text(letter.error, 500), "$error"),
            )  # fmt: skip
        super().__init__("Discard", told, "discard")
