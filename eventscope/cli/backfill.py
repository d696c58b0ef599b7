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
@shared.control_options
def command(operator: str, rate: float | None, cancel: bool, app: str | None, **given: Any) -> int:
    """Recompute the whole table of OPERATOR beside the stream, and show how far it is.

    Ctrl-C leaves the bar, and the backfill goes on; the same command shows it again. It survives
    restarts.

    Exit codes: 0 fine, 1 ids failed or the operator is held, 2 refused, usage or settings, 3 the
    queue cannot be used, 4 no answer, 130 interrupted.
    """
    from eventscope.cli import control, progress, queue_file
    from eventscope.engine.commands import CancelBackfill, StartBackfill
    from eventscope.inspection.text import safe_text

    if cancel and rate is not None:
        raise click.UsageError("--cancel needs no --rate")
    file = queue_file.find(shared.settings(**given), app)
    if cancel:
        return control.carry_out(file, CancelBackfill(operator))
    if rate is None and progress.is_under_way(file.path, operator):  # whose rate is to stay
        print(safe_text(f"{operator} goes on with its backfill"))
    else:
        control.carry_out(file, StartBackfill(operator, rate))
    return progress.follow(file.path, operator)
