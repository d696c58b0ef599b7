"""What listeners cost the reader.

``python -m tests.benchmarks.listeners`` starts a PostgreSQL server that commits 5,000 comments a
second by itself, and an engine that reads them: alone, and with 200 subscribers on mixed channels,
one of whom is too slow. It prints how fast the reader was, how late it was, and whether each
subscriber heard exactly its own in order; then the same for a backlog, which comes as fast as it
is read.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import structlog

from eventscope import EventScope, Message
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine
from eventscope.message import Stream
from eventscope.settings import Settings

_POSTS: Final = 200
_A_COMMIT: Final = 10
"""Rows of a transaction."""
_TABLES: Final = f"""
CREATE TABLE comments (id int PRIMARY KEY, post_id int, body text);
CREATE PROCEDURE write(rows int, rate float) LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp();
BEGIN
    FOR head IN 1 .. rows BY {_A_COMMIT} LOOP
        INSERT INTO comments SELECT n, n % {_POSTS}, repeat('x', 100)
            FROM generate_series(head, head + {_A_COMMIT - 1}) n;
        COMMIT;
        PERFORM pg_sleep(greatest(0, head / rate
            - extract(epoch FROM clock_timestamp() - began)::float));
    END LOOP;
END $$;
"""


@dataclass
class Run:
    """What one run was like."""

    seconds: float
    """From the first event that was stored to the last."""
    lags: list[float]
    """By how many events the reader was behind the writer, from time to time; only if paced."""
    cpu: float
    """Seconds of CPU."""
    wrong: int = 0
    """Subscribers that heard something else than theirs, or in another order."""
    heard: int = 0
    dropped: int = 0


@dataclass
class Subscriber:
    """One of them, and what it was told."""

    arguments: dict[str, Any]
    expected: Sequence[int]
    pause: float = 0.0
    """Seconds that it takes for a message."""
    ids: list[int] = field(default_factory=list)
    dropped: int = 0

    async def listen(self, stream: Stream) -> None:
        """Hear until the engine ends."""
        async for message in stream:
            self.note(message)
            if self.pause:
                await asyncio.sleep(self.pause)

    def note(self, message: Message) -> None:
        """Take a message."""
        self.dropped += message.dropped
        assert message.event.new_record is not None
        self.ids.append(message.event.new_record["id"])

    @property
    def is_right(self) -> bool:
        """Whether it heard each of its events once and in order, or was told that some are lost."""
        if self.dropped == 0:
            return self.ids == list(self.expected)
        return self.ids == sorted(set(self.ids)) and set(self.ids) <= set(self.expected)


def subscribers(rows: int) -> list[Subscriber]:
    """200 on mixed channels: all of the table, one row, one post; the first is slow."""
    every, found = range(1, rows + 1), list[Subscriber]()
    for number in range(200):
        match number % 4:
            case 0:
                found.append(Subscriber({}, every))
            case 1:
                found.append(Subscriber({"id": number}, [number]))
            case _:
                ids = [id for id in every if id % _POSTS == number]
                found.append(Subscriber({"scope": {"post_id": number}}, ids))
    found[0].pause = 0.01
    return found


async def run(url: str, rows: int, rate: float, listening: Sequence[Subscriber]) -> Run:
    """Write, read and hear; raises TimeoutError if it takes ten times as long as it should."""
    app = EventScope("benchmark")
    app.entity("comments", scopes=[{"post_id": "posts"}])
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings.load(
            url=url, slot_name=f"slot_{time.monotonic_ns()}", queue_path=Path(directory) / "q.db"
        )
        async with _connected(url) as connection:
            await connection.execute("TRUNCATE comments")
            async with asyncio.TaskGroup() as tasks, Engine(app, settings) as engine:
                for subscriber in listening:
                    stream = app.subscribe("comments", **subscriber.arguments)
                    tasks.create_task(subscriber.listen(await stream.__aenter__()))
                writing = tasks.create_task(_write(url, rows, rate))
                found = await _watch(engine, rows, rate)
                await writing
                waiting = [one for one in listening if not one.pause]
                async with asyncio.timeout(120):
                    while any(len(s.ids) + s.dropped < len(s.expected) for s in waiting):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            await connection.execute("SELECT pg_drop_replication_slot(%s)", [settings.slot_name])
    found.wrong = sum(not one.is_right for one in listening)
    found.heard = sum(len(one.ids) for one in listening)
    found.dropped = sum(one.dropped for one in listening)
    return found


async def _write(url: str, rows: int, rate: float) -> None:
    async with _connected(url) as connection:
        await connection.execute("CALL write(%s, %s)", [rows, rate])


async def _watch(engine: Engine, rows: int, rate: float) -> Run:
    lags = list[float]()
    while not engine.snapshot().stream.events:  # noqa: ASYNC110 - no events
        await asyncio.sleep(0.001)
    began, cpu = time.perf_counter(), time.process_time()
    async with asyncio.timeout(60 + 10 * rows / rate):
        while (stored := engine.snapshot().stream.events) < rows:
            lags.append(max((time.perf_counter() - began) * rate - stored, 0.0))
            await asyncio.sleep(0.005)
    return Run(time.perf_counter() - began, lags, time.process_time() - cpu)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.listeners", description=__doc__)
    parser.add_argument("--rate", type=float, default=5_000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with EmbeddedServer(tcp=True) as server:
        url = server.create_database("listeners")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TABLES)
        rows = int(options.rate * options.seconds) // _A_COMMIT * _A_COMMIT
        for rate in (options.rate, 1_000_000.0):
            alone, heard = list[Run](), list[Run]()
            for _ in range(options.rounds):
                alone.append(asyncio.run(run(url, rows, rate, [])))
                heard.append(asyncio.run(run(url, rows, rate, subscribers(rows))))
            _print(rows, rate, alone, heard)


def _print(rows: int, rate: float, alone: Sequence[Run], heard: Sequence[Run]) -> None:
    print(f"{rows:,} events at {rate:,.0f} a second at most")
    for what, runs in (("nobody listens", alone), ("200 subscribers", heard)):
        stored = rows / statistics.median(one.seconds for one in runs)
        lags = sorted(lag for one in runs for lag in one.lags)
        p99 = 1000 * lags[len(lags) * 99 // 100] / rate
        print(
            f"  {what}: {stored:9,.0f} events/s stored, p99 of the reader's lag {p99:.1f} ms,"
            f" {1e6 * statistics.median(one.cpu for one in runs) / rows:.1f} µs of CPU an event"
        )
    ratio = statistics.median(a.seconds / h.seconds for a, h in zip(alone, heard, strict=True))
    print(
        f"  the reader's rate with them: {ratio:.2f} of that without;"
        f" {heard[-1].heard:,} messages heard, {sum(one.wrong for one in heard)} subscribers heard"
        f" anything else than theirs in order, {heard[-1].dropped:,} dropped and counted",
        flush=True,
    )


if __name__ == "__main__":
    main()
