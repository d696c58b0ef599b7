"""Listening on from where it was broken off: nothing twice, nothing left out that is still kept."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import psycopg
import pytest

from eventscope import EventScope
from eventscope.engine import Engine, Follower
from eventscope.errors import DeclarationError, InvalidToken, NotRunning
from eventscope.queue.outside import OutsideQueue
from eventscope.resumable import Gap, Resumable, Subscription, Told
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.held import Held
from tests.pubsub.conftest import Run
from tests.waiting import PATIENCE, until

COMMENTS = Subscription("comments")
GAP = Gap("retention")


def resumed(app: EventScope, after: str | None, *what: Subscription) -> Resumable:
    assert app.resume is not None
    return app.resume(what or (COMMENTS,), after)


async def missed(stream: Resumable) -> list[Told | Gap]:
    return [one async for one in stream.missed()]


async def take(stream: Resumable, count: int) -> list[Told]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(stream) for _ in range(count)]


async def nothing(stream: Resumable) -> None:
    """Wait for what does not come."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(stream)


def rows(told: list[Any]) -> list[Any]:
    """The ids of the rows that were told of."""
    return [one if isinstance(one, Gap) else one.message.event.key["id"] for one in told]


async def last_id(app: EventScope, after: str | None = None) -> str:
    """The id of the last event there is."""
    async with resumed(app, after) as stream:
        await missed(stream)
        assert stream.reached is not None
        return stream.reached


