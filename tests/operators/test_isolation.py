"""When a batch fails, the ids that cannot be brought up to date are told, and only they suffer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors

from eventscope import EventScope, Sql
from eventscope.declaration import QueryOperator
from eventscope.event import Lsn
from eventscope.operators.dirty import Dirty
from eventscope.operators.query import Poison, Recomputation
from eventscope.queue.event import QueuedEvent
from eventscope.queue.memory import MemoryQueue
from eventscope.replication.catalog import undescribed
from eventscope.replication.pgoutput import ColumnMessage
from eventscope.replication.relations import Relation, Transaction
from tests.conftest import Connection
from tests.replication import encoder

TRANSACTION = Transaction(1, 1, Lsn(20), Lsn(10), 7, 0)

COUNTING = """
INSERT INTO runs SELECT $1::int, (SELECT value FROM source WHERE id = $1::int), 1
ON CONFLICT (id) DO UPDATE SET value = excluded.value, runs = runs.runs + 1
"""
COUNTING_ARRAYS = """
INSERT INTO runs SELECT id, (SELECT value FROM source s WHERE s.id = given.id), 1
FROM unnest($1::int[]) AS given(id)
ON CONFLICT (id) DO UPDATE SET value = excluded.value, runs = runs.runs + 1
"""


def an_effect(**arguments: Any) -> Recomputation:
    app = EventScope("isolation")
    app.query("runs", **{"sql": COUNTING, "ids": {"source": "id"}, **arguments})
    [operator] = app.operators
    assert isinstance(operator, QueryOperator)
    return Recomputation(operator, MemoryQueue(retention_events=0, retention_bytes=0))


def source(identity: str = "d") -> Relation:
    columns = [ColumnMessage("id", 23, -1, True), ColumnMessage("value", 25, -1, identity == "f")]
    return undescribed("db", encoder.relation(5, "public", "source", identity, columns))


SOURCE = source()


def inserts(ids: Iterable[int], value: bytes = b"x") -> list[QueuedEvent]:
    return [
        QueuedEvent(seq, SOURCE, encoder.insert(5, [str(id).encode(), value]), TRANSACTION)
        for seq, id in enumerate(ids, start=1)
    ]


TRUNCATE = QueuedEvent(99, SOURCE, encoder.truncate([5]), TRANSACTION)


@pytest.fixture
async def raw(database: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(
        database, autocommit=True, cursor_factory=psycopg.AsyncRawCursor
    ) as connection:
        for statement in (
            "CREATE TABLE source (id int PRIMARY KEY, value text)",
            "CREATE TABLE runs (id int PRIMARY KEY, value text, runs int)",
            "INSERT INTO source SELECT n, n FROM generate_series(1, 40) n",
        ):
            await connection.execute(statement)
        yield connection


@asynccontextmanager
async def transaction(connection: Connection, *, pipelined: bool) -> AsyncIterator[None]:
    if pipelined:
        async with connection.pipeline(), connection.transaction():
            yield
    else:
        async with connection.transaction():
            yield


async def isolated(
    connection: Connection, effect: Recomputation, dirty: Dirty, *, pipelined: bool = True
) -> list[Poison]:
    """What cannot be brought up to date, once the attempt to do all at once has failed."""
    with pytest.raises(psycopg.Error):
        async with transaction(connection, pipelined=pipelined):
            await effect.recompute(connection, dirty)
    async with transaction(connection, pipelined=pipelined):
        return await effect.isolate(connection, dirty)


async def runs(connection: Connection) -> dict[int, int]:
    cursor = await connection.execute("SELECT id, runs FROM runs ORDER BY id")
    return dict(await cursor.fetchall())


@pytest.mark.parametrize("pipelined", [True, False])
@pytest.mark.parametrize("batch", [True, False])
async def test_all_others_are_brought_up_to_date_exactly_once(
    raw: Connection, batch: bool, pipelined: bool
) -> None:
    await raw.execute("ALTER TABLE runs ADD CHECK (id NOT IN (7, 8, 31))")
    effect = an_effect(sql=COUNTING_ARRAYS if batch else COUNTING, batch=batch)
    dirty = effect.mark(inserts(range(1, 41)))
    poison = await isolated(raw, effect, dirty, pipelined=pipelined)
    assert [(p.target, p.event.seq) for p in poison] == [(("7",), 7), (("8",), 8), (("31",), 31)]
    assert all(isinstance(p.error, errors.CheckViolation) for p in poison)
    assert await runs(raw) == {n: 1 for n in range(1, 41) if n not in (7, 8, 31)}


async def test_an_id_is_told_with_the_last_event_that_made_it_dirty(raw: Connection) -> None:
    await raw.execute("ALTER TABLE runs ADD CHECK (id <> 2)")
    effect = an_effect()
    [poison] = await isolated(raw, effect, effect.mark(inserts([1, 2, 3, 2, 1])))
    assert (poison.target, poison.event.seq) == (("2",), 4)


async def test_a_deferred_constraint_is_checked_where_it_is_broken(raw: Connection) -> None:
    await raw.execute("""
        ALTER TABLE runs ADD UNIQUE (value) DEFERRABLE INITIALLY DEFERRED
    """)
    await raw.execute("UPDATE source SET value = '20' WHERE id = 30")
    effect = an_effect()
    [poison] = await isolated(raw, effect, effect.mark(inserts(range(1, 41))))
    assert poison.target == ("30",)
    assert isinstance(poison.error, errors.UniqueViolation)
    assert len(await runs(raw)) == 39


async def test_a_deferred_constraint_stays_deferred(raw: Connection) -> None:
    """Two rows that swap a unique value break it in between, also beside a poison id."""
    await raw.execute("ALTER TABLE runs ADD UNIQUE (value) DEFERRABLE INITIALLY DEFERRED")
    effect = an_effect()
    async with raw.transaction():
        await effect.recompute(raw, effect.mark(inserts([1, 2, 9, 10])))
    await raw.execute("ALTER TABLE runs ADD CHECK (runs < 2 OR id <> 10)")
    await raw.execute("UPDATE source SET value = 3 - id WHERE id IN (1, 2)")
    [poison] = await isolated(raw, effect, effect.mark(inserts([9, 10, 1, 2])))
    assert poison.target == ("10",)
    assert await runs(raw) == {1: 2, 2: 2, 9: 2, 10: 1}


async def test_an_error_that_would_meet_any_id_is_raised_and_nothing_is_done(
    raw: Connection,
) -> None:
    effect = an_effect(sql="SELECT nothing, $1::int FROM source")
    with pytest.raises(errors.UndefinedColumn):
        await isolated(raw, effect, effect.mark(inserts([1, 2, 3])))
    assert await runs(raw) == {}


async def test_a_poison_id_among_all_is_found_after_a_truncate(raw: Connection) -> None:
    effect = an_effect()
    await effect.recompute(raw, effect.mark(inserts(range(1, 41))))
    await raw.execute("ALTER TABLE runs ADD CHECK (id <> 17 OR runs < 2)")
    poison = await isolated(raw, effect, effect.mark([*inserts([3]), TRUNCATE]))
    assert [(p.target, p.event.seq) for p in poison] == [(("17",), 99)]
    assert await runs(raw) == {n: 1 if n == 17 else 2 for n in range(1, 41)}


async def test_more_ids_than_are_held_at_once_are_all_brought_up_to_date(raw: Connection) -> None:
    await raw.execute("INSERT INTO source SELECT n, n FROM generate_series(41, 2500) n")
    await raw.execute("INSERT INTO runs SELECT id, '', 0 FROM source WHERE id > 1200")
    effect = an_effect()
    async with transaction(raw, pipelined=True):
        await effect.recompute(raw, effect.mark([*inserts([1, 2500, 4000]), TRUNCATE]))
    assert await runs(raw) == dict.fromkeys([*range(1, 2501), 4000], 1)


async def test_a_row_whose_expression_fails_is_told_without_an_id(raw: Connection) -> None:
    effect = an_effect(ids={"source": Sql("100 / value::int + id")})
    events = inserts([1, 2, 3], b"100")
    events += inserts([4], b"0") + inserts([5], b"100")
    for batch in (events, events[::-1]):
        dirty = effect.mark(batch)
        [poison] = await isolated(raw, effect, dirty)
        assert (poison.target, poison.event) == (None, events[3])
        assert isinstance(poison.error, errors.DivisionByZero)
        assert sorted(dirty.ids) == [("2",), ("3",), ("4",), ("6",)]
    assert await runs(raw) == {2: 2, 3: 2, 4: 2, 6: 2}


async def test_an_id_of_two_spellings_fails_no_array(raw: Connection) -> None:
    """PostgreSQL refuses to upsert one row twice in a statement."""
    effect = an_effect(sql=COUNTING_ARRAYS, batch=True)
    dirty = effect.mark([*inserts([1, 2]), *inserts([1])])
    dirty.ids["01",] = dirty.ids["1",]
    assert await isolated(raw, effect, dirty) == []
    assert await runs(raw) == {1: 2, 2: 1}


async def test_a_row_is_deleted_also_if_another_is_poison(raw: Connection) -> None:
    effect = an_effect(delete_with="source")
    async with raw.transaction():
        await effect.recompute(raw, effect.mark(inserts(range(1, 6))))
    await raw.execute("DELETE FROM source WHERE id < 3")
    await raw.execute("ALTER TABLE runs ADD CHECK (id <> 5 OR runs < 2)")
    relation = source("f")
    deletes = [
        QueuedEvent(id, relation, encoder.delete(5, old=[str(id).encode(), b"x"]), TRANSACTION)
        for id in (1, 2, 3)
    ]
    poison = await isolated(raw, effect, effect.mark([*deletes, *inserts([4, 5])]))
    assert [p.target for p in poison] == [("5",)]
    assert await runs(raw) == {3: 2, 4: 2, 5: 1}


async def test_an_id_that_is_tried_again_loses_its_row_if_its_entity_is_gone(
    raw: Connection,
) -> None:
    app = EventScope("again")
    app.query("runs", sql=COUNTING, ids={"source": "id"}, delete_with="source")
    [operator] = app.operators
    assert isinstance(operator, QueryOperator)
    effect = an_effect(delete_with="source")
    first, second = inserts([1, 2])
    async with raw.transaction():
        await effect.recompute(raw, effect.mark([first, second]))
    await raw.execute("DELETE FROM source WHERE id = 1")
    async with raw.transaction():
        again = Dirty.again(operator, {("1",): first, ("2",): second})
        await effect.recompute(raw, again)
    assert await runs(raw) == {2: 2}
