"""``eventscope replay OPERATOR``."""

from __future__ import annotations

from typing import Any

import click

from eventscope.cli import options as shared


@click.command("replay")
@shared.operator_argument
@click.option(
    "--from", "start", required=True, metavar="POINT", help="The first event that comes again."
)
@click.option("--to", "end", metavar="POINT", help="The last.  [default: the last that it has had]")
@shared.json_option
@shared.control_options
def command(
    operator: str, start: str, end: str | None, as_json: bool, app: str | None, **given: Any
) -> int:
    """Give OPERATOR events once more, then let it go on where it was.

    POINT is an event id (0/16B3748/0), an LSN (0/16B3748) or a time (2026-11-26T14:00, here
    unless it names a zone). Only events that the queue still keeps can come again.

    Exit codes: 0 fine, 2 refused, usage or settings, 3 the queue cannot be used, 4 no answer.
    """
    from eventscope.cli import control, queue_file
    from eventscope.engine import moments
    from eventscope.engine.commands import Replay

    first = moments.written(start)
    last = moments.written(end) if end is not None else None
    file = queue_file.find(shared.settings(**given), app)
    return control.carry_out(file, Replay(operator, first, last), as_json=as_json)
