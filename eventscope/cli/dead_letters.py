"""``eventscope dead-letters list|show|retry|discard``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from eventscope.cli import options as shared

if TYPE_CHECKING:
    from eventscope.cli.queue_file import QueueFile
    from eventscope.queue.records import DeadLetter

_ids = click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
_all = click.option("--all", "operator", metavar="OPERATOR", help="All of this operator.")


@click.group("dead-letters")
def command() -> None:
    """See, retry and discard what operators gave up.

    Of a query operator these are ids of its table, which it tries again by itself first, and
    whenever an event names them; of a handler they are events.

    Exit codes: 0 fine, 2 refused, usage or settings, 3 the queue cannot be used, 4 no answer,
    130 not confirmed.
    """


@command.command("list")
@click.argument("operator", metavar="[OPERATOR]", required=False)
@shared.json_option
@shared.control_options
def list_letters(operator: str | None, as_json: bool, app: str | None, **given: Any) -> int:
    """List dead letters, of OPERATOR or all, oldest first."""
    from eventscope.cli import letters

    found = asyncio.run(_read(_file(app, given), operator))
    (letters.print_list_as_json if as_json else letters.print_list)(found)
    return 0


@command.command("show")
@click.argument("id", type=int)
@shared.json_option
@shared.control_options
def show(id: int, as_json: bool, app: str | None, **given: Any) -> int:
    """Show one whole: its event, error and traceback."""
    from eventscope.cli import letters

    [letter] = asyncio.run(_chosen(_file(app, given), (id,)))
    (letters.print_json if as_json else letters.print_letter)(letter)
    return 0


@command.command("retry")
@_ids
@_all
@shared.json_option
@shared.control_options
def retry(
    ids: tuple[int, ...], operator: str | None, as_json: bool, app: str | None, **given: Any
) -> int:
    """Try dead letters again, by their IDs or --all.

    Without a process it happens at the next start.
    """
    from eventscope.cli import control
    from eventscope.engine.commands import RetryLetters

    _check(ids, operator)
    file = _file(app, given)
    if operator is not None:
        return control.carry_out(file, RetryLetters(operator), as_json=as_json)
    letters = asyncio.run(_chosen(file, ids))
    retries = [RetryLetters(letter.operator, letter.id) for letter in letters]
    return control.carry_out(file, *retries, as_json=as_json)


@command.command("discard")
@_ids
@_all
@shared.yes_option
@shared.json_option
@shared.control_options
def discard(
    ids: tuple[int, ...],
    operator: str | None,
    yes: bool,
    as_json: bool,
    app: str | None,
    **given: Any,
) -> int:
    """Give up dead letters for good, by their IDs or --all.

    --all asks for the operator's name first.
    """
    from eventscope.cli import control
    from eventscope.cli.dialogue import confirm_by_name
    from eventscope.engine.commands import DiscardLetters

    _check(ids, operator)
    file = _file(app, given)
    if operator is not None:
        count = len(asyncio.run(_read(file, operator)))
        if count and not yes:
            lost = "dead letter" if count == 1 else "dead letters"
            confirm_by_name(f"{operator} will lose {count:,} {lost}", operator)
        return control.carry_out(file, DiscardLetters(operator), as_json=as_json)
    letters = asyncio.run(_chosen(file, ids))
    discards = [DiscardLetters(letter.operator, letter.id) for letter in letters]
    return control.carry_out(file, *discards, as_json=as_json)


def _check(ids: tuple[int, ...], operator: str | None) -> None:
    if bool(ids) == (operator is not None):
        raise click.UsageError("give IDs, or --all OPERATOR")


def _file(app: str | None, given: dict[str, Any]) -> QueueFile:
    from eventscope.cli import queue_file

    return queue_file.find(shared.settings(**given), app)


async def _read(file: QueueFile, operator: str | None) -> list[DeadLetter]:
    """The letters of an operator, which must exist, or of all."""
    from eventscope.engine.commands import CommandRefused
    from eventscope.queue import outside

    async with outside.opened(file.path) as queue:
        if operator is not None and await queue.operator(operator) is None:
            known = ", ".join(record.name for record in await queue.operators())
            raise CommandRefused(f"there is no operator {operator}; there are {known or 'none'}")
        return await queue.letters(operator)


async def _chosen(file: QueueFile, ids: tuple[int, ...]) -> list[DeadLetter]:
    from eventscope.engine.commands import CommandRefused
    from eventscope.queue import outside

    letters = []
    async with outside.opened(file.path) as queue:
        for id in ids:
            letter = await queue.letter(id)
            if letter is None:
                raise CommandRefused(f"there is no dead letter {id}; see dead-letters list")
            letters.append(letter)
    return letters
