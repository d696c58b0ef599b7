"""``eventscope skip OPERATOR``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from eventscope.cli import options as shared


@click.command("skip")
@shared.operator_argument
@shared.yes_option
@shared.json_option
@shared.control_options
def command(operator: str, yes: bool, as_json: bool, app: str | None, **given: Any) -> int:
    """Pass over the event that OPERATOR fails at, for good; asks for its name first.

    Exit codes: 0 fine, 2 refused, usage or settings, 3 the queue cannot be used, 4 no answer,
    130 not confirmed.
    """
    from eventscope.cli import control, queue_file
    from eventscope.cli.dialogue import confirm_by_name
    from eventscope.engine.commands import Skip

    file = queue_file.find(shared.settings(**given), app)
    failure = asyncio.run(_failure(file.path, operator))
    if failure is None:
        return control.carry_out(file, Skip(operator), as_json=as_json)  # refused with the reason
    event, error = failure
    if not yes:
        confirm_by_name(f"{operator} will never see event {event}, at which: {error}", operator)
    return control.carry_out(file, Skip(operator, event), as_json=as_json)


async def _failure(path: Path, operator: str) -> tuple[str | None, str | None] | None:
    """The event that an operator fails at, and the error; None if it does not fail."""
    from eventscope.event import EventId
    from eventscope.queue import outside

    async with outside.opened(path) as queue:
        record = await queue.operator(operator)
        if record is None or record.failed_seq is None:
            return None
        place = await queue.place(record.failed_seq)
        return str(EventId.of(*place)) if place is not None else None, record.error
