"""PostgreSQL servers and databases for fixtures."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg

from eventscope.demo.embedded import EmbeddedServer
from eventscope.demo.schema import schema
from operators_example import DERIVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@contextmanager
def running_server(
    *,
    settings: Mapping[str, str | int] | None = None,
    tcp: bool = False,
    binaries: Path | None = None,
) -> Iterator[EmbeddedServer]:
    """A server for a test session or an xdist worker, gone afterwards.

    No checkpoint or autovacuum runs in the middle of a test unless the settings say so; commits
    wait for the disk as in production.
    """
    quiet = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_connections": 200}
    with EmbeddedServer(
        settings=quiet | dict(settings or {}), tcp=tcp, binaries=binaries
    ) as server:
        yield server


@contextmanager
def fresh_database(server: EmbeddedServer, *, template: str = "template1") -> Iterator[str]:
    """The url of a new database, dropped afterwards with its slots, whoever uses it."""
    name = f"test_{uuid4().hex}"
    url = server.create_database(name, template=template)
    try:
        yield url
    finally:
        server.drop_database(name)


def create_blog(url: str) -> None:
    """Create the demo's tables and those of the example operators, all empty."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(schema())  # type: ignore[arg-type]
        for table in DERIVED:
            connection.execute(table.ddl)  # type: ignore[arg-type]
