"""Telling what was done: to people line by line, to programs as one JSON object."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

from eventscope.cli.dialogue import say
from eventscope.inspection.text import safe_text


class Told:
    """What a command has done, told while the block lasts.

    As JSON it is ``{"done": [{"operator": ..., "text": ..., "process": ...}, ...]}``, printed at
    the end of the block, also if something is refused that came after.

    Args:
        as_json: whether a program reads it.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._done: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Print the JSON object, unless nothing was done as something was refused."""
        if self._as_json and (self._done or error is None):
            print(json.dumps({"done": self._done}), flush=True)

    def tell(self, operator: str, text: str, process: int | None) -> None:
        """Tell of one thing.

        Args:
            operator: to whom it was done.
            text: what, in one line.
            process: who has done it; None: nothing runs, and it holds from the next start on.
        """
        self._done.append({"operator": operator, "text": text, "process": process})
        if self._as_json:
            return
        print(safe_text(text), flush=True)
        if process is None:
            say("nothing runs now: this holds from the next start on")
