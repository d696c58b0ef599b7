"""Recomputing a whole target: its pace, how far it is, its end."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.getters import query_one
from textual.widgets import Input, ProgressBar, Static

from eventscope.engine.commands import CancelBackfill, Command, StartBackfill
from eventscope.engine.snapshot import BackfillSnapshot
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.durations import ago
from eventscope.tui.screens.dialog import Dialog
from eventscope.tui.toast import toast

_INTERVAL: Final = 0.25
_PACE: Final = "Ids a second at most; empty is half of the operator's time:"


class BackfillScreen(Dialog[Command]):
    """Comes to the command that begins a backfill, changes its pace or ends it.

    Args:
        engine: is looked at.
        operator: whose target.
    """

    TITLE = "Backfill"
    HINT = "enter begins · esc leaves"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "end", "End it", id="backfill.end", tooltip="End the backfill where it is"),
        Binding("r", "pace", "Pace", id="backfill.pace", tooltip="Change its pace"),
    ]

    told = query_one("#backfill-told", Static)
    bar = query_one(ProgressBar)
    pace = query_one(Input)

    def __init__(self, engine: AttachedEngine, operator: str) -> None:
        super().__init__()
        self._engine = engine
        self._operator = operator
        self._was_under_way = False

    def compose_body(self) -> ComposeResult:
        """Lay out how far it is, and the pace."""
        yield Static(id="backfill-told")
        yield ProgressBar(show_eta=False)
        yield Static(_PACE, classes="label")
        yield Input(type="number", compact=True, placeholder="as fast as it may", valid_empty=True)

    def on_mount(self) -> None:
        """Look at the engine while it is open."""
        self._was_under_way = self._backfill is not None
        self._show()
        self.set_interval(_INTERVAL, self._show)
        if not self._was_under_way:
            self.pace.focus()
        else:
            self.set_focus(None)
            self.query_one(".window").border_subtitle = "c ends it · r other pace · esc leaves"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a backfill that is under way can be ended."""
        return self._was_under_way if action in ("end", "pace") else True

    def action_end(self) -> None:
        """End the backfill."""
        self.dismiss(CancelBackfill(self._operator))

    def action_pace(self) -> None:
        """Let another pace be typed."""
        self.pace.focus()

    @on(Input.Submitted)
    def _begin(self) -> None:
        text = self.pace.value.strip()
        try:
            rate = float(text) if text else None
        except ValueError:
            rate = 0.0
        if rate is not None and not 0 < rate < float("inf"):
            toast(self, "A pace is a number above 0, or nothing.")
        else:
            self.dismiss(StartBackfill(self._operator, rate))

    @property
    def _backfill(self) -> BackfillSnapshot | None:
        named = (one for one in self._engine.snapshot().operators if one.name == self._operator)
        return next((one.backfill for one in named), None)

    def _show(self) -> None:
        backfill, name = self._backfill, safe_text(self._operator, 100)
        self.bar.display = backfill is not None
        if backfill is not None:
            self.bar.update(total=backfill.total, progress=backfill.done)
            told = f"{name}\n{backfill_text(backfill, self._engine.snapshot().taken_at)}"
        elif self._was_under_way:
            told = f"{name}\nThe backfill has ended."
        else:
            told = (f"Every row of the target of {name} is computed anew,\n"
                    "beside the stream. It survives restarts.")  # fmt: skip
        self.told.update(Content(told))


def backfill_text(backfill: BackfillSnapshot, now: float) -> str:
    """How far a backfill is, in one line."""
    if backfill.total is None:
        return "counts its ids"
    facts = [f"{backfill.done:,} of {backfill.total:,} ids"]
    if backfill.failed:
        facts.append(f"{backfill.failed:,} failed")
    passed, left = now - backfill.started_at, backfill.total - backfill.done
    if backfill.done and left > 0 and passed > 0:
        facts.append(f"about {ago(left * passed / backfill.done)} left")
    return " · ".join(facts)
