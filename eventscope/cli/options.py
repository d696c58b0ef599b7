"""The options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from eventscope.cli import secrecy
from eventscope.settings import CONFIG_VARIABLE, Settings, SettingsError, nested

Function = TypeVar("Function", bound=Callable[..., Any])

_URL = click.option("--url", help="Where the database is: a libpq URL or connection string.")
_SLOT = click.option("--slot-name", help="The replication slot to read.")
_PUBLICATION = click.option("--publication", help="The publication to read.")
_QUEUE = click.option(
    "--queue-path", type=click.Path(path_type=Path, dir_okay=False), help="The queue file."
)
_APP = click.option("--app", metavar="APP", help="The application, which names the queue file.")
_OTHERS = (
    click.option("--config", type=click.Path(path_type=Path, exists=True), help="A settings file."),
    click.option(
        "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any other setting."
    ),
)


def settings_options(function: Function) -> Function:
    """Add the options from which ``settings`` reads."""
    return _with(function, _URL, _SLOT, _PUBLICATION, _QUEUE, *_OTHERS)


def connection_options(function: Function) -> Function:
    """Add those of them that tell where the database is."""
    return _with(function, _URL, *_OTHERS)


def queue_options(function: Function) -> Function:
    """Add those of them that tell where the queue file is."""
    return _with(function, _SLOT, _QUEUE, *_OTHERS)


def control_options(function: Function) -> Function:
    """The same and ``--app``, for commands about one operator."""
    return _with(function, _APP, _SLOT, _QUEUE, *_OTHERS)


def _with(function: Function, *options: Callable[[Function], Function]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


def settings(**given: Any) -> Settings:
    """The settings, with what the command line gives in first place."""
    return secrecy.keep(Settings.load(**overrides(**given)))


def overrides(
    *,
    config: Path | None = None,
    assignments: tuple[str, ...] = (),
    **given: Any,
) -> dict[str, Any]:
    """What the command line gives; heeds where it says that the settings file is."""
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)
    said = {key: value for key, value in given.items() if value is not None}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:  # which may hold a password all the same
            raise SettingsError(f"--set {_WORD.match(assignment)[0]}...: want KEY=VALUE")  # type: ignore[index]
        said[key] = value
    return nested(said)


_WORD: Final = re.compile(r"\w*")


headless_option = click.option(
    "--headless",
    "no_dashboard",
    is_flag=True,
    help="No dashboard; the default where there is no terminal.",
)
read_only_option = click.option(
    "--read-only", is_flag=True, help="A dashboard that shows everything and changes nothing."
)
log_format_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How a headless run logs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
metrics_port_option = click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve /metrics, /livez and /readyz at this port of 127.0.0.1.",
)
operator_argument = click.argument("operator", metavar="OPERATOR")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print the SQL that would be run, and change nothing."
)
