"""The keys of the debugger for events: breakpoints, step, continue."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from eventscope.engine.commands import Continue, Step
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.tui.screens.breakpoints import BreakpointsScreen
from eventscope.tui.screens.operator_keys import OperatorKeys
from eventscope.tui.toast import toast


class BreakpointKeys(OperatorKeys):
    """A screen on which operators can be held at events."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "breakpoints", show=False, id="breakpoints", tooltip="Breakpoints"),
        Binding("n", "step", show=False, id="step", tooltip="Run the event held at a breakpoint"),
        Binding("c", "continue", show=False, id="continue", tooltip="Go on from a breakpoint"),
    ]

    @property
    def breakpoint_suggestion(self) -> str:
        """The filter that a new breakpoint begins with."""
        return ""

    def action_breakpoints(self) -> None:
        """List the breakpoints, and set a new one."""
        self.app.push_screen(BreakpointsScreen(self.engine, self.breakpoint_suggestion, self.send))

    def action_step(self) -> None:
        """Let the event run that waits at a breakpoint, and hold the next one."""
        if operator := self._held_operator():
            self.send(Step(operator.name))

    def action_continue(self) -> None:
        """Let the operator run until the next breakpoint."""
        if operator := self._held_operator():
            self.send(Continue(operator.name))

    def _held_operator(self) -> OperatorSnapshot | None:
        """The selected operator if it waits at a breakpoint, else the first that does."""
        selected = self.operator
        if selected is not None and selected.held is not None:
            return selected
        held = [one for one in self.engine.snapshot().operators if one.held is not None]
        if not held:
            toast(self, "No operator waits at a breakpoint. b sets one.")
        return held[0] if held else None
