"""Spans of time in a few characters."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((60.0, 1.0, "s"), (3600.0, 60.0, "m"), (172_800.0, 3600.0, "h"))


def ago(seconds: float) -> str:
    """How old something is, in four characters at most: ``<1s``, ``27s``, ``12m``, ``3d``."""
    if seconds < 1:
        return "<1s"
    for end, unit, letter in _UNITS:
        if seconds < end:
            return f"{int(seconds / unit)}{letter}"
    return f"{int(seconds / 86_400)}d"


def took(seconds: float) -> str:
    """How long something took, to about three digits: ``0.4 ms``, ``38 ms``, ``1.25 s``, ``5m``."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else ago(seconds)
