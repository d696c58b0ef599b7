"""A failed attempt, as it is kept and told of."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import structlog

from eventscope.operators.backoff import Backoff
from eventscope.operators.failures import ErrorLogger, RetryStatus
from eventscope.operators.redaction import Redaction
from eventscope.queue.event import QueuedEvent
from eventscope.queue.records import Target

_log = structlog.get_logger("eventscope.operators")


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, without secrets."""

    cause: BaseException
    error: str
    """In one line."""
    traceback: str


class Reports:
    """Describes the failures of one operator, and tells the error logger of them.

    Args:
        operator: its name.
        error_logger: is told of everything; one that fails itself changes nothing.
        backoff: how often and how long the operator waits.
        redacted: keeps passwords out of every text.
    """

    def __init__(
        self, operator: str, error_logger: ErrorLogger, backoff: Backoff, redacted: Redaction
    ) -> None:
        self.retries = 0
        """Attempts that failed and were to be followed by another, since the start."""
        self._operator = operator
        self._error_logger = error_logger
        self._backoff = backoff
        self._redacted = redacted

    def failure(self, error: BaseException) -> Failure:
        """Describe what was raised."""
        return Failure(
            error,
            self._redacted(" ".join(f"{type(error).__name__}: {error}".split())),
            self._redacted("".join(traceback.format_exception(error))),
        )

    def retry(
        self,
        event: QueuedEvent,
        failure: Failure,
        attempts: int,
        wait: float,
        target: Target | None = None,
    ) -> None:
        """An attempt failed, and there will be another after ``wait`` seconds."""
        self.retries += 1
        self._tell("on_retry", event, failure, attempts, wait, target)

    def failed(
        self,
        event: QueuedEvent,
        failure: Failure,
        attempts: int,
        target: Target | None = None,
    ) -> None:
        """The last attempt failed."""
        self._tell("on_failed", event, failure, attempts, self._backoff.wait(attempts), target)

    def _tell(
        self,
        method: str,
        event: QueuedEvent,
        failure: Failure,
        attempts: int,
        wait: float,
        target: Target | None,
    ) -> None:
        status = RetryStatus(
            max_retries=self._backoff.retries,
            curr_retries=attempts - 1,
            max_restart_time=round(self._backoff.longest * 1000),
            backoff_multiplicator=self._backoff.factor,
            curr_time_to_wait=round(wait * 1000),
            target=target,
        )
        try:
            getattr(self._error_logger, method)(
                self._operator, event.event(), failure.cause, status
            )
        except Exception as error:
            _log.error(
                "the error logger failed", operator=self._operator, error=self._redacted(str(error))
            )
