"""The sessions that operators write in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from eventscope.operators.session import ConnectionLost, Session, connect_to_write
from eventscope.replication.connection import Unreachable
from tests.servers import running_server


@pytest.mark.parametrize(
    ("before", "after"),
    [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply", "remote_apply")],
)
async def test_a_commit_is_on_disk_when_it_returns(database: str, before: str, after: str) -> None:
    where = make_conninfo(database, options=f"-c synchronous_commit={before}")
    async with await connect_to_write(where) as connection:
        cursor = await connection.execute("SHOW synchronous_commit")
        assert await cursor.fetchone() == (after,)


def test_a_standby_is_not_written_to(tmp_path: Path) -> None:
    async def write(url: str) -> None:
        with pytest.raises(Unreachable, match="the server is a standby"):
            await connect_to_write(url)
        session = Session(url, lambda _: None)
        with pytest.raises(
            ConnectionLost, match=r"the server is a standby.*connect to the primary"
        ):
            async with session.transaction():
                pass

    with running_server() as server:
        server.stop()
        (Path(server.log).parent / "standby.signal").touch()
        server.start()
        asyncio.run(write(server.url))
