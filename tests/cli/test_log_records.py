"""What operators print and log while a dashboard has the terminal, and what the log makes of it."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog

from eventscope import Event, EventScope
from eventscope.cli.log import log_to_file
from eventscope.cli.log_records import shown
from eventscope.engine.log_ring import LogRecord, LogRing
from eventscope.engine.thread import EngineThread
from eventscope.operators.redaction import Redaction
from eventscope.settings import Settings
from eventscope.tui.prints import prints_in_log
from tests.conftest import Connection, MakeSettings
from tests.waiting import until

SECRET = "hunter2hunter2"


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "eventscope.log"


@pytest.fixture
def ring(log_file: Path, settings: Settings) -> Iterator[LogRing]:
    """The log of a dashboard; whoever configured logging before finds it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ring = LogRing()
    ours = settings.model_copy(
        update={"url": Settings.load(url=f"postgresql://me:{SECRET}@host/shop").url}
    )
    log_to_file(log_file, *shown(ring, Redaction(ours)))
    yield ring
    structlog.get_config()["logger_factory"]._file.close()
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


def records(ring: LogRing, level: str | None = None) -> list[LogRecord]:
    return [one for _, one in ring.since(0) if level in (None, one.level)]


@pytest.fixture
async def notes(connection: Connection) -> Connection:
    await connection.execute("CREATE TABLE notes (id int PRIMARY KEY)")
    return connection


async def test_what_handlers_print_is_told_with_operator_and_event(
    notes: Connection, settings: Settings, ring: LogRing, log_file: Path
) -> None:
    app = EventScope("printing")
    ids: dict[str, list[str]] = {"awaited": [], "threaded": []}

    @app.operator(entities=["notes"])
    async def awaited(event: Event) -> None:
        print("awaited", end=" ")
        await asyncio.sleep(0)
        print("sees", event.new_record and event.new_record["id"])
        ids["awaited"].append(event.id)

    @app.operator(entities=["notes"])
    def threaded(event: Event) -> None:
        print("threaded sees", event.new_record and event.new_record["id"], file=sys.stderr)
        logging.getLogger("mine").warning("a warning")
        ids["threaded"].append(event.id)

    engine = EngineThread(app, settings)
    with prints_in_log():
        await asyncio.to_thread(engine.start)
        try:
            for number in (1, 2):
                await notes.execute("INSERT INTO notes VALUES (%s)", [number])
            await until(lambda: len(ids["awaited"]) == len(ids["threaded"]) == 2)
        finally:
            await asyncio.to_thread(engine.stop)
        print("nobody's own")

    prints = records(ring, "print")
    for name, stream in (("awaited", "stdout"), ("threaded", "stderr")):
        assert [(p.message, p.event_id, p.details) for p in prints if p.operator == name] == [
            (f"{name} sees 1", ids[name][0], (("printed", stream),)),
            (f"{name} sees 2", ids[name][1], (("printed", stream),)),
        ]
    assert [(p.message, p.operator, p.event_id) for p in prints if p.operator is None] == [
        ("nobody's own", None, None)
    ]
    warned = [r for r in records(ring, "warning") if r.message == "a warning"]
    assert [(r.operator, r.event_id) for r in warned] == [("threaded", i) for i in ids["threaded"]]
    assert "awaited sees 1" in await asyncio.to_thread(log_file.read_text)


@pytest.mark.parametrize("given", [{"batch": 2}, {"concurrency": 2}], ids=str)
async def test_lists_and_lanes_tell_their_events_too(
    notes: Connection, settings: Settings, ring: LogRing, given: dict[str, Any]
) -> None:
    app = EventScope("printing")
    seen: list[str] = []

    @app.operator(entities=["notes"], **given)
    async def prints(what: Any) -> None:
        first = what[0] if isinstance(what, list) else what
        await asyncio.sleep(0)
        print("at", first.id)
        seen.append(first.id)

    engine = EngineThread(app, settings)
    with prints_in_log():
        await asyncio.to_thread(engine.start)
        try:
            await notes.execute("INSERT INTO notes SELECT generate_series(1, 4)")
            await until(lambda: len(seen) >= (2 if "batch" in given else 4))
        finally:
            await asyncio.to_thread(engine.stop)
    told = [(p.message, p.event_id) for p in records(ring, "print")]
    assert sorted(told) == sorted((f"at {id}", id) for id in seen)


async def test_a_transaction_keeps_its_handler_told(
    notes: Connection, make_settings: MakeSettings, ring: LogRing
) -> None:
    app = EventScope("printing")
    done: list[str] = []

    @app.operator(entities=["notes"])
    async def in_tx(event: Event, tx: psycopg.AsyncConnection[Any]) -> None:
        await tx.execute("SELECT 1")
        print("inside")
        done.append(event.id)

    engine = EngineThread(app, make_settings())
    with prints_in_log():
        await asyncio.to_thread(engine.start)
        try:
            await notes.execute("INSERT INTO notes VALUES (1)")
            await until(lambda: done)
        finally:
            await asyncio.to_thread(engine.stop)
    [told] = records(ring, "print")
    assert (told.operator, [told.event_id]) == ("in_tx", done)


