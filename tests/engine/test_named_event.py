"""Finding an event of the queue by its id."""

from __future__ import annotations

from eventscope.engine import Engine
from eventscope.engine.questions.named_event import SeqOf
from eventscope.event import EventId
from eventscope.settings import Settings
from tests.conftest import Connection
from tests.engine.conftest import Watching, Write


async def test_every_kept_event_is_found_by_its_id_and_no_other(
    notes: Write, connection: Connection, settings: Settings
) -> None:
    app = Watching()
    async with Engine(app, settings, attended=True) as engine:
        await notes(1)
        await connection.execute("INSERT INTO notes SELECT n, 'x' FROM generate_series(2, 4) n")
        await engine.settle(60)
        entries = [engine.ring.entry(seq) for seq in range(engine.ring.next)]
        for event, entry in zip(app.events, entries, strict=True):
            assert entry is not None
            assert await engine.ask(SeqOf(event.id)) == entry.seq
        last = app.events[-1].id
        for other in (
            EventId.of(last.end_lsn, last.ordinal + 1),
            EventId.of(last.end_lsn + 8, 0),
            EventId.of(1, 0),
        ):
            assert await engine.ask(SeqOf(other)) is None


async def test_an_event_that_was_given_up_is_not_found(notes: Write, settings: Settings) -> None:
    app = Watching()
    keep_none = settings.model_copy(update={"retention_events": 0})
    async with Engine(app, keep_none) as engine:
        await notes(1, 2)
        await engine.settle(60)
        await engine._workforce.save()
        await engine._queue.prune()
        assert await engine.ask(SeqOf(app.events[0].id)) is None
