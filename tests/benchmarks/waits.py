"""How long after a derived row is visible the wait for it is over.

``python -m tests.benchmarks.waits`` starts a PostgreSQL server and an engine with the README's
operator, and commits one comment at a time. A trigger on the derived table tells when its row is
committed; the wait for the comment's token began before that. It prints how much later the wait
was over, and how often it was over before the row was there, which must be never.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import structlog

from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine
from eventscope.settings import Settings
from tests.benchmarks.operators import NAME, TABLES, TRIGGER, application


async def lags(url: str, count: int, operator: str | None) -> tuple[list[float], int]:
    """Milliseconds from each row to the end of the wait for it, and the waits that came before."""
    found, early, app = list[float](), 0, application("$1")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "queue.db"
        settings = Settings.load(url=url, slot_name="waits", queue_path=path)
        async with (
            await psycopg.AsyncConnection.connect(url, autocommit=True) as writing,
            await psycopg.AsyncConnection.connect(url, autocommit=True) as hearing,
            Engine(app, settings),
        ):
            await hearing.execute("LISTEN derived")
            notifications = hearing.notifies(timeout=30)
            for n in range(count + 20):
                post = n % 1_000 + 1
                heard = asyncio.ensure_future(anext(notifications))
                before = await _count(writing, post)
                await writing.execute(
                    "INSERT INTO comments (post_id, body) VALUES (%s, 'x')", [post]
                )
                token = await app.token(writing)
                waiting = asyncio.create_task(_ended(app.wait_for(token, operator, timeout=30)))
                await heard
                visible = time.perf_counter()
                ended = await waiting
                early += await _count(writing, post) != before + 1
                found.append(max(1000 * (ended - visible), 0.0))
            await notifications.aclose()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_drop_replication_slot('waits')")
    return sorted(found[20:]), early


async def _ended(waiting: object) -> float:
    await waiting  # type: ignore[misc]
    return time.perf_counter()


async def _count(connection: psycopg.AsyncConnection[tuple[int]], post: int) -> int:
    cursor = await connection.execute(f"SELECT comments_count FROM {NAME} WHERE id = %s", [post])
    row = await cursor.fetchone()
    return row[0] if row else 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.waits", description=__doc__)
    parser.add_argument("--commits", type=int, default=500)
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with EmbeddedServer(tcp=True) as server:
        url = server.create_database("waits")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)
            connection.execute(TRIGGER)
        for what, operator in (("that operator", NAME), ("all of them", None)):
            found, early = asyncio.run(lags(url, options.commits, operator))
            at = {p: found[min(len(found) - 1, len(found) * p // 100)] for p in (50, 99)}
            print(
                f"a wait for {what} is over p50 {at[50]:.2f} ms, p99 {at[99]:.2f} ms, at most"
                f" {found[-1]:.2f} ms after the derived row is there (budget 10);"
                f" {early} of {options.commits} were over before",
                flush=True,
            )


if __name__ == "__main__":
    main()
