"""Saying something for a few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from textual.widget import Widget

from eventscope.errors import EventScopeError
from eventscope.inspection.text import safe_text


def toast(node: Widget, text: str, *, is_problem: bool = True) -> None:
    """Say something for a few seconds, whatever the text holds."""
    severity: Literal["warning", "information"] = "warning" if is_problem else "information"
    node.notify(safe_text(text, 400), severity=severity, markup=False)


@contextmanager
def trouble_told(node: Widget) -> Iterator[None]:
    """Say what goes wrong in the block, and go on behind it: a dashboard outlives its errors."""
    try:
        yield
    except EventScopeError as error:
        toast(node, str(error))
    except Exception as error:
        toast(node, f"{type(error).__name__}: {error}")
