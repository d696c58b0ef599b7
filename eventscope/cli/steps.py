"""Steps of setup and teardown: as SQL to be read, or done and told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

import click

from eventscope.app import EventScope
from eventscope.cli import dialogue
from eventscope.cli.dialogue import require_person, say
from eventscope.inspection.text import safe_text
from eventscope.replication import installation
from eventscope.replication.provision import Step
from eventscope.settings import Settings

_LONGEST = 1_000_000
"""Characters of a statement, which may name many tables."""


def print_statements(steps: Iterable[Step]) -> None:
    """Print what would be run, one statement a line; exactly, unless a terminal gets it."""
    statements = [step.sql for step in steps if step.sql]
    for statement in statements:
        print(safe_text(statement, _LONGEST) if sys.stdout.isatty() else statement)
    if not statements:
        say("there is nothing to be done")


def confirm(question: str, steps: Iterable[Step]) -> None:
    """Have a person confirm statements; raises click.Abort if that does not happen."""
    require_person()
    for step in steps:
        if step.sql:
            click.echo(safe_text(step.sql, _LONGEST))
    dialogue.confirm(question)


def carry_out(app: EventScope, settings: Settings, steps: Iterable[Step]) -> None:
    """Do the steps, telling each on stdout."""
    asyncio.run(
        installation.carry_out(
            app,
            settings,
            steps,
            on_done=lambda step: print(safe_text(step.told), flush=True),
            on_wait=lambda whom: say(f"waiting for {whom}"),
        )
    )
