"""Taking snapshots of what works."""

from __future__ import annotations

from eventscope.engine.reader import Reader
from eventscope.engine.snapshot import (
    BackfillSnapshot,
    BreakpointSnapshot,
    OperatorSnapshot,
    ReplaySnapshot,
    StreamSnapshot,
    StreamState,
)
from eventscope.operators.breakpoints import Breakpoint
from eventscope.operators.runner import Runner
from eventscope.operators.standing import Standing
from eventscope.queue.records import Backfill


def operator_snapshot(runner: Runner) -> OperatorSnapshot:
    """An operator as it is now."""
    operator, record, letter = runner.operator, runner.standing.record, runner.letters.last
    failure = record if record.error is not None or letter is None else letter
    return OperatorSnapshot(
        name=operator.name,
        kind=operator.kind,
        entities=operator.entities,
        state=runner.state,
        depth=runner.standing.depth,
        attempts=record.attempts,
        max_attempts=runner.backoff.retries + 1,
        next_retry=runner.next_retry,
        error=failure.error,
        traceback=failure.traceback,
        applied=runner.standing.applied,
        failed=runner.attempts.failed,
        paused=bool(record.paused),
        detail=runner.activity.detail if not record.paused else f"paused {record.paused}",
        dead=runner.letters.dead,
        retrying=runner.letters.retrying,
        skipped=runner.skipped,
        backfill=_progress(runner.backfill),
        events=operator.events,
        position=runner.standing.position,
        failing=record.failed_seq,
        held=runner.gate.held,
        replay_to=record.replay_to,
        resume_at=record.resume_at,
        letters=runner.letters.events,
        oldest_at=runner.standing.oldest_at,
        replay=_replay(runner.standing),
        retries=runner.reports.retries,
        took=runner.timeline.took.durations,
        waited=runner.timeline.waited.durations,
    )


def stream_snapshot(
    reader: Reader,
    state: StreamState,
    detail: str,
    *,
    server: str,
    slot: str,
    held_back_by: str | None,
) -> StreamSnapshot:
    """The replication stream as it is now."""
    return StreamSnapshot(
        state=state,
        detail=detail,
        next_retry=reader.next_retry,
        server=server,
        slot=slot,
        received_lsn=reader.received,
        stored_lsn=reader.seen,
        acknowledged_lsn=reader.acknowledged,
        events=reader.events,
        wal_limit=reader.wal_limit,
        held_back_by=held_back_by,
        server_lsn=reader.server_end,
        retained=reader.retained,
        current_until=reader.current_until,
    )


def _replay(standing: Standing) -> ReplaySnapshot | None:
    if standing.record.rewind_to is not None:
        return ReplaySnapshot(0, None)
    if standing.record.replay_to is None:
        return None
    return ReplaySnapshot(standing.replay_total - standing.replay_left, standing.replay_total)


def _progress(backfill: Backfill | None) -> BackfillSnapshot | None:
    if backfill is None:
        return None
    return BackfillSnapshot(backfill.done, backfill.total, backfill.failed, backfill.started_at)


def breakpoint_snapshot(one: Breakpoint) -> BreakpointSnapshot:
    """A breakpoint that is set."""
    return BreakpointSnapshot(one.id, one.filter.text, str(one.filter), one.operator)
