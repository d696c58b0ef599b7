"""The README's code, for tests to run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def blocks(heading: str, language: str = "python") -> list[str]:
    """The code of a section, in order."""
    level, _, _ = heading.partition(" ")
    start = rf"^{re.escape(heading)}\n"
    [section] = _found(rf"{start}(.*?)(?=^#{{2,{len(level)}}} |\Z)", README)
    return _found(rf"^```{language}\n(.*?)^```$", section)


def _found(pattern: str, text: str) -> list[str]:
    found: list[str] = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return found
