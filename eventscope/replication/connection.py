"""Connections to the source database, and what their failures mean."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventscope.errors import EventScopeError
from eventscope.event import Lsn
from eventscope.settings import Settings, SettingsError

Connection = psycopg.AsyncConnection[Any]

_SESSION: Final = (
    "-c DateStyle=ISO -c IntervalStyle=postgres -c extra_float_digits=1"
    " -c bytea_output=hex -c lc_monetary=C"
)


_CURES: Final = {
    "max_wal_senders": "end another reader, or raise max_wal_senders and restart the server",
    "too many clients": "end other sessions, or raise max_connections and restart the server",
    "connection slots": "end other sessions, or raise max_connections and restart the server",
    "password authentication failed": "correct url or password",
    "unsupported startup parameter": "connect to the server itself, not to a connection pooler",
}
"""What to do, by a part of what the server says."""


class SourceError(EventScopeError):
    """The database cannot be reached, prepared or trusted; the message says why, and the cure."""

    exit_code = 3


class Unreachable(SourceError):
    """No session could be opened; another attempt may succeed."""


def conninfo(settings: Settings, purpose: str, app_name: str) -> str:
    """The libpq connection string of a session whose values have one text form.

    Raises:
        SettingsError: the url is not one.
    """
    given = _parameters(settings)
    given.setdefault("connect_timeout", "10")
    given["options"] = f"{given.get('options') or ''} {_SESSION}".strip()
    given["client_encoding"] = "UTF8"
    given["application_name"] = f"eventscope {app_name} {purpose}"[:63]
    return make_conninfo("", **given)


def server_label(settings: Settings) -> str:
    """The database as ``name@host``, without secrets; raises SettingsError as ``conninfo`` does."""
    given = _parameters(settings)
    host = str(given.get("host") or given.get("hostaddr") or "local")
    name = given.get("dbname") or given.get("user") or "?"
    return f"{name}@{'socket' if host.startswith('/') else host}"


def without_secrets(settings: Settings) -> str:
    """The connection as libpq's keywords and values; raises SettingsError as ``conninfo`` does."""
    given = _parameters(settings)
    return make_conninfo("", **{k: "***" if "password" in k else v for k, v in given.items()})


def _parameters(settings: Settings) -> dict[str, Any]:
    """What the settings say of the connection, as libpq's parameters."""
    url = settings.url.get_secret_value() if settings.url is not None else ""
    try:
        given = {**conninfo_to_dict(url, **settings.connection_parameters())}
    except psycopg.ProgrammingError:  # whose text may hold the password
        raise SettingsError(
            "setting url is no connection string; one looks like"
            " postgresql://user:password@host:5432/database"
        ) from None
    if url and not _is_whole(given):
        raise SettingsError(
            "setting url is cut in the wrong places: within the password, write @ as %40,"
            " / as %2F, ? as %3F, # as %23 and % as %25"
        )
    return given


def _is_whole(given: Mapping[str, Any]) -> bool:
    """Whether no part of a password has become host or port, which errors tell of."""
    ports = str(given.get("port") or "").split(",")
    return "@" not in str(given.get("host") or "") and all(p.isdecimal() for p in ports if p)


class SlotInUse(Unreachable):
    """Another session reads from the slot, or has just made it."""


async def connect(conninfo: str, **options: Any) -> Connection:
    """Open a connection in autocommit mode.

    Raises:
        Unreachable: naming the cause in one line.
    """
    try:
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True, **options)
    except psycopg.OperationalError as error:
        text = _refusal(error)
        cures = [f"; {cure}" for words, cure in _CURES.items() if words in text]
        raise Unreachable(f"cannot connect to PostgreSQL: {text}{''.join(cures[:1])}") from error


@asynccontextmanager
async def looking_at_tables(conninfo: str) -> AsyncIterator[Connection]:
    """A connection to ask the catalogs over.

    Raises:
        SourceError: the database cannot be reached, or asked.
    """
    connection = await connect(conninfo)
    try:
        yield connection
    except psycopg.Error as error:
        raise SourceError(f"the tables cannot be looked at: {one_line(error)}") from error
    finally:
        await connection.close()


def _refusal(error: psycopg.OperationalError) -> str:
    """What libpq says of a failed attempt, once and as one sentence."""
    text = one_line(error).removeprefix("connection failed: ")
    return text.replace(" Is the server running", "; is the server running")


def hang_up(connection: Connection) -> None:
    """Cut a connection, so that whoever waits for an answer on it is told at once."""
    if not connection.closed:
        with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
            end.shutdown(socket.SHUT_RDWR)


async def connect_for_replication(conninfo: str) -> Connection:
    """Open a connection that can stream.

    Raises:
        SourceError: naming the cause and, where there is one, the cure.
    """
    try:
        return await connect(conninfo, replication="database")
    except SourceError as error:
        text = str(error)
        if "walsender" in text or "replication role" in text or "REPLICATION attribute" in text:
            user = conninfo_to_dict(conninfo).get("user")
            role = sql.Identifier(str(user)).as_string() if user else "..."
            raise SourceError(
                f"role {user or 'of this connection'} may not replicate:"
                f" run ALTER ROLE {role} REPLICATION"
            ) from error.__cause__
        raise


class SystemIdentity(NamedTuple):
    """Which cluster a replication connection leads to, and where its WAL is."""

    system_id: str
    timeline: int
    position: Lsn
    database: str


async def identify(replication: Connection) -> SystemIdentity:
    """Ask a replication connection for the cluster's identity.

    Raises:
        SourceError: no server answers, but a pooler.
        psycopg.Error: the connection is lost.
    """
    try:
        cursor = await replication.execute("IDENTIFY_SYSTEM")
        row = await cursor.fetchone()
    except psycopg.errors.SyntaxError as error:
        raise SourceError(
            f"replication commands are not understood ({one_line(error)});"
            f" connect to the server itself, not to a connection pooler"
        ) from error
    if row is None:
        raise SourceError("the server does not identify itself")
    system_id, timeline, position, database = row
    return SystemIdentity(str(system_id), int(timeline), Lsn.parse(position), str(database))


def one_line(error: BaseException) -> str:
    """An error's message in one line."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
