"""The breakpoints: which filters hold events back, a new one, and away with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.getters import query_one
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from eventscope.engine.commands import Break, Debug, DropBreakpoint
from eventscope.engine.snapshot import BreakpointSnapshot
from eventscope.inspection.filter import FilterError, parse
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine

_INTERVAL: Final = 0.25
_EXPLAINED: Final = "Events that match wait before an operator runs them: n runs one, c goes on."


class BreakpointsScreen(ModalScreen[None]):
    """Lists the breakpoints and takes a new one.

    Args:
        engine: whose breakpoints.
        suggestion: the filter that a new one begins with.
        send: has a command done, and says what came of it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="breakpoints.close", tooltip="Close"),
        Binding("down", "list", show=False, id="breakpoints.list", tooltip="To the list"),
        Binding("delete,d", "drop", "Drop", id="breakpoints.drop", tooltip="Drop the breakpoint"),
    ]

    written = query_one(Input)
    listed = query_one(OptionList)
    meaning = query_one("#breakpoint-meaning", Static)

    def __init__(
        self, engine: AttachedEngine, suggestion: str, send: Callable[[Debug], object]
    ) -> None:
        super().__init__()
        self._engine = engine
        self._suggestion = safe_text(suggestion, 200)
        self._send = send
        self._shown: tuple[BreakpointSnapshot, ...] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the card."""
        with Vertical(classes="window") as window:
            window.border_title = "Breakpoints"
            window.border_subtitle = "enter sets · d drops · esc closes"
            yield Static(Content.styled(_EXPLAINED, "$foreground-muted"))
            yield Input(self._suggestion, placeholder="table:orders op:update", compact=True)
            yield Static(id="breakpoint-meaning")
            yield OptionList(compact=True)

    def on_mount(self) -> None:
        """Begin to show what is set."""
        self.written.focus()
        self._say_meaning()
        self._show()
        self.set_interval(_INTERVAL, self._show)

    @on(Input.Changed)
    def _say_meaning(self) -> None:
        """Say what the filter means, or what is wrong with it."""
        text = self.written.value
        try:
            said = Content.styled(f"where {parse(text)}" if text.strip() else " ", "$success")
        except FilterError as error:
            said = Content.styled(safe_text(str(error), 300), "$error")
        self.meaning.update(said)

    @on(Input.Submitted)
    def _set(self) -> None:
        """Set a breakpoint, unless the filter cannot be read."""
        try:
            parse(self.written.value)
        except FilterError:
            return
        self._send(Break(self.written.value))

    def action_list(self) -> None:
        """Go to the breakpoints that are set."""
        if self.listed.option_count:
            self.listed.focus()
            self.listed.highlighted = self.listed.highlighted or 0

    def action_drop(self) -> None:
        """Drop the selected breakpoint."""
        at = self.listed.highlighted
        if self._shown and at is not None and at < len(self._shown):
            self._send(DropBreakpoint(self._shown[at].id))

    def _show(self) -> None:
        snapshot = self._engine.snapshot()
        if snapshot.breakpoints == self._shown:
            return
        at = self.listed.highlighted
        self._shown = snapshot.breakpoints
        self.listed.set_options([Option(_line(one)) for one in snapshot.breakpoints])
        self.listed.display = bool(self._shown)
        if self._shown and at is not None:
            self.listed.highlighted = min(at, len(self._shown) - 1)
        elif self.listed.has_focus:
            self.written.focus()


def _line(one: BreakpointSnapshot) -> Content:
    where = f" at {safe_text(one.operator, 60)}" if one.operator else ""
    return Content.assemble(
        (f"{one.id}  ", "$foreground-muted"), (safe_text(one.filter, 200), "bold"), where
    )
