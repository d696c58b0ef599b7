"""A PostgreSQL server of our own, started in a directory and stopped again."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from eventscope.demo import databases
from eventscope.demo.installation import DemoUnavailable, Installation, last_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DemoUnavailable", "EmbeddedServer", "ShutdownMode", "url_of_running"]

ShutdownMode = Literal["fast", "immediate"]

_ROLE: Final = "postgres"

_LONGEST_SOCKET: Final = 103
"""Bytes that every system takes as the path of a unix socket (sys/un.h: macOS 104, Linux 108)."""

_DEFAULTS: Final[Mapping[str, str | int]] = {
    "wal_level": "logical",
    "max_wal_senders": 20,
    "max_replication_slots": 20,
    "timezone": "UTC",
}


class EmbeddedServer:
    """A PostgreSQL server that lives as long as a ``with`` block.

    It listens on a unix socket that only its owner can reach; there ``postgres``, the superuser,
    needs no password.

    Args:
        directory: where to keep the data. It is created if missing and stays afterwards: a later
            server in it finds the same databases. Without one the data are deleted at the end.
        settings: for ``postgresql.conf``; they win over our defaults (``wal_level`` is logical).
        tcp: listen on 127.0.0.1 too, at ``port``, where ``postgres`` needs ``password``.
        binaries: the folder of ``initdb`` and ``pg_ctl``; by default those of the demo extra.

    Raises:
        DemoUnavailable: on entering, when PostgreSQL cannot be started.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        settings: Mapping[str, str | int] | None = None,
        tcp: bool = False,
        binaries: Path | None = None,
    ) -> None:
        self.settings = {**_DEFAULTS, **(settings or {})}
        """May be changed before a restart."""
        self.password = secrets.token_urlsafe(12)
        self.port = _free_port() if tcp else 5432
        """The TCP port; without TCP only a part of the socket's name."""
        self._tcp = tcp
        self._given = directory
        self._binaries = binaries
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with self._undo:
            self._prepare()
            self._undo.callback(self.stop, "fast" if self._given else "immediate")
            self.start()
            self._undo = self._undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def url(self) -> str:
        """How libpq reaches the database ``postgres`` over the unix socket."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """How libpq reaches a database over the unix socket."""
        return _url(database, str(self._socket_directory), self.port)

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database and return its url; one of that name is dropped, whoever uses it."""
        databases.create(self.url, name, template=template)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, whoever uses it, with its replication slots."""
        databases.drop(self.url, name)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        self._configure()
        try:
            self._pg_ctl("start", "--wait", "--timeout=60", f"--log={self.log.name}")
        except DemoUnavailable as error:
            raise DemoUnavailable(f"{error} {self._end_of_log()}") from error
        if self._tcp:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(
                    sql.SQL("alter role {} password {}").format(
                        sql.Identifier(_ROLE), sql.Literal(self.password)
                    )
                )

    def restart(self, mode: ShutdownMode = "fast") -> None:
        """Stop and start the server; ``immediate`` is a crash, the start then recovers."""
        self.stop(mode)
        self.start()

    def stop(self, mode: ShutdownMode = "fast") -> None:
        """Stop the server if it runs; a client that does not let go delays it by 10 s at most."""
        if self._pid() is None:
            return
        try:
            self._pg_ctl("stop", "--wait", "--timeout=10", f"--mode={mode}")
        except DemoUnavailable:
            self._pg_ctl("stop", "--wait", "--timeout=60", "--mode=immediate")

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._data / "server.log"

    def _prepare(self) -> None:
        directory = self._given.resolve() if self._given else self._temporary_directory()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._installation = Installation(directory, self._binaries)
            self._data = directory / "pgdata"
            self._data.mkdir(mode=0o700, exist_ok=True)
            self._installation.give(self._data)
            if self._installation.needs_copy:
                self._installation.copy_to(self._temporary_directory())
        except OSError as error:
            raise DemoUnavailable(f"{directory} cannot hold a database: {error}") from error
        self._socket_directory = self._choose_socket_directory()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        elif pid := self._pid():
            raise DemoUnavailable(
                f"{self._data} is in use by a running PostgreSQL, process {pid}: "
                f"end it (kill -INT {pid}), or choose another directory"
            )

    def _choose_socket_directory(self) -> Path:
        socket_path = self._data / f".s.PGSQL.{self.port}"
        if len(os.fsencode(socket_path)) <= _LONGEST_SOCKET and not set(',"') & {*str(self._data)}:
            return self._data
        short = self._temporary_directory(Path("/tmp"))  # noqa: S108 - a fresh folder in it
        short.chmod(0o700)
        self._installation.give(short)
        return short

    def _initialise(self) -> None:
        self._installation.run(
            "initdb",
            "--pgdata=.",
            f"--username={_ROLE}",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            directory=self._data,
        )

    def _configure(self) -> None:
        settings = self.settings | {
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "port": self.port,
            "unix_socket_directories": str(self._socket_directory),
        }
        ours = self._data / "eventscope.conf"
        ours.write_text("".join(f"{key} = {_quoted(value)}\n" for key, value in settings.items()))
        self._installation.give(ours)
        main = self._data / "postgresql.conf"
        include = f"include '{ours.name}'\n"
        if include not in main.read_text():
            with main.open("a") as file:
                file.write(include)

    def _end_of_log(self) -> str:
        return last_lines(self.log.read_text(errors="replace")) if self.log.exists() else ""

    def _pid(self) -> int | None:
        try:
            self._pg_ctl("status")
            return int((self._data / "postmaster.pid").read_text().split()[0])
        except (DemoUnavailable, OSError):
            return None

    def _pg_ctl(self, action: str, *options: str) -> None:
        # Relative names: pg_ctl hands paths to a shell, and does not quote them.
        self._installation.run("pg_ctl", "--pgdata=.", *options, action, directory=self._data)

    def _temporary_directory(self, parent: Path | None = None) -> Path:
        try:
            path = Path(tempfile.mkdtemp(prefix="eventscope-", dir=parent)).resolve()
        except OSError as error:
            raise DemoUnavailable(f"no place for a temporary database: {error}") from error
        self._undo.callback(shutil.rmtree, path, ignore_errors=True)
        path.chmod(0o711)  # its owner may not be the one who runs PostgreSQL
        return path


def url_of_running(directory: Path, database: str) -> str:
    """How libpq reaches a database of the server that runs in a directory.

    Raises:
        DemoUnavailable: none does.
    """
    try:
        lines = (directory / "pgdata" / "postmaster.pid").read_text().splitlines()
    except OSError as error:
        cure = f"start it with eventscope demo --directory {directory}"
        raise DemoUnavailable(f"no database runs in {directory}: {cure}") from error
    port, sockets = lines[3:5]
    return _url(database, sockets, int(port))


def _url(database: str, sockets: str, port: int) -> str:
    host = quote(sockets, safe="")
    return f"postgresql://{_ROLE}@/{quote(database, safe='')}?host={host}&port={port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _quoted(value: str | int) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
