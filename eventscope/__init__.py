"""See and use what happens in a PostgreSQL database."""

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
