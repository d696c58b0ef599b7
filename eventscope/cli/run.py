"""``eventscope run APP``."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import click

from eventscope.cli import application, dashboard
from eventscope.cli import options as shared
from eventscope.cli.log import log_to_stream


@click.command("run")
@click.argument("app", metavar="APP")
@shared.headless_option
@shared.read_only_option
@click.option(
    "--until",
    type=click.Choice(["caught-up"]),
    help="End when everything is processed, cascades included (headless).",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Seconds that --until may take.",
)
@shared.log_format_option
@shared.metrics_port_option
@shared.settings_options
def command(
    app: str,
    no_dashboard: bool,
    read_only: bool,
    until: str | None,
    timeout: float | None,
    log_format: Literal["text", "json"],
    metrics_port: int | None,
    **given: Any,
) -> int:
    """Read the database's changes and run the operators of APP.

    APP is module:attribute, path/to/file.py[:attribute] or a package; the attribute is app by
    default.

    Exit codes: 0 fine, 1 an operator halted or dead letters exist, 2 usage or settings, 3 the
    database or the queue cannot be used, 4 timeout, 130 interrupted.
    """
    if timeout is not None and until is None:
        raise click.UsageError("--timeout needs --until caught-up")
    settings = shared.settings(**given | {"metrics.port": metrics_port})
    if until is None and dashboard.wanted(no_dashboard):
        scope = dashboard.loaded(app, settings)
        return dashboard.run(scope, settings, read_only=read_only)
    scope = application.load(app)
    from eventscope.cli import headless

    log_to_stream(log_format)
    work = headless.until_caught_up(timeout) if until is not None else None
    is_told = log_format == "text"  # which goes where errors go
    return asyncio.run(headless.run(scope, settings, work, is_told=is_told))
