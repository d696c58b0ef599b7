"""``eventscope init``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from eventscope.cli import options as shared
from eventscope.cli.dialogue import say
from eventscope.cli.output import OutputError

_SETTINGS = Path("eventscope.toml")
_OPERATORS = Path("operators.py")
_HEAD = "# The settings of eventscope, with their defaults: uncomment what is to be another.\n\n"


@click.command("init")
@click.option("--offline", is_flag=True, help="Ask no database: write eventscope.toml alone.")
@click.option("--force", is_flag=True, help="Write over what is there.")
@shared.connection_options
def command(offline: bool, force: bool, **given: Any) -> int:
    """Write eventscope.toml, and operators.py for the tables of the database.

    The first tells of every setting; the second follows each table that the role owns, with an
    example handler and an example of a derived table.

    Exit codes: 0 fine, 1 cannot write, 2 usage, settings, or a file is there already, 3 the
    database cannot be used.
    """
    from eventscope.configuration import reference

    settings = shared.settings(**given)
    files = {_SETTINGS: _HEAD + reference.toml()}
    if not offline:
        files[_OPERATORS] = ""
    there = [str(path) for path in files if path.exists() or path.is_symlink()]
    if there and not force:
        raise click.UsageError(f"{' and '.join(there)} exists already: give --force to replace it")
    if not offline:
        from eventscope.cli.first_operators import first_operators
        from eventscope.replication import outline

        files[_OPERATORS] = first_operators(*asyncio.run(outline.look_up(settings)))
    for path, text in files.items():
        _write(path, text, over=force)
        say(f"wrote {path}")
    say("next: eventscope init" if offline else f"next: eventscope run {_OPERATORS}")
    return 0


def _write(path: Path, text: str, *, over: bool) -> None:
    try:
        with path.open("w" if over else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
