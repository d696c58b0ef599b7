"""``eventscope setup APP``."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from eventscope.cli import application
from eventscope.cli import options as shared
from eventscope.cli.dialogue import say


@click.command("setup")
@click.argument("app", metavar="APP")
@click.option(
    "--replica-identity",
    type=click.Choice(["keep", "full"]),
    help="full: set REPLICA IDENTITY FULL where an operator needs old values.",
)
@shared.dry_run_option
@shared.settings_options
def command(app: str, dry_run: bool, **given: Any) -> int:
    """Make what APP needs in its database: publication, slot, ledger, replica identities.

    What is there already stays as it is. With --dry-run somebody else can do it:
    eventscope setup APP --dry-run | psql.

    Exit codes: 0 fine, 2 usage or settings, 3 the database cannot be used.
    """
    from eventscope.cli import steps
    from eventscope.replication.installation import plan_setup

    settings = shared.settings(**given)
    scope = application.load(app)
    application.require_tables(scope)
    plan = asyncio.run(plan_setup(scope, settings))
    for drawback in plan.drawbacks:
        say(drawback.line)
    if dry_run:
        steps.print_statements(plan.steps)
    else:
        steps.carry_out(scope, settings, plan.steps)
    return 0
