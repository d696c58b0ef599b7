"""A headless run whose queue file cannot be written for a while."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from eventscope import EventScope
from eventscope.cli import headless
from eventscope.cli.caught_up import until_caught_up
from eventscope.queue.faults import Unwritable
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.hindrances import locked
from tests.waiting import until


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look often; leave the test's process its signals."""
    monkeypatch.setattr("eventscope.queue.patience._AGAIN", 0.01)
    monkeypatch.setattr("eventscope.queue.appender.LOCK_WAIT", 0.05)
    monkeypatch.setattr("eventscope.queue.sqlite.LOCK_WAIT", 0.05)
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def app() -> EventScope:
    app = EventScope("shop")
    app.operator(entities=["notes"], name="seen")(lambda event: None)
    return app


async def test_one_with_an_end_gives_up_with_the_cure(
    app: EventScope, settings: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headless, "_FULL_DISK", 0.2)
    await connection.execute("create table notes (id int primary key)")
    assert await headless.run(app, settings, until_caught_up(60)) == 0
    await connection.execute("insert into notes values (1)")
    begun, written = asyncio.Event(), asyncio.Event()

    async def work(engine: headless.Engine) -> int:
        begun.set()
        await written.wait()
        return await until_caught_up(None)(engine)

    assert settings.queue_path is not None
    running = asyncio.create_task(headless.run(app, settings, work))
    await begun.wait()
    async with locked(settings.queue_path) as pid:
        await connection.execute("insert into notes values (2)")
        written.set()
        with pytest.raises(Unwritable, match=f"end process {pid}, .*then start again") as raised:
            await running
    assert raised.value.exit_code == 3
    assert await headless.run(app, settings, until_caught_up(60)) == 0, "nothing is lost"


async def test_a_server_waits_as_long_as_it_takes(
    app: EventScope, settings: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headless, "_FULL_DISK", 0.0)
    await connection.execute("create table notes (id int primary key)")
    assert settings.queue_path is not None
    with capture_logs() as logs:

        def logged(text: str) -> bool:
            return any(text in line["event"] for line in logs)

        running = asyncio.create_task(headless.run(app, settings))
        await until(lambda: logged("streaming"))
        async with locked(settings.queue_path) as pid:
            await connection.execute("insert into notes values (1)")
            await until(lambda: logged(f"end process {pid}"))
        await until(lambda: logged("nothing waits to be written any more"))
        signal.raise_signal(signal.SIGTERM)
        assert await running == 0
