"""``eventscope run APP``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from eventscope.cli import application, dashboard
from eventscope.cli import options as shared
from eventscope.cli.log import log_to_stream
from eventscope.cli.terminal import outlive_terminals

if TYPE_CHECKING:
    from eventscope.app import EventScope
    from eventscope.cli.report import Report
    from eventscope.settings import Settings


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
@click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write how it went as JUnit XML, for a CI system to show (headless).",
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
    report_path: Path | None,
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
    if until is None and report_path is None and dashboard.wanted(no_dashboard):
        scope = dashboard.loaded(app, settings)
        return dashboard.run(scope, settings, read_only=read_only)
    is_json = log_format == "json"
    with redirect_stdout(sys.stderr) if is_json else nullcontext():
        scope = application.load(app)
    from eventscope.cli import caught_up, headless
    from eventscope.tui.prints import stdout_in_log

    outlive_terminals()
    log_to_stream(log_format)
    return asyncio.run(
        headless.run(
            scope,
            settings,
            caught_up.until_caught_up(timeout) if until is not None else None,
            timeout=timeout,
            report=_begun(report_path, scope, settings) if report_path is not None else None,
            is_told=not is_json,  # the log as text goes where errors go
            prints=stdout_in_log() if is_json else None,
        )
    )


def _begun(path: Path, app: EventScope, settings: Settings) -> Report:
    """The report of a run that is to begin; raises click.UsageError if there is no place for it."""
    from eventscope.cli.output import OutputError
    from eventscope.cli.report import Report
    from eventscope.operators.redaction import Redaction

    report = Report(path, app, Redaction(settings))
    try:
        report.begin()
    except OutputError as error:
        raise click.UsageError(str(error)) from None
    return report
