"""``eventscope backfill OPERATOR``."""

from __future__ import annotations

from typing import Any

import click

from eventscope.cli import options as shared


@click.command("backfill")
@shared.operator_argument
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="At most N ids a second.  [default: half of the operator's time]",
)
@click.option("--cancel", is_flag=True, help="End the backfill where it is.")
@shared.json_option
@shared.control_options
def command(
    operator: str,
    rate: float | None,
    cancel: bool,
    as_json: bool,
    app: str | None,
    **given: Any,
) -> int:
    """Recompute the whole table of OPERATOR beside the stream, and show how far it is.

    Ctrl-C leaves the bar, and the backfill goes on; the same command shows it again. It survives
    restarts.

    Exit codes: 0 fine, 1 ids failed or the operator is held, 2 refused, usage or settings, 3 the
    queue cannot be used, 4 no answer, 130 interrupted.
    """
    from eventscope.cli import control, progress, queue_file
    from eventscope.cli.told import Told
    from eventscope.engine.commands import CancelBackfill, StartBackfill

    if cancel and rate is not None:
        raise click.UsageError("--cancel needs no --rate")
    file = queue_file.find(shared.settings(**given), app)
    if cancel:
        return control.carry_out(file, CancelBackfill(operator), as_json=as_json)
    with Told(as_json=as_json) as told:
        if rate is None and progress.is_under_way(file.path, operator):  # whose rate is to stay
            going_on = f"{operator} goes on with its backfill"
            told.tell(operator, going_on, control.process_of(file.path))
        else:
            control.have_done(file, StartBackfill(operator, rate), told)
        return progress.follow(file.path, operator, told)
