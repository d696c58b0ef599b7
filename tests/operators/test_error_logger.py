"""What an ``error_logger_adapter`` is told, and what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.operators.failures import RetryStatus
from eventscope.settings import SettingsError
from tests.conftest import Connection, MakeSettings
from tests.operators.conftest import Write
from tests.operators.declared import Attempts, Seen
from tests.waiting import until_state


class Heard:
    """An error logger that keeps what it is told."""

    retries: Sequence[tuple[Any, ...]] = ()
    failures: Sequence[tuple[Any, ...]] = ()

    def on_retry(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        Heard.retries = [*Heard.retries, (operator, event.id, str(error), status)]

    def on_failed(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        Heard.failures = [*Heard.failures, (operator, event.id, str(error), status)]


class Broken:
    """An error logger with an error of its own."""

    def on_retry(self, *_: object) -> None:
        raise RuntimeError("of the error logger")

    on_failed = on_retry


async def test_every_retry_and_the_halt_are_told_with_the_status_of_the_original(
    notes: Write, make_settings: MakeSettings
) -> None:
    Heard.retries = Heard.failures = ()
    app = EventScope("failures")
    Attempts(app, failures=99)
    settings = make_settings(
        error_logger_adapter=f"{__name__}:Heard",
        operator_queue_max_retries=2,
        operator_queue_min_restart_time=100,
        operator_queue_max_restart_time=150,
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "bad", "halted")
    assert [(name, error) for name, _, error, _ in Heard.retries] == [
        ("bad", "failure 1"), ("bad", "failure 2"),
    ]  # fmt: skip
    first, second = (status for *_, status in Heard.retries)
    assert (first.curr_retries, first.max_retries) == (0, 2)
    assert (first.max_restart_time, first.backoff_multiplicator) == (150, 2.0)
    assert 100 <= first.curr_time_to_wait <= 110
    assert 150 <= second.curr_time_to_wait <= 165
    [(name, id, error, last)] = Heard.failures
    assert (name, id, error) == ("bad", Heard.retries[0][1], "failure 3")
    assert (last.curr_retries, last.max_retries) == (2, 2)
    assert 150 <= last.curr_time_to_wait <= 165


async def test_dead_letters_are_told_like_a_halt(
    notes: Write, connection: Connection, make_settings: MakeSettings
) -> None:
    Heard.retries = Heard.failures = ()
    app = EventScope("failures")

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def handler(event: Event) -> None:
        raise ValueError("no")

    app.query("others", sql="INSERT INTO others VALUES (1 / ($1::int - 1))", ids={"notes": "id"})
    settings = make_settings(error_logger_adapter=f"{__name__}:Heard", operator_queue_max_retries=1)
    async with Engine(app, settings) as engine:
        await notes(1)
        await engine.settle(60)
    for heard, retries in ((Heard.retries, 0), (Heard.failures, 1)):
        assert sorted((name, error) for name, _, error, _ in heard) == [
            ("handler", "no"), ("others", "division by zero"),
        ]  # fmt: skip
        assert {status.curr_retries for *_, status in heard} == {retries}
        assert len({id for _, id, _, _ in heard}) == 1


async def test_an_error_logger_with_an_error_of_its_own_harms_nobody(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("failures")
    Attempts(app, failures=99)
    good = Seen(app)
    settings = make_settings(
        error_logger_adapter=f"{__name__}:Broken", operator_queue_max_retries=1
    )
    async with Engine(app, settings) as engine:
        await notes(1)
        await until_state(engine, "bad", "halted")
        await notes(2)
        await engine.settle(60)
        assert engine.failure is None
        assert good.ids == [1, 2]


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        ("nowhere", "want log or package.module:Class"),
        ("no.such.module:Class", "No module named 'no'"),
        (f"{__name__}:Nothing", "has no attribute 'Nothing'"),
        (f"{__name__}:Seen", "missing 1 required positional argument"),
        ("collections:Counter", "has no method on_retry"),
    ],
)
async def test_an_error_logger_that_cannot_be_is_refused_at_the_start(
    notes: Write, make_settings: MakeSettings, adapter: str, why: str
) -> None:
    app = EventScope("failures")
    Seen(app)
    with pytest.raises(SettingsError, match="setting error_logger_adapter") as caught:
        async with Engine(app, make_settings(error_logger_adapter=adapter)):
            pass
    assert why in str(caught.value)
