"""The command line, one thin module a command."""

from __future__ import annotations

import importlib
from typing import Final

import click

import eventscope

_COMMANDS: Final = {
    "demo": "See it at work: a PostgreSQL of its own, a blog, live traffic.",
    "run": "Read the database's changes and run an application's operators.",
    "tail": "Show the database's changes as they happen.",
    "init": "Write a settings file, and first operators for a database's tables.",
    "config": "Show the settings in force, and where each comes from.",
    "doctor": "Find out what keeps an application from running, and what mends it.",
    "setup": "Make publication and slot ahead of the first run.",
    "teardown": "Drop publication and slot.",
    "status": "Show how far an application's operators are, and what ails them.",
    "pause": "Hold an operator after the event it is at.",
    "resume": "Let a paused operator go on.",
    "retry": "Try an operator's failed event again at once.",
    "skip": "Pass over the event that an operator fails at.",
    "dead-letters": "See, retry and discard what operators gave up.",
    "replay": "Give an operator events once more.",
    "backfill": "Recompute the whole table of a query operator.",
    "forget": "Drop what is kept of an operator that the application no longer has.",
}


class LazyCommands(click.Group):
    """Commands that are imported when they are used, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the manual."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module, which is named after it."""
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"eventscope.cli.{cmd_name.replace('-', '_')}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(eventscope.__version__, prog_name="eventscope")
def cli() -> None:
    """See and use what happens in your PostgreSQL database."""
