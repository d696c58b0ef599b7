"""A program that was suspended while another one took its slot over writes nothing any more."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.shop import Shop
from tests.waiting import until, until_async


@pytest.mark.parametrize("place", ["before-commit:4:stop", "after-effect:9:stop"])
async def test_it_is_suspended_in_the_middle_and_goes_on_too_late(
    shop: Shop, program, tmp_path: Path, place: str
) -> None:
    shop.seed(3)
    options = ("--set", "acknowledge=applied")
    # the server lets it go once it has heard nothing for a second
    url = f"{shop.url}&options=-c%20wal_sender_timeout%3D1s"
    async with program(
        *options, "--url", url, queue="first.db", EVENTSCOPE_FAILPOINT=place
    ) as first:
        await first.logged("streaming")
        await shop.trade(40)
        await until(lambda: is_suspended(first.pid))
        async with program(*options, queue="second.db") as second:
            await second.logged("streaming")

            async def caught_up() -> bool:
                [applied, seen] = [
                    await shop.value("SELECT count(DISTINCT event) FROM audit"),
                    len(await shop.reference()),
                ]
                return applied == seen

            await until_async(caught_up)
            first.signal(signal.SIGCONT)
            assert await first.ended() == 3, first.lines
            assert any(
                f"another instance has taken over slot {shop.slot}" in line["event"]
                for line in first.lines
                if line.get("level") == "error"
            ), first.lines
            await shop.trade(10)
            await until_async(caught_up)
            assert second.running
            second.terminate()
            assert await second.ended() == 0
    twice = await shop.value(
        "SELECT count(*) FROM (SELECT FROM audit GROUP BY event HAVING count(*) > 1) AS twice"
    )
    assert twice == 0


def is_suspended(pid: int) -> bool:
    """Whether the kernel says that a process is stopped by a signal (Linux)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
