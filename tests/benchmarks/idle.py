"""What a headless run costs that has nothing to do.

``python -m tests.benchmarks.idle`` starts ``eventscope run --headless`` against a server of its
own, has it apply some events, lets it come to rest, and then looks at it from outside for half a
minute: the share of a core that all its threads took, how often they woke up, and the memory
resident at the end. Then the same with ``--metrics-port``, scraped every five seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from tests.benchmarks.measuring import environment
from tests.benchmarks.start import cpu
from tests.servers import fresh_database, running_server

# an installed program has its bytecode compiled; the first run here compiles it
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

WARM_UP: Final = 3.0
"""Seconds of rest before it is looked at."""
SCRAPE: Final = 5.0

_APP: Final = """
from eventscope import EventScope

app = EventScope("idle")
app.entity("users")
app.entity("posts")


@app.operator(entities=["users"])
async def watch(event):
    pass


app.query(
    "counts",
    sql="insert into counts select $1::bigint on conflict do nothing",
    ids={"users": "id"},
)
"""


@dataclass
class Rest:
    """What one program did while there was nothing to do."""

    seconds: float
    cpu: float
    """Seconds of CPU of all threads."""
    wakes: int
    """How often a thread went to sleep of itself (proc(5), ``voluntary_ctxt_switches``)."""
    resident: float
    """Megabytes at the end."""
    anonymous: float
    """Those of them that are no file's."""
    threads: int


def rest(url: str, seconds: float, *more: str) -> Rest:
    """Run it, and look at it while it rests."""
    with running(url, *more) as (process, served), psycopg.connect(url, autocommit=True) as blog:
        blog.execute("insert into users select g from generate_series(1, 500) g")
        while blog.execute("select count(*) from counts").fetchone() != (500,):
            time.sleep(0.05)
        time.sleep(WARM_UP)
        began, before, woke = time.perf_counter(), cpu(process), wakes(process)
        while (left := began + seconds - time.perf_counter()) > 0:
            if served:
                with urllib.request.urlopen(served) as response:
                    response.read()
            time.sleep(min(left, SCRAPE))
        took = time.perf_counter() - began
        memory = status(process)
        blog.execute("truncate users, counts")
        return Rest(
            took,
            cpu(process) - before,
            wakes(process) - woke,
            memory["VmRSS"] / 1024,
            memory["RssAnon"] / 1024,
            memory["Threads"],
        )


@contextmanager
def running(url: str, *more: str) -> Iterator[tuple[int, str]]:
    """The process of a run that streams, and where it serves metrics, if it does."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "application.py").write_text(_APP)
        command = [sys.executable, "-m", "eventscope", "run", "application.py", "--headless"]
        with subprocess.Popen(
            [*command, "--url", url, *more],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            served = ""
            for line in process.stderr:
                found = re.search(r"url=(\S+)", line)
                served = found[1] if found else served
                if "streaming" in line:
                    break
            try:
                yield process.pid, served
            finally:
                process.terminate()
                process.communicate()


def status(process: int) -> dict[str, int]:
    """The numbers that the kernel tells of a process; kilobytes where it is about memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = (re.fullmatch(r"(\w+):\s+(\d+)(?: kB)?", line) for line in lines)
    return {one[1]: int(one[2]) for one in found if one}


def wakes(process: int) -> int:
    """How often its threads have slept."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    found = (re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)
             for task in tasks)  # fmt: skip
    return sum(int(one[1]) for one in found if one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    print(f"{'':20} {'% of a core':>12} {'wakes/s':>8} {'MB':>6} {'own MB':>7} {'threads':>8}")
    print(f"{'budget':20} {1.0:12.2f} {'':8} {60:6.1f}")
    with running_server() as server, fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for table in ("users", "posts", "counts"):
                connection.execute(f"create table {table} (id bigint primary key)")
        rest(url, 1.0)  # makes slot and bytecode
        for name, more in (("headless", ()), ("with metrics", ("--metrics-port", "0"))):
            found = rest(url, seconds, *more)
            print(
                f"{name:20} {found.cpu / found.seconds * 100:12.2f}"
                f" {found.wakes / found.seconds:8.1f} {found.resident:6.1f}"
                f" {found.anonymous:7.1f} {found.threads:8}"
            )


if __name__ == "__main__":
    main()