async def test_who_begins_is_told_what_comes_and_nothing_from_before(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        await run("INSERT INTO comments VALUES (1, 1)")
        await app.wait_for(await token(app, settings))
        async with resumed(app, None) as stream:
            assert await missed(stream) == []
            await run("INSERT INTO comments VALUES (2, 1)", "INSERT INTO comments VALUES (3, 1)")
            told = await take(stream, 2)
    assert rows(told) == [2, 3]
    assert [one.id for one in told] == [one.message.event.id for one in told]


async def test_who_comes_back_is_told_what_was_missed_and_then_what_comes(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        async with resumed(app, None) as stream:
            await missed(stream)
            await run("INSERT INTO comments VALUES (1, 1), (2, 1)")
            after = (await take(stream, 1))[0].id  # in the middle of the transaction
        await run("INSERT INTO posts VALUES (9)", "INSERT INTO comments VALUES (3, 1)")
        await app.wait_for(await token(app, settings))
        async with resumed(app, after) as stream:
            assert rows(await missed(stream)) == [2, 3]
            await run("INSERT INTO comments VALUES (4, 1)")
            assert rows(await take(stream, 1)) == [4]


async def test_what_was_committed_while_no_engine_ran_is_told_after_a_restart(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        await run("INSERT INTO comments VALUES (1, 1)")
        await app.wait_for(await token(app, settings))
        after = await last_id(app)
    await run("INSERT INTO comments VALUES (2, 1), (3, 1)")
    async with Engine(app, settings), resumed(app, after) as stream:
        found = rows(await missed(stream))
        found += rows(await take(stream, 2 - len(found)))
    assert found == [2, 3]


async def test_who_listened_before_anything_had_happened_misses_nothing_either(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        after = await last_id(app)
    await run("INSERT INTO comments VALUES (1, 1)")
    async with Engine(app, settings):
        await app.wait_for(await token(app, settings))
        async with resumed(app, after) as stream:
            assert rows(await missed(stream)) == [1]


async def test_who_comes_and_goes_while_much_is_written_is_told_each_event_once_in_order(
    app: EventScope, run: Run, settings: Settings
) -> None:
    heard: list[int] = []
    count = 3_000

    async def write() -> None:
        for start in range(0, count, 10):
            await run(
                f"INSERT INTO comments SELECT n, n % 3 FROM generate_series({start}, {start + 9}) n"
            )

    async def hear(stream: Resumable, most: int) -> str | None:
        after = None
        async with aclosing(stream.missed()) as past:
            async for one in past:
                assert isinstance(one, Told)
                heard.append(one.message.event.key["id"])
                after = one.id
                most -= 1
                if most == 0:
                    return after
        after = stream.reached
        while most and len(heard) < count:
            one = (await take(stream, 1))[0]
            heard.append(one.message.event.key["id"])
            after, most = one.id, most - 1
        return after

    async with Engine(app, settings):
        after = await last_id(app)
        writing = asyncio.create_task(write())
        patience = 1
        while len(heard) < count:
            async with resumed(app, after) as stream:
                after = await hear(stream, patience) or after
            patience = patience * 7 % 101  # now and then in the past, now and then long after it
        await writing
    assert heard == list(range(count))


async def test_a_scope_is_all_that_is_told_of_the_past_too(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        after = await last_id(app)
        await run("INSERT INTO comments VALUES (1, 1), (2, 2), (3, 1)")
        await run("UPDATE comments SET post_id = 2 WHERE id = 3")
        await app.wait_for(await token(app, settings))
        async with resumed(app, after, Subscription("comments", scope={"post_id": 1})) as stream:
            told = [one.message for one in await missed(stream) if isinstance(one, Told)]
    assert [(m.kind, m.event.key["id"]) for m in told] == [
        ("on_insert", 1),
        ("on_insert", 3),
        ("on_leave", 3),
    ]


async def test_the_messages_of_one_event_are_told_apart(
    app: EventScope, run: Run, settings: Settings
) -> None:
    scopes = [Subscription("comments", scope={"post_id": post}) for post in (1, 2)]
    async with Engine(app, settings):
        async with resumed(app, None, *scopes) as stream:
            await missed(stream)
            await run("INSERT INTO comments VALUES (1, 1)")
            await run("UPDATE comments SET post_id = 2")
            told = await take(stream, 3)
        event = told[1].message.event.id
        assert [one.id for one in told[1:]] == [f"{event}+1", f"{event}+2"]
        for n, one in enumerate(told):
            async with resumed(app, one.id, *scopes) as stream:
                again = await missed(stream)
                assert [o.id for o in again if isinstance(o, Told)] == [o.id for o in told[n + 1 :]]
                assert stream.reached == event
        async with resumed(app, event, *scopes) as stream:
            assert await missed(stream) == []


async def test_what_is_published_after_it_was_found_in_the_queue_is_told_once(
    app: EventScope, run: Run, make_settings: MakeSettings
) -> None:
    Held.go_on, Held.held = asyncio.Event(), asyncio.Event()
    settings = make_settings(pubsub=f"{Held.__module__}:Held")
    async with Engine(app, settings):
        after = await last_id(app)
        async with app.subscribe("comments"):
            await run("INSERT INTO comments VALUES (1, 1)")
            await Held.held.wait()
            async with resumed(app, after) as stream:
                assert rows(await missed(stream)) == [1]
                assert stream.reached is not None
                await nothing(stream)
                assert stream.reached is None  # as that has not been published yet
                Held.go_on.set()
                await run("INSERT INTO comments VALUES (2, 1)")
                assert rows(await take(stream, 1)) == [2]


async def test_nothing_is_lost_between_what_was_missed_and_what_comes(
    app: EventScope, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    look = OutsideQueue.refresh

    async with Engine(app, settings) as engine:
        after = await last_id(app)

        async def refresh(log: OutsideQueue) -> None:
            await look(log)  # and whenever somebody has looked, more has come already
            written.append(len(written))
            await run(f"INSERT INTO comments VALUES ({written[-1]}, 1)")
            await until(lambda: engine._queue.last_seq == len(written))
            await engine._broadcast.reach(len(written))

        monkeypatch.setattr(OutsideQueue, "refresh", refresh)
        async with resumed(app, after) as stream:
            told = rows(await missed(stream))
            told += rows(await take(stream, len(written) - len(told)))
    assert len(written) > 2
    assert told == written


async def test_who_hears_nothing_can_go_on_from_what_happened_elsewhere(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings) as engine:
        async with resumed(app, None, Subscription("posts")) as stream:
            await missed(stream)
            await run("INSERT INTO comments VALUES (1, 1)")
            await engine.settle(PATIENCE)
            await nothing(stream)
            after = stream.reached
        async with resumed(app, after) as stream:
            assert after is not None
            assert await missed(stream) == []


async def test_who_has_not_been_told_of_all_that_is_published_goes_on_from_what_he_was_told(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings) as engine:
        async with resumed(app, None) as stream:
            await missed(stream)
            await run("INSERT INTO comments VALUES (1, 1), (2, 1)")
            await engine.settle(PATIENCE)
            await take(stream, 1)
            after = stream.reached
        async with resumed(app, after) as stream:
            assert rows(await missed(stream)) == [2]


async def give_up(engine: Engine) -> None:
    """Have the queue keep as little as it may."""
    await engine.settle(PATIENCE)
    await engine._queue.prune(until=engine._queue.last_seq)


async def test_an_id_that_is_no_longer_kept_is_a_gap_before_what_still_is(
    app: EventScope, run: Run, make_settings: MakeSettings
) -> None:
    async with Engine(app, make_settings(retention_events=2)) as engine:
        await run("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(PATIENCE)
        after = await last_id(app)
        for id in range(2, 6):
            await run(f"INSERT INTO comments VALUES ({id}, 1)")
        await give_up(engine)
        async with resumed(app, after) as stream:
            assert rows(await missed(stream)) == [GAP, 4, 5]
            still = stream.reached
        async with resumed(app, still) as stream:
            assert await missed(stream) == []
            await run("INSERT INTO comments VALUES (6, 1)")
            assert rows(await take(stream, 1)) == [6]


async def test_one_who_takes_his_time_is_told_when_the_past_is_given_up_before_him(
    app: EventScope, run: Run, make_settings: MakeSettings
) -> None:
    async with Engine(app, make_settings(retention_events=2)) as engine:
        after = await last_id(app)
        await run("INSERT INTO comments SELECT n, 1 FROM generate_series(1, 500) n")
        await engine.settle(PATIENCE)
        async with resumed(app, after) as stream, aclosing(stream.missed()) as past:
            assert rows([await anext(past)]) == [1]
            await give_up(engine)
            rest = rows([one async for one in past])
    assert rest == [*range(2, 101), GAP, 499, 500]


async def test_one_who_reads_of_the_past_while_an_engine_starts_is_told_that_he_may_miss_something(
    app: EventScope, run: Run, settings: Settings
) -> None:
    """He has opened the file as one that nobody writes, and sees nothing of what is written."""
    beside = EventScope(app.name)
    beside.entity("comments")
    async with Engine(app, settings) as engine:
        await run("INSERT INTO comments SELECT n, 1 FROM generate_series(1, 500) n")
        await engine.settle(PATIENCE)
    async with (
        Follower(beside, settings),
        beside.subscribe("comments") as other,
        resumed(beside, "0/0/0") as stream,
        aclosing(stream.missed()) as past,
    ):
        assert rows([await anext(past)]) == [1]
        async with Engine(app, settings):
            await run("INSERT INTO comments VALUES (501, 1)")
            await anext(other)
            rest = rows([one async for one in past])
            assert GAP in rest
            assert [one for one in rest if one != GAP] == [*range(2, 501)]
            await run("INSERT INTO comments VALUES (502, 1)")
            assert rows(await take(stream, 1)) == [502]


async def test_what_a_follower_could_not_hear_is_not_passed_over_in_silence(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings) as engine, resumed(app, None) as stream:
        await missed(stream)
        await run("INSERT INTO posts VALUES (1)")
        await engine.settle(PATIENCE)
        await nothing(stream)
        assert stream.reached is not None
        engine._broker.lose(3)
        await nothing(stream)
        assert stream.reached is None
        await run("INSERT INTO comments VALUES (1, 1)")
        [told] = await take(stream, 1)
        assert told.message.dropped == 3
        await engine.settle(PATIENCE)
        await nothing(stream)
        assert stream.reached is not None


async def test_an_id_of_another_log_is_a_gap(app: EventScope, run: Run, settings: Settings) -> None:
    async with Engine(app, settings) as engine:
        for after in ("FFFFFF/0/0", "0/1/7"):
            async with resumed(app, after) as stream:
                assert await missed(stream) == [GAP]
        await run("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(PATIENCE)
        for after, kept in [("FFFFFFFF/FFFFFFFF/0", []), ("0/1/7", [1])]:
            async with resumed(app, after) as stream:
                assert rows(await missed(stream)) == [GAP, *kept]


async def test_a_page_can_be_told_what_its_token_does_not_hold(
    app: EventScope, run: Run, connection: Connection, settings: Settings
) -> None:
    async with Engine(app, settings) as engine:
        first = await app.token(connection)
        async with resumed(app, first) as stream:
            assert await missed(stream) == []
        await run("INSERT INTO comments VALUES (1, 1)")
        second = await app.token(connection)
        await run("INSERT INTO comments VALUES (2, 1)")
        await engine.settle(PATIENCE)
        async with resumed(app, second) as stream:
            assert rows(await missed(stream)) == [2]
        async with resumed(app, await app.token(connection)) as stream:
            assert await missed(stream) == []


async def test_without_a_queue_file_there_is_a_gap_after_every_id(
    app: EventScope, run: Run, make_settings: MakeSettings
) -> None:
    async with Engine(app, make_settings(queue_storage_adapter="memory")):
        async with resumed(app, None) as stream:
            assert await missed(stream) == []
            before = stream.reached
            await run("INSERT INTO comments VALUES (1, 1)")
            [told] = await take(stream, 1)
        assert before is not None
        for after in (before, told.id):
            async with resumed(app, after) as stream:
                assert await missed(stream) == [GAP]
        async with resumed(app, None) as stream:
            assert await missed(stream) == []
            await run("INSERT INTO comments VALUES (2, 1)")
            assert rows(await take(stream, 1)) == [2]


async def test_whoever_leaves_is_not_published_to(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings) as engine:
        wants = engine._broker.pubsub.wants
        async with resumed(app, None) as stream:
            await missed(stream)
            assert wants("comments")
        assert not wants("comments")
        async with resumed(app, None) as stream:
            await missed(stream)
            waiting = asyncio.create_task(take(stream, 1))
            await until(lambda: wants("comments"))
            waiting.cancel()
        assert not wants("comments")


async def test_what_cannot_be_resumed_is_named(
    app: EventScope, run: Run, settings: Settings
) -> None:
    async with Engine(app, settings):
        with pytest.raises(InvalidToken, match="'yesterday' is neither the id of an event nor"):
            resumed(app, "yesterday")
        with pytest.raises(DeclarationError, match="no scope by author_id"):
            resumed(app, None, Subscription("comments", scope={"author_id": 1}))
        resume = app.resume
    assert app.resume is None
    assert resume is not None
    with pytest.raises(NotRunning):
        resume([COMMENTS], None)


async def token(app: EventScope, settings: Settings) -> str:
    """A token of what is committed by now."""
    assert settings.url is not None
    url = settings.url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        return await app.token(connection)
