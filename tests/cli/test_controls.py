"""Pause, resume, retry, skip and forget: asked of a running process, and noted without one."""

from __future__ import annotations

import asyncio
import getpass
import socket
import subprocess
import sys
from subprocess import PIPE, STDOUT

import pytest

from eventscope.queue.file_lock import FileLock
from tests.cli.conftest import Result
from tests.cli.shop import Shop

HERE = f"{getpass.getuser()}@{socket.gethostname()}"
STOPPED = "nothing runs now: this holds from the next start on"


def assert_done(result: Result, text: str, *, running: bool) -> None:
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{text}\n"
    assert result.stderr == ("" if running else f"eventscope: {STOPPED}\n")


def assert_refused(result: Result, text: str) -> None:
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"eventscope: {text}\n"


async def test_a_pause_holds_an_operator_across_restarts_until_it_is_resumed(shop: Shop) -> None:
    async with shop.running() as program:
        assert_done(await shop.ask("pause", "good"), "good is paused", running=True)
        line = await program.logged("good is paused")
        assert (line["operator"], line["by"]) == ("good", HERE)
        await shop.stop(program)
    async with shop.running():
        await shop.notes(1)
        await shop.until_halted()  # the others have seen the note
        await shop.until_seen_by_none()
        assert_done(await shop.ask("resume", "good"), "good goes on", running=True)
        await shop.until_seen(1)


async def test_without_a_process_a_pause_holds_from_the_next_start_on(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.stop(program)
    assert_done(await shop.ask("pause", "good"), "good is paused", running=False)
    assert_done(await shop.ask("pause", "good"), "good is paused already", running=False)
    log = shop.queue.with_suffix(".log").read_text()
    assert "good is paused" in log
    assert f"by={HERE}" in log
    await shop.notes(1)
    async with shop.running() as program:
        await shop.until_halted()
        await shop.until_seen_by_none()
        await shop.stop(program)
    assert_done(await shop.ask("resume", "good"), "good goes on", running=False)
    async with shop.running():
        await shop.until_seen(1)


async def test_what_a_process_was_asked_that_ends_is_done_without_it(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.stop(program)
    lock = FileLock(shop.queue)
    lock.acquire()
    try:
        asked = asyncio.create_task(shop.ask("pause", "good"))
        await shop.kept(lambda queue: queue.requests())
    finally:
        lock.release()
    assert_done(await asked, "good is paused", running=False)


async def test_what_was_done_is_said_before_from_when_on_it_holds(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.stop(program)
    command = [sys.executable, "-m", "eventscope", "pause", "good"]
    paused = await asyncio.to_thread(
        subprocess.run, command, cwd=shop.folder, stdout=PIPE, stderr=STDOUT, text=True
    )
    assert paused.stdout == f"good is paused\neventscope: {STOPPED}\n"


async def test_a_retry_lets_a_halted_operator_go_on(shop: Shop) -> None:
    async with shop.running():
        assert_refused(await shop.ask("retry", "bad"), "nothing to retry: bad is idle")
        not_failed = "nothing to skip: bad has not failed at its next event"
        assert_refused(await shop.ask("skip", "bad", "--yes"), not_failed)
        await shop.notes(1)
        await shop.until_halted()
        (shop.folder / "mended").touch()
        assert_done(await shop.ask("retry", "bad"), "bad tries again", running=True)
        await shop.until_well()


async def test_without_a_process_a_retry_is_made_at_the_next_start(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_halted()
        assert await shop.stop(program) == 1
    assert_refused(await shop.ask("retry", "good"), "nothing to retry: good has not failed")
    assert_done(await shop.ask("retry", "bad"), "bad tries again", running=False)
    (shop.folder / "mended").touch()
    async with shop.running():
        await shop.until_well()


@pytest.mark.parametrize("runs", [True, False])
async def test_a_retry_hurries_ids_that_are_tried_again_by_themselves(
    shop: Shop, runs: bool
) -> None:
    shop.set(operator_queue_min_restart_time=9_000_000, operator_queue_max_restart_time=9_000_000)
    await shop.sql("update limits set n = 0")
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_retrying("copies")
        await shop.sql("update limits set n = 1")
        if not runs:
            await shop.stop(program)
        assert_done(await shop.ask("retry", "copies"), "copies tries again", running=runs)
        if runs:
            await shop.until_rows("select id, n from copies", [(1, 1)])
    if not runs:
        async with shop.running():
            await shop.until_rows("select id, n from copies", [(1, 1)])


@pytest.mark.parametrize("runs", [True, False])
async def test_a_skip_passes_over_the_event_that_fails(shop: Shop, runs: bool) -> None:
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_halted()
        if not runs:
            await shop.stop(program)
        unconfirmed = await shop.ask("skip", "bad")
        assert unconfirmed.returncode == 2
        assert "nobody is there to confirm it: give --yes" in unconfirmed.stderr
        skipped = await shop.ask("skip", "bad", "--yes")
        assert skipped.returncode == 0, skipped.stderr
        assert skipped.stdout.startswith("bad passes over event 0/")
        if runs:
            await shop.until_well()
    if not runs:
        async with shop.running():
            await shop.until_well()


async def test_an_operator_that_is_not_there_is_named_with_those_that_are(shop: Shop) -> None:
    refusal = "there is no operator who; there are bad, copies, giving up, good"
    commands = [
        ("pause", "who"),
        ("skip", "who", "--yes"),
        ("replay", "who", "--from", "0/1"),
        ("dead-letters", "list", "who"),
    ]
    async with shop.running() as program:
        for command in commands:
            assert_refused(await shop.ask(*command), refusal)
        await shop.stop(program)
    assert_refused(await shop.ask("pause", "who"), refusal)


async def test_an_orphan_is_forgotten_by_the_process_alone(shop: Shop) -> None:
    async with shop.running() as program:
        declared = "good is declared by the application: it is no orphan"
        assert_refused(await shop.ask("forget", "good"), declared)
        await shop.stop(program)
    assert_refused(await shop.ask("forget", "good", "--app", "shop.py"), declared)
    source = shop.folder / "shop.py"
    source.write_text(source.read_text().replace("async def good", "async def better"))
    offline = "good is noted in the database, too: ask again while eventscope runs"
    assert_refused(await shop.ask("forget", "good"), offline)
    async with shop.running():
        assert "orphans: good;" in (await shop.ask("status")).stdout
        assert_done(await shop.ask("forget", "good"), "good is forgotten", running=True)
        assert "orphans" not in (await shop.ask("status")).stdout


async def test_an_operator_may_have_an_odd_name(shop: Shop) -> None:
    names = ["-x", "--help", 'an operator\'s "name" ü']
    with (shop.folder / "shop.py").open("a") as source:
        for name in names:
            source.write(f"app.operator(entities=['notes'], name={name!r})(lambda event: None)\n")
    async with shop.running():
        for name in names:
            assert_done(await shop.ask("pause", "--", name), f"{name} is paused", running=True)
        result = await shop.ask("pause", "\x1b[31mred")
    assert result.returncode == 2
    assert "there is no operator ␛[31mred" in result.stderr, "it cannot drive the terminal"
