"""What is shown until the engine is up: what it waits for, or why it cannot start, and the cure."""

from __future__ import annotations

import time
from asyncio import wrap_future
from typing import TYPE_CHECKING, ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.getters import query_one
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from eventscope.errors import EventScopeError
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.cells import countdown
from eventscope.tui.screens.confirm import Confirm
from eventscope.tui.toast import toast, trouble_told

if TYPE_CHECKING:
    from eventscope.engine.examination import Examination
    from eventscope.replication.finding import Finding

_LOOK: Final = 0.05
_QUIET: Final = 0.5
"""Seconds that an attempt may take before it is spoken of instead of what failed before."""
_AGAIN: Final = 5.0
"""Seconds until the next attempt: what keeps it from starting may be mended meanwhile."""
_SOURCE_OR_QUEUE: Final = 3
"""The exit code of errors of the database and the queue."""


class StartScreen(Screen[None]):
    """Has the engine start, again and again if it must, and says so when it is up.

    Args:
        engine: is begun once this is drawn, as loading it takes longer than to draw.
    """

    class Started(Message):
        """The engine is up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "retry", "Try again", id="start.retry", tooltip="Try to start at once"),
        Binding("y", "copy", "Copy SQL", id="start.copy", tooltip="Copy what would mend it"),
        Binding(
            "c",
            "anew",
            "Start anew",
            id="start.anew",
            tooltip="Give up what was missed, and begin a new queue file from now on",
        ),
    ]

    heading = query_one("#start-heading", Static)
    body = query_one("#start-body", Static)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__()
        self._engine = engine
        self._began = time.monotonic()
        self._retry_at: float | None = None
        self._cures: list[Finding] = []

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        with Vertical(id="start-card"):
            yield Static(id="start-heading")
            with VerticalScroll():
                yield Static(id="start-body")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Have the engine started, and look at it."""
        self._say_starting()
        self.set_timer(_LOOK, self._watch)

    def _watch(self) -> None:
        self._begin()
        self.set_interval(_LOOK, self._look)

    def action_retry(self) -> None:
        """Try again at once."""
        if self._engine.error is not None:
            self._begin()

    def action_copy(self) -> None:
        """Copy the statements that would mend it."""
        statements = "\n".join(finding.sql for finding in self._cures if finding.sql)
        if statements:
            self.app.copy_to_clipboard(statements)
            toast(self, "SQL copied.", is_problem=False)
        else:
            toast(self, "There is no statement that would mend it.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a queue that can never go on may be given up, and not by one who only looks."""
        if action != "anew":
            return True
        return not self._engine.read_only and any(cure.is_anew for cure in self._cures)

    @work(exit_on_error=False)
    async def action_anew(self) -> None:
        """Move the queue file aside, if the person confirms it, and begin with a new one."""
        reasons = [safe_text(f"{cure.found}: {cure.why}.", 500) for cure in self._cures]
        kept = "The queue file is kept under another name, with what operators have not had."
        filled = "Backfill query operators afterwards: their tables have missed changes, too."
        question = Confirm("Start anew from now?", *reasons, kept, filled)
        if await self.app.push_screen_wait(question):
            with trouble_told(self):
                aside = self._engine.start_anew()
                toast(self, f"The old queue file is {aside}", is_problem=False)
            if not self._engine.started:  # as it may be meanwhile
                self._begin()

    def _begin(self) -> None:
        self._retry_at, self._began = None, time.monotonic()
        self._engine.begin()

    def _look(self) -> None:
        error = self._engine.error
        if error is not None and not _is_mendable(error):
            self.app.exit()  # whoever runs the program tells why
        elif error is not None:
            self._say_failure(error)
        elif self._engine.started and self.is_current:
            self.post_message(self.Started())
        elif time.monotonic() - self._began > _QUIET:
            self._say_starting()

    def _say_starting(self) -> None:
        waits_for = Content.styled(safe_text(self._engine.waits_for, 1_000), "$foreground-muted")
        self._say(Content.styled("Starting", "bold"), waits_for)

    def _say_failure(self, error: BaseException) -> None:
        now = time.monotonic()
        if self._retry_at is None:
            self._retry_at = now + _AGAIN
            self._diagnose()
        if now >= self._retry_at:
            self._begin()
            return
        due = countdown(self._retry_at, now)
        hint = f"   next attempt {due}, r tries at once"
        heading = Content.assemble(("Cannot start", "bold $error"), (hint, "$foreground-muted"))
        self._say(heading, Content("\n\n").join([self._reason(error), *map(_cure, self._cures)]))

    def _reason(self, error: BaseException) -> Content:
        text = str(error) or type(error).__name__
        return Content(safe_text(text, 2_000))

    @work(exit_on_error=False, exclusive=True)
    async def _diagnose(self) -> None:
        """Look for what blocks the start, beyond what the error says."""
        self._cures = []
        found: Examination = await wrap_future(self._engine.diagnose())
        self._cures = [
            finding
            for group in found.groups.values()
            for finding in group
            if finding.severity == "blocking"
        ]
        self.refresh_bindings()

    def _say(self, heading: Content, body: Content) -> None:
        self.heading.update(heading)
        self.body.update(body)


def _is_mendable(error: BaseException) -> bool:
    """Whether somebody may mend it while we wait: the database, the queue file, its disk."""
    return isinstance(error, OSError) or (
        isinstance(error, EventScopeError) and error.exit_code == _SOURCE_OR_QUEUE
    )


def _cure(finding: Finding) -> Content:
    lines = [Content.assemble(("× ", "$error"), safe_text(finding.found, 500))]
    if finding.why:
        lines.append(Content.styled(f"  {safe_text(finding.why, 500)}", "$foreground-muted"))
    lines += [
        Content.styled(f"  {safe_text(line, 10_000)}", "bold $primary")
        for line in finding.sql.split("\n")
        if line
    ]
    if finding.mend:
        lines.append(Content(f"  {safe_text(finding.mend, 500)}"))
    return Content("\n").join(lines)
