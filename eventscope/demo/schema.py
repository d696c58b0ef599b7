"""The tables of the demo's blog."""

from __future__ import annotations

from importlib.resources import files


def schema() -> str:
    """The DDL of the blog's own tables, to be run in an empty database."""
    return files(__package__).joinpath("schema.sql").read_text()
