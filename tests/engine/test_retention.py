"""History in a running engine: given up once nobody needs it, and never before."""

from __future__ import annotations

import asyncio

import pytest

from eventscope.engine import Engine, core
from eventscope.engine.commands import Pause, Replay, Resume, Retry, RetryLetters
from eventscope.settings import Settings
from tests.conftest import MakeSettings
from tests.engine.conftest import Watching, Write
from tests.engine.test_applied import Failing
from tests.waiting import operator, until, until_state


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_PRUNE_INTERVAL", 0.01)


@pytest.fixture(params=["sqlite", "memory"])
def forgetful(request: pytest.FixtureRequest, make_settings: MakeSettings) -> Settings:
    """Settings by which no history is kept, and a failure is the last."""
    return make_settings(
        queue_storage_adapter=request.param, retention_events=0, operator_queue_max_retries=0
    )


async def pruned(engine: Engine, oldest: int) -> None:
    """Wait until events before one are gone, and see that it stays through more rounds."""
    await until(lambda: engine._queue.oldest_seq >= oldest)
    rounds = 0
    prune = engine._queue.prune

    async def counted(until: int | None = None) -> int:
        nonlocal rounds
        rounds += 1
        return await prune(until)

    engine._queue.prune = counted  # type: ignore[method-assign]
    await until(lambda: rounds >= 3)
    engine._queue.prune = prune  # type: ignore[method-assign]
    assert engine._queue.oldest_seq == oldest


async def id_of(engine: Engine, seq: int) -> str:
    read = await engine._queue.read(seq - 1, list(engine._queue.relations), 1)
    return str(read[0].event().id)


async def test_it_waits_for_the_slowest_operator(notes: Write, forgetful: Settings) -> None:
    app, slow = Watching("fast"), Watching("slow")
    app.operator(entities=["notes"], name="slow")(slow._note)
    async with Engine(app, forgetful) as engine:
        await notes(1, 2)
        await engine.settle(60)
        await pruned(engine, 3)
        await engine.command(Pause("slow"))
        await notes(3, 4)
        await until(lambda: app.ids == [1, 2, 3, 4])
        await pruned(engine, 3)
        await engine.command(Resume("slow"))
        await engine.settle(60)
        await pruned(engine, 5)
    assert slow.ids == [1, 2, 3, 4]


async def test_it_keeps_as_much_history_as_it_is_told_to(notes: Write, forgetful: Settings) -> None:
    app = Watching()
    settings = forgetful.model_copy(update={"retention_events": 3})
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3, 4, 5)
        await engine.settle(60)
        await pruned(engine, 3)


async def test_a_replay_has_its_events_from_the_asking_to_the_end(
    notes: Write, forgetful: Settings
) -> None:
    app, slow = Failing(), Watching("slow")
    app.operator(entities=["notes"], name="slow")(slow._note)
    async with Engine(app, forgetful) as engine:
        await engine.command(Pause("slow"))
        await notes(1, 2, 3)
        await until(lambda: app.ids == [1, 2, 3])
        first = await id_of(engine, 2)
        await engine.command(Pause("watch"))
        await engine.command(Replay("watch", first))
        await engine.command(Resume("slow"))
        await until(lambda: operator(engine, "slow").depth == 0)
        await pruned(engine, 2)  # it is asked for
        app.bad.add(3)
        await engine.command(Resume("watch"))
        await until_state(engine, "watch", "halted")
        assert app.ids == [1, 2, 3, 2, 3]
        await pruned(engine, 3)  # it is under way
        app.bad.clear()
        await engine.command(Retry("watch"))
        await engine.settle(60)
        assert app.ids == [1, 2, 3, 2, 3, 3]
        await pruned(engine, 4)


async def test_a_dead_letter_has_its_event_for_good(notes: Write, forgetful: Settings) -> None:
    app, seen = Watching("other"), []
    bad = True

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def watch(event) -> None:  # type: ignore[no-untyped-def]
        await asyncio.sleep(0)
        if bad and event.new_record["id"] == 1:
            raise ValueError("no")
        seen.append(dict(event.new_record))

    async with Engine(app, forgetful) as engine:
        await notes(1, 2)
        await until(lambda: operator(engine, "watch").dead == 1)
        await engine.settle(60)
        await pruned(engine, 3)
        bad = False
        await engine.command(RetryLetters("watch"))
        await engine.settle(60)
        assert operator(engine, "watch").dead == 0
    assert seen == [{"id": 2, "text": "x"}, {"id": 1, "text": "x"}]
