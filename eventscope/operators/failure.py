"""A failed attempt, as it is kept and told of."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from typing import Final

import structlog

from eventscope.operators.backoff import Backoff
from eventscope.operators.failures import ErrorLogger, RetryStatus
from eventscope.queue.event import QueuedEvent
from eventscope.settings import Settings

_log = structlog.get_logger("eventscope.operators")

_MASK: Final = "***"
_PASSWORDS: Final = re.compile(r"(?i)(\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)")
_IN_URLS: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)([^\s/@]+)(@)")


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
        settings: whose password is kept out of every text.
    """

    def __init__(
        self, operator: str, error_logger: ErrorLogger, backoff: Backoff, settings: Settings
    ) -> None:
        self._operator = operator
        self._error_logger = error_logger
        self._backoff = backoff
        self._secret = settings.password.get_secret_value() if settings.url is None else ""

    def failure(self, error: BaseException) -> Failure:
        """Describe what was raised."""
        return Failure(
            error,
            self._redacted(" ".join(f"{type(error).__name__}: {error}".split())),
            self._redacted("".join(traceback.format_exception(error))),
        )

    def retry(self, event: QueuedEvent, failure: Failure, attempts: int, wait: float) -> None:
        """An attempt failed, and there will be another after ``wait`` seconds."""
        self._tell("on_retry", event, failure, attempts, wait)

    def failed(self, event: QueuedEvent, failure: Failure, attempts: int) -> None:
        """The last attempt failed."""
        self._tell("on_failed", event, failure, attempts, self._backoff.wait(attempts))

    def _tell(
        self, method: str, event: QueuedEvent, failure: Failure, attempts: int, wait: float
    ) -> None:
        status = RetryStatus(
            max_retries=self._backoff.retries,
            curr_retries=attempts - 1,
            max_restart_time=round(self._backoff.longest * 1000),
            backoff_multiplicator=self._backoff.factor,
            curr_time_to_wait=round(wait * 1000),
        )
        try:
            getattr(self._error_logger, method)(
                self._operator, event.event(), failure.cause, status
            )
        except Exception as error:
            _log.error("the error logger failed", operator=self._operator, error=str(error))

    def _redacted(self, text: str) -> str:
        text = _IN_URLS.sub(rf"\1{_MASK}\3", _PASSWORDS.sub(rf"\1{_MASK}", text))
        # a short password would be found in any text
        return text.replace(self._secret, _MASK) if len(self._secret) >= 6 else text
