"""What the README says of the program comes from the program."""

from __future__ import annotations

import re
from pathlib import Path

from eventscope.cli import cli
from eventscope.inspection.filter import reference_table
from eventscope.tui.app import EventScopeApp
from eventscope.tui.palette import actions
from tests.tui.driving import until
from tests.tui.shop import a_shop

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_the_filter_language_is_told_as_it_is() -> None:
    assert reference_table() in README


def test_every_command_is_told_of() -> None:
    for command in cli.list_commands(None):  # type: ignore[arg-type]
        assert f"eventscope {command}" in README


async def test_the_keys_are_told_as_they_are_bound() -> None:
    told = re.findall(r"^\| (anywhere|\w+) \| `(.+?)` \| (.+?) \|$", README, re.MULTILINE)
    assert len(told) > 15
    async with EventScopeApp(a_shop()).run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: len(list(actions(pilot.app.screen))) > 50)
        bound = {(action.title, key) for action in actions(pilot.app.screen) for key in action.keys}
    for where, key, does in told:
        assert (does if where == "anywhere" else f"{where}: {does}", key) in bound
