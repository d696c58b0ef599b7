"""The keys that act upon the selected operator, whichever pane has the focus."""

from __future__ import annotations

from asyncio import wrap_future
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.getters import query_one
from textual.screen import Screen

from eventscope.engine.commands import Command, CommandRefused, Pause, Resume, Retry, RetryLetters
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.screens.failure import FailureScreen
from eventscope.tui.toast import toast
from eventscope.tui.widgets.operators_pane import OperatorsPane


class OperatorKeys(Screen[None]):
    """A screen with operators on it.

    Args:
        engine: is sent the commands.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="pause", tooltip="Pause or resume the selected operator"),
        Binding("r", "retry", "Retry", id="retry", tooltip="Let the selected operator retry now"),
        Binding(
            "e", "show_failure", "Error", id="error", tooltip="The selected operator's last error"
        ),
        Binding(
            "R",
            "retry_letters",
            show=False,
            id="retry-letters",
            tooltip="Try the selected operator's dead letters again",
        ),
    ]

    operators = query_one(OperatorsPane)

    def __init__(self, engine: AttachedEngine) -> None:
        super().__init__()
        self.engine = engine

    def draw_state(self) -> None:
        """Show the engine's state."""

    def action_pause(self) -> None:
        """Pause the selected operator, or resume it if it is paused."""
        if operator := self._selected_operator("pause"):
            self.send(Resume(operator.name) if operator.paused else Pause(operator.name))

    def action_retry(self) -> None:
        """Have the selected operator try its event again at once."""
        if operator := self._selected_operator("retry"):
            if operator.state in ("backing-off", "halted", "waiting"):
                self.send(Retry(operator.name))
            else:
                toast(self, f"{operator.name} is {operator.state}: there is nothing to retry.")

    def action_retry_letters(self) -> None:
        """Have the selected operator try its dead letters again."""
        if operator := self._selected_operator("retry"):
            if operator.dead:
                self.send(RetryLetters(operator.name))
            else:
                toast(self, f"{operator.name} has no dead letter.")

    def action_show_failure(self) -> None:
        """Show the selected operator's last error with its traceback."""
        if operator := self._selected_operator("show"):
            if operator.error is None:
                toast(self, f"{operator.name} has no error.")
            else:
                self.app.push_screen(FailureScreen(operator))

    @work(exit_on_error=False)
    async def send(self, command: Command) -> None:
        """Ask the engine and say what came of it: the dashboard outlives every answer."""
        try:
            toast(self, await wrap_future(self.engine.command(command)), is_problem=False)
        except CommandRefused as refusal:
            toast(self, str(refusal))
        except Exception as error:
            toast(self, f"{type(error).__name__}: {error}")
        self.draw_state()

    def _selected_operator(self, verb: str) -> OperatorSnapshot | None:
        if self.operators.selected is None:
            toast(self, f"There is no operator to {verb}.")
        return self.operators.selected
