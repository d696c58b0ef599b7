"""``run --metrics-port``: headless, beside the dashboard, and where no port is to be had."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.cli.conftest import Invoke
from tests.programs import running
from tests.terminal import Terminal

WriteApp = Callable[..., Path]


def prepare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table posts (id int primary key)")


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        return str(response.read().decode())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def test_a_headless_run_serves_until_it_ends(
    write_app: WriteApp, database: str, tmp_path: Path
) -> None:
    prepare(database)
    write_app()
    run = ("run", "blog", "--headless", "--log-format", "json", "--metrics-port", "0")
    async with running(*run, "--url", database, cwd=tmp_path) as program:
        served = (await program.logged("metrics are served"))["url"]
        await program.logged("streaming")
        text = await asyncio.to_thread(fetch, served)
        assert 'eventscope_stream_info{app="blog"' in text
        assert await asyncio.to_thread(fetch, served.replace("metrics", "readyz")) == "streaming\n"
        program.terminate()
        assert await program.ended() == 0


def test_it_serves_beside_the_dashboard(write_app: WriteApp, database: str, tmp_path: Path) -> None:
    prepare(database)
    write_app()
    port = free_port()
    run = ("run", "blog.py", "--url", database, "--metrics-port", str(port))
    terminal = Terminal(80, 24, "eventscope", *run, folder=tmp_path)
    terminal.until("LIVE")
    assert 'eventscope_stream_info{app="blog"' in fetch(f"http://127.0.0.1:{port}/metrics")
    terminal.program.send("q")
    assert terminal.until_it_ends() == 0
    terminal.assert_left_as_it_was()


def test_a_port_in_use_is_one_line_and_exit_code_2(
    invoke: Invoke, write_app: WriteApp, database: str
) -> None:
    prepare(database)
    write_app()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = invoke(
            "run", "blog", "--headless", "--url", database, EVENTSCOPE_METRICS__PORT=str(port)
        )
    assert result.returncode == 2
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith(f"eventscope: cannot serve metrics at 127.0.0.1 port {port}: ")


def test_a_port_that_cannot_be_is_named(invoke: Invoke, write_app: WriteApp) -> None:
    write_app()
    result = invoke("run", "blog", "--headless", EVENTSCOPE_METRICS__PORT="70000")
    assert result.returncode == 2
    assert "environment variable EVENTSCOPE_METRICS__PORT: " in result.stderr
