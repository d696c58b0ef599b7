"""A dead letter that was tried again is written once, whatever happens before it is removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Replay, RetryLetters
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.proxy import Proxy
from tests.waiting import operator


class Audit:
    """A handler that takes ``tx`` and refuses some ids."""

    def __init__(self, app: EventScope, refused: set[int], **more: Any) -> None:
        self.refused = refused
        self.on_call: Callable[[], object] = lambda: None
        app.operator(entities=["notes"], name="audit", on_failure="dead_letter", **more)(
            self.handle_list if more else self.handle
        )

    async def handle(self, event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        id = (event.new_record or {})["id"]
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [id])
        self.on_call()
        if id in self.refused:
            raise ValueError("no")

    async def handle_list(self, events: list[Event], tx: psycopg.AsyncConnection[Any]) -> None:
        for event in events:
            await self.handle(event, tx)


async def seen(connection: Connection) -> list[int]:
    cursor = await connection.execute("SELECT id FROM seen ORDER BY n")
    return [id for (id,) in await cursor.fetchall()]


@pytest.mark.parametrize("more", [{}, {"batch": 2}], ids=["one by one", "in lists"])
async def test_a_retry_whose_commit_is_in_doubt_is_written_once(
    notes: Write,
    connection: Connection,
    database: str,
    make_settings: MakeSettings,
    more: dict[str, Any],
) -> None:
    app, calls = EventScope("redone"), list[int]()
    audit = Audit(app, {1, 2}, **more)
    async with Proxy(database) as proxy:

        def lose_the_answer() -> None:
            calls.append(len(proxy.links))
            if len(calls) == 1:
                for link in proxy.open("other"):
                    link.cut_after(1)

        settings = make_settings(url=proxy.url, operator_queue_max_retries=0)
        async with Engine(app, settings) as engine:
            await notes(1, 2)
            await engine.settle(60)
            audit.refused, audit.on_call = {2}, lose_the_answer
            await engine.command(RetryLetters("audit"))
            await engine.settle(60)
            assert operator(engine, "audit").dead == 1
            audit.refused = set()
            await engine.command(RetryLetters("audit"))
            await notes(3)
            await engine.settle(60)
            assert operator(engine, "audit").dead == 0
    assert len(calls) == 4, "the first is not called again"
    assert sorted(await seen(connection)) == [1, 2, 3]


async def test_an_event_that_fails_anew_in_a_replay_is_tried_again_anew(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app = EventScope("redone")
    audit = Audit(app, {1})
    settings = make_settings(operator_queue_max_retries=0)
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
        audit.refused = set()
        await engine.command(RetryLetters("audit"))
        await engine.settle(60)
        audit.refused = {1}
        await engine.command(Replay("audit", "0/0"))
        await engine.settle(60)
        assert operator(engine, "audit").dead == 1
    audit.refused = set()
    async with Engine(app, settings) as engine:
        await engine.settle(60)
        assert operator(engine, "audit").dead == 1, "it is still to be done"
        await engine.command(RetryLetters("audit"))
        await engine.settle(60)
    assert await seen(connection) == [1, 1]


async def test_a_ledger_without_a_place_for_it_gets_one_and_operators_stay_where_they_stand(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app = EventScope("redone")
    Audit(app, set())
    settings = make_settings()
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    await connection.execute("ALTER TABLE eventscope.offsets DROP COLUMN redone")
    settings.queue_path.unlink()
    async with Engine(app, settings) as engine:
        await notes(2)
        await engine.settle(60)
    assert await seen(connection) == [1, 2]
