"""Values of every type, each as PostgreSQL's text, in Python and in JSON."""

from __future__ import annotations

import json as json_
from typing import Any, NamedTuple

INEXACT = object()
"""In place of a Python value: there is no exact one, so it stays text."""


class Example(NamedTuple):
    """A value of a type."""

    type: str
    text: str
    """What PostgreSQL prints for it."""
    python: Any
    json: str

    @property
    def stays_text(self) -> bool:
        """Whether other values of its type have a Python value, but this has none."""
        return self.python is INEXACT


def numbers(type: str, values: dict[str, Any]) -> list[Example]:
    """Values whose text is a JSON number."""
    return [Example(type, text, python, text) for text, python in values.items()]


def said(type: str, values: dict[str, tuple[Any, str]]) -> list[Example]:
    """Values with their Python value and their JSON."""
    return [Example(type, text, *forms) for text, forms in values.items()]


def quoted(type: str, values: dict[str, Any]) -> list[Example]:
    """Values that are their text in JSON, but not in Python."""
    return [Example(type, text, python, quote(text)) for text, python in values.items()]


def texts(type: str, *texts: str) -> list[Example]:
    """Values that are nothing but their text."""
    return [Example(type, text, text, quote(text)) for text in texts]


def quote(text: str) -> str:
    """A text as a JSON string."""
    return json_.dumps(text, ensure_ascii=False)
