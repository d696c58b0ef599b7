"""An operator's last failure, with its traceback."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.inspection.text import safe_lines, safe_text


class FailureScreen(ModalScreen[None]):
    """What went wrong, where, and how often."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,e,enter", "dismiss", "Close", id="failure.close", tooltip="Close")
    ]

    def __init__(self, operator: OperatorSnapshot) -> None:
        super().__init__()
        self._operator = operator

    def compose(self) -> ComposeResult:
        """Lay out the report."""
        with VerticalScroll(classes="window") as window:
            window.border_title = "Error"
            window.border_subtitle = "esc closes"
            yield Static(self._report())

    def _report(self) -> Content:
        operator = self._operator
        name = safe_text(operator.name, 100)
        counts = f"{operator.state} · attempt {operator.attempts} of {operator.max_attempts}"
        failures = f"{operator.failed:,} failed attempts since the start"
        traceback = "\n".join(safe_lines(operator.traceback or "", 500))
        return Content.assemble(
            (name, "bold"), "\n", (f"{counts} · {failures}", "$foreground-muted"), "\n\n",
            (safe_text(operator.error or "", 2_000), "$error"), "\n\n", traceback,
        )  # fmt: skip
