"""``eventscope dead-letters``: see, retry and discard what operators gave up."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from eventscope.cli.dead_letters import command
from tests.cli.shop import Shop


async def test_they_are_listed_with_what_is_needed_to_act_upon_them(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2)
        first, second = await shop.until_dead("giving up", 2)
        for runs in (True, False):
            if not runs:
                await shop.stop(program)
            result = await shop.ask("dead-letters", "list")
            assert result.returncode == 0, result.stderr
            head, *rows = result.stdout.splitlines()
            assert head.split()[:3] == ["ID", "OPERATOR", "TARGET"]
            assert [row.split()[0] for row in rows] == [str(first), str(second)]
            assert all("giving up" in row and "never" in row and "dead" in row for row in rows)
            listed = await shop.ask("dead-letters", "list", "giving up", "--json")
            letters = json.loads(listed.stdout)["dead_letters"]
            assert [letter["id"] for letter in letters] == [first, second]
            assert letters[0]["next_retry"] is None


async def test_none_is_said_to_be_none(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.stop(program)
    assert (await shop.ask("dead-letters", "list")).stdout == "no dead letters\n"
    for way in ("retry", "discard"):
        result = await shop.ask("dead-letters", way, "--all", "good")
        assert (result.returncode, result.stdout) == (0, "good has no dead letters\n")
    result = await shop.ask("dead-letters", "retry", 99)
    assert result.returncode == 2
    assert result.stderr.startswith("eventscope: there is no dead letter 99")


async def test_one_is_shown_whole(shop: Shop) -> None:
    await shop.sql("update limits set n = 0")
    async with shop.running() as program:
        await shop.notes(13)
        [query] = await shop.until_dead("copies")
        [handler] = await shop.until_dead("giving up")
        await shop.stop(program)
    result = await shop.ask("dead-letters", "show", query)
    assert result.returncode == 0, result.stderr
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines()[:8] if " " in line)
    assert (lines["operator"], lines["target"], lines["attempts"]) == ("copies", "13", "2")
    assert json.loads(lines["event"])["new_record"] == {"id": 13, "n": 13}
    assert "division by zero" in lines["error"]

    shown = json.loads((await shop.ask("dead-letters", "show", handler, "--json")).stdout)
    assert shown["target"] is None
    assert shown["event"]["id"] == shown["event_id"]
    assert "async def" not in shown["error"]
    assert 'raise ValueError("never")' in shown["traceback"]
    text = (await shop.ask("dead-letters", "show", handler)).stdout
    assert 'raise ValueError("never")' in text


async def test_a_retry_of_one_or_of_all_ends_letters_that_succeed(shop: Shop) -> None:
    async with shop.running():
        await shop.notes(1, 2, 3)
        first, *_ = await shop.until_dead("giving up", 3)
        (shop.folder / "mended").touch()
        result = await shop.ask("dead-letters", "retry", first)
        assert result.stdout == "giving up tries 1 dead letter again\n"
        await shop.until_dead("giving up", 2)
        result = await shop.ask("dead-letters", "retry", "--all", "giving up")
        assert result.stdout == "giving up tries 2 dead letters again\n"
        await shop.until_letters("giving up", 0)


@pytest.mark.parametrize("runs", [True, False])
async def test_who_would_retry_an_operator_that_gave_up_is_told_of_its_letters(
    shop: Shop, runs: bool
) -> None:
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_dead("giving up")
        await shop.until_well("giving up")
        if not runs:
            await shop.stop(program)
        result = await shop.ask("retry", "giving up")
    assert result.returncode == 2
    assert result.stderr.endswith("and has 1 dead letter: see eventscope dead-letters\n")


async def test_without_a_process_a_retry_is_made_at_the_next_start(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1)
        await shop.until_dead("giving up")
        await shop.stop(program)
    result = await shop.ask("dead-letters", "retry", "--all", "giving up")
    assert result.stdout == "giving up tries 1 dead letter again\n"
    assert "from the next start on" in result.stderr
    (shop.folder / "mended").touch()
    async with shop.running():
        await shop.until_letters("giving up", 0)


async def test_discarding_one_is_done_and_discarding_all_asks_first(shop: Shop) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2, 3)
        first, *_ = await shop.until_dead("giving up", 3)
        result = await shop.ask("dead-letters", "discard", first)
        assert (result.returncode, result.stdout) == (0, "giving up loses 1 dead letter\n")
        unconfirmed = await shop.ask("dead-letters", "discard", "--all", "giving up")
        assert unconfirmed.returncode == 2
        assert "give --yes" in unconfirmed.stderr
        await shop.until_letters("giving up", 2)
        await shop.stop(program)
    result = await shop.ask("dead-letters", "discard", "--all", "giving up", "--yes")
    assert (result.returncode, result.stdout) == (0, "giving up loses 2 dead letters\n")
    await shop.until_letters("giving up", 0)


@pytest.mark.parametrize("arguments", [[], ["7", "--all", "good"]])
def test_which_letters_must_be_said(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, ["discard", *arguments])
    assert result.exit_code == 2
    assert "give IDs, or --all OPERATOR" in result.output
