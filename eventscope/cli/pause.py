"""``eventscope pause OPERATOR``."""

from __future__ import annotations

from typing import Any

import click

from eventscope.cli import options as shared


@click.command("pause")
@shared.operator_argument
@shared.json_option
@shared.control_options
def command(operator: str, as_json: bool, app: str | None, **given: Any) -> int:
    """Let OPERATOR finish the event it is at, then hold it until it is resumed.

    It stays paused across restarts; its events are kept meanwhile.

    Exit codes: 0 fine, 2 refused, usage or settings, 3 the queue cannot be used, 4 no answer.
    """
    from eventscope.cli import control, queue_file
    from eventscope.engine.commands import Pause

    file = queue_file.find(shared.settings(**given), app)
    return control.carry_out(file, Pause(operator), as_json=as_json)
