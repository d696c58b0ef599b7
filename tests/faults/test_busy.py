"""A server that is impatient, and operators that take their time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import psycopg
import pytest
import structlog

from eventscope import Event, EventScope
from eventscope.engine import Engine, loop_watch
from eventscope.settings import Settings
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Write
from tests.waiting import operator, until, until_async


@pytest.fixture
def settings(database: str, make_settings: MakeSettings) -> Settings:
    """A server that gives a reader up after a second of silence."""
    return make_settings(url=f"{database}&options=-c%20wal_sender_timeout%3D1s")


class Busy(EventScope):
    """An application whose one handler stays at its work until it may leave."""

    def __init__(self, kind: str) -> None:
        super().__init__("busy")
        self.seen: list[Any] = []
        self.may_leave = threading.Event()
        handler = {"async": self._await, "sync": self._block}[kind]
        self.operator(entities=["notes"], name="busy")(handler)

    async def _await(self, event: Event) -> None:
        await asyncio.to_thread(self.may_leave.wait)
        self.seen.append(event.id)

    def _block(self, event: Event) -> None:
        self.may_leave.wait()
        self.seen.append(event.id)


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_operator_that_takes_longer_than_the_server_waits_does_not_cost_the_stream(
    notes: Write, connection: Connection, settings: Settings, kind: str
) -> None:
    app = Busy(kind)
    async with Engine(app, settings) as engine:
        await notes(1)
        await until(lambda: operator(engine, "busy").state == "running")
        try:
            first, replies = await sender(connection, settings), set()

            async def enough() -> bool:
                pid, reply = await sender(connection, settings)
                replies.add(reply)
                assert pid == first[0]
                return len(replies) > 4  # the server asks after half a second of silence

            await until_async(enough)
            assert app.seen == []
        finally:
            app.may_leave.set()
        await engine.settle(60)
    assert len(app.seen) == 1


async def sender(connection: Connection, settings: Settings) -> tuple[int, Any]:
    """The process that sends, and when it has last heard of us."""
    cursor = await connection.execute(
        "SELECT r.pid, r.reply_time FROM pg_stat_replication r"
        " JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = %s",
        [settings.slot_name],
    )
    row = await cursor.fetchone()
    assert row is not None, "nobody sends"
    return row


async def test_a_handler_that_holds_the_loop_is_named_and_nothing_is_lost(
    notes: Write,
    connection: Connection,
    database: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It costs the connection, if it takes longer than the server waits."""
    monkeypatch.setattr(loop_watch, "PATIENCE", 0.2)
    monkeypatch.setattr(loop_watch, "_INTERVAL", 0.1)
    app, seen = EventScope("hog"), []

    @app.operator(entities=["notes"])
    async def hog(event: Event) -> None:
        if not seen:
            wait_until_given_up(database, settings.slot_name)
        seen.append((event.new_record or {})["id"])

    with structlog.testing.capture_logs() as logged:
        async with Engine(app, settings) as engine:
            await until(lambda: engine.snapshot().stream.state == "streaming")
            await notes(1, 2)
            await until(lambda: seen == [1, 2])
            await until(lambda: any("turns again" in line["event"] for line in logged))
            await notes(3)
            await engine.settle(60)
    assert seen == [1, 2, 3]
    said = [line["event"] for line in logged if "the event loop is held" in line["event"]]
    assert len(said) == 1
    assert f"by hog ({__file__}:" in said[0]
    assert [line["state"] for line in logged if "state" in line] == ["reconnecting"]


def wait_until_given_up(database: str, slot: str) -> None:
    """Do anything but give way, until the server has ended the session that reads."""
    with psycopg.connect(database, autocommit=True) as connection:
        while connection.execute(
            "SELECT active FROM pg_replication_slots WHERE slot_name = %s", [slot]
        ).fetchone() == (True,):
            time.sleep(0.01)
