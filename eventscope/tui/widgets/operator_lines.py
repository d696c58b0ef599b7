"""All there is to say about one operator, as text."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from textual.content import Content

from eventscope.declaration import HandlerOperator, Operator, QueryOperator
from eventscope.engine.questions.operator import Attempted, Latencies
from eventscope.engine.snapshot import OperatorSnapshot
from eventscope.ids import Parts, Sql
from eventscope.inspection.text import safe_text
from eventscope.tui.cells import fit
from eventscope.tui.durations import ago, took
from eventscope.tui.operator_watch import OperatorWatch
from eventscope.tui.symbols import OPERATOR_LOOKS, TONE_COLOURS
from eventscope.tui.widgets.operator_columns import operator_detail, operator_retry

QUIET: Final = "$foreground-muted"
_TIME: Final = 12
_EVENT: Final = 22
_COUNT: Final = 7
_TOOK: Final = 9
_LABEL: Final = 13


def head_lines(
    operator: OperatorSnapshot, watch: OperatorWatch, latencies: Latencies | None, now: float
) -> Content:
    """How an operator is at ``now``, in seconds since the epoch; the last of four lines is long."""
    look = OPERATOR_LOOKS[watch.state]
    colour = TONE_COLOURS[look.tone]
    entities = safe_text(", ".join(operator.entities), 100)
    title = Content.assemble(
        (f"{look.symbol} ", colour), (safe_text(operator.name, 100), "bold"), "  ",
        (watch.state, colour), (f"  {operator.kind} of {entities}", QUIET),
    )  # fmt: skip
    facts = [f"{operator.depth:,} queued"]
    if operator.oldest_at is not None:
        facts.append(f"oldest {ago(now - operator.oldest_at)}")
    facts += [f"{operator.applied:,} applied", f"{operator.failed:,} failed attempts"]
    pace = Content.assemble(
        f"{watch.rate.per_second:,.0f}/s ", (watch.rate.sparkline, "$primary"), "   ",
        latency_line(latencies),
    )  # fmt: skip
    retry, detail = operator_retry(operator, now), safe_text(operator_detail(operator), 500)
    bad = "$error" if operator.error else QUIET
    trouble = Content.assemble((retry, colour), "  " if retry else "", (detail, bad))
    return Content("\n").join([title, Content(" · ".join(facts)), pace, trouble])


def latency_line(latencies: Latencies | None) -> Content:
    """How long after their commit events take effect."""
    if latencies is None:
        return Content.styled("commit to effect: nothing seen yet", QUIET)
    parts: list[tuple[str, str]] = [("commit to effect  ", QUIET)]
    for name in ("p50", "p95", "p99"):
        parts += [(f"{name} ", QUIET), (f"{took(getattr(latencies, name))}   ", "")]
    return Content.assemble(*parts)


def progress_text(operator: OperatorSnapshot) -> str:
    """How far its replay is, or else its backfill."""
    if operator.replay is not None:
        done, total, what = operator.replay.done, operator.replay.total, "events"
    elif operator.backfill is not None:
        done, total, what = operator.backfill.done, operator.backfill.total, "ids"
    else:
        return ""
    name = "replay" if operator.replay is not None else "backfill"
    return f"{name} begins" if total is None else f"{name}  {done:,} of {total:,} {what}"


def attempt_heads() -> str:
    """The columns' names of ``attempt_lines``."""
    return _attempt("began", "event", "events", "took", "outcome")


def attempt_lines(attempts: Sequence[Attempted]) -> Content:
    """The attempts, one a line."""
    if not attempts:
        return Content.styled("It has tried nothing since the start.", QUIET)
    return Content("\n").join(
        Content.assemble(
            _attempt(
                datetime.fromtimestamp(one.began_at).strftime("%H:%M:%S.%f")[:-3],
                one.event or "(not kept)",
                f"{one.events:,}",
                took(one.seconds),
                "",
            ),
            ("✓ done", "$success") if one.error is None else ("", ""),
            (f"× {safe_text(one.error, 300)}", "$error") if one.error is not None else ("", ""),
        )
        for one in attempts
    )


def definition_lines(operator: Operator) -> Content:
    """What an operator was declared as, but for its SQL."""
    return Content("\n").join(
        Content.assemble((fit(name, _LABEL), QUIET), safe_text(text, 500))
        for name, text in _definition(operator)
        if text
    )


def _definition(operator: Operator) -> Iterator[tuple[str, str]]:
    match operator:
        case QueryOperator():
            yield "kind", f"query, keeps {operator.target} up to date"
            yield "id", ", ".join(operator.id)
            for place, (entity, parts) in enumerate(operator.ids.items()):
                yield "" if place else "ids", f"{entity}: {_parts(parts)}"
            yield "delete_with", ", ".join(operator.delete_with)
            yield "events", ", ".join(operator.events)
            yield "batch", "many ids in one statement" if operator.batch else "one id a statement"
            yield "backfill", "at its first start" if operator.backfill else "on demand"
        case HandlerOperator():
            yield "kind", f"handler, {_calling(operator)}"
            function = operator.function
            yield "function", f"{function.__module__}.{function.__qualname__}"
            yield "entities", ", ".join(operator.entities)
            yield "events", ", ".join(operator.events)
            yield "timeout", f"{operator.timeout:g} s a call"
            yield "concurrency", f"{operator.concurrency}"
            yield "key", _key(operator)
            yield "batch", f"lists of up to {operator.batch}" if operator.batch else "single events"
    yield "on_failure", operator.on_failure
    yield "alias", operator.alias or ""


def _calling(operator: HandlerOperator) -> str:
    called = "async" if operator.is_async else "in a thread"
    return f"{called}, with a transaction" if operator.takes_tx else called


def _key(operator: HandlerOperator) -> str:
    if operator.concurrency == 1:
        return ""
    if callable(operator.key):
        return getattr(operator.key, "__qualname__", repr(operator.key))
    return operator.key or "the row's own key"


def _parts(parts: Parts) -> str:
    return ", ".join(f"Sql({part.expression})" if isinstance(part, Sql) else part for part in parts)


def _attempt(began: str, event: str, events: str, span: str, outcome: str) -> str:
    return "".join([
        fit(began, _TIME), "  ", fit(event, _EVENT), fit(events, _COUNT, right=True),
        fit(span, _TOOK, right=True), "  ", outcome,
    ])  # fmt: skip


def sql_content(sql: str) -> Content:
    """An operator's SQL, highlighted; imports what highlights it."""
    from textual.highlight import highlight

    from eventscope.inspection.text import safe_lines

    return highlight("\n".join(safe_lines(inspect.cleandoc(sql), 500)), language="postgresql")
