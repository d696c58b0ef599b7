"""The engine: starts, supervises and stops everything."""

from eventscope.engine.core import Engine
from eventscope.engine.follower import Follower
from eventscope.engine.ring import EventRing
from eventscope.engine.snapshot import Snapshot

__all__ = ["Engine", "EventRing", "Follower", "Snapshot"]
