"""Bisection: which of many items make the work on all of them fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import psycopg

from eventscope.operators.sqlstates import (
    TRANSIENT_ATTEMPTS,
    ends_transaction,
    is_general,
    is_transient,
)

Item = TypeVar("Item")


async def bisect(
    items: Sequence[Item], attempt: Callable[[Sequence[Item]], Awaitable[None]]
) -> list[tuple[Item, Exception]]:
    """Do the work on all items that it can be done on, in their order and once each.

    One failing item among n costs at most ``1 + 2 * log2(n)`` attempts, rounded up.

    Args:
        items: what to work on.
        attempt: does the work on some of them, or raises and has done nothing.

    Returns:
        The items that fail alone, each with its error.

    Raises:
        Exception: the first error that is not about an item. Two items that take too long are
            taken for a slow server.
    """
    failed: list[tuple[Item, Exception]] = []
    pending = [items] if items else []
    while pending:
        some = pending.pop()
        try:
            if len(some) == 1:
                await _with_patience(some, attempt)
            else:
                await attempt(some)
        except Exception as error:
            if is_general(error) or ends_transaction(error):
                raise
            if len(some) == 1:
                if _was_cancelled(error) and any(_was_cancelled(other) for _, other in failed):
                    raise
                failed.append((some[0], error))
            else:
                middle = len(some) // 2
                pending += [some[middle:], some[:middle]]
    return failed


async def _with_patience(
    some: Sequence[Item], attempt: Callable[[Sequence[Item]], Awaitable[None]]
) -> None:
    """Try again at once what fails for a transient reason."""
    for left in reversed(range(TRANSIENT_ATTEMPTS)):
        try:
            await attempt(some)
            break
        except Exception as error:
            if not left or not is_transient(error) or ends_transaction(error):
                raise


def _was_cancelled(error: Exception) -> bool:
    return isinstance(error, psycopg.errors.QueryCanceled)
