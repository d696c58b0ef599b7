"""The named places where a test may kill the process, raise or stop it.

``EVENTSCOPE_FAILPOINT=name[:nth]:action`` arms one of them: at its ``nth`` passage (the first by
default) the action is taken. Not armed, a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import re
import signal
from typing import Final

AFTER_RECEIVE: Final = "after-receive"
"""Events have come from the server and are nowhere else."""
MID_APPEND: Final = "mid-append"
"""Some of a batch is written to the queue, nothing is committed there."""
AFTER_APPEND: Final = "after-append"
"""Events are durable in the queue, the server does not know yet."""
AFTER_ACKNOWLEDGE: Final = "after-acknowledge"
"""The server may forget what the queue holds."""
BEFORE_COMMIT: Final = "before-commit"
"""An operator's effect is written in the database, and not committed."""
AFTER_EFFECT: Final = "after-effect"
"""An operator's effect is committed, its position is not."""
AFTER_REDO: Final = "after-redo"
"""What a dead letter is about is committed, the letter is still there."""
DURING_PURGE: Final = "during-purge"
"""Some of the history that is to go is gone."""

ALL: Final = (
    AFTER_RECEIVE,
    MID_APPEND,
    AFTER_APPEND,
    AFTER_ACKNOWLEDGE,
    BEFORE_COMMIT,
    AFTER_EFFECT,
    AFTER_REDO,
    DURING_PURGE,
)


class FailpointError(RuntimeError):
    """Raised by a failpoint whose action is ``raise``."""


def hit(name: str) -> None:
    """Pass a failpoint; does what it is armed for, once."""
    global _armed, _passages
    if _armed is None or _armed[0] != name:
        return
    _passages += 1
    if _passages < _armed[1]:
        return
    action, _armed = _armed[2], None
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise FailpointError(name)


def arm(text: str) -> None:
    """Arm as the environment would, from here on; for processes that are forked.

    Raises:
        ValueError: there is no such failpoint or action.
    """
    global _armed, _passages
    _armed, _passages = _parse(text), 0


def _parse(text: str) -> tuple[str, int, str] | None:
    if not text:
        return None
    wanted = re.fullmatch(r"([a-z-]+)(?::([1-9]\d*))?:(kill|stop|raise)", text)
    if wanted is None or wanted[1] not in ALL:
        raise ValueError(
            f"EVENTSCOPE_FAILPOINT={text}: want name[:nth]:kill|stop|raise,"
            f" name one of {', '.join(ALL)}"
        )
    return wanted[1], int(wanted[2] or 1), wanted[3]


_armed: tuple[str, int, str] | None
_passages: int
arm(os.environ.get("EVENTSCOPE_FAILPOINT", ""))
