"""Text in a given number of terminal cells."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Cut or pad harmless text to exactly ``width`` cells; what is cut ends in ``…``."""
    missing = width - cell_len(text)
    if missing < 0:
        return "" if width <= 0 else set_cell_size(text, width - 1) + "…"
    return " " * missing + text if right else text + " " * missing


def elapsed(seconds: float) -> str:
    """How long something has taken, in two units at most: ``3s``, ``2m 05s``, ``5h 12m``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole % 3_600 // 60:02}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600:02}h"


def countdown(due: float | None, now: float) -> str:
    """How long until ``due``, in seconds since the epoch: ``in 3s``, ``in 2m 05s``, ``now``."""
    left = 0 if due is None else round(due - now)
    if left <= 0:
        return "now"
    minutes, seconds = divmod(left, 60)
    return f"in {minutes}m {seconds:02}s" if minutes else f"in {seconds}s"
