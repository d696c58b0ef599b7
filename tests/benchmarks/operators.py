"""How fast a query operator works, beside one statement an event.

``python -m tests.benchmarks.operators`` starts a PostgreSQL server with 1,000 posts, and has the
README's operator catch up with a backlog of comments: in the shape of EventStreamex (for each
event the four statements that it commits, on one connection), with the SQL as it is, and with SQL
that takes an array of ids. Then it commits one comment at a time, and measures how long it takes
until the derived row is there. It prints the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import structlog

from eventscope import EventScope
from eventscope.demo.embedded import EmbeddedServer
from eventscope.engine import Engine
from eventscope.engine.commands import Pause, Resume
from eventscope.settings import Settings

_POSTS: Final = 1_000
NAME: Final = "post_with_comments_counts"
TABLES: Final = f"""
CREATE TABLE posts (id bigint PRIMARY KEY, title text);
CREATE TABLE comments (id bigserial PRIMARY KEY, post_id bigint, body text);
CREATE INDEX ON comments (post_id);
CREATE TABLE {NAME} (id bigint PRIMARY KEY, title text, comments_count bigint);
ALTER TABLE comments REPLICA IDENTITY FULL;
CREATE TABLE original_queue (id uuid PRIMARY KEY, event jsonb);
CREATE TABLE original_status (entity text PRIMARY KEY, stamp bigint, updated_at timestamp);
INSERT INTO posts SELECT n, 'post ' || n FROM generate_series(1, {_POSTS}) n;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('derived', NEW.id::text); RETURN NULL; END $$;
"""
TRIGGER: Final = (
    f"CREATE TRIGGER tell AFTER INSERT OR UPDATE ON {NAME} FOR EACH ROW EXECUTE FUNCTION tell()"
)
_MERGE: Final = f"""
MERGE INTO {NAME} dest
USING (
  SELECT p.id, p.title, COUNT(c.id) AS comments_count
  FROM posts p LEFT JOIN comments c ON c.post_id = p.id
  WHERE p.id {{}} GROUP BY p.id
) src
ON src.id = dest.id
WHEN NOT MATCHED THEN
  INSERT (id, title, comments_count) VALUES (src.id, src.title, src.comments_count)
