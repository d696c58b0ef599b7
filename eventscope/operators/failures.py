"""Telling of failures: the adapter that hears of every retry and of every operator that halts."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol, cast

import structlog

from eventscope.event import Event
from eventscope.operators.redaction import Redaction
from eventscope.queue.records import Target
from eventscope.settings import SettingsError

_log = structlog.get_logger("eventscope.operators")


@dataclass(frozen=True, slots=True)
class RetryStatus:
    """How far the retries of one event have come. Times are in milliseconds."""

    max_retries: int
    curr_retries: int
    """Retries so far: one less than the failed attempts."""
    max_restart_time: int
    """The longest wait."""
    backoff_multiplicator: float
    curr_time_to_wait: int
    """The wait before the next attempt, or that there would have been before one more."""
    target: Target | None = None
    """The id of the query's table that is failed at, in text; None where an event is."""


class ErrorLogger(Protocol):
    """What an ``error_logger_adapter`` does."""

    def on_retry(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        """An attempt failed, and there will be another."""

    def on_failed(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        """The last attempt failed: the operator halts, or the event or id is a dead letter."""


class LogErrors:
    """The default: failures go to the log.

    Args:
        redacted: keeps passwords out of it.
    """

    def __init__(self, redacted: Redaction) -> None:
        self._redacted = redacted

    def on_retry(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        """Log a warning."""
        _log.warning(
            "operator failed, will retry",
            operator=operator,
            **_about(event, status),
            error=self._redacted(f"{type(error).__name__}: {error}"),
            attempt=status.curr_retries + 1,
            retry_in_ms=status.curr_time_to_wait,
        )

    def on_failed(
        self, operator: str, event: Event, error: BaseException, status: RetryStatus
    ) -> None:
        """Log an error."""
        _log.error(
            "operator is out of retries",
            operator=operator,
            **_about(event, status),
            error=self._redacted(f"{type(error).__name__}: {error}"),
            attempts=status.curr_retries + 1,
        )


def _about(event: Event, status: RetryStatus) -> dict[str, str]:
    """What is failed at: an id, an event, or both; a backfill comes upon ids without an event."""
    about = {"target": ", ".join(status.target)} if status.target is not None else {}
    return {**about, "event_id": event.id} if event.id.end_lsn else about


def error_logger(adapter: str, redacted: Redaction) -> ErrorLogger:
    """Build the adapter that a setting names: ``log`` or ``package.module:Class``.

    An adapter of the user's is given exceptions as they are.

    Raises:
        SettingsError: there is no such class.
    """
    if adapter == "log":
        return LogErrors(redacted)
    module, _, name = adapter.partition(":")
    try:
        built = getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise SettingsError(
            f"setting error_logger_adapter: cannot use {adapter!r} ({error}); "
            f"want log or package.module:Class"
        ) from error
    for method in ("on_retry", "on_failed"):
        if not callable(getattr(built, method, None)):
            raise SettingsError(f"setting error_logger_adapter: {adapter} has no method {method}")
    return cast("ErrorLogger", built)
