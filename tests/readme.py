"""The code of the README and of CONTRIBUTING, for tests to run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

README: Final = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
CONTRIBUTING: Final = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")

_HEADING_OR_BLOCK: Final = re.compile(
    r"^(?P<heading>##+ [^\n]+)$|^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """Code as it stands below a heading."""

    heading: str
    language: str
    code: str


def blocks(heading: str, language: str = "python", text: str = README) -> list[str]:
    """The code of a section, in order, with that of the sections within."""
    level = _level(heading)
    inside = False
    found = []
    for block in every_block(text):
        if block.code == "":
            inside = block.heading == heading or (inside and _level(block.heading) > level)
        elif inside and block.language == language:
            found.append(block.code)
    return found


def every_block(text: str = README) -> Iterator[Block]:
    """All code, in order; each section begins with an empty block."""
    heading = ""
    for found in _HEADING_OR_BLOCK.finditer(text):
        if found["heading"]:
            heading = found["heading"]
            yield Block(heading, "", "")
        else:
            yield Block(heading, found["language"], found["code"])


def _level(heading: str) -> int:
    return len(heading.partition(" ")[0])