WHEN MATCHED THEN UPDATE SET title = src.title, comments_count = src.comments_count
"""
_SQL: Final = {"$1": _MERGE.format("= $1"), "array": _MERGE.format("= ANY ($1)")}

Ids = Sequence[int]
_IDS: Final[dict[str, Callable[[int], Ids]]] = {
    "uniform": lambda count: random.choices(range(1, _POSTS + 1), k=count),
    "hot": lambda count: [min(int(random.paretovariate(1.16)), _POSTS) for _ in range(count)],
}


def original_rate(url: str, ids: Ids) -> float:
    """Events a second of the original's shape, four commits an event; for a twentieth of them."""
    _empty(url)
    _write(url, ids)
    ids = ids[: max(len(ids) // 20, 1)]
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = psycopg.RawCursor(connection)
        began = time.perf_counter()
        for id in ids:
            cursor.execute(
                "INSERT INTO original_queue VALUES (gen_random_uuid(), '{}') RETURNING id"
            )
            [(queued,)] = cursor.fetchall()
            cursor.execute(_SQL["$1"], [str(id)])
            cursor.execute("DELETE FROM original_queue WHERE id = $1", [queued])
            cursor.execute(
                "INSERT INTO original_status VALUES ('comments', 1, now())"
                " ON CONFLICT (entity) DO UPDATE SET updated_at = now()"
            )
        return len(ids) / (time.perf_counter() - began)


def our_rate(url: str, ids: Ids, form: str) -> tuple[float, float]:
    """Events a second that eventscope applies of a backlog, and µs of its CPU an event."""
    _empty(url)
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_catch_up(url, ids, form, Path(directory)))


async def _catch_up(url: str, ids: Ids, form: str, directory: Path) -> tuple[float, float]:
    settings = Settings.load(
        url=url, slot_name=f"slot_{time.monotonic_ns()}", queue_path=directory / "queue.db"
    )
    async with Engine(application(form), settings) as engine:
        await engine.command(Pause(NAME))
        _write(url, ids)
        while engine.snapshot().operators[0].depth < len(ids):  # noqa: ASYNC110 - no events
            await asyncio.sleep(0.05)
        began = time.perf_counter(), time.process_time()
        await engine.command(Resume(NAME))
        while engine.snapshot().operators[0].depth:  # noqa: ASYNC110 - no events
            await asyncio.sleep(0.002)
        seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", [settings.slot_name])
    return len(ids) / seconds, 1e6 * cpu / len(ids)


def application(form: str) -> EventScope:
    """With the README's operator; its SQL as it is (``$1``), or for an ``array`` of ids."""
    app = EventScope("benchmark")
    app.query(
        NAME,
        sql=_SQL[form],
        ids={"comments": "post_id", "posts": "id"},
        delete_with=["posts"],
        batch=form == "array",
    )
    return app


app = application("$1")
"""What the latency is measured of."""


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE comments, {NAME}")


def _write(url: str, ids: Ids) -> None:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for start in range(0, len(ids), 10):
            cursor.executemany(
                "INSERT INTO comments (post_id, body) VALUES (%s, 'x')",
                [(id,) for id in ids[start : start + 10]],
            )
            connection.commit()


def latencies(url: str, count: int) -> list[float]:
    """Milliseconds from a commit to the commit of the derived row, one after the other."""
    found = []
    with (
        _running(url),
        psycopg.connect(url, autocommit=True) as writing,
        psycopg.connect(url, autocommit=True) as hearing,
    ):
        writing.execute(TRIGGER)
        hearing.execute("LISTEN derived")
        for n in range(count + 20):
            writing.execute(
                "INSERT INTO comments (post_id, body) VALUES (%s, 'x')", [n % _POSTS + 1]
            )
            began = time.perf_counter()
            if not list(hearing.notifies(timeout=30, stop_after=1)):
                raise TimeoutError("the derived row never came")
            found.append(1000 * (time.perf_counter() - began))
        writing.execute(f"DROP TRIGGER tell ON {NAME}")
    return sorted(found[20:])


@contextmanager
def _running(url: str) -> Iterator[None]:
    """The program as its users run it, once it streams."""
    with tempfile.TemporaryDirectory() as directory:
        command = [
            sys.executable,
            "-m",
            "eventscope",
            "run",
            "tests.benchmarks.operators:app",
            "--headless",
        ]
        command += ["--log-format", "json", "--slot-name", "latency"]
        command += ["--queue-path", str(Path(directory) / "queue.db")]
        environment = os.environ | {"EVENTSCOPE_URL": url}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if b'"streaming"' in line:
                    break
            yield
            process.terminate()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with EmbeddedServer(tcp=True) as server:
        url = server.create_database("operators")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)
        for kind, choose in _IDS.items():
            _print_rates(url, kind, choose, options)
        found = latencies(url, options.commits)
        at = {p: found[min(len(found) - 1, len(found) * p // 100)] for p in (50, 99)}
        print(
            f"one commit at a time, to the derived row: p50 {at[50]:.2f} ms, p99 {at[99]:.2f} ms,"
            f" max {found[-1]:.2f} ms (budget 3 and 10)"
        )


def _print_rates(
    url: str, kind: str, choose: Callable[[int], Ids], options: argparse.Namespace
) -> None:
    events: int = options.events
    base, rates = [], dict[str, list[tuple[float, float]]]()
    for _ in range(options.rounds):
        base.append(original_rate(url, choose(events)))
        for form in _SQL:
            rates.setdefault(form, []).append(our_rate(url, choose(events), form))
    original = statistics.median(base)
    print(f"{kind} ids: the original's shape {original:,.0f} events/s", flush=True)
    for form, budget in (("$1", 30), ("array", 100)):
        rate = statistics.median(rate for rate, _ in rates[form])
        cpu = statistics.median(cpu for _, cpu in rates[form])
        print(
            f"{kind} ids: {form:5} {rate:9,.0f} events/s, {rate / original:5.0f} times the"
            f" original's shape (budget {budget}), {cpu:.1f} µs of CPU an event",
            flush=True,
        )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.operators", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--commits", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
