"""``eventscope replay``: events once more, then on where it was."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cli.shop import Shop


async def points(shop: Shop) -> list[str]:
    """The ids of the events so far."""

    async def read(queue: object) -> list[str]:
        events = await queue.read(0, queue.relations, 100)  # type: ignore[attr-defined]
        return [str(queued.event().id) for queued in events]

    found: list[str] = await shop.kept(read)
    return found


@pytest.mark.parametrize("runs", [True, False])
async def test_events_from_one_to_another_come_again(shop: Shop, runs: bool) -> None:
    async with shop.running() as program:
        await shop.notes(1, 2, 3, 4)
        await shop.until_seen(1, 2, 3, 4)
        second, third = (await points(shop))[1:3]
        if not runs:
            await shop.stop(program)
        result = await shop.ask("replay", "good", "--from", second, "--to", third)
        assert result.returncode == 0, result.stderr
        assert result.stdout == f"good replays from {second} to {third}\n"
        if runs:
            await shop.until_seen(1, 2, 3, 4, 2, 3)
            await shop.notes(5)
            await shop.until_seen(1, 2, 3, 4, 2, 3, 5)
    if not runs:
        async with shop.running():
            await shop.until_seen(1, 2, 3, 4, 2, 3)


async def test_without_an_end_all_from_an_lsn_or_a_time_comes_again(shop: Shop) -> None:
    async with shop.running():
        await shop.notes(1)
        await shop.until_seen(1)
        [(between, lsn)] = await shop.sql("select now(), pg_current_wal_lsn()")
        await shop.notes(2)
        await shop.until_seen(1, 2)
        result = await shop.ask("replay", "good", "--from", lsn)
        assert result.returncode == 0, result.stderr
        await shop.until_seen(1, 2, 2)
        assert isinstance(between, datetime)
        local = between.astimezone().replace(tzinfo=None).isoformat()
        assert (await shop.ask("replay", "good", "--from", local)).returncode == 0
        await shop.until_seen(1, 2, 2, 2)


async def test_a_time_without_a_zone_is_that_of_who_asks(shop: Shop) -> None:
    """The process may run in another zone."""
    async with shop.running():
        await shop.notes(1)
        await shop.until_seen(1)
        [(now,)] = await shop.sql("select now()")
        there = now.astimezone(UTC).replace(tzinfo=None).isoformat()
        result = await shop.ask_as({"TZ": "UTC"}, "replay", "good", "--from", there)
        assert result.returncode == 2
        assert "has had no event" in result.stderr
        result = await shop.ask_as({"TZ": "EST+5"}, "replay", "good", "--from", there)
        assert "+00:00" in result.stderr


async def test_what_cannot_be_replayed_is_refused(shop: Shop) -> None:
    async with shop.running():
        await shop.notes(1)
        await shop.until_seen(1)
        for point, why in (
            ("yesterday", "'yesterday' is no point of the stream"),
            ("FF/0/7", "the queue holds no event FF/0/7; its first is 0/"),
            ("FF/0", "nothing to replay: good has had no event from FF/0"),
        ):
            result = await shop.ask("replay", "good", "--from", point)
            assert result.returncode == 2
            assert why in result.stderr
            assert len(result.stderr.splitlines()) == 1
