"""``--json`` of every command about operators: one object, of a running process and without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Result
from tests.cli.shop import Shop


def the_object(result: Result) -> Any:
    """What a program reads: all that is on stdout, one object in one line."""
    assert result.returncode in (0, 1), result.stderr
    [line] = result.stdout.splitlines()
    assert result.stderr == ""
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def done(result: Result, process: int | None) -> list[str]:
    """What was done, by the process that should have done it."""
    found = the_object(result)
    assert found.keys() == {"done"}
    assert all(one.keys() == {"operator", "text", "process"} for one in found["done"])
    assert {one["process"] for one in found["done"]} <= {process}
    assert all(one["operator"] in one["text"] for one in found["done"])
    return [one["text"] for one in found["done"]]


@pytest.mark.parametrize("runs", [True, False])
async def test_each_command_tells_in_one_object_what_was_done(shop: Shop, runs: bool) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2, 3)
        await shop.until_halted()
        first, second, _ = await shop.until_dead("giving up", 3)
        await shop.until_well("copies")
        if not runs:
            await shop.stop(program)
        process = program.pid if runs else None

        async def ask(*arguments: Any) -> list[str]:
            return done(await shop.ask(*arguments, "--json"), process)

        assert await ask("pause", "good") == ["good is paused"]
        assert await ask("pause", "good") == ["good is paused already"]
        assert await ask("resume", "good") == ["good goes on"]
        [skipped] = await ask("skip", "bad", "--yes")
        assert skipped.startswith("bad passes over event 0/")
        assert await ask("replay", "copies", "--from", "0/1") == ["copies replays from 0/1"]
        letters = await ask("dead-letters", "discard", first, second)
        assert letters == ["giving up loses 1 dead letter"] * 2
        [again] = await ask("dead-letters", "retry", "--all", "giving up")
        assert again == "giving up tries 1 dead letter again"
        [nothing] = await ask("dead-letters", "discard", "--all", "good", "--yes")
        assert nothing == "good has no dead letters"
        assert await ask("backfill", "copies", "--cancel") == ["copies has no backfill under way"]
        filled = await ask("backfill", "copies")
        ended = ["the backfill of copies has ended"] if runs else []
        assert filled == ["copies begins a backfill", *ended]


@pytest.mark.parametrize("runs", [True, False])
async def test_a_retry_tells_so(shop: Shop, runs: bool) -> None:
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_halted()
        if not runs:
            await shop.stop(program)
        retried = await shop.ask("retry", "bad", "--json")
        assert done(retried, program.pid if runs else None) == ["bad tries again"]


async def test_an_orphan_that_is_forgotten_is_told(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.stop(program)
    source = shop.folder / "shop.py"
    source.write_text(source.read_text().replace("async def good", "async def better"))
    refused = await shop.ask("forget", "good", "--json")
    assert (refused.returncode, refused.stdout) == (2, "")
    async with shop.running() as program:
        forgotten = await shop.ask("forget", "good", "--json")
        assert done(forgotten, program.pid) == ["good is forgotten"]


@pytest.mark.parametrize("runs", [True, False])
async def test_what_is_looked_at_is_one_object(shop: Shop, runs: bool) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2)
        first, second = await shop.until_dead("giving up", 2)
        if not runs:
            await shop.stop(program)
        status = the_object(await shop.ask("status", "--json"))
        assert status["process"] == (program.pid if runs else None)
        listed = the_object(await shop.ask("dead-letters", "list", "--json"))
        assert [letter["id"] for letter in listed["dead_letters"]] == [first, second]
        assert the_object(await shop.ask("dead-letters", "list", "good", "--json")) == {
            "dead_letters": []
        }
        shown = the_object(await shop.ask("dead-letters", "show", first, "--json"))
        assert shown.keys() > {"id", "operator", "event", "traceback"}


@pytest.mark.parametrize("runs", [True, False])
async def test_what_is_refused_is_said_on_stderr_alone(shop: Shop, runs: bool) -> None:
    async with shop.running() as program:
        if not runs:
            await shop.stop(program)
        for command in (
            ("pause", "who"),
            ("retry", "good"),
            ("forget", "who"),
            ("dead-letters", "show", "7"),
        ):
            result = await shop.ask(*command, "--json")
            assert (result.returncode, result.stdout) == (2, ""), command
            assert len(result.stderr.splitlines()) == 1, command


async def test_what_was_done_before_a_refusal_is_told(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1)
        [letter] = await shop.until_dead("giving up")
        twice = await shop.ask("dead-letters", "discard", letter, letter, "--json")
        assert twice.returncode == 2
        [told] = json.loads(twice.stdout)["done"]
        assert (told["text"], told["process"]) == ("giving up loses 1 dead letter", program.pid)
