"""What a dashboard may ask about dead letters."""

from __future__ import annotations

from eventscope import Event, EventScope
from eventscope.engine import Engine
from eventscope.engine.commands import DiscardLetters, StartBackfill
from eventscope.engine.questions.dead_letters import LetterOf, LettersOf
from tests.conftest import Connection, MakeSettings
from tests.engine.conftest import Write
from tests.waiting import operator, until


async def test_letters_are_told_the_newest_first(notes: Write, make_settings: MakeSettings) -> None:
    app = EventScope("letters")

    @app.operator(entities=["notes"], on_failure="dead_letter")
    async def picky(event: Event) -> None:
        raise ValueError(f"no {(event.new_record or {})['id']}")

    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await notes(1, 2, 3)
        await until(lambda: operator(engine, "picky").dead == 3)
        letters = await engine.ask(LettersOf("picky"))
        assert [letter.error for letter in letters] == [f"ValueError: no {id}" for id in (3, 2, 1)]
        newest = letters[0]
        assert (newest.type, newest.table, newest.target) == ("insert", "notes", None)
        assert (newest.attempts, newest.next_retry) == (1, None)
        assert len(await engine.ask(LettersOf("picky", limit=2))) == 2

        details = await engine.ask(LetterOf(newest.id))
        assert details is not None
        assert details.letter == newest
        assert details.event.id == newest.event
        assert "raise ValueError" in details.traceback

        await engine.command(DiscardLetters("picky", newest.id))
        assert await engine.ask(LetterOf(newest.id)) is None
        assert len(await engine.ask(LettersOf("picky"))) == 2


async def test_a_letter_of_a_backfill_is_about_a_target_and_no_event(
    connection: Connection, notes: Write, make_settings: MakeSettings
) -> None:
    app = EventScope("fills")
    app.query(
        "copy", target="copies", sql="INSERT INTO copies SELECT 1/($1::int-7)", ids={"notes": "id"}
    )
    await notes(7)
    async with Engine(app, make_settings(operator_queue_max_retries=0)) as engine:
        await engine.settle(60)
        await engine.command(StartBackfill("copy"))
        await until(lambda: operator(engine, "copy").dead == 1)
        [letter] = await engine.ask(LettersOf("copy"))
        assert (letter.target, letter.event) == (("7",), None)
        assert "division by zero" in letter.error
