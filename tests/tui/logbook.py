"""A log as a shop's operators would fill it."""

from __future__ import annotations

from typing import Any

from eventscope.engine.log_ring import Level, LogRecord
from eventscope.event import EventId, Lsn
from tests.tui.scripted import NOW

EVENT = EventId.of(Lsn(0x16B3748), 0)


def a_record(message: str, level: Level = "info", **given: Any) -> LogRecord:
    details = tuple((name, str(value)) for name, value in given.pop("details", {}).items())
    return LogRecord(given.pop("at", NOW), level, message, details=details, **given)


def a_logbook() -> list[LogRecord]:
    smtp = {"error": "SMTPServerDisconnected: connection lost", "attempt": 1, "retry_in_ms": 500}
    return [
        a_record("made publication events of orders, users", at=NOW - 60),
        a_record("streaming", at=NOW - 59, details={"slot": "es_shop", "start": "0/16B0000"}),
        a_record("index rebuilt in 12 ms", "print", operator="search_index", event_id=EVENT,
                 at=NOW - 40, details={"printed": "stdout"}),
        a_record("operator failed, will retry", "warning", operator="send_email", event_id=EVENT,
                 at=NOW - 31, details=smtp),
        a_record("history dropped", "debug", at=NOW - 15, details={"events": 5_000}),
        a_record("mail to ada@x.io sent", "print", operator="send_email", event_id=EVENT,
                 at=NOW - 9, details={"printed": "stderr"}),
        a_record("operator is out of retries", "error", operator="billing_sync", event_id=EVENT,
                 at=NOW - 3, details={"error": "TimeoutError: the billing service did not answer",
                                      "attempts": 5}),
    ]  # fmt: skip
