"""Every setting with its default and its explanation, as a table and as a file to start from.

Both are made from ``settings.py``, so that they say what it does.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from eventscope.settings import Settings

_WIDTH: Final = 98


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    name: str
    """As ``ui.theme``, if it is one of a group."""
    default: Any
    """None if it depends, as the explanation says."""
    example: Any
    """A value to start from: the default, if there is one."""
    explanation: str
    """One or two sentences."""
    is_secret: bool


@cache
def every() -> tuple[Setting, ...]:
    """All settings, in the order of the manual."""
    return tuple(_of(Settings, ""))


def table() -> str:
    """The settings as a Markdown table."""
    rows = (
        f"| `{setting.name}` | {_default(setting)} | {setting.explanation} |\n"
        for setting in every()
    )
    return f"| key | default | |\n|---|---|---|\n{''.join(rows)}"


def toml() -> str:
    """The settings as a TOML file whose every line is a comment, to be uncommented."""
    groups: dict[str, list[Setting]] = {}
    for setting in every():
        groups.setdefault(setting.name.rpartition(".")[0], []).append(setting)
    return "\n".join(
        "\n".join([*([f"# [{group}]\n"] if group else []), *map(_commented, settings)])
        for group, settings in groups.items()
    )


def as_toml(value: Any) -> str:
    """A setting's value as TOML spells it."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {as_toml(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, Path | SecretStr):
        value = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return json.dumps(value, ensure_ascii=False)


def _of(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    explanations = _explanations(model)
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from _of(type(default), f"{prefix}{name}.")
            continue
        yield Setting(
            name=prefix + name,
            default=default,
            example=_example(field, default),
            explanation=explanations[name],
            is_secret="SecretStr" in str(field.annotation),
        )


def _example(field: FieldInfo, default: Any) -> Any:
    return default if default is not None else (field.examples or [""])[0]


def _explanations(model: type[BaseModel]) -> dict[str, str]:
    """What is written below each field of a model, in one line and as Markdown."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    found = {}
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, below in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            text = " ".join(str(below.value.value).split())
            found[field.target.id] = text.replace("``", "`")
    return found


def _default(setting: Setting) -> str:
    return "" if setting.default is None else f"`{as_toml(setting.default)}`"


def _commented(setting: Setting) -> str:
    explanation = textwrap.fill(
        setting.explanation.replace("`", ""),
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
    )
    key = setting.name.rpartition(".")[2]
    return f"{explanation}\n# {key} = {as_toml(setting.example)}\n"
