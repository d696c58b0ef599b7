"""Databases of a server: where they are, made and dropped."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo


def create(server: str, name: str, *, template: str = "template1") -> None:
    """Create a database; one of that name is dropped, whoever uses it.

    Args:
        server: how libpq reaches any other database of the server.
        name: of the database.
        template: whose content it begins with; nobody may be connected to that.
    """
    drop(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def drop(server: str, name: str) -> None:
    """Drop a database if it exists, whoever uses it, with its replication slots."""
    with psycopg.connect(server, autocommit=True) as connection:
        # Replication is the one use that FORCE does not end.
        connection.execute(
            "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots "
            "where database = %s and active_pid is not null",
            [name],
        )
        connection.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )


def url_of(server: str, name: str) -> str:
    """How libpq reaches another database of the same server; a URL stays one."""
    parts = urlsplit(server)
    if parts.scheme in ("postgresql", "postgres"):
        return parts._replace(path="/" + quote(name, safe="")).geturl()
    return make_conninfo(server, dbname=name)
