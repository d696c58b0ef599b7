"""Replaying events: a rewind, the ordinary path, and a jump back to where the operator was."""

from __future__ import annotations

from eventscope.operators.effect import Effect
from eventscope.operators.standing import NO_FAILURE, Standing


async def begin(standing: Standing, effect: Effect) -> None:
    """Stand before the first event of a replay.

    Where it goes on afterwards is noted before, as the ledger will not tell it any more.
    """
    if standing.record.resume_at is None:
        await effect.jump(await standing.place())  # it may stand elsewhere than we think
        await standing.note(resume_at=standing.position)
    start = standing.record.rewind_to or 0
    await effect.jump(await standing.place(start))
    standing.position = start
    if standing.record.rewind_to != start:
        return  # another one has been asked for meanwhile, and begins next
    await standing.note(rewind_to=None, skip=None, **NO_FAILURE)
    await standing.stand(start)


async def end(standing: Standing, effect: Effect) -> None:
    """Go on where the operator was before."""
    end = max(standing.record.resume_at or 0, standing.position)
    await effect.jump(await standing.place(end))
    standing.position = end
    if standing.record.rewind_to is None:
        await standing.note(replay_to=None, resume_at=None)
    else:  # another one has been asked for meanwhile, whose end is noted
        await standing.note(resume_at=None)
    await standing.stand(end)
