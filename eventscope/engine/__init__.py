"""The engine: starts, supervises and stops everything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventscope.engine.core import Engine
    from eventscope.engine.follower import Follower
    from eventscope.engine.ring import EventRing
    from eventscope.engine.snapshot import Snapshot

__all__ = ["Engine", "EventRing", "Follower", "Snapshot"]

_HOMES: Final = {
    "Engine": "core",
    "EventRing": "ring",
    "Follower": "follower",
    "Snapshot": "snapshot",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: a dashboard is drawn before its engine is loaded."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
