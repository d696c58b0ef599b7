"""``eventscope status [APP]``."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from eventscope.cli import options as shared
from eventscope.cli.signals import OK

if TYPE_CHECKING:
    from eventscope.cli.queue_file import QueueFile
    from eventscope.engine.status import Status


@click.command("status")
@click.argument("app", metavar="[APP]", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@shared.queue_options
def command(app: str | None, as_json: bool, **given: Any) -> int:
    """Show how far each operator is, its state, and what ails it.

    Asks the process that runs APP; if nothing does, it tells what the queue file holds: with APP
    also how many events wait, and which operators APP no longer has.

    Exit codes: 0 fine, 1 an operator halted or dead letters exist, 2 usage or settings, 3 the
    queue cannot be used, 4 no answer.
    """
    import msgspec

    from eventscope.cli import queue_file
    from eventscope.cli.headless import FAILED
    from eventscope.cli.status_table import print_status

    status = asyncio.run(_look(queue_file.find(shared.settings(**given), app)))
    if as_json:
        print(json.dumps(msgspec.to_builtins(status)))
    else:
        print_status(status)
    return FAILED if status.failed else OK


async def _look(file: QueueFile) -> Status:
    """Ask whoever runs it, or see for ourselves."""
    import msgspec

    from eventscope.cli import control
    from eventscope.engine.commands import Report
    from eventscope.engine.status import Status, blocked
    from eventscope.queue.base import QueueError
    from eventscope.queue.faults import Unwritable
    from eventscope.queue.file_lock import holder

    if holder(file.path):
        try:
            return msgspec.json.decode(await control.ask(file, Report()), type=Status)
        except msgspec.MsgspecError:
            raise QueueError(
                f"process {holder(file.path)} tells its status as another version of eventscope"
                f" does: ask with that one, or start it anew with this one"
            ) from None
        except Unwritable as error:  # so that no question can be put
            process = control.process_of(file.path)
            if process is not None:
                return blocked(await _of_file(file), process, f"{error.fault}; {error.cure}")
        except QueueError:
            if holder(file.path):  # else it has ended meanwhile
                raise
    return await _of_file(file)


async def _of_file(file: QueueFile) -> Status:
    from eventscope.engine.status import of_stopped
    from eventscope.queue import outside

    async with outside.opened(file.path) as queue:
        return await of_stopped(file.path, queue, file.app)
