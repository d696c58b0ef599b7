"""A replay gives an operator events once more, those and no others, and then it goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import CommandRefused, Pause, Replay, Resume
from eventscope.event import EventId
from eventscope.operators import replay
from eventscope.operators.standing import Standing
from eventscope.queue.base import QueueError
from eventscope.queue.event import Place
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.records import OperatorRecord
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Attempts
from tests.waiting import operator, until, until_state


class Journal:
    """A handler that keeps the events it is given."""

    def __init__(self, app: EventScope, name: str = "journal") -> None:
        self.events: list[Event] = []
        app.operator(entities=["notes"], name=name)(self.handle)

    async def handle(self, event: Event) -> None:
        self.events.append(event)

    @property
    def ids(self) -> list[Any]:
        return [(event.new_record or {})["id"] for event in self.events]


@pytest.fixture
def audited() -> EventScope:
    """Writes the id of each note into ``seen`` in its transaction."""
    app = EventScope("audited")

    @app.operator(entities=["notes"])
    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        id = (event.new_record or {})["id"]
        await tx.execute("INSERT INTO seen (id, event) VALUES (%s, %s)", [id, event.id])

    return app


async def seen(connection: Connection) -> list[int]:
    return [
        id for [id] in await (await connection.execute("SELECT id FROM seen ORDER BY n")).fetchall()
    ]


@pytest.mark.parametrize(
    "named",
    [
        lambda event: event.id,
        lambda event: str(event.lsn),
        lambda event: event.timestamp.isoformat(),
    ],
    ids=["event id", "lsn", "time"],
)
async def test_it_begins_and_ends_where_it_is_told(
    notes: Write, settings: Settings, named: Callable[[Event], str]
) -> None:
    app = EventScope("replay")
    journal, other = Journal(app), Journal(app, "other")
    async with Engine(app, settings) as engine:
        for id in range(1, 6):
            await notes(id)
        await engine.settle(60)
        second, third = named(journal.events[1]), named(journal.events[2])
        assert await engine.command(Replay("journal", second, third)) == (
            f"journal replays from {second} to {third}"
        )
        await engine.settle(60)
        assert journal.ids == [1, 2, 3, 4, 5, 2, 3]
        assert journal.events[5].id == journal.events[1].id
        await notes(6)
        await engine.settle(60)
        assert journal.ids == [1, 2, 3, 4, 5, 2, 3, 6]
        await engine.command(Replay("journal", third))
        await engine.settle(60)
        assert journal.ids[8:] == [3, 4, 5, 6]
        assert operator(engine, "journal").depth == 0
    assert other.ids == [1, 2, 3, 4, 5, 6], "nobody else hears of it"


async def test_a_part_of_a_transaction_can_be_replayed(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = EventScope("replay")
    journal = Journal(app)
    async with Engine(app, settings) as engine:
        await connection.execute("INSERT INTO notes SELECT generate_series(1, 5)")
        await engine.settle(60)
        first, last = journal.events[1].id, journal.events[3].id
        await engine.command(Replay("journal", first, last))
        await engine.settle(60)
    assert journal.ids == [1, 2, 3, 4, 5, 2, 3, 4]


async def test_what_a_handler_writes_with_tx_is_written_once_more_and_no_oftener(
    notes: Write, connection: Connection, settings: Settings, audited: EventScope
) -> None:
    async with Engine(audited, settings) as engine:
        await notes(*range(1, 8))
        await engine.settle(60)
        ids = await event_ids(connection)
        await engine.command(Replay("audit", ids[1], ids[3]))
        await notes(8)
        await engine.settle(60)
        assert Counter(await seen(connection)) == Counter([*range(1, 9), 2, 3, 4])
        await engine.command(Replay("audit", ids[1], ids[3]))
        await engine.command(Replay("audit", ids[1], ids[3]))
        await engine.settle(60)
    found = Counter(await seen(connection))
    assert {found[id] for id in (2, 3, 4)} <= {3, 4}, "the second may have begun before the third"
    assert {found[id] for id in (1, 5, 6, 7, 8)} == {1}
    async with Engine(audited, settings) as engine:
        await engine.settle(60)
    assert Counter(await seen(connection)) == found


async def test_events_that_come_while_it_is_asked_for_are_applied_once(
    notes: Write, connection: Connection, settings: Settings, audited: EventScope
) -> None:
    """The operator moves on between the question and the rewind."""
    async with Engine(audited, settings) as engine:
        await notes(*range(1, 4))
        await engine.settle(60)
        first = (await event_ids(connection))[0]
        written = asyncio.create_task(notes(*range(4, 60)))
        for _ in range(5):
            before = operator(engine, "audit").applied
            await until(lambda before=before: operator(engine, "audit").applied > before)
            await engine.command(Replay("audit", first, first))
            await until(lambda: not runner_of(engine).standing.is_replaying)
        await written
        await engine.settle(60)
    found = Counter(await seen(connection))
    assert found.pop(1) == 6
    assert found == Counter(range(2, 60))


def runner_of(engine: Engine) -> Any:
    return engine._workforce.runners["audit"]


async def test_a_halted_one_replays_and_comes_to_its_failure_again(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("replay")
    journal = Journal(app)
    bad = Attempts(app, failures=0)
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1, 2)
        await engine.settle(60)
        bad.failures = len(bad.calls) + 99
        await notes(3)
        await until_state(engine, "bad", "halted")
        bad.failures = 0
        await until(lambda: len(journal.events) == 3)
        second = journal.events[1].id
        await engine.command(Replay("bad", second, second))
        await engine.settle(60)
        assert operator(engine, "bad").state == "idle"
    assert bad.ids == [1, 2, 3, 2, 3]


async def test_a_paused_one_replays_when_it_is_resumed_also_after_a_restart(
    notes: Write, connection: Connection, settings: Settings, audited: EventScope
) -> None:
    async with Engine(audited, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        ids = await event_ids(connection)
        await engine.command(Pause("audit"))
        await engine.command(Replay("audit", ids[0], ids[1]))
        await notes(4)
        await until(lambda: operator(engine, "audit").depth == 1)
        assert await seen(connection) == [1, 2, 3]
    async with Engine(audited, settings) as engine:
        await until_state(engine, "audit", "paused")
        await engine.command(Resume("audit"))
        await engine.settle(60)
    assert await seen(connection) == [1, 2, 3, 1, 2, 4]


async def test_it_goes_on_after_a_restart_in_its_middle(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app, calls, hold = EventScope("audited"), list[int](), asyncio.Event()

    @app.operator(entities=["notes"], timeout=3600)
    async def audit(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        id = (event.new_record or {})["id"]
        calls.append(id)
        await tx.execute("INSERT INTO seen (id, event) VALUES (%s, %s)", [id, event.id])
        if calls == [1, 2, 3, 4, 5, 2, 3]:
            await hold.wait()

    async with Engine(app, settings) as engine:
        await notes(1, 2, 3, 4, 5)
        await engine.settle(60)
        ids = await event_ids(connection)
        await engine.command(Replay("audit", ids[1], ids[3]))
        await until(lambda: len(calls) == 7)
    assert await seen(connection) == [1, 2, 3, 4, 5, 2]
    await notes(6)
    async with Engine(app, settings) as engine:
        await engine.settle(60)
    assert await seen(connection) == [1, 2, 3, 4, 5, 2, 3, 4, 6]


async def test_it_goes_on_after_an_end_between_the_rewind_and_its_note(
    notes: Write, connection: Connection, settings: Settings, audited: EventScope
) -> None:
    """The ledger then stands before the replay, and only the queue tells where to go on."""
    async with Engine(audited, settings) as engine:
        await notes(1, 2, 3, 4, 5)
        await engine.settle(60)
        ids = await event_ids(connection)
        effect = runner_of(engine)._effect
        jump, jumps = effect.jump, list[Place]()

        async def ends_after_the_rewind(place: Place) -> None:
            await jump(place)
            jumps.append(place)
            if len(jumps) == 2:
                raise QueueError("the end")

        effect.jump = ends_after_the_rewind
        await engine.command(Replay("audit", ids[1], ids[2]))
        with pytest.raises(QueueError, match="the end"):
            await engine.wait()
        assert jumps[1] < jumps[0]
    async with Engine(audited, settings) as engine:
        await engine.settle(60)
    assert await seen(connection) == [1, 2, 3, 4, 5, 2, 3]


async def test_a_replay_of_what_it_has_not_had_or_the_queue_no_longer_has_is_refused(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("replay")
    journal = Journal(app)
    async with Engine(app, make_settings(retention_events=2)) as engine:
        await notes(*range(1, 9))
        await engine.settle(60)
        await engine._workforce.save()
        await engine._broadcast.reach(engine._queue.last_seq)
        assert await engine._queue.prune() == 6
        old, kept = journal.events[2], journal.events[6]
        for start in (old.id, str(old.lsn), old.timestamp.isoformat()):
            with pytest.raises(CommandRefused, match=f"its first is {EventId(kept.id)}"):
                await engine.command(Replay("journal", start))
        with pytest.raises(CommandRefused, match="is no point of the stream"):
            await engine.command(Replay("journal", "yesterday"))
        with pytest.raises(CommandRefused, match="nothing to replay: journal has had no event"):
            await engine.command(Replay("journal", datetime(2999, 1, 1, tzinfo=UTC).isoformat()))
        await engine.settle(60)
        assert len(journal.events) == 8
        await engine.command(Replay("journal", kept.id))
        await engine.settle(60)
    assert journal.ids == [*range(1, 9), 7, 8]


async def test_history_that_a_replay_waits_for_is_not_pruned(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("replay")
    journal = Journal(app)
    async with Engine(app, make_settings(retention_events=0)) as engine:
        await notes(*range(1, 9))
        await engine.settle(60)
        await engine.command(Pause("journal"))
        await engine.command(Replay("journal", journal.events[4].id))
        await engine._broadcast.reach(engine._queue.last_seq)
        await engine._queue.prune()
        assert engine._queue.oldest_seq == 5
        await engine.command(Resume("journal"))
        await engine.settle(60)
    assert journal.ids == [*range(1, 9), 5, 6, 7, 8]


async def event_ids(connection: Connection) -> list[str]:
    """The ids of the events of notes 1, 2 ... as they were first seen."""
    rows = await connection.execute("SELECT min(event) FROM seen GROUP BY id ORDER BY id")
    return [event for [event] in await rows.fetchall()]


async def test_history_that_is_given_up_after_it_was_counted_keeps_nobody_busy(
    notes: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = EventScope("replay")
    journal = Journal(app)
    async with Engine(app, settings) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        await engine.command(Pause("journal"))
        await notes(4, 5)
        await until(lambda: operator(engine, "journal").depth == 2)
        queue, reads = engine._queue, []
        read = queue.read

        async def counted(*arguments: Any, **more: Any) -> Any:
            reads.append(arguments)
            if len(reads) > 100:
                raise QueueError("read again and again")
            return await read(*arguments, **more)

        monkeypatch.setattr(queue, "read", counted)
        await queue._log.execute(("DELETE FROM event WHERE seq >= 4", ()))
        await engine.command(Resume("journal"))
        await engine.settle(60)
        assert operator(engine, "journal").depth == 0
        await notes(6)
        await engine.settle(60)
    assert journal.ids == [1, 2, 3, 6]


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
async def test_a_replay_brings_back_no_row_that_its_entity_has_left_since(
    notes: Write, connection: Connection, settings: Settings, identity: str
) -> None:
    await connection.execute(f"ALTER TABLE notes REPLICA IDENTITY {identity}".encode())
    await connection.execute("CREATE TABLE counts (text text PRIMARY KEY, n bigint)")
    app = EventScope("replay")
    app.query(
        "counts",
        sql="INSERT INTO counts SELECT $1::text, count(*) FROM notes WHERE text = $1::text"
        " ON CONFLICT (text) DO UPDATE SET n = excluded.n",
        id="text",
        ids={"notes": "text"},
        delete_with=["notes"],
    )
    async with Engine(app, settings, attended=True) as engine:
        await connection.execute("INSERT INTO notes VALUES (1, 'left')")
        await connection.execute("UPDATE notes SET text = 'there'")
        await engine.settle(60)
        first = engine.ring.get(0).id
        await engine.command(Replay("counts", first, first))
        await engine.settle(60)
    rows = await connection.execute("SELECT * FROM counts")
    assert await rows.fetchall() == [("there", 1)]


@pytest.mark.parametrize("at", ["begin", "end"])
async def test_a_replay_that_is_asked_for_while_another_begins_or_ends_is_made_as_asked(
    at: str,
) -> None:
    app = EventScope("replay")
    Attempts(app, failures=0)
    standing = Standing(app.operators[0], MemoryQueue(retention_events=0, retention_bytes=0))

    class Asked:
        """An effect during whose jump a replay is asked for."""

        async def jump(self, place: Place) -> None:
            await standing.note(rewind_to=2, replay_to=3)

    under_way = {"rewind_to": 4} if at == "begin" else {}
    await standing.begin(OperatorRecord("bad", 9, replay_to=6, resume_at=9, **under_way))
    await getattr(replay, at)(standing, Asked())
    record = standing.record
    assert (record.rewind_to, record.replay_to) == (2, 3)
    assert record.resume_at == (9 if at == "begin" else None)
    assert standing.position == (4 if at == "begin" else 9)
