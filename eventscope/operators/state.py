"""The states of an operator, one word each, the same everywhere."""

from __future__ import annotations

from typing import Literal

OperatorState = Literal["idle", "running", "waiting", "backing-off", "paused", "halted"]
"""
- ``idle``: nothing queued for it
- ``running``: at work
- ``waiting``: for the database, because a transaction is not visible yet or the connection is lost
- ``backing-off``: failed, and will try the same event again
- ``paused``: held by a person
- ``halted``: out of retries, waits for a person
"""
