"""See and use what happens in a PostgreSQL database."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from eventscope.app import EventScope
    from eventscope.event import UNCHANGED, Change, Event, EventId, Lsn, Source
    from eventscope.ids import Sql
    from eventscope.message import Message

__version__ = "0.1.0"

__all__ = [
    "UNCHANGED",
    "Change",
    "Event",
    "EventId",
    "EventScope",
    "Lsn",
    "Message",
    "Source",
    "Sql",
]

_HOMES: Final = {"EventScope": "app", "Message": "message", "Sql": "ids"}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: every run of pytest imports this for its plugin."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'event')}"), name)
