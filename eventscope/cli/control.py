"""Having a command done: by the process that runs the operators, or else on what it left."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from pathlib import Path
from typing import Final

from eventscope.cli.log import log_to_file
from eventscope.cli.queue_file import QueueFile
from eventscope.cli.told import Told
from eventscope.engine import mailbox
from eventscope.engine.commands import Command, CommandRefused, Report
from eventscope.engine.controls import Controls
from eventscope.queue import outside
from eventscope.queue.base import QueueError
from eventscope.queue.file_lock import holder
from eventscope.queue.sqlite import SqliteQueue

_PATIENCE: Final = 30.0
"""Seconds that a process has to answer."""
_TRIES: Final = 5


def carry_out(file: QueueFile, *commands: Command, as_json: bool) -> int:
    """Have commands done, and print what was done; returns the exit code.

    Raises:
        CommandRefused: one is not possible now.
        QueueError: the queue cannot be used, or nobody has answered.
    """
    with Told(as_json=as_json) as told:
        for command in commands:
            have_done(file, command, told)
    return 0


def have_done(file: QueueFile, command: Command, told: Told) -> None:
    """Have a command done, and tell of it; raises as ``carry_out`` does."""
    done, process = asyncio.run(_done(file, command))
    told.tell(command.operator, done, process)


def process_of(path: Path) -> int | None:
    """The process that has a queue file open, if one has and its id is known."""
    process = holder(path)
    return int(process) if process.isdecimal() else None


async def _done(file: QueueFile, command: Command) -> tuple[str, int | None]:
    """Have a command done; returns what was done in one line, and by which process."""
    for _ in range(_TRIES):
        process = process_of(file.path)
        if not holder(file.path):
            try:
                return await _done_here(file, command), None
            except QueueError:
                if not holder(file.path):  # else a process has come between
                    raise
        try:
            return await ask(file, command), process
        except outside.NoAnswer:
            raise
        except QueueError:
            if holder(file.path):  # else it has ended; what is asked twice is done once
                raise
    raise QueueError(f"queue file {file.path} is opened and left all the time; try again")


async def ask(file: QueueFile, asked: Command | Report) -> str:
    """Ask the process that has the queue file open; returns its answer.

    Raises:
        CommandRefused: with its answer.
        QueueError: there is no such process, or it has not answered.
    """
    request = await outside.ask(
        file.path, mailbox.encode(asked), asked_by=person(), timeout=_PATIENCE
    )
    answer = request.answer or ""
    if request.refused:
        raise CommandRefused(answer)
    return answer


def person() -> str:
    """Who asks, for the log: the user's name and the host's."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id without a name
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


async def _done_here(file: QueueFile, command: Command) -> str:
    settings = file.settings
    log_to_file(file.path.with_suffix(".log"))
    queue = await SqliteQueue.open(
        file.path,
        retention_events=settings.retention_events,
        retention_bytes=settings.retention_bytes,
        briefly=True,
    )
    try:
        declared = file.app.operators if file.app is not None else ()
        return await Controls(queue, {}, declared, None).do(command, person())
    finally:
        await queue.close()
