"""kill -9 between a retried dead letter's commit and its removal: its effect is there once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path

import pytest

from tests.faults.shop import Shop
from tests.programs import Program, running

GIVING_UP = Path(__file__).with_name("giving_up.py")

Run = Callable[..., AbstractAsyncContextManager[Program]]


@pytest.fixture
def run(shop: Shop) -> Run:
    """Run the application, to its end if nothing ends it before."""

    def start(*options: str, **environment: str) -> AbstractAsyncContextManager[Program]:
        return running(
            "run", GIVING_UP, "--headless", "--log-format", "json", "--url", shop.url,
            "--slot-name", shop.slot, "--queue-path", shop.directory / "queue.db",
            "--set", "operator_queue_max_retries=0",
            "--until", "caught-up", "--timeout", "60", *options,
            cwd=shop.directory,
            environment={"REFUSES": str(shop.directory / "refuses"), **environment},
        )  # fmt: skip

    return start


@pytest.fixture
async def given_up(shop: Shop, run: Run) -> None:
    """Three events are dead letters, and nothing is refused any more."""
    connection = await shop.connection()
    refuses = shop.directory / "refuses"
    refuses.touch()
    for id in (1, 2, 3):
        await connection.execute("INSERT INTO posts VALUES (%s, 'x')", [id])
    async with run() as first:
        assert await first.ended() == 1, first.lines
    assert letters(shop) == 3
    refuses.unlink()


@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_killed_before_a_letter_is_removed_that_was_tried_again(
    shop: Shop, given_up: None, run: Run, nth: int
) -> None:
    note(shop, "UPDATE dead_letter SET next_retry = 0.0")  # as the command does
    async with run(EVENTSCOPE_FAILPOINT=f"after-redo:{nth}:kill") as killed:
        assert await killed.ended() == -9, killed.lines
    assert (await audited(shop), letters(shop)) == ([1] * nth, 4 - nth), "one is still there"
    await (await shop.connection()).execute("INSERT INTO posts VALUES (4, 'x')")
    async with run() as last:
        assert await last.ended() == 0, last.lines
    assert (await audited(shop), letters(shop)) == ([1, 1, 1, 1], 0)


@pytest.mark.parametrize(
    "place",
    [
        *(f"before-commit:{nth}" for nth in (3, 4, 5)),  # of the two events, and the jump back
        *(f"after-effect:{nth}" for nth in (1, 2)),
    ],
)
async def test_killed_in_a_replay_of_events_that_are_dead_letters(
    shop: Shop, given_up: None, run: Run, place: str
) -> None:
    note(shop, "UPDATE operator SET rewind_to = 0, replay_to = 2")  # of the first two
    async with run(EVENTSCOPE_FAILPOINT=f"{place}:kill") as killed:
        assert await killed.ended() == -9, killed.lines
    async with run() as last:
        assert await last.ended() == 1, last.lines
    assert (await audited(shop), letters(shop)) == ([1, 1], 1), "the third is still a letter"


async def audited(shop: Shop) -> list[int]:
    """How often each event was written."""
    connection = await shop.connection()
    events = await (await connection.execute("SELECT event FROM audit")).fetchall()
    return [*Counter(events).values()]


def letters(shop: Shop) -> int:
    with closing(sqlite3.connect(shop.directory / "queue.db")) as file:
        [[count]] = file.execute("SELECT count(*) FROM dead_letter").fetchall()
    return int(count)


def note(shop: Shop, statement: str) -> None:
    """Change what a queue has noted."""
    with closing(sqlite3.connect(shop.directory / "queue.db")) as file, file:
        file.execute(statement)
