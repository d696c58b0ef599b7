"""Saying something for a few seconds."""

from __future__ import annotations

from typing import Literal

from textual.widget import Widget

from eventscope.inspection.text import safe_text


def toast(node: Widget, text: str, *, is_problem: bool = True) -> None:
    """Say something for a few seconds, whatever the text holds."""
    severity: Literal["warning", "information"] = "warning" if is_problem else "information"
    node.notify(safe_text(text, 400), severity=severity, markup=False)
