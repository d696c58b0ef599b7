"""The connection: whether it leads to the server itself, safely, and may replicate."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import Final

import psycopg
from psycopg import sql

from eventscope.replication.connection import (
    Connection,
    SourceError,
    SystemIdentity,
    Unreachable,
    connect,
    connect_for_replication,
    identify,
    one_line,
)
from eventscope.replication.finding import Finding, statement

_SAFE: Final = "sslmode=verify-full and sslrootcert=system (or your own authority's file)"


def unreachable(error: Unreachable) -> Finding:
    """The finding for a database that no session could be opened to."""
    return Finding(
        "connection",
        "blocking",
        str(error),
        mend="check the settings url, hostname, port, database, username and password, and that"
        " the server runs and lets this machine in (pg_hba.conf)",
    )


async def examine(connection: Connection, conninfo: str, label: str) -> list[Finding]:
    """How we are connected.

    Args:
        connection: an open session.
        conninfo: what it was opened with.
        label: the database as people know it.
    """
    user = connection.info.user
    return [
        Finding("connection", "ok", f"connected to {label} as {user}"),
        *await _pooler(connection),
        *_encryption(connection),
        *await _password(connection, conninfo),
    ]


async def replication(
    connection: Connection, conninfo: str
) -> tuple[Finding, SystemIdentity | None]:
    """Whether a session that can stream could be opened, and whose stream it would be."""
    try:
        stream = await connect_for_replication(conninfo)
    except SourceError as error:
        return await _refused(connection, error), None
    try:
        found = Finding("replication", "ok", f"role {connection.info.user} may replicate")
        return found, await identify(stream)
    except (SourceError, psycopg.Error) as error:
        return await _refused(connection, error), None
    finally:
        await stream.close()


def may_not_replicate(role: str) -> Finding:
    """The finding for a role without the attribute."""
    return Finding(
        "replication",
        "blocking",
        f"role {role} may not replicate",
        sql=statement("ALTER ROLE {} REPLICATION", sql.Identifier(role)),
    )


async def _refused(connection: Connection, error: Exception) -> Finding:
    cursor = await connection.execute(
        "SELECT FROM pg_roles WHERE rolname = session_user AND (rolreplication OR rolsuper)"
    )
    if await cursor.fetchone() is None:
        return may_not_replicate(connection.info.user)
    return Finding(
        "replication",
        "blocking",
        f"no replication connection: {one_line(error)}",
        mend="connect to the server itself, not to a connection pooler, and see that it has a WAL"
        " sender left (max_wal_senders)",
    )


async def _pooler(connection: Connection) -> list[Finding]:
    """A pooler tells each client a process id of its own making."""
    cursor = await connection.execute("SELECT pg_backend_pid()")
    row = await cursor.fetchone()
    if row is None or row[0] == connection.info.backend_pid:
        return []
    return [
        Finding(
            "pooler",
            "warning",
            "there is a connection pooler between us and the server",
            "it may refuse replication, cut quiet connections and hand our session to others",
            mend="connect to the server itself (setting url, or hostname and port)",
        )
    ]


def _encryption(connection: Connection) -> list[Finding]:
    host = connection.info.host
    options = {option.keyword: option.val for option in connection.pgconn.info}
    mode = (options.get(b"sslmode") or b"prefer").decode()
    if _is_local(host):
        return []
    if mode == "verify-full":
        return [Finding("sslmode", "ok", f"sslmode is verify-full towards {host}")]
    encrypted = bool(connection.pgconn.ssl_in_use)
    how = "" if encrypted else ", and this connection is not encrypted"
    return [
        Finding(
            "sslmode",
            "warning",
            f"sslmode is {mode} towards {host}{how}",
            "whoever is on the way can read along"
            if not encrypted
            else "nothing proves that the server is the one that is meant",
            mend=f"add {_SAFE} to the url, or set PGSSLMODE and PGSSLROOTCERT",
        )
    ]


async def _password(connection: Connection, conninfo: str) -> list[Finding]:
    """Ask the server for a login without a password in clear, where it may have had one."""
    pgconn = connection.pgconn
    if _is_local(connection.info.host) or pgconn.ssl_in_use or not pgconn.used_password:
        return []
    with suppress(SourceError):
        await (await connect(conninfo, require_auth="!password")).close()
        return []
    return [
        Finding(
            "password",
            "warning",
            f"the password goes to {connection.info.host} in clear",
            "whoever is on the way can read it",
            mend=f"have the server ask for scram-sha-256 (pg_hba.conf), and add {_SAFE} to the url",
        )
    ]


def _is_local(host: str) -> bool:
    """Whether nobody can be in between: a unix socket or this machine itself."""
    if not host or host[0] in "/@" or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
