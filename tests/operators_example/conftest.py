from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from eventscope.demo.truth import differences
from eventscope.engine import Engine
from eventscope.settings import Settings
from operators_example import DERIVED, app

TRUTHS = {table.name: table.truth for table in DERIVED}

AssertTrue = Callable[[Engine], Awaitable[None]]


@pytest.fixture
def settings(blog, make_settings) -> Settings:
    return make_settings(operator_queue_min_restart_time=1)


@pytest.fixture
async def engine(settings) -> AsyncIterator[Engine]:
    async with Engine(app, settings) as engine:
        yield engine


@pytest.fixture
def assert_true(connection) -> AssertTrue:
    """Waits for an engine and compares all derived tables with their queries."""

    async def check(engine: Engine) -> None:
        await engine.settle(timeout=60)
        assert [str(difference) for difference in await differences(connection, TRUTHS)] == []

    return check
