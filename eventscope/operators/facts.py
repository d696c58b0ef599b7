"""Facts about the rows of a source, and where they are kept: "since event n it maps to id i"."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from eventscope.queue.records import Target


class Mapped(Protocol):
    """Keeps maps, for each operator and entity."""

    async def mapped(
        self, operator: str, entity: str, keys: Collection[Target]
    ) -> dict[Target, Target | None]:
        """What is kept under some keys; those that have nothing are left out."""

    async def map(
        self,
        operator: str,
        entity: str,
        mapping: Mapping[Target, Target | None],
        removed: Collection[Target] = (),
    ) -> None:
        """Keep, and forget some keys; all of a call or nothing is done."""

    async def unmap(self, operator: str, entity: str) -> None:
        """Forget everything of an entity."""


class Fact(NamedTuple):
    """What a row maps to since an event; None if its id is NULL."""

    seq: int
    target: Target | None


def last_before(seq: int, facts: Sequence[Fact]) -> Fact | None:
    """The last of some facts that is older than an event."""
    older = (fact for fact in facts if fact.seq < seq)
    return max(older, key=lambda fact: fact.seq, default=None)


def packed(facts: Sequence[Fact]) -> Target:
    """Facts in the form that is kept."""
    return tuple([msgspec.json.encode(fact).decode() for fact in facts])


def unpacked(texts: Target) -> list[Fact]:
    """Facts from the form that is kept."""
    return [msgspec.json.decode(text, type=Fact) for text in texts]
