"""What ``pg_logical_emit_message`` writes becomes an event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from eventscope.app import EventScope
from eventscope.engine import Engine
from eventscope.event import EventId, Lsn
from eventscope.inspection.json_line import json_line
from tests.replication.reading import reading


@pytest.fixture
async def notes(connection):
    await connection.execute("CREATE TABLE notes (id int PRIMARY KEY)")


async def emit(connection, transactional: bool, prefix: str, content: str | bytes) -> Lsn:
    cursor = await connection.execute(
        "SELECT pg_logical_emit_message(%s, %s, %s)::text", (transactional, prefix, content)
    )
    (position,) = await cursor.fetchone()
    if not transactional:  # nobody waits for such a message to be on disk
        await connection.execute("SELECT pg_logical_emit_message(true, 'eventscope', '')")
    return Lsn.parse(position)


async def test_a_message_in_a_transaction_has_its_place_among_the_rows(notes, connection, settings):
    async with reading(settings, ["notes"]) as stream:
        async with connection.transaction():
            await connection.execute("INSERT INTO notes VALUES (1)")
            await emit(connection, True, "audit", '{"by": "ann"}')
            await connection.execute("INSERT INTO notes VALUES (2)")
        first, message, second = await stream.catch_up()
    assert [event.type for event in (first, message, second)] == ["insert", "message", "insert"]
    assert [event.index for event in (first, message, second)] == [0, 1, 2]
    assert message.name == "audit"
    assert message.new_record == {
        "prefix": "audit",
        "content": '{"by": "ann"}',
        "transactional": True,
    }
    assert (message.xid, message.timestamp) == (first.xid, first.timestamp)
    assert message.changes is None
    assert message.old_record is None


async def test_a_message_can_be_said_as_text_and_as_json(notes, connection, settings):
    async with reading(settings, ["notes"]) as stream:
        await emit(connection, True, "audit", '{"by": "ann"}')
        await emit(connection, True, "audit", b"\xff\x00")
        messages = await stream.catch_up()
    contents = ['{"by": "ann"}', r"\xff00"]
    for message, content in zip(messages, contents, strict=True):
        said = {"prefix": "audit", "content": content, "transactional": "t"}
        assert message.in_form("text").new_record == said
        assert json.loads(json_line(message))["new_record"] == said | {"transactional": True}


async def test_a_message_outside_of_a_transaction_comes_at_once(notes, connection, settings):
    async with reading(settings, ["notes"]) as stream:
        position = await emit(connection, False, "ping", "still here")
        (message,) = await stream.catch_up()
    assert message.new_record["transactional"] is False
    assert message.id == EventId.of(position, 0)
    assert message.lsn == position
    assert message.xid == 0
    assert abs(message.timestamp - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_message_that_is_rolled_back_was_never_said(notes, connection, settings):
    async with reading(settings, ["notes"]) as stream:
        async with connection.transaction(force_rollback=True):
            await emit(connection, True, "audit", "never")
        assert await stream.catch_up() == []


async def test_content_that_is_no_text_is_bytes(notes, connection, settings):
    async with reading(settings, ["notes"]) as stream:
        await emit(connection, True, "blob", b"\xff\x00")
        await emit(connection, True, "blob", "")
        full, empty = await stream.catch_up()
    assert full.new_record["content"] == b"\xff\x00"
    assert empty.new_record["content"] == ""


@pytest.mark.parametrize("transactional", [True, False])
async def test_a_message_that_was_stored_is_not_stored_again(
    notes, connection, settings, transactional
):
    async with reading(settings, ["notes"]) as stream:
        start = stream.assembler.passed
        await emit(connection, transactional, "audit", "one")
        await emit(connection, transactional, "audit", "two")
        first, second = await stream.catch_up()
    for stored, wanted in ((first, ["two"]), (second, [])):
        until = stored.id.end_lsn
        async with reading(settings, ["notes"], start=start or Lsn(0), stored=until) as again:
            events = await again.catch_up()
        assert [event.new_record["content"] for event in events] == wanted


async def test_an_operator_follows_messages_by_their_prefix(notes, connection, settings):
    app = EventScope("told")
    app.entity("notes")
    seen: list[str] = []

    @app.operator(entities=["deploy", "public.odd prefix"], events=["message"])
    async def deploys(event, tx) -> None:
        seen.append(event.new_record["content"])

    @app.operator(entities=["notes"])
    async def rows(event) -> None:
        seen.append(event.type)

    async with Engine(app, settings) as engine:
        await emit(connection, True, "deploy", "v1")
        await emit(connection, False, "public.odd prefix", "v2")
        await emit(connection, True, "notes", "not for rows")
        await emit(connection, True, "eventscope", "our own")
        await engine.settle(20)
        depths = {operator.name: operator.applied for operator in engine.snapshot().operators}
        assert engine.snapshot().stream.events == 3
    assert seen == ["v1", "v2"]
    assert depths == {"deploys": 2, "rows": 0}
    async with Engine(app, settings) as engine:
        await emit(connection, True, "deploy", "v3")
        await engine.settle(20)
    assert seen == ["v1", "v2", "v3"], "the prefix is still known after a restart"


async def test_an_application_may_follow_messages_alone(connection, settings):
    app = EventScope("told")
    seen: list[str] = []

    @app.operator(entities=["deploy"], events=["message"])
    async def deploys(event) -> None:
        seen.append(event.new_record["content"])

    async with Engine(app, settings) as engine:
        await emit(connection, True, "deploy", "v1")
        await engine.settle(20)
    assert seen == ["v1"]


async def test_however_many_prefixes_there_are_those_that_nobody_follows_are_told_as_one(
    notes, connection, settings
):
    async with reading(settings, ["notes"]) as stream:
        for n in range(5):
            await emit(connection, n % 2 == 0, f"user/{n}", "x")
        events = await stream.catch_up()
    assert [event.name for event in events] == [f"user/{n}" for n in range(5)]
    assert [event.new_record["prefix"] for event in events] == [f"user/{n}" for n in range(5)]
    assert len(stream.relations) == 1
