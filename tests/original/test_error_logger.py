"""The error logger that is there without being named: what EventStreamex means to test of it.

Mirrors test/event_streamex/error_logger_test.exs of EventStreamex 1.2.1, which has one test that is
empty.
"""

from __future__ import annotations

from structlog.testing import capture_logs

from eventscope import Event, EventScope
from eventscope.engine import Engine
from tests.conftest import Connection, MakeSettings
from tests.waiting import until_state


async def test_a_retry_is_logged_as_a_warning_and_the_end_as_an_error(
    connection: Connection, make_settings: MakeSettings
) -> None:
    await connection.execute("CREATE TABLE posts (id int PRIMARY KEY)")
    app = EventScope("original")

    @app.operator(entities="posts")
    async def bad(event: Event) -> None:
        raise ValueError("oops")

    with capture_logs() as logs:
        async with Engine(app, make_settings(operator_queue_max_retries=1)) as engine:
            await connection.execute("INSERT INTO posts VALUES (1)")
            await until_state(engine, "bad", "halted")
    told = [log for log in logs if log.get("operator") == "bad"]
    assert [(log["log_level"], log["event"], log["error"]) for log in told] == [
        ("warning", "operator failed, will retry", "ValueError: oops"),
        ("error", "operator is out of retries", "ValueError: oops"),
    ]
