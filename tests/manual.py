"""The README's contents and its tables of commands, which come from the program.

``python -m tests.manual`` writes them into it anew.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from eventscope.cli import cli

README = Path(__file__).parents[1] / "README.md"

_MOST_NAMED = 4
"""Commands that an option is said not to belong to; of more, those are named that have it."""


def rewritten(text: str) -> str:
    """The README with these parts as they should be."""
    text = _replaced(text, "contents", contents(text))
    return _replaced(text, "commands", f"{command_table()}\n\n{option_table()}")


def contents(text: str) -> str:
    """Links to all sections, in order."""
    code = r"^```.*?^```$"
    headings = re.findall(r"^## (.+)$", re.sub(code, "", text, flags=re.M | re.S), re.MULTILINE)
    links = " · ".join(f"[{heading}](#{_anchor(heading)})" for heading in headings)
    unbroken = re.sub(r"(?<!·) ", "\0", links)
    wrapped = textwrap.fill(unbroken, 100, break_long_words=False, break_on_hyphens=False)
    return wrapped.replace("\0", " ")


def command_table() -> str:
    """Every command, one line each."""
    rows = [
        f"| `{_synopsis(name, command)}` | {command.get_short_help_str(200)} |"
        for name, command in commands()
    ]
    return "\n".join(["| command | |", "|---|---|", *rows])


def option_table() -> str:
    """Every option, one line each, with the commands that have it."""
    having = defaultdict(list)
    for name, command in commands():
        for option in command.params:
            if isinstance(option, click.Option):
                having[_written(option, command), _help(option, command)].append(name)
    rows = [
        f"| `{written}` | {_named(names)} | {does} |" for (written, does), names in having.items()
    ]
    return "\n".join(["| option | of | |", "|---|---|---|", *rows])


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name; of a group its members."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {member}", one) for member, one in command.commands.items())
        else:
            yield name, command


def _synopsis(name: str, command: click.Command) -> str:
    context = click.Context(command)
    arguments = [one.make_metavar(context) for one in command.params if _is_argument(one)]
    return " ".join(["eventscope", name, *arguments])


def _written(option: click.Option, command: click.Command) -> str:
    if option.is_flag:
        return option.opts[0]
    value = option.make_metavar(click.Context(command))
    return f"{option.opts[0]} {value}".replace("|", "\\|")


def _help(option: click.Option, command: click.Command) -> str:
    record = option.get_help_record(click.Context(command))
    assert record is not None
    without_ranges = re.sub(r"  \[x[^]]*\]", "", record[1])
    return re.sub(r"  \[(.*?)\]", r" (\1)", without_ranges).replace("|", "\\|")


def _named(names: list[str]) -> str:
    others = [name for name, _ in commands() if name not in names]
    if not others:
        return "all"
    if len(others) <= _MOST_NAMED < len(names):
        return f"all but {_listed(others)}"
    return _listed(names)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _anchor(heading: str) -> str:
    """The name that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _replaced(text: str, part: str, by: str) -> str:
    begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{by}\n\n{end}{after}"


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text("utf-8")), "utf-8")
