"""What is printed while a dashboard has the terminal: it goes to the log, line by line."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final, Literal, TextIO

import structlog

from eventscope.operators.whereabouts import WHEREABOUTS

_log = structlog.get_logger("eventscope.prints")

_LONGEST: Final = 4_000
"""Characters without an end of line after which what there is becomes one."""


@contextmanager
def prints_in_log() -> Iterator[None]:
    """Have everything that is printed logged, with ``printed`` telling the stream."""
    out, err = Prints("stdout", sys.stdout), Prints("stderr", sys.stderr)
    with _handlers_moved(err), redirect_stdout(out), redirect_stderr(err):
        try:
            yield
        finally:
            out.finish()
            err.finish()


@contextmanager
def stdout_in_log() -> Iterator[None]:
    """Have what is printed to stdout logged, where the log goes there line by line."""
    out = Prints("stdout", sys.stdout)
    with redirect_stdout(out):
        try:
            yield
        finally:
            out.finish()


@contextmanager
def _handlers_moved(to: io.TextIOBase) -> Iterator[None]:
    """Have handlers of ``logging`` that took hold of the terminal before let it go.

    What reaches the root logger is logged from there, and need not be printed, too.
    """
    terminal = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    moved: list[tuple[logging.StreamHandler[Any], Any]] = []
    for logger in logging.root.manager.loggerDict.values():
        if not isinstance(logger, logging.Logger):  # only the beginning of others' names
            continue
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream in terminal:
                moved.append((handler, handler.stream))
                handler.setStream(_Nowhere() if _reaches_root(logger) else to)
    try:
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)


def _reaches_root(logger: logging.Logger | None) -> bool:
    while logger is not None and logger.propagate:
        logger = logger.parent
    return logger is None


class _Nowhere(io.TextIOBase):
    """Takes in everything and keeps nothing."""

    def write(self, text: str) -> int:
        """Take text in."""
        return len(text)


class Prints(io.TextIOBase):
    """A stream whose lines become log records, those of each operator by themselves.

    Args:
        name: which stream it is.
        beneath: where a log that is itself printed goes.
    """

    def __init__(self, name: Literal["stdout", "stderr"], beneath: TextIO) -> None:
        self._name = name
        self._beneath = beneath
        self._begun: dict[str, str] = {}
        """By operator: the beginning of a line."""
        self._lock = threading.Lock()
        self._logging = threading.local()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Take text in, and log the lines that end in it."""
        # a log that nobody has configured is itself printed, under a lock that we would wait for
        if getattr(self._logging, "now", False) or not structlog.is_configured():
            return self._beneath.write(text)
        here = WHEREABOUTS.get()
        operator = here.operator if here is not None else ""
        with self._lock:
            *lines, rest = (self._begun.pop(operator, "") + text).split("\n")
            if len(rest) > _LONGEST:
                lines, rest = [*lines, rest], ""
            if rest:
                self._begun[operator] = rest
        for line in lines:
            self._say(line)
        return len(text)

    def finish(self) -> None:
        """Log lines whose end never came."""
        with self._lock:
            lines, self._begun = [*self._begun.values()], {}
        for line in lines:
            self._say(line)

    def _say(self, line: str) -> None:
        if not line.strip():
            return
        self._logging.now = True
        try:
            _log.info(line, printed=self._name)
        finally:
            self._logging.now = False
