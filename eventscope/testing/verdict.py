"""What is wrong with an application under test, for the message of a failed assertion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from eventscope.engine.questions.dead_letters import LetterOf, LettersOf
from eventscope.engine.questions.operator import BlockingEvent
from eventscope.inspection.text import safe_lines, safe_text

if TYPE_CHECKING:
    from eventscope.engine.questions.dead_letters import Letter
    from eventscope.engine.snapshot import OperatorSnapshot
    from eventscope.engine.thread import EngineThread


def failures(engine: EngineThread) -> list[str]:
    """Lines about the operators that have halted or have dead letters; none if all is well."""
    operators = engine.snapshot().operators
    return [
        line
        for operator in operators
        for told in (_halt(engine, operator), _letters(engine, operator))
        for line in told
    ]


def delays(engine: EngineThread) -> list[str]:
    """Lines about what is still under way."""
    snapshot = engine.snapshot()
    stream = snapshot.stream
    lines = [_delay(operator) for operator in snapshot.operators if _is_late(operator)]
    if stream.state != "streaming":
        lines.append(f"the stream is {stream.state}: {safe_text(stream.detail)}")
    return lines or ["no operator is late: the stream is not read to its end yet"]


def _halt(engine: EngineThread, operator: OperatorSnapshot) -> Iterator[str]:
    if operator.state != "halted":
        return
    blocking = engine.ask(BlockingEvent(operator.name)).result()
    at = f" at {blocking.event.type} of {safe_text(blocking.event.name)}" if blocking else ""
    why = safe_text(operator.error or operator.detail)
    yield f"operator {operator.name} has halted{at}, attempts: {operator.attempts}: {why}"
    yield from _indented(operator.traceback or "")


def _letters(engine: EngineThread, operator: OperatorSnapshot) -> Iterator[str]:
    if not operator.dead:
        return
    letters = engine.ask(LettersOf(operator.name)).result()
    dead = [letter for letter in reversed(letters) if letter.next_retry is None]
    yield f"operator {operator.name} has dead letters: {operator.dead}"
    for letter in dead:
        yield f"  {_about(letter)}, attempts: {letter.attempts}: {safe_text(letter.error)}"
    if dead:
        details = engine.ask(LetterOf(dead[-1].id)).result()
        yield from _indented(details.traceback if details is not None else "")


def _about(letter: Letter) -> str:
    what = f"{letter.type} of {safe_text(letter.table)}"
    if letter.target is None:
        return what
    return f"id {safe_text(', '.join(map(str, letter.target)))} by {what}"


def _is_late(operator: OperatorSnapshot) -> bool:
    return bool(
        operator.state not in ("idle", "halted")
        or (operator.depth and operator.state != "halted")
        or operator.retrying
        or operator.backfill
        or operator.replay
    )


def _delay(operator: OperatorSnapshot) -> str:
    parts = [f"operator {operator.name} is {operator.state}"]
    if operator.detail:
        parts.append(safe_text(operator.detail))
    if operator.depth:
        parts.append(f"events to go: {operator.depth}")
    if operator.retrying:
        parts.append(f"ids to be tried again: {operator.retrying}")
    if operator.error:
        parts.append(safe_text(operator.error))
    return ", ".join(parts)


def _indented(traceback: str) -> Iterator[str]:
    for line in safe_lines(traceback.strip()):
        yield f"    {line}".rstrip()
