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
    try:
        typed = click.prompt("Type the operator's name to confirm", default="", show_default=False)
    except click.Abort:  # Ctrl-C, which leaves the cursor where it was
        click.echo(err=True)
        raise _not_confirmed() from None
    if typed != name:
        raise _not_confirmed()


def confirm(question: str) -> None:
    """Have a person, who is there, say yes; raises click.Abort at any other answer."""
    try:
        agreed = click.confirm(safe_text(question))
    except click.Abort:
        click.echo(err=True)
        raise _not_confirmed() from None
    if not agreed:
        raise _not_confirmed()


def _not_confirmed() -> click.Abort:
    say("not confirmed: nothing was done")
    return click.Abort()
