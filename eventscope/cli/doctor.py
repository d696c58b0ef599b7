"""``eventscope doctor [APP]``."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from eventscope.cli import application
from eventscope.cli import options as shared

OK: Final = 0
BLOCKED: Final = 1
UNREACHABLE: Final = 3


@click.command("doctor")
@click.argument("app", metavar="[APP]", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@shared.settings_options
def command(app: str | None, as_json: bool, **given: Any) -> int:
    """Find out what keeps APP from running, and print the SQL that mends it.

    Looks at server, connection, role, tables, publication, slot, queue file and settings, and
    changes nothing. Without APP it looks at every table that the role owns.

    Exit codes: 0 nothing blocks, 1 something blocks, 2 usage or settings, 3 the database cannot
    be reached.
    """
    from eventscope.cli.findings import print_json, print_text
    from eventscope.engine.examination import examine

    settings = shared.settings(**given)
    scope = application.load(app) if app is not None else None
    found = asyncio.run(examine(scope, settings))
    (print_json if as_json else print_text)(found.groups)
    if not found.is_connected:
        return UNREACHABLE
    blocks = any(f.severity == "blocking" for group in found.groups.values() for f in group)
    return BLOCKED if blocks else OK
