"""``eventscope pause OPERATOR``."""

from __future__ import annotations

from typing import Any

import click

from eventscope.cli import options as shared


@click.command("pause")
@shared.operator_argument
@shared.control_options
def command(operator: str, app: str | None, **given: Any) -> int:
    """Let OPERATOR finish the event it is at, then hold it until it is resumed.

    It stays paused across restarts; its events are kept meanwhile.

    Exit codes: 0 fine, 2 refused, usage or settings, 3 the queue cannot be used, 4 no answer.
    """
    from eventscope.cli import control, queue_file
    from eventscope.engine.commands import Pause

    return control.carry_out(queue_file.find(shared.settings(**given), app), Pause(operator))
