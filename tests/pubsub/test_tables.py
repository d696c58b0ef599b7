"""Tables of every kind are heard of, and nothing that is none."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from eventscope import EventScope
from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.pubsub.conftest import Run
from tests.pubsub.hearing import take, told

ONE = (("posts", "1"),)
TWO = (("posts", "2"),)


async def test_a_table_without_a_primary_key_is_heard_of(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE log (line text); CREATE TABLE views (id int, line text);"
        "ALTER TABLE log REPLICA IDENTITY FULL; ALTER TABLE views REPLICA IDENTITY FULL"
    )
    app = EventScope("keyless")
    app.entity("log", scopes=[{"line": "lines"}])
    app.entity("views")
    async with (
        Engine(app, settings),
        app.subscribe("log") as all_of_it,
        app.subscribe("log", scope={"line": "a"}) as within,
        app.subscribe("log", id="a") as direct,
        app.subscribe("views", id=3) as view,
    ):
        await run("INSERT INTO log VALUES ('a'), ('b')", "INSERT INTO views VALUES (3, 'x')")
        await run("UPDATE log SET line = 'c' WHERE line = 'a'")
        assert [m.kind for m in await take(all_of_it, 3)] == ["on_insert", "on_insert", "on_update"]
        assert [m.kind for m in await take(within, 2)] == ["on_insert", "on_leave"]
        assert told((await take(view, 1))[0]) == ("on_insert", "direct", 3)
        await direct.join("views", id=3)
        await run("DELETE FROM views")
        assert told((await take(direct, 1))[0]) == ("on_delete", "direct", 3)


async def test_a_key_of_two_columns_is_given_as_a_list(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE tags (post_id int, tag text, PRIMARY KEY (post_id, tag))"
    )
    app = EventScope("tags")
    app.entity("tags")
    async with Engine(app, settings), app.subscribe("tags", id=(1, "a,b")) as stream:
        await run("INSERT INTO tags VALUES (1, 'a'), (1, 'a,b')", "DELETE FROM tags")
        assert [message.kind for message in await take(stream, 2)] == ["on_insert", "on_delete"]


async def test_a_row_of_a_partition_or_an_heir_is_announced_as_the_whole_s(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute(
        "CREATE TABLE visits (id int PRIMARY KEY) PARTITION BY RANGE (id);"
        "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE things (id int PRIMARY KEY);"
        "CREATE TABLE cars (PRIMARY KEY (id)) INHERITS (things)"
    )
    app = EventScope("partitions")
    app.entity("visits")
    app.entity("things")
    async with Engine(app, settings), app.subscribe("visits", id=1) as stream:
        await stream.join("things", id=2)
        await run("INSERT INTO visits VALUES (1)", "INSERT INTO cars VALUES (2)")
        visit, car = await take(stream, 2)
    assert (visit.entity, *told(visit)) == ("visits", "on_insert", "direct", 1)
    assert (car.entity, *told(car)) == ("things", "on_insert", "direct", 2)
    assert car.event.name == "cars"


async def test_two_tables_of_one_name_never_mix(
    connection: Connection, run: Run, settings: Settings
) -> None:
    await connection.execute("CREATE SCHEMA audit; CREATE TABLE audit.posts (id int PRIMARY KEY)")
    app = EventScope("schemas")
    app.entity("posts")
    app.entity("audit.posts")
    async with (
        Engine(app, settings),
        app.subscribe("public.posts") as public,
        app.subscribe("audit.posts", id=1) as audit,
    ):
        await run("INSERT INTO audit.posts VALUES (1)", "INSERT INTO posts VALUES (2)")
        assert told((await take(public, 1))[0]) == ("on_insert", (), 2)
        assert told((await take(audit, 1))[0]) == ("on_insert", "direct", 1)


async def test_a_logical_message_of_a_table_s_name_is_no_row(
    connection: Connection, run: Run, settings: Settings
) -> None:
    app = EventScope("prefix")
    app.entity("posts")

    @app.operator(entities="posts", events="message")
    async def messages(event: Any) -> None: ...

    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings), app.subscribe("posts") as stream:
            await run(
                "SELECT pg_logical_emit_message(true, 'posts', 'x')",
                "INSERT INTO posts VALUES (1)",
            )
            assert told((await take(stream, 1))[0]) == ("on_insert", (), 1)
    assert [line for line in logged if line["log_level"] == "error"] == []


async def test_an_event_that_cannot_be_decoded_costs_nobody_the_next(
    app: EventScope, run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import eventscope.engine.broadcast as broadcast

    announcing = broadcast.announcements

    def failing(event: Any, *args: Any) -> Any:
        if (event.new_record or {})["id"] == 2:
            raise ValueError("cannot be read")
        return announcing(event, *args)

    monkeypatch.setattr(broadcast, "announcements", failing)
    async with Engine(app, settings) as engine, app.subscribe("posts") as stream:
        await run("INSERT INTO posts VALUES (1), (2), (3)")
        assert [told(message)[2] for message in await take(stream, 2)] == [1, 3]
        assert engine.failure is None
