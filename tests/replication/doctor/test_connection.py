from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventscope.demo.embedded import EmbeddedServer
from eventscope.settings import Settings, SettingsError
from tests.conftest import SYSTEM_BINARIES
from tests.replication.doctor.examining import an_app, examined, mend
from tests.replication.reading import role_url
from tests.servers import running_server


def far_away(server, **more) -> str:
    """The server as if it were another machine: its name is not resolved."""
    return make_conninfo(
        host="db.example",
        hostaddr="127.0.0.1",
        port=server.port,
        user="postgres",
        password=server.password,
        dbname="postgres",
        **more,
    )


async def test_a_server_that_is_not_there_is_the_only_finding(tmp_path):
    found = await examined(an_app("posts"), Settings(url=f"host={tmp_path} port=1"))
    assert not found.examination.is_connected
    assert found.troubles() == ["connection"]
    assert "cannot connect to PostgreSQL" in found.one("connection").found


async def test_a_url_that_is_none_is_an_error():
    with pytest.raises(SettingsError, match="url is no connection string"):
        await examined(None, Settings(url="nonsense"))


async def test_who_is_connected_to_what_is_told(settings, connection):
    found = (await examined(None, settings)).one("connection")
    assert found.found == f"connected to {connection.info.dbname}@socket as postgres"


async def test_a_role_that_may_not_replicate_blocks_until_it_may(
    connection, database, role, make_settings
):
    await connection.execute(f'ALTER ROLE "{role}" NOREPLICATION')
    settings = make_settings(url=role_url(database, role))
    finding = (await examined(None, settings)).one("replication")
    assert (finding.severity, finding.found) == ("blocking", f"role {role} may not replicate")
    await mend(finding, database)
    assert (await examined(None, settings)).one("replication").severity == "ok"


@pytest.fixture(scope="module")
def trusting() -> Iterator[EmbeddedServer]:
    """A server that wants passwords in clear."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as somebody else
        rules = Path(folder) / "pg_hba.conf"
        rules.write_text("local all all trust\nhost all all 127.0.0.1/32 password\n")
        with running_server(tcp=True, settings={"hba_file": str(rules)}) as server:
            yield server


def test_a_password_in_clear_and_a_connection_without_encryption_are_warned_of(trusting):
    found = asyncio.run(examined(None, Settings(url=far_away(trusting))))
    assert "password goes to db.example in clear" in found.one("password").found
    assert found.one("sslmode").severity == "warning"
    assert "sslmode is prefer towards db.example" in found.one("sslmode").found
    assert "not encrypted" in found.one("sslmode").found


def test_nobody_is_between_us_and_this_machine(trusting):
    near = f"postgresql://postgres:{trusting.password}@127.0.0.1:{trusting.port}/postgres"
    for url in (near, near.replace("127.0.0.1", "localhost"), trusting.url):
        found = asyncio.run(examined(None, Settings(url=url)))
        assert found.all("password") == found.all("sslmode") == []


def test_a_password_that_is_proven_and_not_sent_is_no_matter():
    with running_server(tcp=True) as server:
        found = asyncio.run(examined(None, Settings(url=far_away(server))))
    assert found.all("password") == []


@pytest.mark.skipif(
    shutil.which("openssl") is None or not (SYSTEM_BINARIES / "initdb").exists(),
    reason="needs openssl, and a server that can encrypt",
)
def test_an_encrypted_connection_is_safe_only_if_the_server_is_known(tmp_path):
    authority = tmp_path / "server.crt"
    with running_server(tcp=True, binaries=SYSTEM_BINARIES) as server:
        data = server.log.parent
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2",
             "-subj", "/CN=db.example", "-keyout", "server.key", "-out", "server.crt"],
            cwd=data, check=True, capture_output=True,
        )  # fmt: skip
        owner = data.stat()
        for name in ("server.key", "server.crt"):
            shutil.os.chown(data / name, owner.st_uid, owner.st_gid)
        (data / "server.key").chmod(0o600)
        shutil.copy(data / "server.crt", authority)
        server.settings["ssl"] = "on"
        server.restart()
        unknown = Settings(url=far_away(server, sslmode="require"))
        warning = asyncio.run(examined(None, unknown)).one("sslmode")
        assert (warning.severity, warning.found) == (
            "warning",
            "sslmode is require towards db.example",
        )
        known = far_away(server, sslmode="verify-full", sslrootcert=str(authority))
        assert asyncio.run(examined(None, Settings(url=known))).one("sslmode").severity == "ok"


async def test_a_pooler_in_between_is_found(database):
    async with a_pooler(database) as port:
        there = conninfo_to_dict(database) | {"host": "127.0.0.1", "port": port}
        found = await examined(None, Settings(url=make_conninfo(**there)))
    assert found.one("pooler").severity == "warning"
    assert found.one("replication").severity == "ok"


async def test_a_pooler_that_does_not_replicate_blocks(database):
    async with a_pooler(database, replicates=False) as port:
        there = conninfo_to_dict(database) | {"host": "127.0.0.1", "port": port}
        found = await examined(None, Settings(url=make_conninfo(**there)))
    assert found.one("replication").severity == "blocking"
    assert "not to a connection pooler" in found.one("replication").mend


@asynccontextmanager
async def a_pooler(url: str, *, replicates: bool = True) -> AsyncIterator[int]:
    """Something in front of a server that hides its process ids, as poolers do."""
    to = conninfo_to_dict(url)
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                body = await reader.readexactly(length - 4)
                if len(body) != 4:  # no request for encryption
                    break
                writer.write(b"N")
            if b"replication" in body and not replicates:
                text = b"unsupported startup parameter: replication"
                fields = b"SFATAL\0VFATAL\0C08P01\0M" + text + b"\0\0"
                writer.write(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)
                return
            path = f"{to['host']}/.s.PGSQL.{to['port']}"
            server_reader, server_writer = await asyncio.open_unix_connection(path)
            connections.append(server_writer)
            server_writer.write(length.to_bytes(4, "big") + body)
            await asyncio.gather(
                relay(server_reader, writer, hide=True), relay(reader, server_writer, hide=False)
            )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def relay(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hide: bool
    ) -> None:
        with_key = b"K\0\0\0\x0c"
        while data := await reader.read(65_536):
            if hide and (place := data.find(with_key)) >= 0:
                start = place + len(with_key)
                data = data[:start] + b"\0\0\0\x01" + data[start + 4 :]
                hide = False
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in connections:
            writer.close()
