"""``eventscope teardown APP``."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from eventscope.cli import application
from eventscope.cli import options as shared
from eventscope.cli.dialogue import say


@click.command("teardown")
@click.argument("app", metavar="APP")
@shared.yes_option
@click.option("--force", is_flag=True, help="Drop a publication that has other tables, too.")
@shared.dry_run_option
@shared.settings_options
def command(app: str, yes: bool, force: bool, dry_run: bool, **given: Any) -> int:
    """Drop slot, publication and ledger of APP; what is committed from then on is not seen.

    The queue file stays, and so does a REPLICA IDENTITY: nobody knows who has set it.

    Exit codes: 0 fine, 2 usage or settings, 3 the database cannot be used, 130 not confirmed.
    """
    from eventscope.cli import steps
    from eventscope.replication.connection import server_label
    from eventscope.replication.installation import plan_teardown

    settings = shared.settings(**given)
    scope = application.load(app)
    plan = asyncio.run(plan_teardown(scope, settings, force=force))
    if dry_run:
        steps.print_statements(plan)
        return 0
    if any(step.sql for step in plan) and not yes:
        steps.confirm(f"Drop this in {server_label(settings)}?", plan)
    steps.carry_out(scope, settings, plan)
    path = settings.queue_file(scope.name)
    if path.exists():
        say(f"queue file {path} stays; move it away before the next run")
    return 0
