"""``eventscope status``: of a running process, or of what it left."""

from __future__ import annotations

import json
from typing import Any

from eventscope.event import EventId
from tests.cli.conftest import Result
from tests.cli.shop import Shop
from tests.hindrances import full, small_disk
from tests.programs import running


def by_name(result: Result) -> dict[str, Any]:
    return {operator["name"]: operator for operator in json.loads(result.stdout)["operators"]}


async def test_of_a_running_process_it_tells_all_that_is_known(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.ask("pause", "good")
        await shop.notes(1, 2)
        await shop.until_halted()
        await shop.until_dead("giving up", 2)
        result = await shop.ask("status", "--json")
        assert result.returncode == 1, "something waits for a person"
        status = json.loads(result.stdout)
        assert status["process"] == program.pid
        assert status["app"] == "shop"
        stream = status["stream"]
        assert (stream["state"], stream["slot"]) == ("streaming", "shop")
        assert stream["lag_bytes"] >= 0
        assert status["orphans"] == []

        operators = by_name(result)
        good, bad, copies = operators["good"], operators["bad"], operators["copies"]
        assert (good["state"], good["depth"]) == ("paused", 2)
        assert good["paused"].startswith("by ")
        assert (bad["state"], bad["halted"], bad["attempts"]) == ("halted", True, 2)
        assert bad["error"].endswith("\x1b[31mno")
        assert bad["depth"] == 2
        assert EventId(bad["failed_at"]).ordinal == 0
        assert operators["giving up"]["dead"] == 2
        assert (copies["kind"], copies["state"], copies["depth"]) == ("query", "idle", 0)
        assert EventId(copies["position"]).end_lsn > EventId(bad["failed_at"]).end_lsn

        table = await shop.ask("status")
        assert "␛[31mno" in table.stdout
        assert "\x1b" not in table.stdout
        assert f"process {program.pid}" in table.stdout
        *rows, halted, dead, paused = table.stdout.splitlines()
        assert any("× halted" in row and "bad" in row for row in rows)
        assert halted.startswith("halted: bad; mend the cause, then eventscope retry; ")
        assert dead == "dead letters: giving up; eventscope dead-letters list says why"
        assert paused == "paused: good; eventscope resume lets it go on"


async def test_without_a_process_it_tells_what_the_queue_holds(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2)
        await shop.until_halted()
        await shop.until_dead("giving up", 2)
        await shop.stop(program)
    result = await shop.ask("status", "--json")
    assert result.returncode == 1
    status, operators = json.loads(result.stdout), by_name(result)
    assert status["process"] is None
    assert status["stream"]["state"] == "stopped"
    assert status["stream"]["slot"] == "shop"
    assert status["orphans"] is None
    assert {operator["state"] for operator in operators.values()} == {"stopped"}
    assert {operator["depth"] for operator in operators.values()} == {None}
    assert operators["bad"]["halted"]
    assert operators["giving up"]["dead"] == 2
    assert "stopped" in (await shop.ask("status")).stdout


async def test_a_process_that_cannot_be_asked_is_told_of_as_blocked(shop: Shop) -> None:
    with small_disk(shop.folder / "disk") as disk:
        elsewhere = {"EVENTSCOPE_QUEUE_PATH": str(disk / "queue.db")}
        run = ("run", "shop.py", "--headless", "--log-format", "json")
        async with running(*run, cwd=shop.folder, environment=elsewhere) as program:
            await program.logged("streaming")
            with full(disk):
                await shop.sql("insert into notes select g, g from generate_series(1, 20000) g")
                await program.logged("queue.db cannot be written")
                result = await shop.ask_as(elsewhere, "status", "--json")
                assert result.returncode == 0, result.stderr
                table = await shop.ask_as(elsewhere, "status")
            status = json.loads(result.stdout)
            assert (status["process"], status["stream"]["state"]) == (program.pid, "blocked")
            assert f"free space at {disk}" in status["stream"]["detail"]
            assert {operator["state"] for operator in status["operators"]} == {"unknown"}
            assert f"process {program.pid} · blocked" in table.stdout
            assert f"free space at {disk}" in table.stdout


async def test_with_the_application_it_tells_what_waits_and_who_is_an_orphan(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2, 3)
        await shop.until_halted()
        await shop.until_dead("giving up", 3)
        await shop.until_well("giving up")
        await shop.until_well("copies")
        await shop.stop(program)
    source = shop.folder / "shop.py"
    source.write_text(source.read_text().replace("async def good", "async def better"))
    result = await shop.ask("status", "shop.py", "--json")
    assert json.loads(result.stdout)["orphans"] == ["good"]
    depths = {name: operator["depth"] for name, operator in by_name(result).items()}
    assert depths == {"bad": 3, "copies": 0, "giving up": 0}


async def test_what_comes_to_wait_for_a_person_is_logged_while_it_runs(shop: Shop) -> None:
    halted = (
        "halted: bad; mend the cause, then eventscope retry; eventscope skip passes over the event"
    )
    async with shop.running() as program:
        await shop.notes(1)
        await program.logged(halted)
        await shop.stop(program)
    async with shop.running() as program:  # which finds it so
        await program.logged(halted)


async def test_where_all_is_well_it_exits_with_0(shop: Shop) -> None:
    (shop.folder / "mended").touch()
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_well()
        result = await shop.ask("status")
        assert result.returncode == 0
        assert len(result.stdout.splitlines()) == 6, "a line, and a table; nothing to be cured"
        await shop.stop(program)
    assert (await shop.ask("status")).returncode == 0


async def test_however_much_there_is_to_tell_it_is_whole(shop: Shop) -> None:
    with (shop.folder / "shop.py").open("a") as source:
        source.write(
            "def fail(event):\n    raise ValueError('x' * 60_000)\n"
            "for n in range(3):\n"
            "    app.operator(entities=['notes'], name=f'long {n}')(fail)\n"
        )
    async with shop.running():
        await shop.notes(1)
        for n in range(3):
            await shop.until_halted(f"long {n}")
        result = await shop.ask("status", "--json")
    assert result.returncode == 1, result.stderr
    operators = by_name(result)
    assert all("x" * 60_000 in operators[f"long {n}"]["error"] for n in range(3))
