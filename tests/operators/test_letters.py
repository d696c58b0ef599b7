"""What an operator gives up is kept, tried again, healed or discarded; nothing else waits."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope, Sql
from eventscope.engine import Engine
from eventscope.engine.commands import (
    CommandRefused,
    DiscardLetters,
    Pause,
    Replay,
    Resume,
    Retry,
    RetryLetters,
)
from eventscope.event import Lsn
from eventscope.operators.backoff import Backoff
from eventscope.operators.failure import Failure, Reports
from eventscope.operators.failures import LogErrors
from eventscope.operators.handler import HandlerEffect
from eventscope.operators.lanes import LanesEffect
from eventscope.operators.letters import Letters
from eventscope.operators.lists import ListEffect
from eventscope.queue.event import QueuedEvent
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.records import DeadLetter
from eventscope.replication import pgoutput
from eventscope.replication.relations import Relation, Transaction
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH, counting_comments, tables
from tests.waiting import operator, until, until_async, until_state

COUNTS = "post_with_comments_counts"
HOUR = 3_600_000
AN_EVENT = QueuedEvent(
    1,
    Relation.of_messages("", "test"),
    pgoutput.logical_message("test", "x"),
    Transaction(1, 1, Lsn(20), Lsn(10), 7, 0),
)


class Picky:
    """A handler with ``on_failure="dead_letter"`` that refuses some ids."""

    def __init__(self, app: EventScope, refused: set[int]) -> None:
        self.refused = refused
        self.ids: list[Any] = []
        app.operator(entities=["notes"], name="picky", on_failure="dead_letter")(self.handle)

    async def handle(self, event: Event) -> None:
        id = (event.new_record or {})["id"]
        self.ids.append(id)
        if id in self.refused:
            raise ValueError(f"no {id}")


async def letters(engine: Engine, name: str = "picky") -> list[DeadLetter]:
    return await engine._queue.letters(name)


async def test_a_handler_leaves_an_event_and_goes_on_in_order(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("letters")
    picky = Picky(app, {2})
    settings = make_settings(operator_queue_max_retries=2)
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        state = operator(engine, "picky")
        assert (state.state, state.dead, state.retrying, state.depth) == ("idle", 1, 0, 0)
        assert state.attempts == 0, "what is at hand has not failed"
        assert state.error == "ValueError: no 2", "the letter's"
        [letter] = await letters(engine)
    assert picky.ids == [1, 2, 2, 2, 3]
    assert (letter.target, letter.attempts, letter.error) == (None, 3, "ValueError: no 2")
    assert "in handle" in letter.traceback
    assert letter.next_retry is None
    assert letter.event.event().new_record == {"id": 2, "text": "x"}
    async with Engine(app, settings) as engine:
        assert operator(engine, "picky").dead == 1
        assert await letters(engine) == [letter]
        await engine.settle(60)
    assert picky.ids == [1, 2, 2, 2, 3], "it stays given up"


async def test_a_letter_is_retried_by_command_dead_again_and_done_in_the_end(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("letters")
    picky = Picky(app, {2, 3})
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        two, _ = await letters(engine)
        with pytest.raises(CommandRefused, match="picky has no dead letter 99"):
            await engine.command(RetryLetters("picky", 99))
        assert await engine.command(RetryLetters("picky", two.id)) == (
            "picky tries 1 dead letter again"
        )
        await until(lambda: picky.ids == [1, 2, 3, 2])
        await engine.settle(60)
        again, _ = await letters(engine)
        assert (again.id, again.first_at, again.attempts) == (two.id, two.first_at, 2)
        assert again.last_at > two.last_at
        assert again.next_retry is None, "nobody tries it again but for being asked"
        picky.refused.clear()
        assert await engine.command(RetryLetters("picky")) == "picky tries 2 dead letters again"
        await engine.settle(60)
        assert (await letters(engine), operator(engine, "picky").dead) == ([], 0)
    assert picky.ids == [1, 2, 3, 2, 2, 3]


async def test_a_discarded_letter_is_gone_for_good(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("letters")
    picky = Picky(app, {1, 2, 3})
    settings = make_settings(operator_queue_max_retries=0)
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        first, *_ = await letters(engine)
        assert await engine.command(DiscardLetters("picky", first.id)) == (
            "picky loses 1 dead letter"
        )
        assert operator(engine, "picky").dead == 2
        await engine.command(RetryLetters("picky"))
        await engine.settle(60)
        assert picky.ids == [1, 2, 3, 2, 3]
        await engine.command(DiscardLetters("picky"))
        assert operator(engine, "picky").dead == 0
        assert await engine.command(DiscardLetters("picky")) == "picky has no dead letters"
    async with Engine(app, settings) as engine:
        assert operator(engine, "picky").dead == 0


async def test_a_replay_that_succeeds_ends_the_letter(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("letters")
    picky = Picky(app, {2})
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        [letter] = await letters(engine)
        picky.refused.clear()
        id = letter.event.event().id
        await engine.command(Replay("picky", id, id))
        await engine.settle(60)
        assert (await letters(engine), operator(engine, "picky").dead) == ([], 0)
    assert picky.ids == [1, 2, 3, 2]


async def test_a_handler_that_takes_tx_writes_a_retried_letter_once(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app, refused = EventScope("letters"), {2}

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        id = (event.new_record or {})["id"]
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [id])
        if id in refused:
            raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        refused.clear()
        await engine.command(RetryLetters("audit"))
        await notes(4)
        await engine.settle(60)
        assert operator(engine, "audit").dead == 0
    rows = await (await connection.execute("SELECT id FROM seen ORDER BY n")).fetchall()
    assert sorted(rows) == [(1,), (2,), (3,), (4,)]
    assert rows[:2] == [(1,), (3,)]


async def test_letters_that_are_asked_for_again_while_they_are_tried_are_written_once(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    app, refuses = EventScope("letters"), True

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("INSERT INTO seen (id) VALUES (%s)", [(event.new_record or {})["id"]])
        if refuses:
            raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await connection.execute("INSERT INTO notes SELECT n, 'x' FROM generate_series(1, 40) n")
        await engine.settle(60)
        refuses = False
        for _ in range(3):
            await engine.command(RetryLetters("audit"))
        await engine.settle(60)
        assert operator(engine, "audit").dead == 0
    rows = await (await connection.execute("SELECT id FROM seen ORDER BY id")).fetchall()
    assert rows == [(id,) for id in range(1, 41)]


async def test_a_letter_that_is_discarded_while_it_is_tried_stays_discarded(
    notes: Write, make_settings: MakeSettings
) -> None:
    app, begun, may_fail = EventScope("letters"), asyncio.Event(), asyncio.Event()
    may_fail.set()

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def picky(event: Event) -> None:
        begun.set()
        await may_fail.wait()
        raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1)
        await engine.settle(60)
        begun.clear()
        may_fail.clear()
        await engine.command(RetryLetters("picky"))
        await begun.wait()
        await engine.command(DiscardLetters("picky"))
        may_fail.set()
        await engine.settle(60)
        assert (await letters(engine), operator(engine, "picky").dead) == ([], 0)


async def test_a_letter_that_is_dropped_while_all_are_read_is_not_taken_for_there() -> None:
    class Slow(MemoryQueue):
        async def letters(self, operator: str | None = None) -> list[DeadLetter]:
            found = await super().letters(operator)
            for _ in range(10):
                await asyncio.sleep(0)
            return found

    queue = Slow(retention_events=0, retention_bytes=0)
    backoff = Backoff(0.01, 2, 0.02, 0)
    reports = Reports("picky", LogErrors(str), backoff, str)  # type: ignore[arg-type]
    kept = Letters("picky", queue, backoff, reports)
    await kept.failed(None, AN_EVENT, Failure(ValueError("no"), "no", ""))
    [letter] = await queue.letters()
    await asyncio.gather(kept.load(), kept.drop(letter.id))
    assert (await queue.letters(), kept.dead, letter.id in kept) == ([], 0, False)


@pytest.mark.parametrize("more", [{}, {"concurrency": 2, "key": "text"}, {"batch": 3}])
async def test_it_is_the_event_that_fails_which_is_given_up_and_not_one_before_it(
    notes: Write, connection: Connection, make_settings: MakeSettings, more: dict[str, Any]
) -> None:
    app, calls = EventScope("letters"), list[int]()

    @app.operator(entities=["notes"], on_failure="dead_letter", **more)
    async def picky(event: Any) -> None:
        events = event if isinstance(event, list) else [event]
        for each in events:
            calls.append(each.new_record["id"])
        if any(each.new_record["id"] == 3 for each in events):
            raise ValueError("no 3")

    settings = make_settings(operator_queue_max_retries=0)
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO notes SELECT n, 'x' FROM generate_series(1, 5) n")
        await engine.settle(60)
        [letter] = await letters(engine)
        assert (letter.event.event().new_record or {})["id"] == 3
    assert [*dict.fromkeys(calls)] == [1, 2, 3, 4, 5]
    if not more:
        assert calls == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("effect", "more"),
    [
        (lambda operator, mark: HandlerEffect(operator, mark), {}),
        (lambda operator, mark: LanesEffect(operator, mark, lambda: False), {"concurrency": 2}),
        (lambda operator, mark: ListEffect(operator, None, mark), {"batch": 2}),
    ],
    ids=["one by one", "in lanes", "in lists"],
)
async def test_a_retried_letter_that_ends_the_process_counts_against_its_operator(
    notes: Write, make_settings: MakeSettings, effect: Any, more: dict[str, Any]
) -> None:
    app, marks, seen = EventScope("letters"), list[int](), list[list[int]]()

    @app.operator(entities=["notes"], on_failure="dead_letter", **more)
    async def fatal(event: Any) -> None:
        seen.append([*marks])
        raise ValueError("no")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1)
        await engine.settle(60)
        [letter] = await letters(engine, "fatal")
    [operator] = app.operators
    with pytest.raises(ValueError, match="no"):
        await effect(operator, marks.append).redo(letter)
    assert seen[-1] == [letter.event.seq], "it is marked while the handler runs"
    assert marks == [letter.event.seq, 0]


@pytest.fixture
async def few(connection: Connection) -> None:
    """Posts 1 to 9, of whose derived rows none may count more than two comments."""
    await connection.execute(tables())
    await connection.execute(f"ALTER TABLE {COUNTS} ADD CONSTRAINT few CHECK (comments_count < 3)")


async def test_an_id_is_retried_by_itself_while_others_go_on(
    few: None, connection: Connection, make_settings: MakeSettings
) -> None:
    settings = make_settings(
        operator_queue_min_restart_time=HOUR, operator_queue_max_restart_time=HOUR
    )
    async with Engine(counting_comments(), settings) as engine:
        await connection.execute("INSERT INTO posts SELECT n, 'x' FROM generate_series(1, 9) n")
        await connection.execute("INSERT INTO comments (post_id) VALUES (2), (2), (2)")
        await until(lambda: operator(engine, COUNTS).retrying == 1)
        await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
        await until_async(lambda: counted(connection, 1, 1))
        state = await until_state(engine, COUNTS, "backing-off")
        assert (state.depth, state.dead) == (0, 0)
        assert state.next_retry is not None
    async with Engine(counting_comments(), settings) as engine:
        await until(lambda: operator(engine, COUNTS).state == "backing-off")
        assert operator(engine, COUNTS).retrying == 1
        [letter] = await letters(engine, COUNTS)
        assert (letter.target, letter.attempts) == (("2",), 1)
        await connection.execute(f"ALTER TABLE {COUNTS} DROP CONSTRAINT few")
        assert await engine.command(Retry(COUNTS)) == f"{COUNTS} tries again"
        await engine.settle(60)
        assert await letters(engine, COUNTS) == []
    assert await differing(connection, COUNTS, TRUTH) == []


async def test_a_row_whose_id_cannot_be_computed_is_a_letter_until_it_can(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute(
        "CREATE TABLE source (id int PRIMARY KEY, value text);"
        "ALTER TABLE source REPLICA IDENTITY FULL;"
        "CREATE TABLE counts (id int PRIMARY KEY, n bigint)"
    )

    def counting(expression: str) -> EventScope:
        app = EventScope("letters")
        app.query(
            "counts",
            sql="INSERT INTO counts SELECT $1::int, count(*) FROM source"
            " WHERE length(value) = $1::int ON CONFLICT (id) DO UPDATE SET n = excluded.n",
            ids={"source": Sql(expression)},
        )
        return app

    settings = make_settings(operator_queue_max_retries=1)
    fails = counting(
        "CASE length(value) WHEN 3 THEN 1 / (length(value) - 3) ELSE length(value) END"
    )
    async with Engine(fails, settings) as engine:
        await connection.execute("INSERT INTO source VALUES (1, 'x'), (2, 'bad'), (3, 'xx')")
        await engine.settle(60)
        state = operator(engine, "counts")
        assert (state.state, state.dead, state.retrying) == ("idle", 1, 0)
        assert "division by zero" in (state.error or "")
        [letter] = await letters(engine, "counts")
        assert (letter.target, letter.attempts) == (None, 2)
        assert await counts(connection) == [(1, 1), (2, 1)], "the others are done"
    async with Engine(counting("length(value)"), settings) as engine:
        assert operator(engine, "counts").dead == 1
        await engine.command(RetryLetters("counts"))
        await engine.settle(60)
        assert operator(engine, "counts").dead == 0
    assert await counts(connection) == [(1, 1), (2, 1), (3, 1)]


async def counts(connection: Connection) -> list[Any]:
    return await (await connection.execute("SELECT * FROM counts ORDER BY id")).fetchall()


async def test_a_later_event_of_the_same_id_heals_a_dead_one(
    few: None, connection: Connection, make_settings: MakeSettings
) -> None:
    async with Engine(counting_comments(), make_settings(operator_queue_max_retries=1)) as engine:
        await connection.execute("INSERT INTO posts VALUES (1, 'x'), (2, 'x')")
        await connection.execute("INSERT INTO comments (post_id) VALUES (2), (2), (2)")
        await engine.settle(60)
        assert operator(engine, COUNTS).dead == 1
        await connection.execute("INSERT INTO comments (post_id) VALUES (1)")
        await engine.settle(60)
        assert operator(engine, COUNTS).dead == 1, "another id heals nothing"
        await connection.execute("DELETE FROM comments WHERE post_id = 2")
        await engine.settle(60)
        assert operator(engine, COUNTS).dead == 0
        assert await letters(engine, COUNTS) == []
    assert await differing(connection, COUNTS, TRUTH) == []


async def test_a_paused_operator_retries_no_letter(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("letters")
    picky = Picky(app, {1})
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1)
        await engine.settle(60)
        await engine.command(Pause("picky"))
        await engine.command(RetryLetters("picky"))
        await notes(2)
        await until(lambda: operator(engine, "picky").depth == 1)
        assert picky.ids == [1]
        await engine.command(Resume("picky"))
        await engine.settle(60)
    assert picky.ids == [1, 1, 2]


async def counted(connection: Connection, id: int, count: int) -> bool:
    cursor = await connection.execute(
        f"SELECT FROM {COUNTS} WHERE id = %s AND comments_count = %s",  # type: ignore[arg-type]
        [id, count],
    )
    return cursor.rowcount == 1
