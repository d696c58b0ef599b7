"""Old ids that the WAL does not tell are known from a map that the operator keeps itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventscope.app import EventScope
from eventscope.declaration import QueryOperator
from eventscope.operators.dirty import Dirty
from eventscope.operators.query import Recomputation
from eventscope.queue.event import QueuedEvent
from eventscope.queue.memory_desk import MemoryDesk
from eventscope.queue.records import Target
from tests.conftest import Connection, MakeSettings
from tests.operators.oracle import differing
from tests.operators.shop import TRUTH, counting_comments, tables
from tests.operators.test_coalescing import CHANGE, TABLES, TRUTHS, an_app, write
from tests.replication.reading import Reading, reading


class Maps(MemoryDesk):
    """Keeps maps in memory."""

    async def map(
        self,
        operator: str,
        entity: str,
        mapping: Mapping[Target, Target | None],
        removed: Collection[Target] = (),
    ) -> None:
        assert not mapping.keys() & set(removed)
        await super().map(operator, entity, mapping, removed)

    def keys(self, entity: str) -> set[Target]:
        [kept] = [kept for (_, name), kept in self._mapped.items() if name == entity]
        return kept.keys() - {()}


class Process:
    """One operator at work on a stream, which may end without a word and start again."""

    def __init__(self, operator: QueryOperator, connection: Connection) -> None:
        self.operator = operator
        self.maps = Maps()
        self.recomputed_all = 0
        self._connection = connection
        self._effect = self.restart()

    def restart(self) -> Recomputation:
        self._effect = Recomputation(self.operator, self.maps)
        return self._effect

    async def apply(self, events: list[QueuedEvent], applied_until: int = 0) -> Dirty:
        """Apply events; returns what they made dirty."""
        dirty = await self.attempt(events, applied_until)
        await self._effect.committed(dirty)
        self.recomputed_all += dirty.everything is not None
        return dirty

    async def attempt(
        self, events: list[QueuedEvent], applied_until: int = 0, *, in_vain: bool = False
    ) -> Dirty:
        mine = [e for e in events if e.relation.entity in self.operator.entities]
        dirty = self._effect.mark(mine, applied_until)
        connection = self._connection
        async with connection.pipeline(), connection.transaction(force_rollback=in_vain):
            await self._effect.recompute(connection, dirty)
        return dirty


def queued(stream: Reading) -> Iterator[QueuedEvent]:
    """All that a stream has told."""
    rows = {seq: (version, raw) for batch in stream.batches for seq, version, raw in batch.rows}
    for batch in stream.batches:
        for transaction in batch.transactions:
            for seq in range(transaction.first_seq, transaction.last_seq + 1):
                version, raw = rows[seq]
                yield QueuedEvent(seq, stream.relations[version], raw, transaction)


async def new_events(stream: Reading) -> list[QueuedEvent]:
    """The events since the last call."""
    stream.batches.clear()
    await stream.catch_up()
    return list(queued(stream))


def queries(app: EventScope) -> list[QueryOperator]:
    return [operator for operator in app.operators if isinstance(operator, QueryOperator)]


@pytest.fixture
async def raw(database: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(
        database, autocommit=True, cursor_factory=psycopg.AsyncRawCursor
    ) as connection:
        yield connection


class Shop:
    """Comments that move from post to post, and the operator that counts them."""

    def __init__(self, connection: Connection, process: Process, stream: Reading) -> None:
        self.connection = connection
        self.process = process
        self._stream = stream

    async def does(self, *statements: str) -> Dirty:
        """Run statements, and let the operator follow; its table equals its query then."""
        async with self.connection.transaction():
            for statement in statements:
                await self.connection.execute(statement)  # type: ignore[call-overload]
        dirty = await self.process.apply(await self.events())
        await self.is_right()
        return dirty

    async def is_right(self) -> None:
        assert await differing(self.connection, "post_with_comments_counts", TRUTH) == []

    async def events(self) -> list[QueuedEvent]:
        return await new_events(self._stream)


@pytest.fixture
async def shop(
    connection: Connection, raw: Connection, make_settings: MakeSettings
) -> AsyncIterator[Shop]:
    await connection.execute(tables(identity="default"))
    await connection.execute("INSERT INTO posts SELECT n, 'x' FROM generate_series(1, 5) n")
    await connection.execute("INSERT INTO comments (id, post_id) VALUES (1, 1), (2, 1), (3, NULL)")
    async with reading(make_settings(), ["posts", "comments"]) as stream:
        yield Shop(connection, Process(queries(counting_comments())[0], raw), stream)


async def test_only_the_first_change_of_an_unknown_row_recomputes_everything(shop: Shop) -> None:
    assert (await shop.does("UPDATE comments SET post_id = 2 WHERE id = 1")).everything
    moved = await shop.does("UPDATE comments SET post_id = 3 WHERE id = 1")
    assert (sorted(moved.ids), moved.everything) == ([("2",), ("3",)], None)
    other = await shop.does("UPDATE comments SET post_id = 4 WHERE id IN (2, 3)")
    assert (sorted(other.ids), other.everything) == ([("1",), ("4",)], None)
    gone = await shop.does("DELETE FROM comments WHERE id = 2")
    assert (sorted(gone.ids), gone.everything) == ([("4",)], None)
    same = await shop.does("UPDATE comments SET body = 'x' WHERE id = 1")
    assert (sorted(same.ids), same.everything) == ([("3",)], None)


async def test_a_row_is_known_by_its_new_key(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3")
    moved = await shop.does(
        "UPDATE comments SET id = 7, post_id = 2 WHERE id = 1",
        "UPDATE comments SET id = 1, post_id = 3 WHERE id = 2",
        "UPDATE comments SET post_id = 5 WHERE id = 7",
    )
    assert (sorted(moved.ids), moved.everything) == ([("1",), ("2",), ("3",), ("5",)], None)
    assert (await shop.does("DELETE FROM comments WHERE id IN (1, 7)")).everything is None
    await shop.does("INSERT INTO comments VALUES (8, 1)")
    assert shop.process.maps.keys("comments") == {("8",)}, "what is gone is forgotten"


async def test_a_restart_keeps_what_is_known(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3")
    shop.process.restart()
    assert (await shop.does("UPDATE comments SET post_id = 5 WHERE id = 1")).everything is None


@pytest.mark.parametrize("restart", [False, True])
async def test_a_map_that_was_begun_in_vain_counts_for_nothing(shop: Shop, restart: bool) -> None:
    """The row has moved on meanwhile, and what the map has read is not what it was before."""
    await shop.connection.execute("UPDATE comments SET post_id = 3 WHERE id = 1")
    await shop.process.attempt(await shop.events(), in_vain=True)
    if restart:
        shop.process.restart()
    assert (await shop.does("UPDATE comments SET post_id = 5 WHERE id = 1")).everything


async def test_what_a_failed_attempt_has_noted_is_not_taken_for_what_was_before(
    shop: Shop,
) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3")
    for restart in (False, True):
        await shop.connection.execute("UPDATE comments SET post_id = post_id + 1 WHERE id = 1")
        events = await shop.events()
        await shop.process.attempt(events, in_vain=True)
        if restart:
            shop.process.restart()
        assert len((await shop.process.apply(events)).ids) == 2
        await shop.is_right()


async def test_what_happens_while_a_map_is_begun_is_not_missed(shop: Shop) -> None:
    unmap = shop.process.maps.unmap

    async def meanwhile(operator: str, entity: str) -> None:
        await shop.connection.execute("UPDATE comments SET post_id = 5 WHERE id = 2")
        await unmap(operator, entity)

    await shop.connection.execute("UPDATE comments SET body = 'x' WHERE id = 1")
    shop.process.maps.unmap = meanwhile  # type: ignore[method-assign]
    await shop.process.apply(await shop.events())
    assert (await shop.process.apply(await shop.events())).everything is None
    await shop.is_right()


async def test_a_truncate_leaves_nothing_in_the_map(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3")
    await shop.does(
        "UPDATE comments SET post_id = 4", "TRUNCATE comments", "INSERT INTO comments VALUES (2, 1)"
    )
    assert shop.process.maps.keys("comments") == {("2",)}
    assert (await shop.does("UPDATE comments SET post_id = 3")).everything is None


async def test_a_map_is_begun_anew_after_changes_whose_old_ids_were_told(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3")
    for _ in range(2):
        await shop.does("ALTER TABLE comments REPLICA IDENTITY FULL")
        assert (await shop.does("UPDATE comments SET post_id = 5 WHERE id = 1")).everything is None
        await shop.does("ALTER TABLE comments REPLICA IDENTITY DEFAULT")
        assert (await shop.does("UPDATE comments SET post_id = 4 WHERE id = 1")).everything
        assert (await shop.does("UPDATE comments SET post_id = 3 WHERE id = 1")).everything is None


async def test_an_old_id_is_not_taken_from_before_a_change_that_told_its_own(shop: Shop) -> None:
    dirty = await shop.does(
        "INSERT INTO comments (id, post_id) VALUES (9, 3)",
        "ALTER TABLE comments REPLICA IDENTITY FULL",
        "UPDATE comments SET post_id = 4 WHERE id = 9",
        "ALTER TABLE comments REPLICA IDENTITY DEFAULT",
        "UPDATE comments SET post_id = 5 WHERE id = 9",
    )
    assert dirty.everything, "the row was at 4 before, and not at 3"


async def test_a_map_of_other_keys_counts_for_nothing(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3", "ALTER TABLE comments ADD other int")
    await shop.does(
        "UPDATE comments SET other = 3 - id, post_id = id",
        "ALTER TABLE comments DROP CONSTRAINT comments_pkey, ADD PRIMARY KEY (other)",
    )
    assert (await shop.does("UPDATE comments SET post_id = 5 WHERE other = 1")).everything
    assert (await shop.does("UPDATE comments SET post_id = 4 WHERE other = 2")).everything is None


async def test_a_map_knows_nothing_of_what_happened_under_other_keys(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3", "ALTER TABLE comments ADD other int")
    await shop.does(
        "UPDATE comments SET other = id + 10",
        "ALTER TABLE comments DROP CONSTRAINT comments_pkey, ADD PRIMARY KEY (other)",
    )
    await shop.does("INSERT INTO comments (id, post_id, other) VALUES (9, 5, 1)")
    await shop.does("ALTER TABLE comments DROP CONSTRAINT comments_pkey, ADD PRIMARY KEY (id)")
    shop.process.restart()
    assert (await shop.does("UPDATE comments SET post_id = 4 WHERE id = 1")).everything


async def test_what_is_seen_when_a_map_is_begun_needs_no_old_id(shop: Shop) -> None:
    for statement in (
        "UPDATE comments SET post_id = 2 WHERE id = 1",
        "UPDATE comments SET post_id = 3 WHERE id = 2",
        "DELETE FROM comments WHERE id = 2",
    ):
        await shop.connection.execute(statement)
    for event in await shop.events():
        await shop.process.apply([event])
    await shop.is_right()
    assert shop.process.recomputed_all == 1


async def test_a_replay_does_not_take_back_what_is_known(shop: Shop) -> None:
    await shop.does("DELETE FROM comments WHERE id = 3")
    for statement in (
        "UPDATE comments SET post_id = 2 WHERE id = 1",
        "DELETE FROM comments WHERE id = 2",
        "UPDATE comments SET post_id = 3 WHERE id = 1",
        "INSERT INTO comments VALUES (2, 4)",
    ):
        await shop.connection.execute(statement)
    events = await shop.events()
    await shop.process.apply(events)
    for count in (4, 2, 1):
        await shop.process.apply(events[:count], applied_until=events[-1].seq)
    await shop.does("INSERT INTO comments VALUES (8, 1)")  # when what is gone is forgotten
    moved = await shop.does("UPDATE comments SET post_id = 5")
    assert (sorted(moved.ids), moved.everything) == (
        [("1",), ("3",), ("4",), ("5",)],
        None,
    )


async def test_a_large_id_that_an_update_leaves_alone_is_known(
    connection: Connection, raw: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute("""
        CREATE TABLE pages (id char(3) PRIMARY KEY, url text, hits int);
        ALTER TABLE pages ALTER url SET STORAGE EXTERNAL;
        CREATE TABLE urls (id text PRIMARY KEY, hits bigint);
        INSERT INTO pages SELECT n, repeat(md5(n::text), 100), 1 FROM generate_series(1, 3) n;
    """)
    app = EventScope("pages")
    app.query(
        "urls",
        sql="INSERT INTO urls SELECT url, sum(hits) FROM pages WHERE url = $1 GROUP BY 1"
        " ON CONFLICT (id) DO UPDATE SET hits = excluded.hits",
        ids={"pages": "url"},
        delete_with=["pages"],
    )
    process = Process(queries(app)[0], raw)
    async with reading(make_settings(), ["pages"]) as stream:
        for statement in (
            "UPDATE pages SET hits = 2 WHERE id = '1'",
            "UPDATE pages SET hits = 3 WHERE id = '2'",
            "DELETE FROM pages WHERE id = '1'",
        ):
            await connection.execute(statement)
            await process.apply(await new_events(stream))
            truth = "SELECT url, sum(hits) FROM pages GROUP BY url"
            assert await differing(connection, "urls", truth) == [], statement
    assert process.recomputed_all == 1


@asynccontextmanager
async def shapes(url: str, make_settings: MakeSettings) -> AsyncIterator[Any]:
    """The tables of all shapes of ids, a stream of them, and a connection for operators."""
    async with AsyncExitStack() as stack:
        connect = psycopg.AsyncConnection.connect
        writer = await stack.enter_async_context(await connect(url, autocommit=True))
        await writer.execute(TABLES.format("DEFAULT"))  # type: ignore[call-overload]
        worker = await stack.enter_async_context(
            await connect(url, autocommit=True, cursor_factory=psycopg.AsyncRawCursor)
        )
        sources = ["posts", "comments", "visits"]
        stream = await stack.enter_async_context(reading(make_settings(), sources))
        yield writer, worker, stream


class Life:
    """A process that applies events in batches of any size, and fails, crashes and replays."""

    def __init__(self, process: Process, random: Random) -> None:
        self.process = process
        self.backlog: list[QueuedEvent] = []
        self._random = random
        self._history: list[QueuedEvent] = []

    async def goes_on(self) -> None:
        """Apply one batch of the backlog."""
        process, random = self.process, self._random
        batch = self.backlog[: random.randint(1, 8)]
        match random.choice(["", "", "fails", "crashes before", "crashes after", "replays"]):
            case "fails":
                await process.attempt(batch, in_vain=True)
                await process.apply(batch)
            case "crashes before":
                await process.attempt(batch, in_vain=True)
                process.restart()
                batch = batch[: random.randint(1, len(batch))]
                await process.apply(batch)
            case "crashes after":
                await process.attempt(batch)
                process.restart()
            case "replays":
                await process.apply(batch)
                again = [*self._history[-random.randint(1, 9) :], *batch]
                await process.apply(again, applied_until=batch[-1].seq)
            case _:
                await process.apply(batch)
        self._history += batch
        del self.backlog[: len(batch)]


def test_every_derived_table_equals_its_query_whatever_happens_to_the_process(
    database: str, make_settings: MakeSettings
) -> None:
    with asyncio.Runner() as runner:
        context = shapes(database, make_settings)
        writer, worker, stream = runner.run(context.__aenter__())

        async def check(transactions: list[list[str]], random: Random) -> None:
            await writer.execute(f"TRUNCATE posts, comments, visits, {', '.join(TRUTHS)}")
            await new_events(stream)
            lives = [Life(Process(operator, worker), random) for operator in queries(an_app())]
            for changes in transactions:
                await write(writer, [changes])
                events = await new_events(stream)
                for life in lives:
                    life.backlog += events
                    if life.backlog and random.random() < 0.7:
                        await life.goes_on()
                    if not life.backlog:
                        await is_right(life)
            for life in lives:
                while life.backlog:
                    await life.goes_on()
                await is_right(life)

        async def is_right(life: Life) -> None:
            name = life.process.operator.name
            assert await differing(writer, name, TRUTHS[name]) == [], name

        @settings(
            max_examples=50,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )
        @given(
            st.lists(st.lists(CHANGE, min_size=1, max_size=4), max_size=40),
            st.randoms(use_true_random=False),
        )
        def holds(transactions: list[list[str]], random: Random) -> None:
            runner.run(check(transactions, random))

        try:
            holds()
        finally:
            runner.run(context.__aexit__(None, None, None))
