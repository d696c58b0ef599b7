"""What a filter may ask that an event does not hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, get_args

from eventscope.event import Event

DeliveryState = Literal["done", "queued", "retrying", "failed", "held"]
DELIVERY_STATES: Final[tuple[DeliveryState, ...]] = get_args(DeliveryState)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one event at one operator."""

    operator: str
    state: DeliveryState
    attempts: int = 0
    """How often it was tried."""
    error: str | None = None
    """The last failure."""


class Context(Protocol):
    """Marks and deliveries, for filters parsed with ``delivery=True``."""

    def is_marked(self, event: Event) -> bool:
        """Whether a person marked the event."""
        ...

    def deliveries(self, event: Event) -> Iterable[Delivery]:
        """What became of the event at each operator that it concerns."""
        ...


class NothingKnown:
    """The context where there are no marks and no operators."""

    def is_marked(self, event: Event) -> bool:
        """Never."""
        return False

    def deliveries(self, event: Event) -> Iterable[Delivery]:
        """None."""
        return ()
