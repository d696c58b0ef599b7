"""What each operator has tried with an event, attempt by attempt, as lines of a given width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.cells import cell_len
from textual.content import Content

from eventscope.engine.questions.attempts import Letter, OperatorAttempts
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.event import Event
from eventscope.inspection.filter import Delivery
from eventscope.inspection.report import heading
from eventscope.inspection.text import safe_lines, safe_text
from eventscope.operators.timeline import Attempt
from eventscope.tui.cells import countdown, fit
from eventscope.tui.widgets.fate import Fate, colour_of, symbol_of
from eventscope.tui.widgets.reading import QUIET, hanging

_TRACEBACK_LINES: Final = 6
_LONGEST_NAME: Final = 40
_MARGIN: Final = " " * 3
_CLOCK: Final = len("12:06:38")

_Line = tuple[Content, Content]
"""What stands on the left, and what is wrapped beside it."""


def attempt_lines(fate: Fate, width: int) -> Iterator[Content]:
    """The attempts of each operator, oldest first, and what comes next."""
    if not fate.deliveries:
        yield Content.styled(" no operator follows such an event", QUIET)
    names = [safe_text(one.operator, 60) for one, _ in fate.deliveries]
    name_width = min(max(map(cell_len, names), default=0), _LONGEST_NAME, max(8, width - 14))
    for place, ((one, operator), name) in enumerate(zip(fate.deliveries, names, strict=True)):
        if place:
            yield Content("")
        colour = colour_of(one.state)
        yield Content.assemble(
            (f" {symbol_of(one.state)} ", colour),
            (fit(name, name_width), "bold"),
            (f"  {one.state}", colour),
        )
        if fate.attempts is not None:
            known = fate.attempts.get(one.operator, OperatorAttempts((), ()))
            for lead, value in _history(one, operator, known, fate.now):
                yield from hanging(lead, value, width)


def attempts_report(event: Event, fate: Fate) -> str:
    """All of it as text, with every traceback whole."""
    lines = [*heading(event), "", *(line.plain for line in attempt_lines(fate, 200))]
    for name, known in (fate.attempts or {}).items():
        failures: Sequence[Attempt | Letter] = [*known.attempts, *known.letters]
        for failure in failures:
            if failure.traceback:
                lines += ["", safe_text(name, 60), *safe_lines(failure.traceback.rstrip(), 10_000)]
    return "\n".join(lines)


def _history(
    one: Delivery, operator: OperatorSnapshot, known: OperatorAttempts, now: float
) -> Iterator[_Line]:
    for number, attempt in enumerate(known.attempts, 1):
        yield _attempt(number, attempt)
    for letter in known.letters:
        yield from _letter(letter, now)
    yield from _traceback(known)
    if next_step := _next(one, operator, known, now):
        yield Content(_MARGIN), Content.styled(next_step, QUIET)


def _next(one: Delivery, operator: OperatorSnapshot, known: OperatorAttempts, now: float) -> str:
    match one.state:
        case "done" if not known.attempts:
            return "its attempts are no longer remembered"
        case "retrying" if not known.letters and operator.next_retry is not None:
            return f"next attempt {countdown(operator.next_retry, now)} · r retries now"
        case "failed" if not known.letters:
            return "the operator has halted at it · r retries"
        case "held":
            return safe_text(operator.detail or "it is held", 200)
        case "queued":
            return f"waits for its turn among {operator.depth:,} queued events"
        case _:
            return ""


def _attempt(number: int, attempt: Attempt) -> _Line:
    took = _seconds(attempt.seconds)
    lead = Content.assemble((f"{_MARGIN}{_clock(attempt.began_at)}", QUIET), f"{number:>4}  ")
    if attempt.error is None:
        others = attempt.last - attempt.first
        together = f"  together with {others:,} more" if others else ""
        return lead, Content.assemble(("✓ ", colour_of("done")), took, (together, QUIET))
    error = safe_text(attempt.error, 1_000)
    return lead, Content.assemble(("× ", colour_of("failed")), error, (f"  {took}", QUIET))


def _letter(letter: Letter, now: float) -> Iterator[_Line]:
    target = ", ".join(safe_text(part, 60) for part in letter.target or ())
    about = f"id {target}: " if target else ""
    times = f"{letter.attempts} {'attempt' if letter.attempts == 1 else 'attempts'}"
    if letter.next_retry is None:
        said = f"{about}a dead letter after {times}"
    else:
        said = f"{about}next attempt {countdown(letter.next_retry, now)}, after {times}"
    lead = Content.styled(f"{_MARGIN}{_clock(letter.last_at)}{'':6}", QUIET)
    yield lead, Content(said)
    error = Content.styled(safe_text(letter.error, 1_000), colour_of("failed"))
    yield Content(" " * lead.cell_length), error


def _traceback(known: OperatorAttempts) -> Iterator[_Line]:
    """The end of the last failure's traceback, unless an attempt has succeeded since."""
    failures: list[Attempt | Letter] = [*known.attempts, *known.letters]
    lines = [
        line for one in failures[-1:] for line in safe_lines((one.traceback or "").rstrip(), 500)
    ]
    for line in lines[-_TRACEBACK_LINES:]:
        text = line.lstrip(" ")
        if text:
            margin = Content(" " * (len(_MARGIN) + _CLOCK + 6 + min(len(line) - len(text), 8)))
            yield margin, Content.styled(text, QUIET)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%H:%M:%S")


def _seconds(seconds: float) -> str:
    return f"{seconds * 1_000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
