"""``eventscope tail [APP]``."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import click
import structlog

from eventscope.app import EventScope
from eventscope.cli import application
from eventscope.cli import options as shared
from eventscope.cli.event_line import event_line
from eventscope.cli.log import log_as_program
from eventscope.cli.output import Output, OutputClosed, OutputError
from eventscope.cli.signals import OK, Signals, first
from eventscope.cli.terminal import takes_colours
from eventscope.engine.tail import Tail
from eventscope.engine.tail_source import Selection
from eventscope.event import Event
from eventscope.inspection.filter import FilterError, parse, reference_text
from eventscope.inspection.json_line import json_line
from eventscope.replication.connection import server_label

_log = structlog.get_logger("eventscope.tail")

_WIDE: Final = (160, 24)
"""The size of what is no terminal."""

Lines = Callable[[Sequence[Event]], bytes]


@click.command("tail", epilog=f"\b\nFILTER:\n{reference_text()}")
@click.argument("app", metavar="[APP]", required=False)
@click.option(
    "--table", "tables", multiple=True, metavar="TABLE", help="Only this table; again for more."
)
@click.option("--where", metavar="FILTER", help="Only the events that match.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "pretty"]),
    help="How to print an event.  [default: pretty on a terminal, else jsonl]",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="End after N events.")
@click.option(
    "--until-idle",
    type=click.FloatRange(min=0),
    metavar="S",
    help="End when no event has come for S seconds.",
)
@click.option("--publication", metavar="NAME", help="Listen through this existing publication.")
@shared.connection_options
def command(
    app: str | None,
    tables: tuple[str, ...],
    where: str | None,
    form: Literal["jsonl", "pretty"] | None,
    limit: int | None,
    until_idle: float | None,
    publication: str | None,
    **given: Any,
) -> int:
    """Show the database's changes as they happen, and leave nothing behind.

    Shows the tables of APP, or those that --table names, or every table that the role may
    publish; without --table also logical messages. It begins at now: what is committed after
    the word "listening" on stderr is shown.

    Exit codes: 0 fine, 2 usage or settings, 3 the database cannot be used, 130 interrupted.
    """
    try:
        matches = parse(where).matches if where is not None else None
    except FilterError as error:
        click.echo(f"eventscope: {error}\n{error.picture()}", err=True)
        return error.exit_code
    if sys.stdout is None:
        raise OutputError("standard output is closed: there is nowhere to show events")
    settings = shared.settings(**given)
    scope = application.load(app) if app is not None else None
    log_as_program()
    tail = Tail(
        settings,
        Selection(tables or _entities(scope), publication, messages=not tables),
        app=scope,
        where=matches,
        limit=limit,
        until_idle=until_idle,
    )
    pretty = form == "pretty" or (form is None and sys.stdout.isatty())
    return asyncio.run(_run(tail, server_label(settings), _pretty if pretty else _jsonl))


def _entities(app: EventScope | None) -> tuple[str, ...]:
    if app is None:
        return ()
    application.require_tables(app)
    return app.entities


async def _run(tail: Tail, server: str, lines: Lines) -> int:
    signals = Signals()
    output = Output(sys.stdout.fileno())

    async def show(events: Sequence[Event]) -> None:
        await output.write(lines(events))

    async def listen() -> int:
        async with tail:
            _log.info(f"listening to {_named(tail.tables)} of {server}, Ctrl-C ends")
            await tail.run(show)
        return OK

    try:
        return await first(signals.wait(), output.closed(), listen())
    except OutputClosed:
        return OK


def _named(tables: Sequence[str]) -> str:
    return tables[0] if len(tables) == 1 else f"{len(tables)} tables"


def _jsonl(events: Sequence[Event]) -> bytes:
    return "".join(f"{json_line(event)}\n" for event in events).encode()


def _pretty(events: Sequence[Event]) -> bytes:
    width = shutil.get_terminal_size(_WIDE).columns
    coloured = takes_colours(sys.stdout)
    text = "".join(f"{event_line(event, width, coloured=coloured)}\n" for event in events)
    return text.encode(sys.stdout.encoding, "replace")
