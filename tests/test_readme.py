"""What the README says of the program comes from the program."""

from __future__ import annotations

from pathlib import Path

from eventscope.cli import cli
from eventscope.inspection.filter import reference_table

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_filter_language_is_told_as_it_is() -> None:
    assert reference_table() in README


def test_every_command_is_told_of() -> None:
    for command in cli.list_commands(None):  # type: ignore[arg-type]
        assert f"eventscope {command}" in README
