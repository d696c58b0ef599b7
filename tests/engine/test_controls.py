"""What commands change while history is given up."""

from __future__ import annotations

import pytest

from eventscope.engine.commands import CommandRefused, Replay
from eventscope.engine.controls import Controls
from eventscope.queue.memory import MemoryQueue
from eventscope.queue.records import OperatorRecord
from tests.queue.batches import ORIGIN, START, Writer


class Forgetful(MemoryQueue):
    """A queue that gives up history at the worst moment."""

    async def save_operator(self, record: OperatorRecord) -> None:
        await self.prune()
        await super().save_operator(record)


async def test_a_replay_of_what_is_given_up_meanwhile_is_refused() -> None:
    queue = Forgetful(retention_events=0, retention_bytes=10**9)
    await queue.begin(ORIGIN, START)
    writer = Writer()
    posts = writer.table("posts")
    await queue.append(*writer.rows(posts, "a", "b", "c").commit().take())
    await queue.advance("notify", 3)
    [_, second, _] = await queue.read(0, [posts], 3)
    with pytest.raises(CommandRefused, match="does not reach back to"):
        await Controls(queue, {}, (), None).do(Replay("notify", str(second.event().id)), "ann")
    assert await queue.operators() == [OperatorRecord("notify", position=3)]
