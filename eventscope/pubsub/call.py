"""A call of a listener that can be left where it is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Final

LEAVE: Final = "eventscope leaves this listener where it is"
"""The message of a second cancellation, for a task whose listener has hidden the first."""


class Call:
    """What a listener does with one message.

    When the task that awaits it is cancelled with the message ``LEAVE``, it is closed, and not
    waited for whatever it makes of that.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[Any], Any] = self._coroutine.send
        answer: Any = None
        while True:
            try:
                waited = step(answer)
            except StopIteration:
                return
            try:
                answer = yield waited
                step = self._coroutine.send
            except BaseException as error:
                if error.args == (LEAVE,):
                    with suppress(RuntimeError):  # it refuses even that
                        self._coroutine.close()
                    raise
                step, answer = self._coroutine.throw, error
