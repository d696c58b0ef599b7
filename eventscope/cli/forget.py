"""``eventscope forget OPERATOR``."""

from __future__ import annotations

from typing import Any

import click

from eventscope.cli import options as shared


@click.command("forget")
@shared.operator_argument
@shared.json_option
@shared.control_options
def command(operator: str, as_json: bool, app: str | None, **given: Any) -> int:
    """Drop what is kept of OPERATOR, which the application no longer has.

    As the database keeps its place, too, this is done by the process that runs the application.

    Exit codes: 0 fine, 2 refused, usage or settings, 3 the queue cannot be used, 4 no answer.
    """
    from eventscope.cli import control, queue_file
    from eventscope.engine.commands import Forget

    file = queue_file.find(shared.settings(**given), app)
    return control.carry_out(file, Forget(operator), as_json=as_json)
