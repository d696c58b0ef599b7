"""The keys that act upon an operator, whichever pane has the focus."""

from __future__ import annotations

from asyncio import gather, wrap_future
from dataclasses import replace
from typing import ClassVar, Final

from textual import work
from textual.binding import ActiveBinding, Binding, BindingType

from eventscope.engine.commands import (
    Command,
    CommandRefused,
    Pause,
    Resume,
    Retry,
    RetryLetters,
    Skip,
)
from eventscope.engine.questions import Answer, Question
from eventscope.engine.questions.operator import BlockingEvent
from eventscope.engine.snapshot import OperatorSnapshot, Snapshot
from eventscope.event import EventId
from eventscope.inspection.text import safe_text
from eventscope.tui.attached import AttachedEngine
from eventscope.tui.operator_watch import OperatorWatches
from eventscope.tui.reasons import READ_ONLY, is_deed, why_not
from eventscope.tui.screens.confirm import Confirm
from eventscope.tui.screens.failure import FailureScreen
from eventscope.tui.screens.greying import GreyingScreen
from eventscope.tui.toast import toast

_SHOWN_TO_OPERATORS: Final = ("skip", "replay", "backfill")
"""Bindings for which the footer has room only then."""


class OperatorKeys(GreyingScreen):
    """A screen with operators on it; what is not possible now is greyed, and says why.

    Args:
        engine: is sent the commands.
        watches: what the operators have looked like lately.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="pause", tooltip="Pause or resume the selected operator"),
        Binding(
            "P",
            "pause_all",
            show=False,
            id="pause-all",
            tooltip="Hold all operators, or let all go on",
        ),
        Binding("r", "retry", "Retry", id="retry", tooltip="Let the selected operator retry now"),
        Binding(
            "R",
            "retry_letters",
            show=False,
            id="retry-letters",
            tooltip="Try the selected operator's dead letters again",
        ),
        Binding(
            "e", "show_failure", "Error", id="error", tooltip="The selected operator's last error"
        ),
        Binding(
            "S",
            "skip",
            "Skip",
            show=False,
            id="skip",
            tooltip="Pass over the event that the selected operator fails at",
        ),
        Binding(
            "B",
            "backfill",
            "Backfill",
            show=False,
            id="backfill",
            tooltip="Recompute the selected operator's whole target",
        ),
        Binding(
            "T",
            "replay",
            "Replay",
            show=False,
            id="replay",
            tooltip="Give events to the selected operator once more",
        ),
    ]

    def __init__(self, engine: AttachedEngine, watches: OperatorWatches) -> None:
        super().__init__()
        self.engine = engine
        self.watches = watches
        self._operators: tuple[OperatorSnapshot, ...] = ()
        self._impossible: list[str] = []
        self._trouble = ""
        """What the last question has failed with."""

    @property
    def operator(self) -> OperatorSnapshot | None:
        """The operator that the keys act upon."""
        raise NotImplementedError

    @property
    def shows_operators(self) -> bool:
        """Whether it can be seen which operator that is."""
        return True

    @property
    def is_about_operators(self) -> bool:
        """Whether a person looks at operators now, so that the footer has all of their keys."""
        return True

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What is bound now."""
        bindings = super().active_bindings
        if self.is_about_operators:
            for key, active in bindings.items():
                if active.binding.id in _SHOWN_TO_OPERATORS:
                    shown = replace(active.binding, show=True)
                    bindings[key] = active._replace(binding=shown)
        return bindings

    @property
    def chosen_event(self) -> EventId | None:
        """The event that a replay is likely to begin with."""
        return None

    def draw_state(self) -> None:
        """Show the engine's state."""
        raise NotImplementedError

    def grey(self, snapshot: Snapshot) -> None:
        """Grey the keys of what is not possible any more."""
        self._operators = snapshot.operators
        shown = [active.binding.action for active in self.active_bindings.values()]
        impossible = [action for action in shown if self._why_not(action) is not None]
        if impossible != self._impossible:
            self._impossible = impossible
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action is possible; None greys its key."""
        return None if self._why_not(action) is not None else True

    def say_why_greyed(self, key: str) -> bool:
        """Say why nothing happens when a greyed key is pressed."""
        active = self.active_bindings.get(key)
        if active is None or active.enabled:
            return False
        return self.say_why_not(active.binding.action)

    def say_why_not(self, action: str) -> bool:
        """Say why an action is not possible; False if it is."""
        reason = self._why_not(action)
        if reason is not None:
            toast(self, reason)
        return reason is not None

    def action_open_operator(self) -> None:
        """Show all about the operator."""
        from eventscope.tui.screens.operator import OperatorScreen

        if self.operator is not None:
            self.app.push_screen(OperatorScreen(self.engine, self.watches, self.operator.name))

    def action_pause(self) -> None:
        """Pause the operator, or resume it if it is paused."""
        if operator := self.operator:
            self.send(Resume(operator.name) if operator.paused else Pause(operator.name))

    @work(exit_on_error=False)
    async def action_pause_all(self) -> None:
        """Pause all operators, or resume them if all are paused."""
        operators = self.engine.snapshot().operators
        running = [one.name for one in operators if not one.paused]
        names = running or [one.name for one in operators]
        verb = "Pause" if running else "Resume"
        counted = f"{len(names)} operator{'' if len(names) == 1 else 's'}"
        listed = safe_text(", ".join(names), 400)
        if await self.app.push_screen_wait(Confirm(f"{verb} {counted}?", listed)):
            commands = [Pause(name) if running else Resume(name) for name in names]
            await self._carry_out(*commands, said=f"{counted} {verb.lower()}d")

    def action_retry(self) -> None:
        """Have the operator try its event again at once."""
        if operator := self.operator:
            self.send(Retry(operator.name))

    def action_retry_letters(self) -> None:
        """Have the operator try its dead letters again."""
        if operator := self.operator:
            self.send(RetryLetters(operator.name))

    def action_show_failure(self) -> None:
        """Show the operator's last error with its traceback."""
        if operator := self.operator:
            self.app.push_screen(FailureScreen(operator))

    @work(exit_on_error=False)
    async def action_skip(self) -> None:
        """Pass over the event that the operator fails at, once the word is typed."""
        from eventscope.tui.screens.skip import SkipScreen

        if (operator := self.operator) is None:
            return
        blocking = await self.ask(BlockingEvent(operator.name))
        if blocking is None:
            toast(self, f"{operator.name} fails at no event that is still kept.")
            return
        if await self.app.push_screen_wait(SkipScreen(operator.name, blocking)):
            await self._carry_out(Skip(operator.name, blocking.event.id))

    def action_backfill(self) -> None:
        """Have the operator's whole target recomputed, or see how far that is."""
        from eventscope.tui.screens.backfill import BackfillScreen

        if operator := self.operator:
            self.app.push_screen(BackfillScreen(self.engine, operator.name), self.send_if_wanted)

    def action_replay(self) -> None:
        """Have events given to the operator once more."""
        from eventscope.tui.screens.replay import ReplayScreen

        if operator := self.operator:
            dialog = ReplayScreen(self.engine, operator.name, self.chosen_event)
            self.app.push_screen(dialog, self.send_if_wanted)

    def send_if_wanted(self, command: Command | None) -> None:
        """Send what a dialog has come to."""
        if command is not None:
            self.send(command)

    @work(exit_on_error=False)
    async def send(self, command: Command) -> None:
        """Ask the engine and say what came of it."""
        await self._carry_out(command)

    async def ask(self, question: Question[Answer]) -> Answer | None:
        """Ask the engine; None, and a word about it, if there is no answer."""
        try:
            answer = await wrap_future(self.engine.ask(question))
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
            if trouble != self._trouble:  # which may be asked again every second
                toast(self, trouble)
            self._trouble = trouble
            return None
        self._trouble = ""
        return answer

    async def _carry_out(self, *commands: Command, said: str = "") -> None:
        """Have commands done and say what came of it: the dashboard outlives every answer."""
        if self.engine.read_only:
            toast(self, READ_ONLY)
            return
        try:
            done = await gather(*(wrap_future(self.engine.command(each)) for each in commands))
            toast(self, said or done[0], is_problem=False)
        except CommandRefused as refusal:
            toast(self, str(refusal))
        except Exception as error:
            toast(self, f"{type(error).__name__}: {error}")
        self.draw_state()

    def _why_not(self, action: str) -> str | None:
        deed = action.partition("(")[0].rpartition(".")[2]
        if not is_deed(deed) or not self.is_mounted:
            return None
        return why_not(
            deed,
            self.operator,
            self._operators,
            read_only=self.engine.read_only,
            is_seen=self.shows_operators,
        )
