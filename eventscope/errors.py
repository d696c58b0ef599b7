"""Errors that a person can mend: each message names the thing and the cure."""

from __future__ import annotations


class EventScopeError(Exception):
    """The base of errors that are shown as one line, without a traceback."""

    exit_code = 2
    """What a command exits with: 2 usage or settings, 3 database or queue, 4 timeout."""


class DeclarationError(EventScopeError, ValueError):
    """An operator or entity that cannot work as declared; the message says why."""


class NotRunning(EventScopeError, RuntimeError):
    """Something that only a running application can do."""


class NotCommitted(EventScopeError, RuntimeError):
    """A token was asked for in the middle of a transaction."""


class InvalidToken(EventScopeError, ValueError):
    """What was given for a token is none."""
