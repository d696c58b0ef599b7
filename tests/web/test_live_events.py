"""Server-sent events: what a client is told while it listens, and what becomes of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.inspection.json_line import json_line
from eventscope.pubsub import stream
from eventscope.settings import Settings
from eventscope.web import Subscription, live_events
from tests.pubsub.conftest import Run
from tests.waiting import PATIENCE, until
from tests.web.client import Sent, requesting
from tests.web.conftest import live

COMMENTS = Subscription("comments")


def row(sent: Sent) -> int:
    """The id of the row that a client is told of."""
    id: int = sent.data["key"]["id"]
    return id


async def test_a_client_is_told_what_is_committed_as_it_stands_in_the_json_of_events(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with Engine(app, settings), requesting(web) as client, app.subscribe("comments") as same:
        assert client.status == 200
        assert client.headers["content-type"].startswith("text/event-stream")
        assert client.headers["cache-control"] == "no-store"
        assert (await client.next()).name == "listening"
        await run("INSERT INTO comments VALUES (1, 2, 'a')", "INSERT INTO posts VALUES (1)")
        await run("UPDATE comments SET body = 'b'", "DELETE FROM comments", "TRUNCATE comments")
        sent = await client.take(4)
        events = [(await anext(same)).event for _ in sent]
    assert [one.name for one in sent] == ["on_insert", "on_update", "on_delete", "on_truncate"]
    assert [one.id for one in sent] == [event.id for event in events]
    assert [one.data for one in sent] == [
        {
            "kind": one.name,
            "entity": "comments",
            "scope": {},
            "key": {} if one.name == "on_truncate" else {"id": 1},
            "event": json.loads(json_line(event)),
        }
        for one, event in zip(sent, events, strict=True)
    ]


async def test_a_client_that_comes_back_is_told_first_what_it_has_missed(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with Engine(app, settings):
        async with requesting(web) as client:
            await client.until("listening")
            await run("INSERT INTO comments VALUES (1, 1), (2, 1)")
            await client.next()
        await run("INSERT INTO comments VALUES (3, 1)")
        assert client.last_id is not None
        async with requesting(web, headers={"Last-Event-ID": client.last_id}) as again:
            first = await again.next()
            await run("INSERT INTO comments VALUES (4, 1)")
            told = [first, *await again.take(3)]
    assert [row(one) for one in told if one.name != "listening"] == [2, 3, 4]


async def test_a_client_is_told_when_what_it_has_missed_is_no_longer_kept(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with (
        Engine(app, settings),
        requesting(web, headers={"Last-Event-ID": "FF/0/3"}) as client,
    ):
        gap, listening = await client.take(2)
    assert (gap.name, gap.id, gap.data) == ("gap", None, {"reason": "retention", "messages": None})
    assert listening.name == "listening"


async def test_the_header_of_a_browser_that_comes_back_counts_for_more_than_the_page(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with Engine(app, settings) as engine:
        await run("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(PATIENCE)
        async with requesting(web, "/live?after=0/0/0") as client:
            [first] = await client.until("listening")
        assert first.id is not None
        async with requesting(web, "/live?after=0/0/0", {"Last-Event-ID": first.id}) as client:
            assert await client.until("listening") == []


async def test_a_client_that_leaves_is_no_longer_listened_for(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with Engine(app, settings) as engine:
        wants = engine._broker.pubsub.wants
        async with requesting(web) as client:
            await client.until("listening")
            assert wants("comments")
        assert not wants("comments")
        async with requesting(web) as client:  # one that leaves while it is being sent something
            await client.until("listening")
            client.reads.clear()
            await run("INSERT INTO comments VALUES (1, 1)")
            await engine.settle(PATIENCE)
        assert not wants("comments")


async def test_a_client_that_takes_nothing_for_long_is_let_go(
    app: EventScope, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "_STUCK", 0.01)
    web = live(app, COMMENTS)
    async with Engine(app, settings) as engine, requesting(web) as client:
        await client.until("listening")
        client.reads.clear()
        await run("INSERT INTO comments VALUES (1, 1)")
        await until(lambda: not engine._broker.pubsub.wants("comments"))


async def test_a_slow_client_is_told_how_much_it_has_lost_and_slows_nobody(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web, count = live(app, COMMENTS), 3 * stream.CAPACITY
    async with Engine(app, settings) as engine, requesting(web) as slow, requesting(web) as quick:
        await slow.until("listening")
        await quick.until("listening")
        slow.reads.clear()
        for start in range(0, count, 500):
            await run(
                f"INSERT INTO comments SELECT n, 1 FROM generate_series({start}, {start + 499}) n"
            )
            told = await quick.take(500)
            assert [row(one) for one in told] == [*range(start, start + 500)]
        await engine.settle(PATIENCE)
        slow.reads.set()
        before = [await slow.next()]
        while before[-1].name != "gap":
            before.append(await slow.next())
        gap = before.pop()
        after = await slow.take(stream.CAPACITY)
    assert [row(one) for one in before] == [*range(len(before))]
    assert [row(one) for one in after] == [*range(count - len(after), count)]
    assert gap.data == {"reason": "slow", "messages": count - len(before) - len(after)}


async def test_a_silent_connection_is_kept_alive_and_its_id_moves_on(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, Subscription("posts"), keepalive=0.01)
    async with Engine(app, settings) as engine, requesting(web) as client:
        [] = await client.until("listening")
        assert client.last_id == "0/0/0"
        await run("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(PATIENCE)
        while client.last_id == "0/0/0":
            comment = await client.next()
            assert (comment.name, comment.data) == ("", None)
        last = engine._queue.last
        assert last is not None
        assert client.last_id == f"{last.end_lsn}/0"


async def test_a_client_has_to_come_back_after_a_while_and_misses_nothing_by_that(
    app: EventScope, run: Run, settings: Settings
) -> None:
    answers = iter([COMMENTS, COMMENTS, None])

    async def for_a_while(request: object) -> Subscription | None:
        return next(answers)

    web = live(app, for_a_while, max_age=1)
    async with Engine(app, settings) as engine:
        async with requesting(web) as client:
            await client.until("listening")
            assert (await client.next()).name == ""
            await client.ended()
        await run("INSERT INTO comments VALUES (1, 1)")
        await engine.settle(PATIENCE)
        back = {"Last-Event-ID": client.last_id or ""}
        async with requesting(web, headers=back) as client:
            assert [row(one) for one in await client.until("listening")] == [1]
        async with requesting(web, headers=back) as client:
            assert client.status == 403


async def test_a_client_that_is_told_of_the_past_has_to_come_back_too(
    app: EventScope, run: Run, settings: Settings
) -> None:
    """Or one that reads slowly would hear for ever what it was permitted to hear once."""
    web, told = live(app, COMMENTS, max_age=0), list[Sent]()
    async with Engine(app, settings) as engine:
        await run("INSERT INTO comments VALUES (1, 1), (2, 1)")
        await engine.settle(PATIENCE)
        after = "0/0/0"
        for _ in range(2):
            async with requesting(web, headers={"Last-Event-ID": after}) as client:
                told.append(await client.next())
                await client.ended()
                after = client.last_id or ""
    assert [row(one) for one in told] == [1, 2]


async def test_the_end_of_the_engine_ends_the_answer(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with Engine(app, settings) as engine, requesting(web) as client:
        await client.until("listening")
        await engine.__aexit__(None, None, None)
        await client.ended()
        async with requesting(web) as late:
            assert late.status == 503
            assert late.headers["retry-after"] == "1"


async def test_only_get_is_answered_and_only_with_an_id_that_is_one(
    app: EventScope, run: Run, settings: Settings
) -> None:
    web = live(app, COMMENTS)
    async with Engine(app, settings):
        async with requesting(web, method="POST") as client:
            assert client.status == 405
        async with requesting(web, method="HEAD") as client:
            assert client.status == 200
        for id in ("yesterday", "1/2/3/4", "0/1/99999999999999999999", "0/1/-1"):
            async with requesting(web, headers={"Last-Event-ID": id}) as client:
                assert client.status == 400


async def test_many_clients_are_told_of_the_same_event_and_none_waits_for_another(
    app: EventScope, run: Run, settings: Settings
) -> None:
    def one_post(request: object) -> Subscription:
        post = request.query_params["post"]  # type: ignore[attr-defined]
        return Subscription("comments", scope={"post_id": post})

    web = live(app, one_post)

    async def listen(post: int) -> list[int]:
        async with requesting(web, f"/live?post={post}") as client:
            await client.until("listening")
            ready.release()
            return [row(one) for one in await client.take(20)]

    ready = asyncio.Semaphore(0)
    async with Engine(app, settings):
        listening = [asyncio.create_task(listen(n % 10)) for n in range(50)]
        for _ in listening:
            await ready.acquire()
        for start in range(0, 200, 20):
            series = f"generate_series({start}, {start + 19}) n"
            await run(f"INSERT INTO comments SELECT n, n % 10 FROM {series}")
        heard = await asyncio.gather(*listening)
    assert heard == [[*range(n % 10, 200, 10)] for n in range(50)]
