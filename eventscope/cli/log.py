"""Where log lines go: to stderr as text, to stdout as JSON, or to a file beside a dashboard."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TextIO

from eventscope.cli import secrecy
from eventscope.cli.plain_structlog import structlog
from eventscope.cli.terminal import takes_colours
from eventscope.inspection.text import safe_lines, safe_text


def log_to_stream(log_format: Literal["text", "json"]) -> None:
    """Log text to stderr, or one JSON object a line to stdout."""
    if log_format == "json":
        _configure(structlog.processors.JSONRenderer(), sys.stdout)
    else:
        _configure(_as_text(colors=takes_colours(sys.stderr)), sys.stderr, _spelled_out)


def log_as_program() -> None:
    """Log to stderr as programs speak beside their output: ``eventscope: what happened``."""
    _configure(_spoken, sys.stderr, _spelled_out)


def log_to_file(path: Path, *before: Any) -> None:
    """Log text to a file that only its owner can read.

    Args:
        path: the file.
        before: structlog processors that see what is logged as it came.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    stream = io.TextIOWrapper(
        _LogFile(descriptor, "a"), "utf-8", errors="backslashreplace", write_through=True
    )
    _configure(_as_text(colors=False), stream, _spelled_out, *before)


class _LogFile(io.FileIO):
    """Loses what its disk has no room for: the log must not end what it tells of."""

    def write(self, data: Any, /) -> int:
        """Write it at once, or not at all."""
        with suppress(OSError):
            super().write(data)
        return len(data)


def _as_text(*, colors: bool) -> Any:
    """Lines of text; without the variables of a traceback, which hold rows and passwords."""
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=0,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _configure(renderer: Any, stream: TextIO | None, *before: Any) -> None:
    if stream is None:  # it was closed from the start
        stream = Path(os.devnull).open("w")  # noqa: SIM115 - to the end of the process
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _redact,
            *before,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _sanitise,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )

    logging.basicConfig(handlers=[_Forward()], level=logging.INFO, force=True)
    # psycopg warns of each pipeline that an error ends; the error itself is what we report
    logging.getLogger("psycopg").setLevel(logging.ERROR)


def _spoken(_: Any, __: str, event: Any) -> str:
    details = ", ".join(f"{key} {event[key]}" for key in event.keys() - _NOT_SPOKEN)
    return f"eventscope: {event['event']}" + (f" ({details})" if details else "")


_NOT_SPOKEN = {"event", "level", "timestamp"}


class _Forward(logging.Handler):
    """What operators and libraries log goes where our own log goes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record under its logger's name."""
        message = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            message = f"{message}: {record.exc_info[1]!r}"
        level = max(logging.DEBUG, min(record.levelno // 10 * 10, logging.CRITICAL))
        structlog.get_logger().log(level, message, logger=record.name)


def _spelled_out(_: Any, __: str, event: Any) -> Any:
    """Have as text what is neither text nor a number, whatever its ``repr`` says."""
    return {
        key: value if isinstance(value, str | int | float | None) else repr(value)
        for key, value in event.items()
    }


def _redact(_: Any, __: str, event: Any) -> Any:
    """Nothing that is logged tells a password, whoever has quoted it."""
    return {key: _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):  # also one that is more than that, as the id of an event
        told = secrecy.redacted(value)
        return value if told == value else told
    return value if isinstance(value, int | float | None) else secrecy.redacted(repr(value))


def _sanitise(_: Any, __: str, event: Any) -> Any:
    """Nothing that comes from the database may drive a terminal."""
    return {
        safe_text(str(key), _LONGEST_NAME): _harmless(key, value) for key, value in event.items()
    }


def _harmless(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if key == "exception":  # a traceback stays readable
        return "\n".join(safe_lines(value, _LONGEST))
    return safe_text(value, _LONGEST)


_LONGEST: Final = 2_000
_LONGEST_NAME: Final = 100