def test_secrets_reach_neither_the_file_nor_the_ring(ring: LogRing, log_file: Path) -> None:
    log = structlog.get_logger()
    with prints_in_log():
        print(f"connecting with {SECRET}")
        log.error("cannot connect", url=f"postgresql://me:{SECRET}@host/shop")
        logging.getLogger("lib").error("password=%s", SECRET)
    assert len(records(ring)) == 3
    assert SECRET not in str(records(ring)) + log_file.read_text()


def test_control_characters_do_not_reach_the_file(ring: LogRing, log_file: Path) -> None:
    with prints_in_log():
        print("\x1b]0;owned\x07 and more")
    assert "\x1b" not in log_file.read_text()
    assert records(ring)[0].message == "\x1b]0;owned\x07 and more", "whole, for who shows it"


def test_lines_end_where_they_end(ring: LogRing) -> None:
    with prints_in_log():
        print("one\ntwo\n\nthr", end="")
        print("ee", flush=True)
        print("x" * 5_000, end="")
        print("never ended", end="")
    assert [r.message for r in records(ring)] == ["one", "two", "three", "x" * 4_000, "never ended"]


def test_nothing_is_captured_any_more_afterwards(
    ring: LogRing, capsys: pytest.CaptureFixture[str]
) -> None:
    with prints_in_log():
        print("within")
    print("after")
    assert capsys.readouterr().out == "after\n"


def test_a_log_that_is_itself_printed_does_not_go_round_in_circles() -> None:
    beneath = io.StringIO()
    structlog.reset_defaults()  # which prints
    before = sys.stdout
    sys.stdout = beneath
    try:
        with prints_in_log():
            print("said once")
            structlog.get_logger().info("logged once")
    finally:
        sys.stdout = before
    assert beneath.getvalue().count("said once") == 1
    assert beneath.getvalue().count("logged once") == 1


def test_the_ring_is_bounded_and_counts_on(ring: LogRing) -> None:
    small = LogRing(3)
    for number in range(10):
        small.add(LogRecord(0.0, "info", str(number)))
    assert (small.first, small.next) == (7, 10)
    assert [(seq, r.message) for seq, r in small.since(0)] == [(7, "7"), (8, "8"), (9, "9")]
    assert [seq for seq, _ in small.since(9)] == [9]
    assert small.since(10) == []


def test_many_threads_may_write(ring: LogRing) -> None:
    small = LogRing(100)

    def write() -> None:
        for _ in range(500):
            small.add(LogRecord(0.0, "info", "x"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen = [seq for seq, _ in small.since(0)]
        assert seen == list(range(seen[0], seen[0] + len(seen))) if seen else True
    assert small.next == 2_000


def test_levels_that_nobody_knows_become_their_nearest(ring: LogRing) -> None:
    logging.getLogger("x").critical("worst")
    logging.getLogger("x").log(25, "between")
    assert [(r.message, r.level) for r in records(ring)] == [
        ("worst", "error"),
        ("between", "info"),
    ]


async def test_between_events_it_is_at_none(
    notes: Connection, settings: Settings, ring: LogRing
) -> None:
    app = EventScope("printing")
    done: list[str] = []

    @app.operator(entities=["notes"], batch=2)
    async def fails_at_two(events: list[Event]) -> None:
        if len(events) > 1:
            raise ValueError("two at a time")
        done.append(events[0].id)

    engine = EngineThread(app, settings)
    await asyncio.to_thread(engine.start)
    try:
        await notes.execute("INSERT INTO notes VALUES (1), (2)")
        await until(lambda: len(done) == 2)
    finally:
        await asyncio.to_thread(engine.stop)
    [told] = [record for record in records(ring) if "one by one" in record.message]
    assert (told.operator, told.event_id) == ("fails_at_two", None)


@pytest.mark.parametrize("propagates", [True, False])
def test_a_handler_of_logging_that_has_hold_of_the_terminal_lets_it_go(
    ring: LogRing, capsys: pytest.CaptureFixture[str], propagates: bool
) -> None:
    logger = logging.getLogger("tests.of.its.own")
    handler = logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    logger.propagate = propagates
    try:
        with prints_in_log(), prints_in_log():
            logger.warning("beside the dashboard")
        assert capsys.readouterr().err == ""
        [told] = records(ring)
        assert (told.message, told.level) == (
            "beside the dashboard",
            "warning" if propagates else "print",
        )
        logger.warning("afterwards")
        assert capsys.readouterr().err == "afterwards\n"
    finally:
        logger.removeHandler(handler)
