"""``eventscope backfill``: a whole table anew, with a bar that only looks on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pexpect

from eventscope.queue.outside import OutsideQueue
from tests.cli.shop import Shop
from tests.programs import running
from tests.terminal import as_from_a_shell


def terminal(shop: Shop, *arguments: str) -> pexpect.spawn:
    return pexpect.spawn(
        sys.executable, ["-m", "eventscope", *arguments], cwd=str(shop.folder),
        env={name: value for name, value in os.environ.items() if name != "CI"},
        dimensions=(24, 100), encoding="utf-8", timeout=60,
        preexec_fn=as_from_a_shell,
    )  # fmt: skip


def ended(program: pexpect.spawn) -> int:
    program.expect(pexpect.EOF)
    program.close()
    assert program.exitstatus is not None
    return int(program.exitstatus)


async def many(shop: Shop, count: int = 2_000) -> None:
    """Notes from before the application."""
    await shop.sql(f"insert into notes select g, g from generate_series(1, {count}) g")


async def test_it_fills_the_table_and_ends_with_it(shop: Shop) -> None:
    await many(shop)
    async with shop.running():
        result = await shop.ask("backfill", "copies")
        assert result.returncode == 0, result.stderr
        assert result.stdout == "copies begins a backfill\nthe backfill of copies has ended\n"
        assert await shop.sql("select count(*) from copies") == [(2_000,)]


async def test_without_a_process_it_begins_with_the_next_start(shop: Shop) -> None:
    await many(shop)
    async with shop.running() as program:
        await shop.stop(program)
    result = await shop.ask("backfill", "copies")
    assert (result.returncode, result.stdout) == (0, "copies begins a backfill\n")
    assert "from the next start on" in result.stderr
    async with shop.running():
        await shop.until_rows("select count(*) from copies", [(2_000,)])


async def test_a_bar_shows_how_far_it_is_and_ctrl_c_leaves_it_going_on(shop: Shop) -> None:
    await many(shop)
    async with shop.running():
        bar = terminal(shop, "backfill", "copies", "--rate", "100")
        await asyncio.to_thread(bar.expect, r"copies .*\d+/2,000 ids")
        bar.sendintr()
        await asyncio.to_thread(bar.expect, "the backfill of copies goes on")
        assert await asyncio.to_thread(ended, bar) == 130
        status = await shop.ask("status")
        assert "of 2,000 ids" in status.stdout
        again = terminal(shop, "backfill", "copies", "--rate", "1e6")
        await asyncio.to_thread(again.expect, "goes on with its backfill")
        await asyncio.to_thread(again.expect, "the backfill of copies has ended")
        assert await asyncio.to_thread(ended, again) == 0
        assert await shop.sql("select count(*) from copies") == [(2_000,)]


async def test_to_look_again_does_not_take_the_limit_away(shop: Shop) -> None:
    await many(shop)
    async with shop.running():
        async with running("backfill", "copies", "--rate", "10", cwd=shop.folder) as first:
            await first.line(lambda line: line.get("text") == "copies begins a backfill")
        async with running("backfill", "copies", cwd=shop.folder) as second:
            await second.line(lambda line: "goes on" in line.get("text", ""))
            assert '"rate": 10.0' in (await shop.ask("status", "--json")).stdout
            second.signal(signal.SIGINT)
            assert await second.ended() == 130


async def test_it_can_be_cancelled(shop: Shop) -> None:
    await many(shop)
    follow = running("backfill", "copies", "--rate", "10", cwd=shop.folder)
    async with shop.running(), follow as following:
        await following.line(lambda line: line.get("text") == "copies begins a backfill")
        result = await shop.ask("backfill", "copies", "--cancel")
        assert (result.returncode, result.stdout) == (0, "copies ends its backfill\n")
        assert await following.ended() == 0


async def test_whoever_looks_on_is_told_that_the_process_has_ended(shop: Shop) -> None:
    await many(shop)
    follow = running("backfill", "copies", "--rate", "10", cwd=shop.folder)
    async with shop.running() as program, follow as following:
        await following.line(lambda line: line.get("text") == "copies begins a backfill")
        await program.kill()
        assert await following.ended() == 3
        assert "it goes on with the next start" in str(following.lines)


async def test_whoever_looks_on_is_told_that_the_operator_is_held(shop: Shop) -> None:
    await many(shop)
    async with shop.running():
        await shop.ask("pause", "copies")
        result = await shop.ask("backfill", "copies")
        assert result.returncode == 1
        assert "copies is paused by " in result.stderr
        assert "its backfill goes on when the operator does" in result.stderr


async def test_ids_that_fail_are_named(shop: Shop) -> None:
    await many(shop, 3)
    await shop.sql("update limits set n = 0")
    async with shop.running():
        result = await shop.ask("backfill", "copies")
        assert result.returncode == 1
        assert "copies has failed ids, 3 of them" in result.stderr
        letters = await shop.until_dead("copies", 3)
        shown = await shop.ask("dead-letters", "show", letters[0])
        assert shown.returncode == 0, shown.stderr
        assert "\nevent     none: a backfill\n" in shown.stdout
        as_json = await shop.ask("dead-letters", "show", letters[0], "--json")
        assert json.loads(as_json.stdout)["event"] is None


async def no_backfill(queue: OutsideQueue) -> bool:
    return await queue.backfill("good") is None


async def test_a_handler_has_no_table_to_fill(shop: Shop) -> None:
    refusal = "good is a handler: only a query's target can be filled"
    async with shop.running() as program:
        result = await shop.ask("backfill", "good")
        assert (result.returncode, result.stderr) == (2, f"eventscope: {refusal}\n")
        await shop.stop(program)
    named = await shop.ask("backfill", "good", "--app", "shop.py")
    assert (named.returncode, named.stderr) == (2, f"eventscope: {refusal}\n")
    assert (await shop.ask("backfill", "good")).returncode == 0  # nobody can tell
    async with shop.running() as program:
        await program.logged("a handler has no target to fill")
    await shop.kept(no_backfill)


async def test_a_skip_and_a_discard_are_confirmed_by_the_operator_s_name(shop: Shop) -> None:
    async with shop.running():
        await shop.notes(1)
        await shop.until_halted()
        await shop.until_dead("giving up")
        for name, code in (("good", 130), ("bad", 0)):
            person = terminal(shop, "skip", "bad")
            await asyncio.to_thread(person.expect, "bad will never see event 0/.*no")
            person.sendline(name)
            if code:
                await asyncio.to_thread(person.expect, "not confirmed: nothing was done")
            assert await asyncio.to_thread(ended, person) == code
        await shop.until_well()
        for name, code in (("", 130), ("giving up", 0)):
            person = terminal(shop, "dead-letters", "discard", "--all", "giving up")
            await asyncio.to_thread(person.expect, "giving up will lose 1 dead letter\r")
            if code:
                await asyncio.to_thread(person.expect, "to confirm: ")
                person.sendintr()
                unchanged = "\\^C\r\neventscope: not confirmed: nothing was done\r\n"
                await asyncio.to_thread(person.expect, unchanged)
            else:
                person.sendline(name)
            assert await asyncio.to_thread(ended, person) == code
        await shop.until_letters("giving up", 0)
