"""The Dockerfile and the unit of CONTRIBUTING, tried as far as their engines are not needed."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from eventscope import EventScope
from tests.conftest import Connection
from tests.programs import REPOSITORY, running
from tests.readme import CONTRIBUTING, blocks

[DOCKERFILE] = blocks("### In a container", "dockerfile", CONTRIBUTING)
[UNIT] = blocks("### As a service", "ini", CONTRIBUTING)

BLOG = """
from eventscope import EventScope

app = EventScope("blog")


@app.operator(entities=["posts"])
async def fail(event):
    raise RuntimeError("as ever")
"""


def instructions(name: str) -> list[str]:
    """What the Dockerfile says by one instruction."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return re.findall(rf"^{name} (.+)$", text, re.MULTILINE)


async def test_the_container_is_healthy_as_long_as_its_process_answers(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    await connection.execute("CREATE TABLE posts (id int PRIMARY KEY)")
    (tmp_path / "blog.py").write_text(BLOG)
    environment = {
        "EVENTSCOPE_URL": database,
        "EVENTSCOPE_SLOT_NAME": f"container_{uuid4().hex[:16]}",
        "EVENTSCOPE_OPERATOR_QUEUE_MAX_RETRIES": "0",
        "EVENTSCOPE_QUEUE_PATH": str(tmp_path / "queue.db"),
    }
    [command] = instructions("CMD")
    [health] = [line.partition("CMD ")[2] for line in instructions("HEALTHCHECK")]
    program, *arguments = json.loads(command)
    assert program == "eventscope"
    async with running(*arguments, cwd=tmp_path, environment=environment) as container:
        await container.logged("streaming")
        assert await shell(health, tmp_path, environment) == 0
        await connection.execute("INSERT INTO posts VALUES (1)")
        await container.logged("halted")
        assert await shell("eventscope status blog.py", tmp_path, environment) == 1
        assert await shell(health, tmp_path, environment) == 0, "no restart would help"
        other = environment | {"EVENTSCOPE_QUEUE_PATH": str(tmp_path / "blog.py")}
        assert await shell(health, tmp_path, other) == 1
        container.terminate()
        assert await container.ended() == int(service()["SuccessExitStatus"])


async def shell(command: str, folder: Path, environment: dict[str, str]) -> int:
    """Run a line as the image's shell does; returns its exit code."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    eventscope = programs / "eventscope"
    eventscope.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eventscope "$@"\n')
    eventscope.chmod(0o755)
    path = {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, cwd=folder, env={**os.environ, **path, **environment}
    )
    return await process.wait()


def test_the_container_keeps_its_queue_and_is_nobody_s_root() -> None:
    [volume] = instructions("VOLUME")
    [queue] = [line for line in instructions("ENV") if line.startswith("EVENTSCOPE_QUEUE_PATH=")]
    assert queue.partition("=")[2].startswith(f"{volume}/")
    [user] = instructions("USER")
    [made] = instructions("RUN")
    assert f"--owner={user} --mode=700 {volume}" in made
    assert DOCKERFILE.index(made.split()[0]) < DOCKERFILE.index(f"USER {user}")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "eventscope.service"
    unit.write_text(UNIT.replace("/srv/blog/.venv/bin/eventscope", sys.executable))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True
    )
    ours = [line for line in verified.stderr.splitlines() if str(unit) in line]
    assert (ours, verified.returncode) == ([], 0), verified.stderr


def test_both_leave_time_for_the_longest_handler() -> None:
    app = EventScope("default")
    app.operator(entities=["posts"])(lambda event: None)
    [handler] = app.operators
    [told] = re.findall(r"--stop-timeout (\d+)", CONTRIBUTING)
    for seconds in (told, service()["TimeoutStopSec"]):
        assert int(seconds) > handler.timeout  # type: ignore[union-attr]


def service() -> configparser.SectionProxy:
    """The unit's part about the process."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT)
    return parser["Service"]
