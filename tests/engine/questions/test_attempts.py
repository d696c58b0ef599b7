from __future__ import annotations

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.questions.attempts import AttemptsAt
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Write
from tests.waiting import until, until_state


async def test_each_operator_tells_what_it_tried_with_an_event(
    notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("attempts")
    failures = iter(["first", "second"])

    @app.operator(entities=["notes"])
    async def good(event: Event) -> None: ...

    @app.operator(entities=["notes"])
    async def moody(event: Event) -> None:
        if event.key["id"] == 2 and (failure := next(failures, None)):
            raise ValueError(failure)

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def hopeless(event: Event) -> None:
        if event.key["id"] == 2:
            raise KeyError("never")

    settings = make_settings(operator_queue_max_retries=3)
    async with Engine(app, settings, attended=True) as engine:
        await notes(1, 2, 3)
        await engine.settle(60)
        entries = [engine.ring.entry(place) for place in range(engine.ring.next)]
        seqs = [entry.seq for entry in entries if entry is not None]
        told = [await engine.ask(AttemptsAt(seq)) for seq in seqs]

    assert all(list(one) == ["good", "moody", "hopeless"] for one in told)
    tried = told[1]
    assert [attempt.error for attempt in tried["good"].attempts] == [None]
    assert [attempt.error for attempt in tried["moody"].attempts] == [
        "ValueError: first", "ValueError: second", None,
    ]  # fmt: skip
    assert tried["moody"].letters == ()
    assert "raise ValueError(failure)" in (tried["moody"].attempts[0].traceback or "")
    assert len(tried["hopeless"].attempts) >= 4
    (letter,) = tried["hopeless"].letters
    assert (letter.target, letter.attempts, letter.next_retry) == (None, 4, None)
    assert letter.error == "KeyError: 'never'"
    for other in (told[0], told[2]):
        assert [one.error for one in other["moody"].attempts] == [None]
        assert other["hopeless"].letters == ()


async def test_an_id_that_is_tried_again_says_when(
    connection: Connection, notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("attempts")
    app.query(
        "copies",
        sql="INSERT INTO copies SELECT $1 / ($1 - 2) ON CONFLICT (id) DO NOTHING",
        ids={"notes": "id"},
    )
    hour = 3_600_000
    settings = make_settings(
        operator_queue_min_restart_time=hour, operator_queue_max_restart_time=hour
    )
    async with Engine(app, settings, attended=True) as engine:
        await notes(2)
        await until_state(engine, "copies", "backing-off")
        await until(lambda: engine.snapshot().operators[0].letters)
        (seq,) = engine.snapshot().operators[0].letters
        (letter,) = (await engine.ask(AttemptsAt(seq)))["copies"].letters
    assert letter.target == ("2",)
    assert letter.attempts == 1
    assert "division by zero" in letter.error
    assert letter.next_retry is not None
    assert letter.next_retry > letter.last_at + 1_000
