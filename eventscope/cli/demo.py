"""``eventscope demo``."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from eventscope.cli import caught_up, dashboard, headless
from eventscope.cli import options as shared
from eventscope.cli.log import log_to_stream
from eventscope.cli.signals import OK
from eventscope.settings import Metrics

if TYPE_CHECKING:
    from eventscope.demo.playground import Playground
    from eventscope.engine import Engine

SETTLING = 120.0
"""Seconds that the operators get for the rest of the work after the traffic has ended."""


@click.command("demo")
@shared.headless_option
@shared.read_only_option
@click.option(
    "--duration",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Stop the traffic after S seconds.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the database here; by default it is deleted at the end.",
)
@click.option("--seed", default=1, show_default=True, help="What the traffic depends on.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Transactions a second.  [default: 70]",
)
@shared.log_format_option
@shared.metrics_port_option
def command(
    no_dashboard: bool,
    read_only: bool,
    duration: float | None,
    directory: Path | None,
    seed: int,
    rate: float | None,
    log_format: Literal["text", "json"],
    metrics_port: int | None,
) -> int:
    """See it at work: a PostgreSQL of its own, a blog, live traffic.

    With --headless and --duration it ends by itself, and exits with 0 only if every derived
    table equals its query then.
    """
    from eventscope.demo.playground import Playground
    from eventscope.demo.traffic import RATE

    example = importlib.import_module("operators_example")
    signal.signal(signal.SIGTERM, _leave)
    log_to_stream(log_format)
    playground = Playground(
        [table.ddl for table in example.DERIVED],
        directory=directory,
        seed=seed,
        rate=rate or RATE,
    )
    with playground:
        settings = playground.settings.model_copy(update={"metrics": Metrics(port=metrics_port)})
        if dashboard.wanted(no_dashboard):
            traffic = playground.traffic_in_background(duration)
            return dashboard.run(example.app, settings, traffic, read_only=read_only)
        truths = {table.name: table.truth for table in example.DERIVED}
        work = _work(playground, duration, truths)
        is_told = log_format == "text"
        return asyncio.run(headless.run(example.app, settings, work, is_told=is_told))


def _work(playground: Playground, duration: float | None, truths: dict[str, str]) -> caught_up.Work:
    """Traffic, then rest, then the question whether all is as it should be."""

    async def work(engine: Engine) -> int:
        stop = asyncio.Event()
        if duration is not None:
            asyncio.get_running_loop().call_later(duration, stop.set)
        await playground.traffic(stop)
        code = await caught_up.until_caught_up(SETTLING)(engine)
        return code or await _verify(playground.url, truths)

    return work


async def _verify(url: str, truths: dict[str, str]) -> int:
    import psycopg

    from eventscope.demo.truth import differences

    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = await differences(connection, truths)
    for difference in found:
        print(f"eventscope: {difference}", file=sys.stderr)
    return headless.FAILED if found else OK


def _leave(*_: Any) -> None:
    sys.exit(128 + signal.SIGTERM)
