"""What is broadcast of a change: behaviour for behaviour what EventStreamex tests.

Mirrors test/event_streamex/events_test.exs of EventStreamex 1.2.1, which has 5 tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from eventscope import Change, Event, EventScope, Message
from eventscope.engine import Engine
from eventscope.message import Stream
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.pubsub.hearing import take

GENERAL, DIRECT, SCOPED = (), "direct", (("posts", "123"),)
ROW = {"id": 89, "comment": "hello", "post_id": 123, "at": datetime(2023, 9, 19, 7, 57, tzinfo=UTC)}


@dataclass
class Running:
    """A running application with an operator, and a stream of a row's three channels."""

    connection: Connection
    engine: Engine
    messages: Stream
    processed: list[Event]

    async def heard(self) -> Message:
        """The one message that is broadcast on all three channels."""
        first, *others = messages = await take(self.messages, 3)
        assert [message.scope for message in messages] == [GENERAL, DIRECT, SCOPED]
        assert {(other.kind, other.event, other.entity) for other in others} == {
            (first.kind, first.event, first.entity)
        }
        await self.engine.settle(60)
        assert [event.id for event in self.processed][-1:] == [first.event.id], "operators as well"
        return first


@pytest.fixture
async def running(connection: Connection, settings: Settings) -> AsyncIterator[Running]:
    await connection.execute(
        "CREATE TABLE comments (id int PRIMARY KEY, comment text, post_id int, at timestamptz);"
        "ALTER TABLE comments REPLICA IDENTITY FULL;"
        "CREATE TABLE others (LIKE comments INCLUDING ALL)"
    )
    app, processed = EventScope("original"), list[Event]()
    app.entity("comments", scopes=[{"post_id": "posts"}])
    app.entity("others")

    @app.operator(entities="comments")
    async def scheduled(event: Event) -> None:
        processed.append(event)

    @app.operator(entities="comments", events="message")
    async def of_the_prefix(event: Event) -> None: ...

    async with Engine(app, settings) as engine, app.subscribe("comments") as stream:
        await stream.join("comments", id=89)
        await stream.join("comments", scope={"post_id": 123})
        yield Running(connection, engine, stream, processed)


async def _insert(running: Running, after: str = "") -> Message:
    await running.connection.execute(
        f"{after} INSERT INTO comments VALUES (89, 'hello', 123, '2023-09-19 09:57+02')"
    )
    return await running.heard()


async def test_an_insert_is_broadcast_on_the_general_direct_and_scoped_channels(running: Running):
    message = await _insert(running)
    event = message.event
    assert (message.kind, message.entity, event.type) == ("on_insert", "comments", "insert")
    assert event.new_record == ROW
    assert (event.old_record, event.changes) == (None, None)
    assert (event.source.schema, event.source.table) == ("public", "comments")
    assert event.source.columns == {
        "id": "int4", "comment": "text", "post_id": "int4", "at": "timestamptz",
    }  # fmt: skip
    assert event.timestamp.tzinfo is not None
    assert event.lsn < event.id.end_lsn


async def test_an_update_is_broadcast_on_the_general_direct_and_scoped_channels(running: Running):
    await _insert(running)
    await running.connection.execute("UPDATE comments SET comment = 'bye'")
    message = await running.heard()
    event = message.event
    assert (message.kind, message.entity, event.type) == ("on_update", "comments", "update")
    assert event.new_record == {**ROW, "comment": "bye"}
    assert event.old_record is None
    assert event.changes == {"comment": Change("hello", "bye")}


async def test_a_delete_is_broadcast_on_the_general_direct_and_scoped_channels(running: Running):
    await _insert(running)
    await running.connection.execute("DELETE FROM comments")
    message = await running.heard()
    event = message.event
    assert (message.kind, message.entity, event.type) == ("on_delete", "comments", "delete")
    assert event.old_record == ROW
    assert (event.new_record, event.changes) == (None, None)


@pytest.mark.parametrize("alone", ["COMMIT;", ""], ids=["alone", "in one transaction"])
async def test_an_event_of_another_type_is_not_broadcast(running: Running, alone: str):
    message = await _insert(
        running, after=f"SELECT pg_logical_emit_message(true, 'comments', 'hello'); {alone}"
    )
    assert message.kind == "on_insert"
    assert [event.id for event in running.processed] == [message.event.id]


@pytest.mark.parametrize("alone", ["COMMIT;", ""], ids=["alone", "in one transaction"])
async def test_an_event_of_another_table_is_not_broadcast(running: Running, alone: str):
    message = await _insert(running, after=f"INSERT INTO others VALUES (89, 'hello', 123); {alone}")
    assert message.kind == "on_insert"
    assert [event.id for event in running.processed] == [message.event.id]
