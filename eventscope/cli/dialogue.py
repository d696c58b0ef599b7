"""Speaking with the person at the terminal, beside a command's output."""

from __future__ import annotations

import sys

import click

from eventscope.inspection.text import safe_text


def say(text: str) -> None:
    """Say something on stderr."""
    print(f"eventscope: {safe_text(text)}", file=sys.stderr, flush=True)


def require_person() -> None:
    """Check that somebody can confirm; raises click.UsageError if nobody is there."""
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to confirm it: give --yes")


def confirm_by_name(what: str, name: str) -> None:
    """Have a person type a name to confirm something; raises click.Abort if it is another.

    Args:
        what: will happen, in one line.
        name: to be typed.
    """
    require_person()
    click.echo(safe_text(what), err=True)
    typed = click.prompt("Type the operator's name to confirm", default="", show_default=False)
    if typed != name:
        raise click.Abort
