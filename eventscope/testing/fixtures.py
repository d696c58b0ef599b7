"""What a test can ask for."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import pytest

from eventscope.errors import EventScopeError
from eventscope.testing.options import server_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eventscope import EventScope
    from eventscope.settings import Settings
    from eventscope.testing.runner import Runner
    from eventscope.testing.schema import Schema
    from eventscope.testing.server import Server


class MakeSettings(Protocol):
    """Makes settings for the test's database, each with slot, publication and queue file apart.

    What they do not say comes from the usual sources; failures are tried again at once.
    """

    def __call__(self, **settings: Any) -> Settings:
        """Make settings; those given win."""


class StartRunner(Protocol):
    """Starts an application on the test's database; it is stopped when the test ends."""

    def __call__(self, app: EventScope, **settings: Any) -> Runner:
        """Return when it runs: it sees what is committed from then on.

        Args:
            app: what to run.
            settings: as for ``MakeSettings``.

        Raises:
            EventScopeError: what prevents it.
        """


@pytest.fixture(scope="session")
def eventscope_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """The server of the test run: the one that was named, else one for each test process."""
    from eventscope.testing.server import serving

    with ExitStack() as stack:
        with _in_one_line():
            server = stack.enter_context(serving(server_url(pytestconfig)))
        yield server


@pytest.fixture(scope="session")
def eventscope_schema() -> Schema:
    """What every test's database begins with, to be overridden: SQL, files of it, functions."""
    return ()


@pytest.fixture
def eventscope_database(eventscope_server: Server, eventscope_schema: Schema) -> Iterator[str]:
    """The URL of a new database with the schema, dropped afterwards with all that is in it."""
    with ExitStack() as stack:
        with _in_one_line():
            url = stack.enter_context(eventscope_server.database(eventscope_schema))
        yield url


@pytest.fixture
def eventscope_settings(
    eventscope_database: str, tmp_path_factory: pytest.TempPathFactory
) -> MakeSettings:
    """Makes settings for the test's database, as for ``async with Engine(app, settings)``."""
    from eventscope.settings import Settings

    def make(**settings: Any) -> Settings:
        name = f"eventscope_test_{uuid4().hex}"
        return Settings.load(
            **{
                "url": eventscope_database,
                "publication": name,
                "slot_name": name,
                "queue_path": tmp_path_factory.mktemp("eventscope") / "queue.db",
                "operator_queue_min_restart_time": 1,
                "operator_queue_max_restart_time": 100,
                **settings,
            }
        )

    return make


@pytest.fixture
def eventscope_runner(eventscope_settings: MakeSettings) -> Iterator[StartRunner]:
    """Starts applications, and stops them when the test ends."""
    from eventscope.testing.runner import Runner

    with ExitStack() as stack:

        def start(app: EventScope, **settings: Any) -> Runner:
            runner = Runner(app, eventscope_settings(**settings))
            stack.callback(runner.close)
            runner.start()
            return runner

        yield start


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Tell what a person can mend without a traceback."""
    try:
        yield
    except EventScopeError as error:
        pytest.fail(str(error), pytrace=False)
