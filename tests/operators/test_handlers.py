"""Handlers: called with each event once, in commit order, however they are written."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Resume
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.operators.conftest import Write
from tests.waiting import operator, until, until_state


def key(event: Event) -> Any:
    row = event.new_record or event.old_record or {}
    return row.get("id")


async def test_an_async_handler_runs_in_the_loop_of_its_engine(
    notes: Write, settings: Settings
) -> None:
    app, seen = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    async def handler(event: Event) -> None:
        seen.append((key(event), asyncio.get_running_loop(), threading.current_thread()))

    async with Engine(app, settings) as engine:
        await notes(1, 2)
        await engine.settle(60)
    here = (asyncio.get_running_loop(), threading.current_thread())
    assert seen == [(1, *here), (2, *here)]


async def test_a_plain_function_does_not_block_the_loop(notes: Write, settings: Settings) -> None:
    app, seen = EventScope("handlers"), []
    called, go_on = threading.Event(), threading.Event()

    @app.operator(entities=["notes"])
    def handler(event: Event) -> None:
        called.set()
        assert go_on.wait(60)
        seen.append((key(event), threading.current_thread()))

    async with Engine(app, settings) as engine:
        await notes(1)
        await until(called.is_set)  # the loop is ours while the handler blocks
        assert operator(engine, "handler").state == "running"
        go_on.set()
        await engine.settle(60)
    [(id, thread)] = seen
    assert id == 1
    assert thread is not threading.current_thread()


async def test_a_handler_may_be_a_partial_a_method_or_wrapped(
    notes: Write, settings: Settings
) -> None:
    app, seen = EventScope("handlers"), []

    async def base(name: str, event: Event) -> None:
        await asyncio.sleep(0)
        seen.append(name)

    class Callable:
        async def __call__(self, event: Event) -> None:
            await base("callable", event)

        async def method(self, event: Event) -> None:
            await base("method", event)

    @functools.wraps(base)
    def wrapped(event: Event) -> Any:
        return base("wrapped", event)

    app.operator(entities=["notes"], name="partial")(functools.partial(base, "partial"))
    app.operator(entities=["notes"], name="callable")(Callable())
    app.operator(entities=["notes"], name="method")(Callable().method)
    app.operator(entities=["notes"], name="wrapped")(wrapped)
    app.operator(entities=["notes"], name="lambda")(lambda event: base("lambda", event))
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    assert sorted(seen) == ["callable", "lambda", "method", "partial", "wrapped"]


async def test_events_come_in_commit_order_and_inside_a_transaction_as_written(
    notes: Write, connection: Connection, database: str, settings: Settings
) -> None:
    app, seen = EventScope("handlers"), []

    @app.operator(entities=["notes", "others"])
    async def handler(event: Event) -> None:
        seen.append((event.name, event.type, key(event)))

    async with (
        Engine(app, settings) as engine,
        await psycopg.AsyncConnection.connect(database) as second,
    ):
        await second.execute("INSERT INTO notes VALUES (1, 'begun first')")
        async with connection.transaction():
            await connection.execute("INSERT INTO others VALUES (10)")
            await connection.execute("INSERT INTO notes VALUES (2, 'x'), (3, 'y')")
            await connection.execute("UPDATE notes SET text = 'z' WHERE id = 3")
            await connection.execute("INSERT INTO others VALUES (11)")
            await connection.execute("DELETE FROM notes WHERE id = 2")
            await connection.execute("TRUNCATE others")
            await connection.execute("INSERT INTO notes VALUES (2, 'back')")
        await second.execute("INSERT INTO notes VALUES (4, 'x')")
        await second.commit()
        await engine.settle(60)
    assert seen == [
        ("others", "insert", 10), ("notes", "insert", 2), ("notes", "insert", 3),
        ("notes", "update", 3), ("others", "insert", 11), ("notes", "delete", 2),
        ("others", "truncate", None), ("notes", "insert", 2),
        ("notes", "insert", 1), ("notes", "insert", 4),
    ]  # fmt: skip


@pytest.mark.parametrize("type", ["insert", "update", "delete", "truncate"])
async def test_only_the_asked_for_event_types_come(
    notes: Write, connection: Connection, settings: Settings, type: Any
) -> None:
    app, seen = EventScope("handlers"), []

    @app.operator(entities=["notes"], events=[type])
    async def handler(event: Event) -> None:
        seen.append(event.type)

    async with Engine(app, settings) as engine:
        await notes(1, 2)
        await connection.execute("UPDATE notes SET text = 'y'")
        await connection.execute("DELETE FROM notes")
        await connection.execute("TRUNCATE notes")
        await engine.settle(60)
        assert set(seen) == {type}
        assert operator(engine, "handler").applied == len(seen)
        assert len(seen) == (1 if type == "truncate" else 2)


@pytest.mark.parametrize("written", ["async", "plain", "tx"])
async def test_a_handler_that_takes_too_long_has_failed(
    notes: Write, connection: Connection, settings: Settings, written: str
) -> None:
    app, attempts, release = EventScope("handlers"), [], threading.Event()
    declare = app.operator(entities=["notes"], name="handler", timeout=0.05)

    if written == "async":

        @declare
        async def awaits(event: Event) -> None:
            attempts.append(1)
            if len(attempts) == 1:
                await asyncio.Event().wait()

    elif written == "plain":

        @declare
        def blocks(event: Event) -> None:
            attempts.append(1)
            if len(attempts) == 1:
                release.wait(60)

    else:

        @declare
        async def queries(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
            attempts.append(1)
            await tx.execute("INSERT INTO seen (id) VALUES (1)")
            if len(attempts) == 1:
                await tx.execute("SELECT pg_sleep(3600)")

    try:
        async with Engine(app, settings) as engine:
            await notes(1)
            await until(lambda: operator(engine, "handler").failed)
            assert "HandlerTimeout: no end after 0.05 s" in (
                operator(engine, "handler").error or ""
            )
            # on a busy machine a later attempt may run out of time too
            while operator(engine, "handler").applied == 0:
                await until(
                    lambda: (
                        operator(engine, "handler").applied
                        or operator(engine, "handler").state == "halted"
                    )
                )
                assert operator(engine, "handler").state != "halted"
    finally:
        release.set()
    rows = await (await connection.execute("SELECT id FROM seen")).fetchall()
    assert rows == ([(1,)] if written == "tx" else []), "the first attempt left nothing"


async def test_its_own_timeout_error_is_not_ours(notes: Write, settings: Settings) -> None:
    app, attempts = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    async def handler(event: Event) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise TimeoutError("the mail server's")

    async with Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: operator(engine, "handler").failed)
        error = operator(engine, "handler").error
        await engine.settle(60)
    assert error in ("TimeoutError: the mail server's", None)


RAISED = {
    "an exception": lambda: ValueError("no"),
    "an exit": lambda: SystemExit(3),
    "an interrupt": KeyboardInterrupt,
    "a cancellation of its own": asyncio.CancelledError,
    "the end of an iteration": StopIteration,
    "a group": lambda: ExceptionGroup("two", [ValueError("a"), TypeError("b")]),
}


@pytest.mark.parametrize("written", ["async", "plain"])
@pytest.mark.parametrize("raised", RAISED.values(), ids=RAISED)
async def test_whatever_it_raises_is_a_failure_of_this_handler_alone(
    notes: Write, settings: Settings, raised: Any, written: str
) -> None:
    if raised is KeyboardInterrupt and written == "async":
        pytest.skip("in the main thread that is Ctrl-C, which ends the program")
    app, attempts, seen = EventScope("handlers"), [], []

    def work() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise raised()

    if written == "plain":
        app.operator(entities=["notes"], name="bad")(lambda event: work())
    else:

        @app.operator(entities=["notes"], name="bad")
        async def bad(event: Event) -> None:
            work()

    @app.operator(entities=["notes"])
    async def good(event: Event) -> None:
        seen.append(key(event))

    async with Engine(app, settings) as engine:
        await notes(1, 2)
        await engine.settle(60)
        assert (operator(engine, "bad").failed, operator(engine, "bad").applied) == (1, 2)
        assert engine.failure is None
    assert seen == [1, 2]


async def test_a_hung_one_holds_up_no_other(notes: Write, settings: Settings) -> None:
    app, seen, release = EventScope("handlers"), [], threading.Event()

    @app.operator(entities=["notes"], timeout=3600)
    async def awaits(event: Event) -> None:
        await asyncio.Event().wait()

    @app.operator(entities=["notes"], timeout=3600)
    def blocks(event: Event) -> None:
        release.wait(60)

    @app.operator(entities=["notes"])
    def good(event: Event) -> None:
        seen.append(key(event))

    try:
        async with Engine(app, settings) as engine:
            await notes(*range(50))
            await until(lambda: len(seen) == 50)
            await until_state(engine, "good", "idle")
            assert operator(engine, "awaits").depth == 50
            assert operator(engine, "blocks").state == "running"
    finally:
        release.set()  # leaving the block was possible before
    assert seen == list(range(50))


async def test_one_that_hangs_leaves_the_event_before_it_done(
    notes: Write, settings: Settings
) -> None:
    """Though the call before it waited for nothing, and both were read at once."""
    app, gate = EventScope("handlers"), asyncio.Event()

    @app.operator(entities=["notes"], timeout=3600)
    async def hangs_at_two(event: Event) -> None:
        if key(event) == 2:
            await gate.wait()

    async with Engine(app, settings) as engine:
        await engine.command(Pause("hangs_at_two"))
        await notes(1, 2)
        await until(lambda: operator(engine, "hangs_at_two").depth == 2)
        await engine.command(Resume("hangs_at_two"))
        await until(lambda: operator(engine, "hangs_at_two").applied == 1, patience=10)
        gate.set()


async def test_a_handler_asks_for_any_thread_local_it_likes(
    notes: Write, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values are decoded in whatever thread looks at them."""
    app, rows = EventScope("handlers"), []

    @app.operator(entities=["notes"])
    def handler(event: Event) -> None:
        rows.append(dict(event.new_record or {}))
        print("printed", file=sys.stdout)

    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    assert rows == [{"id": 1, "text": "x"}]
