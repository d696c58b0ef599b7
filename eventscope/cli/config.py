"""``eventscope config``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from eventscope.cli import options as shared
from eventscope.cli import secrecy

if TYPE_CHECKING:
    from eventscope.configuration.origin import Given


@click.group("config")
def command() -> None:
    """Look at the settings."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@shared.settings_options
def show(as_json: bool, **options: Any) -> int:
    """Show each setting, its value, and where that comes from.

    Passwords are masked, also within the url.

    Exit codes: 0 fine, 2 usage or settings.
    """
    from eventscope.configuration.origin import given
    from eventscope.settings import Settings

    overrides = shared.overrides(**options)
    found = given(secrecy.keep(Settings.load(**overrides)), overrides)
    if as_json:
        told = {one.setting.name: {"value": one.value, "origin": one.origin} for one in found}
        print(json.dumps(told, default=str))
    else:
        _print(found)
    return 0


def _print(found: list[Given]) -> None:
    from eventscope.configuration.reference import as_toml
    from eventscope.inspection.text import safe_text

    rows = [
        (one.setting.name, "" if one.value is None else as_toml(one.value), one.origin)
        for one in found
    ]
    names, values = (max(len(row[place]) for row in rows) for place in (0, 1))
    for name, value, origin in rows:
        print(safe_text(f"{name:{names}}  {value:{min(values, 40)}}  {origin}"))
