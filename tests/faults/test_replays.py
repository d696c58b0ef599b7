"""kill -9 anywhere in a replay: what is replayed is written exactly once more, all else once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from tests.faults.shop import Shop


@pytest.mark.parametrize(
    "place",
    [
        *(f"before-commit:{nth}" for nth in (1, 2, 3, 6, 7)),
        *(f"after-effect:{nth}" for nth in (1, 3, 4)),
    ],
)
async def test_killed_in_the_middle_of_a_replay(shop: Shop, program, caught_up, place: str) -> None:
    connection = await shop.connection()
    for id in range(1, 9):
        await connection.execute("INSERT INTO posts VALUES (%s, 'x')", [id])
    await caught_up()
    with closing(sqlite3.connect(shop.directory / "queue.db")) as file, file:
        # what the command notes for events 3 to 6
        file.execute("UPDATE operator SET rewind_to = 2, replay_to = 6 WHERE name = 'audit'")
    async with program(EVENTSCOPE_FAILPOINT=f"{place}:kill") as killed:
        assert await killed.ended() == -9, killed.lines
    async with program("--until", "caught-up", "--timeout", "60") as last:
        assert await last.ended() == 0, last.lines
    cursor = await connection.execute("SELECT event, count(*) FROM audit GROUP BY event")
    found = Counter(dict(await cursor.fetchall()))
    ids = [event.id for event in shop.stored(shop.directory / "queue.db")]
    assert [found[id] for id in ids] == [1, 1, 2, 2, 2, 2, 1, 1]
    await connection.execute("INSERT INTO posts VALUES (9, 'x')")
    async with program("--until", "caught-up", "--timeout", "60") as last:
        assert await last.ended() == 0, last.lines
    assert await shop.value("SELECT count(*) FROM audit") == 13
