"""Setting breakpoints, and letting operators go on that wait at one."""

from __future__ import annotations

from collections.abc import Mapping

from eventscope.engine.commands import (
    Break,
    CommandRefused,
    Continue,
    Debug,
    DropBreakpoint,
    Step,
)
from eventscope.inspection.filter import FilterError, parse
from eventscope.operators.breakpoints import Breakpoints
from eventscope.operators.runner import Runner


class Debugging:
    """Does what a person asks for while operators run.

    Args:
        breakpoints: of the engine; None where no operator runs.
        runners: of the operators, by name.
    """

    def __init__(self, breakpoints: Breakpoints | None, runners: Mapping[str, Runner]) -> None:
        self._breakpoints = breakpoints
        self._runners = runners

    def do(self, command: Debug) -> str:
        """Do it; returns what was done, in one line.

        Raises:
            CommandRefused: it is not possible; the message says why.
        """
        if self._breakpoints is None:
            raise CommandRefused("breakpoints hold operators that run, and none does now")
        match command:
            case Break():
                return self._set(self._breakpoints, command)
            case DropBreakpoint(breakpoint=id):
                return self._drop(self._breakpoints, id)
            case Step(operator=name):
                if not self._runner(name).gate.step():
                    raise CommandRefused(f"{name} waits at no breakpoint")
                return f"{name} runs one event"
            case Continue(operator=name):
                if not self._runner(name).gate.go_on():
                    raise CommandRefused(f"{name} waits at no breakpoint")
                return f"{name} goes on"

    def _set(self, breakpoints: Breakpoints, asked: Break) -> str:
        if asked.operator:
            self._runner(asked.operator)
        try:
            filter = parse(asked.filter)
        except FilterError as error:
            raise CommandRefused(str(error)) from None
        if not asked.filter.strip():
            raise CommandRefused("a breakpoint needs a filter, such as table:orders op:update")
        one = breakpoints.add(filter, asked.operator)
        self._nudge()
        return f"breakpoint {one.id}: events wait before {asked.operator or 'any operator'}"

    def _drop(self, breakpoints: Breakpoints, id: int) -> str:
        if not breakpoints.drop(id):
            raise CommandRefused(f"there is no breakpoint {id}")
        self._nudge()
        return f"breakpoint {id} is gone"

    def _nudge(self) -> None:
        for runner in self._runners.values():
            runner.activity.nudge()

    def _runner(self, name: str) -> Runner:
        if name not in self._runners:
            known = ", ".join(self._runners) or "none"
            raise CommandRefused(f"there is no operator {name}; there are {known}")
        return self._runners[name]
