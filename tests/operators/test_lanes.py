"""Handlers with ``concurrency``: keys beside each other, each in its order."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from typing import Any

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Replay, Resume, Retry, Skip
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.waiting import operator, until, until_state


def key(event: Event) -> Any:
    row = event.new_record or event.old_record or {}
    return row.get("id")


async def insert(connection: Connection, *ids: int, text: str = "x") -> None:
    """Insert notes in one transaction."""
    async with connection.transaction():
        for id in ids:
            await connection.execute("INSERT INTO notes VALUES (%s, %s)", [id, text])


async def update(connection: Connection, *ids: int) -> None:
    async with connection.transaction():
        for id in ids:
            await connection.execute("UPDATE notes SET text = text || 'x' WHERE id = %s", [id])


class Gates:
    """A handler whose calls wait until they are let through."""

    def __init__(self) -> None:
        self.begun: list[Any] = []
        self.ended: list[Any] = []
        self.open = False
        self._gates: dict[Any, asyncio.Event] = defaultdict(asyncio.Event)

    async def __call__(self, event: Event) -> None:
        self.begun.append(key(event))
        if not self.open:
            await self._gates[key(event)].wait()
        self.ended.append(key(event))

    def let(self, *keys: Any) -> None:
        for each in keys:
            self._gates[each].set()

    def let_all(self) -> None:
        self.open = True
        for gate in self._gates.values():
            gate.set()


async def test_as_many_keys_as_asked_for_are_worked_at_beside_each_other(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, gates = EventScope("lanes"), Gates()
    app.operator(entities=["notes"], name="lanes", concurrency=3)(gates)
    async with Engine(app, settings) as engine:
        await insert(connection, 1, 2, 3, 4, 5)
        await until(lambda: len(gates.begun) == 3)
        gates.let(2)
        await until(lambda: len(gates.begun) == 4)
        assert (gates.begun, gates.ended) == ([1, 2, 3, 4], [2])
        assert operator(engine, "lanes").applied == 0, "the first is not done yet"
        gates.let(1)
        await until(lambda: operator(engine, "lanes").applied == 2)
        gates.let_all()
        await engine.settle(60)
        assert operator(engine, "lanes").applied == 5
    assert sorted(gates.ended) == [1, 2, 3, 4, 5]


async def test_events_of_one_key_never_overtake_each_other(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = EventScope("lanes")
    seen: dict[Any, list[str]] = defaultdict(list)
    at: set[Any] = set()
    together = 0

    @app.operator(entities=["notes"], concurrency=4)
    async def lanes(event: Event) -> None:
        nonlocal together
        assert key(event) not in at
        at.add(key(event))
        together = max(together, len(at))
        await asyncio.sleep(0.001 * (key(event) % 3))
        seen[key(event)].append((event.new_record or {})["text"])
        at.remove(key(event))

    async with Engine(app, settings) as engine:
        await insert(connection, *range(7))
        for _ in range(20):
            await update(connection, *range(7))
        await engine.settle(60)
        assert operator(engine, "lanes").failed == 0
    assert together == 4
    assert seen == {id: ["x" * n for n in range(1, 22)] for id in range(7)}


async def test_a_column_or_a_function_may_tell_keys_apart(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, columns, functions = EventScope("lanes"), Gates(), Gates()
    declare = app.operator
    declare(entities=["notes"], name="column", concurrency=4, key="text")(columns)
    declare(entities=["notes"], name="function", concurrency=4, key=lambda e: key(e) % 2)(functions)
    async with Engine(app, settings) as engine:
        async with connection.transaction():
            for id, text in enumerate(["a", "a", "b", "c"]):
                await connection.execute("INSERT INTO notes VALUES (%s, %s)", [id, text])
        await until(lambda: len(columns.begun) == 3 and len(functions.begun) == 2)
        await until_state(engine, "column", "running")
        assert (columns.begun, functions.begun) == ([0, 2, 3], [0, 1])
        columns.let_all()
        functions.let_all()
        await engine.settle(60)
    assert sorted(columns.ended) == sorted(functions.ended) == [0, 1, 2, 3]


async def test_what_concerns_more_than_one_key_comes_alone(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, log, at = EventScope("lanes"), [], []

    @app.operator(entities=["notes"], concurrency=8)
    async def lanes(event: Event) -> None:
        at.append(event)
        is_alone = event.type == "truncate" or event.key_changed
        await asyncio.sleep(0.01)
        assert not is_alone or at == [event]
        at.remove(event)
        log.append((event.type, key(event)))

    async with Engine(app, settings) as engine:
        async with connection.transaction():
            await insert(connection, 1, 2, 3)
            await connection.execute("UPDATE notes SET id = 4 WHERE id = 3")
            await update(connection, 4, 1)
            await connection.execute("TRUNCATE notes")
            await insert(connection, 1, 2)
        await engine.settle(60)
        assert operator(engine, "lanes").failed == 0
    assert sorted(log[:3]) == [("insert", 1), ("insert", 2), ("insert", 3)]
    assert log[3] == ("update", 4)
    assert sorted(log[4:6]) == [("update", 1), ("update", 4)]
    assert log[6] == ("truncate", None)
    assert sorted(log[7:]) == [("insert", 1), ("insert", 2)]


async def test_a_key_that_fails_lets_others_finish_which_do_not_come_again(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app, calls, good = EventScope("lanes"), [], False

    @app.operator(entities=["notes"], concurrency=2)
    async def lanes(event: Event) -> None:
        calls.append((key(event), event.type))
        await asyncio.sleep(0)
        if key(event) == 2 and not good:
            raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=2)) as engine:
        async with connection.transaction():
            await insert(connection, 1, 2, 3)
            await update(connection, 2, 3)
        state = await until_state(engine, "lanes", "halted")
        assert (state.error, state.attempts, state.applied) == ("ValueError: no", 3, 1)
        others = [(1, "insert"), (3, "insert"), (3, "update")]
        assert sorted(calls) == sorted([*others, *[(2, "insert")] * 3])
        good = True
        await engine.command(Retry("lanes"))
        await engine.settle(60)
        assert operator(engine, "lanes").applied == 5
    assert sorted(calls) == sorted([*others, *[(2, "insert")] * 4, (2, "update")])


async def test_only_the_failing_event_becomes_a_dead_letter(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app, done = EventScope("lanes"), []

    @app.operator(entities=["notes"], concurrency=3, on_failure="dead_letter")
    async def lanes(event: Event) -> None:
        await asyncio.sleep(0.001 * (9 - key(event)))
        if key(event) in (3, 5):
            raise ValueError("no")
        done.append(key(event))

    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await insert(connection, *range(9))
        await engine.settle(60)
        letters = await engine._queue.letters("lanes")
        assert [key(letter.event.event()) for letter in letters] == [3, 5]
        assert [letter.attempts for letter in letters] == [2, 2]
    assert sorted(done) == [0, 1, 2, 4, 6, 7, 8], "each once"


async def test_a_key_that_cannot_be_told_is_a_failure_of_that_event(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app, done = EventScope("lanes"), []

    def broken(event: Event) -> Any:
        return [] if key(event) == 4 else key(event)  # a list is no key

    @app.operator(entities=["notes"], concurrency=2, key=broken)
    async def function(event: Event) -> None:
        done.append(key(event))

    @app.operator(entities=["notes"], concurrency=2, key="txet")
    async def column(event: Event) -> None:
        """Never called."""

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await insert(connection, 1, 2, 3, 4, 5)
        state = await until_state(engine, "function", "halted")
        assert "unhashable" in (state.error or "")
        assert (sorted(done), state.applied, state.depth) == ([1, 2, 3], 3, 2)
        await engine.command(Skip("function"))
        await engine.settle(60)
        assert sorted(done) == [1, 2, 3, 5]
        state = await until_state(engine, "column", "halted")
        assert state.error == "LookupError: key names column 'txet', which notes does not have"


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
async def test_a_column_that_the_log_does_not_hold_keeps_its_event_alone(
    notes: Write, connection: Connection, settings: Settings, identity: str
) -> None:
    await connection.execute(f"ALTER TABLE notes REPLICA IDENTITY {identity}".encode())
    app, at, most = EventScope("lanes"), 0, 0

    @app.operator(entities=["notes"], events=["delete"], concurrency=4, key="text")
    async def lanes(event: Event) -> None:
        nonlocal at, most
        at += 1
        most = max(most, at)
        await asyncio.sleep(0.01)
        at -= 1

    async with Engine(app, settings) as engine:
        for id in range(4):
            await insert(connection, id, text=str(id))
        await connection.execute("DELETE FROM notes")
        await engine.settle(60)
        assert operator(engine, "lanes").applied == 4
    assert most == (4 if identity == "FULL" else 1)


async def test_an_update_that_may_have_changed_the_key_does_not_overtake_its_row(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    await connection.execute("ALTER TABLE notes REPLICA IDENTITY DEFAULT")
    app, log = EventScope("lanes"), list[str]()

    @app.operator(entities=["notes"], concurrency=4, key="text")
    async def column(event: Event) -> None:
        await asyncio.sleep(0.02 if event.type == "insert" else 0)
        log.append(event.type)

    async with Engine(app, settings) as engine:
        async with connection.transaction():
            await insert(connection, 1, text="a")
            await connection.execute("UPDATE notes SET text = 'b'")
        await engine.settle(60)
    assert log == ["insert", "update"]


async def test_a_pause_waits_for_what_is_under_way_alone(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, gates = EventScope("lanes"), Gates()
    app.operator(entities=["notes"], name="lanes", concurrency=2, key=lambda e: key(e) % 2)(gates)
    async with Engine(app, settings) as engine:
        await insert(connection, *range(10))
        await until(lambda: len(gates.begun) == 2)
        await engine.command(Pause("lanes"))
        gates.let_all()
        state = await until_state(engine, "lanes", "paused")
        assert (sorted(gates.ended), state.applied, state.depth) == ([0, 1], 2, 8)
        await engine.command(Resume("lanes"))
        await engine.settle(60)
    assert sorted(gates.ended) == list(range(10))


async def test_a_stop_waits_for_what_is_under_way_and_the_rest_comes_later(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, gates = EventScope("lanes"), Gates()
    app.operator(entities=["notes"], name="lanes", concurrency=2)(gates)
    async with Engine(app, settings) as engine:
        await insert(connection, *range(10))
        await until(lambda: len(gates.begun) == 2)
        asyncio.get_running_loop().call_later(0.05, gates.let_all)
        del engine
    assert sorted(gates.ended) == [0, 1]
    async with Engine(app, settings) as engine:
        await engine.settle(60)
    assert sorted(gates.ended) == list(range(10)), "each once"


async def test_a_replay_brings_again_what_was_done_beyond_a_failure(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app, calls, good = EventScope("lanes"), [], False

    @app.operator(entities=["notes"], concurrency=3)
    async def lanes(event: Event) -> None:
        calls.append(key(event))
        if key(event) == 2 and not good:
            raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await insert(connection, 1)
        await engine.settle(60)
        first = (await engine._queue.read(0, list(engine._queue.relations), 1))[0].event().id
        await insert(connection, 2, 3)
        await until_state(engine, "lanes", "halted")
        await until(lambda: sorted(calls) == [1, 2, 3])
        good = True
        await engine.command(Replay("lanes", str(first)))
        await engine.settle(60)
    assert sorted(calls) == [1, 1, 2, 2, 3, 3]


async def test_plain_functions_run_in_threads_beside_each_other(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, threads = EventScope("lanes"), set()
    met = threading.Barrier(3, timeout=30)

    @app.operator(entities=["notes"], concurrency=3)
    def lanes(event: Event) -> None:
        met.wait()
        threads.add(threading.current_thread())

    async with Engine(app, settings) as engine:
        await insert(connection, 1, 2, 3)
        await engine.settle(60)
        assert operator(engine, "lanes").failed == 0
    assert len(threads) == 3
    assert threading.main_thread() not in threads
