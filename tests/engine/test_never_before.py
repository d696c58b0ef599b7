"""A wait is never over before what it waits for is there, whoever asks, fails or gives up."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Pause
from eventscope.engine.thread import EngineThread
from eventscope.replication.assembly import Counts
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Write
from tests.operators.shop import README_SQL, counting_comments, tables
from tests.waiting import until_state

_WRITERS = 8
_COMMITS = 12


async def _write_and_look(app: EventScope, url: str, post: int, *, patient: bool) -> None:
    """Insert comments one by one, and see each counted when the wait for it is over."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("INSERT INTO posts VALUES (%s, 'a')", [post])
        for n in range(1, _COMMITS + 1):
            await connection.execute("INSERT INTO comments (post_id) VALUES (%s)", [post])
            token = await app.token(connection)
            if not patient:
                await _give_up(app, token)
            await app.wait_for(token, timeout=60)
            assert app.processed(token)
            counted = await connection.execute(
                "SELECT comments_count FROM post_with_comments_counts WHERE id = %s", [post]
            )
            assert await counted.fetchall() == [(n,)]


async def _give_up(app: EventScope, token: str) -> None:
    """Wait, and be cancelled or run out of time."""
    waiting = asyncio.create_task(app.wait_for(token, timeout=random.uniform(0, 0.002)))
    await asyncio.sleep(random.uniform(0, 0.001))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


def _failing_sometimes() -> EventScope:
    """Counts comments, after a failure now and then."""
    failing = README_SQL.replace("p.id = $1", "p.id = $1 AND 1 / (random() > 0.05)::int = 1")
    app = EventScope("shop")
    app.query(
        "post_with_comments_counts",
        sql=failing,
        ids={"comments": "post_id", "posts": "id"},
        delete_with=["posts"],
    )
    return app


@pytest.mark.parametrize("make_app", [counting_comments, _failing_sometimes])
async def test_each_of_many_who_wait_at_once_sees_what_he_has_written(
    connection: Connection, make_settings: MakeSettings, database: str, make_app: Any
) -> None:
    await connection.execute(tables())
    app, settings = make_app(), make_settings(operator_queue_max_retries=1000)
    async with Engine(app, settings), asyncio.TaskGroup() as tasks:
        for post in range(_WRITERS):
            tasks.create_task(_write_and_look(app, database, post, patient=bool(post % 2)))


async def test_who_waits_on_another_thread_than_the_engine_sees_what_he_has_written(
    connection: Connection, settings: Settings, database: str
) -> None:
    await connection.execute(tables())
    app = counting_comments()
    thread = EngineThread(app, settings)
    await asyncio.to_thread(thread.start)
    try:
        async with asyncio.TaskGroup() as tasks:
            for post in range(4):
                tasks.create_task(_write_and_look(app, database, post, patient=bool(post % 2)))
    finally:
        await asyncio.to_thread(thread.stop)


async def test_what_is_stored_and_operators_have_not_heard_of_is_not_processed(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may ask just then; it is asked in between here."""
    app, said = EventScope("between"), list[bool]()

    @app.operator(entities="notes")
    async def note(event: Event) -> None: ...

    async with Engine(app, settings) as engine:
        announce = engine._workforce.announce

        def asked_before(counts: Counts) -> None:
            assert engine._queue.last is not None
            said.append(app.processed(str(engine._queue.last.end_lsn)))
            announce(counts)

        monkeypatch.setattr(engine._workforce, "announce", asked_before)
        await notes(1, 2, 3)
        await engine.settle(60)
    assert said
    assert not any(said)


async def test_a_wait_that_is_too_long_names_what_it_waits_for(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app = EventScope("late")

    @app.operator(entities="notes")
    async def failing(event: Event) -> None:
        raise ValueError("no")

    @app.operator(entities="notes")
    async def held(event: Event) -> None: ...

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await engine.command(Pause("held"))
        await notes(1)
        token = await app.token(connection)
        await until_state(engine, "failing", "halted")
        with pytest.raises(
            TimeoutError, match=r"0.05 s: operator 'failing' is halted, operator 'h"
        ):
            await app.wait_for(token, timeout=0.05)
        with pytest.raises(TimeoutError, match=r"0.05 s: operator 'held' is paused$"):
            await app.wait_for(token, "held", timeout=0.05)
        with pytest.raises(TimeoutError, match=r"\(streaming\).*FFFFFFFF/0; one of another server"):
            await app.wait_for("FFFFFFFF/0", timeout=0.05)
        assert not app.processed("FFFFFFFF/0")
