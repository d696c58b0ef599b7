"""Giving events to an operator once more: which ones, and how many they are."""

from __future__ import annotations

from asyncio import wrap_future
from typing import Final

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.getters import query_one
from textual.timer import Timer
from textual.widgets import Input, Static

from eventscope.engine import moments
from eventscope.engine.commands import Command, CommandRefused, Replay
from eventscope.engine.questions.operator import Replayable, ReplayOf
from eventscope.event import EventId
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.screens.dialog import Dialog

_PAUSE: Final = 0.15
"""Seconds without a key after which the ends are looked up."""
_POINT: Final = "event id, LSN or time"
_HELP: Final = (
    "An event id (0/16B3748/0), an LSN (0/16B3748) or a time here (2026-11-26T14:00).\n"
    "Both ends belong to it; afterwards the operator goes on where it is now."
)


class ReplayScreen(Dialog[Command]):
    """Comes to the command that begins a replay, once its ends are points of the stream.

    Args:
        engine: is asked how many events it would be.
        operator: to which they are given.
        start: the event that is likely to be meant.
    """

    TITLE = "Replay"
    HINT = "enter begins · tab other end · esc leaves"

    start = query_one("#replay-start", Input)
    end = query_one("#replay-end", Input)
    verdict = query_one("#replay-verdict", Static)

    def __init__(self, engine: AttachedEngine, operator: str, start: EventId | None) -> None:
        super().__init__()
        self._engine = engine
        self._operator = operator
        self._first = start
        self._pause: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Lay out both ends, and what they come to."""
        name = (safe_text(self._operator, 100), "bold")
        yield Static(Content.assemble("Give events to ", name, " once more.\n"))
        yield Static("From", classes="label")
        yield Input(self._first or "", id="replay-start", placeholder=_POINT, compact=True)
        yield Static("To", classes="label")
        yield Input(id="replay-end", placeholder="the last that it has had", compact=True)
        yield Static(id="replay-verdict")
        yield Static(Content.styled(_HELP, "$foreground-muted"))

    def on_mount(self) -> None:
        """Be ready to type."""
        self.start.focus()
        self._check()

    @on(Input.Changed)
    def _look_up_soon(self) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(_PAUSE, self._check)

    @on(Input.Submitted)
    def _submit(self) -> None:
        self._begin()

    @work(exclusive=True, group="check", exit_on_error=False)
    async def _check(self) -> None:
        await self._command()

    @work(exclusive=True, group="begin", exit_on_error=False)
    async def _begin(self) -> None:
        command = await self._command()
        if command is not None:
            self.dismiss(command)

    async def _command(self) -> Command | None:
        """The replay that is written here, and a word on it; None if there can be none."""
        start, end = self.start.value.strip(), self.end.value.strip()
        if not start:
            self.verdict.update(Content.styled("Where does it begin?", "$foreground-muted"))
            return None
        try:
            first, last = moments.written(start), moments.written(end) if end else None
            asked = self._engine.ask(ReplayOf(self._operator, first, last))
            self._say(await wrap_future(asked))
        except CommandRefused as refusal:
            self.verdict.update(Content.styled(safe_text(str(refusal), 400), "$warning"))
            return None
        except Exception as error:
            told = safe_text(f"{type(error).__name__}: {error}", 400)
            self.verdict.update(Content.styled(told, "$error"))
            return None
        return Replay(self._operator, first, last)

    def _say(self, found: Replayable) -> None:
        counted = f"{found.events:,} event{'' if found.events == 1 else 's'}"
        span = f"  {found.first} to {found.last}" if found.first != found.last else ""
        self.verdict.update(
            Content.assemble((counted, "bold $success"), (span, "$foreground-muted"))
        )
