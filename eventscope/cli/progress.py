"""A backfill that another process makes, as a bar."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eventscope.cli.control import process_of
from eventscope.cli.dialogue import say
from eventscope.cli.headless import FAILED
from eventscope.cli.signals import INTERRUPTED, OK, Signals, first
from eventscope.cli.terminal import takes_codes
from eventscope.cli.told import Told
from eventscope.inspection.text import safe_text
from eventscope.queue import outside
from eventscope.queue.base import QueueError
from eventscope.queue.file_lock import holder
from eventscope.queue.outside import OutsideQueue
from eventscope.queue.records import Backfill

_LOOK_AGAIN: Final = 0.1


def follow(path: Path, operator: str, told: Told) -> int:
    """Show an operator's backfill until it ends; returns the exit code.

    If nothing runs there is nothing to follow.

    Raises:
        QueueError: the process that made it has ended.
    """
    return asyncio.run(_follow(path, operator, told)) if holder(path) else OK


def is_under_way(path: Path, operator: str) -> bool:
    """Whether a process makes a backfill of an operator."""

    async def look() -> bool:
        async with outside.opened(path) as queue:
            return bool(queue.holder) and await queue.backfill(operator) is not None

    return asyncio.run(look())


async def _follow(path: Path, operator: str, told: Told) -> int:
    signals = Signals()
    code = await first(signals.wait(), _until_ended(path, operator, told))
    if code == INTERRUPTED:
        say(f"the backfill of {operator} goes on; the same command shows it, --cancel ends it")
    return code


async def _until_ended(path: Path, operator: str, told: Told) -> int:
    async with outside.opened(path) as queue:
        process = process_of(path)
        with _bar(operator) as bar:
            while (backfill := await queue.backfill(operator)) is not None:
                _show(bar, backfill)
                held = await _held(queue, operator)
                if held:
                    say(f"{operator} is {held}: its backfill goes on when the operator does")
                    return FAILED
                if not queue.holder:
                    raise QueueError(
                        f"the process that made the backfill of {operator} has ended; "
                        f"it goes on with the next start"
                    )
                await asyncio.sleep(_LOOK_AGAIN)
            for task in bar.task_ids:
                bar.update(task, total=1, completed=1)
        failed = len(await queue.letters(operator))
        told.tell(operator, f"the backfill of {operator} has ended", process)
        if failed:
            say(f"{operator} has failed ids, {failed:,} of them: eventscope dead-letters list")
        return FAILED if failed else OK


async def _held(queue: OutsideQueue, operator: str) -> str:
    """What keeps an operator from going on by itself; empty if nothing does."""
    record = await queue.operator(operator)
    if record is None:
        return "forgotten"
    if record.paused:
        return f"paused {record.paused}"
    return f"halted ({record.error})" if record.halted else ""


@contextmanager
def _bar(operator: str) -> Iterator[Progress]:
    is_shown = takes_codes(sys.stderr)
    console = Console(
        stderr=True, highlight=False, markup=False, emoji=False, force_terminal=is_shown
    )
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[ids]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not is_shown) as bar:
        bar.add_task(safe_text(operator, 40), total=None, ids="")
        yield bar


def _show(bar: Progress, backfill: Backfill) -> None:
    [task] = bar.task_ids
    of_total = f"/{backfill.total:,}" if backfill.total is not None else ""
    failed = f", {backfill.failed:,} failed" if backfill.failed else ""
    ids = f"{backfill.done:,}{of_total} ids{failed}"
    bar.update(task, completed=backfill.done, total=backfill.total, ids=ids)
