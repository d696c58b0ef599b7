"""An application beside a test: what it waits for, and what it tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from eventscope import Event, EventScope
from eventscope.engine.commands import Pause
from eventscope.errors import NotRunning
from eventscope.replication.connection import SourceError
from eventscope.testing import StartRunner
from tests.cascades import STEPS, TABLES, a_cascade


@pytest.fixture(scope="module")
def eventscope_schema() -> list[str]:
    return [
        TABLES,
        "CREATE TABLE notes (id int PRIMARY KEY, text text);"
        "ALTER TABLE notes REPLICA IDENTITY FULL;"
        "CREATE TABLE lengths (id int PRIMARY KEY, length int NOT NULL);",
    ]


@pytest.fixture
def app() -> EventScope:
    return EventScope("notes")


def lengths(app: EventScope) -> EventScope:
    """Fails at rows whose text is NULL."""
    app.query(
        "lengths",
        sql="INSERT INTO lengths SELECT id, length(text) FROM notes WHERE id = $1"
        " ON CONFLICT (id) DO UPDATE SET length = excluded.length",
        ids={"notes": "id"},
    )
    return app


def test_settle_waits_for_a_cascade_to_its_end(eventscope_runner: StartRunner) -> None:
    runner = eventscope_runner(a_cascade())
    for n in range(10):
        runner.execute("INSERT INTO step_0 VALUES (%s)", [n])
        runner.settle()
        assert runner.execute(f"SELECT count(*) FROM step_{STEPS}").fetchone() == (n + 1,)


def test_a_derived_table_is_compared_when_it_is_settled(eventscope_runner: StartRunner) -> None:
    runner = eventscope_runner(a_cascade())
    runner.execute("INSERT INTO step_0 SELECT generate_series(1, 500)")
    runner.assert_derived(f"step_{STEPS}", "SELECT id FROM step_0;\n")


def test_a_handler_that_halts_fails_the_test_with_its_traceback(
    eventscope_runner: StartRunner, app: EventScope
) -> None:
    @app.operator(entities=["notes"])
    def refuses(event: Event) -> None:
        raise ValueError("no \x1b[31mred")

    runner = eventscope_runner(app, operator_queue_max_retries=2)
    runner.execute("INSERT INTO notes VALUES (1, 'a')")
    with pytest.raises(AssertionError) as caught:
        runner.settle()
    first, second, *traceback = str(caught.value).splitlines()
    assert first == "settled, but not all was applied"
    assert second == (
        "  operator refuses has halted at insert of notes, attempts: 3: ValueError: no ␛[31mred"
    )
    assert any('raise ValueError("no' in line for line in traceback)
    assert "\x1b" not in str(caught.value)

    runner.settle(may_fail=True)
    operator = runner.operator("refuses")
    assert operator.state == "halted"
    assert [attempt.error for attempt in operator.attempts] == ["ValueError: no \x1b[31mred"] * 3
    assert {attempt.event for attempt in operator.attempts} == {runner.events[0].id}


def test_a_dead_letter_fails_the_test(eventscope_runner: StartRunner, app: EventScope) -> None:
    runner = eventscope_runner(lengths(app), operator_queue_max_retries=1)
    runner.execute("INSERT INTO notes VALUES (1, 'abc'), (2, NULL)")
    with pytest.raises(AssertionError) as caught:
        runner.assert_derived("lengths", "SELECT id, length(text) AS length FROM notes")
    _, second, third, *_ = str(caught.value).splitlines()
    assert second == "  operator lengths has dead letters: 1"
    assert third.startswith("    id 2 by insert of notes, attempts: 2: NotNullViolation")

    truth = "SELECT id, length(text) AS length FROM notes WHERE text IS NOT NULL"
    runner.assert_derived("lengths", truth, may_fail=True)
    [letter] = runner.operator("lengths").dead_letters
    assert letter.target == ("2",)
    assert letter.event == runner.events[1].id


def test_an_id_that_succeeds_when_it_is_tried_again_fails_nothing(
    eventscope_runner: StartRunner, app: EventScope
) -> None:
    runner = eventscope_runner(lengths(app), operator_queue_min_restart_time=200)
    runner.execute("INSERT INTO notes VALUES (2, NULL)")
    runner.execute("UPDATE notes SET text = 'ab'")
    runner.assert_derived("lengths", "SELECT id, length(text) AS length FROM notes")
    assert runner.operator("lengths").dead_letters == ()


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """What a handler waits for, which the end of the test lets go."""
    event = threading.Event()
    yield event
    event.set()


def test_one_that_never_settles_is_named_with_what_it_is_at(
    eventscope_runner: StartRunner, app: EventScope, held: threading.Event
) -> None:
    begun = threading.Event()

    @app.operator(entities=["notes"])
    def slow(event: Event) -> None:
        begun.set()
        held.wait(60)

    runner = eventscope_runner(app)
    runner.execute("INSERT INTO notes VALUES (1, 'a'), (2, 'b')")
    assert begun.wait(60)
    with pytest.raises(AssertionError) as caught:
        runner.settle(timeout=0.5)
    assert str(caught.value).splitlines() == [
        "not settled after 0.5 s",
        "  operator slow is running, events to go: 2",
    ]
    held.set()
    runner.settle()


def test_a_handler_that_blocks_the_loop_is_not_waited_for_for_ever(
    eventscope_runner: StartRunner,
    app: EventScope,
    held: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @app.operator(entities=["notes"])
    async def blocks(event: Event) -> None:
        held.wait(60)

    monkeypatch.setattr("eventscope.testing.runner._GRACE", 0.5)
    runner = eventscope_runner(app)
    runner.execute("INSERT INTO notes VALUES (1, 'a')")
    with pytest.raises(AssertionError) as caught:
        runner.settle(timeout=0.5)
    assert str(caught.value).splitlines()[1:] == [
        "  operator blocks is running, events to go: 1",
        "  its event loop does not answer: a handler or a listener blocks it",
    ]


def test_one_that_is_late_is_told_with_those_that_have_failed(
    eventscope_runner: StartRunner, app: EventScope
) -> None:
    @app.operator(entities=["notes"])
    def refuses(event: Event) -> None:
        raise ValueError("no")

    runner = eventscope_runner(lengths(app), operator_queue_max_retries=0)
    runner._engine.command(Pause("lengths")).result(60)
    runner.execute("INSERT INTO notes VALUES (1, 'a')")
    with pytest.raises(AssertionError) as caught:
        runner.settle(timeout=2)
    text = str(caught.value)
    assert "operator lengths is paused, paused by the dashboard, events to go: 1" in text
    assert "operator refuses has halted at insert of notes, attempts: 1: ValueError: no" in text


def test_events_are_told_in_their_order_across_a_restart(
    eventscope_runner: StartRunner, app: EventScope
) -> None:
    app.entity("notes")
    runner = eventscope_runner(app)
    with runner.connection.transaction():
        runner.execute("INSERT INTO notes SELECT n, 'a' FROM generate_series(1, 600) n")
        runner.execute("UPDATE notes SET text = 'b' WHERE id = 600")
    runner.settle()
    runner.stop()
    runner.execute("DELETE FROM notes WHERE id = 1")
    with pytest.raises(NotRunning, match="application 'notes' has been stopped: start it again"):
        runner.settle()
    runner.start()
    runner.settle()
    events = runner.events
    assert [event.type for event in events] == ["insert"] * 600 + ["update", "delete"]
    assert [event.key["id"] for event in events] == [*range(1, 601), 600, 1]


def test_two_applications_run_beside_each_other(
    eventscope_runner: StartRunner, app: EventScope
) -> None:
    cascade = eventscope_runner(a_cascade())
    other = eventscope_runner(lengths(app))
    cascade.execute("INSERT INTO step_0 VALUES (1)")
    other.execute("INSERT INTO notes VALUES (1, 'a')")
    cascade.assert_derived(f"step_{STEPS}", "SELECT 1 AS id")
    other.assert_derived("lengths", "SELECT 1 AS id, 1 AS length")
    assert {event.name for event in other.events} == {"notes"}


def test_what_prevents_the_start_is_raised(eventscope_runner: StartRunner, app: EventScope) -> None:
    app.entity("nowhere")
    with pytest.raises(SourceError, match="nowhere"):
        eventscope_runner(app)


def test_what_has_ended_it_is_raised(eventscope_runner: StartRunner, app: EventScope) -> None:
    app.entity("notes")
    runner = eventscope_runner(app)
    runner.execute(f"DROP PUBLICATION {runner.settings.publication}")
    runner.execute("INSERT INTO notes VALUES (1, 'a')")
    with pytest.raises(SourceError, match="publication"):
        runner.settle()


def test_an_operator_that_is_not_there_is_named_with_those_that_are(
    eventscope_runner: StartRunner, app: EventScope
) -> None:
    runner = eventscope_runner(lengths(app))
    with pytest.raises(KeyError, match="no operator 'length'; there are lengths"):
        runner.operator("length")
