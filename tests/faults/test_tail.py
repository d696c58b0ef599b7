"""``eventscope tail`` across a restart of the server."""

from __future__ import annotations

import psycopg
import pytest

from eventscope.demo.embedded import EmbeddedServer
from tests.engine.tailing import publications
from tests.programs import Line, running


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_it_listens_again_and_says_that_it_has_missed_something(
    server: EmbeddedServer, database: str, tmp_path, mode
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY)")
    async with running("tail", "--url", database, cwd=tmp_path) as tail:
        await tail.line(lambda line: "listening to notes" in line.get("text", ""))
        _insert(database, 1)
        await tail.line(_tells_of(1))
        server.restart(mode)
        await tail.line(lambda line: "listening again" in line.get("text", ""))
        _insert(database, 2)
        await tail.line(_tells_of(2))
        tail.terminate()
        assert await tail.ended() == 0
    said = [line["text"] for line in tail.lines if "text" in line]
    assert said[1].startswith("eventscope: connection lost (")
    assert "missed" in said[1]
    async with await psycopg.AsyncConnection.connect(database) as connection:
        assert await publications(connection) == []


async def test_it_ends_while_the_server_is_away(
    server: EmbeddedServer, database: str, tmp_path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE notes (id int PRIMARY KEY)")
    async with running("tail", "--url", database, cwd=tmp_path) as tail:
        await tail.line(lambda line: "listening to notes" in line.get("text", ""))
        server.stop("fast")
        try:
            await tail.line(lambda line: "connection lost" in line.get("text", ""))
            tail.terminate()
            assert await tail.ended() == 0
        finally:
            server.start()
    assert "DROP PUBLICATION" in tail.lines[-1]["text"]
    async with running("tail", "--url", database, cwd=tmp_path) as following:
        await following.line(lambda line: "listening to notes" in line.get("text", ""))
        following.terminate()
        assert await following.ended() == 0
    async with await psycopg.AsyncConnection.connect(database) as connection:
        assert await publications(connection) == []


def _insert(database: str, id: int) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO notes VALUES (%s)", [id])


def _tells_of(id: int):
    def matches(line: Line) -> bool:
        return line.get("new_record") == {"id": id}

    return matches
