"""The example's operators, tested with what eventscope gives to people who test their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventscope.demo.schema import schema
from eventscope.testing import Runner, StartRunner
from operators_example import DERIVED, app

AssertTrue = Callable[[Runner], None]


@pytest.fixture(scope="session")
def eventscope_schema() -> list[str]:
    return [schema(), *(table.ddl for table in DERIVED)]


@pytest.fixture
def blog(database: str) -> str:
    return database


@pytest.fixture
def runner(eventscope_runner: StartRunner) -> Runner:
    return eventscope_runner(app)


@pytest.fixture
def assert_true() -> AssertTrue:
    """Waits for an application and compares all derived tables with their queries."""

    def check(runner: Runner) -> None:
        for table in DERIVED:
            runner.assert_derived(table.name, table.truth)

    return check
