"""OpenTelemetry spans: of each transaction, and of each batch that an operator applies."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

import eventscope
from eventscope.event import Lsn
from eventscope.operators.effect import Apply, Passed
from eventscope.operators.failure import Reports
from eventscope.operators.session import ConnectionLost
from eventscope.queue.event import QueuedEvent
from eventscope.replication import pgoutput
from eventscope.replication.relations import Transaction

_KEPT: Final = 10_000
"""Transactions whose spans a batch can still be linked with."""
_LINKS: Final = 100
"""Links of one batch at most."""
_ROOT: Final = Context()
"""Nothing that surrounds the engine has caused what the database tells."""


class Spans:
    """Makes spans with whatever tracer the program has set up; without one they cost little."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("eventscope", eventscope.__version__)
        self._transactions: OrderedDict[Lsn, SpanContext] = OrderedDict()
        """The latest, by their ends."""

    def stored(self, transactions: Iterable[Transaction]) -> None:
        """Make spans of transactions, from their commits until now, as they are stored."""
        for one in transactions:
            committed = pgoutput.timestamp(one.committed_at).timestamp()
            span = self._tracer.start_span(
                "transaction",
                _ROOT,
                SpanKind.CONSUMER,
                {
                    "eventscope.lsn": str(one.end_lsn),
                    "eventscope.xid": one.xid,
                    "eventscope.events": one.last_seq - one.first_seq + 1,
                },
                start_time=int(min(committed, time.time()) * 1e9),
            )
            span.end()
            self._transactions[one.end_lsn] = span.get_span_context()
        while len(self._transactions) > _KEPT:
            self._transactions.popitem(last=False)

    def around(self, operator: str, apply: Apply, reports: Reports) -> Apply:
        """The same work in a span, which is the current one while the operator is called.

        It is linked with the spans of the transactions.

        Args:
            operator: its name.
            apply: what it does with a batch.
            reports: describes failures, without secrets.
        """

        async def applied(events: Sequence[QueuedEvent], passed: Passed) -> None:
            done = 0

            def count(last: QueuedEvent, more: int) -> bool:
                nonlocal done
                done += more
                return passed(last, more)

            span = self._tracer.start_span(
                f"operator {operator}",
                _ROOT,
                attributes={"eventscope.operator": operator},
                links=self._links(events),
            )
            with trace.use_span(
                span, end_on_exit=True, record_exception=False, set_status_on_exception=False
            ):
                try:
                    await apply(events, count)
                except ConnectionLost:
                    span.set_status(Status(StatusCode.ERROR, "the connection was lost"))
                    raise
                except Exception as error:
                    span.set_status(Status(StatusCode.ERROR, reports.failure(error).error))
                    raise
                finally:
                    span.set_attribute("eventscope.events", done)

        return applied

    def _links(self, events: Iterable[QueuedEvent]) -> list[Link]:
        ends = dict.fromkeys(queued.transaction.end_lsn for queued in events)
        contexts = (self._transactions.get(end) for end in list(ends)[:_LINKS])
        return [Link(context) for context in contexts if context is not None]
