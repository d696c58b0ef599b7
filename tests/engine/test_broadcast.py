"""Between the queue and the listeners: what is still to be heard of stays in the queue."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from eventscope import EventScope
from eventscope.engine import Engine, core
from eventscope.pubsub.local import LocalPubSub
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Write
from tests.pubsub.hearing import take


class Held(LocalPubSub):
    """An adapter that takes nothing until it is let go."""

    go_on: ClassVar[asyncio.Event]
    held: ClassVar[asyncio.Event]

    async def publish(self, announcements: Any) -> None:
        Held.held.set()
        await Held.go_on.wait()
        await super().publish(announcements)


async def test_history_is_not_given_up_before_it_has_been_heard_of(
    notes: Write,
    connection: Connection,
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core, "_PRUNE_INTERVAL", 0.001)
    Held.go_on, Held.held = asyncio.Event(), asyncio.Event()
    app = EventScope("held")
    app.entity("notes")
    settings = make_settings(pubsub=f"{__name__}:Held", retention_events=0)
    async with Engine(app, settings) as engine, app.subscribe("notes") as stream:
        waits_or_pruned = asyncio.Event()
        reach, prune = engine._broadcast.reach, engine._queue.prune

        async def reaching(seq: int) -> None:
            if engine._broadcast.position < seq:
                waits_or_pruned.set()
            await reach(seq)

        async def pruning(until: int | None = None) -> int:
            dropped = await prune(until)
            if dropped:
                waits_or_pruned.set()
            return dropped

        monkeypatch.setattr(engine._broadcast, "reach", reaching)
        monkeypatch.setattr(engine._queue, "prune", pruning)
        await connection.execute("INSERT INTO notes SELECT n FROM generate_series(1, 350) n")
        await waits_or_pruned.wait()
        Held.go_on.set()
        messages = await take(stream, 350)
    assert [(m.event.new_record or {})["id"] for m in messages] == list(range(1, 351))


async def test_an_adapter_that_hangs_holds_up_no_operator(
    notes: Write, make_settings: MakeSettings
) -> None:
    Held.go_on, Held.held = asyncio.Event(), asyncio.Event()
    app, seen = EventScope("held"), list[Any]()

    @app.operator(entities="notes")
    async def see(event: Any) -> None:
        seen.append((event.new_record or {})["id"])

    async with (
        Engine(app, make_settings(pubsub=f"{__name__}:Held")) as engine,
        app.subscribe("notes") as stream,
    ):
        await notes(1)
        await Held.held.wait()
        await notes(2, 3)
        await engine.settle(60)
        assert seen == [1, 2, 3]
        Held.go_on.set()
        assert [(m.event.new_record or {})["id"] for m in await take(stream, 3)] == [1, 2, 3]
